"""Tells how an answer came about, and searches its release again for the same question.

Two forms: `explain` is for the operator and holds the conversation's words; `bundle` is for the
vendor of the model and holds no word of anybody.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from knowledge.documents import Evidence, Scope
from knowledge.embedder import load_embedder
from knowledge.errors import KnowledgeError, ReleaseNotFound
from knowledge.redaction import redact
from knowledge.releases import KEPT_RELEASES, ReleaseStore
from knowledge.reranker import load_reranker
from knowledge.retriever import Retriever
from knowledge.sufficiency import is_sufficient, load_calibration
from supportbot.answering.answerer import PASSAGES
from supportbot.answering.lengths import asking_first
from supportbot.answering.policy import everything
from supportbot.conversation import Cause, Outcome
from supportbot.database import Database
from supportbot.errors import SupportbotError
from supportbot.threads import KeptAnswer, SqlThreads

if TYPE_CHECKING:
    from supportbot.config import BotSettings

MAX_HIDDEN = 10


class AnswerNotFound(SupportbotError):
    """There is no answer of this id, or it was erased."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What the same search finds now in the same release.

    An answer of before traces were kept, or one that nothing was searched for, has no replay.
    """

    problem: str = ""  # why the search could not be repeated, "" when it was
    gone: tuple[str, ...] = ()  # chunks that were found then and are not now
    new: tuple[str, ...] = ()  # chunks that are found now and were not then
    is_in_order: bool = True  # what is found in both stands in the same order
    not_permitted: tuple[str, ...] = ()  # documents for others that hold more than nothing on it
    places: tuple[tuple[str, str], ...] = ()  # chunk and where it stands, in words

    @property
    def is_same(self) -> bool:
        """Tell whether the search found the same passages in the same order."""
        return not (self.problem or self.gone or self.new) and self.is_in_order


@dataclass(frozen=True, slots=True)
class Explanation:
    """An answer with its trace and the replay of its search."""

    kept: KeptAnswer
    replay: Replay

    @property
    def cause(self) -> str:
        """Return why it is no plain answer; other than the asker, an operator may know all."""
        return Cause.NOT_PERMITTED if self.replay.not_permitted else self.kept.answer.cause

    def to_json(self) -> dict[str, Any]:
        """Return all of it; it holds the conversation's words."""
        answer = self.kept.answer
        replay = {**asdict(self.replay), "is_same": self.replay.is_same}
        replay["places"] = dict(self.replay.places)
        return {
            **bundle(self.kept),
            "cause": self.cause,
            "conversation_id": answer.conversation_id,
            "question": answer.question,
            "standalone": answer.standalone,
            "context": self.kept.context,
            "text": answer.text,
            "audiences": list(self.kept.trace.audiences),
            "replay": replay,
        }

    def render(self) -> str:
        """Return it as lines for a terminal."""
        kept, answer, trace = self.kept, self.kept.answer, self.kept.trace
        failures = ", ".join(trace.failures) or "none"
        dropped = ", ".join(f"{count} × {reason}" for reason, count in trace.dropped.items())
        usage, timings = answer.usage, answer.timings
        whole = answer.standalone
        rows = {
            "answer": f"{answer.id}, {kept.answered_at:%Y-%m-%d %H:%M:%S} UTC, by {kept.door}",
            "question": answer.question,
            **({"made whole": whole} if whole and whole != answer.question else {}),
            "outcome": f"{answer.outcome}{f' ({self.cause})' if self.cause else ''}",
            "release": answer.release or "none",
            "audiences": ", ".join(trace.audiences) or "unknown",
            "evidence": _evidence(kept),
            "model": answer.model or "none",
            "request id": answer.request_id or "none",
            "prompt hash": trace.prompt_hash or "none",
            "said before in": trace.copy_of or "no answer: it was written for this question",
            "failed tries": failures,
            "dropped": dropped or "nothing",
            "tokens": f"{usage.input_tokens} in ({usage.cached_tokens} cached), "
            f"{usage.output_tokens} out ({usage.reasoning_tokens} thinking)",
            "cost": f"${usage.cost_usd:.6f}",
            "timings": f"search {_ms(timings.retrieval_ms)}, first text "
            f"{_ms(timings.first_text_ms)}, all {_ms(timings.total_ms)}",
            "rating": f"{kept.rating} {kept.reason}".strip() or "none",
        }
        lines = [f"{name:<15} {' '.join(value.split())}" for name, value in rows.items()]
        return "\n".join([*lines, "", *self._passages(), "", *self._replay()])

    def _passages(self) -> list[str]:
        cited = {one.chunk_id: one.number for one in self.kept.answer.citations}
        places = dict(self.replay.places)
        lines = ["passages        rank  score   similarity  keywords  cited  where"]
        for rank, one in enumerate(self.kept.trace.supplied, start=1):
            mark = f"[{cited[one.chunk_id]}]" if one.chunk_id in cited else "-"
            where = places.get(one.chunk_id, f"{one.document_id} {one.chunk_id}")
            lines.append(
                f"{rank:>20}  {one.score:<6.3f}  {_number(one.similarity):<10}  "
                f"{_number(one.keyword_score):<8}  {mark:<5}  {where}"
            )
        return lines if len(lines) > 1 else ["passages        none"]

    def _replay(self) -> list[str]:
        replay = self.replay
        if replay.problem:
            return [f"replay          not possible: {replay.problem}"]
        if replay.is_same:
            lines = ["replay          the same passages in the same order"]
        else:
            lines = ["replay          another result now"]
            lines += [f"                no longer found: {chunk}" for chunk in replay.gone]
            lines += [f"                newly found: {chunk}" for chunk in replay.new]
            lines += [] if replay.is_in_order else ["                another order"]
        if replay.not_permitted:
            lines.append("not permitted   the asker may not see, but others find in:")
            lines += [f"                {document}" for document in replay.not_permitted]
        return lines


async def explain(answer_id: str, settings: BotSettings) -> Explanation:
    """Return how an answer came about, and what its search finds now.

    Raises:
        AnswerNotFound: there is no such answer.
        StateUnavailable: the state database cannot be read.
    """
    async with _threads(settings) as threads:
        kept = await _kept(threads, answer_id)
    return Explanation(kept, await asyncio.to_thread(_replayed, kept, settings))


async def bundles(answer_id: str | None, settings: BotSettings) -> list[dict[str, Any]]:
    """Return the bundle of an answer; None: those of all that were reported, the newest first.

    Raises:
        AnswerNotFound: there is no such answer.
        StateUnavailable: the state database cannot be read.
    """
    async with _threads(settings) as threads:
        if answer_id is not None:
            return [bundle(await _kept(threads, answer_id))]
        found = [await threads.kept(one) for one in await threads.reported()]
    return [bundle(kept) for kept in found if kept is not None]


def bundle(kept: KeptAnswer) -> dict[str, Any]:
    """Return what a report of a bad answer needs, and nothing that anybody wrote or is.

    The vendor has the words under the request id; passages are told by their hashes.
    """
    answer, trace = kept.answer, kept.trace
    cited = {one.chunk_id for one in answer.citations}
    passages = [
        {
            "rank": rank,
            **asdict(one),
            "document_id": redact(one.document_id),
            "is_cited": one.chunk_id in cited,
        }
        for rank, one in enumerate(trace.supplied, start=1)
    ]
    return {
        "answer_id": answer.id,
        "answered_at": kept.answered_at.isoformat(),
        "reported_at": kept.reported_at.isoformat() if kept.reported_at else None,
        "request_id": answer.request_id,
        "model": answer.model,
        "prompt_hash": trace.prompt_hash,
        "copy_of": trace.copy_of,
        "release": answer.release,
        "outcome": str(answer.outcome),
        "cause": answer.cause,
        "sufficiency": trace.sufficiency,
        "threshold": trace.threshold,
        "top_similarity": trace.top_similarity,
        "keyword_coverage": trace.keyword_coverage,
        "passages": passages,
        "failures": list(trace.failures),
        "dropped": dict(trace.dropped),
        "usage": asdict(answer.usage),
        "timings": asdict(answer.timings),
        "search_ms": dict(trace.search_ms),
    }


@asynccontextmanager
async def _threads(settings: BotSettings) -> AsyncIterator[SqlThreads]:
    database = await Database.open(settings.resolved_database_url)
    try:
        yield SqlThreads(database)
    finally:
        await database.close()


async def _kept(threads: SqlThreads, answer_id: str) -> KeptAnswer:
    kept = await threads.kept(answer_id)
    if kept is None:
        raise AnswerNotFound(
            "there is no answer of this id: it is the `id` of `supportbot ask --json` and of the"
            " HTTP API, and starts with ans_; the answers of an erased conversation are erased too"
        )
    return kept


def _replayed(kept: KeptAnswer, settings: BotSettings) -> Replay:
    if problem := _obstacle(kept):
        return Replay(problem)
    release = kept.answer.release
    try:
        with closing(ReleaseStore(settings.home, settings.chroma_address)) as store:
            embedder, reranker = load_embedder(settings.embedder), load_reranker(settings.reranker)
            fit = load_calibration(settings.home, embedder.fingerprint)
            replayed = Retriever(store, embedder, reranker, release_id=release, calibration=fit)
            with closing(replayed) as retriever:
                return _compared(kept, retriever, store)
    except ReleaseNotFound:
        return Replay(f"release {release} is gone; the last {KEPT_RELEASES} are kept")
    except KnowledgeError as error:
        return Replay(str(error))


def _obstacle(kept: KeptAnswer) -> str:
    if kept.trace.sufficiency is None or kept.answer.release is None:
        return "nothing was searched for this answer, or it was kept without a trace"
    if kept.trace.context_hash and not kept.context:
        return "the question before it in the conversation was erased"
    return ""


def _compared(kept: KeptAnswer, retriever: Retriever, store: ReleaseStore) -> Replay:
    audiences = frozenset(kept.trace.audiences)
    evidence = _search(kept, retriever, Scope(audiences))
    then = [passage.chunk_id for passage in kept.trace.passages]
    now = [chunk.id for chunk in evidence.chunks]
    in_both = set(then) & set(now)
    return Replay(
        gone=tuple(chunk for chunk in then if chunk not in in_both),
        new=tuple(chunk for chunk in now if chunk not in in_both),
        is_in_order=[one for one in then if one in in_both]
        == [one for one in now if one in in_both],
        not_permitted=_not_permitted(kept, retriever, store),
        places=tuple(
            (chunk.id, f"{chunk.document_id} › {chunk.heading}") for chunk in evidence.chunks
        ),
    )


def _not_permitted(kept: KeptAnswer, retriever: Retriever, store: ReleaseStore) -> tuple[str, ...]:
    """Return the documents for others in which everybody together would find an answer."""
    answer, own = kept.answer, Scope(frozenset(kept.trace.audiences))
    if answer.outcome is not Outcome.NOT_FOUND or answer.release is None:
        return ()
    documents = store.get(answer.release).documents
    evidence = _search(kept, retriever, everything(documents.values()))
    if not is_sufficient(evidence) or own.allows(evidence.chunks[0].audiences):
        return ()
    hidden = (chunk for chunk in evidence.chunks if not own.allows(chunk.audiences))
    names = (f"{one.document_id} (for {', '.join(sorted(one.audiences))})" for one in hidden)
    return tuple(dict.fromkeys(names))[:MAX_HIDDEN]


def _search(kept: KeptAnswer, retriever: Retriever, scope: Scope) -> Evidence:
    asked = asking_first(kept.answer.question)
    return retriever.retrieve(asked, scope, PASSAGES, kept.context)


def _evidence(kept: KeptAnswer) -> str:
    trace = kept.trace
    if trace.sufficiency is None:
        return "nothing was searched"
    verdict = "enough" if trace.passages and trace.sufficiency >= trace.threshold else "not enough"
    return (
        f"{trace.sufficiency:.3f} of {trace.threshold:.3f} needed: {verdict} (highest similarity "
        f"{trace.top_similarity:.3f}, terms covered {trace.keyword_coverage:.0%})"
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _ms(value: int | None) -> str:
    return "-" if value is None else f"{value} ms"
