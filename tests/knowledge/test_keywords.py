from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from knowledge.documents import STAFF, Chunk, Scope
from knowledge.errors import StoreDamaged
from knowledge.keywords import KeywordIndex, tokenize

PUBLIC = Scope()


def chunk(
    id: str, text: str, audiences: frozenset[str] = frozenset({"public"}), title: str = ""
) -> Chunk:
    return Chunk(id, f"{id}.md", title, f"{id}.md", (), text, 0, audiences)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[KeywordIndex]:
    opened = KeywordIndex.open(tmp_path / "keywords")
    yield opened
    opened.close()


def filled(index: KeywordIndex, *texts: str) -> KeywordIndex:
    index.add([chunk(f"c{place}", text) for place, text in enumerate(texts)])
    index.commit()
    return index


def ids(index: KeywordIndex, query: str, scope: Scope = PUBLIC, limit: int = 10) -> list[str]:
    return [id for id, _ in index.query(query, scope, limit)]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Error E-4012!", ["error", "e-4012", "e", "4012"]),
        ("v2.3.1", ["v2.3.1", "v", "2", "3", "1"]),
        ("use --dry-run.", ["use", "--dry-run", "dri", "run"]),
        ("foo_bar", ["foo_bar", "foo", "bar"]),
        ("`/etc/hosts`,", ["/etc/hosts", "etc", "host"]),
        ("C++, C# and .NET", ["c++", "c", "c#", "c", "and", ".net", "net"]),
        (
            "[docs](https://a.example/b)",
            ["doc", "https://a.example/b", "https", "a", "exampl", "b"],
        ),
        ("E4012", ["e4012", "e", "4012"]),
        ("$1,250.50", ["$1250.50", "1250", "50"]),
        ("mail bob@a.example", ["mail", "bob@a.example", "bob", "a", "exampl"]),
    ],
)
def test_codes_are_kept_whole_and_in_parts(text: str, terms: list[str]) -> None:
    assert tokenize(text) == terms


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Resetting passwords", ["reset", "password"]),
        ("the customer's", ["the", "custom"]),
        ("re\u00adset", ["reset"]),
        ("STRASSE Straße", ["strass", "strass"]),
        ("ﬁle ＡＢＣ", ["file", "abc"]),
        ("日本語です", ["日本", "本語", "語で", "です"]),
        ("設定E-4012です", ["設定", "e-4012", "e", "4012", "です"]),
        ("ภาษา", ["ภา", "าษ", "ษา"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("שָׁלוֹם", ["שָׁלוֹם"]),
        ("한국어", ["한국", "국어"]),
        ("", []),
        ("… — ! 🎉", []),
    ],
)
def test_words_of_any_script_become_terms(text: str, terms: list[str]) -> None:
    assert tokenize(text) == terms


@given(st.text())
@example("\ud800")
def test_any_text_gives_terms_without_spaces(text: str) -> None:
    assert all(term and not any(c.isspace() for c in term) for term in tokenize(text))


@given(st.text())
def test_terms_do_not_depend_on_case(text: str) -> None:
    assert tokenize(text.casefold()) == tokenize(text)


@given(st.lists(st.text(alphabet="abcdefgh日本語ไทยαβγ-_./ 0123", max_size=30), max_size=20))
def test_every_indexed_text_is_found_by_its_own_words(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    index = filled(KeywordIndex.open(tmp_path_factory.mktemp("keywords")), *texts)
    for place, text in enumerate(texts):
        assert not tokenize(text) or f"c{place}" in ids(index, text, limit=len(texts))
        assert index.coverage(text, [text]) == pytest.approx(1.0 if tokenize(text) else 0.0)


def test_a_code_finds_its_page_however_it_is_written(index: KeywordIndex) -> None:
    filled(index, "Error E-4012 means the disk is full.", "Error E-4013 means no network.")
    for query in ("E-4012", "e4012", "error 4012?", "what does E 4012 mean"):
        assert ids(index, query)[0] == "c0", query


def test_titles_and_headings_are_searched_too(index: KeywordIndex) -> None:
    index.add([Chunk("a", "a", "Refunds", "a", ("Annual plans",), "Within thirty days.", 0)])
    index.commit()
    assert ids(index, "annual refund") == ["a"]


def test_nothing_in_a_question_is_query_syntax(index: KeywordIndex) -> None:
    filled(index, "alpha beta")
    for query in (
        "alpha AND NOT beta",
        "-alpha",
        "*:*",
        "terms:alpha^9",
        '"beta',
        "alpha~2 (",
        "[a TO",
    ):
        index.query(query, PUBLIC, 5)
    assert ids(index, "*") == []
    assert ids(index, "audience:public") == []


def test_the_scope_is_part_of_the_search(index: KeywordIndex) -> None:
    secret = [chunk(f"s{n}", "refund refund refund", frozenset({"staff"})) for n in range(500)]
    index.add([*secret, chunk("open", "a refund takes a while, and some more words")])
    index.commit()
    assert ids(index, "refund", limit=3) == ["open"]
    assert len(ids(index, "refund", Scope.of("staff"), limit=5)) == 5
    assert ids(index, "refund", Scope(frozenset())) == []


def test_the_scope_does_not_change_the_score(index: KeywordIndex) -> None:
    index.add([chunk("a", "refund", frozenset({"public", "staff", "gold"})), chunk("b", "other")])
    index.commit()
    scores = [index.query("refund", Scope.of(name), 1)[0][1] for name in (None, "staff", "gold")]
    assert len(set(scores)) == 1


def test_an_audience_is_matched_whole_and_literally(index: KeywordIndex) -> None:
    index.add(
        [chunk("a", "refund", frozenset({"customer A"})), chunk("b", "refund", frozenset({"A"}))]
    )
    index.commit()
    assert ids(index, "refund", Scope.of("customer A")) == ["a"]
    assert ids(index, "refund", Scope.of("customer")) == []


def test_a_chunk_without_audience_is_for_staff_only(index: KeywordIndex) -> None:
    index.add([chunk("a", "refund", frozenset())])
    index.commit()
    assert ids(index, "refund") == []
    assert ids(index, "refund", Scope.of(STAFF)) == ["a"]


def test_a_removed_chunk_is_not_found_and_a_new_one_is(tmp_path: Path) -> None:
    index = filled(KeywordIndex.open(tmp_path), "one apple", "two apples")
    index.close()
    index = KeywordIndex.open(tmp_path)
    index.remove(["c0", "unknown"])
    index.add([chunk("c2", "three apples")])
    assert ids(index, "apple") == ["c0", "c1"], "what is not committed is not seen"
    index.commit()
    index.close()
    index = KeywordIndex.open(tmp_path)
    assert sorted(ids(index, "apple")) == ["c1", "c2"]
    assert index.count() == 2


def test_what_was_not_committed_is_dropped(tmp_path: Path) -> None:
    index = filled(KeywordIndex.open(tmp_path), "one apple")
    index.add([chunk("c9", "another apple")])
    index.close()
    assert KeywordIndex.open(tmp_path).count() == 1


def test_an_empty_index_answers_nothing(index: KeywordIndex) -> None:
    assert (index.count(), ids(index, "anything"), index.coverage("a word", ["word"])) == (
        0,
        [],
        1.0,
    )


def test_a_very_long_question_is_bounded(index: KeywordIndex) -> None:
    filled(index, "needle word1 here")
    assert ids(index, " ".join(f"word{n}" for n in range(20_000))) == ["c0"]
    assert ids(index, "x" * 100_000) == []


def test_coverage_weighs_rare_words_more(index: KeywordIndex) -> None:
    filled(index, *["common words"] * 50, "rare marble")
    rare, common = (index.coverage("common marble", [text]) for text in ("marble", "common"))
    assert 0 < common < 0.2 < 0.8 < rare < 1
    assert index.coverage("How do I reset it?", ["reset"]) == 1.0
    assert index.coverage("common unheardof", ["common"]) < 0.2


def test_many_threads_may_search(index: KeywordIndex) -> None:
    filled(index, *[f"page number{n} about apples" for n in range(200)])
    found: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(ids(index, f"number{n}", limit=1)))
        for n in range(32)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted([f"c{n}"] for n in range(32))


def test_a_reader_of_a_deleted_folder_still_answers(tmp_path: Path) -> None:
    folder = tmp_path / "keywords"
    filled(KeywordIndex.open(folder), "one apple").close()
    reader = KeywordIndex.open(folder)
    shutil.rmtree(folder)
    assert ids(reader, "apple") == ["c0"]


@pytest.mark.parametrize("harm", ["truncate", "zero", "flip", "delete"])
def test_a_damaged_file_is_reported_when_the_index_is_opened(tmp_path: Path, harm: str) -> None:
    filled(KeywordIndex.open(tmp_path / "whole"), "one apple", "two pears").close()
    names = [path.name for path in (tmp_path / "whole").iterdir() if path.suffix != ".lock"]
    assert len(names) > 5
    for name in names:
        copy = tmp_path / f"{harm}-{name}"
        shutil.copytree(tmp_path / "whole", copy)
        damage(copy / name, harm)
        with pytest.raises(StoreDamaged, match="supportbot-ingest sync"):
            KeywordIndex.open(copy)


def damage(path: Path, harm: str) -> None:
    data = bytearray(path.read_bytes())
    if harm == "delete":
        path.unlink()
        return
    if harm == "truncate":
        data = data[: len(data) // 2]
    elif harm == "zero":
        data = bytearray(len(data))
    else:
        data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
