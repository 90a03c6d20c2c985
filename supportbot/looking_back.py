"""`report`, `receipts` and `forget`: what the state database knows of past answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path

from knowledge.errors import SettingsError
from knowledge.manifest import Release
from knowledge.releases import ReleaseStore
from supportbot.config import BotSettings
from supportbot.database import Database
from supportbot.receipts import Receipt, compare
from supportbot.records import SqlRecords
from supportbot.report import Report, summarise
from supportbot.report_page import to_html
from supportbot.threads import Erased, SqlThreads

DAY_SECONDS = 86_400.0


async def report(settings: BotSettings, days: int, page: Path | None) -> Report:
    """Return the report of the last days; with `page`, also write it there as HTML.

    Raises:
        SettingsError: the page cannot be written.
    """
    now = time.time()
    since = now - days * DAY_SECONDS
    async with _records(settings) as records:
        rows, cited = await records.answers(since), await records.cited(since)
    release = await asyncio.to_thread(_current, settings)
    begins, ends = (datetime.fromtimestamp(moment, UTC) for moment in (since, now))
    made = summarise(rows, cited, release.documents if release else (), begins, ends)
    if page is not None:
        _write(page, to_html(made))
    return made


async def receipts(settings: BotSettings, document_id: str | None) -> list[Receipt]:
    """Return what past answers stand on, compared with the current release."""
    async with _records(settings) as records:
        rows = await records.receipts(document_id)
    return compare(rows, await asyncio.to_thread(_current, settings))


async def forget(settings: BotSettings, user: str) -> Erased:
    """Erase all conversations of a person, and return how many there were."""
    async with _state(settings) as database:
        return await SqlThreads(database).forget_person(user)


@asynccontextmanager
async def _records(settings: BotSettings) -> AsyncIterator[SqlRecords]:
    async with _state(settings) as database:
        yield SqlRecords(database)


@asynccontextmanager
async def _state(settings: BotSettings) -> AsyncIterator[Database]:
    database = await Database.open(settings.resolved_database_url)
    try:
        yield database
    finally:
        await database.close()


def _current(settings: BotSettings) -> Release | None:
    with closing(ReleaseStore(settings.home, settings.chroma_address)) as store:
        return store.current()


def _write(page: Path, text: str) -> None:
    try:
        page.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"--html {page}: cannot be written ({error.strerror})") from None
