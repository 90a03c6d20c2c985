"""What goes to the terminal: results and errors, and progress as a bar or as plain lines."""

from __future__ import annotations

import json
import shutil
import sys
import time
import unicodedata
from collections.abc import Mapping
from typing import Any, Protocol, TextIO

WIPE = "\r\x1b[K"
_BAR_CELLS = 24
_WIDE = 80  # columns that hold a whole bar, and beside it what is said of it
_REDRAW_SECONDS = 0.1
_LINE_SECONDS = 10.0
_TELLING_SECONDS = 1.0  # after which a rate means something


def fail(message: str, code: int, as_json: bool) -> int:
    """Print an error, as one JSON object where that is wanted, and return the exit code."""
    if as_json:
        print_json({"error": message})
    else:
        wipe = WIPE if sys.stderr.isatty() else ""  # of a bar that was left behind
        shown = "\n".join(map(plain, message.split("\n")))
        print(f"{wipe}supportbot-ingest: {shown}", file=sys.stderr, flush=True)
    return code


def print_json(value: Mapping[str, Any]) -> int:
    """Print a result as one line of JSON, and return the exit code of success."""
    print(json.dumps(value), flush=True)
    return 0


def plain(text: str) -> str:
    """Return a text on one line, without what would move a terminal's cursor or colour it."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


class Progress(Protocol):
    """Is told how far the work is."""

    def note(self, text: str) -> None:
        """Tell something once."""

    def step(self, what: str, done: int, total: int, current: str = "") -> None:
        """Tell that `done` of `total` pieces of `what` are done, and which one comes now."""


class Quiet:
    """Says nothing."""

    def note(self, text: str) -> None:
        """Pass over a note."""

    def step(self, what: str, done: int, total: int, current: str = "") -> None:
        """Pass over a step."""


class _Pace:
    """How fast pieces of work are done, since the first of them."""

    def __init__(self) -> None:
        self._what = ""
        self._began = 0.0

    def told(self, what: str, done: int, total: int) -> tuple[str, str]:
        """Return the rate and the time left in words; "" while nobody can say."""
        now = time.monotonic()
        if what != self._what or not done:
            self._what, self._began = what, now
        seconds = now - self._began
        if not done or seconds < _TELLING_SECONDS:
            return "", ""
        rate = done / seconds
        minutes, left = divmod(round((total - done) / rate), 60)
        hours, minutes = divmod(minutes, 60)
        clock = f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
        return f"{rate:.{0 if rate >= 10 else 1}f}/s", f"{clock} left"


class Lines:
    """Writes a line now and then, for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._written = time.monotonic()
        self._pace = _Pace()

    def note(self, text: str) -> None:
        """Write a line."""
        print(plain(text), file=self._stream, flush=True)

    def step(self, what: str, done: int, total: int, current: str = "") -> None:
        """Write a line if the last one was long ago."""
        pace = ", ".join(filter(None, self._pace.told(what, done, total)))
        if done < total and time.monotonic() - self._written >= _LINE_SECONDS:
            self._written = time.monotonic()
            self.note(f"{what}: {done} of {total}{f' ({pace})' if pace else ''}")


class Bar:
    """Draws one line on a terminal again and again."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._drawn_at = 0.0
        self._is_drawn = False
        self._pace = _Pace()

    def note(self, text: str) -> None:
        """Write a line in place of the bar."""
        self._wipe()
        print(plain(text), file=self._stream, flush=True)

    def step(self, what: str, done: int, total: int, current: str = "") -> None:
        """Draw the bar; wipe it when all is done."""
        rate, left = self._pace.told(what, done, total)
        if done >= total:
            self._wipe()
        elif time.monotonic() - self._drawn_at >= _REDRAW_SECONDS:
            self._drawn_at = time.monotonic()
            columns = shutil.get_terminal_size().columns
            cells = _BAR_CELLS if columns >= _WIDE else _BAR_CELLS // 2
            filled = cells * done // total
            bar = "█" * filled + "░" * (cells - filled)
            words = [bar, f"{done}/{total} {what}", left, rate if columns >= _WIDE else ""]
            line = " ".join(filter(None, words))
            line += "  " + _fitting(plain(current), columns - 3 - len(line)) if current else ""
            shown = _fitting(line, columns - 1)
            print(f"\r{shown}\x1b[K", end="", file=self._stream, flush=True)
            self._is_drawn = True

    def _wipe(self) -> None:
        if self._is_drawn:
            print(WIPE, end="", file=self._stream, flush=True)
            self._is_drawn = False


def _fitting(text: str, columns: int) -> str:
    """Return the text cut to so many columns, in which East Asian signs take two each."""
    if sum(map(_columns, text)) <= columns:
        return text
    kept, left = "", columns - 1
    for sign in text:
        left -= _columns(sign)
        if left < 0:
            break
        kept += sign
    return f"{kept}…" if columns > 0 else ""


def _columns(sign: str) -> int:
    if unicodedata.combining(sign):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


def progress_on(stream: TextIO) -> Progress:
    """Return the kind of progress that suits a stream."""
    return Bar(stream) if stream.isatty() else Lines(stream)
