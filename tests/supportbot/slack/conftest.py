from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from supportbot.config import BotSettings
from supportbot.conversation import Answer, AnswerEvent, Citation, Outcome, Question, Status
from supportbot.slack.app import SlackDoor, create_slack
from supportbot.slack.worker import Timing
from tests.fakes import MemoryInbox
from tests.servers.slack import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, LoopbackSlack

QUICK = Timing(pace=0.01, poll=0.1, renew=0.1, heartbeat=0.4)
CITATION = Citation(
    number=1,
    document_id="refunds.md",
    title="Refunds",
    uri="https://help.example.com/refunds",
    heading="How long it takes",
    quote="Refunds take 14 days.",
    link="https://help.example.com/refunds#:~:text=Refunds%20take",
)


class ScriptedAnswers:
    """An answerer that records what it is asked, and says `says(question)` after `seconds`."""

    def __init__(self) -> None:
        self.questions: list[Question] = []
        self.seconds = 0.0
        self.says: Callable[[Question], str] = lambda question: f"About {question.text} [1]"
        self.citations = (CITATION,)
        self.error: Exception | None = None

    async def stream(self, question: Question) -> AsyncIterator[AnswerEvent]:
        self.questions.append(question)
        yield Status("searching")
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        yield Answer(
            question=question.text,
            conversation_id=question.conversation_id,
            outcome=Outcome.ANSWERED,
            text=self.says(question),
            citations=self.citations,
        )


class RecordingRatings:
    """Knows the answers of the given conversations, and keeps what is said of them."""

    def __init__(self) -> None:
        self.conversations: dict[str, str] = {}
        self.ratings: list[tuple[str, str, str]] = []
        self.error: Exception | None = None

    async def conversation_of(self, answer_id: str) -> str | None:
        if self.error is not None:
            raise self.error
        return self.conversations.get(answer_id)

    async def rate(
        self, answer_id: str, rating: Literal["up", "down"], reason: str = "", comment: str = ""
    ) -> bool:
        self.ratings.append((answer_id, rating, reason))
        return answer_id in self.conversations


@dataclass
class Bot:
    """A Slack door with fakes behind it and a loopback Slack before it."""

    slack: LoopbackSlack
    settings: BotSettings
    answerer: ScriptedAnswers = field(default_factory=ScriptedAnswers)
    inbox: MemoryInbox = field(default_factory=lambda: MemoryInbox(lease_seconds=0.5))
    threads: RecordingRatings = field(default_factory=RecordingRatings)
    timing: Timing = QUICK

    @asynccontextmanager
    async def running(self) -> AsyncIterator[SlackDoor]:
        """Start the door; at the end it drains."""
        door = create_slack(self, self.timing)
        await door.start()
        try:
            yield door
        finally:
            await door.stop(5.0)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Start the door behind a real HTTP server; yield the address for events."""
        async with self.running() as door, serve(door) as url:
            yield url


@asynccontextmanager
async def serve(door: SlackDoor) -> AsyncIterator[str]:
    assert door.asgi is not None
    app = Starlette(routes=[Route("/slack/events", door.asgi)])
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="off", http="h11")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        await until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/slack/events"
    finally:
        server.should_exit = True
        await serving


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for something that is about to happen."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is awaited runs in another thread
            await asyncio.sleep(0.01)


@pytest.fixture
def slack() -> Iterator[LoopbackSlack]:
    with LoopbackSlack() as server:
        yield server


@pytest.fixture
def http_bot(slack: LoopbackSlack) -> Bot:
    settings = BotSettings(
        slack_bot_token=BOT_TOKEN,
        slack_signing_secret=SIGNING_SECRET,
        slack_api_url=slack.api_url,
        deadline_seconds=20,
    )
    return Bot(slack, settings)


@pytest.fixture
def socket_bot(slack: LoopbackSlack) -> Bot:
    settings = BotSettings(
        slack_bot_token=BOT_TOKEN,
        slack_app_token=APP_TOKEN,
        slack_api_url=slack.api_url,
        deadline_seconds=20,
    )
    return Bot(slack, settings)
