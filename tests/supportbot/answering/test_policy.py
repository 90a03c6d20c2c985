from __future__ import annotations

from knowledge.documents import Document, Evidence, Hit, Scope
from supportbot.answering.policy import everything, why_not
from supportbot.conversation import Cause
from tests.supportbot.answering.passages import CHUNKS

OPEN = CHUNKS[0]


def found(similarity: float, *chunks: object, coverage: float = 0.0) -> Evidence:
    hits = tuple(Hit(chunk, 1.0) for chunk in chunks)
    return Evidence("q", "r1", hits, similarity, coverage)


def test_what_is_near_is_a_gap_and_what_is_far_another_matter() -> None:
    assert why_not(found(0.35, OPEN, coverage=0.1)) is Cause.NO_DOCUMENT
    assert why_not(found(0.05, OPEN)) is Cause.OUT_OF_SCOPE
    assert why_not(found(0.0)) is Cause.OUT_OF_SCOPE


def test_an_operator_sees_every_audience() -> None:
    documents = [
        Document("a", "", "", "", "", frozenset({"public"})),
        Document("b", "", "", "", "", frozenset({"partners", "staff"})),
        Document("c", "", "", "", "", frozenset()),
    ]
    assert everything(documents) == Scope(frozenset({"public", "partners", "staff"}))
