"""Releases on a Chroma server."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from knowledge.documents import STAFF, Scope
from knowledge.errors import ReleaseNotFound, StoreDamaged, StoreUnavailable
from knowledge.lease import PREFIX
from knowledge.releases import KEPT_RELEASES, ReleaseStore
from knowledge.retriever import Retriever
from knowledge.vectors import ChromaServer
from tests.fakes import HashEmbedder
from tests.knowledge.corpus import build, document, texts
from tests.servers.chroma import ChromaProcess

INSTALL = document("install.md", "Install it with apt.", "Then start the service.")
REFUND = document("refund.md", "Refunds take five days.")


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromaProcess]:
    started = ChromaProcess(tmp_path_factory.mktemp("chroma"))
    started.start()
    yield started
    started.kill()


@pytest.fixture
def server(process: ChromaProcess) -> Iterator[ChromaProcess]:
    """An empty server."""
    yield process
    chroma = ChromaServer(process.url, 30)
    for name in chroma.names():
        chroma.delete(name)
    chroma.close()


@pytest.fixture
def store(server: ChromaProcess, tmp_path: Path) -> Iterator[ReleaseStore]:
    opened = ReleaseStore(tmp_path / "home", server.url + "/")
    yield opened
    opened.close()


@pytest.fixture
def embedder() -> HashEmbedder:
    return HashEmbedder()


def others_than_leases(chroma: ChromaServer) -> set[str]:
    names = chroma.names()
    assert sum(name.startswith(PREFIX) for name in names) == 1
    return {name for name in names if not name.startswith(PREFIX)}


def test_an_empty_server_has_no_release(store: ReleaseStore) -> None:
    assert store.current() is None
    assert store.releases() == []
    with pytest.raises(ReleaseNotFound):
        store.open()


def test_releases_are_built_promoted_and_rolled_back(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    first = build(store, embedder, [INSTALL, REFUND])
    embedder.embedded.clear()
    second = build(store, embedder, [document("new.md", "New.")], remove=["refund.md"])
    assert store.current() == second == store.get(second.id)
    assert second.parent == first.id
    assert sorted(texts(store).values()) == [
        "Install it with apt.",
        "New.",
        "Then start the service.",
    ]
    assert store.rollback() == first
    assert "Refunds take five days." in texts(store).values()
    third = build(store, embedder, [document("new.md", "Newer.")])
    assert [release.id for release in store.releases()] == [third.id, first.id]


def test_a_replica_with_a_home_of_its_own_answers_from_both_indexes(
    store: ReleaseStore, embedder: HashEmbedder, server: ChromaProcess, tmp_path: Path
) -> None:
    build(store, embedder, [INSTALL, document("secret.md", "Refunds: ask Ann.", audiences=[STAFF])])
    replica = ReleaseStore(tmp_path / "replica", server.url)
    retriever = Retriever(replica, embedder)
    found = retriever.retrieve("start the service", Scope())
    assert found.hits[0].chunk == INSTALL[1][1]
    assert found.hits[0].keyword_score
    assert retriever.retrieve("refunds ann", Scope()).chunks != ()
    assert {c.document_id for c in retriever.retrieve("refunds ann", Scope()).chunks} == {
        "install.md"
    }
    release = build(store, embedder, [REFUND])
    deadline = monotonic() + 5
    while retriever.retrieve("refunds", Scope()).release != release.id:
        assert monotonic() < deadline
    retriever.close()
    replica.close()


def test_passages_that_the_index_does_not_reach_are_listed_and_found(
    store: ReleaseStore, server: ChromaProcess, tmp_path: Path
) -> None:
    embedder = HashEmbedder(384)
    alike = document("terms.md", *["All rights are reserved."] * 740)
    chance = random.Random(1)
    pages = [
        document(f"m{i}.md", " ".join(f"w{chance.randrange(2_000)}" for _ in range(30)))
        for i in range(300)
    ]
    build(store, embedder, [alike, *pages])
    replica = ReleaseStore(tmp_path / "replica", server.url)
    with replica.open() as opened:
        # Among so many equal texts the last bit of a vector decides which way a search takes.
        for id_, vector in opened.vectors.vectors([chunk.id for _, [chunk] in pages]).items():
            assert opened.vectors.query(vector, Scope(), 1)[0][0] == id_
    replica.close()


def test_a_damaged_local_keyword_index_is_built_anew(
    store: ReleaseStore, embedder: HashEmbedder
) -> None:
    release = build(store, embedder, [INSTALL])
    folder = store._home / "keywords" / release.id
    (folder / "meta.json").write_bytes(b"")
    assert len(texts(store)) == 2
    shutil.rmtree(folder)
    assert len(texts(store)) == 2


def test_old_releases_and_what_killed_writers_left_are_removed(
    store: ReleaseStore, embedder: HashEmbedder, server: ChromaProcess
) -> None:
    chroma = ChromaServer(server.url, 30)
    chroma.create("release-20260101T000000-aaaaaa")
    chroma.create("somebody-elses")
    for turn in range(KEPT_RELEASES + 1):
        build(store, embedder, [document("p.md", f"turn {turn}")])
    kept = {f"release-{release.id}" for release in store.releases()}
    assert len(kept) == KEPT_RELEASES
    assert others_than_leases(chroma) == {*kept, "supportbot-releases", "somebody-elses"}
    chroma.close()


def test_a_builder_that_is_left_early_leaves_nothing(
    store: ReleaseStore, embedder: HashEmbedder, server: ChromaProcess
) -> None:
    release = build(store, embedder, [INSTALL])
    with store.lock(), store.begin(embedder=embedder, chunker="1", sources=[]) as builder:
        builder.put(*REFUND)
    chroma = ChromaServer(server.url, 30)
    assert others_than_leases(chroma) == {f"release-{release.id}", "supportbot-releases"}
    chroma.close()


def test_a_vanished_collection_is_damage_that_the_next_build_mends(
    store: ReleaseStore, embedder: HashEmbedder, server: ChromaProcess
) -> None:
    release = build(store, embedder, [INSTALL])
    chroma = ChromaServer(server.url, 30)
    chroma.delete(f"release-{release.id}")
    chroma.close()
    with pytest.raises(StoreDamaged, match="sync"):
        store.open()
    assert build(store, embedder, [INSTALL], is_empty=True).parent is None
    assert len(texts(store)) == 2


def test_a_server_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path / "home", ChromaProcess(tmp_path / "never").url)
    for call in (store.current, store.open, store.releases):
        with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1"):
            call()


def test_a_silent_or_dead_server_fails_in_five_seconds_and_recovers_by_itself(
    embedder: HashEmbedder, tmp_path: Path
) -> None:
    process = ChromaProcess(tmp_path / "chroma")
    process.start()
    store = ReleaseStore(tmp_path / "home", process.url)
    retriever = Retriever(store, embedder)
    try:
        build(store, embedder, [INSTALL])
        assert retriever.retrieve("service", Scope()).hits
        for stop, resume in ((process.freeze, process.thaw), (process.kill, process.start)):
            stop()
            began = monotonic()
            with pytest.raises(StoreUnavailable):
                retriever.retrieve("service", Scope())
            assert monotonic() - began < 5
            resume()
            assert retriever.retrieve("service", Scope()).hits
    finally:
        retriever.close()
        store.close()
        process.kill()
