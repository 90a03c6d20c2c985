"""A source of documents in memory, whose documents may fail to be read or be a parser's end."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from typing import Any

from ingest.errors import ParseFailed
from ingest.sources.base import Labels, Listed, Listing, RawDocument
from ingest.sources.state import SourceState
from knowledge.documents import content_hash


class Trap(str):
    """A text that does something to the process that parses it: `abort`, `sleep` and so on."""

    __slots__ = ()


class Unreachable(ParseFailed):
    """A document that may be there again soon."""

    is_transient = True


class _TrapDocument(RawDocument):
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        name, _, argument = self.data.decode().partition(" ")
        traps: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
            "abort": (os.abort, ()),
            "exit": (os._exit, (3,)),
            "sleep": (time.sleep, (60,)),
            "spin": (eval, ("sum(iter(int, 1))",)),
            "fill": (bytearray, (2 * 1024**3,)),
            "fork": (subprocess.run, (["sh", "-c", f"echo $$ > {argument}; sleep 60; true"],)),
        }
        return traps[name]


class Shelf:
    """Documents by id; an error among them is raised when it is read.

    Attributes:
        memory: there is none.
        was_read: the ids of what was read, in order.
        error: is raised by `list`.
    """

    def __init__(self, name: str = "shelf", **texts: str | ParseFailed) -> None:
        self.name = name
        self.texts = texts
        self.was_read: list[str] = []
        self.error: Exception | None = None
        self.memory: SourceState | None = None

    def list(self) -> Listing:
        if self.error:
            raise self.error
        rows = sorted((id_, content_hash(str(text))) for id_, text in self.texts.items())
        return Listing(tuple(Listed(id_, self, stamp, Labels(), "") for id_, stamp in rows))

    def read(self, item: Listed) -> RawDocument:
        self.was_read.append(item.id)
        text = self.texts[item.id]
        if isinstance(text, ParseFailed):
            raise text
        kind = _TrapDocument if isinstance(text, Trap) else RawDocument
        return kind(item.id, self.name, ".md", text.encode(), item.labels, stamp=item.stamp)

    def stamp(self) -> str:
        return content_hash(repr(sorted(self.texts.items())))
