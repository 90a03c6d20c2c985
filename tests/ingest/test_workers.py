"""Parsing in processes of its own, with parsers that hang, crash and fill the memory."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.errors import DocumentEmpty, ParseFailed, ParseTooSlow
from ingest.parsers.base import Parsed
from ingest.sources.base import Labels, RawDocument
from ingest.sources.files import FileSource
from ingest.workers import Limits, Workers
from knowledge.documents import content_hash
from tests.ingest.shelf import Shelf, Trap

ROOT = Path(__file__).parents[2]
LIMITS = Limits(seconds=20, memory=400 * 1024**2)


def outcomes(workers: Workers, shelf: Shelf) -> Iterator[tuple[str, Parsed | ParseFailed]]:
    for item, outcome in workers.parsed(shelf.list().items):
        try:
            yield item.id, outcome()[1]
        except ParseFailed as error:
            yield item.id, error


def test_documents_come_back_parsed_in_order_with_what_they_say() -> None:
    texts = {f"d{n:02}": f"---\ntags: [a, b]\naudience: x\n---\n# T{n}\n\nText." for n in range(30)}
    with Workers(3, LIMITS) as workers:
        found = list(outcomes(workers, Shelf(**texts)))
    assert [id_ for id_, _ in found] == list(texts)
    assert found[7][1] == Parsed(
        text="\nText.", title="T7", tags=("a", "b"), audiences=frozenset({"x"})
    )


def test_the_bytes_are_left_out_and_their_stamp_is_told(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text("Text.")
    with Workers(1, LIMITS) as workers:
        [(_, outcome)] = workers.parsed(FileSource(str(page), Labels()).list().items)
        raw, _ = outcome()
    assert (raw.data, raw.stamp) == (b"", content_hash("Text."))


def test_what_cannot_be_read_or_parsed_says_why() -> None:
    shelf = Shelf(a=ParseFailed("it cannot be read any more"), b=" \n", c="---\ntitle: [\n---\nx")
    with Workers(2, LIMITS) as workers:
        found = dict(outcomes(workers, shelf))
    assert str(found["a"]) == "it cannot be read any more"
    assert isinstance(found["b"], DocumentEmpty)
    assert "not valid YAML" in str(found["c"])


@pytest.mark.parametrize(
    ("trap", "reason", "is_transient"),
    [
        ("abort", "its parser crashed (SIGABRT)", False),
        ("exit", "its parser crashed (exit code 3)", False),
        ("fill", "its parser needed more than 0.390625 GB of memory", False),
        ("sleep", "its parser took longer than 5 s", True),
        ("spin", "its parser took longer than 5 s", True),
    ],
)
def test_a_document_that_is_too_much_for_its_parser_fails_alone(
    trap: str, reason: str, is_transient: bool
) -> None:
    limits = Limits(seconds=5, memory=LIMITS.memory) if is_transient else LIMITS
    began = time.monotonic()
    with Workers(1, limits) as workers:
        found = dict(outcomes(workers, Shelf(a="A.", trap=Trap(trap), b="B.")))
    assert isinstance(found["trap"], ParseFailed)
    assert str(found["trap"]) == reason
    assert isinstance(found["trap"], ParseTooSlow) is is_transient
    assert time.monotonic() - began < 40
    assert [found[id_].text for id_ in "ab" if isinstance(found[id_], Parsed)] == ["A.", "B."]


def test_only_a_few_documents_are_read_ahead() -> None:
    shelf = Shelf(**{f"d{n}": "Text." for n in range(40)})
    with Workers(2, LIMITS) as workers:
        coming = outcomes(workers, shelf)
        next(coming)
        assert len(shelf.was_read) <= 6


def test_large_documents_are_not_read_ahead() -> None:
    shelf = Shelf(**{f"d{n}": ParseFailed("lost") if n else "x" * 65 * 1024**2 for n in range(9)})
    with Workers(2, Limits(memory=1024**3)) as workers:
        coming = outcomes(workers, shelf)
        next(coming)
        assert len(shelf.was_read) <= 3


def test_a_document_that_hangs_holds_up_no_other(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    with Workers(2, LIMITS) as workers:
        shelf = Shelf(a=Trap(f"fork {mark}"), b="B.", c="C.")
        _, *others = [outcome for _, outcome in workers.parsed(shelf.list().items)]
        pid = started(mark)
        assert [outcome()[1].text for outcome in others] == ["B.", "C."]
        assert is_running(pid)


def test_closing_ends_what_a_parser_started(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    workers = Workers(1, LIMITS)
    coming = workers.parsed(Shelf(trap=Trap(f"fork {mark}")).list().items)
    pid = started(mark)
    workers.close()
    assert not is_running(pid)
    [(_, outcome)] = coming
    with pytest.raises(ParseFailed):
        outcome()


POOL = """
import sys
from tests.ingest.test_workers import LIMITS, Shelf, Trap, Workers, outcomes
print(list(outcomes(Workers(1, LIMITS), Shelf(trap=Trap("fork " + sys.argv[1])))))
"""


def test_no_parser_outlives_a_pool_that_was_killed(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    with subprocess.Popen([sys.executable, "-c", POOL, str(mark)], cwd=ROOT) as pool:
        pid = started(mark)
        pool.kill()
    for _ in range(100):
        if not is_running(pid):
            break
        time.sleep(0.05)
    assert not is_running(pid)


def started(mark: Path) -> int:
    """Wait until a parser has written its process id, and return it."""
    for _ in range(400):
        if mark.exists() and mark.read_text().strip():
            return int(mark.read_text())
        time.sleep(0.05)
    raise AssertionError("the parser was not started")


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_pdf_may_wait_for_tesseract_and_nothing_else_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Limits(seconds=20, reading_seconds=600)
    assert limits.patience(RawDocument("a.md", "docs", ".md", b"x")) == 20
    monkeypatch.setenv("PATH", str(tmp_path))
    assert limits.patience(RawDocument("a.pdf", "docs", ".pdf", b"x")) == 20
    command = tmp_path / "tesseract"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    assert limits.patience(RawDocument("a.pdf", "docs", ".pdf", b"x")) == 600
