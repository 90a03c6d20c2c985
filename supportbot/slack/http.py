"""Events over HTTP: what is not signed by Slack, or is no event, is refused before Bolt sees it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from slack_bolt.adapter.starlette.async_handler import (
    to_async_bolt_request,
    to_starlette_response,
)
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slack_bolt.async_app import AsyncApp
    from starlette.types import Receive, Scope, Send

MAX_BODY_BYTES = 1024 * 1024
BODY_SECONDS = 10.0
MAX_AGE_SECONDS = 300  # https://docs.slack.dev/authentication/verifying-requests-from-slack/


class EventsEndpoint:
    """The ASGI application behind `/slack/events`."""

    def __init__(self, app: AsyncApp, signing_secret: str) -> None:
        self._app = app
        self._secret = signing_secret.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        if request.method != "POST":
            return _refusal(405, "only POST is served here")
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read(request)
        except TimeoutError:
            return _refusal(408, "the body did not arrive in time")
        if body is None:
            return _refusal(413, "the body is too large")
        if not is_signed(request.headers, body, self._secret, time.time()):
            return _refusal(401, "the signature or its timestamp is not valid")
        if not is_readable(request.headers.get("content-type", ""), body):
            return _refusal(400, "the body cannot be read")
        try:
            bolt_request = to_async_bolt_request(request, body)
        except (AttributeError, KeyError, TypeError, ValueError):
            return _refusal(400, "the body is no event")  # of the right form, of odd types
        return to_starlette_response(await self._app.async_dispatch(bolt_request))


def is_signed(headers: Mapping[str, str], body: bytes, secret: bytes, now: float) -> bool:
    """Tell whether Slack signed these bytes within the last five minutes."""
    timestamp = headers.get("x-slack-request-timestamp", "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    if abs(now - int(timestamp)) > MAX_AGE_SECONDS:
        return False
    signed = hmac.new(secret, f"v0:{timestamp}:".encode() + body, hashlib.sha256)
    given = headers.get("x-slack-signature", "").encode()
    return hmac.compare_digest(f"v0={signed.hexdigest()}".encode(), given)


def is_readable(content_type: str, body: bytes) -> bool:
    """Tell whether the body is a JSON object, or a form whose `payload` is one."""
    try:
        text = body.decode()
        if "x-www-form-urlencoded" in content_type and not text.startswith("{"):
            text = parse_qs(text, max_num_fields=100).get("payload", ["{}"])[0]
        data = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(data, dict):
        return False
    event = data.get("event")
    is_event = isinstance(event, dict) and isinstance(event.get("type"), str)
    return is_event or (event is None and data.get("type") != "event_callback")


async def _read(request: Request) -> bytes | None:
    """Return the body; None when it is larger than any event."""
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > MAX_BODY_BYTES:
            return None
    return bytes(chunks)


def _refusal(status: int, reason: str) -> Response:
    return PlainTextResponse(reason, status)
