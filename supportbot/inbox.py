"""The inbox: every outside event once, held by one worker at a time, finished after a crash.

An event is accepted under a key that is unique for ever, so a redelivery is seen as such whatever
became of the first. A worker takes a lease; when it dies, the lease runs out and another finishes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from supportbot.database import inbox

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from supportbot.database import Database

LEASE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class InboxItem:
    """An accepted event that this worker now holds."""

    key: str
    payload: dict[str, Any]
    notes: dict[str, Any]  # what earlier attempts left, such as the message they posted
    attempts: int  # this one counted


class Inbox(Protocol):
    """Durable events, each answered once."""

    async def accept(self, key: str, payload: Mapping[str, Any]) -> bool:
        """Keep an event; False when its key was seen before, finished or not."""
        ...

    async def claim(self, owner: str, limit: int = 1) -> list[InboxItem]:
        """Take a lease on the oldest unfinished events that nobody holds."""
        ...

    async def claim_key(self, key: str, owner: str) -> InboxItem | None:
        """Take a lease on this event; None when it is finished, unknown or held by another."""
        ...

    async def renew(self, key: str, owner: str) -> bool:
        """Prolong a lease; False when it was lost."""
        ...

    async def note(self, key: str, owner: str, **notes: Any) -> None:
        """Keep facts that the next attempt must know; nothing happens when the lease was lost."""
        ...

    async def finish(self, key: str, owner: str) -> None:
        """Mark the event as done and erase its payload; the key stays."""
        ...


class SqlInbox:
    """The inbox in the state database. Every method may raise StateUnavailable."""

    def __init__(self, database: Database, lease_seconds: float = LEASE_SECONDS) -> None:
        self._database = database
        self._lease_seconds = lease_seconds

    async def accept(self, key: str, payload: Mapping[str, Any]) -> bool:
        """Keep an event; False when its key was seen before, finished or not."""
        row = {
            "key": key,
            "payload": dict(payload),
            "notes": {},
            "accepted_at": time.time(),
            "attempts": 0,
            "lease_until": 0.0,
        }
        async with self._database.transaction() as connection:
            try:
                async with connection.begin_nested():
                    await connection.execute(inbox.insert(), row)
            except IntegrityError:
                return False
        return True

    async def claim(self, owner: str, limit: int = 1) -> list[InboxItem]:
        """Take a lease on the oldest unfinished events that nobody holds."""
        query = sa.select(inbox.c.key).where(self._free()).order_by(inbox.c.accepted_at)
        async with self._database.transaction() as connection:
            rows = await connection.execute(query.limit(limit).with_for_update(skip_locked=True))
            claimed = [await self._take(connection, key, owner) for key in rows.scalars().all()]
        return [item for item in claimed if item is not None]

    async def claim_key(self, key: str, owner: str) -> InboxItem | None:
        """Take a lease on this event; None when it is finished, unknown or held by another."""
        async with self._database.transaction() as connection:
            return await self._take(connection, key, owner)

    async def renew(self, key: str, owner: str) -> bool:
        """Prolong a lease; False when it was lost."""
        return await self._update(key, owner, lease_until=time.time() + self._lease_seconds)

    async def note(self, key: str, owner: str, **notes: Any) -> None:
        """Keep facts that the next attempt must know; nothing happens when the lease was lost."""
        mine = (inbox.c.key == key) & (inbox.c.owner == owner)
        async with self._database.transaction() as connection:
            found = (await connection.execute(sa.select(inbox.c.notes).where(mine))).scalar()
            if found is not None:
                merged = {**found, **notes}
                await connection.execute(inbox.update().where(mine).values(notes=merged))

    async def finish(self, key: str, owner: str) -> None:
        """Mark the event as done and erase its payload; the key stays."""
        await self._update(key, owner, finished_at=time.time(), lease_until=0.0, payload={})

    async def _update(self, key: str, owner: str, **values: Any) -> bool:
        statement = inbox.update().where(inbox.c.key == key, inbox.c.owner == owner)
        async with self._database.transaction() as connection:
            return (await connection.execute(statement.values(**values))).rowcount > 0

    async def _take(self, connection: AsyncConnection, key: str, owner: str) -> InboxItem | None:
        now = time.time()
        taken = await connection.execute(
            inbox.update()
            .where(inbox.c.key == key, self._free())
            .values(
                owner=owner,
                lease_until=now + self._lease_seconds,
                attempts=inbox.c.attempts + 1,
            )
        )
        if not taken.rowcount:
            return None
        query = sa.select(inbox).where(inbox.c.key == key)
        row = (await connection.execute(query)).one()
        return InboxItem(row.key, row.payload, row.notes, row.attempts)

    def _free(self) -> sa.ColumnElement[bool]:
        """Return the condition that an event is unfinished and nobody holds it.

        A lease that ends further ahead than any lease may was taken before the clock stepped back;
        it counts as run out.
        """
        now = time.time()
        held = inbox.c.lease_until.between(now, now + 2 * self._lease_seconds)
        return inbox.c.finished_at.is_(None) & ~held
