"""Visiting the pages of a site: politely, and with a memory of the last time.

What was found at the last listing goes along as a condition (`ETag`, `Last-Modified`), so that an
unchanged page is not sent again. A page that is missing counts as removed when two listings in a
row say so; whatever else fails keeps what is known.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from ingest.addresses import WebAddress
from ingest.errors import FetchFailed, FetchRefused
from ingest.fetching import Fetcher, Resolver, Response, hop, resolve, web_address
from ingest.retrying import Patience, failure_of, get_ok
from ingest.sources.hypertext import Outline, outline, plain_link
from ingest.sources.media import as_utf8, ending_of
from ingest.sources.pace import Pace
from ingest.sources.spool import Spool
from knowledge.documents import content_hash
from knowledge.failures import Failure

_GONE = (404, 410)
_ENOUGH = 8  # failures in a row after which a site counts as down
_TRUSTED_DAYS = 7  # that a sitemap's date may stand for asking
_HTML = (".html", ".htm", ".xhtml")
_TEXTS = (*_HTML, ".txt", ".md")
_DATE = re.compile(r"\d{4}-\d\d(-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d)?)?)?")  # W3C's, of ISO 8601


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of the page at an address."""

    id: str
    place: str = ""  # where it was found, after all redirects
    stamp: str = ""  # of its bytes; "": it was never seen
    ending: str = ""
    etag: str = ""
    last_modified: str = ""
    modified_at: str = ""
    lastmod: str = ""  # what a sitemap said of it
    asked_on: str = ""  # the day, YYYY-MM-DD
    missing: int = 0  # listings in a row that found it gone
    is_indexed: bool = True
    links: tuple[str, ...] = ()

    @classmethod
    def of(cls, saved: object) -> Seen | None:
        """Return what was saved; None where it is damaged."""
        try:
            return cls(**saved | {"links": tuple(saved["links"])})  # type: ignore[operator,index]
        except (TypeError, KeyError):
            return None

    @property
    def conditions(self) -> dict[str, str]:
        """Return the headers that ask for the page only if it has changed."""
        told = {"if-none-match": self.etag, "if-modified-since": self.last_modified}
        return {name: value for name, value in told.items() if value} if self.stamp else {}


@dataclass(frozen=True, slots=True)
class Manners:
    """How a site is treated; the defaults are polite."""

    pace: Pace = field(default_factory=Pace)
    patience: Patience = field(default_factory=lambda: Patience(8))
    resolver: Resolver = resolve
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


POLITE = Manners()


class Visits:
    """One listing of a site under way."""

    def __init__(
        self, fetcher: Fetcher, memory: Mapping[str, Any], spool: Spool, manners: Manners
    ) -> None:
        self.fetcher = fetcher
        self.patience = manners.patience
        self.pace = manners.pace
        self.now = manners.now()
        saved = memory.get("pages")
        pages = saved.items() if isinstance(saved, dict) else ()
        self.known = {url: seen for url, page in pages if (seen := Seen.of(page))}
        self.is_misdated = bool(memory.get("is_misdated"))  # a sitemap's dates were wrong
        self.found: dict[str, Seen] = {}
        self.failures: list[Failure] = []
        self.failed: set[str] = set()  # addresses
        self.skipped: Counter[str] = Counter()
        self.is_whole = True  # nothing is hidden behind what failed
        self.is_robot = False  # that keeps to what pages ask of robots
        self.left_out: set[str] = set()  # addresses of pages that are there only for their links
        self._spool = spool
        self._failed_in_a_row = 0

    def visit(
        self, url: str, lastmod: str = "", keeps: Callable[[str], bool] | None = None
    ) -> Seen | None:
        """Return what is there now, or was before where that fails; None if nothing is known.

        `lastmod` is what a sitemap says; of the page's links those are kept that `keeps` wants.
        """
        known, lastmod = self.known.get(url), _date(lastmod)
        if known and self._is_dated(known, lastmod):
            self.found[url] = known
            return known
        try:
            seen = self._ask(url, known)
        except (FetchFailed, FetchRefused) as error:
            return self._fail(url, known, error)
        self._failed_in_a_row = 0
        if known and known.stamp != seen.stamp and _is_settled(known, lastmod):
            self.is_misdated = True
        self.found[url] = replace(
            seen,
            lastmod=lastmod,
            modified_at=seen.modified_at or lastmod,
            asked_on=self.now.date().isoformat(),
            links=tuple(filter(keeps, seen.links)) if keeps else (),
        )
        return self.found[url]

    def pass_over(self, url: str, why: str) -> None:
        """Leave out a page that was visited; `why` is in words that follow a number."""
        self.found.pop(url, None)
        self.skipped[why] += 1

    def leave_out(self, url: str) -> None:
        """Take no document from a page, but remember it for its links."""
        self.left_out.add(url)

    def fail_hidden(self) -> None:
        """Keep everything if nothing is known of what lies behind a page that failed."""
        if self.failed and not self.known and self.is_whole:
            self.fail_all(
                sorted(map(_origin, self.failed)),
                "not all of it could be fetched, so nothing of it is removed",
            )

    def fail_all(self, origins: Iterable[str], reason: str) -> None:
        """Note that nothing can be said of whole sites, so that all of them is kept."""
        self.is_whole = False
        self.failures += [Failure(f"{origin}/", reason) for origin in dict.fromkeys(origins)]

    def to_json(self) -> dict[str, Any]:
        """Return what the next listing needs to know."""
        kept = self.found if self.is_whole else {**self.known, **self.found}
        pages = {url: asdict(seen) for url, seen in kept.items()}
        return {"pages": pages, "is_misdated": self.is_misdated}

    def _ask(self, url: str, known: Seen | None) -> Seen:
        if self._failed_in_a_row >= _ENOUGH:
            raise FetchFailed("not asked for: the site has failed too often", is_transient=True)
        self.pace.wait(web_address(url).host)
        conditions = known.conditions if known else {}
        response = get_ok(self.fetcher, url, conditions, self.patience)
        if response.status == 304 and known and conditions:
            return replace(known, missing=0)
        arrived, said = self._arrive(response)
        seen = self._take(arrived, said, known)
        if arrived is not response:
            # The next condition goes to the page that refreshes, which they say nothing about.
            seen = replace(seen, etag="", last_modified="")
        return seen

    def _arrive(self, response: Response) -> tuple[Response, Outline]:
        """Return the page where a chain of refreshing pages ends, and what it says."""
        hops = response.hops
        while True:
            _check_page(response)
            said = _outline(response)
            if not said.refresh:
                return response, said
            hops += 1
            if hops > self.fetcher.rules.max_redirects:
                raise FetchFailed(f"{response.url} leads on too often")
            hop(web_address(response.url), said.refresh)
            response = get_ok(self.fetcher, said.refresh, patience=self.patience)
            hops += response.hops

    def _take(self, response: Response, said: Outline, known: Seen | None) -> Seen:
        ending = ending_of(response.url, response.headers, response.body)
        own = plain_link(response.url)
        seen = Seen(
            id=_id(own.url if own else response.url, said.canonical),
            place=response.url,
            stamp=content_hash(response.body),
            ending=ending,
            etag=response.headers.get("etag", ""),
            last_modified=response.headers.get("last-modified", ""),
            modified_at=_iso(response.headers.get("last-modified", "")),
            is_indexed=said.is_indexed or not self.is_robot,
            links=said.links,
        )
        if not known or known.stamp != seen.stamp:
            data = response.body
            self._spool.put(
                seen.stamp, as_utf8(data, response.headers) if ending in _TEXTS else data
            )
        return seen

    def _is_dated(self, known: Seen, lastmod: str) -> bool:
        """Tell whether a sitemap's date is reason enough not to ask."""
        oldest = (self.now - timedelta(days=_TRUSTED_DAYS)).date().isoformat()
        is_fresh = oldest < known.asked_on <= self.now.date().isoformat()
        is_there = known.missing == 0 and not self.is_misdated
        return is_there and is_fresh and _is_settled(known, lastmod)

    def _fail(self, url: str, known: Seen | None, error: FetchFailed | FetchRefused) -> Seen | None:
        kept = known or Seen(id=url)
        reason = str(error)
        if isinstance(error, FetchRefused) and self.is_robot and self.found and not kept.stamp:
            self.skipped["links that lead to where nothing is fetched from"] += 1
            return None
        if isinstance(error, FetchFailed) and error.status in _GONE:
            kept = replace(kept, missing=kept.missing + 1)
            self._failed_in_a_row = 0
            if kept.missing > 1:
                self.found[url] = kept
                return None
            reason += "; it is removed if it is not there the next time either"
        else:
            kept = replace(kept, missing=0)
            self._failed_in_a_row += isinstance(error, FetchFailed) and error.is_transient
        self.found[url] = kept
        self.failed.add(url)
        self.failures.append(Failure(kept.id, reason))
        return kept if known else None


def _check_page(response: Response) -> None:
    if response.status not in (200, 203):
        raise failure_of(response)
    if not response.body.strip():
        raise FetchFailed(f"{response.url} answers with nothing", is_transient=True)


def _outline(response: Response) -> Outline:
    ending = ending_of(response.url, response.headers, response.body)
    body = response.body if ending in _HTML else b""
    return outline(body, response.url, response.headers)


def _id(own: str, canonical: str) -> str:
    """Return the address that a page is known by; a canonical one that is a mistake is not taken.

    It is a mistake on another host, and where every page of a site names the front page.
    """
    if not canonical:
        return own
    page, named = WebAddress.of(own), WebAddress.of(canonical)
    is_same_host = page.host.removeprefix("www.") == named.host.removeprefix("www.")
    is_front = named.path == "/" and not named.query and page.path != "/"
    return named.url if is_same_host and not is_front else own


def _is_settled(known: Seen, lastmod: str) -> bool:
    """Tell whether a sitemap's date is what it was, and before the day of the last visit."""
    return bool(known.stamp and lastmod == known.lastmod and "" < lastmod[:10] < known.asked_on)


def _origin(url: str) -> str:
    return WebAddress.of(url).origin


def _date(text: str) -> str:
    text = text.strip()
    return text if _DATE.fullmatch(text) else ""


def _iso(http_date: str) -> str:
    try:
        return parsedate_to_datetime(http_date).isoformat()
    except (ValueError, OverflowError):
        return ""
