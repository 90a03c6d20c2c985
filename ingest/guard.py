"""What a sync would lose: sources that list nothing any more, or far less than before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ingest.plan import Unlisted
from ingest.sources.base import Listing, Source
from knowledge.documents import Document

_FEW = 20  # documents, of which any number may go at once,
_LEAST = 0.5  # and the share of more of them that has to stay


def losses(
    listed: Sequence[tuple[Source, Listing]], held: Mapping[str, Document]
) -> tuple[str, ...]:
    """Return in words what is suspicious about what sources list, given what a release holds.

    A document that was moved or changed is none that is lost, so numbers are compared.
    """
    before = Counter(document.source for document in held.values())
    found = []
    for source, listing in listed:
        was, now = before[source.name], len(listing.items) + _kept(source, listing, held)
        there = f"and {was:,} of the current release are from there"
        if was and not now:
            found.append(f"{source.name} lists no document any more, {there}")
        elif was >= _FEW and now < _LEAST * was:
            found.append(f"{source.name} has only {now:,} documents now, {there}")
    return tuple(found)


def _kept(source: Source, listing: Listing, held: Mapping[str, Document]) -> int:
    """Return how many documents stay because the source cannot tell whether they are there."""
    if not listing.failures:
        return 0
    unlisted, listed = Unlisted(listing.failures), {item.id for item in listing.items}
    ours = (document.id for document in held.values() if document.source == source.name)
    return sum(id_ in unlisted and id_ not in listed for id_ in ours)
