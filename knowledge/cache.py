"""Vectors that were computed before, so that no text is embedded twice."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from knowledge.documents import content_hash
from knowledge.embedder import Embedder
from knowledge.errors import StoreUnavailable

log = logging.getLogger(__name__)

KEPT_DAYS = 90
_DAY = 86_400
_BATCH = 500
_EMBEDDED = 256  # texts after which their vectors are kept, whatever happens next
_COLUMNS = ["fingerprint", "text_hash", "vector", "used_on"]
_SCHEMA = """
CREATE TABLE IF NOT EXISTS embeddings (
    fingerprint TEXT NOT NULL,
    text_hash TEXT NOT NULL,
    vector BLOB NOT NULL,
    used_on INTEGER NOT NULL,
    PRIMARY KEY (fingerprint, text_hash)
)
"""


class EmbeddingCache:
    """Vectors by embedder fingerprint and text hash, in one SQLite file.

    It holds no text. A damaged file is set aside and begun anew: all that is lost is time. One
    process at a time may write.

    Args:
        path: the file; made where it is missing.

    Raises:
        StoreUnavailable: the file cannot be opened or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with _translated(path):
            try:
                self._database = _connect(path)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                self._database = _begin_anew(path, error)

    def __enter__(self) -> EmbeddingCache:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def get(
        self, fingerprint: str, dimension: int, text_hashes: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Return the vectors that are known, by text hash."""
        found: dict[str, NDArray[np.float32]] = {}
        for at in range(0, len(text_hashes), _BATCH):
            batch = text_hashes[at : at + _BATCH]
            for text_hash, data in self._rows(fingerprint, batch):
                if len(data) == 4 * dimension:
                    found[text_hash] = np.frombuffer(data, dtype="<f4").astype(np.float32)
        return found

    def put(self, fingerprint: str, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Keep vectors, by text hash."""
        rows = [
            (fingerprint, text_hash, vector.astype("<f4").tobytes(), _today())
            for text_hash, vector in vectors.items()
        ]
        with _translated(self._path), self._database:
            self._database.executemany("REPLACE INTO embeddings VALUES (?, ?, ?, ?)", rows)

    def prune(self) -> None:
        """Forget the vectors that nobody asked for in the last `KEPT_DAYS`."""
        with _translated(self._path), self._database:
            self._database.execute(
                "DELETE FROM embeddings WHERE used_on < ?", (_today() - KEPT_DAYS,)
            )

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _rows(self, fingerprint: str, text_hashes: Sequence[str]) -> list[tuple[str, bytes]]:
        marks = ", ".join("?" * len(text_hashes))
        where = f"fingerprint = ? AND text_hash IN ({marks})"
        key = (fingerprint, *text_hashes)
        with _translated(self._path), self._database:
            self._database.execute(
                f"UPDATE embeddings SET used_on = ? WHERE {where} AND used_on < ?",  # noqa: S608
                (_today(), *key, _today()),
            )
            select = f"SELECT text_hash, vector FROM embeddings WHERE {where}"  # noqa: S608
            return self._database.execute(select, key).fetchall()


def known_texts(path: Path, fingerprint: str, text_hashes: Sequence[str]) -> set[str]:
    """Return those text hashes whose vectors a cache has, and write nothing.

    A cache that is missing or cannot be read has none.
    """
    found: set[str] = set()
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error:
        return found
    with closing(database):
        for at in range(0, len(text_hashes), _BATCH):
            batch = text_hashes[at : at + _BATCH]
            marks = ", ".join("?" * len(batch))
            select = (
                "SELECT text_hash FROM embeddings WHERE fingerprint = ?"  # noqa: S608
                f" AND text_hash IN ({marks})"
            )
            try:
                found |= {row[0] for row in database.execute(select, (fingerprint, *batch))}
            except sqlite3.Error:
                return set()
    return found


class CachedEmbedder:
    """An embedder that is asked for every text once.

    Attributes:
        embedder: the one that is asked.
        embedded: how many texts it was asked for.
    """

    def __init__(self, embedder: Embedder, cache: EmbeddingCache) -> None:
        self.embedder = embedder
        self.embedded = 0
        self._cache = cache

    def embed(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """Return the vectors of texts.

        Raises:
            ValueError: the embedder gave a vector that cannot be searched.
        """
        hashes = [content_hash(text) for text in texts]
        fingerprint, dimension = self.embedder.fingerprint, self.embedder.dimension
        known = self._cache.get(fingerprint, dimension, sorted(set(hashes)))
        unknown = {key: text for key, text in zip(hashes, texts, strict=True) if key not in known}
        keys = list(unknown)
        for at in range(0, len(keys), _EMBEDDED):
            batch = keys[at : at + _EMBEDDED]
            vectors = self.embedder.embed_documents([unknown[key] for key in batch])
            _check_vectors(vectors, (len(batch), dimension))
            fresh = dict(zip(batch, np.asarray(vectors, dtype=np.float32), strict=True))
            self._cache.put(fingerprint, fresh)
            self.embedded += len(batch)
            known |= fresh
        return [known[key] for key in hashes]


def _check_vectors(vectors: NDArray[np.float32], shape: tuple[int, int]) -> None:
    if np.shape(vectors) != shape:
        raise ValueError(
            f"the embedder gave vectors of shape {np.shape(vectors)} instead of {shape}"
        )
    if not np.isfinite(vectors).all() or not np.any(vectors, axis=1).all():
        raise ValueError(
            "the embedder gave vectors of length zero, or with values that are no numbers"
        )


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(path, timeout=30, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the last vectors
        database.execute(_SCHEMA)
        columns = [row[1] for row in database.execute("PRAGMA table_info(embeddings)")]
        [(verdict,)] = database.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok" or columns != _COLUMNS:
            raise sqlite3.DatabaseError(verdict if columns == _COLUMNS else f"columns {columns}")
    except BaseException:
        database.close()
        raise
    return database


def _begin_anew(path: Path, error: sqlite3.DatabaseError) -> sqlite3.Connection:
    aside = path.with_name(f"{path.name}.damaged-{int(time.time())}")
    path.replace(aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    log.warning(
        "%s is damaged (%s): it was set aside as %s, and texts are embedded anew",
        path,
        error,
        aside.name,
    )
    return _connect(path)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.DatabaseError, OSError) as error:
        raise StoreUnavailable(
            f"{path} cannot be used ({error}); free or mend the disk, or remove this file: it only"
            " saves time"
        ) from error


def _today() -> int:
    return int(time.time()) // _DAY
