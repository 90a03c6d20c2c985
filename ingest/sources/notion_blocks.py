"""Notion's blocks as Markdown.

https://developers.notion.com/reference/block and https://developers.notion.com/reference/rich-text
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

# Pages of their own, and what shows nothing of its own.
_UNREAD = frozenset(
    [
        *("child_page", "child_database", "link_to_page", "breadcrumb", "table_of_contents"),
        *("image", "video", "audio", "pdf", "file", "template", "unsupported"),
    ]
)
_HEADINGS = {"heading_1": "##", "heading_2": "###", "heading_3": "####"}  # the title is above them
_NUMBERED = "numbered_list_item"
_ITEMS = ("bulleted_list_item", _NUMBERED, "to_do")
_LINKS = ("bookmark", "embed", "link_preview")
_SPACES = re.compile(r"^(\s*)(.*?)(\s*)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """One block, with those in it."""

    id: str
    type: str
    told: Mapping[str, Any]  # what it holds, by its type
    has_children: bool = False
    children: tuple[Block, ...] = ()

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Block:
        """Return the block that the API tells; its children are asked for on their own."""
        kind = str(told.get("type", ""))
        held = told.get(kind)
        return cls(
            id=str(told.get("id", "")),
            type=kind,
            told=held if isinstance(held, dict) else {},
            has_children=bool(told.get("has_children")) and kind not in _UNREAD,
        )

    def holding(self, children: Iterable[Block]) -> Block:
        """Return it with the blocks in it."""
        return replace(self, children=tuple(children))

    @property
    def text(self) -> str:
        """Return its rich text as Markdown."""
        return rich_text(self.told.get("rich_text"))

    @property
    def plain(self) -> str:
        """Return its rich text without marks."""
        return plain_text(self.told.get("rich_text"))


def to_markdown(blocks: Sequence[Block]) -> str:
    """Return the blocks as Markdown."""
    parts: list[str] = []
    previous = ""
    number = 0
    for block in blocks:
        number = number + 1 if block.type == _NUMBERED else 0
        text = _item(f"{number}.", block) if number else _written(block)
        if not text.strip():
            continue
        is_list = block.type in _ITEMS
        joint = "\n" if is_list and block.type == previous else "\n\n"
        parts += [joint, text] if parts else [text]
        previous = block.type
    return "".join(parts)


def rich_text(told: object) -> str:
    """Return rich text as Markdown; what is none is nothing."""
    return "".join(_run(run) for run in _runs(told))


def plain_text(told: object) -> str:
    """Return rich text without marks; what is none is nothing."""
    return "".join(str(run.get("plain_text", "")) for run in _runs(told))


def _written(block: Block) -> str:
    if block.type in _UNREAD:
        return ""
    if block.type in _HEADINGS:
        return _under(f"{_HEADINGS[block.type]} {block.text}", block)
    if block.type in _LINKS:
        return str(block.told.get("url", ""))
    return _WRITERS.get(block.type, _paragraph)(block)


def _paragraph(block: Block) -> str:
    """Write a paragraph, or what only holds others, such as columns and synced blocks."""
    return _under(block.text, block)


def _bullet(block: Block) -> str:
    return _item("-", block)


def _to_do(block: Block) -> str:
    return _item(f"- [{'x' if block.told.get('checked') else ' '}]", block)


def _toggle(block: Block) -> str:
    return _under(f"**{block.text}**" if block.text else "", block)


def _quote(block: Block) -> str:
    return "\n".join(f"> {line}".rstrip() for line in _under(block.text, block).split("\n"))


def _code(block: Block) -> str:
    longest = max((len(run) for run in re.findall("`+", block.plain)), default=0)
    fence = "`" * max(3, longest + 1)
    language = str(block.told.get("language", ""))
    named = "" if language == "plain text" else language
    return f"{fence}{named}\n{block.plain}\n{fence}"


def _equation(block: Block) -> str:
    return f"$$\n{block.told.get('expression', '')}\n$$"


def _divider(_block: Block) -> str:
    return "---"


def _table(block: Block) -> str:
    rows = [_cells(row) for row in block.children if row.type == "table_row"]
    if not rows:
        return ""
    width = max(map(len, rows))
    if not block.told.get("has_column_header"):
        rows.insert(0, [""] * width)
    lines = ["| " + " | ".join(row + [""] * (width - len(row))) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


_WRITERS: Mapping[str, Callable[[Block], str]] = {
    "bulleted_list_item": _bullet,
    "to_do": _to_do,
    "toggle": _toggle,
    "quote": _quote,
    "callout": _quote,
    "code": _code,
    "equation": _equation,
    "divider": _divider,
    "table": _table,
}


def _item(mark: str, block: Block) -> str:
    indent = " " * (len(mark.split()[0]) + 1)
    inner = to_markdown(block.children)
    lines = block.text.split("\n") + (inner.split("\n") if inner else [])
    return f"\n{indent}".join([f"{mark} {lines[0]}", *lines[1:]])


def _under(text: str, block: Block) -> str:
    return "\n\n".join(filter(None, (text, to_markdown(block.children))))


def _cells(row: Block) -> list[str]:
    cells = row.told.get("cells")
    texts = [rich_text(cell) for cell in cells] if isinstance(cells, list) else []
    return [" ".join(text.replace("|", "\\|").split()) for text in texts]


def _runs(told: object) -> list[Mapping[str, Any]]:
    return [run for run in told if isinstance(run, dict)] if isinstance(told, list) else []


def _run(run: Mapping[str, Any]) -> str:
    match = _SPACES.match(str(run.get("plain_text", "")))
    before, text, after = match.groups() if match else ("", "", "")
    if not text:
        return before + after
    told = run.get("annotations")
    marks = told if isinstance(told, dict) else {}
    if run.get("type") == "equation":
        text = f"${text}$"
    if marks.get("code"):
        text = f"`{text}`"
    for name, mark in (("bold", "**"), ("italic", "*"), ("strikethrough", "~~")):
        if marks.get(name):
            text = f"{mark}{text}{mark}"
    href = run.get("href")
    if isinstance(href, str) and href.startswith(("http://", "https://", "mailto:")):
        text = f"[{text}]({href})"
    return f"{before}{text}{after}"
