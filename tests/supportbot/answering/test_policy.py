from __future__ import annotations

import pytest

from knowledge.documents import Document, Evidence, Hit, Scope
from supportbot.answering.policy import everything, why_not, why_not_for_operator
from supportbot.conversation import Cause
from tests.supportbot.answering.passages import CHUNKS

OPEN, SECRET = CHUNKS[0], CHUNKS[1]


def found(similarity: float, *chunks: object, coverage: float = 0.0) -> Evidence:
    hits = tuple(Hit(chunk, 1.0) for chunk in chunks)
    return Evidence("q", "r1", hits, similarity, coverage)


def test_what_is_near_is_a_gap_and_what_is_far_another_matter() -> None:
    assert why_not(found(0.35, OPEN, coverage=0.1)) is Cause.NO_DOCUMENT
    assert why_not(found(0.05, OPEN)) is Cause.OUT_OF_SCOPE
    assert why_not(found(0.0)) is Cause.OUT_OF_SCOPE


@pytest.mark.parametrize(
    "cause", [Cause.NO_DOCUMENT, Cause.OUT_OF_SCOPE, Cause.DECLINED, Cause.UNGROUNDED]
)
def test_an_operator_is_told_that_the_answer_is_held_for_others(cause: Cause) -> None:
    shown, held = found(0.1, OPEN), found(0.8, SECRET, OPEN, coverage=1.0)
    assert why_not_for_operator(cause, shown, held) == Cause.NOT_PERMITTED


def test_an_operator_is_told_the_plain_cause_where_nothing_is_forbidden() -> None:
    far, near = found(0.1, SECRET), found(0.8, OPEN, SECRET, coverage=1.0)
    assert why_not_for_operator(Cause.NO_DOCUMENT, found(0.1), far) == Cause.NO_DOCUMENT
    assert why_not_for_operator(Cause.DECLINED, found(0.8, OPEN), near) == Cause.DECLINED
    assert why_not_for_operator("timeout", found(0.1), near) == "timeout"


def test_an_operator_sees_every_audience() -> None:
    documents = [
        Document("a", "", "", "", "", frozenset({"public"})),
        Document("b", "", "", "", "", frozenset({"partners", "staff"})),
        Document("c", "", "", "", "", frozenset()),
    ]
    assert everything(documents) == Scope(frozenset({"public", "partners", "staff"}))
