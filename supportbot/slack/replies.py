"""Puts each message of a reply into its thread exactly once, whatever Slack or this process does.

A new message is the one call that does harm when it is made twice. So it carries the key of the
event in its metadata, its ts is kept in the inbox, and when neither the inbox nor a reply of Slack
tells whether it was posted, the thread is read before it is posted again. All else is an update,
which may be repeated.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from supportbot.errors import SlackCallFailed, StateUnavailable
from supportbot.inbox import Inbox, InboxItem
from supportbot.slack.client import Message, Place, SlackClient
from supportbot.slack.events import SlackQuestion

PACE_SECONDS = 1.0  # Slack's page on rate limits: one new message a second and channel
MAX_WAIT_SECONDS = 60.0
REMEMBERED_CHANNELS = 1_000
NOTE = "ts "  # with the part's name: under which the inbox keeps where it was posted
GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})

logger = logging.getLogger(__name__)
Result = TypeVar("Result")


class Pace:
    """Turns for new messages: one at a time in a channel, in order, with a pause after each."""

    def __init__(self, seconds: float = PACE_SECONDS) -> None:
        self.seconds = seconds
        self._turns: dict[str, tuple[asyncio.Lock, float]] = {}

    async def take(self, channel: str, post: Callable[[], Awaitable[Result]]) -> Result:
        """Wait for the channel's turn and post."""
        loop = asyncio.get_running_loop()
        lock, _ = self._turns.setdefault(channel, (asyncio.Lock(), 0.0))
        async with lock:
            _, free_at = self._turns.get(channel, (lock, 0.0))
            await asyncio.sleep(max(0.0, free_at - loop.time()))
            try:
                return await post()
            finally:
                self._turns[channel] = (lock, loop.time() + self.seconds)
                self._forget(loop.time())

    def _forget(self, now: float) -> None:
        if len(self._turns) > REMEMBERED_CHANNELS:
            self._turns = {
                channel: (lock, free_at)
                for channel, (lock, free_at) in self._turns.items()
                if lock.locked() or free_at > now
            }


class Replies:
    """Where replies are written: the workspace, and the inbox that remembers what was posted."""

    def __init__(self, client: SlackClient, inbox: Inbox, owner: str, pace: Pace) -> None:
        self.client = client
        self.inbox = inbox
        self.owner = owner
        self.pace = pace

    def to(self, item: InboxItem, question: SlackQuestion) -> Reply:
        """Return the reply to one question, with what earlier attempts posted of it."""
        return Reply(self, item, question)


class Reply:
    """The messages that answer one question; a part of it is one message.

    Raises SlackCallFailed only for what waiting does not mend.
    """

    def __init__(self, replies: Replies, item: InboxItem, question: SlackQuestion) -> None:
        self._replies = replies
        self._item = item
        self._question = question
        self._placed = {
            name.removeprefix(NOTE): str(ts)
            for name, ts in item.notes.items()
            if name.startswith(NOTE)
        }

    async def place(self, part: str, message: Message) -> bool:
        """Post a part unless it stands there already; tell whether it shows this message now."""
        if part in self._placed:
            return False
        question = self._question
        place = Place(question.channel, question.thread_ts, self._item.key, part, question.ts)
        ts, is_new = await self._replies.pace.take(
            question.channel, lambda: self._post(place, message)
        )
        self._placed[part] = ts
        await self._note(part, ts)
        return is_new

    async def show(self, part: str, message: Message) -> None:
        """Make a part show this message, posted or updated."""
        if await self.place(part, message):
            return
        try:
            await self._update(self._placed[part], message)
        except SlackCallFailed as error:
            if error.code not in GONE:
                raise
            await self.place(f"{part} again", message)

    async def _update(self, ts: str, message: Message) -> None:
        """Update a message; blocks that Slack refuses go out as plain text."""
        client, channel = self._replies.client, self._question.channel
        try:
            await _patient(lambda: client.update(channel, ts, message))
        except SlackCallFailed as error:
            if error.is_dead_token or error.code in GONE or not message.blocks:
                raise
            logger.warning("Slack refused the blocks of a message (%s)", error)
            await _patient(lambda: client.update(channel, ts, Message(message.text)))

    async def _post(self, place: Place, message: Message) -> tuple[str, bool]:
        """Post until it is certain that the message stands there once."""
        may_be_there = self._item.attempts > 1
        attempt = 0
        while True:
            if may_be_there and (ts := await self._find(place)):
                return ts, False
            try:
                return await self._replies.client.post(place, message), True
            except SlackCallFailed as error:
                if not error.is_transient:
                    raise
                logger.info("a message could not be posted, trying again (%s)", error)
                may_be_there = may_be_there or error.is_lost
                # A message that was just taken is not at once in its thread.
                pause = self._replies.pace.seconds if error.is_lost else 0.0
                await asyncio.sleep(max(_wait(error, attempt), pause))
            attempt += 1

    async def _find(self, place: Place) -> str | None:
        """Look for a message that may have been posted; None also where reading is not allowed."""
        try:
            return await _patient(lambda: self._replies.client.find(place))
        except SlackCallFailed as error:
            if error.is_dead_token:
                raise
            logger.warning("a thread could not be read before posting again (%s)", error)
            return None

    async def _note(self, part: str, ts: str) -> None:
        """Keep where the message is; without the note a later attempt finds it in the thread."""
        try:
            await self._replies.inbox.note(
                self._item.key, self._replies.owner, **{f"{NOTE}{part}": ts}
            )
        except StateUnavailable as error:
            logger.warning("the place of a reply could not be kept (%s)", error)


async def _patient(call: Callable[[], Awaitable[Result]]) -> Result:
    """Repeat a harmless call until it succeeds or fails for good."""
    attempt = 0
    while True:
        try:
            return await call()
        except SlackCallFailed as error:
            if not error.is_transient:
                raise
            logger.info("a call of Slack is tried again (%s)", error)
            await asyncio.sleep(_wait(error, attempt))
        attempt += 1


def _wait(error: SlackCallFailed, attempt: int) -> float:
    """Return the seconds to wait: what Slack asks for, else growing; with jitter."""
    asked = error.retry_after
    seconds = asked if asked is not None else min(MAX_WAIT_SECONDS, 0.25 * 2.0 ** min(attempt, 10))
    return seconds + random.uniform(0, 0.25) * max(seconds, 0.2)  # noqa: S311
