"""The Slack door: Bolt takes events, the inbox keeps them, workers answer them in their threads.

An event is acknowledged when it is safe in the inbox, never before, and never only after its
answer: so Slack hears from us within its three seconds and no crash loses a question.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol

from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.response import BoltResponse

from supportbot.config import BotSettings
from supportbot.errors import SlackCallFailed, StateUnavailable
from supportbot.inbox import Inbox
from supportbot.slack.blocks import REPORT, reported
from supportbot.slack.client import SlackClient
from supportbot.slack.events import SlackReport, read_question, read_report
from supportbot.slack.health import Token
from supportbot.slack.http import EventsEndpoint
from supportbot.slack.manifest import SCOPES
from supportbot.slack.socket import Socket
from supportbot.slack.worker import Answers, Timing, Worker, WorkerSettings
from supportbot.threads import REPORTED

ACCEPT_SECONDS = 2.0  # Slack waits three for the acknowledgement
RESTART_SECONDS = 5.0
TOKEN_LOST = frozenset({"tokens_revoked", "app_uninstalled"})

logger = logging.getLogger(__name__)


class SlackDoor:
    """Everything of Slack that a running service has."""

    def __init__(
        self,
        *,
        token: Token,
        worker: Worker,
        endpoint: EventsEndpoint | None,
        socket: Socket | None,
    ) -> None:
        self.asgi = endpoint  # serves POST /slack/events; None without a signing secret
        self._token = token
        self._worker = worker
        self._socket = socket
        self._watching: asyncio.Task[None] | None = None
        self._claiming: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start to listen and to answer; returns at once, also while Slack cannot be reached."""
        self._watching = asyncio.create_task(_lasting(self._token.watch))
        self._claiming = asyncio.create_task(_lasting(self._worker.run))
        if self._socket is not None:
            self._listening = asyncio.create_task(_lasting(self._socket.run))

    async def stop(self, timeout: float = 30.0) -> None:  # noqa: ASYNC109 - for work to end
        """Take no new events, end the answers under way, leave the rest to the next start.

        Events that still come over HTTP are kept in the inbox.
        """
        await _cancelled(self._listening, self._claiming)
        left = await self._worker.drain(timeout)
        if left:
            logger.warning("%d questions are left in the inbox for the next start", left)
        await _cancelled(self._watching)

    def problem(self) -> str:
        """Return "" when Slack works in both directions, else the reason for the log."""
        return self._token.problem or (self._socket.problem if self._socket else "")


class Ratings(Protocol):
    """What keeps the reports of answers."""

    async def conversation_of(self, answer_id: str) -> str | None:
        """Return the conversation of an answer; None: there is no such answer."""
        ...

    async def rate(
        self, answer_id: str, rating: Literal["up", "down"], reason: str = "", comment: str = ""
    ) -> bool:
        """Keep a rating, the last one wins; tell whether there is such an answer."""
        ...


class SlackServices(Protocol):
    """The open services that this door needs."""

    @property
    def settings(self) -> BotSettings:
        """The bot's settings."""
        ...

    @property
    def answerer(self) -> Answers:
        """Who answers."""
        ...

    @property
    def inbox(self) -> Inbox:
        """Where questions are kept until they are answered."""
        ...

    @property
    def threads(self) -> Ratings:
        """Where reports are kept."""
        ...


def create_slack(services: SlackServices, timing: Timing | None = None) -> SlackDoor:
    """Return the door for a bot token and an app token, a signing secret, or both.

    Args:
        services: open services; the caller opens and closes them.
        timing: how often things happen, for tests.
    """
    settings, timing = services.settings, timing or Timing()
    app_token = _secret(settings.slack_app_token)
    signing_secret = _secret(settings.slack_signing_secret)
    client = SlackClient(_secret(settings.slack_bot_token), str(settings.slack_api_url))
    token = Token(client)
    worker = Worker(
        client=client,
        token=token,
        inbox=services.inbox,
        answers=services.answerer,
        settings=WorkerSettings(settings.slack.audience, settings.deadline_seconds),
        timing=timing,
    )
    listener = _Listener(services.inbox, token, worker)
    app = _create_app(signing_secret, token, listener, _ReportButton(services.threads, client))
    return SlackDoor(
        token=token,
        worker=worker,
        endpoint=EventsEndpoint(app, signing_secret) if signing_secret else None,
        socket=Socket(client, app_token, _Envelopes(app), timing.heartbeat) if app_token else None,
    )


async def examine_slack(settings: BotSettings) -> str:
    """Ask Slack whether the configured tokens will do; return "" or what is wrong with them."""
    client = SlackClient(_secret(settings.slack_bot_token), str(settings.slack_api_url))
    app_token = _secret(settings.slack_app_token)
    try:
        identity = await client.identify()
        if app_token:
            await client.open_socket(app_token)
    except SlackCallFailed as error:
        return f"Slack answers {error}"
    missing = SCOPES - identity.scopes if identity.scopes else frozenset()
    return f"the app lacks the scopes {', '.join(sorted(missing))}" if missing else ""


class _Listener:
    """Keeps what is a question in the inbox."""

    def __init__(self, inbox: Inbox, token: Token, worker: Worker) -> None:
        self._inbox = inbox
        self._token = token
        self._worker = worker

    async def on_event(self, body: dict[str, Any]) -> BoltResponse:
        """Accept a question; 503 when it cannot be kept, so that Slack delivers it again."""
        if body["event"].get("type") in TOKEN_LOST:
            self._token.reject(str(body["event"]["type"]))
        question = read_question(body, self._token.identity.user)
        if question is None:
            return BoltResponse(status=200)
        try:
            async with asyncio.timeout(ACCEPT_SECONDS):
                await self._inbox.accept(question.key, question.payload)
        except (StateUnavailable, TimeoutError) as error:
            logger.warning("a question could not be kept, Slack will bring it again (%r)", error)
            return BoltResponse(status=503)
        self._worker.wake()
        return BoltResponse(status=200)


class _ReportButton:
    """Keeps the report of whoever presses the button in the thread of the answer."""

    def __init__(self, ratings: Ratings, client: SlackClient) -> None:
        self._ratings = ratings
        self._client = client

    async def on_press(self, body: dict[str, Any]) -> BoltResponse:
        """Keep a report and thank for it; 503 when it cannot be kept: Slack shows a warning."""
        report = read_report(body)
        try:
            async with asyncio.timeout(ACCEPT_SECONDS):
                if report and await self._keep(report):
                    thanks = reported(report.text, report.blocks)
                    await self._client.update(report.channel, report.ts, thanks)
        except SlackCallFailed as error:
            logger.warning("the thanks for a report could not be shown (%s)", error)
        except (StateUnavailable, TimeoutError) as error:
            logger.warning("a report could not be kept or thanked for (%r)", error)
            return BoltResponse(status=503)
        return BoltResponse(status=200)

    async def _keep(self, report: SlackReport) -> bool:
        conversation = await self._ratings.conversation_of(report.answer_id)
        if conversation is None or not report.is_about(conversation):
            return False
        return await self._ratings.rate(report.answer_id, "down", REPORTED)


class _Envelopes:
    """Hands what comes over the websocket to Bolt."""

    def __init__(self, app: AsyncApp) -> None:
        self._app = app

    async def __call__(self, payload: dict[str, Any], envelope: dict[str, Any]) -> bool:
        is_event = envelope.get("type") == "events_api" and isinstance(payload.get("event"), dict)
        if not is_event and envelope.get("type") != "interactive":
            return True  # nothing that the bot listens to; unacknowledged it would come again
        response = await self._app.async_dispatch(
            AsyncBoltRequest(mode="socket_mode", body=payload)
        )
        return response.status == 200


def _create_app(
    signing_secret: str, token: Token, listener: _Listener, button: _ReportButton
) -> AsyncApp:
    """Return Bolt's app, whose listeners reply after what they were told was kept."""

    async def authorize() -> AuthorizeResult:
        # What is known by now: an acknowledgement must not wait for a call of Slack.
        identity = token.identity
        return AuthorizeResult(
            enterprise_id=None,
            team_id=identity.team or None,
            bot_user_id=identity.user or None,
            bot_id=identity.bot or None,
        )

    bolt_logger = logger.getChild("bolt")
    bolt_logger.setLevel(logging.ERROR)  # it warns of variables that are none of its business
    app = AsyncApp(
        name=bolt_logger.name,  # Bolt gives the logger of this name the level of its own
        logger=bolt_logger,
        signing_secret=signing_secret or "no signature in Socket Mode",
        authorize=authorize,
        process_before_response=True,
    )
    app.event(re.compile(".*"))(listener.on_event)
    app.action(REPORT)(button.on_press)
    return app


async def _lasting(run: Callable[[], Awaitable[None]]) -> None:
    """Run a part of the door, and start it again should it ever break."""
    while True:
        try:
            await run()
        except Exception:
            logger.exception("a part of the Slack door broke and is started again")
        await asyncio.sleep(RESTART_SECONDS)


async def _cancelled(*tasks: asyncio.Task[None] | None) -> None:
    running = [task for task in tasks if task is not None]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


def _secret(value: Any) -> str:
    return value.get_secret_value() if value is not None else ""
