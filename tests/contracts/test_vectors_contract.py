"""What every VectorStore keeps, in memory and in Chroma."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from numpy.typing import NDArray

from knowledge.documents import STAFF, Chunk, Scope
from knowledge.vectors import ChromaServer, VectorStore, create_vectors
from tests.fakes import MemoryVectors
from tests.servers.chroma import ChromaProcess


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromaServer]:
    process = ChromaProcess(tmp_path_factory.mktemp("chroma"))
    process.start()
    server = ChromaServer(process.url, 30)
    yield server
    server.close()
    process.kill()


@pytest.fixture(params=["memory", "folder", "server"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorStore]:
    opened: VectorStore = MemoryVectors()
    if request.param == "folder":
        opened = create_vectors(tmp_path / "chroma")
    if request.param == "server":
        opened = request.getfixturevalue("server").create(f"test-{uuid4()}")
    yield opened
    opened.close()


def chunk(name: str, *audiences: str) -> Chunk:
    return Chunk(
        id=name,
        document_id=f"{name}.md",
        title="Título 🎉",
        uri=f"https://example.com/{name}",
        heading_path=("Install", "Debian › 12"),
        text=f"The text\nof {name}.",
        ordinal=3,
        audiences=frozenset(audiences),
    )


def direction(*values: float) -> NDArray[np.float32]:
    vector = np.array([*values, *[0.0] * (4 - len(values))], dtype=np.float32)
    return vector / np.linalg.norm(vector)


def test_the_nearest_come_first_with_their_cosines(store: VectorStore) -> None:
    near, far = chunk("near", "public"), chunk("far", "public")
    store.add([far, near], np.stack([direction(1, 1), direction(1, 0.1)]))
    hits = store.query(direction(1), Scope(), 5)
    assert [id_ for id_, _ in hits] == ["near", "far"]
    assert [cosine for _, cosine in hits] == pytest.approx([0.995, 0.707], abs=1e-3)


def test_no_more_than_the_limit_come_back(store: VectorStore) -> None:
    chunks = [chunk(f"c{i}", "public") for i in range(10)]
    store.add(chunks, np.stack([direction(1, i) for i in range(10)]))
    assert len(store.query(direction(1), Scope(), 3)) == 3
    assert store.query(direction(1), Scope(), 0) == []


def test_an_empty_store_finds_nothing(store: VectorStore) -> None:
    assert store.count() == 0
    assert store.ids() == set()
    assert store.query(direction(1), Scope(), 5) == []
    assert store.get(["c"]) == {}
    assert store.vectors(["c"]) == {}


def test_what_another_audience_may_see_takes_no_place(store: VectorStore) -> None:
    secrets = [chunk(f"s{i}", "customer-a", STAFF) for i in range(50)]
    store.add(secrets, np.stack([direction(1, i / 1000) for i in range(50)]))
    store.add([chunk("ours", "customer-b")], direction(0, 1)[None])
    hits = store.query(direction(1), Scope.of("customer-b"), 5)
    assert [id_ for id_, _ in hits] == ["ours"]


def test_any_shared_audience_opens_a_passage(store: VectorStore) -> None:
    store.add([chunk("c", "customer-a", "customer-b")], direction(1)[None])
    for audience in ("customer-a", "customer-b"):
        assert store.query(direction(1), Scope(frozenset({"public", audience})), 5)
    assert store.query(direction(1), Scope(), 5) == []


def test_audience_names_are_compared_whole(store: VectorStore) -> None:
    store.add([chunk("c", "customer-10")], direction(1)[None])
    assert store.query(direction(1), Scope.of("customer-1"), 5) == []
    assert store.query(direction(1), Scope.of("CUSTOMER-10"), 5) == []


def test_a_passage_without_an_audience_is_for_staff_only(store: VectorStore) -> None:
    store.add([chunk("lost")], direction(1)[None])
    assert store.query(direction(1), Scope(), 5) == []
    assert [id_ for id_, _ in store.query(direction(1), Scope.of(STAFF), 5)] == ["lost"]


def test_a_scope_without_audiences_sees_nothing(store: VectorStore) -> None:
    store.add([chunk("c", "public"), chunk("lost")], np.stack([direction(1), direction(1)]))
    for nobody in (frozenset(), frozenset({""})):
        assert store.query(direction(1), Scope(nobody), 5) == []


def test_removed_passages_are_gone_and_unknown_ones_are_passed_over(store: VectorStore) -> None:
    chunks = [chunk("a", "public"), chunk("b", "public")]
    store.add(chunks, np.stack([direction(1), direction(0, 1)]))
    store.remove(["a", "unknown"])
    assert store.ids() == {"b"}
    assert store.count() == 1
    assert store.get(["a", "b"]) == {"b": chunks[1]}
    assert [id_ for id_, _ in store.query(direction(1), Scope(), 5)] == ["b"]


def test_a_removed_passage_can_come_back_with_other_labels(store: VectorStore) -> None:
    store.add([chunk("c", "public", "customer-a")], direction(1)[None])
    store.remove(["c"])
    store.add([chunk("c", STAFF)], direction(0, 1)[None])
    assert store.query(direction(1), Scope.of("customer-a"), 5) == []
    assert store.get(["c"])["c"].audiences == {STAFF}
    assert store.vectors(["c"])["c"] == pytest.approx(direction(0, 1))


def test_every_passage_is_found_by_its_own_vector(store: VectorStore) -> None:
    rng = np.random.default_rng(0)
    chunks = [chunk(f"c{i}", "public") for i in range(300)]
    vectors = rng.normal(size=(300, 8)).astype(np.float32)
    vectors[100:120] = vectors[0]  # many copies of one text
    store.add(chunks, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    assert store.unreachable([c.id for c in chunks]) == []
    assert store.unreachable(["c1", "unknown"]) == ["unknown"]


@pytest.fixture
def boilerplate(store: VectorStore) -> tuple[VectorStore, NDArray[np.float32]]:
    """740 equal passages and 300 others, those that the index does not reach searched exactly."""
    rng = np.random.default_rng(0)
    vectors = np.vstack([np.repeat(rng.normal(size=(1, 384)), 740, 0), rng.normal(size=(300, 384))])
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    chunks = [chunk(f"c{i}", STAFF if i % 2 else "public") for i in range(len(vectors))]
    store.add(chunks, vectors)
    store.search_exactly(store.unreachable([c.id for c in chunks]))
    return store, vectors


def test_every_passage_beside_boilerplate_is_found_by_its_own_vector(
    boilerplate: tuple[VectorStore, NDArray[np.float32]],
) -> None:
    store, vectors = boilerplate
    assert store.unreachable([f"c{i}" for i in range(len(vectors))]) == []
    for i in range(740, len(vectors)):
        best, cosine = store.query(vectors[i], Scope.of(STAFF), 1)[0]
        assert (best, cosine) == (f"c{i}", pytest.approx(1, abs=1e-4))
    found = store.query(vectors[0], Scope.of(STAFF), 50)
    assert len({id_ for id_, _ in found}) == 50
    assert all(cosine == pytest.approx(1, abs=1e-4) for _, cosine in found)


def test_what_is_searched_exactly_is_searched_within_the_scope_and_the_limit(
    store: VectorStore,
) -> None:
    chunks = [chunk("a", "public"), chunk("b", STAFF), chunk("c", "public"), chunk("d", "public")]
    store.add(chunks, np.stack([direction(1, i) for i in range(4)]))
    store.search_exactly(["b", "c", "unknown"])
    found = store.query(direction(1), Scope(), 2)
    assert [id_ for id_, _ in found] == ["a", "c"]
    assert [cosine for _, cosine in found] == pytest.approx([1, 0.447], abs=1e-3)
    assert [id_ for id_, _ in store.query(direction(1), Scope.of(STAFF), 9)] == list("abcd")
    assert store.query(direction(1), Scope(frozenset()), 2) == []
    store.search_exactly([])
    assert [id_ for id_, _ in store.query(direction(1), Scope(), 9)] == list("acd")
