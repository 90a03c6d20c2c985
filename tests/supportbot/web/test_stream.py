from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from supportbot.conversation import AnswerEvent, Status
from supportbot.web.stream import event_stream
from tests.servers.web import ANSWER


async def silent_then_answer(release: asyncio.Event) -> AsyncIterator[AnswerEvent]:
    await release.wait()
    yield ANSWER


async def test_a_comment_goes_out_while_nothing_happens() -> None:
    release = asyncio.Event()
    frames = event_stream(silent_then_answer(release), keep_alive=0.01)
    assert (await anext(frames)).startswith(b":")
    assert (await anext(frames)).startswith(b":")
    release.set()
    rest = [frame async for frame in frames]
    assert rest[-1].startswith(b"event: answer\n")


async def time_limited() -> AsyncIterator[AnswerEvent]:
    async with asyncio.timeout(60):
        yield Status("searching")
        await asyncio.sleep(0)
        yield ANSWER


async def test_an_answerer_may_hold_a_time_out_open_while_it_yields() -> None:
    frames = [frame async for frame in event_stream(time_limited())]
    assert len(frames) == 2


async def test_closing_the_stream_cancels_the_answering() -> None:
    cancelled = asyncio.Event()

    async def endless() -> AsyncIterator[AnswerEvent]:
        try:
            yield Status("searching")
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    frames = event_stream(endless())
    await anext(frames)
    await frames.aclose()  # type: ignore[attr-defined]
    assert cancelled.is_set()


async def nothing() -> AsyncIterator[AnswerEvent]:
    for event in ():
        yield event


async def test_a_stream_without_an_answer_ends_with_an_error() -> None:
    frames = [frame async for frame in event_stream(nothing())]
    assert [frame.split(b"\n")[0] for frame in frames] == [b"event: error"]
