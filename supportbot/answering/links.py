"""Links to sources: to the page, and on it to the quoted words.

Method: WICG, "URL Fragment Text Directives": `#:~:text=prefix-,start,end,-suffix`. A browser
scrolls to the first place that matches whole. Each part must stand in one paragraph, item, cell or
heading, but they need not stand in the same one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from knowledge.documents import Chunk

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_WHOLE_WORDS = 10  # a longer quote is linked by its first and last words
_EDGE_WORDS = 4
_FEW_WORDS = 3  # so few may stand anywhere on the page
_CONTEXT_WORDS = 4
_GAP = " \0 "  # between texts that do not follow one another
_BLOCK_START = re.compile(r"^\s*(?:(?:#{1,6}|[-*+•>]|\d{1,3}[.)])\s+)+")
_CELL_EDGE = re.compile(r"(?<!\\)\|")
_SEPARATOR_ROW = re.compile(r"^\s*\|?[\s:|-]+$")
_FENCE = re.compile(r"^\s*(?:```|~~~)", re.M)
_CLAUSE_END = re.compile(r"(?<=[。！？，、；：])(?=\w)")


def is_web(uri: str) -> bool:
    """Tell whether an address opens in a browser: http or https, with a host."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    return parts.scheme.lower() in ("http", "https") and bool(parts.hostname)


def link_to(uri: str, words: str, chunk: Chunk | None = None, elsewhere: Iterable[str] = ()) -> str:
    """Return the address with a text fragment on these words; other addresses as they are.

    Args:
        uri: of the page.
        words: the quote, as Markdown.
        chunk: the passage that it stands in; what stands beside it tells it from its twins.
        elsewhere: texts of other passages of the page.
    """
    place = _Place.of(words, chunk)
    if not is_web(uri) or not place.words:
        return uri
    directive = f":~:text={_directive(place, _GAP.join(map(_spoken, elsewhere)))}"
    page = uri.partition(":~:")[0]
    return f"{page}{directive}" if "#" in page else f"{page}#{directive}"


@dataclass(frozen=True, slots=True)
class _Place:
    """The words of a quote as a reader sees them, and what stands around them."""

    words: list[str]
    last_cell: list[str]  # of a table's row, whose first cell `words` are
    before: list[str]
    after: list[str]
    heading: list[str]  # where nothing of the passage stands before
    passage: str  # as a reader sees it

    @classmethod
    def of(cls, words: str, chunk: Chunk | None) -> _Place:
        line = next((line for line in words.splitlines() if _speaks(line)), "")
        text = chunk.text if chunk and words in chunk.text else words
        start = text.find(words) + words.find(line)
        before, after = text[:start], text[start + len(line) :]
        above, below = _beside(before), _beside(after)
        heading = chunk.heading_path[-1] if chunk and chunk.heading_path and not above else ""
        cells = _cells(line)
        if len(_FENCE.findall(before)) % 2:  # code: spaces and marks stand there as they are
            cells, above, below = [[line.strip()]], [], []
        return cls(
            cells[0] if cells else [],
            cells[-1] if len(cells) > 1 else [],
            above[-1][-1][-_CONTEXT_WORDS:] if above else [],
            below[0][0][:_CONTEXT_WORDS] if below else [],
            _visible(heading).split(),
            _spoken(text),
        )


def _directive(place: _Place, elsewhere: str) -> str:
    page = f"{place.passage}{_GAP}{elsewhere}"
    start, end = _ends(place, page)
    parts = [*([start, end] if end else [start])]
    if _count(start, page) > 1 or len(start) <= _FEW_WORDS:
        prefix, suffix = _context(place, start, end, page)
        head = [f"{_encoded(prefix)}-"] if prefix else []
        tail = [f"-{_encoded(suffix)}"] if suffix else []
        return ",".join([*head, *map(_encoded, parts), *tail])
    return ",".join(map(_encoded, parts))


def _ends(place: _Place, page: str) -> tuple[list[str], list[str]]:
    """Return the first and the last words, as many as tell them from others; or all, and none."""
    words = place.words
    if place.last_cell:
        return words[:_WHOLE_WORDS], place.last_cell[-_WHOLE_WORDS:]
    if len(words) == 1 and len(clauses := _CLAUSE_END.split(words[0])) > _EDGE_WORDS:
        return clauses[:1], clauses[-1:]
    if len(words) <= _WHOLE_WORDS:
        return words, []
    line = " ".join(words)
    for count in range(_EDGE_WORDS, len(words) // 2):
        start, end = words[:count], words[-count:]
        if _count(start, page) <= 1 and _count(end, line) == 1:
            return start, end
    return words, []


def _context(
    place: _Place, start: list[str], end: list[str], page: str
) -> tuple[list[str], list[str]]:
    """Return the words before and after that are needed to tell the quote from its twins."""
    if place.before and _count([*place.before, *start], page) == 1:
        return place.before, []
    if place.after and (end or _count([*start, *place.after], page) == 1):
        return [], place.after
    return place.before or place.heading, place.after


def _count(words: list[str], text: str) -> int:
    phrase = re.escape(" ".join(words))
    return len(re.findall(rf"(?<!\w){phrase}(?!\w)", text, re.I))


def _encoded(words: list[str]) -> str:
    return quote(" ".join(words), safe="").replace("-", "%2D")


def _spoken(text: str) -> str:
    """Return a Markdown text as a reader sees it, on one line."""
    return " ".join(" ".join(cell) for line in text.splitlines() for cell in _cells(line))


def _speaks(line: str) -> bool:
    return bool(_cells(line))


def _cells(line: str) -> list[list[str]]:
    """Return the words of a line as a reader sees them: a row cell by cell, others as one."""
    if _FENCE.match(line) or _SEPARATOR_ROW.match(line):
        return []
    is_row = line.lstrip().startswith("|")
    parts = _CELL_EDGE.split(line) if is_row else [_BLOCK_START.sub("", line)]
    return [words for part in parts if (words := _visible(part).split())]


def _beside(text: str) -> list[list[list[str]]]:
    return [cells for line in text.splitlines() if (cells := _cells(line))]


def _visible(text: str) -> str:
    """Return the text of inline Markdown, without its marks, link targets and pictures."""
    [block] = _markdown().parseInline(text.strip())
    shown = {"text", "code_inline", "text_special"}
    pieces = [
        one.content if one.type in shown else " " if one.type.endswith("break") else ""
        for one in block.children or ()
    ]
    return "".join(pieces)


@cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark")
