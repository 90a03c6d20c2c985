"""Looks over a release after its promotion, and keeps what an editor should mend.

Costs little where little has changed: a passage is looked at once, and only the pairing of all
is done anew.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.findings.kept import FILE, Findings, read_findings
from ingest.findings.links import dead_links
from ingest.findings.marks import MarkBook, Marks, seen_hash
from ingest.findings.pairs import SIZE, alike
from ingest.findings.values import Claim, disagree
from knowledge.documents import FLAGGED, HIDDEN, MASKED, Chunk, Document, Scope
from knowledge.embedder import Embedder
from knowledge.errors import KnowledgeError
from knowledge.files import disk_errors, write_whole
from knowledge.releases import OpenRelease, Release, ReleaseStore
from knowledge.retriever import Retriever

log = logging.getLogger(__name__)

SECONDS = 120.0  # after which it ends with what it has
_MOST = 1_000  # kept of each kind
_NAMED = 100  # passages of those that are copies of one another
_COPY = 0.65  # share of three-word runs in common
_SAME_CLAIM = 0.5  # estimated; what comes through is looked at exactly
_SAME_STEMS = 0.7
_REACHED = 10  # passages among which a document must be
_BY_WORDS = 3  # places among which the keyword search alone suffices
_AGAIN = 5  # documents that were not found and are looked for again
_HEADINGS = 3  # headings a document is looked for by
_BATCH = 500

Pairs = NDArray[np.int64]  # shape (pairs, 2), the lower place first


def look(
    home: Path,
    store: ReleaseStore,
    release: Release,
    embedder: Embedder,
    seconds: float = SECONDS,
) -> Findings:
    """Look over a release and keep what is found in the home.

    Raises:
        KnowledgeError: the release or the home cannot be read or written.
    """
    began = time.monotonic()
    with disk_errors(home), store.open(release.id) as opened:
        try:
            with MarkBook(home / "findings.sqlite") as book:
                found = _Look(opened, book, lambda: time.monotonic() - began < seconds).findings()
        except sqlite3.Error as error:
            raise KnowledgeError(f"{home / 'findings.sqlite'}: {error}") from error
        reach = _Reach(opened, store, embedder, read_findings(home), release)
        found.unreachable, is_complete = reach.unreachable(
            lambda: time.monotonic() - began < seconds
        )
        found.is_complete = found.is_complete and is_complete
    kinds = Counter(note.kind for one in release.documents.values() for note in one.notes)
    found.flagged, found.masked = kinds[FLAGGED] + kinds[HIDDEN], kinds[MASKED]
    found.seconds = time.monotonic() - began
    write_whole(home / FILE, json.dumps({**found.to_json(), "seen": reach.seen}))
    return found


class _Look:
    """One look at the passages of an open release."""

    def __init__(self, opened: OpenRelease, book: MarkBook, has_time: Callable[[], bool]) -> None:
        self._opened = opened
        self._book = book
        self._has_time = has_time
        self._documents = opened.release.documents
        self._of = {id_: d.id for d in self._documents.values() for id_ in d.chunk_ids}

    def findings(self) -> Findings:
        """Return all but what no search finds."""
        is_complete = self._look_at_new()
        marks = list(self._book.all())
        near = _near(marks, self._of)
        pairs = list(islice(_contradicting(marks, self._of, near), _MOST))
        apart = {(a, b) for a, _, b, _ in pairs}
        copied = (pair for pair in _rows(near) if pair not in apart)
        groups = [group[:_NAMED] for group in islice(_groups(marks, copied), _MOST)]
        ids = {marks[at].chunk_id for a, _, b, _ in pairs for at in (a, b)}
        chunks = self._opened.vectors.get(sorted(ids | {id_ for group in groups for id_ in group}))
        return Findings(
            self._opened.release.id,
            [_contradiction(marks[a], c, marks[b], d, chunks) for a, c, b, d in pairs],
            [{"passages": [_passage(chunks[id_]) for id_ in group]} for group in groups],
            self._dead_links(marks),
            is_complete=is_complete,
        )

    def _look_at_new(self) -> bool:
        """Look at the passages that were never looked at; tell whether time sufficed."""
        wanted = {id_: seen_hash(self._documents[of].content_hash) for id_, of in self._of.items()}
        seen = self._book.seen()
        self._book.forget([id_ for id_ in seen if id_ not in wanted])
        new = [id_ for id_, hash_ in wanted.items() if seen.get(id_) != hash_]
        for at in range(0, len(new), _BATCH):
            if not self._has_time():
                return False
            chunks = self._opened.vectors.get(new[at : at + _BATCH])
            self._book.put((chunk, wanted[id_]) for id_, chunk in chunks.items())
        return True

    def _dead_links(self, marks: Sequence[Marks]) -> list[dict[str, Any]]:
        targets: dict[str, list[str]] = defaultdict(list)
        for one in marks:
            if not one.rest.endswith(", []]"):
                targets[self._of[one.chunk_id]] += one.parsed()[2]
        dead = dict.fromkeys(dead_links(self._documents, targets))
        return [{"document": id_, "target": target} for id_, target in dead][:_MOST]


def _near(marks: Sequence[Marks], of: Mapping[str, str]) -> Pairs:
    """Return the places of passages of two documents that share a text, in pairs, each once."""
    pairs = alike(_table([one.words for one in marks]), _COPY)
    owned = _owners([one.words for one in marks])[pairs]
    return np.unique(owned[_are_of_two(owned, marks, of)], axis=0)


def _are_of_two(pairs: Pairs, marks: Sequence[Marks], of: Mapping[str, str]) -> NDArray[np.bool_]:
    """Tell of each pair of passages whether they are of two documents."""
    numbers: dict[str, int] = {}
    owners = np.array([numbers.setdefault(of[one.chunk_id], len(numbers)) for one in marks], int)
    return np.asarray(owners[pairs[:, 0]] != owners[pairs[:, 1]])


def _rows(pairs: Pairs) -> Iterator[tuple[int, int]]:
    """Yield pairs one by one; as Python's numbers, all at once would take tenfold memory."""
    for at in range(0, len(pairs), _BATCH):
        yield from ((one, other) for one, other in pairs[at : at + _BATCH].tolist())


def _groups(marks: Sequence[Marks], pairs: Iterable[tuple[int, int]]) -> Iterator[list[str]]:
    """Yield the ids of passages that pairs lead from one to the other, of two and more."""
    above = list(range(len(marks)))

    def top(at: int) -> int:
        while above[at] != at:
            above[at] = above[above[at]]
            at = above[at]
        return at

    for one, other in pairs:
        above[top(other)] = top(one)
    groups: dict[int, list[str]] = defaultdict(list)
    for at, mark in enumerate(marks):
        groups[top(at)].append(mark.chunk_id)
    yield from (group for group in groups.values() if len(group) > 1)


def _contradicting(
    marks: Sequence[Marks], of: Mapping[str, str], near: Pairs
) -> Iterator[tuple[int, Claim, int, Claim]]:
    """Yield the places of passages of two documents that disagree, each with what it says."""
    owners = _owners([one.claims for one in marks])
    pairs = alike(_table([one.claims for one in marks]), _SAME_CLAIM)
    pairs = pairs[_are_of_two(owners[pairs], marks, of)]
    count = len(marks)
    is_near = np.isin(owners[pairs] @ (count, 1), near @ (count, 1))
    starts = np.searchsorted(owners, owners)
    seen: set[tuple[int, int]] = set()
    for (one, other), share_text in zip(_rows(pairs), is_near, strict=True):
        a, b = int(owners[one]), int(owners[other])
        if (a, b) in seen:
            continue
        here, context, _ = marks[a].parsed()
        there, other_context, _ = marks[b].parsed()
        if share_text:
            other_context = context  # what they share says what they are about
        left, right = here[one - starts[one]], there[other - starts[other]]
        if disagree(left, right) and is_same_subject(left, right, context, other_context):
            seen.add((a, b))
            yield a, left, b, right


def is_same_subject(
    one: Claim, other: Claim, context: frozenset[str], other_context: frozenset[str]
) -> bool:
    """Tell whether two sentences speak of the same thing.

    They share most words, neither has a name of its own where the other has another, and a short
    sentence must stand below the same title.
    """
    shared, union = one.stems & other.stems, one.stems | other.stems
    if len(shared) < _SAME_STEMS * len(union):
        return False
    if (one.names - other.stems) and (other.names - one.stems):
        return False
    if any(name.startswith("#") for name in one.names ^ other.names):
        return False
    if len(shared) >= 6 or (len(shared) >= 4 and len(shared) >= 0.9 * len(union)):
        return True
    common = len(context & other_context)
    return common > 0 if len(shared) >= 4 else 2 * common >= len(context | other_context)


def _owners(signatures: Sequence[bytes]) -> NDArray[np.int64]:
    """Return the place of the passage of each signature."""
    counts = [len(some) // (4 * SIZE) for some in signatures]
    return np.repeat(np.arange(len(signatures)), counts)


def _table(signatures: Sequence[bytes]) -> Any:
    return np.frombuffer(b"".join(signatures), dtype=np.uint32).reshape(-1, SIZE)


def _contradiction(
    one: Marks, left: Claim, other: Marks, right: Claim, chunks: Mapping[str, Chunk]
) -> dict[str, Any]:
    passages = [
        {**_passage(chunks[mark.chunk_id]), "text": claim.text}
        for mark, claim in ((one, left), (other, right))
    ]
    return {"passages": passages}


def _passage(chunk: Chunk) -> dict[str, str]:
    words = " ".join(chunk.text.split())
    return {
        "document": chunk.document_id,
        "uri": chunk.uri,
        "heading": chunk.heading,
        "text": words if len(words) <= 200 else words[:199].rstrip() + "…",
    }


class _Reach:
    """Looks for documents by their own titles and headings."""

    def __init__(
        self,
        opened: OpenRelease,
        store: ReleaseStore,
        embedder: Embedder,
        before: Mapping[str, Any],
        release: Release,
    ) -> None:
        self._opened = opened
        self._release = release
        self._of = {id_: d.id for d in release.documents.values() for id_ in d.chunk_ids}
        self._retriever = Retriever(store, embedder, release_id=release.id)
        before_seen: Mapping[str, str] = before.get("seen") or {}
        self.seen = {id_: h for id_, h in before_seen.items() if self._hash(id_) == h}
        self._missed = [str(row.get("document")) for row in before["unreachable"]]

    def unreachable(self, has_time: Callable[[], bool]) -> tuple[list[dict[str, Any]], bool]:
        """Return the documents that are not found, and whether time sufficed to look for all.

        One that is as it was is not looked for again, but for a few of those that were not found.
        """
        known = [id_ for id_ in self._missed if id_ in self.seen]
        documents = self._release.documents
        missed = [documents[id_] for id_ in known[_AGAIN:]]
        wanted = [document for id_, document in documents.items() if id_ not in self.seen]
        wanted += [documents[id_] for id_ in known[:_AGAIN]]
        is_complete = True
        with closing(self._retriever):
            for document in wanted:
                is_complete = has_time()
                if not is_complete:
                    break
                if document.chunk_ids and not self._is_found(document):
                    missed.append(document)
                self.seen[document.id] = self._hash(document.id)
        rows = [{"document": one.id, "title": one.title} for one in missed]
        return rows[:_MOST], is_complete

    def _hash(self, document_id: str) -> str:
        document = self._release.documents.get(document_id)
        return document.content_hash[:16] if document else ""

    def _is_found(self, document: Document) -> bool:
        scope = Scope(document.audiences)
        best = self._opened.keywords.query(document.title, scope, _BY_WORDS)
        if any(self._of.get(id_) == document.id for id_, _ in best):
            return True
        return any(self._finds(query, document, scope) for query in self._queries(document))

    def _queries(self, document: Document) -> Iterator[str]:
        yield document.title
        chunks = self._opened.vectors.get(document.chunk_ids[:20]).values()
        headings = dict.fromkeys(chunk.heading for chunk in chunks if chunk.heading)
        for heading in list(headings)[:_HEADINGS]:
            yield f"{document.title} {heading}"

    def _finds(self, query: str, document: Document, scope: Scope) -> bool:
        evidence = self._retriever.retrieve(query, scope, _REACHED)
        return any(chunk.document_id == document.id for chunk in evidence.chunks)
