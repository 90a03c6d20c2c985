"""Stops asking an endpoint that keeps failing, and finds out by itself when it works again."""

from __future__ import annotations

import time
from collections.abc import Callable

from supportbot.errors import FailureKind, ModelError

FAILURES_TO_OPEN = 5
PROBE_SECONDS = 30.0


class Breaker:
    """Opens after five transient failures in a row; then lets one probe through per 30 s."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failures = 0
        self._probe_at = 0.0

    def check(self) -> None:
        """Let a call through.

        Raises:
            ModelError: of kind `CIRCUIT_OPEN`, while the endpoint is left alone.
        """
        if self._failures < FAILURES_TO_OPEN:
            return
        if self._now() < self._probe_at:
            raise ModelError(FailureKind.CIRCUIT_OPEN, f"{self._failures} failures in a row")
        self._probe_at = self._now() + PROBE_SECONDS

    def succeeded(self) -> None:
        """Note a whole answer: the circuit closes."""
        self._failures = 0

    def failed(self) -> None:
        """Note a transient failure."""
        self._failures += 1
        self._probe_at = self._now() + PROBE_SECONDS
