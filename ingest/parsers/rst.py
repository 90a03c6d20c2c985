"""reStructuredText, as docutils and Sphinx have it, through docutils' document tree.

Nothing that a document names is read: no included files, no tables of files, no settings files.
What only Sphinx knows degrades to its text.

https://docutils.sourceforge.io/docs/user/config.html
https://www.sphinx-doc.org/en/master/usage/restructuredtext/
"""

from __future__ import annotations

import re
from typing import Any

from docutils import ApplicationError, nodes
from docutils.core import publish_doctree

from ingest.errors import ParseFailed
from ingest.parsers import fields
from ingest.parsers.base import Parsed
from ingest.parsers.blocks import Blocks
from ingest.parsers.characters import clean, decode
from ingest.parsers.rst_names import accept_names
from ingest.parsers.rst_writing import Writer
from ingest.sources.base import RawDocument

_MAX_CHARACTERS = 2_000_000  # docutils takes a second for 100,000 of them
_LONGEST_LINE = 10_000  # and the most that a substitution may grow to
_SETTINGS: dict[str, Any] = {
    "_disable_config": True,
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "report_level": 5,
    "halt_level": 6,  # never
    "warning_stream": False,
    "line_length_limit": _LONGEST_LINE,
    "syntax_highlight": "none",
    "doctitle_xform": True,
    "docinfo_xform": True,
    "strip_comments": True,
    "smart_quotes": False,
    "input_encoding": "unicode",
}
_MAX_GROWTH = 1_000_000  # characters that substitutions may stand for, all together
_DEFINITION = re.compile(
    r"^[ \t]*\.\.[ \t]+\|([^|\n]{1,200})\|[ \t]+replace::(.*(?:\n[ \t]+\S.*)*)", re.MULTILINE
)
_SUBSTITUTION = re.compile(r"\|([^|\s](?:[^|\n]{0,200}[^|\s])?)\|")
# Of docinfo, what is no text for readers: what Sphinx reads, who wrote it, and the labels.
_FURNITURE = {
    *("orphan", "tocdepth", "nocomments", "nosearch", "no-search", "author", "authors", "contact"),
    *("organization", "address", "copyright", "revision", "status", "date", "version", "title"),
    *("url", "language", "lang", "audience", "audiences", "tags", "owner", "valid_until"),
}


def parse(raw: RawDocument) -> Parsed:
    """Return the document as Markdown, with title and docinfo, and its sections' ids as anchors."""
    text = clean(decode(raw.data))
    if len(text) > _MAX_CHARACTERS:
        raise ParseFailed(f"more than {_MAX_CHARACTERS:,} characters of reStructuredText")
    if any(len(line) > _LONGEST_LINE for line in text.split("\n")):
        raise ParseFailed(f"a line of more than {_LONGEST_LINE:,} characters")
    _refuse_growth(text)
    accept_names(text)
    try:
        tree = publish_doctree(text, settings_overrides=_SETTINGS)
    except (ApplicationError, NameError) as error:  # such as an unset variable in docutils itself
        raise ParseFailed(f"docutils cannot read it ({error})") from error
    said = _docinfo(tree)
    writer = Writer(tree)
    blocks = Blocks()
    writer.write(blocks, said.unlabelled)
    text, anchors = blocks.finish()
    info = said.values
    return Parsed(
        text=text,
        title=clean(fields.first_text(info, "title") or writer.title),
        url=fields.first_text(info, "url"),
        language=fields.first_text(info, "language", "lang"),
        modified_at=fields.moment(info, "date", "last_modified", "updated"),
        audiences=fields.audiences(info, "audience", "audiences"),
        tags=fields.tags(info, "tags"),
        owner=fields.first_text(info, "owner"),
        version=fields.first_text(info, "version"),
        valid_until=fields.last_day(info),
        anchors=anchors,
    )


def _refuse_growth(text: str) -> None:
    """Refuse substitutions that stand for others, and those for others, and so on.

    Raises:
        ParseFailed: docutils would write them all out.
    """
    texts = {name.strip().lower(): words for name, words in _DEFINITION.findall(text)}
    names = {name: _SUBSTITUTION.findall(words) for name, words in texts.items()}
    sizes = {name: len(words) for name, words in texts.items()}
    for _ in range(len(texts) and 20):
        if sum(sizes.values()) > _MAX_GROWTH:
            raise ParseFailed("its substitutions stand for too much text")
        sizes = {
            name: len(words) + sum(sizes.get(inner.lower(), 0) for inner in names[name])
            for name, words in texts.items()
        }
    used = _SUBSTITUTION.findall(text) if texts else []
    if sum(sizes.get(name.lower(), 0) for name in used) > _MAX_GROWTH:
        raise ParseFailed("its substitutions stand for too much text")


class _Docinfo:
    """The field list at the top: what it says of the document, and what is left to be read."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.unlabelled: list[tuple[str, str]] = []


def _docinfo(tree: nodes.document) -> _Docinfo:
    said = _Docinfo()
    for info in tree.findall(nodes.docinfo):
        for field in info.children:
            if isinstance(field, nodes.field):
                name, value = (child.astext() for child in field.children[:2])
            else:
                name, value = type(field).__name__, field.astext()
            key = re.sub(r"\s+", "_", name.strip().lower())
            # `$Date: 2026-03-04 $`, as version control expands it
            said.values[key] = value.strip().strip("$").removeprefix("Date:").strip()
            if key not in _FURNITURE:
                said.unlabelled.append((name, value))
    return said
