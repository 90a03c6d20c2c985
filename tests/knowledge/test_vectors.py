from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowledge.documents import STAFF, Chunk, Scope
from knowledge.errors import StoreDamaged
from knowledge.vectors import ChromaVectors, create_vectors, edit_vectors, open_vectors, seal

RNG = np.random.default_rng(7)


def chunk(name: str, text: str = "text", *audiences: str) -> Chunk:
    labels = frozenset(audiences or {"public"})
    return Chunk(name, "doc.md", "Doc", "doc.md", (), text, 0, labels)


def directions(count: int, dimension: int = 16) -> np.ndarray:
    vectors = RNG.normal(size=(count, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def sealed(folder: Path, chunks: list[Chunk], vectors: np.ndarray) -> Path:
    with closing(create_vectors(folder)) as store:
        store.add(chunks, vectors)
    seal(folder)
    return folder


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One passage for a customer behind 10,000 nearer ones that are not for him."""
    ahead = np.zeros(64, dtype=np.float32)
    ahead[0] = 1
    near = ahead + 0.1 * directions(10_000, 64)
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    chunks = [chunk(f"c{i}", "hidden", STAFF) for i in range(10_000)]
    far = directions(1, 64)
    folder = tmp_path_factory.mktemp("crowd") / "chroma"
    yield sealed(
        folder, [*chunks, chunk("allowed", "shown", "customer")], np.concatenate([near, far])
    )
    shutil.rmtree(folder)


def test_one_allowed_passage_is_first_behind_ten_thousand_nearer_forbidden_ones(
    crowd: Path,
) -> None:
    question = np.zeros(64, dtype=np.float32)
    question[0] = 1
    sets = [frozenset({STAFF}), frozenset({"customer"})]
    with closing(open_vectors(crowd, sets)) as store:
        found = store.query(question, Scope.of("customer"), 8)
        assert [id_ for id_, _ in found] == ["allowed"]
        assert len(store.query(question, Scope.of(STAFF), 8)) == 8


TEXT = st.text(max_size=200)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromaVectors]:
    with closing(create_vectors(tmp_path_factory.mktemp("shared") / "chroma")) as store:
        yield store


@given(
    chunk_=st.builds(
        Chunk,
        id=st.just("c"),
        document_id=TEXT,
        title=TEXT,
        uri=TEXT,
        heading_path=st.lists(TEXT, max_size=4).map(tuple),
        text=TEXT,
        ordinal=st.integers(0, 2**31),
        audiences=st.frozensets(st.text(min_size=1, max_size=20), min_size=1, max_size=4),
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_passage_comes_back_exactly_as_it_went_in(shared: ChromaVectors, chunk_: Chunk) -> None:
    shared.remove(["c"])
    shared.add([chunk_], directions(1))
    assert shared.get(["c"]) == {"c": chunk_}


def test_more_passages_than_one_call_takes_are_added_read_and_removed(tmp_path: Path) -> None:
    chunks = [chunk(f"c{i}", f"text {i}") for i in range(4_500)]
    vectors = directions(4_500)
    with closing(create_vectors(tmp_path / "chroma")) as store:
        store.add(chunks, vectors)
        ids = [c.id for c in chunks]
        assert store.ids() == set(ids)
        assert store.get(ids) == {c.id: c for c in chunks}
        assert store.vectors(ids)["c4321"] == pytest.approx(vectors[4321])
        store.remove(ids[:4_400])
        assert store.count() == 100


def test_reading_a_sealed_store_changes_no_byte_of_it(tmp_path: Path) -> None:
    vectors = directions(50)
    folder = sealed(tmp_path / "chroma", [chunk(f"c{i}") for i in range(50)], vectors)
    before = digests(folder)
    for _ in range(3):
        with closing(open_vectors(folder)) as store:
            store.query(vectors[0], Scope(), 5)
            store.get(["c1"])
    assert digests(folder) == before


def test_a_text_stands_once_in_the_bytes_of_a_sealed_store(tmp_path: Path) -> None:
    chunks = [chunk(f"c{i}", f"canary-{i:04} " * 30) for i in range(200)]
    folder = sealed(tmp_path / "chroma", chunks, directions(200))
    data = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert data.count(b"canary-0007") == 30


def test_removed_texts_are_in_no_byte_of_a_sealed_store(tmp_path: Path) -> None:
    folder, copy = tmp_path / "chroma", tmp_path / "copy"
    chunks = [chunk(f"c{i}", f"canary-{i:04} " * 30) for i in range(200)]
    vectors = directions(200)
    sealed(folder, chunks, vectors)
    shutil.copytree(folder, copy)
    with closing(edit_vectors(copy)) as store:
        store.remove(["c7", "c8"])
        store.add([chunk("c8", "canary-new")], vectors[8:9])
        store.remove(["c9"])
    seal(copy)
    data = b"".join(path.read_bytes() for path in copy.rglob("*") if path.is_file())
    assert [b"canary-%04d" % i in data for i in (6, 7, 8, 9, 10)] == [
        True,
        False,
        False,
        False,
        True,
    ]
    with closing(open_vectors(copy)) as store:
        assert store.ids() == {c.id for c in chunks} - {"c7", "c9"}
        assert store.unreachable(sorted(store.ids())) == []


READ_AND_REPORT = """
import os, sys, tempfile
from contextlib import closing
from pathlib import Path
from knowledge.vectors import open_vectors

tempfile.tempdir = sys.argv[2]
open_vectors(Path(sys.argv[1])).close()
if os.geteuid() == 0:
    os.setuid(65534)  # root may write everywhere
with closing(open_vectors(Path(sys.argv[1]))) as store:
    print(store.get(["c"])["c"].text, len(os.listdir(sys.argv[2])))
print(len(os.listdir(sys.argv[2])))
"""


def test_a_read_only_folder_is_read_through_a_copy_that_is_removed() -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        folder = sealed(root / "chroma", [chunk("c", "hello")], directions(1))
        (root / "copies").mkdir()
        for path in (root, root / "copies"):
            path.chmod(0o777)
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o555)
        child = subprocess.run(
            [sys.executable, "-c", READ_AND_REPORT, folder, root / "copies"],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert (child.stdout.split(), child.stderr) == (["hello", "1", "0"], "")
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def zero(path: Path) -> None:
    path.write_bytes(b"\0" * path.stat().st_size)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(byte ^ 0xFF for byte in data[middle : middle + 40])
    path.write_bytes(data)


@pytest.mark.parametrize("harm", [truncate, zero, flip, Path.unlink])
@pytest.mark.parametrize(
    "name", ["chroma.sqlite3", "data_level0.bin", "index_metadata.pickle", "seal.json"]
)
def test_a_changed_file_is_named_before_it_is_opened(
    tmp_path: Path, name: str, harm: Callable[[Path], None]
) -> None:
    folder = sealed(tmp_path / "chroma", [chunk(f"c{i}") for i in range(20)], directions(20))
    harm(next(folder.rglob(name)))
    with pytest.raises(StoreDamaged, match=name):
        open_vectors(folder)


def test_a_missing_store_is_damage_and_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreDamaged):
        open_vectors(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_fifty_openings_leave_no_open_files(tmp_path: Path) -> None:
    folder = sealed(tmp_path / "chroma", [chunk("c")], directions(1))

    def of_folder() -> list[str]:
        paths = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
        return [path for path in paths if str(folder) in path]

    for _ in range(50):
        with closing(open_vectors(folder)) as store:
            store.query(directions(1)[0], Scope(), 5)
    assert len(of_folder()) <= 8


def test_one_folder_is_opened_and_closed_by_many_threads(tmp_path: Path) -> None:
    vectors = directions(20)
    folder = sealed(tmp_path / "chroma", [chunk(f"c{i}") for i in range(20)], vectors)

    def search(at: int) -> str:
        with closing(open_vectors(folder)) as store:
            return store.query(vectors[at % 20], Scope(), 1)[0][0]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(search, range(60))) == [f"c{i % 20}" for i in range(60)]


def test_a_copied_store_shares_nothing_with_its_origin(tmp_path: Path) -> None:
    folder = sealed(tmp_path / "a", [chunk("c")], directions(1))
    with closing(open_vectors(folder)) as origin:
        shutil.copytree(folder, tmp_path / "b")
        with closing(edit_vectors(tmp_path / "b")) as copy:
            copy.remove(["c"])
            copy.add([chunk("d")], directions(1))
            assert (origin.ids(), copy.ids()) == ({"c"}, {"d"})
