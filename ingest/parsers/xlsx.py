"""Excel files: the cells that a reader sees, as text.

`openpyxl` and `python-calamine` were compared with reading the XML by `lxml`: read row by row, the
former knows neither hidden rows nor merged cells, and the latter drops number formats.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ingest.errors import ParseFailed
from ingest.parsers.numberformats import BUILT_IN, GENERAL, shown
from ingest.parsers.office import Element, Package, Part, Properties, is_on_by, local
from ingest.parsers.writing import link

_MAX_SHEETS = 200
_MAX_COLUMNS = 500
_MAX_CELLS = 500_000  # that hold something, in all sheets
_MAX_CHARACTERS = 20_000_000
_MAX_ELEMENTS = 2_000_000  # rows with and without cells; strings
_LONGEST_REPEATED = 300  # characters of a merged cell that each of its rows says again
_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7})")
_UNSEEN_FORMAT = ";;;"

Rows = list[list[str]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is seen of one sheet."""

    name: str
    rows: Rows


@dataclass(frozen=True, slots=True)
class Workbook:
    """The sheets that are seen, and what was left out of them, for people."""

    sheets: tuple[Sheet, ...]
    properties: Properties
    notes: tuple[str, ...]


@dataclass(slots=True)
class _LeftOut:
    """Counts what is not read."""

    sheets: int = 0
    rows: int = 0
    columns: int = 0
    formulas: int = 0

    def notes(self) -> Iterator[str]:
        """Yield a line for each kind."""
        if self.sheets:
            yield f"hidden sheets were left out ({self.sheets})"
        if self.rows:
            yield f"hidden rows were left out ({self.rows})"
        if self.columns:
            yield f"hidden columns were left out ({self.columns})"
        if self.formulas:
            yield (
                f"formulas without a saved result were left out ({self.formulas}); open the file in"
                " a spreadsheet program and save it"
            )


def read(data: bytes) -> Workbook:
    """Return the workbook.

    Raises:
        ParseFailed: it is none, is encrypted or damaged, or has more cells than a document has.
    """
    package = Package(data)
    main = package.main("workbook", "an Excel workbook")
    entries = main.root.findall("sheets/sheet")
    if len(entries) > _MAX_SHEETS:
        raise ParseFailed(f"more than {_MAX_SHEETS} sheets")
    reader = _Reader(package, main)
    sheets = []
    for entry in entries:
        if entry.get("state", "visible") != "visible":
            reader.left_out.sheets += 1
        else:
            rows = reader.rows(main.target(entry))
            sheets.append(Sheet(" ".join(entry.get("name", "").split()), rows))
    return Workbook(tuple(sheets), package.properties(), tuple(reader.left_out.notes()))


@dataclass(slots=True)
class _Grid:
    """The cells of one sheet while it is read, by row and column, both from 1."""

    cells: dict[int, dict[int, str]] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)  # columns
    unread: set[int] = field(default_factory=set)  # those of them that hold something

    def rows(self) -> Rows:
        """Return all rows that hold something, top down."""
        made: Rows = []
        for _, row in sorted(self.cells.items()):
            made.append([row.get(column, "") for column in range(1, max(row, default=0) + 1)])
        return made

    def spread(self, area: str) -> None:
        """Say the text of a merged area again in each of its rows."""
        corners = [_place(corner) for corner in area.split(":")]
        if len(corners) != 2 or None in corners:
            return
        (top, left), (bottom, _) = (corner for corner in corners if corner)
        text = self.cells.get(top, {}).get(left, "")
        rows = self.cells if bottom - top > len(self.cells) else range(top + 1, bottom + 1)
        for number in rows if text else ():
            if top < number <= bottom and number in self.cells:
                self.cells[number].setdefault(left, text[:_LONGEST_REPEATED])

    def link(self, reference: str, target: str) -> None:
        """Give the text of a cell an address."""
        place = _place(reference)
        row = self.cells.get(place[0], {}) if place else {}
        if place and (text := row.get(place[1])):
            row[place[1]] = link(text, target)


class _Reader:
    def __init__(self, package: Package, main: Part) -> None:
        self._package = package
        strings = package.stream(main.kinds.get("sharedStrings", ""), "si")
        self._strings = [_text(element) for _, element in _bounded(strings)]
        self._formats = _formats(package.related(main, "styles"))
        properties = main.root.find("workbookPr")
        self._is_1904 = properties is not None and is_on_by(properties, "date1904")
        self._cells = self._characters = 0
        self.left_out = _LeftOut()

    def rows(self, part: str) -> Rows:
        """Return the rows of the sheet in a part."""
        grid = _Grid()
        number = 0
        targets = self._package.targets(part)
        elements = self._package.stream(part, "col", "row", "mergeCell", "hyperlink")
        for tag, element in _bounded(elements):
            if tag == "row":
                number = _whole(element.get("r"), number + 1)
                self._read_row(element, number, grid)
            elif tag == "col" and _is_hidden(element, "width"):
                first, last = _whole(element.get("min"), 1), _whole(element.get("max"), 1)
                grid.hidden |= set(range(first, min(last, _MAX_COLUMNS) + 1))
            elif tag == "mergeCell":
                grid.spread(element.get("ref", ""))
            elif tag == "hyperlink":
                ids = [value for name, value in element.attrib.items() if name.endswith("}id")]
                grid.link(element.get("ref", ""), targets.get("".join(ids), ""))
        self.left_out.columns += len(grid.unread)
        return grid.rows()

    def _read_row(self, element: Element, number: int, grid: _Grid) -> None:
        if _is_hidden(element, "ht"):
            self.left_out.rows += any(True for _ in element)
            return
        row: dict[int, str] = {}
        column = 0
        for cell in element:
            place = _place(cell.get("r", ""))
            column = place[1] if place else column + 1
            text = self._shown(cell).strip()
            if text and column in grid.hidden:
                grid.unread.add(column)
            elif text:
                row[column] = text
        self._cells += len(row)
        self._characters += sum(map(len, row.values()))
        if self._cells > _MAX_CELLS or self._characters > _MAX_CHARACTERS:
            raise ParseFailed(f"more than {_MAX_CELLS:,} cells, or very long ones; split it")
        if max(row, default=0) > _MAX_COLUMNS:
            raise ParseFailed(f"more than {_MAX_COLUMNS} columns")
        if row:
            grid.cells[number] = row

    def _shown(self, cell: Element) -> str:
        kind = cell.get("t", "n")
        values = {local(child): child for child in cell}
        if kind == "inlineStr":
            return _text(values["is"]) if "is" in values else ""
        value = values["v"].text or "" if "v" in values else ""
        if not value:
            self.left_out.formulas += "f" in values
            return ""
        code = self._format(cell)
        if kind == "e" or code == _UNSEEN_FORMAT:
            return ""
        if kind == "s":
            return self._strings[int(value)]
        if kind == "b":
            return "TRUE" if value == "1" else "FALSE"
        return shown(float(value), code, self._is_1904) if kind == "n" else value

    def _format(self, cell: Element) -> str:
        style = _whole(cell.get("s"), 0)
        return self._formats[style] if style < len(self._formats) else GENERAL


def _bounded(elements: Iterator[tuple[str, Element]]) -> Iterator[tuple[str, Element]]:
    for count, element in enumerate(elements):
        if count > _MAX_ELEMENTS:
            raise ParseFailed(f"more than {_MAX_ELEMENTS:,} rows or texts; split it")
        yield element


def _formats(styles: Element | None) -> list[str]:
    """Return the format code of each style of cells."""
    if styles is None:
        return []
    own = {form.get("numFmtId"): form.get("formatCode", "") for form in styles.iter("numFmt")}
    ids = [style.get("numFmtId", "0") for style in styles.iterfind("cellXfs/xf")]
    return [own.get(name) or BUILT_IN.get(_whole(name, 0), GENERAL) for name in ids]


def _text(element: Element) -> str:
    """Return the text of a string, without the readings that stand above characters."""
    if local(element) == "t":
        return element.text or ""
    return "".join(_text(child) for child in element if local(child) in ("t", "r", "si"))


def _is_hidden(element: Element, size: str) -> bool:
    """Tell whether a row or column is hidden, or has no height or width."""
    return is_on_by(element, "hidden") or element.get(size) in ("0", "0.0")


def _place(reference: str) -> tuple[int, int] | None:
    """Return row and column of a reference such as `B3`, both from 1."""
    match = _REFERENCE.fullmatch(reference)
    if not match:
        return None
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return int(match[2]), column


def _whole(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 8 else otherwise
