"""What was answered, over all conversations: rows for reports and receipts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from supportbot.database import answers, feedback, receipts, turns

if TYPE_CHECKING:
    from supportbot.database import Database

MAX_ANSWERS = 200_000  # the newest ones
MAX_RECEIPTS = 10_000


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One final answer, as a report needs it."""

    question: str  # made whole where it was a follow-up
    outcome: str
    door: str = "http"
    workspace: str = ""
    model: str | None = None
    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    total_ms: int = 0
    rating: str | None = None  # "up", "down" or none


@dataclass(frozen=True, slots=True)
class CitedDocument:
    """A document and in how many answers it was cited."""

    document_id: str
    title: str
    answers: int


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """One passage that one past answer stands on."""

    document_id: str
    chunk_id: str
    quote: str
    answer_id: str
    question: str
    release: str | None
    answered_at: float  # seconds since the epoch


class SqlRecords:
    """The records in the state database. Every method may raise StateUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def answers(self, since: float) -> tuple[AnswerRow, ...]:
        """Return the answers since then (seconds since the epoch), newest first, bounded."""
        names = ("outcome", "model", "cost_usd", "total_ms", "input_tokens", "output_tokens")
        told = [answers.c[name] for name in (*names, "cached_tokens", "reasoning_tokens")]
        query = (
            sa.select(
                turns.c.standalone.label("question"),
                turns.c.door,
                turns.c.workspace,
                feedback.c.rating,
                *told,
            )
            .select_from(answers.join(turns).outerjoin(feedback))
            .where(answers.c.answered_at >= since)
            .order_by(answers.c.answered_at.desc())
            .limit(MAX_ANSWERS)
        )
        async with self._database.snapshot() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return tuple(AnswerRow(**row) for row in rows)

    async def cited(self, since: float) -> tuple[CitedDocument, ...]:
        """Return the documents that were cited since then, the most cited first."""
        count = sa.func.count(sa.distinct(receipts.c.answer_id))
        query = (
            sa.select(receipts.c.document_id, sa.func.max(receipts.c.title), count)
            .select_from(receipts.join(answers))
            .where(answers.c.answered_at >= since)
            .group_by(receipts.c.document_id)
            .order_by(count.desc(), receipts.c.document_id)
        )
        async with self._database.snapshot() as connection:
            rows = (await connection.execute(query)).all()
        return tuple(CitedDocument(*row) for row in rows)

    async def receipts(self, document_id: str | None = None) -> tuple[ReceiptRow, ...]:
        """Return what past answers stand on, by document, newest first, bounded."""
        query = (
            sa.select(
                receipts.c.document_id,
                receipts.c.chunk_id,
                receipts.c.quote,
                receipts.c.answer_id,
                turns.c.standalone.label("question"),
                answers.c.release,
                answers.c.answered_at,
            )
            .select_from(receipts.join(answers).join(turns))
            .order_by(answers.c.answered_at.desc(), receipts.c.number)
            .limit(MAX_RECEIPTS)
        )
        if document_id is not None:
            query = query.where(receipts.c.document_id == document_id)
        async with self._database.snapshot() as connection:
            rows = (await connection.execute(query)).mappings().all()
        found = (ReceiptRow(**row) for row in rows)
        return tuple(sorted(found, key=lambda row: row.document_id))
