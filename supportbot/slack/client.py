"""The Slack Web API, as far as the bot uses it.

The stock client's own retries stay off: it sends `chat.postMessage` again when the connection
breaks after Slack took the message, and so posts it twice. Who calls decides what a lost reply
means.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from slack_sdk.errors import SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from supportbot.errors import SlackCallFailed

CALL_SECONDS = 10
EVENT_TYPE = "supportbot_reply"
SEARCHED_PAGES = 5
# Slack's page on chat.postMessage: with these "some aspect of the operation" may have succeeded.
MAYBE_DONE = frozenset({"fatal_error", "internal_error", "service_unavailable", "request_timeout"})
TRANSIENT = MAYBE_DONE | {"ratelimited", "rate_limited", "team_added_to_org", "accesslimited"}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the bot is in its workspace."""

    team: str
    user: str  # the bot's user id, as people mention it
    bot: str
    scopes: frozenset[str] = frozenset()  # of the token; empty where Slack does not say


@dataclass(frozen=True, slots=True)
class Message:
    """One message as Slack takes it: `blocks` are shown, `text` is their form for notifications."""

    text: str
    blocks: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one message of a reply belongs, and the mark by which it is found again."""

    channel: str
    thread_ts: str
    key: str  # of the event that is answered
    part: str  # which message of the reply, "0" first
    since: str  # ts of the question: the reply is younger

    @property
    def mark(self) -> dict[str, str]:
        """Return the payload of the message's metadata."""
        return {"key": self.key, "part": self.part}


class SlackClient:
    """Calls the Web API with one bot token. Every method may raise SlackCallFailed."""

    def __init__(self, token: str, api_url: str, timeout: int = CALL_SECONDS) -> None:
        self._web = AsyncWebClient(
            token=token, base_url=api_url, timeout=timeout, retry_handlers=[]
        )

    @property
    def proxy(self) -> str | None:
        """Return the proxy that calls go through, None for a direct way."""
        return self._web.proxy

    async def identify(self) -> Identity:
        """Return who the token belongs to."""
        reply, headers = await self._exchange("auth.test", self._web.auth_test())
        granted = str(headers.get("x-oauth-scopes") or "").split(",")
        return Identity(
            team=str(reply.get("team_id") or ""),
            user=str(reply.get("user_id") or ""),
            bot=str(reply.get("bot_id") or ""),
            scopes=frozenset(scope.strip() for scope in granted if scope.strip()),
        )

    async def open_socket(self, app_token: str) -> str:
        """Return a fresh websocket address for Socket Mode; it works once."""
        call = self._web.apps_connections_open(app_token=app_token)
        reply = await self._call("apps.connections.open", call)
        return _text(reply, "url", "apps.connections.open")

    async def post(self, place: Place, message: Message) -> str:
        """Post a new message and return its ts."""
        call = self._web.chat_postMessage(
            channel=place.channel,
            thread_ts=place.thread_ts,
            text=message.text,
            blocks=message.blocks or None,
            metadata={"event_type": EVENT_TYPE, "event_payload": place.mark},
            unfurl_links=False,
            unfurl_media=False,
        )
        return _text(await self._call("chat.postMessage", call), "ts", "chat.postMessage")

    async def update(self, channel: str, ts: str, message: Message) -> None:
        """Replace the content of a message; doing it twice does no harm."""
        call = self._web.chat_update(
            channel=channel,
            ts=ts,
            text=message.text,
            blocks=message.blocks,
            unfurl_links=False,
            unfurl_media=False,
        )
        await self._call("chat.update", call)

    async def find(self, place: Place) -> str | None:
        """Return the ts of the message that was posted to this place; None when there is none."""
        cursor: str | None = None
        for _ in range(SEARCHED_PAGES):
            call = self._web.conversations_replies(
                channel=place.channel,
                ts=place.thread_ts,
                oldest=place.since,
                limit=200,
                cursor=cursor,
                include_all_metadata=True,
            )
            reply = await self._call("conversations.replies", call)
            for message in _dicts(reply.get("messages")):
                metadata = message.get("metadata")
                if isinstance(metadata, dict) and metadata.get("event_payload") == place.mark:
                    return _text(message, "ts", "conversations.replies")
            further = reply.get("response_metadata")
            cursor = further.get("next_cursor") if isinstance(further, dict) else None
            if not cursor:
                break
        return None

    async def _call(self, method: str, call: Awaitable[Any]) -> dict[str, Any]:
        return (await self._exchange(method, call))[0]

    async def _exchange(
        self, method: str, call: Awaitable[Any]
    ) -> tuple[dict[str, Any], Mapping[str, Any]]:
        """Return a reply and its headers; whatever goes wrong is a SlackCallFailed."""
        try:
            response = await call
            data = response.data
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise SlackCallFailed(method, "unreachable", is_transient=True) from error
        except SlackClientError as error:
            raise _translate(method, getattr(error, "response", None)) from None
        except (aiohttp.ClientError, OSError, ValueError, AttributeError) as error:
            # The stock client trips over a body that is no JSON object; like a cut connection,
            # that says nothing about what was done.
            raise _lost(method, "no_reply") from error
        if not isinstance(data, dict):
            raise _lost(method, "no_reply")
        return data, response.headers


def _translate(method: str, response: Any) -> SlackCallFailed:
    """Return the failure of a reply that came; `response` is the client's, or the raw HTTP one."""
    status = int(getattr(response, "status_code", None) or getattr(response, "status", None) or 0)
    data = getattr(response, "data", None)
    code = data.get("error") if isinstance(data, dict) else None
    if status == 429 or code in ("ratelimited", "rate_limited"):
        wait = _seconds(getattr(response, "headers", {}))
        return SlackCallFailed(method, "ratelimited", is_transient=True, retry_after=wait)
    if not isinstance(code, str) or status >= 500 or code in MAYBE_DONE:
        return _lost(method, code if isinstance(code, str) else f"http_{status}")
    return SlackCallFailed(method, code, is_transient=code in TRANSIENT)


def _lost(method: str, code: str) -> SlackCallFailed:
    return SlackCallFailed(method, code, is_transient=True, is_lost=True)


def _seconds(headers: Mapping[str, Any]) -> float:
    value = headers.get("Retry-After") or headers.get("retry-after") or ""
    text = str(value[0] if isinstance(value, list) else value)
    return min(float(text), 300.0) if text.isascii() and text.isdigit() else 1.0


def _text(data: Mapping[str, Any], name: str, method: str) -> str:
    value = data.get(name)
    if not isinstance(value, str):
        raise _lost(method, f"reply_without_{name}")
    return value


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
