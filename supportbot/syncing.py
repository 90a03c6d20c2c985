"""Syncs that the service runs: `supportbot-ingest` in processes of its own, which end with it.

The bot and the pipeline never import each other; a release is all that passes between them.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from supportbot.config import BotSettings
from supportbot.conversation import new_id
from supportbot.errors import SyncUnderWay
from supportbot.telemetry import JsonLines

log = logging.getLogger(__name__)

SYNC_SECONDS = 2 * 3_600.0
STOP_SECONDS = 8.0
_PAUSES = (1.0, 300.0)  # seconds before another start: the shortest, and the longest
_STEADY_SECONDS = 60.0  # after which a process that ends is not one that cannot start
_LINE_BYTES = 64 * 1024
_GOOD = frozenset({0, 3})  # exit codes; 3: promoted, but some documents failed
# The import path is this process's, whatever lies in the working directory.
_PROGRAM = (
    "import sys; sys.path[:] = sys.argv.pop(1).split(chr(10));"
    "from ingest.cli import main; sys.exit(main())"
)


class State(StrEnum):
    """How far a sync is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class SyncRun:
    """One sync that was asked for."""

    id: str = field(default_factory=lambda: new_id("sync"))
    state: State = State.RUNNING
    exit_code: int | None = None  # None: it runs, or was stopped
    report: Any = None  # what the command printed; None: it runs
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the public form."""
        return {
            "sync_id": self.id,
            "state": self.state,
            "exit_code": self.exit_code,
            "report": self.report,
            "started_at": self.started_at.isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 1),
        }


class Syncs:
    """Runs `supportbot-ingest sync` when it is asked for, one at a time.

    Args:
        home: of the knowledge base.
        mask: returns a text without secrets.
        seconds: the longest that one may take.
    """

    def __init__(
        self, home: Path, mask: Callable[[str], str], seconds: float = SYNC_SECONDS
    ) -> None:
        self._home = home
        self._mask = mask
        self._limit = seconds
        self._began = 0.0  # by the monotonic clock
        self._last: SyncRun | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def last(self) -> SyncRun | None:
        """Return the sync that was asked for last; None: none was."""
        if self._last and self._last.state is State.RUNNING:
            return replace(self._last, seconds=time.monotonic() - self._began)
        return self._last

    def start(self) -> SyncRun:
        """Start a sync of the configured sources.

        Raises:
            SyncUnderWay: one is not done yet.
        """
        if self._task and not self._task.done():
            raise SyncUnderWay("a sync that was asked for is not done yet")
        self._last = run = SyncRun()
        self._began = time.monotonic()
        self._task = asyncio.create_task(self._run(run))
        return run

    async def stop(self) -> None:
        """Stop the sync under way; a release is promoted whole or not at all."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, run: SyncRun) -> None:
        code: int | None = None
        report: Any = {"error": "the sync was stopped with the service"}
        try:
            async with asyncio.timeout(self._limit):
                code, report = await self._outcome()
        except TimeoutError:
            report = {"error": f"the sync was stopped: it took longer than {self._limit:g} s"}
        except OSError as error:
            report = {"error": f"the sync could not be started ({error.strerror})"}
        finally:
            state = State.DONE if code in _GOOD else State.FAILED
            seconds = time.monotonic() - self._began
            self._last = replace(run, state=state, exit_code=code, report=report, seconds=seconds)
            log.info("sync %s", state, extra={"sync_id": run.id, "exit_code": code})

    async def _outcome(self) -> tuple[int, Any]:
        async with _running(["sync", "--json"], self._home, stderr=PIPE) as process:
            assert process.stdout  # noqa: S101 - it is a pipe
            assert process.stderr  # noqa: S101 - it is one too
            printed, _ = await asyncio.gather(process.stdout.read(), _log(process.stderr))
            return await process.wait(), self._report(printed)

    def _report(self, printed: bytes) -> Any:
        try:
            return _masked(json.loads(printed), self._mask)
        except ValueError:
            return {"error": "the sync ended without a report; the log may say why"}


class Watch:
    """Keeps `supportbot-ingest watch` running: it syncs sources by their schedules."""

    def __init__(self, home: Path) -> None:
        self._home = home

    async def run(self) -> None:
        """Run it, and start it again whenever it ends, until this task is cancelled."""
        shortest, longest = _PAUSES
        pause = shortest
        while True:
            began = time.monotonic()
            how = await self._once()
            if time.monotonic() - began > _STEADY_SECONDS:
                pause = shortest
            log.warning("the watch over the sources %s; it starts again in %g s", how, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)

    async def _once(self) -> str:
        try:
            async with _running(["watch"], self._home, stderr=STDOUT) as process:
                assert process.stdout  # noqa: S101 - it is a pipe
                await _log(process.stdout)
                return f"ended with exit code {await process.wait()}"
        except OSError as error:
            return f"could not be started ({error.strerror})"


@asynccontextmanager
async def syncing(settings: BotSettings) -> AsyncIterator[Syncs]:
    """Watch the sources that have a schedule, lend what runs other syncs, and end them all."""
    syncs = Syncs(settings.home, JsonLines(settings.secrets).mask)
    watching = None
    if any(source.schedule for source in settings.sources):
        watching = asyncio.create_task(Watch(settings.home).run())
    try:
        yield syncs
    finally:
        if watching:
            watching.cancel()
        await asyncio.gather(syncs.stop(), *filter(None, [watching]), return_exceptions=True)


@asynccontextmanager
async def _running(words: Sequence[str], home: Path, *, stderr: int) -> AsyncIterator[Process]:
    """Run a command of `supportbot-ingest`, which is stopped when the block is left before its end.

    It stops by itself when its standard input ends, as it does however this process dies. A Ctrl-C
    at the terminal does not reach it: it is in a group of its own.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _PROGRAM, "\n".join(sys.path)),
        *(*words, "--until-eof", "--home", str(home)),
        stdin=PIPE,
        stdout=PIPE,
        stderr=stderr,
        limit=_LINE_BYTES,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        await _end(process)


async def _end(process: Process) -> None:
    """Stop a process, and kill it and what it started if it does not stop."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.terminate()
        reading = [stream.read() for stream in (process.stdout, process.stderr) if stream]
        try:  # what it still says would fill its pipes, and it would wait for us
            async with asyncio.timeout(STOP_SECONDS):
                await asyncio.gather(*reading, process.wait())
        except TimeoutError:
            log.warning("a sync did not stop within %g s and is killed", STOP_SECONDS)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _log(stream: asyncio.StreamReader) -> None:
    """Log each line that comes, until the end."""
    while True:
        try:
            line = await stream.readline()
        except ValueError:  # it is longer than anybody reads; it is passed over
            continue
        if not line:
            return
        if text := line.decode("utf-8", "replace").strip():
            log.info("%s", text)


def _masked(value: Any, mask: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list):
        return [_masked(one, mask) for one in value]
    if isinstance(value, dict):
        return {key: _masked(one, mask) for key, one in value.items()}
    return value
