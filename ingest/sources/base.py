"""The words of sources: Listed, Listing, RawDocument, and the Source seam."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from knowledge.documents import PUBLIC
from knowledge.releases import Failure

MAX_DOCUMENT_BYTES = 20 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Labels:
    """What holds for all documents of one source, unless a document says otherwise."""

    audience: str = PUBLIC
    base_url: str = ""  # where customers read them: `install.md` is at base_url/install


@dataclass(frozen=True, slots=True)
class Listed:
    """One document that a source has right now, not yet read."""

    id: str
    source: Source
    data_hash: str  # SHA-256 of the bytes, in hex
    labels: Labels
    place: str  # where the source finds it again; means nothing to others


@dataclass(frozen=True, slots=True)
class RawDocument:
    """The bytes of one document, with all that its parser needs to know."""

    id: str
    source: str  # the source's name
    ending: str  # of its name, lower case, with the dot: names the parser
    data: bytes
    labels: Labels = field(default_factory=Labels)


@dataclass(frozen=True, slots=True)
class Listing:
    """All that one source has, sorted by id; what it could not list, and what it passed over."""

    items: tuple[Listed, ...] = ()
    failures: tuple[Failure, ...] = ()  # a `uri` that ends in "/" stands for all below it
    skipped: tuple[tuple[str, int], ...] = ()  # (why, how many), for people


class Source(Protocol):
    """Where documents come from."""

    @property
    def name(self) -> str:
        """Return the source as it was given, such as `docs/`."""
        ...

    def list(self) -> Listing:
        """Return what is there now.

        Raises:
            SourceUnusable: nothing can be said about what is there.
        """
        ...

    def read(self, item: Listed) -> RawDocument:
        """Return the bytes of a listed document, as they are now.

        Raises:
            ParseFailed: it cannot be read any more.
        """
        ...

    def stamp(self) -> str:
        """Return a cheap sign that changes whenever the listing may have changed."""
        ...
