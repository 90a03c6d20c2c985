"""How many questions somebody may ask a minute, counted in this process."""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable

MINUTE = 60.0
MAX_NAMES = 10_000


class RateLimit:
    """Lets every name through `limit` times in any 60 seconds (a sliding window).

    Memory is bounded: at most `MAX_NAMES` names are known; when a new one comes, the name that
    was longest silent is forgotten.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, name: str) -> int:
        """Return 0 and count this call, or the whole seconds after which the next may pass."""
        now = self._clock()
        times = self._seen.setdefault(name, deque(maxlen=self._limit))
        self._seen.move_to_end(name)
        if len(self._seen) > MAX_NAMES:
            self._seen.popitem(last=False)
        if len(times) == self._limit and now - times[0] < MINUTE:
            return max(1, math.ceil(MINUTE - (now - times[0])))
        times.append(now)
        return 0
