"""An answer as server-sent events (WHATWG HTML, section 9.2), cancelled when the client leaves."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Coroutine
from dataclasses import asdict
from typing import Any, TypeVar

from starlette.types import Receive

from supportbot.conversation import Answer, AnswerEvent, Status, Text, new_id

KEEP_ALIVE_SECONDS = 15.0
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

Result = TypeVar("Result")
log = logging.getLogger(__name__)


def encode(event: AnswerEvent) -> bytes:
    """Return one event in its wire form."""
    match event:
        case Status():
            return _frame("status", asdict(event))
        case Text():
            return _frame("text", asdict(event))
        case Answer():
            return _frame("answer", event.to_json())


async def event_stream(
    events: AsyncIterator[AnswerEvent], keep_alive: float = KEEP_ALIVE_SECONDS
) -> AsyncIterator[bytes]:
    """Yield the events' wire form, and a comment line whenever nothing came for `keep_alive` s.

    The last frame is an `answer` or, should the answerer break its promise, an `error`. Closing
    this generator cancels the answering.
    """
    queue: asyncio.Queue[bytes | None] = asyncio.Queue()
    answering = asyncio.create_task(_pump(events, queue))
    try:
        while True:
            try:
                async with asyncio.timeout(keep_alive):
                    frame = await queue.get()
            except TimeoutError:
                frame = b": still here\n\n"
            if frame is None:
                return
            yield frame
    finally:
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)


async def _pump(events: AsyncIterator[AnswerEvent], queue: asyncio.Queue[bytes | None]) -> None:
    """Drive the answerer in one task: it may hold time-outs open while it yields."""
    is_answered = False
    reference = new_id("ref")
    try:
        async for event in events:
            queue.put_nowait(encode(event))
            is_answered = isinstance(event, Answer)
    except Exception:  # a front door: what goes wrong inside is logged and never shown
        log.exception("answering failed", extra={"reference": reference})
    if not is_answered:
        log.error("a stream ended without an answer", extra={"reference": reference})
        queue.put_nowait(_frame("error", _error(reference)))
    queue.put_nowait(None)


async def while_connected(receive: Receive, work: Coroutine[Any, Any, Result]) -> Result | None:
    """Return what `work` returns; when the client leaves first, cancel it and return None."""
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_left(receive))
    try:
        await asyncio.wait([working, leaving], return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _frame(name: str, data: dict[str, Any]) -> bytes:
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"event: {name}\ndata: {text}\n\n".encode()


def _error(reference: str) -> dict[str, Any]:
    message = "Something went wrong on our side. Please try again."
    return {"code": "internal", "message": message, "reference": reference}
