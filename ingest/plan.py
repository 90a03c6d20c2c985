"""What a sync has to do: the difference between what sources list and what a release holds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime

from ingest.chunker import CHUNKER
from ingest.parsers import PARSERS_VERSION
from ingest.sources.base import Labels, Listed, Listing
from knowledge.documents import Document, content_hash
from knowledge.releases import Failure


@dataclass(frozen=True, slots=True)
class Plan:
    """What to put into the next release, what to take out of it, and what cannot be listed."""

    added: tuple[Listed, ...] = ()
    changed: tuple[Listed, ...] = ()
    unchanged: tuple[Listed, ...] = ()
    removed: tuple[str, ...] = ()  # document ids
    failures: tuple[Failure, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Tell whether the release already holds what is listed."""
        return not (self.added or self.changed or self.removed)

    @property
    def outdated(self) -> tuple[Listed, ...]:
        """Return what the release holds not yet, or not as it is now."""
        return self.added + self.changed

    @property
    def listed(self) -> tuple[Listed, ...]:
        """Return all that the sources list, as far as it can be listed."""
        return self.outdated + self.unchanged


def shaped_hash(stamp: str, labels: Labels, embedder: str) -> str:
    """Return the hash of all that shapes a document's chunks.

    These are its bytes, by their stamp, the labels of its source, the parsers, the chunker, and
    the embedder by its fingerprint, since its window and its tokens bound the chunks.
    """
    shape = [stamp, asdict(labels), PARSERS_VERSION, CHUNKER, embedder]
    return content_hash(json.dumps(shape, sort_keys=True))


def diff(
    listings: Sequence[Listing],
    held: Mapping[str, Document],
    embedder: str,
    *,
    keeps_rest: bool = False,
    today: date | None = None,
) -> Plan:
    """Return what makes a release that holds `held` hold what is listed.

    What a source fails to list stays as it is held. With `keeps_rest` nothing is removed. A
    document whose last day is before `today` (UTC) is changed while it still has passages.
    """
    today = today or datetime.now(UTC).date()
    items, failures = _unique(listings)
    added, changed, unchanged = [], [], []
    for item in items:
        document = held.get(item.id)
        if document is None:
            added.append(item)
        elif _holds(document, item, embedder, today):
            unchanged.append(item)
        else:
            changed.append(item)
    listed = {item.id for item in items}
    gone = () if keeps_rest else (id_ for id_ in held if id_ not in listed)
    removed = (id_ for id_ in gone if not _is_unknown(id_, failures))
    return Plan(
        tuple(added), tuple(changed), tuple(unchanged), tuple(sorted(removed)), tuple(failures)
    )


def _holds(document: Document, item: Listed, embedder: str, today: date) -> bool:
    is_same = document.content_hash == shaped_hash(item.stamp, item.labels, embedder)
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


def _is_unknown(document_id: str, failures: Sequence[Failure]) -> bool:
    """Tell whether a document, or the folder or file that it is in, could not be listed."""
    return any(
        document_id == failure.uri
        or document_id.startswith((failure.uri.rstrip("/") + "/", failure.uri + "#"))
        for failure in failures
    )
