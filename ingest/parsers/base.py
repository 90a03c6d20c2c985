"""The words of parsers: Parsed, and what each of them is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ingest.sources.base import About, RawDocument
from knowledge.documents import ARTICLE, Note


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed(About):
    """One document as Markdown, with what it says about itself."""

    text: str  # Markdown with its headings; the title's own heading is left out
    # (place, fragment), ascending: from this character of the text on, `fragment` is where a
    # reader finds it in the original, such as `page=3` of a PDF or the id of an HTML heading.
    anchors: tuple[tuple[int, str], ...] = ()
    kind: str = ARTICLE
    questions: tuple[str, ...] = ()  # that the document answers, as `Document.questions`
    remarks: tuple[Note, ...] = ()  # what the screening noticed; no parser's business
    notes: tuple[str, ...] = ()  # for people: what was left out or could not be read


# Raises ParseFailed where the bytes are no document of the kind.
Parser = Callable[[RawDocument], Parsed]
