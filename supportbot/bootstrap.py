"""The only place that wires: settings in, open services out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from knowledge.disputes import Disputes
from knowledge.embedder import Embedder, load_embedder
from knowledge.errors import KnowledgeError, SettingsError
from knowledge.releases import ReleaseStore
from knowledge.reranker import load_reranker
from knowledge.retriever import Retriever
from knowledge.sufficiency import load_calibration
from supportbot.answering.answerer import Answerer, AnswererSettings
from supportbot.answering.model import build_model
from supportbot.config import BotSettings
from supportbot.database import Database
from supportbot.errors import SupportbotError
from supportbot.inbox import SqlInbox
from supportbot.metering import PriceList
from supportbot.pricing import load_prices
from supportbot.threads import SqlThreads

PING_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Services:
    """All that a front door needs, open."""

    settings: BotSettings
    database: Database
    threads: SqlThreads
    inbox: SqlInbox
    embedder: Embedder
    retriever: Retriever
    answerer: Answerer
    prices: PriceList

    async def warm(self) -> None:
        """Load the embedding model, so that no question has to wait for it."""
        with contextlib.suppress(KnowledgeError):  # what is wrong is told when it is asked
            await asyncio.to_thread(self.embedder.embed_query, "warm up")
            await asyncio.to_thread(self.retriever.ping)

    async def ping(self) -> dict[str, str]:
        """Return for each part "" when it works, else the reason for the log."""
        return {"database": await self._ping_database(), "knowledge": await self._ping_knowledge()}

    async def _ping_database(self) -> str:
        try:
            await asyncio.wait_for(self.database.ping(), PING_SECONDS)
        except (SupportbotError, TimeoutError) as error:
            return str(error) or "no reply"
        return ""

    async def _ping_knowledge(self) -> str:
        try:
            await asyncio.wait_for(asyncio.to_thread(self.retriever.ping), PING_SECONDS)
        except (KnowledgeError, TimeoutError) as error:
            return str(error) or "no reply"
        return ""


@asynccontextmanager
async def build_services(settings: BotSettings) -> AsyncIterator[Services]:
    """Open everything, yield it, and close it in reverse order.

    Raises:
        SettingsError, EmbedderUnavailable, StateUnavailable: with what to do about it.
    """
    _make_home(settings.home)
    async with AsyncExitStack() as stack:
        database = await Database.open(settings.resolved_database_url)
        stack.push_async_callback(database.close)
        store = ReleaseStore(settings.home, settings.chroma_address)
        stack.push_async_callback(asyncio.to_thread, store.close)
        embedder = load_embedder(settings.embedder)
        calibration = load_calibration(settings.home, embedder.fingerprint)
        reranker = load_reranker(settings.reranker)
        retriever = Retriever(store, embedder, reranker, calibration=calibration)
        stack.push_async_callback(asyncio.to_thread, retriever.close)
        prices = load_prices(settings)
        model = build_model(settings, prices)
        if model is not None:
            stack.push_async_callback(model.aclose)
        threads = SqlThreads(database)
        answerer = Answerer(
            retriever=retriever,
            model=model,
            threads=threads,
            settings=AnswererSettings(
                settings.deadline_seconds,
                settings.caps,
                repeat_hours=settings.answer_cache,
                contact=settings.handoff.contact,
                agent=settings.agent,
            ),
            disputes=Disputes(settings.home),
        )
        inbox = SqlInbox(database)
        yield Services(settings, database, threads, inbox, embedder, retriever, answerer, prices)


def _make_home(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SettingsError(
            f"SUPPORTBOT_HOME: {home} cannot be made ({error.strerror}); it takes a folder that"
            " this user may write"
        ) from None
