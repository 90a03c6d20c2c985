"""A website on the loopback address: pages with validators, redirects, and bad manners on demand::

    with Site() as site:
        site.pages["/help"] = Page("<h1>Help</h1>")
        site.pages["/old"] = redirect("/help")
        site.pages["/slow"] = drip
        ...  # fetch site.url + "help"
        site.asked  # the paths, in order; site.requests has headers too

What is no `Page` is a script: it gets the request's handler and writes what it likes.
"""

from __future__ import annotations

import gzip
import hashlib
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from types import TracebackType
from typing import Any, Self

LOOPBACK = (ip_network("127.0.0.0/8"),)


@dataclass
class Page:
    """What stands at an address."""

    body: str | bytes = ""
    kind: str = "text/html; charset=utf-8"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    has_etag: bool = True

    @property
    def data(self) -> bytes:
        return self.body.encode() if isinstance(self.body, str) else self.body

    @property
    def validators(self) -> dict[str, str]:
        """Return the headers that tell this version from others."""
        told = {n: v for n, v in self.headers.items() if n in ("ETag", "Last-Modified")}
        if self.has_etag and not told:
            told["ETag"] = f'"{hashlib.sha256(self.data).hexdigest()[:12]}"'
        return told


Script = Callable[["Handler"], None]


@dataclass
class Request:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]  # by names in lower case
    body: bytes = b""
    at: float = field(default_factory=time.monotonic)


class Handler(BaseHTTPRequestHandler):
    """Answers one connection's requests from the pages of its site."""

    protocol_version = "HTTP/1.1"
    timeout = 20
    disable_nagle_algorithm = True
    site: Site

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        self.site.requests.append(Request(self.command, self.path, headers, body))
        page = self.site.pages.get(self.path) or self.site.pages.get(self.path.partition("?")[0])
        if callable(page):
            page(self)
        else:
            self.show(page or Page("<h1>Not found</h1>", status=404))

    do_POST = do_GET  # noqa: N815 - the library's name

    def show(self, page: Page) -> None:
        """Send a page, or 304 to somebody who has it."""
        asked, told = self.headers, page.validators
        is_known = page.status == 200 and (
            asked.get("If-None-Match", "-") == told.get("ETag")
            or asked.get("If-Modified-Since", "-") == told.get("Last-Modified")
        )
        data = b"" if is_known else page.data
        self.head(
            304 if is_known else page.status,
            Content_Type=page.kind,
            Content_Length=str(len(data)),
            **{name.replace("-", "_"): value for name, value in {**page.headers, **told}.items()},
        )
        self.wfile.write(data)

    def head(self, status: int = 200, **headers: str) -> None:
        """Send the status line and these headers."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that leave early, as they must."""


class Site:
    """A website at a free port, until it is closed."""

    def __init__(self, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.pages: dict[str, Page | Script] = {}
        self.requests: list[Request] = []
        handler = type("SiteHandler", (Handler,), {"site": self})
        self._server = _Server((host, 0), handler)
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self.url = f"{'https' if tls else 'http'}://{host}:{self.port}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def asked(self) -> list[str]:
        """Return the paths that were asked for."""
        return [request.path for request in self.requests]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Go away, as a site that is down."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def redirect(target: str, status: int = 302) -> Page:
    """Return a page that leads elsewhere."""
    return Page("moved", status=status, headers={"Location": target}, has_etag=False)


def drip(handler: Handler) -> None:
    """Send one byte now and then, for long."""
    handler.head(Content_Type="text/html", Content_Length="100000")
    for _ in range(200):
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.05)


def drip_headers(handler: Handler) -> None:
    """Never come to an end of the headers."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(200):
        handler.wfile.write(b"X-%d: y\r\n" % number)
        handler.wfile.flush()
        time.sleep(0.05)


def silence(handler: Handler) -> None:
    """Answer nothing."""
    time.sleep(3)
    handler.close_connection = True


def endless(handler: Handler) -> None:
    """Send for ever, in chunks."""
    handler.head(Content_Type="text/html", Transfer_Encoding="chunked")
    for _ in range(10_000):
        handler.wfile.write(b"10000\r\n" + b"y" * 0x10000 + b"\r\n")


def bomb(handler: Handler) -> None:
    """Send 300 MB of zeros as 300 kB of gzip."""
    data = gzip.compress(bytes(1024**2), 9) * 300
    handler.head(Content_Type="text/html", Content_Encoding="gzip", Content_Length=str(len(data)))
    handler.wfile.write(data)


def cut(handler: Handler) -> None:
    """Promise more than comes."""
    handler.head(Content_Type="text/html", Content_Length="1000")
    handler.wfile.write(b"<h1>Only this")
    handler.close_connection = True


def lie_of_size(handler: Handler) -> None:
    """Promise 10 GB."""
    handler.head(Content_Type="text/html", Content_Length=str(10 * 1024**3))
    handler.wfile.write(b"x")
    handler.close_connection = True
