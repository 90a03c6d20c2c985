"""Conversations that are remembered: turns, their final answers, receipts and ratings."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from supportbot.conversation import (
    Answer,
    Citation,
    Outcome,
    Question,
    Timings,
    Turn,
    Usage,
)
from supportbot.database import answers, feedback, receipts, turns

if TYPE_CHECKING:
    from supportbot.database import Database

CITATION_COLUMNS = tuple(column.name for column in receipts.columns if column.name != "answer_id")


class Threads(Protocol):
    """What answering needs to remember."""

    async def history(self, conversation_id: str, limit: int = 6) -> tuple[Turn, ...]:
        """Return the last turns of a conversation, oldest first."""
        ...

    async def record(self, question: Question, answer: Answer) -> None:
        """Keep a turn with its final answer and its receipts; the first one of a question wins."""
        ...

    async def spent_today(self) -> float:
        """Return the dollars spent since midnight UTC."""
        ...


class SqlThreads:
    """Threads in the state database. Every method may raise StateUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def history(self, conversation_id: str, limit: int = 6) -> tuple[Turn, ...]:
        """Return the last turns of a conversation, oldest first."""
        query = (
            sa.select(turns.c.question, turns.c.standalone, answers.c.text, answers.c.outcome)
            .join(answers, answers.c.turn_id == turns.c.id)
            .where(turns.c.conversation_id == conversation_id)
            .order_by(turns.c.asked_at.desc())
            .limit(limit)
        )
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).all()
        return tuple(
            Turn(row.question, row.text, Outcome(row.outcome), row.standalone)
            for row in reversed(rows)
        )

    async def record(self, question: Question, answer: Answer) -> None:
        """Keep a turn with its final answer and its receipts; the first one of a question wins."""
        async with self._database.transaction() as connection:
            try:
                async with connection.begin_nested():
                    await connection.execute(turns.insert(), _turn_row(question, answer))
            except IntegrityError:
                return  # answered before, by this process or another
            await connection.execute(answers.insert(), _answer_row(question, answer))
            if answer.citations:
                await connection.execute(receipts.insert(), _receipt_rows(answer))

    async def spent_today(self) -> float:
        """Return the dollars spent since midnight UTC."""
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        query = sa.select(sa.func.sum(answers.c.cost_usd)).where(
            answers.c.answered_at >= midnight.timestamp()
        )
        async with self._database.transaction() as connection:
            return float((await connection.execute(query)).scalar() or 0.0)

    async def answers(self, conversation_id: str, limit: int = 200) -> tuple[Answer, ...]:
        """Return the final answers of a conversation, oldest first, with their citations."""
        query = (
            sa.select(answers, turns.c.question, turns.c.standalone, turns.c.conversation_id)
            .join(turns, answers.c.turn_id == turns.c.id)
            .where(turns.c.conversation_id == conversation_id)
            .order_by(turns.c.asked_at)
            .limit(limit)
        )
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
            cited = await _citations(connection, [row["id"] for row in rows])
        return tuple(_answer(row, cited.get(row["id"], ())) for row in rows)

    async def forget(self, conversation_id: str) -> bool:
        """Erase a conversation with all that hangs on it; tell whether there was one."""
        statement = turns.delete().where(turns.c.conversation_id == conversation_id)
        async with self._database.transaction() as connection:
            return (await connection.execute(statement)).rowcount > 0

    async def rate(
        self, answer_id: str, rating: Literal["up", "down"], reason: str = "", comment: str = ""
    ) -> bool:
        """Keep what somebody thought of an answer, the last word wins; False: no such answer."""
        row = {"answer_id": answer_id, "rating": rating, "reason": reason, "comment": comment}
        async with self._database.transaction() as connection:
            known = sa.select(answers.c.id).where(answers.c.id == answer_id)
            if (await connection.execute(known)).first() is None:
                return False
            await connection.execute(feedback.delete().where(feedback.c.answer_id == answer_id))
            await connection.execute(feedback.insert(), {**row, "rated_at": time.time()})
        return True


def _turn_row(question: Question, answer: Answer) -> dict[str, Any]:
    return {
        "id": question.id,
        "conversation_id": question.conversation_id,
        "door": question.door,
        "user": question.user,
        "question": question.text,
        "standalone": answer.standalone or question.text,
        "asked_at": question.asked_at.timestamp(),
    }


def _answer_row(question: Question, answer: Answer) -> dict[str, Any]:
    return {
        "id": answer.id,
        "turn_id": question.id,
        "outcome": str(answer.outcome),
        "cause": answer.cause,
        "text": answer.text,
        "html": answer.html,
        "model": answer.model,
        "request_id": answer.request_id,
        "release": answer.release,
        **asdict(answer.usage),
        **asdict(answer.timings),
        "answered_at": time.time(),
    }


def _receipt_rows(answer: Answer) -> list[dict[str, Any]]:
    return [{"answer_id": answer.id, **asdict(citation)} for citation in answer.citations]


async def _citations(connection: Any, answer_ids: Iterable[str]) -> dict[str, tuple[Citation, ...]]:
    query = (
        sa.select(receipts)
        .where(receipts.c.answer_id.in_(list(answer_ids)))
        .order_by(receipts.c.number)
    )
    found: dict[str, tuple[Citation, ...]] = {}
    for row in (await connection.execute(query)).mappings():
        citation = Citation(**{name: row[name] for name in CITATION_COLUMNS})
        found[row["answer_id"]] = (*found.get(row["answer_id"], ()), citation)
    return found


def _answer(row: Any, citations: tuple[Citation, ...]) -> Answer:
    usage = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "cost_usd")
    plain = ("id", "conversation_id", "question", "standalone", "text", "html", "model")
    return Answer(
        **{name: row[name] for name in (*plain, "release", "cause", "request_id")},
        outcome=Outcome(row["outcome"]),
        citations=citations,
        usage=Usage(**{name: row[name] for name in usage}),
        timings=Timings(row["retrieval_ms"], row["first_text_ms"], row["total_ms"]),
    )
