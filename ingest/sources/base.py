"""The words of sources: Listed, Listing, RawDocument, and the Source seam."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ingest.sources.state import SourceState
from knowledge.documents import PUBLIC
from knowledge.failures import Failure

if TYPE_CHECKING:
    from ingest.config import SourceSettings

MAX_DOCUMENT_BYTES = 20 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Labels:
    """What holds for all documents of one source, unless a document says otherwise."""

    audience: str = PUBLIC
    base_url: str = ""  # where customers read them: `install.md` is at base_url/install
    tags: tuple[str, ...] = ()
    owner: str = ""
    version: str = ""
    valid_until: str = ""  # the last day on which they hold, YYYY-MM-DD
    redacts: bool = False  # personal data is replaced by placeholders


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a document, or the system that it comes from, says about it; "" where it says nothing.

    `title` is plain text, `url` where customers read it (in a document it may be relative),
    `language` BCP 47, `modified_at` ISO 8601, `valid_until` its last day as YYYY-MM-DD.
    """

    title: str = ""
    url: str = ""
    language: str = ""
    modified_at: str = ""
    audiences: frozenset[str] | None = None  # None: it says nothing; empty: it says nothing legible
    tags: tuple[str, ...] = ()
    owner: str = ""
    version: str = ""
    valid_until: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """One document that a source has right now, not yet read."""

    id: str
    source: Source
    stamp: str  # changes whenever the document does: of a file, the SHA-256 of its bytes
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
    about: About = field(default_factory=About)  # what the source's system says about it
    stamp: str = ""  # of these bytes, as `Listed.stamp`; "": their SHA-256
    path: str = ""  # where customers read it, below the base URL; "": as its id says
    is_fetched: bool = False  # many may write it; what it says of itself never opens it


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

    @property
    def memory(self) -> SourceState | None:
        """Return where it keeps what it remembers; None: it remembers nothing."""
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


class SourceOpener(Protocol):
    """Opens a source of one kind; each module of a kind has one as `open_source`."""

    def __call__(self, settings: SourceSettings, labels: Labels, home: Path) -> Source:
        """Return the source; what it remembers is kept under `home` in its `SourceState`.

        Raises:
            SourceUnusable: a setting that it needs is missing, or there is no such place.
        """
        ...
