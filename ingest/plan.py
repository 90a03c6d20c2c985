"""What a sync has to do: the difference between what sources list and what a release holds."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from ingest.chunker import CHUNKER
from ingest.parsers import PARSERS_VERSION
from ingest.sources.base import Labels, Listed, Listing
from knowledge.documents import Document, content_hash
from knowledge.failures import Failure


@dataclass(frozen=True, slots=True)
class Plan:
    """What to put into the next release, what to take out of it, and what cannot be taken in."""

    added: tuple[Listed, ...] = ()
    changed: tuple[Listed, ...] = ()
    unchanged: tuple[Listed, ...] = ()
    removed: tuple[str, ...] = ()  # document ids
    failures: tuple[Failure, ...] = ()  # what cannot be listed
    moved: tuple[tuple[str, str], ...] = ()  # old and new id of some that are removed and added
    failing: tuple[Failure, ...] = ()  # listed, but it is no use to try them again now
    kept: int = 0  # documents of sources that are not listed this time

    @property
    def is_empty(self) -> bool:
        """Tell whether the release already holds what is listed."""
        return not (self.added or self.changed or self.removed)

    @property
    def outdated(self) -> tuple[Listed, ...]:
        """Return what the release holds not yet, or not as it is now."""
        return self.added + self.changed

    @property
    def touched(self) -> set[str]:
        """Return the ids of all documents that are listed or removed."""
        listed = {item.id for item in self.outdated + self.unchanged}
        return listed.union(self.removed, (failure.uri for failure in self.failing))


@dataclass(slots=True)
class Work:
    """What a plan means in passages, and what of it cannot be parsed."""

    added: int = 0
    removed: int = 0
    unchanged: int = 0
    failures: list[Failure] = field(default_factory=list)
    _texts: set[str] = field(default_factory=set)

    @property
    def to_embed(self) -> int:
        """Return how many texts have no vector yet."""
        return len(self._texts)

    def put(self, old: Collection[str], new: Collection[str], unknown: set[str]) -> None:
        """Count a document by its old and new chunk ids and the texts that have no vector."""
        same = len({*old} & {*new})
        self.unchanged += same
        self.added += len(new) - same
        self.removed += len(old) - same
        self._texts |= unknown

    def remove(self, old: Collection[str]) -> None:
        """Count a document that goes."""
        self.removed += len(old)


def shaped_hash(stamp: str, labels: Labels, embedder: str) -> str:
    """Return the hash of all that shapes a document's chunks.

    These are its bytes, by their stamp, the labels of its source, the parsers, the chunker, and
    the embedder by its fingerprint, since its window and its tokens bound the chunks.
    """
    shape = [stamp, _by_name(labels), PARSERS_VERSION, CHUNKER, embedder]
    return content_hash(json.dumps(shape, sort_keys=True))


@lru_cache
def _by_name(labels: Labels) -> dict[str, Any]:
    return asdict(labels)  # it copies in depth, and the documents of a source share their labels


def diff(
    listings: Sequence[Listing],
    held: Mapping[str, Document],
    embedder: str,
    *,
    now: datetime | None = None,
    earlier: Sequence[Failure] = (),
    listed_sources: Collection[str] | None = None,
) -> Plan:
    """Return what makes a release that holds `held` hold what is listed.

    What a source fails to list stays as it is held. A document whose last day is before `now` is
    changed while it still has passages.

    Args:
        listings: of each source.
        held: documents by id.
        embedder: its fingerprint.
        now: with its time zone; None: the present.
        earlier: what failed before; as long as it is of no use, it is not tried again.
        listed_sources: only documents of these are removed; None: of any.
    """
    now = now or datetime.now(UTC)
    items, failures = _unique(listings)
    tried = {failure.uri: failure for failure in earlier if failure.shape}
    added: list[Listed] = []
    changed: list[Listed] = []
    unchanged: list[Listed] = []
    failing: list[Failure] = []
    for item in items:
        document, failure = held.get(item.id), tried.get(item.id)
        shape = shaped_hash(item.stamp, item.labels, embedder)
        if document is not None and _holds(document, shape, now.date()):
            unchanged.append(item)
        elif failure is not None and failure.holds(shape, document is not None, now):
            failing.append(failure)
        else:
            (added if document is None else changed).append(item)
    listed = {item.id for item in items}
    gone = [document for id_, document in held.items() if id_ not in listed]
    stays = [d for d in gone if listed_sources is not None and d.source not in listed_sources]
    staying, unlisted = {document.id for document in stays}, Unlisted(failures)
    lost = [d for d in gone if d.id not in staying and d.id not in unlisted]
    return Plan(
        added=tuple(added),
        changed=tuple(changed),
        unchanged=tuple(unchanged),
        removed=tuple(sorted(document.id for document in lost)),
        failures=tuple(failures),
        moved=_moved(added, lost, embedder),
        failing=tuple(failing),
        kept=len(stays),
    )


def _moved(
    added: Sequence[Listed], lost: Sequence[Document], embedder: str
) -> tuple[tuple[str, str], ...]:
    """Return old and new id of documents that have another name now.

    Where several have the same content nobody can tell which is which.
    """
    olds = _by_shape((d.source, d.content_hash, d.id) for d in lost)
    news = _by_shape(
        (item.source.name, shaped_hash(item.stamp, item.labels, embedder), item.id)
        for item in (added if lost else ())
    )
    pairs = [
        (olds[shape][0], ids[0])
        for shape, ids in news.items()
        if len(ids) == 1 == len(olds.get(shape, ()))
    ]
    return tuple(sorted(pairs))


def _by_shape(rows: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for source, shape, document_id in rows:
        found.setdefault((source, shape), []).append(document_id)
    return found


def _holds(document: Document, shape: str, today: date) -> bool:
    is_same = document.content_hash == shape
    return is_same and not (document.chunk_ids and document.is_expired(today))


def _unique(listings: Sequence[Listing]) -> tuple[list[Listed], list[Failure]]:
    first: dict[str, Listed] = {}
    failures: list[Failure] = []
    for listing in listings:
        failures += listing.failures
        for item in listing.items:
            known = first.setdefault(item.id, item)
            if known is not item:
                reason = f"{known.source.name} has a document of this id too, which was taken"
                failures.append(Failure(item.id, f"of {item.source.name}: {reason}"))
    return list(first.values()), failures


class Unlisted:
    """The documents that sources could not list, of which nobody knows whether they are there.

    They are those that failed themselves, and those in a folder or a file that did.
    """

    def __init__(self, failures: Iterable[Failure]) -> None:
        self._uris = {failure.uri for failure in failures}

    def __contains__(self, document_id: str) -> bool:
        places = re.finditer("[/#]", document_id)
        return document_id in self._uris or any(
            {document_id[: place.start()], document_id[: place.end()]} & self._uris
            for place in places
        )
