"""Raw documents for tests of parsers."""

from __future__ import annotations

from ingest.parsers import parse
from ingest.parsers.base import Parsed
from ingest.sources.base import Labels, RawDocument


def raw(name: str, data: bytes | str, base_url: str = "", audience: str = "public") -> RawDocument:
    content = data.encode() if isinstance(data, str) else data
    ending = "." + name.rpartition(".")[2]
    return RawDocument(name, "docs", ending, content, Labels(audience, base_url))


def parsed(name: str, data: bytes | str, base_url: str = "") -> Parsed:
    return parse(raw(name, data, base_url))
