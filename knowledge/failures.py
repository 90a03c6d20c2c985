"""Documents that a sync could not take in: why, since when, and when they are tried again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

_FIRST_WAIT = timedelta(minutes=1)
_LONGEST_WAIT = timedelta(days=1)
_DOUBLINGS = 11  # of the first wait are more than the longest


@dataclass(frozen=True, slots=True)
class Failure:
    """A document that the last sync could not take in."""

    uri: str
    reason: str
    is_transient: bool = False  # it may well go better at the next try, with nothing changed
    is_empty: bool = False  # it says nothing any more, so that no earlier version of it stays
    source: str = ""  # the source's name, where it is known
    shape: str = ""  # hash of what was tried, as `Document.content_hash`; "": it is tried each time
    since: str = ""  # when it failed first, ISO 8601, "" where unknown
    tries: int = 1
    retry_at: str = ""  # transient ones are not tried again before, ISO 8601
    wait: float = 0.0  # seconds that the server asked to wait before another try

    def after(self, earlier: Failure | None, now: datetime) -> Failure:
        """Return it as one that follows an earlier failure of the same document."""
        is_first = earlier is None or not earlier.since
        tries = 1 if is_first or earlier is None else earlier.tries + 1
        usual = _FIRST_WAIT * 2 ** min(tries - 1, _DOUBLINGS)
        asked = timedelta(seconds=min(self.wait, _LONGEST_WAIT.total_seconds()))
        wait = min(_LONGEST_WAIT, max(usual, asked))
        return replace(
            self,
            since=now.isoformat() if is_first or earlier is None else earlier.since,
            tries=tries,
            retry_at=(now + wait).isoformat() if self.is_transient else "",
        )

    def holds(self, shape: str, is_held: bool, now: datetime) -> bool:
        """Tell whether a try is of no use now, of a document of this shape.

        `is_held` tells whether a release holds the document; one that is empty must go from there.
        """
        if not self.shape or self.shape != shape or (self.is_empty and is_held):
            return False
        return not self.is_transient or now < datetime.fromisoformat(self.retry_at)


def to_json(failures: Sequence[Failure]) -> str:
    """Return failures as JSON."""
    return json.dumps([asdict(failure) for failure in failures], indent=1)


def from_json(text: str) -> list[Failure]:
    """Return the failures of a JSON list; what an older or newer version wrote is read too.

    Raises:
        ValueError: it is no such list.
    """
    rows = json.loads(text)
    if not isinstance(rows, list):
        raise ValueError("not a list")
    return [_failure(row) for row in rows]


def _failure(row: Mapping[str, Any]) -> Failure:
    try:
        known = {field.name: row[field.name] for field in fields(Failure) if field.name in row}
        failure = Failure(**known)
        if failure.is_transient:
            datetime.fromisoformat(failure.retry_at)
    except (TypeError, KeyError) as error:
        raise ValueError(f"not a failure: {row!r}") from error
    return failure
