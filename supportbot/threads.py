"""Conversations that are remembered: turns, their final answers, receipts and ratings."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from knowledge.documents import content_hash
from supportbot.conversation import (
    Answer,
    Citation,
    Outcome,
    Question,
    Timings,
    Turn,
    Usage,
)
from supportbot.database import answers, feedback, receipts, traces, turns
from supportbot.traces import Trace

if TYPE_CHECKING:
    from supportbot.database import Database

REPORTED = "reported"  # the reason of a rating that reports an answer
CITATION_COLUMNS = tuple(column.name for column in receipts.columns if column.name != "answer_id")


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was erased."""

    conversations: int
    questions: int


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer with its trace, and what is known beside it."""

    answer: Answer
    door: str
    context: str  # the question before it, made whole; "" where there was none, or it is gone
    answered_at: datetime
    rating: str = ""
    reason: str = ""  # of the rating
    rated_at: datetime | None = None

    @property
    def trace(self) -> Trace:
        """Return how it came about; an empty one for an answer that was kept without."""
        return self.answer.trace or Trace()

    @property
    def reported_at(self) -> datetime | None:
        """Return when somebody reported it, None where nobody did."""
        return self.rated_at if self.reason == REPORTED else None


class Threads(Protocol):
    """What answering needs to remember."""

    async def history(self, conversation_id: str, limit: int = 6) -> tuple[Turn, ...]:
        """Return the last turns of a conversation, oldest first."""
        ...

    async def record(self, question: Question, answer: Answer) -> None:
        """Keep a turn with its final answer and its receipts; the first one of a question wins."""
        ...

    async def spent_today(self, workspace: str = "") -> float:
        """Return the dollars spent since midnight UTC, by one workspace or ("") in all."""
        ...

    async def known(self, cache_key: str, since: float) -> Answer | None:
        """Return the newest whole answer of this key that was written since then.

        None also where anybody disliked or reported an answer of this key.
        """
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
            if answer.trace:
                await connection.execute(traces.insert(), _trace_row(answer.id, answer.trace))

    async def spent_today(self, workspace: str = "") -> float:
        """Return the dollars spent since midnight UTC, by one workspace or ("") in all."""
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        query = sa.select(sa.func.sum(answers.c.cost_usd)).where(
            answers.c.answered_at >= midnight.timestamp()
        )
        if workspace:
            query = query.join(turns, answers.c.turn_id == turns.c.id)
            query = query.where(turns.c.workspace == workspace)
        async with self._database.transaction() as connection:
            return float((await connection.execute(query)).scalar() or 0.0)

    async def known(self, cache_key: str, since: float) -> Answer | None:
        """Return the newest whole answer of this key that was written since then.

        None also where anybody disliked or reported an answer of this key. Copies do not count, so
        that no answer outlives the time it was written for.
        """
        of_key = traces.c.cache_key == cache_key
        disliked = (
            sa.select(feedback.c.answer_id)
            .join(traces, traces.c.answer_id == feedback.c.answer_id)
            .where(of_key, feedback.c.rating == "down")
        )
        query = (
            _whole_answers()
            .where(of_key, traces.c.copy_of == "", answers.c.answered_at >= since)
            .where(answers.c.outcome == str(Outcome.ANSWERED), answers.c.cause == "")
            .order_by(answers.c.answered_at.desc())
            .limit(1)
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(query)).mappings().first()
            if row is None or (await connection.execute(disliked.limit(1))).first():
                return None
            cited = await _citations(connection, [row["id"]])
        return _answer(row, cited.get(row["id"], ()))

    async def kept(self, answer_id: str) -> KeptAnswer | None:
        """Return one answer with all that is known of it; None: there is none of this id."""
        query = _whole_answers().where(answers.c.id == answer_id)
        async with self._database.transaction() as connection:
            row = (await connection.execute(query)).mappings().first()
            if row is None:
                return None
            cited = await _citations(connection, [answer_id])
            before = (await connection.execute(_question_before(row))).first()
        return _kept(row, _answer(row, cited.get(answer_id, ())), before[0] if before else "")

    async def reported(self, limit: int = 1_000) -> tuple[str, ...]:
        """Return the ids of the answers that were reported, the newest report first."""
        query = (
            sa.select(feedback.c.answer_id)
            .where(feedback.c.reason == REPORTED)
            .order_by(feedback.c.rated_at.desc())
            .limit(limit)
        )
        async with self._database.transaction() as connection:
            return tuple((await connection.execute(query)).scalars())

    async def conversation_of(self, answer_id: str) -> str | None:
        """Return the conversation that an answer belongs to; None: there is no such answer."""
        query = sa.select(turns.c.conversation_id).join(answers, answers.c.turn_id == turns.c.id)
        async with self._database.transaction() as connection:
            found = await connection.execute(query.where(answers.c.id == answer_id))
            return found.scalar()

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

    async def forget_person(self, user: str) -> Erased:
        """Erase every conversation in which this person asked, with all that hangs on it.

        What others asked there goes too: a follow-up repeats the question before it.

        Args:
            user: the id of the person in their door, with or without their Slack workspace.
        """
        theirs = (turns.c.user == user) | turns.c.user.endswith(f":{user}", autoescape=True)
        theirs = theirs & (turns.c.user != "")  # nobody known
        asked_in = sa.select(turns.c.conversation_id).where(theirs).distinct()
        async with self._database.transaction() as connection:
            found = list((await connection.execute(asked_in)).scalars())
            questions = 0
            for conversation_id in found:
                statement = turns.delete().where(turns.c.conversation_id == conversation_id)
                questions += (await connection.execute(statement)).rowcount
        return Erased(len(found), questions)

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
        "workspace": question.workspace,
        "question": question.text,
        "standalone": answer.standalone or question.text,
        "asked_at": question.asked_at.timestamp(),
    }


def _answer_row(question: Question, answer: Answer) -> dict[str, Any]:
    return {
        "id": answer.id,
        "turn_id": question.id,
        "outcome": str(answer.outcome),
        "cause": str(answer.cause),
        "text": answer.text,
        "html": answer.html,
        "model": answer.model,
        "request_id": answer.request_id,
        "release": answer.release,
        **asdict(answer.usage),
        **asdict(answer.timings),
        "answered_at": time.time(),
    }


def _trace_row(answer_id: str, trace: Trace) -> dict[str, Any]:
    return {
        "answer_id": answer_id,
        "cache_key": trace.cache_key,
        "copy_of": trace.copy_of,
        "steps": trace.to_json(),
    }


def _whole_answers() -> sa.Select[Any]:
    """Return the query for answers with their turns, traces and ratings, where they have them."""
    asked = (column for column in turns.columns if column.name != "id")
    rated = (feedback.c.rating, feedback.c.reason, feedback.c.rated_at)
    return (
        sa.select(answers, *asked, traces.c.steps, *rated)
        .join(turns, answers.c.turn_id == turns.c.id)
        .outerjoin(traces, traces.c.answer_id == answers.c.id)
        .outerjoin(feedback, feedback.c.answer_id == answers.c.id)
    )


def _question_before(row: Any) -> sa.Select[Any]:
    """Return the query for the question before this one in its conversation, made whole."""
    return (
        sa.select(turns.c.standalone)
        .join(answers, answers.c.turn_id == turns.c.id)
        .where(turns.c.conversation_id == row["conversation_id"])
        .where(turns.c.asked_at < row["asked_at"])
        .order_by(turns.c.asked_at.desc())
        .limit(1)
    )


def _kept(row: Any, answer: Answer, before: str) -> KeptAnswer:
    trace = Trace.from_json(row["steps"]) if row["steps"] else None
    is_context = trace is not None and content_hash(before) == trace.context_hash
    return KeptAnswer(
        answer=replace(answer, trace=trace),
        door=row["door"],
        context=before if is_context else "",
        answered_at=datetime.fromtimestamp(row["answered_at"], UTC),
        rating=row["rating"] or "",
        reason=row["reason"] or "",
        rated_at=datetime.fromtimestamp(row["rated_at"], UTC) if row["rated_at"] else None,
    )


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
