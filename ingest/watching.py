"""When sources are looked at again: files all the time, others by their schedule."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ingest.config import SourceSettings
from ingest.errors import SourceUnusable
from ingest.sources.base import Source
from ingest.sources.given import kind_of
from knowledge.failures import Failure

FILES_SECONDS = 2
_ELSEWHERE_SECONDS = 3_600  # to look costs somebody else's server something
_RETRY_SECONDS = 60
_SETTLE_SECONDS = 0.5  # an editor's save is several changes


@dataclass(slots=True)
class Watched:
    """A source, how often it is looked at, and its stamp when it was synced last."""

    source: Source
    every: float  # seconds
    seen: str | None = None
    next_look: float = 0.0  # by the monotonic clock

    @classmethod
    def of(cls, source: Source, settings: SourceSettings) -> Watched:
        """Return a source with its own schedule, else with the one of its kind."""
        usual = FILES_SECONDS if kind_of(settings) == "files" else _ELSEWHERE_SECONDS
        return cls(source, settings.every or usual)


def watched_of(sources: Sequence[Source], settings: Sequence[SourceSettings]) -> list[Watched]:
    """Return the sources that have a schedule; all, where none has."""
    some = any(each.schedule for each in settings)
    pairs = zip(sources, settings, strict=True)
    return [Watched.of(*pair) for pair in pairs if pair[1].schedule or not some]


class Watcher:
    """Tells which sources are to be synced now.

    Args:
        watched: the sources to look at.
        failures: returns what failed last, of which some may be due for another try.
    """

    def __init__(
        self, watched: Sequence[Watched], failures: Callable[[], Sequence[Failure]]
    ) -> None:
        self._watched = watched
        self._failures = failures
        self._next_retry = 0.0

    def due(self) -> frozenset[str]:
        """Return the names of sources that changed, or that a failed document is tried again of."""
        now = time.monotonic()
        changed = [w.source.name for w in self._watched if w.next_look <= now and _changed(w, now)]
        return frozenset([*changed, *self._to_retry(now)])

    def forget(self, names: Collection[str]) -> None:
        """Have these sources count as changed, as their sync came to nothing."""
        for watched in self._watched:
            if watched.source.name in names:
                watched.seen, watched.next_look = None, 0.0

    def _to_retry(self, now: float) -> set[str]:
        if now < self._next_retry:
            return set()
        self._next_retry = now + _RETRY_SECONDS
        today = datetime.now(UTC)
        due = {
            failure.source
            for failure in self._failures()
            if failure.retry_at and datetime.fromisoformat(failure.retry_at) <= today
        }
        return due & {watched.source.name for watched in self._watched}


def _changed(watched: Watched, now: float) -> bool:
    """Look at a source, and tell whether it changed and is at rest."""
    stamp = _stamp(watched.source)
    if stamp != watched.seen and watched.every <= FILES_SECONDS:
        time.sleep(_SETTLE_SECONDS)
        if _stamp(watched.source) != stamp:
            return False
    is_changed = stamp != watched.seen
    watched.seen, watched.next_look = stamp, now + watched.every
    return is_changed


def _stamp(source: Source) -> str:
    try:
        return source.stamp()
    except SourceUnusable as error:
        return str(error)
