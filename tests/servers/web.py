"""The web door on a real uvicorn on loopback, in a thread of its own, with a playing answerer."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Literal

import uvicorn
from starlette.types import ASGIApp

from supportbot.config import BotSettings, WidgetSettings
from supportbot.conversation import (
    Answer,
    AnswerEvent,
    Citation,
    Outcome,
    Question,
    Status,
    Text,
    Timings,
    Usage,
)
from supportbot.web.admin import Syncing
from supportbot.web.app import create_app

Step = AnswerEvent | float | Exception  # a number: seconds of silence; an error: it is raised

PIECES = (
    "Connect Slack in three steps:\n\n",
    "1. Create an app from the manifest. [1]\n",
    "2. Set `SLACK_BOT_TOKEN` and `SLACK_APP_TOKEN`. [1]\n",
    "3. Start the bot with **supportbot serve**. [2]\n\n",
    "Mention the bot in a channel to try it. [2]",
)
CITATIONS = (
    Citation(
        number=1,
        document_id="connect-slack.md",
        title="Connect Slack",
        uri="https://docs.example.com/connect-slack",
        heading="Create the app",
        quote="Create an app from the manifest, and set SLACK_BOT_TOKEN and SLACK_APP_TOKEN.",
        link="https://docs.example.com/connect-slack#:~:text=Create%20an%20app",
    ),
    Citation(
        number=2,
        document_id="using-the-bot-in-slack.md",
        title="Using the bot in Slack",
        uri="using-the-bot-in-slack.md",
        heading="Mention the bot",
        quote="Start the bot with supportbot serve and mention it in a channel.",
        link="using-the-bot-in-slack.md",
    ),
)
ANSWER = Answer(
    question="",
    conversation_id="",
    outcome=Outcome.ANSWERED,
    text="".join(PIECES),
    html="<p>Connect Slack</p>",
    citations=CITATIONS,
    model="MiniMax-M2",
    release="r1",
    usage=Usage(900, 80, 0, 20, 0.0002),
    timings=Timings(12, 300, 900),
    id="",
)
PLAY: tuple[Step, ...] = (
    Status("searching"),
    Status("reading", "2 passages"),
    Status("writing"),
    *(Text(piece) for piece in PIECES),
    ANSWER,
)


class PlayingAnswerer:
    """Plays `steps` for every question, or those of `plays` for the texts named there."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.steps: Sequence[Step] = PLAY
        self.plays: dict[str, Sequence[Step]] = {}
        self.questions: list[Question] = []
        self.cancelled = threading.Event()
        self.remembered: list[Answer] = []

    async def stream(self, question: Question) -> AsyncIterator[AnswerEvent]:
        self.questions.append(question)
        try:
            for step in self.plays.get(question.text, self.steps):
                match step:
                    case Answer():
                        yield self._answer(step, question)
                    case Exception():
                        raise step
                    case float() | int():
                        await asyncio.sleep(step)
                    case _:
                        yield step
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def answer(self, question: Question) -> Answer:
        async for event in self.stream(question):
            if isinstance(event, Answer):
                return event
        raise AssertionError("the play has no answer")

    def _answer(self, answer: Answer, question: Question) -> Answer:
        number = len(self.questions)
        known = replace(
            answer,
            id=answer.id or f"ans_{number}",
            question=question.text,
            conversation_id=question.conversation_id,
        )
        self.remembered.append(known)
        return known


class RecordingThreads:
    """Knows the answers that were played, and keeps what is done to them."""

    def __init__(self, answerer: PlayingAnswerer) -> None:
        self._answerer = answerer
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.ratings: list[tuple[str, str, str, str]] = []
        self.error: Exception | None = None

    async def answers(self, conversation_id: str) -> tuple[Answer, ...]:
        if self.error:
            raise self.error
        known = self._answerer.remembered
        return tuple(one for one in known if one.conversation_id == conversation_id)

    async def forget(self, conversation_id: str) -> bool:
        kept = [one for one in self._answerer.remembered if one.conversation_id != conversation_id]
        was_known = len(kept) < len(self._answerer.remembered)
        self._answerer.remembered[:] = kept
        return was_known

    async def conversation_of(self, answer_id: str) -> str | None:
        known = {one.id: one.conversation_id for one in self._answerer.remembered}
        return known.get(answer_id)

    async def rate(
        self, answer_id: str, rating: Literal["up", "down"], reason: str = "", comment: str = ""
    ) -> bool:
        self.ratings.append((answer_id, rating, reason, comment))
        return any(one.id == answer_id for one in self._answerer.remembered)


@dataclass
class PlayedServices:
    """Services of the web door in memory."""

    settings: BotSettings
    answerer: PlayingAnswerer = field(default_factory=PlayingAnswerer)

    def __post_init__(self) -> None:
        self.threads = RecordingThreads(self.answerer)
        self.parts = {"database": "", "knowledge": ""}

    def reset(self) -> None:
        """Forget everything."""
        self.answerer.reset()
        self.threads.reset()
        self.parts = {"database": "", "knowledge": ""}

    async def ping(self) -> dict[str, str]:
        return self.parts


class WebServer:
    """The web door at `url`; `services.answerer` holds the play."""

    def __init__(
        self,
        *widgets: WidgetSettings,
        slack: ASGIApp | None = None,
        settings: BotSettings | None = None,
        syncs: Syncing | None = None,
    ) -> None:
        self.services = PlayedServices(settings or BotSettings(widgets=widgets))
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(
            create_app(self.services, slack, syncs),
            log_config=None,
            access_log=False,
            proxy_headers=False,
            http="h11",
            ws="none",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def answerer(self) -> PlayingAnswerer:
        return self.services.answerer

    def __enter__(self) -> WebServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._socket.close()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))
