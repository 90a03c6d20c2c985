"""Who may call over HTTP.

With widgets configured, a request carries the key of one of them, and a browser's request comes
from a page that this widget lists. Without, only this machine is served: the connection, the
`Host` header (against DNS rebinding) and the page all are of the loopback address.

A conversation belongs to the key that opened it, and to the audience the key had then: its id
carries a tag that only this key gives. Any other id is unknown: it cannot be read, and a question
that names it opens a new conversation. On the loopback address any id is taken.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from knowledge.documents import Scope
from supportbot.config import WidgetSettings
from supportbot.conversation import new_id
from supportbot.web.problems import Problem

LOCAL_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request."""

    visitor: str  # network address; of IPv6 the /64, which one household holds
    widget: WidgetSettings | None = None  # None: a program or page on this machine

    @property
    def scope(self) -> Scope:
        """Return what the caller may see."""
        return Scope.of(self.widget.audience if self.widget else None)

    def new_conversation(self) -> str:
        """Return the id of a new conversation of this caller."""
        name = new_id("conv")
        return f"{name}.{self._tag(name)}" if self.widget else name

    def owns(self, conversation_id: str) -> bool:
        """Tell whether this caller's key opened the conversation."""
        if self.widget is None:
            return bool(LOCAL_ID.fullmatch(conversation_id))
        name, _, tag = conversation_id.rpartition(".")
        return hmac.compare_digest(_digest(tag), _digest(self._tag(name)))

    def _tag(self, name: str) -> str:
        assert self.widget is not None  # noqa: S101 - both callers looked
        key = self.widget.key.get_secret_value().encode()
        message = f"{self.widget.audience}\n{name}".encode()
        return hmac.new(key, message, "sha256").hexdigest()[:32]


class Access:
    """Decides who is let in."""

    def __init__(self, widgets: Sequence[WidgetSettings]) -> None:
        self._keys = [(_digest(widget.key.get_secret_value()), widget) for widget in widgets]
        self._origins = {origin for widget in widgets for origin in widget.origins}

    def check_host(self, headers: Headers, client: str) -> None:
        """Refuse with a `Problem` what does not come from this machine, if only it is served."""
        if self._keys:
            return
        if not (_is_loopback(client) and _is_loopback(_host(headers))):
            raise Problem(
                403,
                "Only this machine is served until a widget key is configured. "
                "Open it as http://127.0.0.1, or add [[widgets]] to supportbot.toml.",
            )

    def admit(self, headers: Headers, client: str) -> Caller:
        """Return who is calling, or raise a `Problem`."""
        if not self._keys:
            self._check_origin(headers, frozenset())
            return Caller(_visitor(client))
        widget = self._widget(_given_key(headers))
        self._check_origin(headers, frozenset(widget.origins))
        return Caller(_visitor(client), widget)

    def shared_with(self, headers: Headers) -> str | None:
        """Return the origin of the asking page, if some widget lists it."""
        origin = headers.get("origin")
        return origin if origin in self._origins else None

    def _widget(self, given: str) -> WidgetSettings:
        digest, found = _digest(given), None
        for known, widget in self._keys:  # all of them, so that the time tells nothing
            if hmac.compare_digest(known, digest):
                found = widget
        if found is None:
            raise Problem(
                401,
                "A widget key is needed: send it as `Authorization: Bearer` or `X-Widget-Key`.",
                {"WWW-Authenticate": "Bearer"},
            )
        return found

    def _check_origin(self, headers: Headers, allowed: frozenset[str]) -> None:
        origin = headers.get("origin")
        if origin is None or origin in allowed or _is_own_page(headers, origin):
            return
        raise Problem(403, "This page's origin is not listed in the `origins` of the widget.")


def _given_key(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    return bearer or headers.get("x-widget-key", "")


def _is_own_page(headers: Headers, origin: str) -> bool:
    """Tell whether the page was served by this server, reached by a loopback name."""
    host = headers.get("host", "")
    return _is_loopback(_host(headers)) and origin in {f"http://{host}", f"https://{host}"}


def _host(headers: Headers) -> str:
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname or "invalid"
    except ValueError:
        return "invalid"


def _is_loopback(name: str) -> bool:
    if name == "localhost" or not name:  # no name: the connection is a Unix socket
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _visitor(client: str) -> str:
    try:
        address = ip_address(client)
    except ValueError:
        return client
    if isinstance(address, IPv6Address) and not address.ipv4_mapped:
        return address.exploded[:19]
    return str(address)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
