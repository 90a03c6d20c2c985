"""What goes to the terminal: results and errors, and progress as a bar or as plain lines."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Mapping
from typing import Any, Protocol, TextIO

_BAR_WIDTH = 24
_REDRAW_SECONDS = 0.1
_LINE_SECONDS = 10.0


def fail(message: str, code: int, as_json: bool) -> int:
    """Print an error, as one JSON object where that is wanted, and return the exit code."""
    if as_json:
        print_json({"error": message})
    else:
        print(f"supportbot-ingest: {message}", file=sys.stderr, flush=True)
    return code


def print_json(value: Mapping[str, Any]) -> int:
    """Print a result as one line of JSON, and return the exit code of success."""
    print(json.dumps(value), flush=True)
    return 0


class Progress(Protocol):
    """Is told how far the work is."""

    def note(self, text: str) -> None:
        """Tell something once."""

    def step(self, what: str, done: int, total: int) -> None:
        """Tell that `done` of `total` pieces of `what` are done."""


class Quiet:
    """Says nothing."""

    def note(self, text: str) -> None:
        """Pass over a note."""

    def step(self, what: str, done: int, total: int) -> None:
        """Pass over a step."""


class Lines:
    """Writes a line now and then, for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._written = time.monotonic()

    def note(self, text: str) -> None:
        """Write a line."""
        print(text, file=self._stream, flush=True)

    def step(self, what: str, done: int, total: int) -> None:
        """Write a line if the last one was long ago."""
        if time.monotonic() - self._written >= _LINE_SECONDS:
            self._written = time.monotonic()
            self.note(f"{what}: {done} of {total}")


class Bar:
    """Draws one line on a terminal again and again."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._drawn_at = 0.0
        self._is_drawn = False

    def note(self, text: str) -> None:
        """Write a line in place of the bar."""
        self._wipe()
        print(text, file=self._stream, flush=True)

    def step(self, what: str, done: int, total: int) -> None:
        """Draw the bar; wipe it when all is done."""
        if done >= total:
            self._wipe()
        elif time.monotonic() - self._drawn_at >= _REDRAW_SECONDS:
            self._drawn_at = time.monotonic()
            filled = _BAR_WIDTH * done // total
            bar = f"{'█' * filled}{'░' * (_BAR_WIDTH - filled)} {done}/{total} {what}"
            columns = shutil.get_terminal_size().columns
            print(f"\r{bar[: columns - 1]}\x1b[K", end="", file=self._stream, flush=True)
            self._is_drawn = True

    def _wipe(self) -> None:
        if self._is_drawn:
            print("\r\x1b[K", end="", file=self._stream, flush=True)
            self._is_drawn = False


def progress_on(stream: TextIO) -> Progress:
    """Return the kind of progress that suits a stream."""
    return Bar(stream) if stream.isatty() else Lines(stream)
