from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from knowledge.disputes import FILE, Dispute, Disputes
from knowledge.documents import Chunk
from supportbot.answering.answerer import Answerer, AnswererSettings
from supportbot.answering.texts import TEXTS
from supportbot.conversation import Answer, Cause, Outcome, Question
from tests.fakes import FakeModel, FakeRetriever, MemoryThreads, says

ONE = Chunk(
    "a#0", "a.md", "Refunds", "a.md", (), "**Refunds** take [14 days](x.md). We pay by card.", 0
)
OTHER = Chunk(
    "b#0", "b.md", "Returns", "https://a.example/b", (), "Call us first. Refunds take 30 days.", 0
)
PAIR = {
    "passages": [
        {"document": "a.md", "text": "Refunds take 14 days."},
        {"document": "b.md", "text": "Refunds take 30 days."},
    ]
}
CITED = "Refunds take 14 days. [1]"


@pytest.fixture
def disputes(tmp_path: Path) -> Disputes:
    (tmp_path / FILE).write_text(json.dumps({"contradictions": [PAIR]}))
    return Disputes(tmp_path)


async def ask(disputes: Disputes, *chunks: Chunk, reply: str = "", text: str = "") -> Answer:
    bot = Answerer(
        retriever=FakeRetriever(*chunks),
        model=FakeModel(says(reply)) if reply else None,
        threads=MemoryThreads(),
        settings=AnswererSettings(),
        disputes=disputes,
    )
    return await bot.answer(Question(text or "How long do refunds take?"))


async def test_an_answer_says_that_another_document_says_something_else(
    disputes: Disputes,
) -> None:
    answer = await ask(disputes, ONE, OTHER, reply=CITED)
    assert (answer.outcome, answer.cause) == (Outcome.ANSWERED, Cause.CONFLICT)
    assert answer.text == f"{CITED}\n\n{TEXTS['en'].conflict.format(marks='[2]')}"
    against = answer.citations[1]
    assert (against.number, against.document_id) == (2, "b.md")
    assert against.quote == "Refunds take 30 days."
    assert ">[2]</a>" in answer.html


async def test_quotes_that_disagree_are_told_and_cited_once(disputes: Disputes) -> None:
    answer = await ask(disputes, ONE, OTHER)
    assert (answer.outcome, answer.cause) == (Outcome.QUOTED, Cause.NO_KEY)
    assert [citation.document_id for citation in answer.citations] == ["a.md", "b.md"]
    assert "Our documents disagree on this" in answer.text


async def test_it_is_told_in_the_askers_language(disputes: Disputes) -> None:
    answer = await ask(disputes, ONE, OTHER, text="Wie lange dauert es, bis refunds da sind?")
    assert "Unsere Dokumente widersprechen sich hier" in answer.text


@pytest.mark.parametrize(
    "chunks",
    [
        (ONE,),
        (ONE, replace(OTHER, text="Refunds take 14 days.")),
        (ONE, replace(OTHER, document_id="c.md")),
        (ONE, replace(OTHER, audiences=frozenset({"staff"}))),
    ],
    ids=["not found", "mended since", "another document", "forbidden"],
)
async def test_nothing_is_told_where_the_other_side_is_not_at_hand(
    disputes: Disputes, chunks: tuple[Chunk, ...]
) -> None:
    answer = await ask(disputes, *chunks, reply=CITED)
    assert (answer.text, answer.cause) == (CITED, "")


async def test_nothing_is_told_where_something_else_is_cited(disputes: Disputes) -> None:
    answer = await ask(disputes, ONE, OTHER, reply="We pay by card. [1]")
    assert (answer.text, answer.cause) == ("We pay by card. [1]", "")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"contradictions": 1}',
        '{"contradictions": [{"passages": [{}, 1]}]}',
        "[" * 200_000,
    ],
    ids=["cut", "list", "empty", "number", "no passages", "nested"],
)
def test_findings_that_cannot_be_read_are_none(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text)
    assert Disputes(tmp_path).among([ONE, OTHER]) == []
    assert Disputes(tmp_path / "nowhere").among([ONE, OTHER]) == []


def test_new_findings_are_read_at_the_next_question(disputes: Disputes, tmp_path: Path) -> None:
    assert len(disputes.among([ONE, OTHER])) == 1
    (tmp_path / FILE).write_text('{"contradictions": []}')
    os.utime(tmp_path / FILE, ns=(1, 1))
    assert disputes.among([ONE, OTHER]) == []


def test_findings_that_are_no_file_are_none_and_hold_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / FILE)
    assert Disputes(tmp_path).among([ONE, OTHER]) == []


class HangingDisputes(Disputes):
    """Findings on a disk that does not answer until `release` is set."""

    release = threading.Event()

    def among(self, chunks: Sequence[Chunk]) -> list[Dispute]:
        self.release.wait()
        return super().among(chunks)


async def test_an_answer_ends_in_time_although_the_findings_cannot_be_read(tmp_path: Path) -> None:
    disputes = HangingDisputes(tmp_path)
    try:
        async with asyncio.timeout(60):
            answer = await ask(disputes, ONE, OTHER, reply=CITED)
    finally:
        disputes.release.set()
    assert (answer.text, answer.cause) == (CITED, "")
