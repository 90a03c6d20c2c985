"""Blocks to Markdown, for formats whose parsers see paragraphs, list items and cells.

Text is written as it reads, so that quotes stay exact; only what would change the outline of the
document, such as a line of text that begins with `#`, is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from urllib.parse import quote, urlsplit

_DEEPEST_HEADING = 6
_LONGEST_LINK = 300  # characters; longer ones are trackers, and fill a passage
_PASSAGE = 165  # tokens of a table with its head; the chunker leaves so much in one passage
_TOKEN = re.compile(r"\w{1,5}|[^\w\s]")

# What would begin a heading, a code block, or HTML that goes on past blank lines.
_OUTLINE = re.compile(
    r"^(?=#{1,6}(?:\s|$)|=+\s*$|-+\s*$|```|~~~|<(?:[!?]|/?(?:pre|script|style|textarea)\b))",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a document, as the formats of office suites have them."""

    kind: str  # "heading", "text", "item", "code" (one line of it) or "table" (ready Markdown)
    text: str
    level: int = 0  # of a heading from 1, of a list item from 0
    number: int = 0  # of a numbered list item; 0: it has a bullet


def markdown(blocks: Iterable[Block]) -> str:
    """Return the blocks as Markdown; lists stay together, and so do lines of code."""
    parts: list[str] = []
    for kind, run in groupby(blocks, key=lambda block: block.kind):
        if kind == "item":
            parts.append(_list(list(run)))
        elif kind == "code":
            parts.append(_fence([block.text for block in run]))
        else:
            parts += [_written(block) for block in run]
    return "\n\n".join(part for part in parts if part.strip())


def inert(text: str) -> str:
    """Return lines of text so that none of them is a heading or opens a code block."""
    lines = (line.strip() for line in text.strip().split("\n"))
    return "\n".join(_OUTLINE.sub(r"\\", line) for line in lines)


def one_line(text: str) -> str:
    """Return the text with each run of white space as one space."""
    return " ".join(text.split())


def link(text: str, target: str) -> str:
    """Return a Markdown link, or the text alone where the target is nowhere on the web."""
    address = web_address(target)
    return f"[{text}]({address})" if address and text.strip() not in ("", target) else text


def web_address(target: str) -> str:
    """Return an address of the web or of mail as it may stand in Markdown; "" for any other."""
    target = target.strip()
    try:
        parts = urlsplit(target)
    except ValueError:
        return ""
    is_address = parts.scheme in ("http", "https") and bool(parts.netloc)
    if not (is_address or parts.scheme == "mailto") or len(target) > _LONGEST_LINK:
        return ""
    return quote(target, safe="%/:?#[]@!$&'*+,;=~")


def table(rows: Iterable[Sequence[str]]) -> str:
    """Return rows, the first of which is the head, as Markdown tables of about a passage each.

    Each has the head again, as a passage without it would be numbers that nobody understands.
    A table of one column is the paragraphs that it holds.
    """
    cells = trimmed(rows)
    if not cells:
        return ""
    if len(cells[0]) == 1:
        return "\n\n".join(inert(row[0]) for row in cells)
    lines = [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in cells]
    head = f"{lines[0]}\n|{' - |' * len(cells[0])}"
    if len(lines) == 1:
        return head
    return "\n\n".join("\n".join((head, *piece)) for piece in _pieces(lines[1:], weight(head)))


def weight(text: str) -> int:
    """Return about how many tokens a text has."""
    return sum(1 for _ in _TOKEN.finditer(text))


def trimmed(rows: Iterable[Sequence[str]]) -> list[list[str]]:
    """Return the rows as wide as each other, without rows and columns that are empty."""
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    width = max(map(len, filled), default=0)
    used = [any(len(row) > n and row[n].strip() for row in filled) for n in range(width)]
    return [
        [row[n].strip() if n < len(row) else "" for n in range(width) if used[n]] for row in filled
    ]


def _pieces(lines: Sequence[str], head: int) -> Iterator[list[str]]:
    piece: list[str] = []
    size = head
    for line in lines:
        if piece and size + weight(line) > _PASSAGE:
            yield piece
            piece, size = [], head
        piece.append(line)
        size += weight(line)
    yield piece


def _cell(text: str) -> str:
    return one_line(text).replace("|", "\\|")


def _written(block: Block) -> str:
    if block.kind == "heading":
        words = one_line(block.text)
        return f"{'#' * min(block.level, _DEEPEST_HEADING)} {words}" if words else ""
    return block.text if block.kind == "table" else inert(block.text)


def _list(items: Sequence[Block]) -> str:
    written = ""
    widths: list[int] = []  # of the markers of the items that the next one may be below
    for item in items:
        marker = f"{item.number}. " if item.number else "- "
        is_deeper = item.level >= len(widths)
        widths = widths[: item.level]
        indent = " " * sum(widths)
        widths.append(len(marker))
        # Only a list that begins with 1 may follow a line of text at once.
        gap = "\n" if written and is_deeper and item.number > 1 else ""
        text = inert(item.text).replace("\n", f"\n{indent}{' ' * len(marker)}")
        written += f"{gap}{indent}{marker}{text}\n"
    return written.rstrip("\n")


def _fence(lines: Sequence[str]) -> str:
    code = "\n".join(lines).strip("\n")
    longest = max((len(run) for run in re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{code}\n{fence}" if code.strip() else ""
