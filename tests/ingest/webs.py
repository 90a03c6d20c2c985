"""Sources on a loopback site, with time and patience that tests choose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ingest.config import SourceSettings
from ingest.retrying import Patience
from ingest.sources import crawl, pages, sitemap
from ingest.sources.base import Labels, Listing
from ingest.sources.pace import Pace
from ingest.sources.visits import Manners
from ingest.sources.web import WebSource
from tests.servers.site import Site

_OPENERS: Mapping[str, Callable[..., WebSource]] = {
    "page": pages.open_source,
    "sitemap": sitemap.open_source,
    "crawl": crawl.open_source,
}


class Reader:
    """Opens sources of one site and one home, each as a process of its own would."""

    def __init__(self, site: Site, home: Path) -> None:
        self.site = site
        self.home = home
        self.today = datetime(2026, 11, 28, 12, tzinfo=UTC)
        self.pace = Pace(0)

    def source(self, kind: str, path: str = "", **more: Any) -> WebSource:
        given = {"url": self.site.url + path, "kind": kind, "allow_private": ["127.0.0.0/8"]}
        settings = SourceSettings.model_validate({**given, **more})
        manners = Manners(self.pace, Patience(0), now=lambda: self.today)
        return _OPENERS[kind](settings, Labels(), self.home, manners)

    def list(self, kind: str, path: str = "", **more: Any) -> Listing:
        """List anew; what is asked meanwhile is in `asked`."""
        self.site.requests.clear()
        return self.source(kind, path, **more).list()

    @property
    def asked(self) -> Any:
        """Return the paths of pages that were asked for since the last listing began."""
        return [path for path in self.site.asked if path not in ("/robots.txt", "/sitemap.xml")]

    def paths(self, listing: Listing) -> Any:
        """Return the ids without the site's own address."""
        return [item.id.removeprefix(self.site.url) for item in listing.items]
