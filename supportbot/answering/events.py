"""Reads server-sent events out of bytes, within bounds.

Method: WHATWG HTML, "Server-sent events", with two liberties for endpoints as they are: an event
that the end of the stream cuts off is still given, and lines that are no field (a page, a JSON
object sent in place of a stream) are given together at the end.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

MAX_EVENT_BYTES = 1_000_000
MAX_STREAM_BYTES = 32_000_000
_FIELDS = frozenset({"event", "id", "retry", ""})


class TooLong(ValueError):
    """A line, an event or the whole stream is longer than allowed."""


async def read_events(chunks: AsyncIterator[bytes]) -> AsyncGenerator[str, None]:
    """Yield the data of each event, then what was no event.

    Raises:
        TooLong: past `MAX_EVENT_BYTES` or `MAX_STREAM_BYTES`.
        UnicodeDecodeError: what arrived is no UTF-8.
    """
    data: list[str] = []
    stray: list[str] = []
    async for line in _lines(chunks):
        name, _, value = line.partition(":")
        if not line and data:
            yield "\n".join(data)
            data.clear()
        elif line and name == "data":
            data.append(value.removeprefix(" "))
        elif line and name not in _FIELDS:
            stray.append(line)
        if sum(map(len, data)) > MAX_EVENT_BYTES or len(stray) > MAX_EVENT_BYTES // 100:
            raise TooLong("an event has no end")
    for rest in (data, stray):
        if rest:
            yield "\n".join(rest)


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    pending = bytearray()
    total = 0
    async for chunk in chunks:
        total += len(chunk)
        searched = len(pending)
        pending += chunk
        if total > MAX_STREAM_BYTES:
            raise TooLong("the stream has no end")
        while (end := pending.find(b"\n", searched)) >= 0:
            yield pending[:end].removesuffix(b"\r").decode()
            del pending[: end + 1]
            searched = 0
        if len(pending) > MAX_EVENT_BYTES:
            raise TooLong("a line has no end")
    if pending:
        yield pending.removesuffix(b"\r").decode()
