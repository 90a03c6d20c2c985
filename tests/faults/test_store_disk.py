"""The store on a disk that is full, out of inodes or read-only."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHILD = f"{sys.executable} -m tests.faults.store_child"


def in_namespace(script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script that may mount what nobody else sees."""
    return subprocess.run(
        ["unshare", "-rm", "sh", "-ec", script],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
    )


def can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    return in_namespace("mount -t tmpfs none /mnt").returncode == 0


pytestmark = pytest.mark.skipif(not can_mount(), reason="needs unprivileged mounts")


@pytest.mark.parametrize(
    ("small", "large"),
    [("size=4m", "size=200m"), ("nr_inodes=40", "nr_inodes=4000")],
    ids=["no space", "no inodes"],
)
def test_a_full_disk_fails_with_one_line_and_the_old_release_answers(
    tmp_path: Path, small: str, large: str
) -> None:
    done = in_namespace(f"""
        mount -t tmpfs -o {small} none {tmp_path}
        {CHILD} once {tmp_path}/home 0
        {CHILD} look {tmp_path}/home
        if {CHILD} fill {tmp_path}/home 500; then exit 9; fi
        {CHILD} look {tmp_path}/home
        ls -A {tmp_path}/home/releases | wc -l
        mount -o remount,{large} {tmp_path}
        {CHILD} fill {tmp_path}/home 500
        {CHILD} look {tmp_path}/home
    """)
    assert done.returncode == 0, done.stderr
    errors = [line for line in done.stderr.splitlines() if "WARNING" not in line]
    assert len(errors) == 1, done.stderr
    assert errors[0].startswith("StoreUnavailable")
    assert done.stdout.splitlines() == ["3 3 60", "3 3 60", "1", "3 3 560"]


def test_a_read_only_home_still_answers(tmp_path: Path) -> None:
    done = in_namespace(f"""
        mount -t tmpfs -o size=100m none {tmp_path}
        {CHILD} once {tmp_path}/home 0
        mount -o remount,ro {tmp_path}
        {CHILD} look {tmp_path}/home
        if {CHILD} fill {tmp_path}/home 1; then exit 9; fi
        mount -o remount,rw {tmp_path}
        {CHILD} fill {tmp_path}/home 1
        {CHILD} look {tmp_path}/home
    """)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("StoreUnavailable")
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout.splitlines() == ["3 3 60", "3 3 61"]
