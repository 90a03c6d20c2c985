from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from knowledge.documents import Chunk
from knowledge.releases import ReleaseStore
from tests.servers.forking import ForkedCommands
from tests.servers.tiny_model import save_tiny_model

ROUNDS = int(os.environ.get("SYNC_KILLS", "12"))  # more of them find more, and take their time
PAIRS = int(os.environ.get("SYNC_PAIRS", "3"))
Held = dict[str, set[str]]  # texts by document id


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkedCommands]:
    folder = tmp_path_factory.mktemp("commands")
    model = save_tiny_model(folder / "model")
    with ForkedCommands(folder, {"SUPPORTBOT_EMBEDDER": str(model)}) as running:
        yield running


def edit(docs: Path, version: int, chance: random.Random) -> None:
    """Change some documents, remove some, and add some."""
    docs.mkdir(exist_ok=True)
    known = sorted(docs.iterdir())
    for path in chance.sample(known, min(3, len(known))):
        path.unlink()
    changed = chance.sample(sorted(docs.iterdir()), min(4, len(known)))
    new = [docs / f"page-{version}-{n}.md" for n in range(20 if version == 0 else 3)]
    for path in [*changed, *new]:
        body = "\n\n".join(
            f"## Part {n}\n\nIn version {version} of {path.stem} this is {chance.random()}."
            for n in range(4)
        )
        path.write_text(f"# {path.stem}\n\n{body}\n")


def written(docs: Path) -> Held:
    return {
        path.name: {line for line in path.read_text().splitlines() if line.startswith("In ")}
        for path in docs.iterdir()
    }


def passages(home: Path) -> dict[str, tuple[Chunk, np.ndarray]]:
    """Return all that the current release holds, after a look at its wholeness."""
    store = ReleaseStore(home)
    current = store.current()
    assert current is not None
    store.check_files(current.id)
    with store.open() as opened:
        ids = sorted(current.chunk_ids)
        assert opened.vectors.ids() == current.chunk_ids
        assert opened.keywords.count() == len(ids)
        assert opened.vectors.unreachable(ids) == []
        chunks, vectors = opened.vectors.get(ids), opened.vectors.vectors(ids)
    return {id_: (chunks[id_], vectors[id_]) for id_ in ids}


def held(home: Path) -> Held:
    found: Held = {}
    for chunk, _ in passages(home).values():
        found.setdefault(chunk.document_id, set()).add(chunk.text)
    return found


def test_a_killed_sync_leaves_a_whole_release_and_the_next_one_finishes(
    tmp_path: Path, commands: ForkedCommands
) -> None:
    home, docs = tmp_path / "home", tmp_path / "docs"
    chance = random.Random(7)
    edit(docs, 0, chance)
    began = time.monotonic()
    assert commands.run("sync", str(docs), "--home", str(home))[0] == 0
    usual = time.monotonic() - began
    killed = 0
    for version in range(1, ROUNDS + 1):
        before = written(docs)
        edit(docs, version, chance)
        pid = commands.start("sync", str(docs), "--home", str(home), "--json")
        time.sleep(chance.uniform(0, usual))
        killed += commands.kill(pid) < 0
        assert held(home) in (before, written(docs))
        code, report = commands.run("sync", str(docs), "--home", str(home))
        assert (code, report["failures"]) == (0, [])
        assert held(home) == written(docs)
        assert not list((home / "releases").glob(".staging-*"))
    assert killed >= 3

    clean = tmp_path / "clean"
    assert commands.run("sync", str(docs), "--home", str(clean))[0] == 0
    mended, fresh = passages(home), passages(clean)
    assert {id_: chunk for id_, (chunk, _) in mended.items()} == {
        id_: chunk for id_, (chunk, _) in fresh.items()
    }
    for id_, (_, vector) in mended.items():
        np.testing.assert_allclose(vector, fresh[id_][1], atol=1e-5)


def test_a_first_sync_that_is_killed_leaves_nothing_half(
    tmp_path: Path, commands: ForkedCommands
) -> None:
    home, docs = tmp_path / "home", tmp_path / "docs"
    chance = random.Random(8)
    edit(docs, 0, chance)
    for _ in range(3):
        pid = commands.start("sync", str(docs), "--home", str(home), "--json")
        time.sleep(chance.uniform(0, 0.3))
        commands.kill(pid)
        assert ReleaseStore(home).current_id() is None or held(home) == written(docs)
    assert commands.run("sync", str(docs), "--home", str(home))[0] == 0
    assert held(home) == written(docs)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkedCommands]:
    folder = tmp_path_factory.mktemp("others")
    model = save_tiny_model(folder / "model")
    with ForkedCommands(folder, {"SUPPORTBOT_EMBEDDER": str(model)}) as running:
        yield running


def test_two_syncs_at_once_end_as_one_after_the_other(
    tmp_path: Path, commands: ForkedCommands, others: ForkedCommands
) -> None:
    home, docs = tmp_path / "home", tmp_path / "docs"
    chance = random.Random(9)
    for version in range(PAIRS):
        edit(docs, version, chance)
        words = ("sync", str(docs), "--home", str(home), "--json")
        for running in (commands, others):
            running.start(*words)
        codes = [running.wait() for running in (commands, others)]
        outputs = [json.loads(running.output.read_text()) for running in (commands, others)]
        assert sorted(codes) in ([0, 0], [0, 1])
        assert sum(output.get("promoted", False) for output in outputs) == 1
        for output in outputs:
            assert "is syncing" in output.get("error", "is syncing")
        assert held(home) == written(docs)
        assert not list((home / "releases").glob(".staging-*"))


def test_a_sync_after_a_killed_one_begins_at_once(tmp_path: Path, commands: ForkedCommands) -> None:
    home, docs = tmp_path / "home", tmp_path / "docs"
    edit(docs, 0, random.Random(10))
    pid = commands.start("sync", str(docs), "--home", str(home), "--json")
    while not (home / "sync.pid").exists():
        time.sleep(0.005)
    commands.kill(pid)
    with ReleaseStore(home).lock():  # which does not wait
        pass
    assert commands.run("sync", str(docs), "--home", str(home))[0] == 0
    assert held(home) == written(docs)
