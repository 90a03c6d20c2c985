"""Which passages are known to disagree: what the last sync found, looked up for an answer."""

from __future__ import annotations

import json
import re
import stat
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knowledge.documents import Chunk

FILE = "findings.json"
MAX_BYTES = 100_000_000


@dataclass(frozen=True, slots=True)
class Side:
    """What one passage says, in its words but for marks and line breaks."""

    chunk: Chunk
    words: str


Dispute = tuple[Side, Side]


class Disputes:
    """The contradictions that were found in the documents of a home.

    Any number of threads may call at once. A missing or unreadable file is none: it is a note that
    the next sync writes anew.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / FILE
        self._lock = threading.Lock()
        self._read_at = 0
        self._pairs: list[tuple[_Said, _Said]] = []

    def among(self, chunks: Sequence[Chunk]) -> list[Dispute]:
        """Return the pairs of these passages that disagree.

        Both sides must still stand there word for word, so that what was mended since is none.
        """
        found = []
        for one, other in self._known():
            here, there = one.among(chunks), other.among(chunks)
            if here and there:
                found.append((here, there))
        return found

    def _known(self) -> list[tuple[_Said, _Said]]:
        with self._lock:
            try:
                found = self._path.stat()
                if found.st_mtime_ns != self._read_at:
                    is_fit = stat.S_ISREG(found.st_mode) and found.st_size <= MAX_BYTES
                    self._pairs = _pairs(self._path) if is_fit else []
                    self._read_at = found.st_mtime_ns
            except OSError:
                return []
            return self._pairs


@dataclass(frozen=True, slots=True)
class _Said:
    document_id: str
    words: str

    def among(self, chunks: Sequence[Chunk]) -> Side | None:
        """Return the passage of these that says it."""
        of_document = (chunk for chunk in chunks if chunk.document_id == self.document_id)
        return next((Side(c, self.words) for c in of_document if self.words in plain(c.text)), None)


def _pairs(path: Path) -> list[tuple[_Said, _Said]]:
    """Return the pairs that a file holds, none where it is no file of findings."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        return [_pair(*one["passages"]) for one in held["contradictions"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def _pair(one: Any, other: Any) -> tuple[_Said, _Said]:
    return (
        _Said(str(one["document"]), plain(str(one["text"]))),
        _Said(str(other["document"]), plain(str(other["text"]))),
    )


def plain(text: str) -> str:
    """Return a text without Markdown's marks and link targets, white space as single blanks."""
    return " ".join(_LINK.sub(r"\1", text).translate(_MARKS).split())


_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)")
_MARKS = str.maketrans({"*": None, "_": None, "`": None, "#": None, "|": " "})
