"""A sync into a home on a disk that is full, out of inodes or read-only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.test_store_disk import ROOT, can_mount
from tests.servers.tiny_model import save_tiny_model

pytestmark = pytest.mark.skipif(not can_mount(), reason="needs unprivileged mounts")


def write(docs: Path, count: int, version: int) -> None:
    docs.mkdir(exist_ok=True)
    for n in range(count):
        words = " ".join(f"w{n}x{version}y{k}" for k in range(300))
        (docs / f"{n}.md").write_text(f"# Page {n}\n\nSentence {n} of it.\n\n{words}\n")


def run(folder: Path, *steps: list[str]) -> list[tuple[int, str, str]]:
    """Run steps of `sync_child` where mounts are nobody else's."""
    environment = {
        "SUPPORTBOT_HOME": str(folder / "disk" / "home"),
        "SUPPORTBOT_EMBEDDER": str(folder / "model"),
    }
    done = subprocess.run(
        ["unshare", "-rm", sys.executable, "-m", "tests.faults.sync_child"],
        input="".join(json.dumps(step) + "\n" for step in steps),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_tiny_model(tmp_path / "model")
    (tmp_path / "disk").mkdir()
    write(tmp_path / "few", 3, 0)
    write(tmp_path / "many", 300, 1)
    return tmp_path


def report(step: tuple[int, str, str]) -> dict[str, Any]:
    return json.loads(step[1])


@pytest.mark.parametrize(
    ("small", "large"),
    [("size=6m", "size=200m"), ("nr_inodes=45", "nr_inodes=4000"), ("ro", "rw")],
    ids=["no space", "no inodes", "read-only"],
)
def test_a_sync_that_cannot_write_fails_with_one_line_and_the_next_one_completes(
    folder: Path, small: str, large: str
) -> None:
    disk, few, many = (str(folder / name) for name in ("disk", "few", "many"))
    mounted = small if small != "ro" else "size=200m"
    sync = ["ingest", "sync", many, "--json", "--quiet"]
    search = ["ingest", "search", "Sentence 2", "--json"]
    _, first, _, failed, answer, _, again, last = run(
        folder,
        ["sh", f"mount -t tmpfs -o {mounted} none {disk}"],
        ["ingest", "sync", few, "--json", "--quiet"],
        ["sh", f"mount -o remount,{small} {disk}"],
        sync,
        search,
        ["sh", f"mount -o remount,{large} {disk}"],
        sync,
        ["ingest", "status", "--json"],
    )
    assert first[0] == 0, first
    assert (failed[0], failed[2]) == (1, "")
    assert "disk" in report(failed)["error"]
    assert "\n" not in report(failed)["error"]
    assert answer[0] == 0
    assert report(answer)["release"] == report(first)["release"]
    assert report(answer)["hits"][0]["document_id"] == "2.md"
    assert again[0] == 0, again
    assert report(again)["promoted"]
    assert report(last)["documents"] == 300
