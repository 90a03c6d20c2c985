"""Asking again: a system that is busy is asked later, as it wishes, and not for ever."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ingest.errors import FetchFailed
from ingest.fetching import Fetcher, Response

log = logging.getLogger(__name__)

_BUSY = (408, 425, 429, 500, 502, 503, 504)
_FIRST_PAUSE = 1.0  # seconds; each further one is twice as long
_AWAY_SECONDS = 15.0  # that a host is asked again which nobody answers at: a restart takes less
_TOLD_SECONDS = 4.0  # a pause that a person would wonder at


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a request is asked again, from its first try on."""

    seconds: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


_PATIENCE = Patience()


def retried(ask: Callable[[], Response], patience: Patience = _PATIENCE) -> Response:
    """Return the first answer that is none of a busy system, of whatever status else.

    Raises:
        FetchFailed: it is still busy, or wishes to be asked later than there is patience for.
        FetchRefused: the address may not be fetched.
    """
    began, pause = patience.clock(), _FIRST_PAUSE
    while True:
        try:
            response = ask()
        except FetchFailed as error:
            failure = error
        else:
            if not _is_busy(response):
                return response
            failure = failure_of(response)
        wait = pause if failure.retry_after is None else failure.retry_after
        longest = min(patience.seconds, _AWAY_SECONDS) if failure.is_away else patience.seconds
        if not failure.is_transient or patience.clock() - began + wait > longest:
            raise failure
        if wait >= _TOLD_SECONDS:
            log.warning("%s; it is asked again in %g s", failure, wait)
        patience.sleep(wait)
        pause *= 2


def get_ok(
    fetcher: Fetcher,
    url: str,
    headers: Mapping[str, str] = {},
    patience: Patience = _PATIENCE,
) -> Response:
    """Return an answer of success (2xx), or 304 where a condition was sent.

    Raises:
        FetchFailed: there is none; its `status` is that of the answer.
        FetchRefused: the address may not be fetched.
    """
    response = retried(lambda: fetcher.get(url, headers), patience)
    if response.status == 304 or 200 <= response.status < 300:
        return response
    raise failure_of(response)


def failure_of(response: Response) -> FetchFailed:
    """Return what an answer without success means."""
    return FetchFailed(
        f"{response.url} answers {response.status}",
        is_transient=_is_busy(response),
        retry_after=_retry_after(response),
        status=response.status,
    )


def _is_busy(response: Response) -> bool:
    if response.status == 403:  # GitHub says so when too much was asked
        return "retry-after" in response.headers
    return response.status in _BUSY


def _retry_after(response: Response) -> float | None:
    """Return the seconds of `Retry-After`, which has a number or a date (RFC 9110, 10.2.3)."""
    text = response.headers.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
