"""What a site wants of robots: robots.txt, as RFC 9309 has it."""

from __future__ import annotations

from protego import Protego

from ingest.errors import FetchFailed
from ingest.fetching import USER_AGENT, Fetcher
from ingest.retrying import Patience, failure_of, retried

_MAX_BYTES = 512 * 1024  # what must be read at least (RFC 9309, 2.5)


class Robots:
    """The rules of one site for us."""

    def __init__(self, text: str = "") -> None:
        self._rules = Protego.parse(text)
        self.delay: float = self._rules.crawl_delay(USER_AGENT) or 0.0  # seconds

    @classmethod
    def of(cls, origin: str, fetcher: Fetcher, patience: Patience) -> Robots:
        """Return the rules of a site; one that has none allows everything.

        Raises:
            FetchFailed: the site does not say, so that nothing may be fetched now.
            FetchRefused: where its rules are may not be fetched.
        """
        response = retried(lambda: fetcher.get(f"{origin}/robots.txt"), patience)
        if response.status == 200:
            return cls(response.body[:_MAX_BYTES].decode("utf-8", "replace"))
        if response.status == 429 or response.status >= 500 or response.status < 400:
            raise FetchFailed(str(failure_of(response)), is_transient=True, status=response.status)
        return cls()

    def allows(self, url: str) -> bool:
        """Tell whether an address may be fetched."""
        return bool(self._rules.can_fetch(url, USER_AGENT))
