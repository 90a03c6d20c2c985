"""What every request passes before a route sees it, and every response before it leaves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from supportbot.conversation import new_id
from supportbot.web.auth import Access
from supportbot.web.problems import Problem

MAX_BODY_BYTES = 64 * 1024
BODY_SECONDS = 10.0
API = "/v1/"
# Probes name the machine as they like, and Slack signs what it sends.
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/slack/events"})

API_POLICY = "default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}

log = logging.getLogger(__name__)


class ClientLeft(Exception):
    """The client closed the connection before its request was whole."""


class Gate:
    """Lets in whom `access` admits, with a small JSON body; turns every error into a problem."""

    def __init__(self, app: ASGIApp, access: Access, body_seconds: float = BODY_SECONDS) -> None:
        self._app = app
        self._access = access
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        response = _Response(send, self._access.shared_with(headers))
        try:
            refusal = await self._serve(scope, headers, receive, response)
        except Problem as problem:
            refusal = problem.response()
        except ClientLeft:
            return
        except Exception:  # a front door: what goes wrong inside is logged and never shown
            if response.has_started:
                raise
            refusal = _failure()
        if refusal is not None:
            await refusal(scope, receive, response.send)

    async def _serve(
        self, scope: Scope, headers: Headers, receive: Receive, response: _Response
    ) -> Response | None:
        path, client = scope["path"], (scope.get("client") or ("",))[0]
        if path not in OPEN_PATHS:
            self._access.check_host(headers, client)
        if path.startswith(API):
            if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
                return self._preflight(headers)
            state: MutableMapping[str, Any] = scope.setdefault("state", {})
            state["caller"] = self._access.admit(headers, client)
            if scope["method"] == "POST":
                receive = await self._with_body(headers, receive)
        await self._app(scope, receive, response.send)
        return None

    async def _with_body(self, headers: Headers, receive: Receive) -> Receive:
        """Read the whole body and return a `receive` that replays it."""
        try:
            async with asyncio.timeout(self._body_seconds):
                return _replayed(await _read(headers, receive), receive)
        except TimeoutError:
            detail = f"The body did not arrive within {self._body_seconds:g} s."
            raise Problem(408, detail, {"Connection": "close"}) from None

    def _preflight(self, headers: Headers) -> Response:
        if self._access.shared_with(headers) is None:
            raise Problem(403, "This page's origin is not listed in the `origins` of any widget.")
        return Response(
            status_code=204,
            headers={
                "Access-Control-Allow-Methods": "GET, POST, DELETE",
                "Access-Control-Allow-Headers": "Authorization, Content-Type, X-Widget-Key",
                "Access-Control-Max-Age": "600",
            },
        )


class _Response:
    """Adds the security headers, and knows whether the response has started."""

    def __init__(self, send: Send, shared_with: str | None) -> None:
        self._send = send
        self._shared_with = shared_with
        self.has_started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_started = True
            headers = MutableHeaders(scope=message)
            is_page = headers.get("content-type", "").startswith("text/html")
            headers.setdefault("Content-Security-Policy", PAGE_POLICY if is_page else API_POLICY)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            headers.add_vary_header("Origin")
            if self._shared_with:
                headers["Access-Control-Allow-Origin"] = self._shared_with
                headers["Access-Control-Expose-Headers"] = "Retry-After"
        await self._send(message)


async def _read(headers: Headers, receive: Receive) -> bytes:
    """Return the whole body, which is small JSON, or refuse it, before it is held in memory."""
    media_type, _, parameters = headers.get("content-type", "").lower().partition(";")
    charset = parameters.strip().removeprefix("charset=").strip('"')
    is_json = media_type.strip() == "application/json" and charset in {"", "utf-8"}
    if not is_json or "content-encoding" in headers:
        raise Problem(
            415,
            "Only application/json in UTF-8, uncompressed, is taken.",
            {"Accept": "application/json", "Connection": "close"},
        )
    too_large = Problem(
        413, f"The body may have {MAX_BODY_BYTES} bytes at most.", {"Connection": "close"}
    )
    declared = headers.get("content-length", "0")
    if len(declared) > 12 or (declared.isdecimal() and int(declared) > MAX_BODY_BYTES):
        raise too_large
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise too_large
        if not message.get("more_body", False):
            return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return first.pop() if first else await receive()

    return replay


def _failure() -> Response:
    reference = new_id("ref")
    log.exception("request failed", extra={"reference": reference})
    detail = f"Something went wrong on our side. If it stays, tell us this reference: {reference}."
    return Problem(500, detail, reference=reference).response()
