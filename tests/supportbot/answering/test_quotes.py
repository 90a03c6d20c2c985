from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.documents import Curated
from supportbot.answering.quotes import MAX_CHARACTERS, MAX_QUOTES, curated, quote
from tests.supportbot.answering.passages import CHUNKS, ORDERS, REFUNDS


def test_the_sentences_around_the_terms_are_quoted_word_for_word() -> None:
    text, citations = quote("Are shipping costs refunded?", [REFUNDS])
    assert text.startswith("> ")
    assert text.endswith(" [1]")
    assert "Shipping costs of $4.90 are not refunded." in citations[0].quote
    assert citations[0].quote in REFUNDS.text


def test_passages_that_match_far_less_are_left_out() -> None:
    _, citations = quote("Are shipping costs refunded when we receive the parcel?", CHUNKS)
    assert [citation.document_id for citation in citations] == ["refunds.md"]


def test_no_more_than_three_passages_are_quoted() -> None:
    chunks = [replace(REFUNDS, id=str(number)) for number in range(8)]
    text, citations = quote("refunds", chunks)
    assert [citation.number for citation in citations] == list(range(1, MAX_QUOTES + 1))
    assert all(f"[{number}]" in text for number in range(1, MAX_QUOTES + 1))


def test_brackets_of_a_passage_are_no_marks() -> None:
    text, _ = quote("refunds", [replace(REFUNDS, text="Refunds take long.[7] Very long.")])
    assert "[7]" not in text
    assert r"\[7\]" in text


@pytest.mark.parametrize("question", ["Plus plan price", "shop-cli cancel order"])
def test_a_mark_does_not_break_a_table_or_a_code_block(question: str) -> None:
    text, _ = quote(question, [ORDERS])
    assert text.splitlines()[-1] in ("> [1]",) or text.endswith(". [1]")


@given(st.text(min_size=1, max_size=2_000), st.text(max_size=50))
def test_any_passage_can_be_quoted_verbatim_and_briefly(text: str, question: str) -> None:
    _, citations = quote(question, [replace(REFUNDS, text=text)])
    for citation in citations:
        assert citation.quote in text
        assert len(citation.quote) <= MAX_CHARACTERS


def test_an_answer_of_several_passages_is_put_together_and_its_brackets_are_no_marks() -> None:
    texts = ("See [2] and ![a](https://x.example/a.png) this:\n\n1. Open it.", "2. Press it.")
    parts = tuple(replace(CHUNKS[0], id=text, text=text) for text in texts)
    text, (citation,) = curated(Curated("How?", parts))
    assert text == "See \\[2\\] and a this:\n\n1. Open it.\n2. Press it. [1]"
    assert citation.quote in texts[0]


def test_the_mark_of_an_answer_that_ends_in_a_table_stands_below_it() -> None:
    table = replace(CHUNKS[0], text="| Plan | Price |\n|---|---|\n| Basic | $5 |")
    assert curated(Curated("Prices?", (table,)))[0].endswith("| $5 |\n\n[1]")
