"""In-memory stand-ins that record what was asked; each passes its Protocol's contract suite."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge.documents import STAFF, Chunk, Evidence, Hit, Scope
from supportbot.answering.model import Finished, Message, ModelEvent
from supportbot.answering.reasoning import Delta
from supportbot.answering.toolcalls import Tools
from supportbot.conversation import Answer, Outcome, Question, Turn
from supportbot.errors import ModelError
from supportbot.inbox import InboxItem

WORD = re.compile(r"\w+|[^\w\s]")


class HashEmbedder:
    """Embeds a text as the hashed bag of its words: alike texts are near, nothing is learnt."""

    def __init__(self, dimension: int = 64, window: int = 256) -> None:
        self.dimension = dimension
        self.window = window
        self.fingerprint = f"hash-{dimension}-{window}"
        self.embedded: list[str] = []

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in WORD.finditer(text)]

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.embedded += texts
        return np.array([self.embed_query(text) for text in texts], dtype=np.float32).reshape(
            len(texts), self.dimension
        )

    def embed_query(self, text: str) -> NDArray[np.float32]:
        vector = np.full(self.dimension, 1e-3, dtype=np.float32)
        for word in re.findall(r"\w+", text.casefold()):
            digest = hashlib.blake2b(word.encode(), digest_size=4).digest()
            vector[int.from_bytes(digest, "big") % self.dimension] += 1
        return vector / np.linalg.norm(vector)


class MemoryVectors:
    """Vectors in a dict, searched exactly; `is_closed` tells whether they were let go of."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[Chunk, NDArray[np.float32]]] = {}
        self.is_closed = False

    def add(self, chunks: Sequence[Chunk], vectors: NDArray[np.float32]) -> None:
        for chunk, vector in zip(chunks, vectors, strict=True):
            self.rows[chunk.id] = (replace(chunk, audiences=chunk.audiences or {STAFF}), vector)

    def remove(self, chunk_ids: Sequence[str]) -> None:
        for chunk_id in chunk_ids:
            self.rows.pop(chunk_id, None)

    def query(
        self, vector: NDArray[np.float32], scope: Scope, limit: int
    ) -> list[tuple[str, float]]:
        found = [
            (chunk.id, float(own @ vector))
            for chunk, own in self.rows.values()
            if scope.allows(chunk.audiences)
        ]
        return sorted(found, key=lambda hit: -hit[1])[:limit]

    def get(self, chunk_ids: Sequence[str]) -> dict[str, Chunk]:
        return {id_: self.rows[id_][0] for id_ in chunk_ids if id_ in self.rows}

    def vectors(self, chunk_ids: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        return {id_: self.rows[id_][1] for id_ in chunk_ids if id_ in self.rows}

    def ids(self) -> set[str]:
        return set(self.rows)

    def unreachable(self, chunk_ids: Sequence[str]) -> list[str]:
        return [id_ for id_ in chunk_ids if id_ not in self.rows]

    def search_exactly(self, chunk_ids: Sequence[str]) -> None:
        """Do nothing, as all are searched exactly."""

    def count(self) -> int:
        return len(self.rows)

    def close(self) -> None:
        self.is_closed = True


class MemoryThreads:
    """Threads in a list; `recorded` holds what was kept."""

    def __init__(self, spent: float = 0.0) -> None:
        self.recorded: list[tuple[Question, Answer]] = []
        self.spent = spent

    async def history(self, conversation_id: str, limit: int = 6) -> tuple[Turn, ...]:
        turns = [
            Turn(question.text, answer.text, answer.outcome, answer.standalone or question.text)
            for question, answer in self.recorded
            if question.conversation_id == conversation_id
        ]
        return tuple(turns[-limit:])

    async def record(self, question: Question, answer: Answer) -> None:
        if all(question.id != known.id for known, _ in self.recorded):
            self.recorded.append((question, answer))

    async def spent_today(self, workspace: str = "") -> float:
        costs = (
            answer.usage.cost_usd
            for question, answer in self.recorded
            if workspace in ("", question.workspace)
        )
        return self.spent + sum(costs)

    async def known(self, cache_key: str, since: float) -> Answer | None:
        for _, answer in reversed(self.recorded):
            trace = answer.trace
            is_whole = answer.outcome is Outcome.ANSWERED and not answer.cause
            if is_whole and trace and (trace.cache_key, trace.copy_of) == (cache_key, ""):
                return answer
        return None


class MemoryInbox:
    """An inbox in a dict, with the same leases as the real one."""

    def __init__(self, lease_seconds: float = 30.0) -> None:
        self.lease_seconds = lease_seconds
        self.items: dict[str, InboxItem] = {}
        self.held: dict[str, tuple[str, float]] = {}
        self.finished: set[str] = set()

    async def accept(self, key: str, payload: Mapping[str, Any]) -> bool:
        if key in self.items:
            return False
        self.items[key] = InboxItem(key, dict(payload), {}, 0)
        return True

    async def claim(self, owner: str, limit: int = 1) -> list[InboxItem]:
        free = [key for key in self.items if self._is_free(key)][:limit]
        return [item for key in free if (item := await self.claim_key(key, owner))]

    async def claim_key(self, key: str, owner: str) -> InboxItem | None:
        if key not in self.items or not self._is_free(key):
            return None
        item = self.items[key]
        self.items[key] = replace(item, attempts=item.attempts + 1)
        self.held[key] = (owner, time.monotonic() + self.lease_seconds)
        return self.items[key]

    async def renew(self, key: str, owner: str) -> bool:
        if self.held.get(key, ("", 0))[0] != owner:
            return False
        self.held[key] = (owner, time.monotonic() + self.lease_seconds)
        return True

    async def note(self, key: str, owner: str, **notes: Any) -> None:
        if self.held.get(key, ("", 0))[0] == owner:
            item = self.items[key]
            self.items[key] = replace(item, notes={**item.notes, **notes})

    async def finish(self, key: str, owner: str) -> None:
        if self.held.get(key, ("", 0))[0] == owner:
            self.finished.add(key)
            self.items[key] = replace(self.items[key], payload={})

    def _is_free(self, key: str) -> bool:
        _, until = self.held.get(key, ("", 0.0))
        return key not in self.finished and until < time.monotonic()


class FakeRetriever:
    """Finds the given chunks for any question that shares a word with them; keeps the queries."""

    def __init__(
        self,
        *chunks: Chunk,
        similarity: float = 0.7,
        error: Exception | None = None,
        seconds: float = 0.0,
    ) -> None:
        self.chunks = chunks
        self.similarity = similarity
        self.error = error
        self.seconds = seconds
        self.queries: list[str] = []
        self.contexts: list[str] = []

    def retrieve(self, query: str, scope: Scope, limit: int = 8, context: str = "") -> Evidence:
        self.queries.append(query)
        self.contexts.append(context)
        time.sleep(self.seconds)
        if self.error:
            raise self.error
        allowed = [chunk for chunk in self.chunks if scope.allows(chunk.audiences)]
        hits = tuple(Hit(chunk, 1.0, self.similarity) for chunk in allowed[:limit])
        terms = set(WORD.findall(query.casefold()))
        texts = (set(WORD.findall(chunk.indexed_text.casefold())) for chunk in allowed)
        coverage = max((len(terms & text) / len(terms) for text in texts), default=0.0)
        return Evidence(query, "r1", hits, self.similarity if hits else 0.0, coverage)


class FakeModel:
    """Streams the given events, one list a call; an error among them is raised."""

    id = "fake-model"

    def __init__(self, *calls: Sequence[ModelEvent | ModelError | float]) -> None:
        self.calls = list(calls)
        self.requests: list[Sequence[Message]] = []
        self.tools: list[Tools | None] = []  # of each request
        self.closed = 0  # streams that were closed, read to the end or not

    async def stream(
        self,
        messages: Sequence[Message],
        deadline: float,
        reference: str = "",
        tools: Tools | None = None,
    ) -> AsyncGenerator[ModelEvent, None]:
        self.requests.append(messages)
        self.tools.append(tools)
        events = self.calls.pop(0) if len(self.calls) > 1 else self.calls[0]
        try:
            for event in events:
                if isinstance(event, ModelError):
                    raise event
                if isinstance(event, float):
                    await asyncio.sleep(event)
                else:
                    yield event
        finally:
            self.closed += 1

    async def aclose(self) -> None:
        self.calls = []


def says(*texts: str) -> list[ModelEvent]:
    """Return the events of a whole reply in these pieces."""
    return [*(Delta(text) for text in texts), Finished("fake-model", request_id="req-1")]
