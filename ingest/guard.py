"""What a sync would lose: sources that list nothing any more, or far less than before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

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
        was, now = before[source.name], len(listing.items)
        if listing.failures:  # what cannot be listed stays in any case
            continue
        if was and not now:
            found.append(
                f"{source.name} lists no document any more, and {was:,} of the current release are"
                " from there"
            )
        elif was >= _FEW and now < _LEAST * was:
            found.append(
                f"{source.name} lists {now:,} documents now, and {was:,} of the current release are"
                " from there"
            )
    return tuple(found)
