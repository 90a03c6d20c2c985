"""A bounded crawl of a site as a source: breadth first, polite, and below its start."""

from __future__ import annotations

from collections import deque
from functools import partial
from pathlib import Path

from ingest.addresses import WebAddress
from ingest.config import SourceSettings
from ingest.errors import FetchFailed, FetchRefused
from ingest.fetching import web_address
from ingest.sources.base import Labels
from ingest.sources.media import may_be_document
from ingest.sources.robots import Robots
from ingest.sources.scope import Scope, Traps
from ingest.sources.visits import POLITE, Manners, Seen, Visits
from ingest.sources.web import WebSource


def open_source(
    settings: SourceSettings, labels: Labels, home: Path, manners: Manners = POLITE
) -> WebSource:
    """Return the pages that are linked from an address, directly or by way of others."""
    return WebSource(settings, labels, home, partial(_survey, settings), manners)


def _survey(settings: SourceSettings, visits: Visits) -> None:
    _Crawl(settings, visits).run()
    visits.fail_hidden()


class _Crawl:
    def __init__(self, settings: SourceSettings, visits: Visits) -> None:
        visits.is_robot = True
        self._visits = visits
        self._start = web_address(settings.place)
        self._folder = _folder(self._start.path)
        self._scope = Scope(settings, visits.fetcher.rules)
        self._max_pages, self._max_depth = settings.max_pages, settings.max_depth
        self._robots: dict[str, Robots | None] = {}  # by origin; None: it does not say
        self._traps = Traps()

    def run(self) -> None:
        """Visit the start, and what it leads to."""
        queue, queued = deque([(self._start.url, 0)]), {self._start.url}
        visited = 0
        while queue and visited < self._max_pages:
            url, depth = queue.popleft()
            if not self._may_visit(url):
                continue
            visited += 1
            seen = self._visit(url)
            if seen is None or depth == self._max_depth:
                continue
            for link in seen.links:
                if link not in queued and not self._is_trap(link):
                    queued.add(link)
                    queue.append((link, depth + 1))
        if queue:
            self._visits.skipped["pages beyond max_pages"] += len(queue)

    def _visit(self, url: str) -> Seen | None:
        seen = self._visits.visit(url, keeps=self._is_wanted)
        if seen is None or url in self._visits.failed:
            return seen
        arrived = WebAddress.of(seen.place)
        is_start = url == self._start.url
        if not is_start and not (self._is_wanted(arrived.url) and self._may_visit(arrived.url)):
            self._visits.pass_over(url, "pages that lead elsewhere")
            return None
        if not self._scope.includes(arrived):
            self._visits.leave_out(url)
        return seen

    def _is_wanted(self, url: str) -> bool:
        """Tell whether a link leads to where this crawl goes."""
        address = WebAddress.of(url)
        if not self._scope.has_host(address) or self._scope.excludes(address):
            return False
        is_here = address.host.removeprefix("www.") == self._start.host.removeprefix("www.")
        is_below = address.path.startswith(self._folder) or address.path == self._start.path
        return (is_below or not is_here) and may_be_document(url)

    def _is_trap(self, url: str) -> bool:
        is_trap = self._traps.catch(WebAddress.of(url))
        if is_trap:
            self._visits.skipped["addresses that look made without end"] += 1
        return is_trap

    def _may_visit(self, url: str) -> bool:
        origin = WebAddress.of(url).origin
        if origin not in self._robots:
            self._robots[origin] = self._ask_robots(origin)
        robots = self._robots[origin]
        if robots is None:
            return False
        if robots.allows(url):
            return True
        self._visits.skipped["pages that robots.txt forbids"] += 1
        if url == self._start.url:
            self._visits.fail_all([origin], "its robots.txt forbids to fetch the first page")
        return False

    def _ask_robots(self, origin: str) -> Robots | None:
        host = web_address(origin).host
        self._visits.pace.wait(host)
        try:
            robots = Robots.of(origin, self._visits.fetcher, self._visits.patience)
        except (FetchFailed, FetchRefused) as error:
            self._visits.fail_all([origin], f"{error}; without its rules nothing is fetched")
            return None
        self._visits.pace.slow_down(host, robots.delay)
        return robots


def _folder(path: str) -> str:
    """Return what all pages below a start have in common: /docs and /docs/index.html are /docs/."""
    if path.endswith("/"):
        return path
    head, _, last = path.rpartition("/")
    return f"{head}/" if "." in last else f"{path}/"
