"""What named fields say of a document: front matter, fields of a record, properties of a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

from ingest.errors import ParseFailed

_DATE_FORMS = ("%B %d, %Y %I:%M %p", "%B %d, %Y", "%b %d, %Y", "%Y/%m/%d %H:%M", "%Y/%m/%d")
_SECONDS = (10**8, 10**11)  # numbers that are seconds since 1970: of the years 1973 to 5138


def first_text(fields: Mapping[str, Any], *keys: str) -> str:
    """Return the first of these fields that is there, as one line."""
    values = (fields.get(key) for key in keys)
    texts = (" ".join(str(v).split()) for v in values if not isinstance(v, dict | list | None))
    return next(filter(None, texts), "")


def moment(fields: Mapping[str, Any], *keys: str) -> str:
    """Return the first of these dates as ISO 8601, "" where none is legible."""
    for value in (fields.get(key) for key in keys):
        if isinstance(value, date):  # of which `datetime` is a kind
            return value.isoformat()
        if isinstance(value, int | float) and _SECONDS[0] < value < _SECONDS[1]:
            return datetime.fromtimestamp(value, UTC).isoformat()
        for made in _moments(str(value).strip().lstrip("@")):
            return made.isoformat()
    return ""


def last_day(fields: Mapping[str, Any], key: str = "valid_until") -> str:
    """Return the last day on which the document holds.

    Raises:
        ParseFailed: it is there but no date; such a document must not hold for good.
    """
    value = fields.get(key)
    if value is None:
        return ""
    try:
        day = value if isinstance(value, date) else datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise ParseFailed(f"its {key} is no date: {str(value)[:40]!r}; write YYYY-MM-DD") from None
    return f"{day:%Y-%m-%d}"


def tags(fields: Mapping[str, Any], *keys: str) -> tuple[str, ...]:
    """Return the tags of these fields, each a list or a line with commas."""
    parts: list[Any] = []
    for value in (fields.get(key) for key in keys):
        parts += value if isinstance(value, list) else str(value).split(",") if value else ()
    names = (part.get("name", "") if isinstance(part, dict) else part for part in parts)
    return tuple(dict.fromkeys(tag for name in names if (tag := " ".join(str(name).split()))))


def audiences(fields: Mapping[str, Any], *keys: str) -> frozenset[str] | None:
    """Return the audiences; empty where the label is there but says nothing legible."""
    labels = [fields[key] for key in keys if key in fields]
    if not labels:
        return None
    values = [
        value for label in labels for value in (label if isinstance(label, list) else [label])
    ]
    if not all(isinstance(value, str) and value.strip() for value in values):
        return frozenset()
    return frozenset(value.strip() for value in values)


def _moments(text: str) -> Iterator[datetime]:
    with suppress(ValueError):
        yield datetime.fromisoformat(text)
    for form in _DATE_FORMS:
        with suppress(ValueError):
            yield datetime.strptime(text, form)
