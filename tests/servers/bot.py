"""The real programs as child processes: `supportbot serve` on a free port, `supportbot-ingest`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx2

LISTENING = re.compile(r"listening on (http://\S+)")
START_SECONDS = 120
SYNC_SECONDS = 900  # with the real model on a busy machine
STOP_SECONDS = 60


def environment(home: Path, **settings: str) -> dict[str, str]:
    """Return this process's environment with nothing set for the bot but these settings."""
    foreign = ("SUPPORTBOT_", "SLACK_", "RUNAPI_", "OPENAI_")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**plain, "SUPPORTBOT_HOME": str(home), **settings}


def ingest(*arguments: str, env: Mapping[str, str]) -> dict[str, Any]:
    """Run `supportbot-ingest … --json`, see that it exits with 0, and return what it printed."""
    command = [sys.executable, "-m", "ingest.cli", *arguments, "--json"]
    done = subprocess.run(
        command, env=dict(env), capture_output=True, text=True, timeout=SYNC_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


class RunningBot:
    """`supportbot serve` in a process of its own, until the block is left."""

    def __init__(self, env: Mapping[str, str], *arguments: str, is_ready: bool = True) -> None:
        self._is_ready = is_ready  # wait until it can answer
        self._command = [sys.executable, "-m", "supportbot.cli", "serve", "--port", "0", *arguments]
        self._env = dict(env)
        self._listening = threading.Event()
        self.url = ""
        self.log: list[str] = []

    def __enter__(self) -> RunningBot:
        self.process = subprocess.Popen(
            self._command, env=self._env, stderr=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._listening.wait(START_SECONDS)
        assert self.url, "".join(self.log)
        if self._is_ready:
            self._wait_until_ready()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.stop()
        self._reader.join()
        if self.process.stderr:
            self.process.stderr.close()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + START_SECONDS
        while httpx2.get(f"{self.url}/readyz", timeout=START_SECONDS).status_code != 200:
            assert time.monotonic() < until, "".join(self.log)
            time.sleep(0.2)

    def _read(self) -> None:
        for line in self.process.stderr or ():
            self.log.append(line)
            if found := LISTENING.search(line):
                self.url = found[1]
                self._listening.set()
        self._listening.set()
