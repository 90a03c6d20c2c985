"""The words of parsers: Parsed, and what each of them is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ingest.sources.base import RawDocument


@dataclass(frozen=True, slots=True)
class Parsed:
    """One document as Markdown, with what it says about itself."""

    text: str  # Markdown with its headings; the title's own heading is left out
    title: str = ""
    url: str = ""  # where customers read it, as it stands in the document; may be relative
    audiences: frozenset[str] | None = None  # None: it says nothing; empty: it says nothing legible
    language: str = ""  # BCP 47


# Raises ParseFailed where the bytes are no document of the kind.
Parser = Callable[[RawDocument], Parsed]
