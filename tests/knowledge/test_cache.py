from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from knowledge.cache import KEPT_DAYS, CachedEmbedder, EmbeddingCache
from knowledge.errors import StoreUnavailable
from tests.fakes import HashEmbedder


def vector(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def test_what_was_kept_comes_back_exactly(tmp_path: Path) -> None:
    kept = {"a": vector(0.1, 0.2), "b": vector(-1, 1e-20)}
    with EmbeddingCache(tmp_path / "cache") as cache:
        cache.put("model", kept)
    with EmbeddingCache(tmp_path / "cache") as cache:
        found = cache.get("model", 2, ["a", "b", "unknown"])
        assert found.keys() == kept.keys()
        assert all(np.array_equal(found[key], kept[key]) for key in kept)


def test_another_model_or_length_finds_nothing(tmp_path: Path) -> None:
    with EmbeddingCache(tmp_path / "cache") as cache:
        cache.put("model", {"a": vector(1, 2)})
        assert cache.get("other", 2, ["a"]) == {}
        assert cache.get("model", 3, ["a"]) == {}


def test_more_texts_than_one_statement_takes_are_found(tmp_path: Path) -> None:
    keys = [f"k{i}" for i in range(1_300)]
    with EmbeddingCache(tmp_path / "cache") as cache:
        cache.put("model", {key: vector(1) for key in keys})
        assert cache.get("model", 1, keys).keys() == set(keys)


def test_what_nobody_asked_for_long_enough_is_forgotten(tmp_path: Path) -> None:
    with EmbeddingCache(tmp_path / "cache") as cache:
        cache.put("model", {"asked": vector(1), "forgotten": vector(2)})
    with closing(sqlite3.connect(tmp_path / "cache")) as database, database:
        database.execute("UPDATE embeddings SET used_on = used_on - ?", (KEPT_DAYS + 1,))
    with EmbeddingCache(tmp_path / "cache") as cache:
        cache.get("model", 1, ["asked"])
        cache.prune()
        assert cache.get("model", 1, ["asked", "forgotten"]).keys() == {"asked"}


def zero(path: Path) -> None:
    path.write_bytes(b"\0" * path.stat().st_size)


def overwrite_the_middle(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xff" * 4096 + data[8192:])


def other_columns(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE embeddings (text TEXT)")


@pytest.mark.parametrize("harm", [zero, overwrite_the_middle, other_columns])
def test_a_damaged_file_is_set_aside_and_begun_anew(
    tmp_path: Path, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "cache"
    with EmbeddingCache(path) as cache:
        cache.put("model", {f"k{i}": vector(*range(300)) for i in range(50)})
    harm(path)
    with caplog.at_level(logging.WARNING), EmbeddingCache(path) as cache:
        assert cache.get("model", 300, ["k0"]) == {}
        cache.put("model", {"a": vector(1)})
        assert cache.get("model", 1, ["a"])
    assert len(list(tmp_path.glob("cache.damaged-*"))) == 1
    assert str(path) in caplog.text


def test_a_file_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreUnavailable, match="cache"):
        EmbeddingCache(tmp_path / "file" / "cache")


def test_a_text_is_embedded_once(tmp_path: Path) -> None:
    embedder = HashEmbedder()
    with EmbeddingCache(tmp_path / "cache") as cache:
        first = CachedEmbedder(embedder, cache)
        vectors = first.embed(["one", "two", "one"])
        assert (first.embedded, embedder.embedded) == (2, ["one", "two"])
        again = CachedEmbedder(embedder, cache)
        assert np.array_equal(again.embed(["one", "two", "one"]), vectors)
        assert again.embedded == 0


def test_no_texts_are_no_vectors(tmp_path: Path) -> None:
    with EmbeddingCache(tmp_path / "cache") as cache:
        assert CachedEmbedder(HashEmbedder(), cache).embed([]) == []


class BrokenEmbedder(HashEmbedder):
    def __init__(self, given: np.ndarray) -> None:
        super().__init__(dimension=2)
        self.given = given

    def embed_documents(self, texts: object) -> np.ndarray:
        return self.given


@pytest.mark.parametrize(
    "given", [[[np.nan, 1]], [[np.inf, 1]], [[0, 0]], [[1, 2, 3]], [[1, 2], [3, 4]], []]
)
def test_an_unusable_vector_is_refused_and_not_kept(tmp_path: Path, given: list[float]) -> None:
    embedder = BrokenEmbedder(np.array(given, dtype=np.float32))
    with EmbeddingCache(tmp_path / "cache") as cache:
        with pytest.raises(ValueError, match="vectors"):
            CachedEmbedder(embedder, cache).embed(["text"])
        good = CachedEmbedder(HashEmbedder(dimension=2), cache)
        good.embedder.fingerprint = embedder.fingerprint
        good.embed(["text"])
        assert good.embedded == 1
