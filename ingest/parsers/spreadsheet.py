"""Spreadsheets: FAQ sheets become questions with answers, all others tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import takewhile

from ingest.errors import DocumentEmpty, ParseFailed
from ingest.parsers import delimited, faq, xlsx
from ingest.parsers.base import Parsed
from ingest.parsers.characters import clean, decode
from ingest.parsers.office import Properties
from ingest.parsers.writing import inert, one_line, table, trimmed, weight
from ingest.parsers.xlsx import Rows, Sheet, Workbook
from ingest.sources.base import RawDocument
from knowledge.documents import ARTICLE, FAQ

_LONG_ROW = 150  # tokens with its head: such rows fill a passage each
_MANY = 0.1  # share of long rows from which on all rows are written as records
_LONGEST_KEY = 80  # characters of a first cell that names its row
_NUMBER = re.compile(r"[-+(]?[\d.,:/%€$£\s-]*\d[\d.,:/%€$£)\s-]*")


def parse(raw: RawDocument) -> Parsed:
    """Return the sheets that are seen.

    Raises:
        DocumentEmpty: no cell is seen.
        ParseFailed: it cannot be read, or all its questions are for other audiences.
    """
    book = _book(raw)
    sheets = [(sheet, faq.read(sheet.rows)) for sheet in book.sheets if sheet.rows]
    if not sheets:
        raise DocumentEmpty("it holds no cell that is seen")
    entries = [
        entry if entry.category or len(sheets) == 1 else replace(entry, category=sheet.name)
        for sheet, read in sheets
        for entry in (read.entries if read else ())
    ]
    share = faq.fitting(entries, raw.about.audiences, raw.labels.audience)
    tables = [sheet for sheet, read in sheets if read is None]
    if entries and not share.kept and not tables:
        raise ParseFailed(share.note)
    parts = [*_sections(share.kept), *_tables(tables, is_alone=len(sheets) == 1)]
    tags = (*book.properties.tags, *(tag for entry in share.kept for tag in entry.tags))
    return Parsed(
        text=clean("\n\n".join(parts)),
        title=clean(book.properties.title),
        language=book.properties.language,
        modified_at=book.properties.modified_at,
        audiences=share.audiences,
        tags=tuple(dict.fromkeys(tags)),
        kind=FAQ if entries else ARTICLE,
        notes=(*book.notes, *_notes([read for _, read in sheets if read], share)),
    )


def _book(raw: RawDocument) -> Workbook:
    if raw.ending == ".xlsx":
        return xlsx.read(raw.data)
    rows = delimited.read(decode(raw.data), raw.ending)
    return Workbook((Sheet("", trimmed(rows)),), Properties(), ())


def _notes(sheets: Sequence[faq.Sheet], share: faq.Share) -> Iterator[str]:
    unread = dict.fromkeys(name for sheet in sheets for name in sheet.unread)
    if unread:
        yield f"columns beside question and answer were left out: {', '.join(unread)}"
    incomplete = sum(sheet.incomplete for sheet in sheets)
    if incomplete:
        yield f"rows with a question or an answer alone were left out ({incomplete})"
    if share.left_out:
        yield share.note


def _sections(entries: Sequence[faq.Entry]) -> Iterator[str]:
    """Yield the entries below their categories; those without one go before all others."""
    categories = dict.fromkeys(entry.category for entry in entries)
    for category in sorted(categories, key=bool):
        if category:
            yield f"# {category}"
        yield from (entry.markdown for entry in entries if entry.category == category)


def _tables(sheets: Sequence[Sheet], is_alone: bool) -> Iterator[str]:
    for sheet in sheets:
        rows = trimmed(sheet.rows)
        if not is_alone:
            yield f"# {sheet.name}"
        # What stands alone in the first rows is the table's title, or says something about it.
        alone = list(takewhile(lambda row: sum(map(bool, row)) == 1 < len(row), rows))
        yield from (inert("".join(row)) for row in alone)
        yield _table(trimmed(rows[len(alone) :]))


def _table(rows: Rows) -> str:
    if not rows or len(rows[0]) == 1:
        return table(rows)
    if any(_NUMBER.fullmatch(cell) for cell in rows[0]):
        rows = [[_letter(place) for place in range(len(rows[0]))], *rows]
    head, *weights = (weight(" | ".join(row)) for row in rows)
    long = sum(head + tokens > _LONG_ROW for tokens in weights)
    if long <= _MANY * len(rows):
        return table(rows)
    return "\n\n".join(_record(rows[0], row) for row in rows[1:])


def _record(head: Sequence[str], row: Sequence[str]) -> str:
    """Return a row as lines that name their columns, below a heading that names the row."""
    pairs = [(name, cell) for name, cell in zip(head, row, strict=True) if cell]
    lines = [
        f"**{one_line(name)}**: {inert(cell)}" if name else inert(cell) for name, cell in pairs
    ]
    key = one_line(pairs[0][1])
    heading = [f"## {key}"] if len(key) <= _LONGEST_KEY else []
    return "\n\n".join([*heading, "\n".join(lines)])


def _letter(place: int) -> str:
    """Return the name of a column from 0, as spreadsheet programs have it."""
    first, last = divmod(place, 26)
    return (_letter(first - 1) if first else "") + chr(ord("A") + last)
