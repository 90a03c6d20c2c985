"""The blocks of AsciiDoc: sections, lists, delimited blocks and tables, as Markdown."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ingest.errors import ParseFailed
from ingest.parsers.asciidoc_inline import Inline
from ingest.parsers.blocks import (
    Blocks,
    admonition,
    code_block,
    heading,
    item,
    items,
    quote,
    table,
)

_MAX_DEPTH = 12
_MAX_VALUE = 4_000  # characters of an attribute, with all that it names
_MAX_GROWTH = 1_000_000  # characters that attributes may add to a document
_MAX_COLUMNS = 100
_MAX_CELLS = 100_000

_CHARACTERS = {
    "nbsp": "\u00a0",
    "zwsp": "",
    "empty": "",
    "blank": "",
    "sp": " ",
    "deg": "°",
    "plus": "+",
    "apos": "'",
    "quot": '"',
    "lsquo": "‘",
    "rsquo": "’",
    "ldquo": "“",
    "rdquo": "”",
    "amp": "&",
    "lt": "<",
    "gt": ">",
    "startsb": "[",
    "endsb": "]",
    "vbar": "|",
    "caret": "^",
    "asterisk": "*",
    "tilde": "~",
    "backslash": "\\",
    "backtick": "`",
    "cpp": "C++",
    "two-colons": "::",
    "two-semicolons": ";;",
    "wj": "",
    "brvbar": "¦",
    "pp": "++",
}
# Between `+ and +`, nothing stands for anything.
_NAME = re.compile(r"`\+[^`\n]{0,500}\+`|\\?\{([\w][\w-]{0,100})\}")
_ENTRY = re.compile(r":(!?[\w][\w-]*!?):(?:[ \t]+(.*))?")
_SECTION = re.compile(r"(={1,6}|#{1,6})[ \t]+(\S.*?)(?:[ \t]+\1)?[ \t]*")
_ANCHOR = re.compile(r"\[\[([\w:][\w:.-]{0,200})(?:,[^\]]*)?\]\]")
_ATTRIBUTES = re.compile(r"\[(?!\[)([^\]]{0,500}(?:\"[^\"]{0,500}\"[^\]]{0,200})?)\][ \t]*")
_ID = re.compile(r"#([\w:][\w:-]{0,200})|\bid=\"?([\w:.-]{1,200})")
_BLOCK_TITLE = re.compile(r"\.([^\s.].*)")
_DELIMITER = re.compile(
    r"(-{4,}|\.{4,}|={4,}|\*{4,}|_{4,}|\+{4,}|--|`{3}[\w+#.-]*|[|,:!]={3,})[ \t]*"
)
_ITEM = re.compile(
    r"[ \t]*(?P<mark>\*{1,6}|-|\.{1,6}|\d{1,9}\.|[a-zA-Z]\.|<(?:\d{1,4}|\.)>)[ \t]+(?P<text>\S.*)"
)
_TERM = re.compile(
    r"[ \t]*(?P<term>\S.{0,1000}?)(?P<mark>:{2,4}|;;)(?:[ \t]+(?P<text>\S.*))?[ \t]*"
)
_MACRO = re.compile(r"(?:image|video|audio|toc|icon)::\S*\[.*\][ \t]*")
_CONTINUATION = re.compile(r"\+[ \t]*")
_BREAK = re.compile(r"(?:'{3,}|<{3,}|-{3}|\*{3})[ \t]*")
_NOTE = re.compile(r"(NOTE|TIP|IMPORTANT|WARNING|CAUTION):[ \t]+(\S.*)", re.DOTALL)
_NOTES = ("NOTE", "TIP", "IMPORTANT", "WARNING", "CAUTION")
_CELL = re.compile(
    r"(?<!\\)(?:(?P<copies>\d{1,2})\*|(?P<across>\d{1,2})?(?:\.(?P<down>\d{1,3}))?\+)?"
    r"[<^>.]{0,3}[adehlmsv]?\|"
)
_CELL_SPEC = re.compile(
    r"(?<=\s)(?:\d{1,2}\*|(?:\d{1,2})?(?:\.\d{1,3})?\+)?[<^>.]{0,3}[adehlmsv]?$"
)
_COLUMNS = re.compile(r"\bcols=\"?([^\"\]]{1,500})\"?")


class Attributes:
    """What `{name}` stands for; nothing can make a small document a large one."""

    def __init__(self) -> None:
        self.set: dict[str, str] = {}
        self._growth = 0

    def read_entry(self, lines: Sequence[str], place: int) -> int:
        """Set the attribute at this line, and return the place of the line after it."""
        match = _ENTRY.fullmatch(lines[place])
        if not match:
            return place
        value = match[2] or ""
        while value.endswith(" \\") and place + 1 < len(lines) and len(value) < _MAX_VALUE:
            place += 1
            value = value[:-1].rstrip(" +") + " " + lines[place].strip()
        name = match[1].strip("!").lower()
        if "!" in match[1]:
            self.set.pop(name, None)
        else:
            self.set[name] = self.replace(value.strip())[:_MAX_VALUE]
        return place + 1

    def replace(self, text: str) -> str:
        """Return the text with the attributes that are set.

        Raises:
            ParseFailed: they add more than any document needs.
        """
        made = _NAME.sub(self._value, text) if "{" in text else text
        self._growth += max(len(made) - len(text), 0)
        if self._growth > _MAX_GROWTH:
            raise ParseFailed("its attributes stand for too much text")
        return made

    def _value(self, match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        if match[0].startswith("\\"):
            return match[0][1:]
        name = match[1].lower()
        return self.set.get(name, _CHARACTERS.get(name, match[0]))


@dataclass(slots=True)
class _Style:
    """What lines above a block say of it: `[source,sh]`, `[[id]]`, `.Title`."""

    names: list[str] = field(default_factory=list)
    text: str = ""
    id: str = ""
    title: str = ""

    @property
    def first(self) -> str:
        return re.split(r"[#.%]", self.names[0])[0].strip() if self.names else ""

    @property
    def language(self) -> str:
        names = self.names[1:2] if self.first in ("source", "") else []
        return (
            names[0].strip() if names and re.fullmatch(r"[\w+#.-]{1,30}", names[0].strip()) else ""
        )

    def has_option(self, name: str) -> bool:
        return f"%{name}" in self.text or bool(re.search(rf"\bopt(?:ion)?s=[^=]*{name}", self.text))


def titles_of(lines: Sequence[str]) -> dict[str, str]:
    """Return the titles of sections by the ids that stand above them."""
    titles: dict[str, str] = {}
    ids: list[str] = []
    for line in lines:
        section = _SECTION.fullmatch(line)
        if section:
            titles.update(dict.fromkeys(ids, section[2]))
        is_above = _ANCHOR.fullmatch(line.strip()) or _ATTRIBUTES.fullmatch(line)
        ids = [*ids, *_ids(line)] if is_above else []
    return titles


def _ids(line: str) -> Iterator[str]:
    anchor = _ANCHOR.match(line.strip())
    if anchor:
        yield anchor[1]
    elif match := _ID.search(line):
        yield match[1] or match[2]


class Reader:
    """Reads lines from the top; what stands in a block is read by a reader of its own."""

    def __init__(
        self, lines: Sequence[str], attributes: Attributes, inline: Inline, depth: int = 0
    ) -> None:
        if depth > _MAX_DEPTH:
            raise ParseFailed(f"blocks nested deeper than {_MAX_DEPTH} levels")
        self._lines = lines
        self._place = 0
        self._attributes = attributes
        self._inline = inline
        self._depth = depth

    def write(self, blocks: Blocks) -> None:
        """Write all lines."""
        while self._skip_blank():
            style = self._style()
            if not self._skip_blank():
                return
            if style.id:
                blocks.anchor(style.id)
            section = _SECTION.fullmatch(self._line)
            if section:
                self._place += 1
                blocks.add(heading(len(section[1]), self._text(section[2])))
            else:
                blocks.add(*self._block(style))

    # Lines -------------------------------------------------------------------------------------

    @property
    def _line(self) -> str:
        return self._lines[self._place] if self._place < len(self._lines) else ""

    def _skip_blank(self) -> bool:
        """Go to the next line that is not empty; tell whether there is one."""
        while self._place < len(self._lines) and not self._lines[self._place].strip():
            self._place += 1
        return self._place < len(self._lines)

    def _text(self, text: str) -> str:
        return self._inline.write(self._attributes.replace(text))

    def _style(self) -> _Style:
        style = _Style()
        while self._skip_blank():
            line = self._line
            if anchor := _ANCHOR.fullmatch(line.strip()):
                style.id = anchor[1]
            elif _ENTRY.fullmatch(line):
                self._place = self._attributes.read_entry(self._lines, self._place)
                continue
            elif match := _ATTRIBUTES.fullmatch(line):
                style.text += match[1]
                style.names = style.names or match[1].split(",")
                style.id = next(_ids(line), style.id)
            elif match := _BLOCK_TITLE.fullmatch(line):
                style.title = match[1]
            elif not (_MACRO.fullmatch(line) or _BREAK.fullmatch(line)):
                break
            self._place += 1
        return style

    # Blocks ------------------------------------------------------------------------------------

    def _block(self, style: _Style) -> list[str]:
        """Return the block at this line, under its title."""
        line = self._line
        delimiter = _DELIMITER.fullmatch(line)
        title = self._text(style.title) if style.title else ""
        if style.first in _NOTES:
            inside = self._delimited(style) if delimiter else [self._paragraph()]
            return [admonition(style.first.capitalize(), title, inside)]
        named = [f"**{title}**"] if title else []
        if delimiter:
            return [*named, *self._delimited(style)]
        if _ITEM.fullmatch(line) or (_TERM.fullmatch(line) and style.first != "source"):
            return [*named, self._list(())]
        if line[:1] in (" ", "\t") or style.first in ("source", "listing", "literal"):
            return [*named, code_block(self._attributes.replace(self._raw()), style.language)]
        if style.first in ("quote", "verse"):
            return [*named, quote(self._paragraph(), *self._credit(style))]
        return [*named, *self._note_or_text()]

    def _note_or_text(self) -> list[str]:
        paragraph = self._paragraph()
        note = _NOTE.fullmatch(paragraph)
        return [admonition(note[1].capitalize(), "", [note[2]])] if note else [paragraph]

    def _credit(self, style: _Style) -> list[str]:
        names = ", ".join(name.strip() for name in style.names[1:] if name.strip())
        return [f"— {self._text(names)}"] if names else []

    def _paragraph(self) -> str:
        lines = [line.strip() for line in self._raw_lines()]
        text = "\n".join(line.removesuffix(" +") for line in lines)
        return self._text(text)

    def _raw(self) -> str:
        return "\n".join(self._raw_lines())

    def _raw_lines(self) -> list[str]:
        """Return the lines up to the next empty one, at least one."""
        start = self._place
        self._place += 1
        ends = (_DELIMITER, _ATTRIBUTES, _CONTINUATION)
        while self._line.strip() and not any(end.fullmatch(self._line) for end in ends):
            self._place += 1
        return list(self._lines[start : self._place])

    def _delimited(self, style: _Style) -> list[str]:
        """Return what stands between this delimiter and the next one like it."""
        delimiter = self._line.strip()
        end = "```" if delimiter.startswith("```") else delimiter
        start = self._place + 1
        stop = start
        while stop < len(self._lines) and self._lines[stop].rstrip() != end:
            stop += 1
        inside, self._place = self._lines[start:stop], stop + 1
        kind = delimiter[0]
        if delimiter[1:2] == "=" and kind in "|,:!":
            return [self._table(inside, style, kind)]
        if kind == "+":  # for the writer of HTML alone
            return []
        is_code = kind in ".`" or (kind == "-" and delimiter != "--") or style.first == "source"
        if is_code:
            language = style.language or delimiter[3:] * (kind == "`")
            return [code_block("\n".join(inside), language)]
        blocks = self._inner(inside)
        if kind == "_" or style.first in ("quote", "verse"):
            return [quote(*blocks, *self._credit(style))]
        return blocks

    def _inner(self, lines: Sequence[str]) -> list[str]:
        blocks = Blocks()
        Reader(lines, self._attributes, self._inline, self._depth + 1).write(blocks)
        return [text for text in [blocks.finish()[0]] if text]

    # Lists -------------------------------------------------------------------------------------

    def _mark(self) -> str:
        """Return the kind of list item that this line begins, "" if it is none."""
        if match := _ITEM.fullmatch(self._line):
            mark = match["mark"]
            return "1." if mark[0].isalnum() else "<>" if mark[0] == "<" else mark
        if (match := _TERM.fullmatch(self._line)) and not _DELIMITER.fullmatch(self._line):
            return match["mark"]
        return ""

    def _list(self, outer: tuple[str, ...]) -> str:
        """Return the list that begins here; marks of lists around it end it."""
        if len(outer) > _MAX_DEPTH:
            raise ParseFailed(f"lists nested deeper than {_MAX_DEPTH} levels")
        mark = self._mark()
        made: list[str] = []
        while self._mark() == mark:
            head = self._item_head(mark, len(made) + 1)
            made.append(head if isinstance(head, str) else "")
            blocks = self._attached((*outer, mark))
            made[-1] = self._joined(head, blocks)
            place = self._place
            if not self._skip_blank() or self._mark() != mark:
                self._place = place
                break
        return items(made)

    def _item_head(self, mark: str, number: int) -> str:
        match = _ITEM.fullmatch(self._line) if mark not in ("::", ":::", "::::", ";;") else None
        if match:
            self._place += 1
            text = "\n".join([match["text"], *self._more_lines()])
            is_numbered = mark[0] in ".1<"
            return f"{number}. {self._text(text)}" if is_numbered else f"- {self._text(text)}"
        terms = []
        text = ""
        while not text and (term := _TERM.fullmatch(self._line)) and term["mark"] == mark:
            terms.append(f"**{self._text(term['term'])}**")
            text = term["text"] or ""
            self._place += 1
            if not text and self._mark() != mark:
                place = self._place
                text = self._definition(place)
        more = "\n".join([text, *self._more_lines()]) if text else ""
        return f"- {', '.join(terms)}" + (f"\n{self._text(more)}" if more.strip() else "")

    def _definition(self, place: int) -> str:
        """Return the first line of what is said of a term, which may stand after an empty one."""
        if not self._skip_blank() or self._mark() or self._is_block(self._line):
            self._place = place
            return ""
        self._place += 1
        return self._lines[self._place - 1].strip()

    def _is_block(self, line: str) -> bool:
        known = (_DELIMITER, _SECTION, _ATTRIBUTES, _BLOCK_TITLE)
        return line.strip() == "+" or any(form.fullmatch(line) for form in known)

    def _more_lines(self) -> Iterator[str]:
        """Yield the lines that go on with the text of an item."""
        while self._line.strip() and not self._mark() and not self._is_block(self._line):
            yield self._line.strip().removesuffix(" +")
            self._place += 1

    def _attached(self, marks: tuple[str, ...]) -> list[str]:
        """Return what belongs to an item: lists in it, and blocks after a line with `+`."""
        blocks: list[str] = []
        while True:
            place = self._place
            if self._line.strip() == "+":
                self._place += 1
                style = self._style()
                if self._place < len(self._lines):
                    blocks += self._block(style)
                continue
            if self._skip_blank() and (mark := self._mark()) and mark not in marks:
                blocks.append(self._list(marks))
                continue
            if self._line.strip() == "+" and place != self._place:
                continue
            self._place = place
            return blocks

    def _joined(self, head: str, blocks: Sequence[str]) -> str:
        mark, _, text = head.partition(" ")
        is_list = bool(blocks) and blocks[0].startswith(("- ", "1. "))
        if is_list:  # a list in an item stands close below its text
            return item(mark, f"{text}\n{blocks[0]}", *blocks[1:])
        return item(mark, text, *blocks)

    # Tables ------------------------------------------------------------------------------------

    def _table(self, lines: Sequence[str], style: _Style, kind: str) -> str:
        if kind in ",:" or "format=csv" in style.text:
            rows = list(csv.reader(lines, delimiter=":" if kind == ":" else ","))
            return table([[self._text(cell) for cell in row] for row in rows if row])
        separator = "!" if kind == "!" else "|"
        text = [line.replace("!", "|") if separator == "!" else line for line in lines]
        width = _columns(style.text) or _first_width(text)
        return table([[self._text(cell) for cell in row] for row in _rows(text, width)])


@dataclass(frozen=True, slots=True)
class _Cell:
    text: str
    copies: int = 1
    across: int = 1
    down: int = 1


def _columns(text: str) -> int:
    """Return how many columns `cols=` names: `3*`, `1,2,1`, `"1,2*a"`."""
    match = _COLUMNS.search(text)
    if not match:
        return 0
    parts = [part for part in re.split("[,;]", match[1]) if part.strip()]
    counts = (re.match(r"\s*(\d{1,3})\*", part) for part in parts)
    return min(sum(int(count[1]) if count else 1 for count in counts), _MAX_COLUMNS)


def _first_width(lines: Sequence[str]) -> int:
    first = next((line for line in lines if line.strip()), "")
    cells = list(_cells(first))
    return min(max(sum(cell.copies * cell.across for cell in cells), 1), _MAX_COLUMNS)


def _cells(text: str) -> Iterator[_Cell]:
    marks = list(_CELL.finditer(text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    for match, end in zip(marks, ends, strict=False):
        copies, across, down = (int(match[name] or 1) for name in ("copies", "across", "down"))
        yield _Cell(text[match.end() : end].strip().replace("\\|", "|"), copies, across, down)


def _rows(lines: Sequence[str], width: int) -> list[list[str]]:
    """Return the cells row by row; those that others reach into are empty."""
    rows: list[list[str]] = []
    row: list[str] = []
    taken: dict[int, int] = {}  # rows that a column is still taken for, by column
    for cell in _cells("\n".join(lines)):
        for _ in range(min(cell.copies, _MAX_COLUMNS)):
            while taken.get(len(row), 0) and len(row) < width:
                taken[len(row)] -= 1
                row.append("")
            for column in range(len(row), min(len(row) + cell.across, width)):
                taken[column] = cell.down - 1
            row += [cell.text, *[""] * (min(cell.across, width - len(row)) - 1)]
            if len(rows) * width > _MAX_CELLS:
                raise ParseFailed(f"a table of more than {_MAX_CELLS:,} cells")
            if len(row) >= width:
                rows.append(row)
                row = []
    return [*rows, row] if row else rows
