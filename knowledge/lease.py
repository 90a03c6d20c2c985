"""The lease of a Chroma server: one machine at a time writes to the knowledge base.

A lease is the empty collection `supportbot-sync-lock-<number>`, and the greatest number counts. A
server makes a collection of one name once, so of all who reach for a number one gets it. No machine
trusts another one's clock: the holder counts its renewals, and who waits counts how often in a row
it saw no new one. A holder that was paused for so long finds a greater number than its own.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from knowledge.errors import ReleaseNotFound, StoreBusy, StoreDamaged, StoreUnavailable
from knowledge.files import disk_errors, write_whole
from knowledge.vectors import ChromaServer

log = logging.getLogger(__name__)

PREFIX = "supportbot-sync-lock-"
SILENCE_SECONDS = 30.0
_LOOKS = 30  # in a row that see nothing new, after which a holder counts as dead
_RENEWALS = 6  # of a living holder in that time


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes to a knowledge base now."""

    process: int | None  # None: not known
    host: str
    since: str = ""  # ISO 8601, by its own clock; "": not known

    def __str__(self) -> str:
        who = "another process" if self.process is None else f"process {self.process}"
        since = f" since {self.since}" if self.since else ""
        return f"{who} on {self.host}{since}"


@dataclass(frozen=True, slots=True)
class _Holder:
    """Who has a lease, as its collection tells it."""

    owner: str  # random
    host: str = "another machine"
    process: int = 0
    since: str = ""  # by its own clock: for people
    turn: int = 0  # counts the renewals
    is_done: bool = False

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> _Holder:
        """Return what a collection tells; one that tells nothing legible is held by somebody."""
        try:
            return cls(**told)
        except TypeError:
            return cls("")

    @property
    def writer(self) -> Writer:
        """Return what people are told of it."""
        return Writer(self.process or None, self.host, self.since)


class Lease:
    """The one lease of a server, as one home sees it; held by one thread at a time.

    Attributes:
        number: of the lease that is held, greater than any before; 0: it is not held.

    Args:
        server: where it stands.
        home: whose lock is held while the lease is, so that a dead writer of it is known at once.
        silence: seconds without a sign of life after which a holder elsewhere counts as dead.
    """

    def __init__(self, server: ChromaServer, home: Path, silence: float = SILENCE_SECONDS) -> None:
        self._server = server
        self._mine = home / "sync.lease"
        self._silence = silence
        self.number = 0
        self._id: Any = None

    @contextmanager
    def held(self, timeout: float, least: int = 0) -> Iterator[None]:
        """Hold the lease, and renew it meanwhile.

        Args:
            timeout: seconds to wait for a holder elsewhere; with any, for one that is silent as
                long as it takes to know whether it is dead.
            least: a number that its number is greater than.

        Raises:
            StoreBusy: another machine holds it still, or took it over meanwhile.
        """
        holder = self._acquire(timeout, least)
        done = threading.Event()
        renewing = threading.Thread(target=self._renew, args=(holder, done), daemon=True)
        renewing.start()
        try:
            yield
        except (ReleaseNotFound, StoreDamaged):
            self.check()  # it may be another writer that removed what is missed
            raise
        finally:
            done.set()
            renewing.join()
            self.number = 0
            with suppress(StoreDamaged, StoreUnavailable):  # it was taken over, or will be
                self._server.relabel(self._id, asdict(replace(holder, is_done=True)))

    def writer(self) -> Writer | None:
        """Return who holds the lease now, or died with it; None: nobody, or a dead one of here.

        Call it while nobody holds the home's lock.
        """
        _, holder = max(self._all().items(), default=(0, None))
        if holder is None or holder.is_done or self._is_mine(holder):
            return None
        return holder.writer

    def check(self) -> None:
        """Check that what is held was not taken over meanwhile.

        Raises:
            StoreBusy: it was.
        """
        if self.number and max(self._all(), default=0) != self.number:
            raise StoreBusy(
                "another machine took this sync for dead and began one of its own, so nothing was"
                " promoted; see that this machine is not paused or cut off, and sync again"
            )

    def _acquire(self, timeout: float, least: int) -> _Holder:
        deadline = time.monotonic() + timeout
        last_seen, silent = None, 0
        while True:
            number, holder = max(self._all().items(), default=(0, None))
            if holder is None or holder.is_done or self._is_mine(holder) or silent >= _LOOKS:
                if mine := self._take(max(number, least) + 1):
                    return mine
                continue
            silent = silent + 1 if (number, holder.turn) == last_seen else 0
            last_seen = number, holder.turn
            if time.monotonic() >= deadline and (timeout <= 0 or not silent):
                raise StoreBusy(self._busy(holder.writer))
            time.sleep(self._silence / _LOOKS)

    def _take(self, number: int) -> _Holder | None:
        """Take the lease of this number; None if somebody was faster."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        mine = _Holder(secrets.token_hex(8), socket.gethostname(), os.getpid(), now)
        with disk_errors(self._mine):
            write_whole(self._mine, mine.owner)
        made = self._server.create_once(f"{PREFIX}{number}", asdict(mine))
        if made is None:
            return None
        others = [other for other in self._all() if other != number]
        if max(others, default=0) > number:  # this number was used up, and removed, meanwhile
            self._server.delete(f"{PREFIX}{number}")
            return None
        for other in others:
            self._server.delete(f"{PREFIX}{other}")
        self.number, self._id = number, made
        return mine

    def _renew(self, holder: _Holder, done: threading.Event) -> None:
        """Count on, until it is done or taken over."""
        turn = 0
        while not done.wait(self._silence / _RENEWALS):
            turn += 1
            try:
                self._server.relabel(self._id, asdict(replace(holder, turn=turn)))
            except StoreDamaged:
                log.warning("another machine took this sync for dead; it will not promote")
                return
            except StoreUnavailable as error:
                log.warning("%s; it is tried again", error)

    def _all(self) -> dict[int, _Holder]:
        """Return who has which number."""
        told = self._server.labels(PREFIX)
        numbers = {name.removeprefix(PREFIX): name for name in told}
        return {int(n): _Holder.of(told[name]) for n, name in numbers.items() if n.isdecimal()}

    def _is_mine(self, holder: _Holder) -> bool:
        """Tell whether a writer of this home has it, which is dead, as this one has its lock."""
        try:
            return self._mine.read_text(encoding="utf-8") == holder.owner
        except (OSError, UnicodeDecodeError):
            return False

    def _busy(self, writer: Writer) -> str:
        return (
            f"{writer} is syncing the knowledge base at {self._server.url}; wait until it is done,"
            " or stop it there (once it shows no sign of life, the next sync takes over after"
            f" {self._silence:g} s)"
        )
