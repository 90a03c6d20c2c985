"""Fetching over HTTP from addresses that may be hostile.

A host's name is resolved once, each of its addresses is checked, and the connection goes to what
was checked, so that no second answer of a name server leads it elsewhere. Each hop of a redirect
is checked anew; size, time and redirects are bounded; proxies of the environment are not used.
"""

from __future__ import annotations

import json as json_format
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Self

import httpcore2

from ingest.addresses import WebAddress, without_login
from ingest.errors import FetchFailed, FetchRefused
from ingest.networks import Address, Network, is_allowed
from ingest.sources.base import MAX_DOCUMENT_BYTES

if TYPE_CHECKING:
    from ingest.config import SourceSettings

USER_AGENT = "supportbot-ingest"

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_PORTS = frozenset({80, 443})
# Of services that take a request of HTTP for commands of their own, even where a person named it.
_FOREIGN_PORTS = frozenset(
    {21, 22, 23, 25, 53, 110, 143, 389, 465, 587, 993, 995, 3306, 5432, 6379, 11211, 27017}
)
_REDIRECTS = (301, 302, 303, 307, 308)
# All that another site is told; logins and cookies are for the one that they were given for.
_FOR_OTHERS = ("accept", "accept-language", "if-none-match", "if-modified-since")
_STALL_SECONDS = 15.0  # without a byte
_IDLE_SECONDS = 15.0  # that a connection is kept for the next request
_STEP_BYTES = 1024**2
_PIECE_BYTES = 4096  # what follows a member of a gzip file is copied for each member
_RATIO = 100  # of what was packed to what was sent, above one step


@dataclass(frozen=True, slots=True)
class FetchRules:
    """What may be fetched, and within which bounds."""

    allow_hosts: frozenset[str] | None = None  # None: the hosts are not restricted
    allow_private: tuple[Network, ...] = ()  # networks that are not public, and are meant
    ports: frozenset[int] = _PORTS
    max_bytes: int = MAX_DOCUMENT_BYTES  # as sent, and unpacked
    seconds: float = 30.0  # for one request with all its redirects
    max_redirects: int = 5

    @classmethod
    def of(cls, settings: SourceSettings, address: str) -> FetchRules:
        """Return the rules of a source at an address: its host, with and without `www.`, its port,
        and what its settings allow besides.

        Raises:
            FetchRefused: it is no address that can be fetched.
        """
        own = web_address(address)
        bare = own.host.removeprefix("www.")
        hosts = frozenset({own.host, bare, f"www.{bare}", *map(str.lower, settings.allow_hosts)})
        return cls(hosts, settings.allow_private, _PORTS | {own.port})


@dataclass(frozen=True, slots=True)
class Response:
    """What a server answered."""

    url: str  # where it was found, after all redirects
    status: int
    headers: Mapping[str, str]  # by names in lower case
    body: bytes  # unpacked
    hops: int = 0  # redirects on the way


# Returns the addresses of a host's name, and raises OSError if it has none.
Resolver = Callable[[str], Sequence[Address]]


def resolve(host: str) -> list[Address]:
    """Return the addresses of a host as the operating system knows them."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [ip_address(str(each[4][0]).partition("%")[0]) for each in found]


@cache
def _trusted() -> ssl.SSLContext:
    """Return what the operating system trusts; it takes a while to read."""
    return httpcore2.default_ssl_context()


def web_address(text: str, base: str = "") -> WebAddress:
    """Return the address that a text is.

    Raises:
        FetchRefused: it is no address that can be fetched.
    """
    try:
        return WebAddress.of(text, base)
    except ValueError as error:
        shown = without_login(text)[:200]
        raise FetchRefused(f"{shown!r} cannot be fetched: {error}") from error


class Fetcher:
    """Asks servers over HTTP, within rules; may be used by several threads."""

    def __init__(
        self,
        rules: FetchRules = FetchRules(),
        user_agent: str = USER_AGENT,
        *,
        resolver: Resolver = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.rules = rules
        self._user_agent = user_agent
        self._deadline = _Deadline()
        self._pool = httpcore2.ConnectionPool(
            ssl_context=tls or _trusted(),
            keepalive_expiry=_IDLE_SECONDS,
            network_backend=_CheckedNetwork(rules, resolver, self._deadline),
        )

    def get(self, url: str, headers: Mapping[str, str] = _NO_HEADERS) -> Response:
        """Return the answer of the address, or of where it leads; any status is an answer.

        Raises:
            FetchRefused: it, or where it leads, may not be fetched.
            FetchFailed: there is no whole answer within the bounds.
        """
        address, sent = web_address(url), dict(headers)
        with self._deadline.within(self.rules.seconds):
            for hops in range(self.rules.max_redirects + 1):
                response = self._send("GET", address, sent, hops=hops)
                location = response.headers.get("location")
                if response.status not in _REDIRECTS or not location:
                    return response
                fresh = hop(address, location)
                if fresh.origin != address.origin:
                    sent = {k: value for k, value in sent.items() if k.lower() in _FOR_OTHERS}
                address = fresh
        raise FetchFailed(f"{url} leads on more than {self.rules.max_redirects} times")

    def post(self, url: str, json: object, headers: Mapping[str, str] = _NO_HEADERS) -> Response:
        """Return the answer to a JSON value; a redirect is not followed.

        Raises:
            FetchRefused: the address may not be fetched.
            FetchFailed: there is no whole answer within the bounds.
        """
        body = json_format.dumps(json, ensure_ascii=False).encode()
        with self._deadline.within(self.rules.seconds):
            return self._send(
                "POST", web_address(url), {"content-type": "application/json", **headers}, body
            )

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _send(
        self,
        method: str,
        address: WebAddress,
        headers: Mapping[str, str],
        body: bytes | None = None,
        hops: int = 0,
    ) -> Response:
        check(address, self.rules)
        sent = {
            "host": address.authority,
            "user-agent": self._user_agent,
            "accept-encoding": "gzip",
            **{name.lower(): value for name, value in headers.items()},
        }
        with (
            _failures_of(address),
            self._pool.stream(
                method,
                httpcore2.URL(
                    scheme=address.scheme,
                    host=address.host,
                    port=address.port,
                    target=address.target,
                ),
                # Latin-1, as they arrive: a server's own ETag goes back to it unchanged.
                headers=[(k.encode("latin-1"), v.encode("latin-1")) for k, v in sent.items()],
                content=body,
                extensions={"timeout": {"pool": self.rules.seconds}},
            ) as answer,
        ):
            told = _told(answer.headers)
            whole = _body(answer.iter_stream(), told, self.rules.max_bytes)
            return Response(address.url, answer.status, told, whole, hops)


def check(address: WebAddress, rules: FetchRules) -> None:
    """Refuse an address by its host's name and its port, before anything is resolved.

    Raises:
        FetchRefused: the message says what would allow it.
    """
    if rules.allow_hosts is not None and address.host not in rules.allow_hosts:
        raise FetchRefused(f"{address.url} is on another host, which is not in `allow_hosts`")
    if address.port not in rules.ports or address.port in _FOREIGN_PORTS:
        raise FetchRefused(f"{address.url}: port {address.port} is not fetched from")


def checked_addresses(host: str, rules: FetchRules, resolver: Resolver = resolve) -> list[Address]:
    """Return all addresses of a host; they may all be connected to.

    Raises:
        FetchRefused: one of them may not.
        FetchFailed: it has none, for now.
    """
    try:
        found = list(resolver(host))
    except (OSError, UnicodeError) as error:
        reason = f"{host} cannot be looked up ({error})"
        raise FetchFailed(reason, is_transient=True, is_away=True) from error
    for address in found:
        if not is_allowed(address, rules.allow_private):
            raise FetchRefused(
                f"{host} is at {address}, which is no public address (`--allow-private`, or"
                " `allow_private` of its source, names networks of your own to fetch from)"
            )
    return found


class _Deadline(threading.local):
    """Until when the request of this thread must be done, on the monotonic clock."""

    at = 0.0

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        self.at = time.monotonic() + seconds
        yield

    def left(self, error: type[Exception]) -> float:
        """Return the seconds that one step may take."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise error("the time for the whole request is over")
        return min(left, _STALL_SECONDS)


class _CheckedNetwork(httpcore2.NetworkBackend):
    """Connects to addresses that were checked, and to nothing else."""

    def __init__(self, rules: FetchRules, resolver: Resolver, deadline: _Deadline) -> None:
        self._rules = rules
        self._resolver = resolver
        self._deadline = deadline
        self._network = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        addresses = checked_addresses(host, self._rules, self._resolve_in_time)
        failure: Exception = httpcore2.ConnectError(f"{host} has no address")
        for address in dict.fromkeys(addresses):
            try:
                left = self._deadline.left(httpcore2.ConnectTimeout)
                stream = self._network.connect_tcp(str(address), port, left)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return _TimedStream(stream, self._deadline)
        raise failure

    def _resolve_in_time(self, host: str) -> Sequence[Address]:
        """Resolve in a thread of its own: the system's resolver knows no time limit."""
        found: list[Sequence[Address] | Exception] = []

        def look_up() -> None:
            try:
                found.append(self._resolver(host))
            except (OSError, UnicodeError) as error:
                found.append(error)

        thread = threading.Thread(target=look_up, daemon=True)
        thread.start()
        thread.join(self._deadline.left(httpcore2.ConnectTimeout))
        if not found:
            raise TimeoutError(f"looking up {host} takes too long")
        if isinstance(found[0], Exception):
            raise found[0]
        return found[0]


class _TimedStream(httpcore2.NetworkStream):
    """A connection that keeps to the deadline of the request that it serves."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: _Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left(httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left(httpcore2.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        left = self._deadline.left(httpcore2.ConnectTimeout)
        stream = self._stream.start_tls(ssl_context, server_hostname, left)
        return _TimedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def hop(address: WebAddress, location: str) -> WebAddress:
    """Return where a page leads.

    Raises:
        FetchRefused: it is no address that can be fetched, or leads out of https.
    """
    fresh = web_address(location, address.url)
    if (address.scheme, fresh.scheme) == ("https", "http"):
        raise FetchRefused(f"{address.url} leads from https to http: {fresh.url}")
    return fresh


@contextmanager
def _failures_of(address: WebAddress) -> Iterator[None]:
    try:
        yield
    except httpcore2.TimeoutException as error:
        raise FetchFailed(f"{address.url} takes too long", is_transient=True) from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise FetchFailed(f"{address.url}: its certificate is not valid ({error})") from error
        reason = f"{address.url} gave no whole answer ({error or type(error).__name__})"
        is_away = isinstance(error, httpcore2.ConnectError)
        raise FetchFailed(reason, is_transient=True, is_away=is_away) from error


def _told(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    told: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        told[key] = f"{told[key]}, {text}" if key in told else text
    return told


def _body(chunks: Iterable[bytes], told: Mapping[str, str], limit: int) -> bytes:
    """Return the body, unpacked, as far as it keeps within the limit."""
    length = told.get("content-length", "")
    if length.isdecimal() and int(length) > limit:
        raise _too_large(limit)
    packing = told.get("content-encoding", "identity").strip().lower()
    if packing in ("", "identity"):
        return _bounded(chunks, limit)
    if packing not in ("gzip", "x-gzip"):
        raise FetchFailed(f"it is packed as {packing[:40]!r}, which was not asked for")
    return unpacked(chunks, limit)


def unpacked(chunks: Iterable[bytes], limit: int) -> bytes:
    """Return what gzip packed, if it is whole, and neither too large nor packed too tightly.

    Raises:
        FetchFailed: it is not so.
    """
    sent = 0

    def counted() -> Iterator[bytes]:
        nonlocal sent
        for chunk in chunks:
            sent += len(chunk)
            yield chunk

    def checked() -> Iterator[bytes]:
        size = 0
        for piece in _gunzip(counted()):
            size += len(piece)
            if size > _STEP_BYTES and size > sent * _RATIO:
                raise FetchFailed(f"it unpacks to more than {_RATIO} times its size")
            yield piece

    try:
        return _bounded(checked(), limit)
    except zlib.error as error:
        raise FetchFailed(f"it is no gzip ({error})") from error


def _gunzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    unpacker = None
    for rest in _pieces(chunks):
        while rest:
            if unpacker is None or unpacker.eof:
                unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            yield unpacker.decompress(rest, _STEP_BYTES)
            rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
    if unpacker is not None:
        yield unpacker.flush()
        if not unpacker.eof:
            raise FetchFailed("it ends in the middle", is_transient=True)


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), _PIECE_BYTES):
            yield chunk[start : start + _PIECE_BYTES]


def _bounded(chunks: Iterable[bytes], limit: int) -> bytes:
    whole = bytearray()
    for chunk in chunks:
        whole += chunk
        if len(whole) > limit:
            raise _too_large(limit)
    return bytes(whole)


def _too_large(limit: int) -> FetchFailed:
    return FetchFailed(f"larger than {limit / 1024**2:g} MB")
