"""Exports of Notion and Confluence, by the shape of their archives.

A page of Notion is known by the id that its name ends in, and its properties are its labels.

https://www.notion.com/help/export-your-content
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from ingest.parsers import fields
from ingest.parsers.characters import decode
from ingest.sources.base import About

_ID = re.compile(r"\b([0-9a-f]{32})(_all)?\Z")
_PART = re.compile(r"(ExportBlock|Export)-[0-9a-f-]{36}(-Part-\d+)?\.zip", re.IGNORECASE)
_PAGES = (".md", ".html")
_HEADING = re.compile(r"\s*# [^\n]*\n")
_PROPERTIES = re.compile(r"\s*((?:[^\s:#>|*`-][^\n:]{0,60}: [^\n]*\n)+)(?=\n|\Z)")
_LABELS = {
    *("url", "language", "last_edited_time", "last_edited", "updated", "audience", "visibility"),
    *("tags", "owner", "version", "valid_until", "created_by", "last_edited_by", "created_time"),
}
# A link to another page of the export: a path that ends in an id, and leads nowhere on the web.
_PAGE_LINK = re.compile(r"\[([^\[\]\n]{1,300})\]\((?![a-z]+:)[^()\s]{0,600}[0-9a-f]{32}[^()\s]*\)")


@dataclass(frozen=True, slots=True)
class NotionName:
    """What a file's name in an export says: the page's title and its id for as long as it lives."""

    title: str
    id: str
    ending: str
    is_all: bool  # a database with all its rows, beside the one with those of its first view

    @classmethod
    def of(cls, path: str) -> NotionName | None:
        """Return the parts of the name, None where it holds no id."""
        name = PurePosixPath(path)
        match = _ID.search(name.stem)
        if not match:
            return None
        title = name.stem[: match.start()].rstrip()
        return cls(title, match[1], name.suffix.lower(), bool(match[2]))


def is_notion(paths: Sequence[str]) -> bool:
    """Tell whether these are the files of an export: each page's name ends in an id."""
    pages = [path for path in paths if path.lower().endswith(_PAGES)]
    pages = [path for path in pages if PurePosixPath(path).name != "index.html"]
    return bool(pages) and all(NotionName.of(path) for path in pages)


def space_indexes(paths: Sequence[str]) -> set[str]:
    """Return the tables of contents of Confluence spaces; such a space has a style of its own."""
    style = "styles/site.css"
    return {path.removesuffix(style) + "index.html" for path in paths if path.endswith(style)}


def is_part(path: str) -> bool:
    """Tell whether this is a ZIP file that Notion packs into the one that it sends."""
    return bool(_PART.fullmatch(PurePosixPath(path).name))


def notion_page(name: NotionName, data: bytes) -> tuple[bytes, About]:
    """Return a page without the properties at its top that say something of it, and what they say.

    Raises:
        ParseFailed: the bytes are no text.
    """
    if name.ending != ".md":
        return data, About() if name.ending == ".html" else About(title=name.title)
    text = decode(data).replace("\r\n", "\n")
    heading = _HEADING.match(text)
    start = heading.end() if heading else 0
    about, text = _properties(text, start)
    made = _PAGE_LINK.sub(r"\1", text)
    return made.encode("utf-8", "replace"), replace(about, title="" if heading else name.title)


def _properties(text: str, start: int) -> tuple[About, str]:
    block = _PROPERTIES.match(text, start)
    if not block:
        return About(), text
    lines = [line.partition(": ") for line in block[1].splitlines()]
    values = {_key(key): value for key, _, value in lines}
    shown_to = ("audience", "visibility")
    labels = {key: value.split(",") for key, value in values.items() if key in shown_to}
    said = About(
        url=fields.first_text(values, "url"),
        language=fields.first_text(values, "language"),
        modified_at=fields.moment(values, "last_edited_time", "last_edited", "updated"),
        audiences=fields.audiences(labels, *shown_to),
        tags=fields.tags(values, "tags"),
        owner=fields.first_text(values, "owner"),
        version=fields.first_text(values, "version"),
        valid_until=fields.last_day(values),
    )
    kept = [f"{key}: {value}" for key, _, value in lines if _key(key) not in _LABELS]
    return said, text[:start] + "\n" + "\n".join(kept) + "\n" + text[block.end() :]


def _key(name: str) -> str:
    return name.strip().lower().replace(" ", "_")
