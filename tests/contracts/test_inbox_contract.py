"""What every Inbox keeps, the one in memory and the one in the database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from supportbot.database import Database
from supportbot.inbox import Inbox, SqlInbox
from tests.fakes import MemoryInbox

MakeInbox = Callable[..., Inbox]


@pytest.fixture(params=["memory", "sql"])
def make_inbox(request: pytest.FixtureRequest, database: Database) -> MakeInbox:
    def make(**options: Any) -> Inbox:
        return SqlInbox(database, **options) if request.param == "sql" else MemoryInbox(**options)

    return make


async def test_an_event_is_accepted_once_whatever_became_of_it(make_inbox: MakeInbox) -> None:
    inbox = make_inbox()
    assert await inbox.accept("k", {"text": "hello"})
    assert not await inbox.accept("k", {"text": "hello"})
    await inbox.claim_key("k", "worker")
    await inbox.finish("k", "worker")
    assert not await inbox.accept("k", {"text": "hello"})


async def test_twenty_copies_at_once_are_one_event(make_inbox: MakeInbox) -> None:
    inbox = make_inbox()
    assert sum(await asyncio.gather(*(inbox.accept("k", {}) for _ in range(20)))) == 1


async def test_an_event_is_held_by_one_worker(make_inbox: MakeInbox) -> None:
    inbox = make_inbox()
    await inbox.accept("k", {"text": "hello"})
    item = await inbox.claim_key("k", "first")
    assert item is not None
    assert (item.payload, item.attempts) == ({"text": "hello"}, 1)
    assert await inbox.claim_key("k", "second") is None
    assert await inbox.claim("second") == []


async def test_events_are_claimed_in_the_order_of_their_arrival(make_inbox: MakeInbox) -> None:
    inbox = make_inbox()
    for key in ("a", "b", "c"):
        await inbox.accept(key, {})
    assert [item.key for item in await inbox.claim("w", limit=2)] == ["a", "b"]
    assert [item.key for item in await inbox.claim("w", limit=2)] == ["c"]


async def test_a_dead_workers_event_is_finished_by_another_that_knows_its_notes(
    make_inbox: MakeInbox,
) -> None:
    inbox = make_inbox(lease_seconds=0.05)
    await inbox.accept("k", {})
    await inbox.claim_key("k", "dead")
    await inbox.note("k", "dead", ts="17.1")
    await asyncio.sleep(0.1)
    [item] = await inbox.claim("heir")
    assert (item.notes, item.attempts) == ({"ts": "17.1"}, 2)
    assert not await inbox.renew("k", "dead")
    await inbox.note("k", "dead", ts="99")
    await inbox.finish("k", "dead")
    assert await inbox.renew("k", "heir")
    await inbox.finish("k", "heir")
    await asyncio.sleep(0.1)
    assert await inbox.claim("heir") == []


async def test_an_unknown_event_is_nobodys(make_inbox: MakeInbox) -> None:
    inbox = make_inbox()
    assert await inbox.claim_key("never", "w") is None
    assert not await inbox.renew("never", "w")
