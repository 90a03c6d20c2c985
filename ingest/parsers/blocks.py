"""Markdown as parsers of other markup write it: block by block, with the places of its anchors."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from ingest.parsers.characters import clean

_TICKS = re.compile("`+")


class Blocks:
    """A Markdown text that grows by blocks; an anchor stands where the next block begins."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._anchors: list[tuple[int, str]] = []
        self._length = 0

    def add(self, *blocks: str) -> None:
        """Append blocks; empty ones are left out."""
        for block in blocks:
            if block.strip():
                self._blocks.append(block)
                self._length += len(block) + 2

    def anchor(self, name: str) -> None:
        """Note that `name` is the fragment of what follows."""
        if name:
            self._anchors.append((self._length, name))

    def finish(self) -> tuple[str, tuple[tuple[int, str], ...]]:
        """Return the clean text and its anchors, as `Parsed` has them."""
        text = "\n\n".join(self._blocks)
        made = clean(text)
        if made != text:  # then the places are no longer those
            return made, ()
        return text, tuple(self._anchors)


def heading(level: int, words: str) -> str:
    """Return a heading, of level 1 to 6."""
    return f"{'#' * min(level, 6)} {' '.join(words.split())}" if words.strip() else ""


def code_span(code: str) -> str:
    """Return code within a line."""
    longest = max((len(run) for run in _TICKS.findall(code)), default=0)
    if not code.strip():
        return code
    ticks = "`" * (longest + 1)
    return f"{ticks} {code} {ticks}" if longest else f"`{code}`"


def code_block(code: str, language: str = "") -> str:
    """Return lines of code, in a fence that none of them ends."""
    longest = max((len(run) for run in _TICKS.findall(code)), default=0)
    ticks = "`" * max(3, longest + 1)
    code = code.rstrip().lstrip("\n")
    return f"{ticks}{language}\n{code}\n{ticks}" if code else ""


def quote(*blocks: str) -> str:
    """Return blocks as a quotation."""
    lines = "\n\n".join(filter(None, blocks)).split("\n")
    return "\n".join(f"> {line}".rstrip() for line in lines) if any(lines) else ""


def admonition(name: str, title: str, blocks: Sequence[str]) -> str:
    """Return a note as a quotation that begins with what it is, such as `> **Note:** Wait.`"""
    label = f"**{name}:**"
    if title:
        return quote(f"{label} {title}", *blocks)
    first, *rest = blocks or ("",)
    is_text = not first.startswith(("```", "- ", "1. ", "|", ">", "#"))
    return quote(f"{label} {first}".rstrip(), *rest) if is_text else quote(label, *blocks)


def item(mark: str, *blocks: str) -> str:
    """Return a list item with all its blocks, indented below its mark."""
    body = "\n\n".join(filter(None, blocks))
    indented = textwrap.indent(body, " " * (len(mark) + 1), lambda line: bool(line.strip()))
    return f"{mark} {indented.lstrip(' ')}" if body.strip() else ""


def items(made: Sequence[str]) -> str:
    """Return list items as one list, close together where each is short."""
    kept = [one for one in made if one]
    is_loose = any("\n\n" in one for one in kept)
    return ("\n\n" if is_loose else "\n").join(kept)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose first row is its header; cells are single lines."""
    width = max((len(row) for row in rows), default=0)
    if not width:
        return ""
    lines = [
        "| " + " | ".join(_cell(cell) for cell in [*row, *[""] * (width - len(row))]) + " |"
        for row in rows
    ]
    return "\n".join([lines[0], "| " + " | ".join(["---"] * width) + " |", *lines[1:]])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
