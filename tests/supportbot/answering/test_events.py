from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.answering.events import MAX_EVENT_BYTES, MAX_STREAM_BYTES, TooLong, read_events


async def feed(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def events(*chunks: bytes) -> list[str]:
    return [data async for data in read_events(feed(*chunks))]


async def test_comments_names_and_ids_are_passed_over() -> None:
    raw = b": ping\n\nevent: x\nid: 1\ndata: a\ndata: b\n\nretry: 5\n\ndata:c\n\n"
    assert await events(raw) == ["a\nb", "c"]


async def test_an_event_that_the_end_cuts_off_is_still_given() -> None:
    assert await events(b"data: a") == ["a"]


async def test_what_is_no_event_comes_together_at_the_end() -> None:
    assert await events(b'{"error":\n "x"}') == ['{"error":\n "x"}']


@given(st.lists(st.integers(1, 40), max_size=6))
async def test_letters_may_be_split_over_chunks(cuts: list[int]) -> None:
    raw = "data: „Größe“ ✅ 14日\r\n\r\ndata: ok\r\n\r\n".encode()
    places = sorted({0, len(raw), *cuts})
    chunks = [raw[start:end] for start, end in pairwise(places)]
    assert await events(*chunks) == ["„Größe“ ✅ 14日", "ok"]


@pytest.mark.parametrize(
    "chunks",
    [
        [b"x" * (MAX_EVENT_BYTES + 1)],
        [b"data: " + b"x" * 900_000 + b"\n"] * 2,
        [b": " + b"x" * 900_000 + b"\n"] * (MAX_STREAM_BYTES // 900_000 + 1),
        [b"<\n"] * (MAX_EVENT_BYTES // 100 + 1),
    ],
    ids=["line", "event", "stream", "no events"],
)
async def test_nothing_endless_is_read(chunks: list[bytes]) -> None:
    with pytest.raises(TooLong):
        await events(*chunks)
