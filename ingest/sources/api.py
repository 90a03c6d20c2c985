"""The HTTP APIs of help desks, wikis and trackers: logins, paging, limits and checked answers."""

from __future__ import annotations

import time
import weakref
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import urljoin, urlsplit

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ingest.config import SourceSettings
from ingest.errors import FetchFailed, SourceUnusable
from ingest.fetching import Fetcher, FetchRules, Response
from ingest.retrying import Patience, retried

_MAX_PAGES = 10_000  # of one listing; no cursor goes round for ever
_MAX_BYTES = 64 * 1024 * 1024  # Zendesk answers with up to a thousand whole articles
OVERLAP_SECONDS = 60  # of changes that are asked for again: a system may show them late
PATIENCE = Patience(120.0)  # with one request; most systems count them by the minute

_Value = TypeVar("_Value")


class Told(BaseModel):
    """What a system answers; a field that is missing, or of another type, is an error."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


@dataclass(frozen=True, slots=True)
class Reply(Generic[_Value]):
    """A checked answer, and the address of the next page by its `Link` header, "" at the end."""

    value: _Value
    next_page: str = ""


class Pace:
    """Lets `burst` requests through at once, and `per_second` in the long run."""

    def __init__(self, per_second: float, burst: int, patience: Patience = PATIENCE) -> None:
        self._interval = 1 / per_second
        self._slack = self._interval * (burst - 1)
        self._patience = patience
        self._due = 0.0

    def wait(self) -> None:
        """Wait until the next request may go out."""
        now = self._patience.clock()
        self._due = max(self._due, now - self._slack)
        if self._due > now:
            self._patience.sleep(self._due - now)
        self._due += self._interval


class Api:
    """One system's HTTP API: asks on its own host only, so that its token goes nowhere else.

    Args:
        settings: of the source.
        origin: scheme, host and port of the API.
        headers: sent with each request, the login among them.
        patience: with a system that is busy.
        pace: for systems that limit the requests of a second.
    """

    def __init__(
        self,
        settings: SourceSettings,
        origin: str,
        headers: Mapping[str, str],
        patience: Patience = PATIENCE,
        pace: Pace | None = None,
    ) -> None:
        self._origin = origin
        self._headers = {"accept": "application/json", **headers}
        self._patience = patience
        self._pace = pace
        parts = urlsplit(origin)
        self._fetcher = Fetcher(
            FetchRules(
                allow_hosts=frozenset({str(parts.hostname)}),
                allow_private=settings.allow_private,
                ports=frozenset({80, 443, parts.port or 443}),
                max_bytes=_MAX_BYTES,
            )
        )
        # Nobody closes a source: its connections go with it.
        weakref.finalize(self, self._fetcher.close)

    def get(self, url: str, shape: TypeAdapter[_Value]) -> Reply[_Value]:
        """Return the answer to an address, which may be relative to the system's.

        Raises:
            FetchFailed: it does not answer, not so, or leads elsewhere.
        """
        address = self._own(url)
        response = self._patiently(lambda: self._fetcher.get(address, self._headers))
        return Reply(_checked(response, shape), _next_link(response))

    def post(self, url: str, body: Mapping[str, Any], shape: TypeAdapter[_Value]) -> _Value:
        """Return the answer to a JSON body.

        Raises:
            FetchFailed: it does not answer, not so, or leads elsewhere.
        """
        address = self._own(url)
        response = self._patiently(lambda: self._fetcher.post(address, body, self._headers))
        return _checked(response, shape)

    def _own(self, url: str) -> str:
        address = urljoin(self._origin + "/", url)
        if urlsplit(address)[:2] != urlsplit(self._origin)[:2]:
            raise FetchFailed("its answer leads to another host, which is not followed")
        return address

    def _patiently(self, ask: Callable[[], Response]) -> Response:
        def one_try() -> Response:
            if self._pace:
                self._pace.wait()
            response = ask()
            if response.status in (403, 429):
                _wait_for_reset(response)
            return response

        try:
            return retried(one_try, self._patience)
        except FetchFailed as error:
            if not error.status:
                raise
            raise _busy(error) from error


def _wait_for_reset(response: Response) -> None:
    """Tell a spent budget, which GitHub refuses with the time of the next one, from a refusal.

    Raises:
        FetchFailed: it is spent.
    """
    reset = response.headers.get("x-ratelimit-reset", "")
    is_spent = response.headers.get("x-ratelimit-remaining") == "0"
    if is_spent and reset.isdecimal() and "retry-after" not in response.headers:
        wait = max(1.0, float(reset) - time.time())
        raise FetchFailed("spent", is_transient=True, retry_after=wait, status=response.status)


def _busy(error: FetchFailed) -> FetchFailed:
    when = f" and asks to wait {error.retry_after:.0f} seconds" if error.retry_after else ""
    return FetchFailed(
        f"it is busy (HTTP {error.status}){when}; sync again later",
        is_transient=True,
        retry_after=error.retry_after,
        status=error.status,
    )


_REFUSALS = {
    401: "it does not accept the login (HTTP 401); look at `token`, and `user` where it takes one",
    403: "the token may not read this (HTTP 403); give it the right to read",
    404: "it knows no such place, or the token may not see it (HTTP 404)",
    410: "it is gone (HTTP 410)",
}


def _checked(response: Response, shape: TypeAdapter[_Value]) -> _Value:
    if response.status != 200:
        known = _REFUSALS.get(response.status, f"it answers with HTTP {response.status}")
        raise FetchFailed(known, is_transient=response.status >= 500, status=response.status)
    try:
        return shape.validate_json(response.body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        where = f" at {place}" if place else ""
        raise FetchFailed(f"its answer is not as expected{where}: {first['msg']}") from None


def _next_link(response: Response) -> str:
    """Return the address of the next page (RFC 8288)."""
    for link in response.headers.get("link", "").split(","):
        target, _, parameters = link.partition(";")
        if 'rel="next"' in parameters:
            return target.strip().strip("<>")
    return ""


def paged(fetch: Callable[[str], tuple[_Value, str]], start: str = "") -> Iterator[_Value]:
    """Yield page after page: `fetch` takes a cursor and returns a page and the next cursor.

    Raises:
        FetchFailed: a cursor comes back, or there are too many pages.
    """
    seen = {start}
    cursor = start
    while True:
        value, cursor = fetch(cursor)
        yield value
        if not cursor:
            return
        if cursor in seen or len(seen) >= _MAX_PAGES:
            raise FetchFailed("its pages do not come to an end")
        seen.add(cursor)


def epoch(moment: str) -> int:
    """Return the seconds since 1970 of an ISO 8601 time.

    Raises:
        FetchFailed: it is none.
    """
    try:
        return int(datetime.fromisoformat(moment).timestamp())
    except (ValueError, OverflowError):
        raise FetchFailed("its answer has a time of change that is none") from None


def origin_of(settings: SourceSettings) -> str:
    """Return scheme, host and port of a source's address.

    Raises:
        SourceUnusable: it has none, or one with a login, which would be shown.
    """
    if not settings.url:
        raise SourceUnusable(f"{settings.place}: a source of kind {settings.kind} needs a `url`")
    if settings.url.username or settings.url.password:
        raise SourceUnusable(
            f"the {settings.kind} source at {settings.url.host} has a login in its address; write"
            " it as `user` and `token`"
        )
    parts = urlsplit(str(settings.url))
    return f"{parts.scheme}://{parts.netloc}"


def path_of(settings: SourceSettings) -> list[str]:
    """Return the parts of the path of a source's address."""
    return [part for part in urlsplit(str(settings.url)).path.split("/") if part]


def login(settings: SourceSettings, user_suffix: str = "") -> dict[str, str]:
    """Return the header that logs in: Basic with a `user`, else Bearer; {} without a token.

    Raises:
        SourceUnusable: the token's environment variable is not set, or it would not be secret.
    """
    token = settings.token.get_secret_value() if settings.token else ""
    if not token and settings.token_variable:
        raise SourceUnusable(
            f"{settings.place}: the environment variable {settings.token_variable}, which holds"
            " its token, is not set"
        )
    if not token:
        return {}
    if str(settings.url).startswith("http:") and not settings.allow_private:
        raise SourceUnusable(f"{settings.place}: its token would be sent in the clear; use https")
    if not token.isascii() or not token.isprintable():
        raise SourceUnusable(f"{settings.place}: its token has characters that no token has")
    if settings.user:
        pair = f"{settings.user}{user_suffix}:{token}".encode()
        return {"authorization": f"Basic {b64encode(pair).decode()}"}
    return {"authorization": f"Bearer {token}"}


def needed_login(settings: SourceSettings) -> dict[str, str]:
    """Return the header that logs in.

    Raises:
        SourceUnusable: there is no token.
    """
    header = login(settings)
    if not header:
        raise SourceUnusable(
            f"{settings.place}: a source of kind {settings.kind} needs a token; name the"
            " environment variable that holds it as `token_variable`"
        )
    return header
