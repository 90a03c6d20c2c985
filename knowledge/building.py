"""How a release comes to be: documents put and removed, indexes written, passages looked for."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from random import Random
from types import TracebackType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from knowledge.cache import CachedEmbedder
from knowledge.documents import Chunk, Document
from knowledge.embedder import Embedder
from knowledge.errors import EmbedderUnavailable, StoreDamaged, StoreUnavailable
from knowledge.files import disk_errors
from knowledge.keywords import KeywordIndex
from knowledge.manifest import Release, to_json
from knowledge.shelf import Draft, Shelf
from knowledge.vectors import VectorStore

log = logging.getLogger(__name__)

_BATCH = 2000  # chunks written at a time
_WAITING = 256  # texts that are embedded together, if that many are put
_OLD = 100  # unchanged chunks that a new release is searched for at least,
_PER_NEW = 5  # and how many of them for each new one, which can cut the others off
_MENDS = 4  # rounds, each of which has to halve them, in which unreached passages are put in again
_DRAWN = 50  # chunks of which the shortest is embedded again, and whose texts may be equal
_ALIKE = 0.99  # least cosine of two vectors of one text, computed in different batches

Vector = NDArray[np.float32]
T = TypeVar("T")


class ReleaseBuilder:
    """A release that is being built; as a context manager it drops what was not finished.

    It holds what its parent holds, until documents are put or removed.

    Attributes:
        parent: the release it began from; None: it began empty.
    """

    def __init__(
        self,
        release: Release,
        parent: Release | None,
        *,
        shelf: Shelf,
        draft: Draft,
        embedder: CachedEmbedder,
        source: VectorStore | None,
        resources: ExitStack,
    ) -> None:
        self.parent = parent
        self._release = release
        self._shelf = shelf
        self._draft = draft
        self._embedder = embedder
        self._resources = resources
        self._documents = dict(parent.documents) if parent else {}
        # The parent's vectors, and the documents that stand in them and not yet in the draft.
        self._source = source
        self._to_carry = set(self._documents) if source else set()
        self._waiting: dict[str, tuple[Document, Sequence[Chunk]]] = {}
        self._failed: dict[str, str] = {}
        self._written: set[str] = set()
        self._pending: list[tuple[Chunk, Vector]] = []
        self._dropped: list[str] = []
        self._rewritten: set[str] = set()
        self._churn = 0

    def __enter__(self) -> ReleaseBuilder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._resources.close()

    @property
    def embedded(self) -> int:
        """Return how many texts were embedded."""
        return self._embedder.embedded

    @property
    def reused(self) -> int:
        """Return how many chunks needed no embedding."""
        chunks = sum(len(document.chunk_ids) for document in self._documents.values())
        return max(0, chunks - self.embedded)

    def put(self, document: Document, chunks: Sequence[Chunk]) -> None:
        """Add a document, or put it in the place of what it was.

        Its vectors are computed with those of others, here or later: `embed` tells what failed.

        Raises:
            EmbedderUnavailable: as `embed`.
            StoreUnavailable: the disk is full or not writable; nothing can be finished.
        """
        if document.id in self._waiting:
            self.embed()
        self._waiting[document.id] = document, chunks
        if sum(len(chunks) for _, chunks in self._waiting.values()) >= _WAITING:
            self.embed()

    def embed(self) -> dict[str, str]:
        """Compute the vectors that are still wanted.

        Returns:
            Why documents could not be put, by id; the release holds of them what it held before.

        Raises:
            EmbedderUnavailable: not one document could be embedded, for that reason.
            StoreUnavailable: the disk is full or not writable; nothing can be finished.
        """
        waiting, self._waiting = list(self._waiting.values()), {}
        if waiting:
            with disk_errors(self._shelf.where):
                try:
                    self._take(waiting)
                except (ValueError, EmbedderUnavailable):
                    self._take_each(waiting)
        return dict(self._failed)

    def remove(self, document_id: str) -> None:
        """Remove a document; one that is not there is passed over."""
        self._waiting.pop(document_id, None)
        self._failed.pop(document_id, None)
        with disk_errors(self._shelf.where):
            if document_id in self._written:
                self._flush()
            self._drop(document_id, set())
            self._documents.pop(document_id, None)

    def finish(self) -> Release:
        """Write the indexes, check them, and make the release; it is not current yet.

        All that is not as its parent held it is looked for with its own vector, and a sample of
        the rest; everything, if the indexes were built anew or hold many equal texts. One vector
        is computed again. Where something disagrees the indexes are built anew once. What the
        index of vectors does not lead to is put in again, and listed in the release if that does
        not help.

        Raises:
            EmbedderUnavailable: as `embed`.
            StoreDamaged: the check failed again on indexes that were just built anew.
        """
        self.embed()
        with disk_errors(self._shelf.where):
            self._carry()
            self._draft.settle()
            release = self._described()
            if not release.chunk_count and not release.rebuilt:
                # Chroma writes into an emptied index whenever it is opened, which breaks the seal.
                release = self._build_anew(release)
            try:
                release = self._checked(release)
            except StoreDamaged as error:
                log.warning("%s; the indexes are built anew", error)
                release = self._checked(self._build_anew(release))
            self._draft.publish(to_json(release))
            return release

    def _take(self, waiting: Sequence[tuple[Document, Sequence[Chunk]]]) -> None:
        """Put these documents; if one of them cannot be, none is.

        Raises:
            ValueError: two chunks have one id, or the embedder gave unusable vectors.
        """
        if any(document.id in self._written for document, _ in waiting):
            self._flush()
        if any(len({chunk.id for chunk in chunks}) < len(chunks) for _, chunks in waiting):
            raise ValueError("two of its passages have the same id")
        same = self._unchanged(waiting)
        new = [[chunk for chunk in chunks if chunk.id not in same] for _, chunks in waiting]
        texts = [chunk.indexed_text for chunks in new for chunk in chunks]
        vectors = iter(self._embedder.embed(texts))
        for (document, chunks), fresh in zip(waiting, new, strict=True):
            self._take_in(document, chunks, [(chunk, next(vectors)) for chunk in fresh])

    def _take_each(self, waiting: Sequence[tuple[Document, Sequence[Chunk]]]) -> None:
        """Put those of these documents that can be, and keep why the others cannot."""
        unavailable: list[EmbedderUnavailable] = []
        for document, chunks in waiting:
            try:
                self._take([(document, chunks)])
            except (ValueError, EmbedderUnavailable) as error:
                self._failed[document.id] = str(error)
                if isinstance(error, EmbedderUnavailable):
                    unavailable.append(error)
        if unavailable and len(unavailable) == len(waiting):
            raise unavailable[0]  # it is the model, not the documents

    def _take_in(
        self,
        document: Document,
        chunks: Sequence[Chunk],
        fresh: Sequence[tuple[Chunk, Vector]],
    ) -> None:
        """Put a document of which the draft holds all chunks but the fresh ones."""
        ids = tuple(chunk.id for chunk in chunks)
        self._drop(document.id, {*ids} - {chunk.id for chunk, _ in fresh})
        self._pending += fresh
        self._documents[document.id] = replace(document, chunk_ids=ids)
        self._written.add(document.id)
        self._failed.pop(document.id, None)
        if len(self._pending) >= _BATCH:
            self._flush()

    def _unchanged(self, waiting: Sequence[tuple[Document, Sequence[Chunk]]]) -> set[str]:
        """Return the ids of those of the chunks that the draft holds just so."""
        held = set[str]()
        for document, _ in waiting:
            if document.id in self._documents and document.id not in self._to_carry:
                held.update(self._documents[document.id].chunk_ids)
        put = {chunk.id: chunk for _, chunks in waiting for chunk in chunks if chunk.id in held}
        stored = self._draft.vectors.get(sorted(put))
        return {id_ for id_, chunk in put.items() if stored.get(id_) == chunk}

    def _drop(self, document_id: str, kept: set[str]) -> None:
        old = self._documents.get(document_id)
        if document_id in self._to_carry:
            self._to_carry.remove(document_id)
        elif old is not None:
            self._dropped += [id_ for id_ in old.chunk_ids if id_ not in kept]

    def _flush(self) -> None:
        """Write what is pending; removals first, as a chunk may come back under its id."""
        draft = self._draft
        self._churn += len(self._dropped)
        self._rewritten |= {chunk.id for chunk, _ in self._pending}
        draft.vectors.remove(self._dropped)
        with _keyword_errors(self._shelf):
            draft.keywords.remove(self._dropped)
            draft.keywords.add([chunk for chunk, _ in self._pending])
        if self._pending:
            chunks, vectors = zip(*self._pending, strict=True)
            draft.vectors.add(chunks, np.stack(vectors))
        self._pending, self._dropped = [], []

    def _carry(self) -> None:
        """Copy what was neither put nor removed out of the parent's indexes."""
        documents = [self._documents[id_] for id_ in sorted(self._to_carry)]
        self._to_carry.clear()
        if self._source is not None:
            self._copy([id_ for document in documents for id_ in document.chunk_ids], self._source)
        self._flush()

    def _copy(self, chunk_ids: Sequence[str], source: VectorStore) -> None:
        has_vectors = self.parent is not None and self.parent.embedder == self._release.embedder
        for batch in _batches(chunk_ids, _BATCH):
            found = source.get(batch)
            chunks = [found[id_] for id_ in batch if id_ in found]
            if has_vectors:
                known = source.vectors([chunk.id for chunk in chunks])
                vectors = [known[chunk.id] for chunk in chunks]
            else:
                vectors = self._embedder.embed([chunk.indexed_text for chunk in chunks])
            self._pending += zip(chunks, vectors, strict=True)
            self._flush()

    def _build_anew(self, release: Release) -> Release:
        with self._draft.begin_anew() as source:
            self._copy(sorted(release.chunk_ids), source)
            self._draft.settle()
        return replace(release, rebuilt=True, churn=0)

    def _described(self) -> Release:
        return replace(
            self._release,
            documents=self._documents,
            chunk_count=sum(len(document.chunk_ids) for document in self._documents.values()),
            churn=0 if self._release.rebuilt else self._release.churn + self._churn,
        )

    def _checked(self, release: Release) -> Release:
        """Check the settled draft; return the release with what a search of it does not reach."""
        looked_for = self._suspects(release)
        missed = self._missed(release, looked_for)
        # Where some are out of reach, others are too.
        if missed and len(looked_for) < release.chunk_count:
            looked_for = release.chunk_ids
            missed = self._missed(release, looked_for)
        before = 2 * len(missed)
        for _ in range(_MENDS):
            if not missed or 2 * len(missed) > before:
                break
            before = len(missed)
            self._draft.reopen()
            _put_again(self._draft.vectors, missed)
            self._draft.settle()
            missed = self._missed(release, looked_for)
        if missed:
            log.info("release %s: %d passages are searched exactly", release.id, len(missed))
        return replace(release, unreached=tuple(sorted(missed)))

    def _suspects(self, release: Release) -> set[str]:
        """Return the ids to look for; all, where a search did not reach all before."""
        ids = release.chunk_ids
        if release.rebuilt or self.parent is None or self.parent.unreached:
            return ids
        new = (ids - self.parent.chunk_ids) | (ids & self._rewritten)
        return new.union(_sample(release, max(_OLD, _PER_NEW * len(new))))

    def _missed(self, release: Release, looked_for: Iterable[str]) -> list[str]:
        """Return those of the ids that a search with their own vector does not find.

        Raises:
            StoreDamaged: the draft holds not just the passages that the release lists, or not
                with the vectors of their texts.
        """
        with ExitStack() as stack:
            vectors, keywords = self._draft.open(stack)
            _check_lists(release, vectors, keywords)
            drawn = list(vectors.get(_sample(release, _DRAWN)).values())
            _check_vector(release, drawn, vectors, self._embedder.embedder)
            # Many equal ones leave few ways out of their midst, which any new one may take.
            is_crowded = len({chunk.indexed_text for chunk in drawn}) < len(drawn)
            return vectors.unreachable(sorted(release.chunk_ids if is_crowded else looked_for))


def _put_again(vectors: VectorStore, chunk_ids: Sequence[str]) -> None:
    """Give chunks new places in the graph; HNSW now and then leaves one that no path leads to."""
    chunks, own = vectors.get(chunk_ids), vectors.vectors(chunk_ids)
    vectors.remove(chunk_ids)
    vectors.add([chunks[id_] for id_ in chunk_ids], np.stack([own[id_] for id_ in chunk_ids]))


def _check_lists(release: Release, vectors: VectorStore, keywords: KeywordIndex) -> None:
    expected = release.chunk_ids
    if vectors.count() != release.chunk_count or vectors.ids() != expected:
        raise _disagreement(release, f"{vectors.count()} vectors for {len(expected)} passages")
    if keywords.count() != release.chunk_count:
        raise _disagreement(release, f"{keywords.count()} passages in the keyword index")


def _check_vector(
    release: Release, drawn: Sequence[Chunk], vectors: VectorStore, embedder: Embedder
) -> None:
    """Check that one of these has the vector that its text has now.

    A short one says as much of the index as a long one, and takes a tenth of the time.
    """
    chunk = min(drawn, key=lambda one: len(one.indexed_text), default=None)
    if chunk is None:
        return
    own = vectors.vectors([chunk.id])[chunk.id]
    [fresh] = embedder.embed_documents([chunk.indexed_text])
    if float(own @ fresh) < _ALIKE * float(np.linalg.norm(own) * np.linalg.norm(fresh)):
        raise _disagreement(release, f"passage {chunk.id} has another text's vector")


def _sample(release: Release, count: int) -> list[str]:
    """Return some of the chunk ids, other ones for each release."""
    ids = sorted(release.chunk_ids)
    return Random(release.id).sample(ids, min(count, len(ids)))  # noqa: S311


def _disagreement(release: Release, what: str) -> StoreDamaged:
    return StoreDamaged(
        f"release {release.id} does not hold what it lists ({what}); run `supportbot-ingest sync`"
        " again, or roll back if it is current"
    )


@contextmanager
def _keyword_errors(shelf: Shelf) -> Iterator[None]:
    """Turn tantivy's `ValueError` of a full or failing disk into a `StoreUnavailable`."""
    try:
        yield
    except ValueError as error:
        raise StoreUnavailable(
            f"the keyword index in {shelf.where} cannot be written ({error}); nothing was"
            " promoted; free or mend the disk, then run it again"
        ) from error


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[at : at + size] for at in range(0, len(items), size))
