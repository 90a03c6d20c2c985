"""Socket Mode: events over a websocket that the bot opens.

https://docs.slack.dev/apis/events-api/using-socket-mode/ The stock client asks for an address
twelve times a minute with a dead token, and tries one that was used up for ever; this one takes a
fresh address for each connection, and knows how long it has heard nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from supportbot.errors import SlackCallFailed
from supportbot.slack.client import SlackClient

HEARTBEAT_SECONDS = 10.0  # a ping after so much silence; half of it later the connection is lost
HELLO_SECONDS = 10.0
SILENT_SECONDS = 45.0  # with the heartbeat's 15 a minute of silence is a problem
MAX_WAIT_SECONDS = 10.0
DEAD_TOKEN_SECONDS = 60.0
MAX_FRAME_BYTES = 4 * 1024 * 1024

logger = logging.getLogger(__name__)
# Takes an envelope's payload; returns whether it was accepted, so that Slack may forget it.
Handle = Callable[[dict[str, Any], dict[str, Any]], Awaitable[bool]]


class Socket:
    """Keeps one connection open, and hands over what comes in."""

    def __init__(
        self,
        client: SlackClient,
        app_token: str,
        handle: Handle,
        heartbeat: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._client = client
        self._app_token = app_token
        self._handle = handle
        self._heartbeat = heartbeat
        self._lost_at: float | None = None  # loop time since when there is no connection
        self._refused = ""
        self._failures = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def problem(self) -> str:
        """Return why events cannot arrive, "" when they can."""
        if self._refused:
            return f"Slack refuses the app token ({self._refused})"
        if self._lost_at is None:
            return ""
        seconds = asyncio.get_running_loop().time() - self._lost_at
        return f"no word from Slack for {seconds:.0f} s" if seconds > SILENT_SECONDS else ""

    async def run(self) -> None:
        """Connect, and connect again whenever the connection ends; runs until it is cancelled."""
        self._lose()
        try:
            async with aiohttp.ClientSession() as session:
                while True:
                    wait = await self._connect(session)
                    await asyncio.sleep(wait)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connect(self, session: aiohttp.ClientSession) -> float:
        """Serve one connection to its end; return the seconds to wait before the next."""
        try:
            url = await self._client.open_socket(self._app_token)
            self._refused = ""
            await self._serve(session, url)
        except SlackCallFailed as error:
            if not error.is_transient:
                return self._refuse(error)
            logger.info("Slack gave no address for Socket Mode (%s)", error)
            self._failures += 1
            return max(error.retry_after or 0.0, self._wait())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            logger.info("the connection to Slack ended (%s)", type(error).__name__)
        finally:
            self._lose()
        self._failures += 1
        return self._wait()

    async def _serve(self, session: aiohttp.ClientSession, url: str) -> None:
        connected = session.ws_connect(
            url,
            heartbeat=self._heartbeat,
            max_msg_size=MAX_FRAME_BYTES,
            proxy=self._client.proxy,
        )
        async with asyncio.timeout(HELLO_SECONDS):
            socket = await connected
        async with socket:
            hello = _envelope(await socket.receive(timeout=HELLO_SECONDS))
            while hello is not None:
                if hello.get("type") == "disconnect":
                    logger.info("Slack asks to connect again (%s)", hello.get("reason"))
                    return
                self._hear(socket, hello)
                hello = _envelope(await socket.receive())

    def _hear(self, socket: aiohttp.ClientWebSocketResponse, envelope: dict[str, Any]) -> None:
        if envelope.get("type") == "hello":
            logger.info("connected to Slack in Socket Mode")
            self._lost_at = None
            self._failures = 0
        elif isinstance(envelope.get("envelope_id"), str):
            task = asyncio.create_task(self._take(socket, envelope))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _take(
        self, socket: aiohttp.ClientWebSocketResponse, envelope: dict[str, Any]
    ) -> None:
        """Hand an envelope over, and acknowledge it only when it was accepted."""
        payload = envelope.get("payload")
        if not await self._handle(payload if isinstance(payload, dict) else {}, envelope):
            return
        try:
            await socket.send_json({"envelope_id": envelope["envelope_id"]})
        except (aiohttp.ClientError, OSError):
            # Slack delivers it again, and the inbox knows it.
            logger.info("an acknowledgement did not reach Slack")

    def _refuse(self, error: SlackCallFailed) -> float:
        if not self._refused:
            logger.error(
                "Socket Mode is not possible (%s): enable it for the app and set SLACK_APP_TOKEN "
                "to an app-level token with the scope connections:write",
                error.code,
            )
        self._refused = error.code
        return DEAD_TOKEN_SECONDS

    def _lose(self) -> None:
        if self._lost_at is None:
            self._lost_at = asyncio.get_running_loop().time()

    def _wait(self) -> float:
        """Return 0 after a connection that worked, then growing seconds."""
        return 0.0 if self._failures <= 1 else min(MAX_WAIT_SECONDS, 0.25 * 2.0**self._failures)


def _envelope(message: aiohttp.WSMessage) -> dict[str, Any] | None:
    """Return what a frame holds, {} where it is no JSON object; None at the connection's end."""
    if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
        return None
    try:
        data = json.loads(message.data)
    except (ValueError, RecursionError):
        logger.warning("Slack sent a frame that is no JSON")
        return {}
    return data if isinstance(data, dict) else {}
