from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.chunker import cut
from knowledge.documents import Chunk, Document
from tests.fakes import HashEmbedder


def chunks(text: str, title: str = "Title", window: int = 256) -> list[Chunk]:
    return cut(Document("a.md", title, "a", "docs", ""), text, HashEmbedder(window=window))


def solid(text: str) -> str:
    return "".join(text.split())


def words(count: int, word: str = "word") -> str:
    return " ".join(f"{word}{n}" for n in range(count))


def sentences(count: int, length: int = 10) -> str:
    return " ".join(f"Sentence {n} {words(length - 3)}." for n in range(count))


def test_each_heading_begins_a_passage_that_knows_the_headings_above_it() -> None:
    made = chunks("Intro.\n\n## Install\n\nOne.\n\n### On *Debian*\n\nTwo.\n\n## Use\n\nThree.\n")
    assert [(chunk.heading_path, chunk.text) for chunk in made] == [
        ((), "Intro."),
        (("Install",), "One."),
        (("Install", "On Debian"), "Two."),
        (("Use",), "Three."),
    ]
    assert [chunk.ordinal for chunk in made] == [0, 1, 2, 3]


def test_a_heading_without_text_is_kept() -> None:
    made = chunks("## Alone\n\n## With text\n\nText.\n\n## Parent\n\n### Child\n\n## Last\n")
    assert [(chunk.heading, chunk.text) for chunk in made] == [
        ("", "## Alone"),
        ("With text", "Text."),
        ("Parent", "### Child"),
        ("", "## Last"),
    ]


def test_a_hash_in_a_code_block_is_no_heading() -> None:
    made = chunks("## Shell\n\n```sh\n# not a heading\nls\n```\n")
    assert [chunk.text for chunk in made] == ["```sh\n# not a heading\nls\n```"]


def test_small_paragraphs_share_a_passage_of_fair_size() -> None:
    made = chunks("\n\n".join(f"Paragraph {n} {words(20)}." for n in range(40)))
    sizes = [len(chunk.text.split()) for chunk in made]
    assert max(sizes) <= 180
    assert min(sizes[:-1]) >= 140
    assert all(chunk.text.startswith("Paragraph") for chunk in made)


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    made = chunks(sentences(60))
    assert len(made) > 2
    assert all(chunk.text.startswith("Sentence") and chunk.text.endswith(".") for chunk in made)


def test_chinese_and_unbroken_text_is_cut_too() -> None:
    made = chunks("这是一个很长的句子。" * 300)
    assert all(chunk.text.endswith("。") for chunk in made)
    assert "".join(chunk.text for chunk in chunks("x" * 50_000)) == "x" * 50_000


def test_a_code_block_that_fits_is_never_cut() -> None:
    code = "```\n" + "\n".join(f"line {n} = {n}" for n in range(40)) + "\n```"
    made = chunks(f"{sentences(12)}\n\n{code}\n\n{sentences(12)}")
    assert any(code in chunk.text for chunk in made)


def test_a_code_block_that_is_too_long_is_cut_between_lines() -> None:
    lines = [f"line {n} = {n}" for n in range(400)]
    made = chunks("```\n" + "\n".join(lines) + "\n```")
    assert len(made) > 5
    inner = "\n".join(chunk.text for chunk in made).splitlines()
    assert set(lines) <= set(inner)


def test_a_table_is_cut_between_rows() -> None:
    rows = [f"| plan {n} | {words(6)} end. Next | {n} |" for n in range(60)]
    made = chunks("| Plan | What | Price |\n| --- | --- | --- |\n" + "\n".join(rows))
    assert len(made) > 2
    cut_rows = [line for chunk in made for line in chunk.text.splitlines()]
    assert set(rows) <= set(cut_rows)


def test_a_list_is_cut_between_items() -> None:
    items = [f"- Item {n} {words(30)}" for n in range(30)]
    made = chunks("\n".join(items))
    assert all(chunk.text.startswith("- Item") for chunk in made)


def test_a_wall_of_tokens_without_places_to_cut_still_fits() -> None:
    made = chunks(",".join("ab" for _ in range(5000)), window=64)
    embedder = HashEmbedder(window=64)
    assert all(len(embedder.token_offsets(chunk.indexed_text)) <= 62 for chunk in made)


def test_long_titles_and_headings_leave_room_for_the_text() -> None:
    made = chunks(f"## {words(25)}\n\n### {words(25, 'deep')}\n\n{sentences(40)}", words(300))
    embedder = HashEmbedder()
    assert all(len(embedder.token_offsets(chunk.indexed_text)) <= 254 for chunk in made)
    assert max(len(chunk.text.split()) for chunk in made) > 60
    assert made[0].title.endswith("…")
    assert "deep0" in made[0].heading


def test_a_paragraph_set_as_a_heading_is_text() -> None:
    (chunk,) = chunks(f"## {words(50, 'loud')}\n\nText.")
    assert chunk.heading == ""
    assert "loud49" in chunk.text


def test_unchanged_passages_keep_their_ids_when_others_change() -> None:
    before = "## A\n\nOne.\n\n## B\n\nTwo.\n\n## C\n\nThree."
    after = "## New\n\nFirst.\n\n## A\n\nOne.\n\n## C\n\nThree."
    old, new = ({chunk.text: chunk.id for chunk in chunks(text)} for text in (before, after))
    assert old["One."] == new["One."]
    assert old["Three."] == new["Three."]
    assert len({*old.values(), *new.values()}) == 4


def test_equal_passages_of_one_document_have_different_ids() -> None:
    made = chunks("## A\n\nSame.\n\n## B\n\nSame.\n")
    assert made[0].text == made[1].text
    assert made[0].id != made[1].id


def test_a_document_without_text_has_no_passages() -> None:
    assert chunks(" \n\n\t\n") == []


def test_every_language_counts_its_own_tokens() -> None:
    pytest.importorskip("tokenizers")
    from knowledge.embedder import load_embedder

    embedder = load_embedder(None)
    text = "重置密码。" * 400 + "🙂" * 600 + "Ünïcödé " * 300
    made = cut(Document("a.md", "标题 title", "a", "docs", ""), text, embedder)
    assert solid(text) == solid("".join(chunk.text for chunk in made))
    sizes = [len(embedder.token_offsets(chunk.indexed_text)) for chunk in made]
    assert max(sizes) <= embedder.window - 2


BLOCKS = st.one_of(
    st.text("abc .!?\u3002é🙂", min_size=1, max_size=300),
    st.integers(1, 60).map(sentences),
    st.integers(1, 400).map(words),
    st.lists(st.text("abc#|`- ", max_size=30), max_size=60).map(
        lambda lines: "```\n" + "\n".join(line.replace("```", "") for line in lines) + "\n```"
    ),
    st.lists(st.text("abc x", min_size=1, max_size=60), min_size=1, max_size=40).map(
        lambda rows: "| h |\n| - |\n" + "\n".join(f"| {row} |" for row in rows)
    ),
    st.lists(st.integers(1, 60).map(words), min_size=1, max_size=12).map(
        lambda items: "\n".join(f"- {item}" for item in items)
    ),
    st.text("abc#*-_>|`~[]()<>=+1. \n\t", max_size=200),
)


@settings(max_examples=150)
@given(st.lists(BLOCKS, max_size=8).map("\n\n".join), st.sampled_from([24, 64, 256, 8192]))
def test_no_text_is_lost_and_every_passage_fits(text: str, window: int) -> None:
    made = chunks(text, window=window)
    assert made == chunks(text, window=window)
    assert len({chunk.id for chunk in made}) == len(made)
    embedder = HashEmbedder(window=window)
    for chunk in made:
        assert chunk.text in text
        assert len(embedder.token_offsets(chunk.indexed_text)) <= window - 2
    at = 0
    for chunk in made:
        at = text.index(chunk.text, at) + len(chunk.text)
    if "#" not in text and not re.search(r"^ {0,3}(=+|-+)[ \t]*$", text, re.MULTILINE):
        assert solid("".join(chunk.text for chunk in made)) == solid(text)


HEADINGS = st.tuples(st.integers(1, 6), st.text("abcdef", min_size=1, max_size=8))


@settings(max_examples=100)
@given(st.lists(st.tuples(HEADINGS, st.integers(0, 300).map(words)), max_size=12))
def test_no_heading_is_lost(sections: list[tuple[tuple[int, str], str]]) -> None:
    text = "\n\n".join(f"{'#' * level} {name}\n\n{body}" for (level, name), body in sections)
    made = chunks(text)
    shown = " ".join(f"{chunk.heading} {chunk.text}" for chunk in made)
    assert all(name in shown for (_, name), _ in sections)
    bodies = "".join(chunk.text for chunk in made if not chunk.text.startswith("#"))
    assert solid(bodies) == solid("".join(body for _, body in sections))


def test_a_passage_is_found_at_the_last_anchor_before_it() -> None:
    text = "First.\n\n## B\n\nSecond.\n\n## C\n\nThird.\n"
    anchors = [(text.index("## B"), "page=2"), (text.index("## C"), "section c")]
    page = Document("a.pdf", "T", "https://x.example/a.pdf#top", "docs", "")
    made = cut(page, text, HashEmbedder(), anchors)
    assert [(chunk.text, chunk.uri) for chunk in made] == [
        ("First.", "https://x.example/a.pdf#top"),
        ("Second.", "https://x.example/a.pdf#page=2"),
        ("Third.", "https://x.example/a.pdf#section%20c"),
    ]
