"""From bytes to Markdown: which parser reads which ending."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from ingest.errors import DocumentEmpty, ParseFailed
from ingest.parsers.base import Parsed, Parser
from ingest.sources.base import RawDocument

PARSERS_VERSION = "5"  # a new one makes the next sync parse every document anew

# The module of `ingest.parsers` that reads files of an ending; its `parse` is a `Parser`. It is
# imported when the first such file is read.
_PARSERS: Mapping[str, str] = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".txt": "text",
    ".text": "text",
    ".mdx": "markdown",
    ".rst": "rst",
    ".adoc": "asciidoc",
    ".asciidoc": "asciidoc",
    ".asc": "asciidoc",
    ".eml": "mail",
    ".docx": "docx",
    ".pptx": "pptx",
    ".xlsx": "spreadsheet",
    ".csv": "spreadsheet",
    ".tsv": "spreadsheet",
    ".pdf": "pdf",
    ".epub": "epub",
}
ENDINGS = frozenset(_PARSERS)


# What parsers of other people's formats raise on input that nobody thought of.
_SURPRISES = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError),
    *(TypeError, ValueError),
)


def parse(raw: RawDocument) -> Parsed:
    """Return the document as Markdown, read by the parser of its ending.

    Raises:
        DocumentEmpty: there is nothing in it.
        ParseFailed: the bytes are no such document; the message is the reason.
    """
    if not raw.data.strip():
        raise DocumentEmpty("it is empty")
    try:
        return _parser(raw.ending)(raw)
    except RecursionError as error:
        raise ParseFailed("nested too deeply") from error
    except _SURPRISES as error:
        raise ParseFailed(f"its parser failed ({type(error).__name__}: {error})") from error


def _parser(ending: str) -> Parser:
    return cast(Parser, import_module(f"ingest.parsers.{_PARSERS[ending]}").parse)
