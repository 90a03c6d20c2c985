"""Which addresses of a site a source takes in."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Sequence

from ingest.addresses import WebAddress
from ingest.config import SourceSettings
from ingest.fetching import FetchRules

_MAX_REPEATS = 3  # of one part in a path: /a/b/a/b/a/b is a page that links to itself
_MAX_PARAMETERS = 8
_MAX_VARIANTS = 50  # queries of one path: calendars, filters and sort orders


class Scope:
    """What lies within the hosts and the wildcards of a source."""

    def __init__(self, settings: SourceSettings, rules: FetchRules) -> None:
        self._hosts = rules.allow_hosts or frozenset()
        self._include = settings.include
        self._exclude = settings.exclude

    def has_host(self, address: WebAddress) -> bool:
        """Tell whether it is on one of the hosts."""
        return address.host in self._hosts

    def excludes(self, address: WebAddress) -> bool:
        """Tell whether a wildcard says not to fetch it."""
        return _matches(address.path, self._exclude)

    def includes(self, address: WebAddress) -> bool:
        """Tell whether it is to become a document."""
        return not self._include or _matches(address.path, self._include)


class Traps:
    """Tells addresses that a site makes without end from those that people made."""

    def __init__(self) -> None:
        self._variants: Counter[str] = Counter()

    def catch(self, address: WebAddress) -> bool:
        """Tell whether an address, asked about once, looks made without end."""
        parts = [part for part in address.path.split("/") if part]
        if any(count > _MAX_REPEATS for count in Counter(parts).values()):
            return True
        if not address.query:
            return False
        path = address.origin + address.path
        self._variants[path] += 1
        return address.query.count("&") >= _MAX_PARAMETERS or self._variants[path] > _MAX_VARIANTS


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)
