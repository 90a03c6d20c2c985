"""Daily budgets (UTC): what the installation, and each workspace, may still spend.

The state database knows what all processes spent. While it does not answer, what it last told and
what this process spent since then count, so a budget holds then too.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from supportbot.errors import StateUnavailable

if TYPE_CHECKING:
    from supportbot.threads import Threads

EVERYBODY = ""  # the name under which the whole installation spends
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Caps:
    """Dollars a day, None: no cap.

    Args:
        total: of the whole installation.
        by_workspace: of each workspace by its name, such as `slack:T0001`, or of each one of a
            kind, such as `slack`.
    """

    total: float | None = None
    by_workspace: Mapping[str, float] = field(default_factory=dict)

    def of(self, workspace: str) -> dict[str, float]:
        """Return the caps that hold for a question from this workspace, by who spends."""
        kind = workspace.partition(":")[0]
        own = self.by_workspace.get(workspace, self.by_workspace.get(kind))
        caps = {workspace: own, EVERYBODY: self.total}
        return {name: cap for name, cap in caps.items() if cap is not None}


class Budget:
    """Tells whether a question may still cost something."""

    def __init__(self, caps: Caps, threads: Threads) -> None:
        self._caps = caps
        self._threads = threads
        self._ledger = _Ledger()

    async def is_spent(self, workspace: str, seconds: float) -> bool:
        """Tell whether a cap that holds for this workspace is reached.

        Args:
            workspace: who asks, "" where nobody in particular.
            seconds: the longest to wait for the database.
        """
        caps = self._caps.of(workspace)
        try:
            async with asyncio.timeout(seconds):
                for name in caps:
                    self._ledger.told(name, await self._spent(name))
        except (StateUnavailable, TimeoutError) as error:
            _log.warning("spending unknown", extra={"failure": repr(error)})
        return any(self._ledger.of(name) >= cap for name, cap in caps.items())

    def add(self, workspace: str, dollars: float, *, is_kept: bool) -> None:
        """Count what an answer cost; `is_kept`: the database knows it too."""
        self._ledger.add({EVERYBODY, workspace}, dollars, is_kept=is_kept)

    async def _spent(self, name: str) -> float:
        threads = self._threads
        return await (threads.spent_today() if name == EVERYBODY else threads.spent_today(name))


class _Ledger:
    """Dollars of today by who spent them, as far as this process knows."""

    def __init__(self) -> None:
        self._day: date | None = None
        self._kept: defaultdict[str, float] = defaultdict(float)
        self._unkept: defaultdict[str, float] = defaultdict(
            float
        )  # what the database will never tell

    def of(self, name: str) -> float:
        """Return the dollars of this day."""
        self._turn()
        return self._kept[name] + self._unkept[name]

    def told(self, name: str, dollars: float) -> None:
        """Take over what the database knows."""
        self._turn()
        self._kept[name] = dollars

    def add(self, names: set[str], dollars: float, *, is_kept: bool) -> None:
        """Count an answer."""
        self._turn()
        for name in names:
            (self._kept if is_kept else self._unkept)[name] += dollars

    def _turn(self) -> None:
        if self._day != (day := datetime.now(UTC).date()):
            self._day = day
            self._kept.clear()
            self._unkept.clear()
