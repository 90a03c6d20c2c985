"""Runs `supportbot-ingest` in processes forked from one that has its libraries loaded already.

A process of its own for each command is what a kill needs, and importing torch for each would take
most of a test's time.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

_ROOT = Path(__file__).parents[2]


class ForkedCommands:
    """Starts one command at a time, in `folder`; `run` waits for it, `start` does not."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.output = folder / "output.json"
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.forking", str(self.output)],
            cwd=folder,
            env={**os.environ, **environment, "PYTHONPATH": str(_ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._read()

    def __enter__(self) -> ForkedCommands:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.communicate(timeout=60)

    def start(self, *words: str) -> int:
        """Start a command and return its process id."""
        return int(self._ask(["start", *words]))

    def wait(self) -> int:
        """Wait for the started command and return its exit code, negative for a signal."""
        return int(self._ask(["wait"]))

    def run(self, *words: str) -> tuple[int, dict[str, object]]:
        """Run a command with `--json` and return its exit code and its output."""
        self.start(*words, "--json")
        return self.wait(), json.loads(self.output.read_text())

    def kill(self, pid: int) -> int:
        """Kill the started command, if it runs still, and return its exit code."""
        # Until `wait`, one that has ended is a zombie, so that its id is nobody else's.
        os.kill(pid, signal.SIGKILL)
        return self.wait()

    def _ask(self, request: Sequence[str]) -> str:
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        return self._read()

    def _read(self) -> str:
        assert self._server.stdout is not None
        line = self._server.stdout.readline().strip()
        assert line, "the forking process ended"
        return line


def _serve(output: str) -> None:
    import chromadb
    import sentence_transformers
    import tantivy

    from ingest.commands import COMMANDS

    assert all((chromadb, sentence_transformers, tantivy, COMMANDS))
    print("ready", flush=True)
    pid = 0
    for line in sys.stdin:
        request, *words = json.loads(line)
        if request == "wait":
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
            continue
        pid = os.fork()
        if not pid:
            _become(words, output)
        print(pid, flush=True)


def _become(words: Sequence[str], output: str) -> None:
    from ingest.cli import main

    os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
    code = main(words)
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    _serve(sys.argv[1])
