"""Delimited text: CSV in any of its dialects, and TSV."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from ingest.errors import ParseFailed

_DELIMITERS = (",", ";", "\t", "|")
_LOOKED_AT = 100  # records
_MAX_CELLS = 500_000
_MAX_COLUMNS = 500
_DECLARED = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)  # a first line that Excel understands


def read(text: str, ending: str = ".csv") -> list[list[str]]:
    """Return the records of a delimited text.

    Raises:
        ParseFailed: it has more cells or columns than a document has.
    """
    declared = _DECLARED.match(text)
    text = text[declared.end() :] if declared else text
    delimiter = declared[1] if declared else _delimiter(text, ending)
    rows: list[list[str]] = []
    count = 0
    try:
        for row in _records(text, delimiter, is_quoted=_is_quoted(text, delimiter)):
            if any(row):
                rows.append([cell.strip() for cell in row])
            count += len(row)
            if count > _MAX_CELLS:
                raise ParseFailed(f"more than {_MAX_CELLS:,} cells; split it")
    except csv.Error as error:
        raise ParseFailed(f"not delimited text: {error}") from error
    if max(map(len, rows), default=0) > _MAX_COLUMNS:
        raise ParseFailed(f"more than {_MAX_COLUMNS} columns")
    return rows


def _delimiter(text: str, ending: str) -> str:
    """Return the delimiter that cuts most records into the same number of fields.

    Of several that do, the one that makes most fields is meant; commas and semicolons also stand
    in sentences, but seldom equally often in each record.
    """
    if ending == ".tsv":
        return "\t"
    return max(_DELIMITERS, key=lambda delimiter: _regularity(text, delimiter))


def _regularity(text: str, delimiter: str) -> tuple[float, int]:
    """Return the share of records that have the usual number of fields, and that number."""
    is_quoted = _is_quoted(text, delimiter)
    try:
        records = list(islice(_records(text, delimiter, is_quoted), _LOOKED_AT))
    except csv.Error:
        return 0.0, 0
    widths = Counter(len(record) for record in records if any(record))
    if not widths:  # it has nothing but this delimiter
        return 0.0, 2
    width, count = max(widths.items(), key=lambda item: (item[0] > 1, item[1], item[0]))
    return (count / widths.total(), width) if width > 1 else (0.0, 1)


def _is_quoted(text: str, delimiter: str) -> bool:
    """Tell whether quotes enclose fields; one that is never closed is part of its text."""
    try:
        for _ in islice(_records(text, delimiter, is_quoted=True), _LOOKED_AT):
            pass
    except csv.Error:
        return False
    return True


def _records(text: str, delimiter: str, is_quoted: bool) -> Iterator[list[str]]:
    return csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if is_quoted else csv.QUOTE_NONE,
        skipinitialspace=True,
        strict=is_quoted,
    )
