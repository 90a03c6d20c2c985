"""Pages of the web as a source; which ones, its survey knows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from ingest.config import SourceSettings
from ingest.errors import FetchRefused, ParseFailed, SourceUnusable
from ingest.fetching import Fetcher, FetchRules, check, checked_addresses, web_address
from ingest.networks import Address
from ingest.parsers import ENDINGS
from ingest.sources.base import About, Labels, Listed, Listing, RawDocument
from ingest.sources.spool import Spool
from ingest.sources.state import SourceState
from ingest.sources.visits import POLITE, Manners, Seen, Visits

_MEMORY_VERSION = 1  # a new one forgets what older ones remember

Survey = Callable[[Visits], None]


class WebSource:
    """Pages of the web that a survey visits: one page, a sitemap's, or those of a crawl.

    A document's id is its address: the canonical one where it is of the same host, without
    fragment and tracking parameters.

    Raises:
        SourceUnusable: the address is none that may be fetched.
    """

    def __init__(
        self,
        settings: SourceSettings,
        labels: Labels,
        home: Path,
        survey: Survey,
        manners: Manners = POLITE,
    ) -> None:
        self.name = settings.place
        self.labels = labels
        self.rules = rules_of(settings)
        self._survey = survey
        self._manners = manners
        self._folder = home / "sources"
        self.memory = SourceState.of(home, _key(settings))
        self._spool: Spool | None = None
        self._found: Mapping[str, Seen] = {}

    def list(self) -> Listing:
        """Return what is there now; what is new or changed is fetched on the way."""
        if self._spool:
            self._spool.close()
        self._spool = Spool(self._folder)
        with self._fetcher() as fetcher:
            visits = Visits(fetcher, self.memory.load(), self._spool, self._manners)
            self._survey(visits)
        self.memory.save(visits.to_json())
        self._found = visits.found
        items = self._items(visits)
        return Listing(items, tuple(visits.failures), tuple(sorted(visits.skipped.items())))

    def read(self, item: Listed) -> RawDocument:
        """Return what was fetched while listing, or fetch it now."""
        seen = self._found[item.place]
        data = self._spool.get(seen.stamp) if self._spool else None
        if data is None:
            seen, data = self._fetch(item.place)
        about = About(url=item.id, modified_at=seen.modified_at)
        return RawDocument(
            item.id,
            self.name,
            seen.ending,
            data,
            self.labels,
            about,
            seen.stamp,
            is_fetched=True,
        )

    def stamp(self) -> str:
        """Return a sign that changes every quarter of an hour: a site is not asked all the time."""
        return quarter_hour(self._manners.now())

    def _fetcher(self) -> Fetcher:
        return Fetcher(self.rules, resolver=self._manners.resolver)

    def _fetch(self, url: str) -> tuple[Seen, bytes]:
        spool = Spool(self._folder)
        with self._fetcher() as fetcher:
            visits = Visits(fetcher, {}, spool, self._manners)
            seen = visits.visit(url)
        data = spool.get(seen.stamp) if seen else None
        spool.close()
        if seen is None or data is None:
            raise ParseFailed(visits.failures[0].reason)
        return seen, data

    def _items(self, visits: Visits) -> tuple[Listed, ...]:
        by_id: dict[str, Listed] = {}
        for url, seen in visits.found.items():
            if url in visits.failed or url in visits.left_out:
                continue
            why = _why_unlisted(seen)
            if why:
                visits.skipped[why] += 1
            # Where two addresses are one document, the page at the document's own address counts.
            elif seen.id not in by_id or url == seen.id:
                by_id[seen.id] = Listed(seen.id, self, seen.stamp, self.labels, url)
        return tuple(by_id[id_] for id_ in sorted(by_id))


def quarter_hour(now: datetime | None = None) -> str:
    """Return the name of the present quarter of an hour."""
    return str(int((now or datetime.now(UTC)).timestamp() // 900))


def rules_of(settings: SourceSettings) -> FetchRules:
    """Return the rules of a source, after a look at its own address.

    Raises:
        SourceUnusable: the address may never be fetched.
    """
    try:
        rules = FetchRules.of(settings, settings.place)
        address = web_address(settings.place)
        check(address, rules)
        checked_addresses(address.host, rules, _written_address)
    except FetchRefused as error:
        raise SourceUnusable(str(error)) from error
    return rules


def _written_address(host: str) -> tuple[Address, ...]:
    """Return the address that a host is written as; a name is looked up when it is fetched."""
    try:
        return (ip_address(host),)
    except ValueError:
        return ()


def _key(settings: SourceSettings) -> str:
    """Return the name of all that shapes what is remembered."""
    shape = [settings.kind, settings.allow_hosts, settings.include, settings.exclude]
    return json.dumps([_MEMORY_VERSION, settings.place, *shape])


def _why_unlisted(seen: Seen) -> str:
    """Return why a page is no document, in words that follow a number; "" if it is one."""
    if not seen.stamp or seen.missing:
        return "pages that are not there any more"
    if not seen.is_indexed:
        return "pages that ask to be left out"
    return "" if seen.ending in ENDINGS else seen.ending
