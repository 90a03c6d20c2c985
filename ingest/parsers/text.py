"""Plain text. Its title is its first line where a blank line sets that apart."""

from __future__ import annotations

import re

from ingest.parsers.base import Parsed
from ingest.parsers.characters import clean, decode
from ingest.sources.base import RawDocument

_TITLE = re.compile(r"\s*(\S[^\n]{0,119})\n[ \t]*\n+(?=\s*\S)")


def parse(raw: RawDocument) -> Parsed:
    """Return the text as it stands."""
    text = clean(decode(raw.data))
    match = _TITLE.match(text)
    title = match[1].strip() if match else ""
    return Parsed(text=text[match.end() :] if match else text, title=title)
