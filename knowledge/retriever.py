"""The read door of the knowledge base: a question in, the best passages out."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from time import perf_counter
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from knowledge import curated
from knowledge.documents import STAFF, Chunk, Curated, Evidence, Hit, Scope
from knowledge.embedder import Embedder
from knowledge.errors import EmbedderMismatch, EmbedderUnavailable, ReleaseNotFound
from knowledge.keywords import CONTEXT_WEIGHT
from knowledge.languages import is_other_language
from knowledge.reranker import Reranker

if TYPE_CHECKING:
    from knowledge.releases import OpenRelease, Release, ReleaseStore
    from knowledge.sufficiency import Calibration

Mode = Literal["hybrid", "dense", "bm25"]

# Of 0.5, 0.6 and 0.7 the best on government pages; manuals whose readers use their words want less.
DENSE_WEIGHT = 0.6
_DEPTH = 200  # candidates of each arm
_RERANKED = 40
_COVERAGE_DEPTH = 8  # passages whose term coverage is looked at
_MAX_QUERY_CHARACTERS = 8_000
_KNOWN_QUESTIONS = 1_024  # whose vectors are kept, those of curated answers above all
_log = logging.getLogger(__name__)


class Retriever:
    """Searches the current release, and moves to the next one as soon as it is promoted.

    A release stays open until the last call inside it is done, so a promotion fails no question.
    Any number of threads may call at once.

    Args:
        store: where the releases are.
        embedder: must be the one that the release was built with.
        reranker: orders the best 40 candidates anew; None: the fused order stands.
        mode: both arms, or one of them alone.
        release_id: is searched whichever release is current, such as one that is to be promoted.
        calibration: by which the evidence is judged; None: that of the package.
    """

    def __init__(
        self,
        store: ReleaseStore,
        embedder: Embedder,
        reranker: Reranker | None = None,
        mode: Mode = "hybrid",
        release_id: str | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        fingerprint = None if mode == "bm25" else embedder.fingerprint
        self._current = _CurrentRelease(store, fingerprint, release_id)
        self._embedder = embedder
        self._reranker = reranker
        self._mode = mode
        self._calibration = calibration
        self._known = lru_cache(_KNOWN_QUESTIONS)(embedder.embed_query)

    def retrieve(
        self,
        query: str,
        scope: Scope,
        limit: int = 8,
        context: str = "",
        without: Collection[str] = (),
    ) -> Evidence:
        """Return at most `limit` passages that the scope allows, best first.

        `context` is what was asked before in the same conversation, "" where nothing was: a
        follow-up is searched as it stands and together with it, and both count. `without` names
        documents that are passed over, as if they were not there.

        Raises:
            ReleaseNotFound: nothing was ever published.
            EmbedderMismatch: the current release was built with another embedding model.
            EmbedderUnavailable: the embedding model cannot be loaded or gives no usable vector.
            StoreUnavailable, StoreDamaged: the release cannot be read.
        """
        query, context = (text.strip()[:_MAX_QUERY_CHARACTERS] for text in (query, context))
        timings: dict[str, float] = {}
        with _timed(timings, "total"), self._current.borrowed() as held:
            vector = self._vector(query, context, timings)
            dense = self._search_dense(held.opened, vector, scope, timings)
            keywords = self._search_keywords(held.opened, query, context, scope, timings)
            if without:
                dense = [hit for hit in dense if held.pages.get(hit[0]) not in without]
                keywords = [hit for hit in keywords if held.pages.get(hit[0]) not in without]
            with _timed(timings, "load"):
                candidates = _load(held, dense, keywords, 2 * max(limit, _RERANKED))
            hits = [hit for hit in candidates if held.may_show(hit.chunk, scope)]
            written = self._find_curated(held, query, hits)
            similarity, closest = _closest(hits)
            hits = self._rerank(query, hits, timings)[:limit]
            texts = [hit.chunk.indexed_text for hit in hits[:_COVERAGE_DEPTH]]
            coverage = held.opened.keywords.coverage(query, texts, context)
            if is_other_language(query, closest):
                coverage = max(coverage, similarity)  # as words cannot be compared
            return Evidence(
                query=query,
                release=held.opened.release.id,
                hits=tuple(hits),
                top_similarity=similarity,
                keyword_coverage=coverage,
                timings_ms=timings,
                calibration=self._calibration,
                curated=written,
            )

    def ping(self) -> None:
        """Search for something, so that a `KnowledgeError` tells what keeps it from answering."""
        self.retrieve("ping", Scope(), 1)

    def close(self) -> None:
        """Close the release once no call is inside it; a later call opens it again."""
        self._current.close()

    def _vector(
        self, query: str, context: str, timings: dict[str, float]
    ) -> NDArray[np.float32] | None:
        """Return the question's vector, mixed with that of the question after its context."""
        if self._mode == "bm25" or not query:
            return None
        with _timed(timings, "embed"):
            vector = self._embedded(query)
            if context:
                both = self._embedded(f"{context} {query}")
                vector = (1 - CONTEXT_WEIGHT) * vector + CONTEXT_WEIGHT * both
                vector /= np.linalg.norm(vector)
        return vector

    def _embedded(self, question: str) -> NDArray[np.float32]:
        try:
            return self._known(question)
        except ValueError as error:
            raise EmbedderUnavailable(f"the question could not be embedded: {error}") from error

    def _find_curated(self, held: _Held, query: str, hits: Sequence[Hit]) -> Curated | None:
        """Return the answer that was written to this question, if it is among what was found."""
        documents = held.opened.release.documents
        chunks = [hit.chunk for hit in hits if hit.chunk.document_id in documents]
        asked = curated.asked(query, chunks, documents)
        if not asked:
            return None
        embed = None if self._mode == "bm25" else self._embedded
        if (found := curated.best(query, asked, embed)) is None:
            return None
        question, chunk = found
        ids = curated.around(chunk, documents[chunk.document_id])
        loaded = held.opened.vectors.get(ids)
        answer = curated.answer(chunk, [loaded[id] for id in ids if id in loaded])
        return Curated(question, answer) if answer else None

    def _search_dense(
        self,
        opened: OpenRelease,
        vector: NDArray[np.float32] | None,
        scope: Scope,
        timings: dict[str, float],
    ) -> list[tuple[str, float]]:
        if vector is None:
            return []
        with _timed(timings, "dense"):
            return opened.vectors.query(vector, scope, _DEPTH)

    def _search_keywords(
        self,
        opened: OpenRelease,
        query: str,
        context: str,
        scope: Scope,
        timings: dict[str, float],
    ) -> list[tuple[str, float]]:
        if self._mode == "dense":
            return []
        with _timed(timings, "keywords"):
            return opened.keywords.query(query, scope, _DEPTH, context)

    def _rerank(self, query: str, hits: list[Hit], timings: dict[str, float]) -> list[Hit]:
        if self._reranker is None:
            return hits
        with _timed(timings, "rerank"):
            best, rest = hits[:_RERANKED], hits[_RERANKED:]
            scores = self._reranker.score(query, [hit.chunk.indexed_text for hit in best])
        # What was not looked at stays behind in its order.
        lowest = min(scores, default=0.0)
        best = [replace(hit, score=score) for hit, score in zip(best, scores, strict=True)]
        rest = [replace(hit, score=lowest - place) for place, hit in enumerate(rest, 1)]
        return sorted(best, key=lambda hit: -hit.score) + rest


def fuse(
    dense: Sequence[tuple[str, float]],
    keywords: Sequence[tuple[str, float]],
    weight: float = DENSE_WEIGHT,
) -> list[tuple[str, float]]:
    """Return the ids of two result lists with a score of 0 to 1, best first.

    The convex combination of scores that were min-max normalised over each list; what a list does
    not hold scores 0 there (Bruch, Gai and Ingber 2023, doi 10.1145/3596512).
    """
    near, worded = _normalised(dense), _normalised(keywords)
    scores = {
        id: weight * near.get(id, 0.0) + (1 - weight) * worded.get(id, 0.0)
        for id in {**near, **worded}
    }
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def _normalised(results: Sequence[tuple[str, float]]) -> dict[str, float]:
    if not results:
        return {}
    low = min(score for _, score in results)
    high = max(score for _, score in results)
    return {id: (score - low) / (high - low) if high > low else 1.0 for id, score in results}


def _load(
    held: _Held,
    dense: Sequence[tuple[str, float]],
    keywords: Sequence[tuple[str, float]],
    limit: int,
) -> list[Hit]:
    """Return the best of both arms with their chunks; one that cannot be loaded is left out."""
    near, worded = dict(dense), dict(keywords)
    ranked = fuse(dense, keywords)[:limit]
    chunks = held.opened.vectors.get([id for id, _ in ranked])
    return [
        Hit(chunks[id], score, near.get(id), worded.get(id)) for id, score in ranked if id in chunks
    ]


def _closest(hits: Sequence[Hit]) -> tuple[float, str]:
    """Return the highest similarity, and the text that has it; 0 and "" where there is none."""
    near = [(hit.similarity, hit.chunk.text) for hit in hits if hit.similarity is not None]
    return max(near, default=(0.0, ""))


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    started = perf_counter()
    yield
    timings[stage] = (perf_counter() - started) * 1000


@dataclass(slots=True, eq=False)
class _Held:
    """An open release, how many calls are inside it, and what must not be shown of it."""

    opened: OpenRelease
    pages: Mapping[str, str]  # the document of each chunk
    users: int = 0
    is_replaced: bool = False
    successor: str = ""  # the current release, where the embedder at hand cannot read it
    outdated: frozenset[str] = frozenset()  # documents that the successor changed or dropped

    def may_show(self, chunk: Chunk, scope: Scope) -> bool:
        """Tell whether a chunk still holds and the asker may see it."""
        document = self.opened.release.documents.get(chunk.document_id)
        if document is not None and document.is_expired(datetime.now(UTC).date()):
            return False
        return chunk.document_id not in self.outdated and scope.allows(chunk.audiences or {STAFF})

    def close_if_idle(self) -> None:
        """Close the release if another took its place and the last call has left it."""
        if self.is_replaced and self.users == 0:
            self.opened.close()


def _pages(release: Release) -> dict[str, str]:
    return {
        chunk_id: document.id
        for document in release.documents.values()
        for chunk_id in document.chunk_ids
    }


class _CurrentRelease:
    """Keeps the current release open and follows promotions.

    Where the current release was built with another embedding model while one that fits is open,
    the open one goes on answering without the documents that have changed or gone since.
    """

    def __init__(
        self, store: ReleaseStore, fingerprint: str | None, release_id: str | None = None
    ) -> None:
        self._store = store
        self._fingerprint = fingerprint  # None: any release will do
        self._release_id = release_id  # None: whichever is current
        self._lock = threading.Lock()  # held while a release is opened, never while it is searched
        self._held: _Held | None = None

    @contextmanager
    def borrowed(self) -> Iterator[_Held]:
        """Give the current release, which stays open until the block is left."""
        current = self._current_id()  # which may ask a server: one question waits for no other's
        with self._lock:
            held = self._fitting(current) or self._follow()
            held.users += 1
        try:
            yield held
        finally:
            with self._lock:
                held.users -= 1
                held.close_if_idle()

    def close(self) -> None:
        """Close the release once no call is inside it."""
        with self._lock:
            self._replace(None)

    def _current_id(self) -> str:
        current = self._release_id or self._store.current_id()
        if current is None:
            raise ReleaseNotFound(
                "the knowledge base is empty: nothing was published yet;"
                " run `supportbot-ingest sync FOLDER`"
            )
        return current

    def _fitting(self, current: str) -> _Held | None:
        held = self._held
        return held if held and current in (held.opened.release.id, held.successor) else None

    def _follow(self) -> _Held:
        current = self._current_id()  # again: another question may have moved on meanwhile
        if held := self._fitting(current):
            return held
        release = self._store.get(current)
        if self._fingerprint not in (None, release.embedder):
            return self._stay(release)
        opened = self._store.open(current)
        held = _Held(opened, _pages(opened.release))
        self._replace(held)
        return held

    def _stay(self, release: Release) -> _Held:
        mismatch = (
            f"release {release.id} was built with another embedding model ({release.embedder})"
            f" than the configured one ({self._fingerprint}); set SUPPORTBOT_EMBEDDER to the model"
            " it was built with, or run `supportbot-ingest sync` to build it anew with this one"
        )
        if self._held is None:
            raise EmbedderMismatch(mismatch)
        mine, theirs = self._held.opened.release.documents, release.documents
        self._held.successor = release.id
        self._held.outdated = frozenset(
            id
            for id, document in mine.items()
            if id not in theirs or theirs[id].content_hash != document.content_hash
        )
        _log.warning(
            "%s; until a restart release %s answers", mismatch, self._held.opened.release.id
        )
        return self._held

    def _replace(self, held: _Held | None) -> None:
        old, self._held = self._held, held
        if old is not None:
            old.is_replaced = True
            old.close_if_idle()
