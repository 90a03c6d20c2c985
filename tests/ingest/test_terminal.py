from __future__ import annotations

import io

from ingest.terminal import Bar, Lines, progress_on


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


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


def test_lines_are_plain() -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    lines.note("said")
    lines.step("documents", 1, 4)
    assert stream.getvalue() == "said\n"
