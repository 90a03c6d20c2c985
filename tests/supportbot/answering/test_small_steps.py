"""Follow-ups, links and fixed texts."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.documents import Chunk
from knowledge.languages import language_of
from supportbot.answering.followups import context, standalone
from supportbot.answering.lengths import asking_first, readable
from supportbot.answering.links import is_web, link_to
from supportbot.answering.texts import TEXTS, texts_for
from supportbot.conversation import MAX_QUESTION_CHARACTERS, Outcome, Turn

TURN = Turn("What is your refund policy?", "…", Outcome.ANSWERED)


@pytest.mark.parametrize(
    "question",
    [
        "How long does it take?",
        "And in Austria?",
        "What about gifts?",
        "Why?",
        "Wie lange dauert das?",
    ],
)
def test_a_follow_up_is_searched_with_what_it_leans_on(question: str) -> None:
    assert standalone(question, [TURN]) == f"What is your refund policy? {question}"


def test_a_whole_question_is_searched_as_it_is() -> None:
    question = "Where do I find the invoice of my last order?"
    assert standalone(question, [TURN]) == question
    assert standalone("Why?", []) == "Why?"


def test_a_chain_of_follow_ups_keeps_its_subject() -> None:
    second = Turn("And gifts?", "…", Outcome.ANSWERED, "What is your refund policy? And gifts?")
    assert "refund policy" in standalone("How long does it take?", [TURN, second])


def test_a_question_is_searched_together_with_the_whole_of_the_one_before() -> None:
    second = Turn("And gifts?", "…", Outcome.ANSWERED, "What is your refund policy? And gifts?")
    assert context([TURN, second]) == "What is your refund policy? And gifts?"
    assert context([TURN]) == TURN.question
    assert context([]) == ""


def test_a_repeated_question_is_not_doubled() -> None:
    assert standalone("refund policy?", [TURN]) == TURN.question


def test_a_web_page_is_linked_at_the_quote() -> None:
    link = link_to("https://shop.example/a", "Free re-use, fees & taxes")
    assert link == "https://shop.example/a#:~:text=Free%20re%2Duse%2C%20fees%20%26%20taxes"


def test_a_long_quote_is_linked_by_its_ends_and_without_markdown() -> None:
    words = (
        "- **One** two three four five six seven eight nine ten eleven [twelve](https://x.example)"
    )
    link = link_to("https://shop.example/a#top", words)
    assert link == (
        "https://shop.example/a#top:~:text=One%20two%20three%20four,nine%20ten%20eleven%20twelve"
    )


def fragment(words: str, text: str, *elsewhere: str, heading: str = "") -> str:
    """Return the decoded fragment of a link to these words of a passage."""
    chunk = Chunk("c", "d", "", "u", (heading,) if heading else (), text, 0)
    link = link_to("https://shop.example/a", words, chunk, elsewhere)
    return unquote(link.partition("#:~:text=")[2])


TWICE = "Hold the cover firmly. Press the button for ten seconds. Then wait a while."
PRESS = "Press the button for ten seconds."


@pytest.mark.parametrize(
    ("words", "text", "elsewhere", "told"),
    [
        (PRESS, TWICE, "", PRESS),
        (PRESS, TWICE, PRESS, f"Hold the cover firmly.-,{PRESS}"),
        (PRESS, f"{PRESS} Then wait.", PRESS, f"{PRESS},-Then wait."),
        (PRESS, PRESS, PRESS, f"Reset-,{PRESS}"),
        ("- Wait here", "- Press it\n- Wait here\n- Go", "", "Press it-,Wait here"),
        ("| Plus | $12 |", "| Basic | $5 |\n| Plus | $12 |", "", "$5-,Plus,$12"),
        ("a  b [c] *", "```\na  b [c] *\n```", "", "Reset-,a  b [c] *"),
        (r"Type \*x\* &amp; [go](u) <b>", r"Type \*x\* &amp; [go](u) <b>", "", "Type *x* & go"),
        (f"one two three four {TWICE}", f"one two three four {TWICE}", "one two three four",
         "one two three four Hold,seconds. Then wait a while."),
    ],
)  # fmt: skip
def test_a_quote_with_twins_is_told_by_what_stands_beside_it(
    words: str, text: str, elsewhere: str, told: str
) -> None:
    assert fragment(words, text, elsewhere, heading="Reset") == told


@given(st.text(max_size=200), st.text(max_size=100), st.text(max_size=100))
def test_any_quote_can_be_linked(words: str, before: str, after: str) -> None:
    fragment(words, f"{before}{words}{after}", before, words, heading=after)


@pytest.mark.parametrize(
    "uri", ["orders.md", "javascript:alert(1)", "file:///etc", "http://[x", ""]
)
def test_what_is_no_web_page_is_named_as_it_is(uri: str) -> None:
    assert not is_web(uri)
    assert link_to(uri, "words") == uri


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How do I get my money back?", "en"),
        ("Wie bekomme ich mein Geld zurück?", "de"),
        ("Comment puis-je obtenir un remboursement ?", "fr"),
        ("¿Cómo puedo obtener un reembolso?", "es"),
        ("Come posso ottenere un rimborso?", "it"),
        ("Como posso obter um reembolso?", "pt"),
        ("Hoe krijg ik mijn geld terug?", "nl"),
        ("如何退款？", "zh"),
        ("返金はどうなりますか", "ja"),
        ("환불은 어떻게 하나요?", "ko"),
        ("Hi, wie kündige ich?", "de"),
        ("ok, cómo cancelo el pedido", "es"),
        ("Is there a discount?", "en"),
        ("Il y a un problème avec la commande", "fr"),
        ("E-4012", ""),
    ],
)
def test_the_askers_language_is_told(text: str, language: str) -> None:
    assert language_of(text) == language
    assert texts_for(text) == TEXTS.get(language, TEXTS["en"])


@pytest.mark.parametrize("language", TEXTS)
def test_every_language_has_its_places_to_fill_in(language: str) -> None:
    texts = TEXTS[language]
    assert "(why)" in texts.quoted.format(why="(why)")
    assert "(ref)" in texts.unavailable.format(reference="(ref)")


def test_what_asked_nothing_is_no_context_of_a_follow_up() -> None:
    thanks = Turn("Thanks!", "You are welcome!", Outcome.CLARIFY)
    human = Turn("I want a human", "…", Outcome.HANDED_OFF)
    assert context([TURN, thanks, human]) == TURN.question
    assert standalone("And in Austria?", [TURN, thanks]).startswith(TURN.question)
    assert standalone("And in Austria?", [thanks]) == "And in Austria?"


def test_of_a_long_message_both_ends_are_read() -> None:
    log = "\n".join(f"2024-05-01 worker {number} exited" for number in range(1_000))
    text = readable(f"Why does the sync stop?\n{log}\nWhat can I do?")
    assert len(text) <= MAX_QUESTION_CHARACTERS
    assert text.startswith("Why does the sync stop?")
    assert text.endswith("What can I do?")
    assert asking_first(text).startswith("Why does the sync stop?\nWhat can I do?\n")
    assert readable("Why? ") == asking_first("Why?") == "Why?"
