"""The words of the knowledge base: Document, Chunk, Scope, Hit, Evidence. Nothing but words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from knowledge.sufficiency import Calibration

PUBLIC = "public"
STAFF = "staff"
ARTICLE = "article"
FAQ = "faq"  # a list of questions, each a heading, with their answers

# Kinds of notes: it speaks to a model; it does so where no reader sees it; a key was masked.
FLAGGED, HIDDEN, MASKED = "flagged", "hidden", "masked"


def content_hash(data: bytes | str) -> str:
    """Return the SHA-256 of the bytes, or of the UTF-8 form of the text, as 64 hex digits."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


@dataclass(frozen=True, slots=True)
class Scope:
    """What an asker may see: documents that share at least one audience with it.

    A document whose audience is missing or unreadable is kept for `STAFF`, so a lost label never
    opens a document to the public.
    """

    audiences: frozenset[str] = frozenset({PUBLIC})

    @classmethod
    def of(cls, audience: str | None = None) -> Scope:
        """Return the scope of one audience; everybody may see what is public."""
        return cls(frozenset({PUBLIC, audience}) if audience else frozenset({PUBLIC}))

    def allows(self, audiences: Iterable[str]) -> bool:
        """Tell whether a document for these audiences may be shown."""
        return not self.audiences.isdisjoint(audiences)


@dataclass(frozen=True, slots=True)
class Note:
    """What was noticed of a document when it was taken in."""

    kind: str
    rule: str
    place: str  # in words, "" where there is none
    words: str  # what stands there; never a key


@dataclass(frozen=True, slots=True)
class Document:
    """One page of the knowledge base, as a release lists it (its text lives in its chunks)."""

    id: str  # path relative to its source with "/", or the URL
    title: str
    uri: str  # where a customer can read it: a web address if one is known, else the id
    source: str  # the source that listed it, as given to the command
    content_hash: str  # of the raw bytes and of the settings that shaped its chunks
    audiences: frozenset[str] = frozenset({PUBLIC})
    language: str = ""  # BCP 47, "" where unknown
    chunk_ids: tuple[str, ...] = ()
    modified_at: str = ""  # of its last change as its source tells it, ISO 8601, "" where unknown
    valid_until: str = ""  # the last day on which it holds, YYYY-MM-DD; "": for good
    tags: tuple[str, ...] = ()
    owner: str = ""
    version: str = ""  # of the product that it is about
    kind: str = ARTICLE
    notes: tuple[Note, ...] = ()
    questions: tuple[str, ...] = ()  # that it answers, where a person wrote it as their answer

    def is_expired(self, today: date) -> bool:
        """Tell whether its last day has passed."""
        return bool(self.valid_until) and self.valid_until < today.isoformat()


@dataclass(frozen=True, slots=True)
class Chunk:
    """One passage: the unit that is embedded, found and quoted."""

    id: str  # stable: the same document and text give the same id in every release
    document_id: str
    title: str
    uri: str
    heading_path: tuple[str, ...]  # headings above the passage, outermost first, title left out
    text: str  # verbatim, as it is quoted
    ordinal: int  # place in the document, from 0
    audiences: frozenset[str] = frozenset({PUBLIC})

    @property
    def heading(self) -> str:
        """Return the headings above the passage as one line, `Install › Debian`."""
        return " › ".join(self.heading_path)

    @property
    def indexed_text(self) -> str:
        """Return what is embedded: the passage under its title and headings."""
        context = " › ".join(part for part in (self.title, *self.heading_path) if part)
        return f"{context}\n{self.text}" if context else self.text

    @property
    def text_hash(self) -> str:
        """Return the hash of `text`, which receipts keep."""
        return content_hash(self.text)


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found, with its fused score and what each arm said of it."""

    chunk: Chunk
    score: float  # fused; comparable within one result only
    similarity: float | None = None  # cosine to the query, -1 to 1; None: not looked at by that arm
    keyword_score: float | None = None  # BM25, 0 and up; None: no query term stands in it


@dataclass(frozen=True, slots=True)
class Curated:
    """An answer that a person wrote to the question that is asked."""

    question: str  # as that person put it
    chunks: tuple[Chunk, ...]  # the answer in its order, at least one


@dataclass(frozen=True, slots=True)
class Evidence:
    """What retrieval found for one query in one release, best first."""

    query: str
    release: str
    hits: tuple[Hit, ...] = ()
    top_similarity: float = 0.0  # highest cosine over all that the scope allows
    keyword_coverage: float = 0.0  # share, 0 to 1, of the query's term weight in its best passage
    timings_ms: dict[str, float] = field(default_factory=dict)
    calibration: Calibration | None = None  # by which it is judged; None: that of the package
    curated: Curated | None = None  # None: no such answer, or none that surely fits

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """Return the chunks of the hits, best first."""
        return tuple(hit.chunk for hit in self.hits)

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing at all was found."""
        return not self.hits
