"""Answers what waits in the inbox: many questions at once, each by one worker, each to its end."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from supportbot.conversation import Answer, AnswerEvent, Question, new_id
from supportbot.errors import SlackCallFailed, StateUnavailable
from supportbot.inbox import Inbox, InboxItem
from supportbot.slack.blocks import HELP, SEARCHING, apology, to_messages
from supportbot.slack.client import Message, SlackClient
from supportbot.slack.events import SlackQuestion
from supportbot.slack.health import Token
from supportbot.slack.replies import PACE_SECONDS, Pace, Replies
from supportbot.slack.socket import HEARTBEAT_SECONDS

CONCURRENT = 200  # each is mostly waiting: for the model, or for its channel's turn
CLAIMED_AT_ONCE = 20
MAX_ATTEMPTS = 5
GRACE_SECONDS = 10.0  # beyond the deadline that the answerer keeps by itself

logger = logging.getLogger(__name__)


class Answers(Protocol):
    """What the worker needs of the answerer."""

    def stream(self, question: Question) -> AsyncIterator[AnswerEvent]:
        """Yield events, exactly one Answer last."""
        ...


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How questions from Slack are answered."""

    audience: str
    deadline_seconds: float


@dataclass(frozen=True, slots=True)
class Timing:
    """How often things happen, in seconds."""

    pace: float = PACE_SECONDS  # between new messages in a channel
    poll: float = 2.0  # how soon the questions of a replica that died are seen
    renew: float = 10.0  # a third of the inbox's lease
    heartbeat: float = HEARTBEAT_SECONDS  # of silence before the websocket is pinged


class Worker:
    """Claims questions and answers them until it is drained."""

    def __init__(
        self,
        *,
        client: SlackClient,
        token: Token,
        inbox: Inbox,
        answers: Answers,
        settings: WorkerSettings,
        timing: Timing,
    ) -> None:
        self._owner = f"slack-{secrets.token_hex(6)}"
        self._token = token
        self._inbox = inbox
        self._answers = answers
        self._settings = settings
        self._timing = timing
        self._replies = Replies(client, inbox, self._owner, Pace(timing.pace))
        self._wake = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}  # by the key of their item

    def wake(self) -> None:
        """Look into the inbox at once."""
        self._wake.set()

    async def run(self) -> None:
        """Claim and answer; runs until it is cancelled, which leaves the answers under way."""
        while True:
            self._wake.clear()
            try:
                await self._claim()
            except StateUnavailable as error:
                logger.warning("the inbox cannot be read, trying again (%s)", error)
            # Not wait_for: in Python 3.11 it loses a cancellation that comes as the event is set.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timing.poll):
                    await self._wake.wait()

    async def drain(self, seconds: float) -> int:
        """Let the answers under way end; return how many had to be left to the next start."""
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=seconds)
        left = list(self._tasks.values())
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        return len(left)

    async def _claim(self) -> None:
        """Start as many waiting questions as there is room for."""
        while not self._token.is_dead and (room := CONCURRENT - len(self._tasks)) > 0:
            items = await self._inbox.claim(self._owner, min(room, CLAIMED_AT_ONCE))
            for item in items:
                self._start(item)
            if len(items) < min(room, CLAIMED_AT_ONCE):
                return

    def _start(self, item: InboxItem) -> None:
        if item.key in self._tasks:  # its lease ran out while the inbox could not be reached
            return
        task = asyncio.create_task(self._work(item))
        self._tasks[item.key] = task
        task.add_done_callback(lambda _: self._end(item.key))

    def _end(self, key: str) -> None:
        del self._tasks[key]
        self._wake.set()

    async def _work(self, item: InboxItem) -> None:
        """Answer one question while its lease is renewed; a lost lease ends the work."""
        work = asyncio.create_task(self._finish_reply(item))
        hold = asyncio.create_task(self._hold(item))
        try:
            await asyncio.wait({work, hold}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            work.cancel()
            hold.cancel()
            await asyncio.gather(work, hold, return_exceptions=True)

    async def _hold(self, item: InboxItem) -> None:
        """Renew the lease until it is lost to another worker."""
        is_held = True
        while is_held:
            await asyncio.sleep(self._timing.renew)
            try:
                is_held = await self._inbox.renew(item.key, self._owner)
            except StateUnavailable as error:
                logger.warning("a lease could not be renewed (%s)", error)

    async def _finish_reply(self, item: InboxItem) -> None:
        """Reply, and finish the item unless another attempt can do better."""
        try:
            await self._reply(item, SlackQuestion.from_payload(item.payload))
        except SlackCallFailed as error:
            if error.is_dead_token:  # the question waits in the inbox for a valid token
                self._token.reject(error.code)
                return
            logger.error("a question cannot be answered in Slack (%s): %s", error, item.key)
        except Exception:  # a door: one question must not end the others
            logger.exception("a question failed: %s", item.key)
            if item.attempts <= MAX_ATTEMPTS:
                return
        await self._finish(item)

    async def _reply(self, item: InboxItem, question: SlackQuestion) -> None:
        reply = self._replies.to(item, question)
        await reply.place("0", SEARCHING)
        for number, message in enumerate(await self._messages(item, question)):
            await reply.show(str(number), message)

    async def _messages(self, item: InboxItem, question: SlackQuestion) -> list[Message]:
        """Return what to show; whatever goes wrong in between becomes one apology."""
        if not question.text:
            return [HELP]
        reference = new_id("ref")
        try:
            if item.attempts > MAX_ATTEMPTS:
                raise RuntimeError(f"given up after {MAX_ATTEMPTS} attempts")
            limit = self._settings.deadline_seconds + GRACE_SECONDS
            async with asyncio.timeout(limit):
                return to_messages(await self._answer(question))
        except Exception:  # a door: the asker sees the reference, the log the cause
            logger.exception("no answer to %s, reference %s", item.key, reference)
            return [apology(reference, question.text)]

    async def _answer(self, question: SlackQuestion) -> Answer:
        last: AnswerEvent | None = None
        async for event in self._answers.stream(question.to_question(self._settings.audience)):
            last = event
        if not isinstance(last, Answer):
            raise RuntimeError("the stream ended without an answer")
        return last

    async def _finish(self, item: InboxItem) -> None:
        try:
            await self._inbox.finish(item.key, self._owner)
        except StateUnavailable as error:
            # The reply is marked and will be found: a second attempt edits it, and posts none.
            logger.warning("an answered question could not be put aside (%s)", error)
