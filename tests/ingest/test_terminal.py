from __future__ import annotations

import io
import time
import unicodedata

import pytest

from ingest.terminal import Bar, Lines, fail, progress_on

NAMES = [
    "guide/a.md",
    "\x1b[31mred\x07\r\nnext.md",
    "日本語の長い名前のページ.md",
    "e\u0301" * 60,
    "",
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def columns(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(sign) in "WF" for sign in text)
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))


def test_a_bar_is_drawn_on_a_terminal_only() -> None:
    assert isinstance(progress_on(Terminal()), Bar)
    assert isinstance(progress_on(io.StringIO()), Lines)


def test_a_bar_is_wiped_before_a_note_and_at_the_end() -> None:
    stream = Terminal()
    bar = Bar(stream)
    bar.step("documents", 1, 4)
    bar.note("said")
    assert "1/4 documents" in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[Ksaid\n")
    bar.step("documents", 4, 4)
    assert stream.getvalue().endswith("said\n")


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("name", NAMES)
def test_a_bar_fits_the_terminal_and_is_one_line(
    width: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    stream = Terminal()
    Bar(stream).step("documents", 12_345, 100_000, name)
    drawn = stream.getvalue().removeprefix("\r").removesuffix("\x1b[K")
    assert columns(drawn) < width
    assert drawn.isprintable()


def test_a_bar_tells_rate_time_left_and_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    stream = Terminal()
    bar = Bar(stream)
    bar.step("documents", 0, 100, "a.md")
    time.sleep(1.1)
    bar.step("documents", 50, 100, "b.md")
    drawn = stream.getvalue().rpartition("\r")[2]
    assert "50/100 documents 0:01 left" in drawn
    assert "/s  b.md" in drawn


def test_lines_are_plain() -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    lines.note("said\x1b[2J")
    lines.step("documents", 1, 4, "a.md")
    assert stream.getvalue() == "said\N{REPLACEMENT CHARACTER}[2J\n"


def test_an_error_of_another_system_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    fail("git fetch failed: remote: \x1b[2J\x1b]0;owned\x07\nlook there", 1, as_json=False)
    assert capsys.readouterr().err == (
        "supportbot-ingest: git fetch failed: remote: \ufffd[2J\ufffd]0;owned\ufffd\nlook there\n"
    )
