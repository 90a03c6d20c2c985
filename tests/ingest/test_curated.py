"""Pages whose front matter names questions are answers that a person wrote."""

from __future__ import annotations

import pytest

from ingest.errors import ParseFailed
from knowledge.documents import ARTICLE, FAQ
from tests.ingest.raw import parsed

ANSWER = "Open **Billing** and choose *Cancel*."


def page(front: str, body: str = ANSWER) -> str:
    return f"---\n{front}\n---\n{body}\n"


def test_a_page_that_names_its_questions_is_their_answer() -> None:
    made = parsed("a.md", page("questions:\n- How do I cancel?\n- Can I leave?\naudience: staff"))
    assert (made.kind, made.questions) == (FAQ, ("How do I cancel?", "Can I leave?"))
    assert made.text == f"## How do I cancel?\n\n{ANSWER}"
    assert (made.title, made.audiences) == ("How do I cancel?", {"staff"})


def test_one_question_and_an_answer_in_the_front_matter_do_too() -> None:
    made = parsed("a.md", page(f'question: "How do I cancel?"\nanswer: "{ANSWER}"', ""))
    assert made.text == f"## How do I cancel?\n\n{ANSWER}"


def test_headings_of_an_answer_stay_inside_it() -> None:
    made = parsed("a.md", page("title: Leaving\nquestions: Q?", "First.\n\n## Then\n\nSecond."))
    assert (made.title, made.text) == ("Leaving", "## Q?\n\nFirst.\n\n**Then**\n\nSecond.")


@pytest.mark.parametrize("key", ["valid_until", "expires", "expiry"])
def test_the_last_day_of_an_answer_is_read(key: str) -> None:
    assert parsed("a.md", page(f"questions: Q?\n{key}: 2027-01-31")).valid_until == "2027-01-31"


@pytest.mark.parametrize(
    "front",
    [
        "questions: 3",
        "questions: []",
        "questions: [{a: b}]",
        "questions: ''",
        "expiry: x\nquestion: Q",
    ],
)
def test_a_page_whose_questions_or_day_are_illegible_is_not_published(front: str) -> None:
    with pytest.raises(ParseFailed):
        parsed("a.md", page(front))


def test_questions_without_an_answer_are_refused() -> None:
    with pytest.raises(ParseFailed, match="no answer"):
        parsed("a.md", page("questions: Q?", ""))


def test_a_page_without_questions_is_an_article() -> None:
    assert parsed("a.md", page("title: x\nexpiry: someday")).kind == ARTICLE
