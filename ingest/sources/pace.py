"""How fast a site is asked: politely."""

from __future__ import annotations

import time
from collections.abc import Callable

_LONGEST = 10.0  # seconds; a site that asks for more is asked this often


class Pace:
    """Keeps a least time between two requests to one host."""

    def __init__(
        self,
        seconds: float = 0.2,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._sleep = sleep
        self._clock = clock
        self._wished: dict[str, float] = {}
        self._free_at: dict[str, float] = {}

    def slow_down(self, host: str, seconds: float) -> None:
        """Keep to the delay that a host asks for."""
        self._wished[host] = min(seconds, _LONGEST)

    def wait(self, host: str) -> None:
        """Return when the host may be asked."""
        now = self._clock()
        at = max(now, self._free_at.get(host, now))
        self._free_at[host] = at + max(self._seconds, self._wished.get(host, 0.0))
        if at > now:
            self._sleep(at - now)
