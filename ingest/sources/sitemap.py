"""The pages of a sitemap as a source, as sitemaps.org has it: index files, gzip and dates."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from lxml import etree

from ingest.addresses import WebAddress
from ingest.config import SourceSettings
from ingest.errors import FetchFailed, FetchRefused
from ingest.fetching import Response, unpacked, web_address
from ingest.retrying import get_ok
from ingest.sources.base import Labels
from ingest.sources.hypertext import plain_link
from ingest.sources.scope import Scope
from ingest.sources.visits import POLITE, Manners, Visits
from ingest.sources.web import WebSource

_MAX_FILES = 500  # sitemaps of one index, at any depth
_MAX_DEPTH = 3  # the protocol has one level
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class _Entry:
    url: str
    lastmod: str = ""


@dataclass(frozen=True, slots=True)
class _Sitemap:
    pages: tuple[_Entry, ...] = ()
    sitemaps: tuple[_Entry, ...] = ()


@dataclass(slots=True)
class _Pages:
    """What all sitemaps list, as far as it is wanted."""

    scope: Scope
    visits: Visits
    limit: int
    lastmods: dict[str, str] = field(default_factory=dict)  # by address

    def add(self, entry: _Entry) -> None:
        address = plain_link(entry.url)
        if address is None:
            self._pass_over("addresses that cannot be fetched")
        elif not self.scope.has_host(address):
            self._pass_over("pages on hosts that are not in allow_hosts")
        elif self.scope.excludes(address) or not self.scope.includes(address):
            self._pass_over("pages that include and exclude leave out")
        elif address.url not in self.lastmods and len(self.lastmods) >= self.limit:
            self._pass_over("pages beyond max_pages")
        else:
            self.lastmods.setdefault(address.url, entry.lastmod)

    def _pass_over(self, why: str) -> None:
        self.visits.skipped[why] += 1


def open_source(
    settings: SourceSettings, labels: Labels, home: Path, manners: Manners = POLITE
) -> WebSource:
    """Return the pages of a sitemap; who lists a page there wants it to be found."""
    return WebSource(settings, labels, home, partial(_survey, settings), manners)


def _survey(settings: SourceSettings, visits: Visits) -> None:
    pages = _Pages(Scope(settings, visits.fetcher.rules), visits, settings.max_pages)
    start = web_address(settings.place)
    try:
        _gather(start, visits, pages)
    except (FetchFailed, FetchRefused) as error:
        known = [WebAddress.of(seen.id).origin for seen in visits.known.values()]
        visits.fail_all([start.origin, *known], f"{error}; nothing of it is removed")
    for url, lastmod in pages.lastmods.items():
        visits.visit(url, lastmod)
    visits.fail_hidden()


def _gather(start: WebAddress, visits: Visits, pages: _Pages) -> None:
    """Add the pages of a sitemap and of those that it names.

    Raises:
        FetchFailed, FetchRefused: one of them cannot be read, so that its pages are not known.
    """
    queue, queued = deque([(start.url, 0)]), {start.url}
    while queue:
        url, depth = queue.popleft()
        visits.pace.wait(web_address(url).host)
        sitemap = _read(get_ok(visits.fetcher, url, patience=visits.patience), visits)
        for entry in sitemap.pages:
            pages.add(entry)
        fresh = [entry.url for entry in sitemap.sitemaps if entry.url not in queued]
        if fresh and (depth == _MAX_DEPTH or len(queued) + len(fresh) > _MAX_FILES):
            raise FetchFailed(f"{url} names more sitemaps than are read")
        queued.update(fresh)
        queue.extend((each, depth + 1) for each in dict.fromkeys(fresh))


def _read(response: Response, visits: Visits) -> _Sitemap:
    """Return what a sitemap lists; entities of its own are refused, since none needs them.

    Raises:
        FetchFailed: it is no sitemap.
    """
    data = response.body
    if data.startswith(_GZIP):
        data = unpacked([data], visits.fetcher.rules.max_bytes)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise FetchFailed(f"{response.url} is no sitemap ({error})") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise FetchFailed(f"{response.url} has a document type, which no sitemap needs")
    kind = _local(root)
    if kind not in ("urlset", "sitemapindex"):
        raise FetchFailed(f"{response.url} is no sitemap (it begins with <{kind}>)")
    entries = (_entry(each) for each in root if _local(each) in ("url", "sitemap"))
    found = tuple(entry for entry in entries if entry.url)
    return _Sitemap(pages=found) if kind == "urlset" else _Sitemap(sitemaps=found)


def _entry(element: etree._Element) -> _Entry:
    told = {_local(child): (child.text or "").strip() for child in element}
    return _Entry(told.get("loc", ""), told.get("lastmod", ""))


def _local(element: etree._Element) -> str:
    # A comment or an instruction has a function for a tag.
    return etree.QName(element).localname if isinstance(element.tag, str) else ""
