"""A Slack on loopback: the Web API, events over HTTP with signatures, and Socket Mode.

It runs in a thread of its own, keeps what it was told, refuses what Slack refuses, and misbehaves
when asked to.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import json
import socket
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp
from aiohttp import web

SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
BOT_TOKEN = "xoxb-0000-test-bot-token"
APP_TOKEN = "xapp-1-A0000-test-app-token"
TEAM, BOT_USER, BOT_ID = "T0001", "U0BOT", "B0BOT"
SCOPES = "app_mentions:read,channels:history,chat:write,groups:history,im:history,mpim:history"
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the Web API."""

    method: str
    arguments: dict[str, Any]
    at: float  # monotonic


@dataclass(slots=True)
class Posted:
    """A message that stands in a channel."""

    channel: str
    ts: str
    thread_ts: str
    at: float
    content: dict[str, Any]
    history: list[str] = field(default_factory=list)  # of its shown text, the last one is current

    @property
    def shown(self) -> str:
        """Return what people see: the blocks, or else the text."""
        return shown(self.content)


@dataclass(frozen=True, slots=True)
class Fault:
    """How one call goes wrong: `kind` before the call is carried out, or after it."""

    kind: str  # error, status, html, reset, close, hang
    code: str = ""
    status: int = 200
    retry_after: int | None = None
    is_carried_out: bool = False
    seconds: float = 60.0


def error(code: str) -> Fault:
    return Fault("error", code)


def ratelimited(retry_after: int = 1) -> Fault:
    return Fault("error", "ratelimited", 429, retry_after)


def lost(kind: str = "reset") -> Fault:
    """The call is carried out and its reply never arrives."""
    return Fault(kind, is_carried_out=True)


def shown(content: Mapping[str, Any]) -> str:
    """Return the words of a message as people see them."""
    blocks = content.get("blocks") or []
    texts = [
        element["text"]
        for block in blocks
        for element in ([block["text"]] if "text" in block else block.get("elements", []))
    ]
    return "\n\n".join(texts) if texts else str(content.get("text", ""))


class LoopbackSlack:
    """Slack for tests; use it as a context manager."""

    def __init__(self, *, posts_a_second: float | None = None) -> None:
        self.calls: list[Call] = []
        self.messages: list[Posted] = []
        self.acks: dict[str, float] = {}  # envelope id -> seconds until it was acknowledged
        self.connections = 0
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.always: dict[str, Fault] = {}
        self.sends_hello = True
        self.scopes = SCOPES
        self._posts_a_second = posts_a_second
        self._sent: dict[str, tuple[float, dict[str, Any]]] = {}  # by envelope id
        self._last_post: dict[str, float] = {}
        self._sockets: list[web.WebSocketResponse] = []
        self._is_silent = False
        self._clock = 1_700_000_000
        self._lock = threading.Lock()
        self._ready = threading.Event()

    # --- life

    def __enter__(self) -> LoopbackSlack:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/"

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_get("/socket", self._socket)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._stopped.wait()
        for connection in list(self._sockets):
            _abort(connection)
        await runner.cleanup()

    def _in_loop(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    # --- what tests look at

    def thread(self, channel: str, thread_ts: str) -> list[Posted]:
        """Return the bot's messages in a thread, oldest first."""
        found = [m for m in self.messages if (m.channel, m.thread_ts) == (channel, thread_ts)]
        return sorted(found, key=lambda message: message.ts)

    def called(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method == method]

    def fail(self, method: str, *faults: Fault) -> None:
        """Let the next calls of a method go wrong, one after the other."""
        self.faults[method].extend(faults)

    # --- the Web API

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        arguments = await _arguments(request)
        self.calls.append(Call(method, arguments, time.monotonic()))
        fault = self._fault(method)
        if fault is not None and not fault.is_carried_out:
            return await self._misbehave(request, fault)
        reply = self._carry_out(method, arguments, request.headers.get("Authorization", ""))
        if fault is not None:
            return await self._misbehave(request, fault)
        headers = {"x-oauth-scopes": self.scopes}
        if reply.get("error") == "ratelimited":
            return web.json_response(reply, status=429, headers={"Retry-After": "1"})
        return web.json_response(reply, headers=headers)

    def _fault(self, method: str) -> Fault | None:
        if self.faults[method]:
            return self.faults[method].pop(0)
        return self.always.get(method) or self.always.get("*")

    async def _misbehave(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.kind == "error":
            headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after else {}
            body = {"ok": False, "error": fault.code}
            return web.json_response(body, status=fault.status, headers=headers)
        if fault.kind == "html":
            text = "<html>Bad gateway</html>"
            return web.Response(text=text, status=fault.status, content_type="text/html")
        if fault.kind == "text":
            return web.Response(text="upstream connect error", status=fault.status)
        if fault.kind == "hang":
            await asyncio.sleep(fault.seconds)
        _abort(request, reset=fault.kind == "reset")
        return web.Response()

    def _carry_out(self, method: str, arguments: dict[str, Any], token: str) -> dict[str, Any]:
        expected = APP_TOKEN if method == "apps.connections.open" else BOT_TOKEN
        if token != f"Bearer {expected}":
            return {"ok": False, "error": "invalid_auth"}
        actions: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "auth.test": self._auth_test,
            "apps.connections.open": self._open,
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "conversations.replies": self._replies,
        }
        action = actions.get(method)
        if action is None:
            return {"ok": False, "error": "unknown_method"}
        with self._lock:
            return action(arguments)

    def _auth_test(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"ok": True, "team_id": TEAM, "user_id": BOT_USER, "bot_id": BOT_ID}

    def _open(self, _: dict[str, Any]) -> dict[str, Any]:
        ticket = len(self.called("apps.connections.open"))
        return {"ok": True, "url": f"ws://127.0.0.1:{self.port}/socket?ticket={ticket}"}

    def _post(self, arguments: dict[str, Any]) -> dict[str, Any]:
        channel, now = arguments["channel"], time.monotonic()
        refusal = _refusal(arguments, 40_000)
        if refusal:
            return {"ok": False, "error": refusal}
        if self._posts_a_second is not None:
            if now - self._last_post.get(channel, 0.0) < 1 / self._posts_a_second:
                return {"ok": False, "error": "ratelimited"}
            self._last_post[channel] = now
        self._clock += 1
        ts = f"{self._clock}.000100"
        thread_ts = arguments.get("thread_ts") or ts
        message = Posted(channel, ts, thread_ts, now, dict(arguments))
        message.history.append(message.shown)
        self.messages.append(message)
        return {"ok": True, "channel": channel, "ts": ts, "message": {"text": arguments["text"]}}

    def _update(self, arguments: dict[str, Any]) -> dict[str, Any]:
        refusal = _refusal(arguments, 4_000)
        if refusal:
            return {"ok": False, "error": refusal}
        for message in self.messages:
            if (message.channel, message.ts) == (arguments["channel"], arguments["ts"]):
                message.content |= arguments
                message.history.append(message.shown)
                return {"ok": True, "ts": message.ts, "channel": message.channel}
        return {"ok": False, "error": "message_not_found"}

    def _replies(self, arguments: dict[str, Any]) -> dict[str, Any]:
        found = self.thread(arguments["channel"], arguments["ts"])
        shows_metadata = str(arguments.get("include_all_metadata")) in ("1", "True", "true")
        messages = [
            {
                "type": "message",
                "ts": message.ts,
                "thread_ts": message.thread_ts,
                "user": BOT_USER,
                "bot_id": BOT_ID,
                "text": message.content.get("text"),
                **({"metadata": message.content.get("metadata")} if shows_metadata else {}),
            }
            for message in found
        ]
        return {"ok": True, "messages": [{"ts": arguments["ts"], "user": "U1"}, *messages]}

    # --- Socket Mode

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        connection = web.WebSocketResponse(autoping=False)
        await connection.prepare(request)
        self.connections += 1
        self._sockets.append(connection)
        if self.sends_hello:
            await connection.send_json({"type": "hello", "num_connections": 1})
        try:
            async for message in connection:
                await self._hear(connection, message)
        finally:
            self._sockets.remove(connection)
        return connection

    async def _hear(self, connection: web.WebSocketResponse, message: aiohttp.WSMessage) -> None:
        if message.type == aiohttp.WSMsgType.PING and not self._is_silent:
            await connection.pong(message.data)
        elif message.type == aiohttp.WSMsgType.TEXT:
            envelope_id = json.loads(message.data)["envelope_id"]
            self.acks[envelope_id] = time.monotonic() - self._sent[envelope_id][0]

    @property
    def is_connected(self) -> bool:
        return bool(self._sockets)

    def send(self, body: Mapping[str, Any], kind: str = "events_api") -> str:
        """Send an event over the websocket; return its envelope's id."""
        envelope_id = f"envelope-{len(self._sent)}"
        envelope = {"type": kind, "envelope_id": envelope_id, "payload": body}
        self._sent[envelope_id] = time.monotonic(), envelope
        self._in_loop(self._sockets[-1].send_json(envelope))
        return envelope_id

    def deliver_again(self) -> None:
        """Send again what was not acknowledged, as Slack does: at once, in 1 and in 5 minutes."""
        for envelope_id, (_, envelope) in list(self._sent.items()):
            if envelope_id not in self.acks:
                self._in_loop(self._sockets[-1].send_json(envelope))

    def send_text(self, text: str) -> None:
        self._in_loop(self._sockets[-1].send_str(text))

    def disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask the bot to connect anew."""
        self._in_loop(self._sockets[-1].send_json({"type": "disconnect", "reason": reason}))

    def drop(self) -> None:
        """Cut every connection without a word."""
        for connection in list(self._sockets):
            self._loop.call_soon_threadsafe(_abort, connection)

    def silence(self) -> None:
        """Answer no more pings."""
        self._is_silent = True

    def speak(self) -> None:
        self._is_silent = False


def event(body: Mapping[str, Any], **outer: Any) -> dict[str, Any]:
    """Return the outer form in which Slack delivers an event."""
    return {
        "token": "not used",
        "team_id": TEAM,
        "api_app_id": "A0001",
        "type": "event_callback",
        "event_id": f"Ev{body.get('event_ts') or body.get('ts')}",
        "event_time": 1_700_000_000,
        "authorizations": [{"team_id": TEAM, "user_id": BOT_USER, "is_bot": True}],
        "event": dict(body),
        **outer,
    }


def mention(text: str, ts: str, channel: str = "C1", /, **extra: Any) -> dict[str, Any]:
    """Return the event of a person who mentions the bot."""
    words = f"<@{BOT_USER}> {text}".strip()
    body = {"type": "app_mention", "user": "U1", "text": words, "ts": ts, "channel": channel}
    return event({**body, "event_ts": ts, "channel_type": "channel", **extra})


def direct_message(text: str, ts: str, channel: str = "D1", /, **extra: Any) -> dict[str, Any]:
    """Return the event of a person who writes to the bot."""
    body = {"type": "message", "user": "U1", "text": text, "ts": ts, "channel": channel}
    return event({**body, "event_ts": ts, "channel_type": "im", **extra})


def press(answer_id: str, message: Posted) -> dict[str, Any]:
    """Return the interaction of a person who presses the button in a message."""
    content = {name: message.content.get(name) for name in ("text", "blocks")}
    return {
        "type": "block_actions",
        "team": {"id": TEAM, "domain": "example"},
        "user": {"id": "U1", "team_id": TEAM},
        "api_app_id": "A0001",
        "token": "not used",
        "channel": {"id": message.channel, "name": "general"},
        "message": {"ts": message.ts, "thread_ts": message.thread_ts, **content},
        "actions": [{"type": "button", "action_id": "report_answer", "value": answer_id}],
        "response_url": "https://hooks.example.com/actions",
    }


def sign(body: bytes, timestamp: str, secret: str = SIGNING_SECRET) -> str:
    """Return Slack's signature of a body."""
    signed = f"v0:{timestamp}:".encode() + body
    return "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


async def deliver(
    url: str,
    body: Mapping[str, Any] | bytes,
    *,
    age: float = 0.0,
    headers: Mapping[str, str | None] | None = None,
) -> int:
    """Deliver an event over HTTP and return the status; a header of None is left out."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    timestamp = str(int(time.time() - age))
    sent: dict[str, str | None] = {
        "Content-Type": "application/json",
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": sign(data, timestamp),
        **(headers or {}),
    }
    kept = {name: value for name, value in sent.items() if value is not None}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=io.BytesIO(data), headers=kept) as response,
    ):
        await response.read()
        return response.status


async def _arguments(request: web.Request) -> dict[str, Any]:
    if request.content_type == "application/json":
        return dict(await request.json())
    return {**request.query, **(await request.post())}


def _refusal(arguments: Mapping[str, Any], text_bytes: int) -> str:
    """Return the error with which Slack refuses a message that breaks its limits."""
    blocks = arguments.get("blocks") or []
    texts = [shown({"blocks": [block]}) for block in blocks]
    if len(str(arguments.get("text", "")).encode()) > text_bytes:
        return "msg_too_long"
    if len(blocks) > 50 or any(not 0 < len(text) <= 3_000 for text in texts):
        return "invalid_blocks"
    if sum(map(len, texts)) > 13_000:
        return "msg_blocks_too_long"
    return "" if texts or arguments.get("text") else "no_text"


def _abort(connection: web.Request | web.WebSocketResponse, reset: bool = True) -> None:
    request = connection if isinstance(connection, web.Request) else connection._req
    transport = request.transport if request is not None else None
    if transport is None:
        return
    raw = transport.get_extra_info("socket")
    if reset and raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
