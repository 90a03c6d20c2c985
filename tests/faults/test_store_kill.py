"""The store when its writer is killed at any moment, and when there are two of them."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from knowledge.errors import StoreBusy
from knowledge.releases import ReleaseStore
from tests.fakes import HashEmbedder
from tests.faults.store_child import pages
from tests.knowledge.corpus import build, texts

ROOT = Path(__file__).parents[2]
ROUNDS = 12


def child(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.store_child", *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def contents(store: ReleaseStore) -> dict[str, object]:
    with store.open() as opened:
        ids = sorted(opened.release.chunk_ids)
        vectors = opened.vectors.vectors(ids)
        return {
            "documents": dict(opened.release.documents),
            "chunks": opened.vectors.get(ids),
            "vectors": {id_: np.round(vectors[id_], 5).tolist() for id_ in ids},
        }


def test_a_writer_killed_at_any_moment_leaves_the_current_release_whole(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print("seed", seed)
    moments = random.Random(seed)
    home, embedder = tmp_path / "home", HashEmbedder()
    store = ReleaseStore(home)
    build(store, embedder, pages(0))
    for turn in range(ROUNDS):
        with child("versions", home, turn * 3 + 1) as writer:
            assert writer.stdout.readline() == "promoted\n", writer.stderr.read()
            time.sleep(moments.uniform(0, 0.8))
            writer.kill()
        held = texts(store)
        assert len(held) == 2 * len(store.current().documents)
        assert store.current_id() in {release.id for release in store.releases()}
    build(store, embedder, pages(99), rebuild=False)
    clean = ReleaseStore(tmp_path / "clean")
    build(clean, embedder, pages(99))
    assert contents(store) == contents(clean)
    left = {path.name for path in (home / "releases").iterdir()}
    assert left == {release.id for release in store.releases()}


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    writers = [child("writer", tmp_path / "home", number) for number in range(2)]
    ended = [writer.communicate(timeout=180) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], ended
    store = ReleaseStore(tmp_path / "home")
    assert sorted(texts(store).values()) == sorted(
        f"writer {number} turn {turn}" for number in range(2) for turn in range(5)
    )


def test_the_lock_of_a_killed_writer_is_free_at_once(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path / "home")
    with child("hold", tmp_path / "home") as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreBusy, match=f"process {holder.pid}"), store.lock():
            pass
        holder.kill()
    with store.lock():
        pass
