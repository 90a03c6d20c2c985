"""The vectors of a release, in Chroma. The only importer of chromadb.

What Chroma 1.5.9 does by itself, and what is done about it here: a collection's space is `l2` and
its embedding function fetches a model from the network (both are set); the HNSW index is written
to disk every thousand records only (every call writes it, so readers never replay a log); of
`documents` it keeps a trigram index, which nobody asks here and which holds on to deleted texts
(the text is a label among others: half the size, and a third faster to add); of labels that are
texts it keeps an index with all of each (a folder's is dropped: half the size, and a quarter faster
to add; a filter by such a label would read every one, and there is none); texts that were
deleted stay in the bytes of its SQLite file, and each opening writes a row into it (`seal` ends
both); a truncated index ends the process with a segmentation fault (the seal's checksums are
looked at first).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from knowledge.documents import STAFF, Chunk, Scope
from knowledge.errors import StoreDamaged, StoreUnavailable

COLLECTION = "chunks"
# Links a vector in the graph (M of HNSW, doi 10.1109/TPAMI.2018.2889473). Of 2,100 texts that were
# nearly alike, Chroma's 16 left up to 35 out of reach, 32 none. No number of them reaches all
# among thousands of equal texts: 64 take minutes there, and `search_exactly` does.
_NEIGHBOURS = 32
_DATABASE = "chroma.sqlite3"
_SEAL = "seal.json"
_BATCH = 1000  # records a call: Chroma takes 5,461 in a write, its server 40 MiB in a request
_IDS = 10_000  # ids a call; each page is counted off from the first id
_AT_ONCE = 4  # batches that are looked for; a server may have fewer processors than this machine
_NEAREST = 5
_SAME = 1e-3  # cosine distance under which two vectors are one text's
_SEALING = """
UPDATE embeddings_queue SET metadata = NULL, vector = NULL;
DELETE FROM embeddings_queue WHERE seq_id < (SELECT min(seq_id) FROM max_seq_id);
CREATE TRIGGER IF NOT EXISTS released BEFORE INSERT ON acquire_write
    BEGIN SELECT RAISE(IGNORE); END;
VACUUM;
"""

T = TypeVar("T")
AudienceSets = Collection[frozenset[str]]

# Chroma counts the openings of a folder in this process, without a lock of its own.
_opening = threading.Lock()


class VectorStore(Protocol):
    """The vectors and texts of one release."""

    def add(self, chunks: Sequence[Chunk], vectors: NDArray[np.float32]) -> None:
        """Add chunks whose ids are not in the store, with their L2-normalised vectors."""

    def remove(self, chunk_ids: Sequence[str]) -> None:
        """Remove chunks; unknown ids are passed over."""

    def query(
        self, vector: NDArray[np.float32], scope: Scope, limit: int
    ) -> list[tuple[str, float]]:
        """Return the ids of the chunks nearest to a vector, with cosines, best first.

        Those alone that the scope allows.
        """

    def get(self, chunk_ids: Sequence[str]) -> dict[str, Chunk]:
        """Return those of the chunks that exist, by id."""

    def vectors(self, chunk_ids: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Return the vectors of those of the chunks that exist, by id."""

    def ids(self) -> set[str]:
        """Return the id of every chunk."""

    def unreachable(self, chunk_ids: Sequence[str]) -> list[str]:
        """Return those of the ids that a search with their own vector does not find."""

    def search_exactly(self, chunk_ids: Sequence[str]) -> None:
        """Hold these chunks in memory and compare every query with each; unknown ones are skipped.

        For a store that is only read from now on. It replaces what was given before.
        """

    def count(self) -> int:
        """Return how many chunks there are."""

    def close(self) -> None:
        """Let go of files and connections."""


class ChromaVectors:
    """One Chroma collection as a `VectorStore`; any number of threads may read."""

    def __init__(
        self,
        collection: Any,
        where: str,
        close: Callable[[], None],
        audience_sets: AudienceSets | None = None,
    ) -> None:
        self._collection = collection
        self._where = where  # for error messages
        self._close = close
        self._audience_sets = audience_sets
        self._beside: list[Chunk] = []  # are searched exactly, by these vectors
        self._beside_vectors = np.empty((0, 0), dtype=np.float32)

    def add(self, chunks: Sequence[Chunk], vectors: NDArray[np.float32]) -> None:
        """Add chunks whose ids are not in the store, with their L2-normalised vectors."""
        with _translated(self._where):
            for batch in _batches(range(len(chunks))):
                some = [chunks[i] for i in batch]
                self._collection.add(
                    ids=[chunk.id for chunk in some],
                    embeddings=vectors[batch.start : batch.stop],
                    metadatas=[_metadata(chunk) for chunk in some],
                )

    def remove(self, chunk_ids: Sequence[str]) -> None:
        """Remove chunks; unknown ids are passed over."""
        with _translated(self._where):
            for batch in _batches(chunk_ids):
                self._collection.delete(ids=list(batch))

    def query(
        self, vector: NDArray[np.float32], scope: Scope, limit: int
    ) -> list[tuple[str, float]]:
        """Return the ids of the chunks nearest to a vector, with cosines, best first.

        Those alone that the scope allows. Chroma takes 2 ms for 200 ids, and 10 for their labels.
        """
        if not any(scope.audiences) or limit < 1:
            return []
        with _translated(self._where):
            found = self._collection.query(
                query_embeddings=[vector],
                n_results=limit,
                where=self._filter(scope),
                include=["distances"],
            )
        rows = zip(found["ids"][0], found["distances"][0], strict=True)
        hits = [(str(id_), 1.0 - float(distance)) for id_, distance in rows]
        return self._with_beside(hits, vector, scope, limit) if self._beside else hits

    def _with_beside(
        self,
        hits: list[tuple[str, float]],
        vector: NDArray[np.float32],
        scope: Scope,
        limit: int,
    ) -> list[tuple[str, float]]:
        """Return the best of what the index found and of what is searched exactly."""
        cosines = self._beside_vectors @ vector
        nearest = ((self._beside[at], float(cosines[at])) for at in np.argsort(-cosines))
        allowed = ((one.id, cosine) for one, cosine in nearest if scope.allows(one.audiences))
        both = dict([*hits, *islice(allowed, limit)])
        return sorted(both.items(), key=lambda hit: -hit[1])[:limit]

    def get(self, chunk_ids: Sequence[str]) -> dict[str, Chunk]:
        """Return those of the chunks that exist, by id."""
        chunks: dict[str, Chunk] = {}
        for batch in _batches(chunk_ids):
            found = self._get(ids=list(batch), include=["metadatas"])
            for row in zip(found["ids"], found["metadatas"], strict=True):
                chunks[row[0]] = self._chunk(*row)
        return chunks

    def vectors(self, chunk_ids: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Return the vectors of those of the chunks that exist, by id."""
        vectors: dict[str, NDArray[np.float32]] = {}
        for batch in _batches(chunk_ids):
            found = self._get(ids=list(batch), include=["embeddings"])
            rows = np.asarray(found["embeddings"], dtype=np.float32)
            vectors.update(zip(found["ids"], rows, strict=True))
        return vectors

    def ids(self) -> set[str]:
        """Return the id of every chunk."""
        pages = (self._get(limit=_IDS, offset=at) for at in range(0, self.count(), _IDS))
        return {chunk_id for page in pages for chunk_id in page["ids"]}

    def unreachable(self, chunk_ids: Sequence[str]) -> list[str]:
        """Return those of the ids that a search with their own vector does not find.

        Found means among the best five, or five others are as near as the text itself would be.
        """
        beside = {chunk.id for chunk in self._beside}
        # A call searches with one vector after the other, so that it needs one processor.
        with ThreadPoolExecutor(min(_AT_ONCE, os.cpu_count() or 1)) as pool:
            found = pool.map(self._unreachable, _batches(chunk_ids))
            return [chunk_id for missed in found for chunk_id in missed if chunk_id not in beside]

    def _unreachable(self, chunk_ids: Sequence[str]) -> list[str]:
        own = self.vectors(chunk_ids)
        lost = [chunk_id for chunk_id in chunk_ids if chunk_id not in own]
        return lost + self._not_nearest(own)

    def _not_nearest(self, own: dict[str, NDArray[np.float32]]) -> list[str]:
        if not own:
            return []
        with _translated(self._where):
            found = self._collection.query(
                query_embeddings=list(own.values()), n_results=_NEAREST, include=["distances"]
            )
        rows = zip(own, found["ids"], found["distances"], strict=True)
        return [
            chunk_id
            for chunk_id, ids, distances in rows
            if chunk_id not in ids and not (len(distances) == _NEAREST and max(distances) < _SAME)
        ]

    def search_exactly(self, chunk_ids: Sequence[str]) -> None:
        """Hold these chunks in memory and compare every query with each; unknown ones are skipped.

        For a store that is only read from now on. It replaces what was given before.
        """
        own = self.vectors(chunk_ids)
        chunks = self.get(list(own))
        self._beside_vectors = np.array([own[id_] for id_ in chunks], dtype=np.float32)
        self._beside = list(chunks.values())

    def count(self) -> int:
        """Return how many chunks there are."""
        with _translated(self._where):
            return int(self._collection.count())

    def close(self) -> None:
        """Let go of files and connections."""
        self._close()

    def _get(self, *, include: Sequence[str] = (), **what: Any) -> Any:
        with _translated(self._where):
            return self._collection.get(include=list(include), **what)

    def _filter(self, scope: Scope) -> dict[str, Any] | None:
        """Return Chroma's filter; none where the scope allows all that the release holds.

        A filter makes Chroma list every allowed id first: 25 ms instead of 5 at 10,000 chunks.
        """
        known = self._audience_sets
        if known is not None and all(scope.allows(audiences or {STAFF}) for audiences in known):
            return None
        allowed = [{"audiences": {"$contains": name}} for name in sorted(scope.audiences) if name]
        return allowed[0] if len(allowed) == 1 else {"$or": allowed}

    def _chunk(self, chunk_id: str, metadata: dict[str, Any] | None) -> Chunk:
        try:
            return _chunk(chunk_id, metadata or {})
        except (KeyError, TypeError, ValueError) as error:
            raise StoreDamaged(
                f"{self._where}: passage {chunk_id} has lost its text or its labels ({error!r});"
                " run `supportbot-ingest sync`, which builds the knowledge base anew"
            ) from error


class ChromaServer:
    """A Chroma server by its collections; unlike those of Chroma's own client, every call ends.

    Args:
        url: `http(s)://host:port`.
        seconds: how long the server may be silent in a call.

    Every method raises `StoreUnavailable` when the server cannot be reached.
    """

    def __init__(self, url: str, seconds: float) -> None:
        self.url = url.rstrip("/")
        self._seconds = seconds
        self._connected: Any = None
        self._connecting = threading.Lock()

    def names(self) -> list[str]:
        """Return the names of all collections."""
        with _translated(self.url):
            return [model.name for model in self._api().list_collections()]

    def create(self, name: str) -> ChromaVectors:
        """Create a collection."""
        with _translated(self.url):
            model = self._api().create_collection(name, configuration=_configuration())
            return self._vectors(model, None)

    def create_once(self, name: str, labels: Mapping[str, Any]) -> Any:
        """Create an empty collection with labels; of all who try, one gets its id, others None."""
        try:
            with _translated(self.url):
                return self._api().create_collection(name, metadata=dict(labels)).id
        except StoreUnavailable:
            if name in self.names():  # which Chroma says in words only
                return None
            raise

    def relabel(self, collection_id: Any, labels: Mapping[str, Any]) -> None:
        """Replace the labels of a collection.

        Raises:
            StoreDamaged: it is gone; one of the same name is another one.
        """
        with _translated(self.url):
            self._api()._modify(collection_id, new_metadata=dict(labels))

    def labels(self, prefix: str) -> dict[str, Mapping[str, Any]]:
        """Return the labels of the collections whose names begin so, by name."""
        with _translated(self.url):
            models = self._api().list_collections()
        return {each.name: each.metadata or {} for each in models if each.name.startswith(prefix)}

    def open(self, name: str, audience_sets: AudienceSets | None = None) -> ChromaVectors:
        """Open a collection.

        Raises:
            StoreDamaged: there is none of this name.
        """
        with _translated(f"{self.url}, {name}"):
            return self._vectors(self._api().get_collection(name), audience_sets)

    def rename(self, name: str, new_name: str) -> None:
        """Give a collection another name."""
        with _translated(self.url):
            self._collection(self._api().get_collection(name)).modify(name=new_name)

    def delete(self, name: str) -> None:
        """Delete a collection, if there is one of this name."""
        with suppress(StoreDamaged), _translated(self.url):
            self._api().delete_collection(name)

    def keys(self, name: str) -> list[str]:
        """Return the keys of the texts that `write` keeps in a collection."""
        return list(self._texts(name, include=[])["ids"])

    def read(self, name: str, key: str) -> str | None:
        """Return the text that `write` keeps under a key of a collection."""
        found = self._texts(name, ids=[key], include=["metadatas"])["metadatas"]
        return str(found[0]["text"]) if found else None

    def write(self, name: str, key: str, text: str | None) -> None:
        """Keep a text under a key of a collection, in one step; None: forget it."""
        with _translated(self.url):
            model = self._api().create_collection(name, get_or_create=True)
            if text is None:
                self._collection(model).delete(ids=[key])
            else:
                one = {"ids": [key], "embeddings": [[1.0]], "metadatas": [{"text": text}]}
                self._collection(model).upsert(**one)

    def _texts(self, name: str, **what: Any) -> Any:
        try:
            with _translated(self.url):
                return self._collection(self._api().get_collection(name)).get(**what)
        except StoreDamaged:  # nothing was ever written
            return {"ids": [], "metadatas": []}

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        with self._connecting:
            if self._connected is not None:
                self._connected._session.close()
            self._connected = None

    def _vectors(self, model: Any, audience_sets: AudienceSets | None) -> ChromaVectors:
        return ChromaVectors(
            self._collection(model), f"{self.url}, {model.name}", lambda: None, audience_sets
        )

    def _collection(self, model: Any) -> Any:
        from chromadb import Collection

        return Collection(self._api(), model, embedding_function=None)

    def _api(self) -> Any:
        """Return the inside of Chroma's client, which asks nothing before it has a time-out."""
        from chromadb.api.fastapi import FastAPI
        from chromadb.config import System

        with self._connecting:
            if self._connected is None:
                address = urlsplit(self.url)
                settings = _settings(
                    chroma_api_impl="chromadb.api.fastapi.FastAPI",
                    chroma_server_host=address.hostname,
                    chroma_server_http_port=address.port,
                    chroma_server_ssl_enabled=address.scheme == "https",
                )
                self._connected = System(settings).instance(FastAPI)
                self._connected._session.timeout = self._seconds
            return self._connected


def create_vectors(folder: Path) -> ChromaVectors:
    """Create an empty store in a new folder.

    Raises:
        StoreDamaged: Chroma's database is not as it is known.
        StoreUnavailable: the folder cannot be written.
    """
    vectors = _open(folder, _create)
    try:
        _alter(folder, "DROP INDEX embedding_metadata_string_value")
    except BaseException:
        vectors.close()
        raise
    return vectors


def edit_vectors(folder: Path) -> ChromaVectors:
    """Open the store in a folder that nobody else reads; `seal` it after a change.

    Raises:
        StoreUnavailable: the folder cannot be written.
    """
    return _open(folder, _existing)


def open_vectors(folder: Path, audience_sets: AudienceSets | None = None) -> ChromaVectors:
    """Open a sealed store to read it; no byte of the folder changes.

    Args:
        folder: the store's folder; if it is read-only, a temporary copy is opened instead.
        audience_sets: the audiences of the documents in it, if all are known.

    Raises:
        StoreDamaged: a file is missing, or is not what was sealed.
        StoreUnavailable: the folder cannot be read.
    """
    check_seal(folder)
    if os.access(folder, os.W_OK) and os.access(folder / _DATABASE, os.W_OK):
        return _open(folder, _existing, audience_sets)
    copy = tempfile.TemporaryDirectory(prefix="supportbot-")
    try:
        for name in _files(folder):
            (Path(copy.name) / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(folder / name, Path(copy.name) / name)  # its mode stays behind
        return _open(Path(copy.name), _existing, audience_sets, copy.cleanup)
    except BaseException:
        copy.cleanup()
        raise


def seal(folder: Path) -> None:
    """Finish a closed store: drop deleted texts from its bytes and keep the checksums of its files.

    Raises:
        StoreDamaged: Chroma's database is not as it is known.
        StoreUnavailable: the disk is full or not writable.
    """
    _alter(folder, _SEALING)
    checksums = {name: _digest(folder / name) for name in _files(folder)}
    (folder / _SEAL).write_text(json.dumps(checksums, sort_keys=True), encoding="utf-8")


def _alter(folder: Path, script: str) -> None:
    try:
        with closing(sqlite3.connect(folder / _DATABASE, isolation_level=None)) as database:
            database.executescript(script)
    except sqlite3.OperationalError as error:
        if "full" in str(error) or "readonly" in str(error) or "I/O" in str(error):
            raise StoreUnavailable(_unavailable(str(folder), error)) from error
        raise StoreDamaged(_damaged(folder, str(error))) from error
    except sqlite3.DatabaseError as error:
        raise StoreDamaged(_damaged(folder, str(error))) from error


def check_seal(folder: Path) -> None:
    """Check that the files of a sealed store are what was written, without opening it.

    Raises:
        StoreDamaged: one is missing, or was changed.
    """
    try:
        sealed = json.loads((folder / _SEAL).read_text(encoding="utf-8"))
        for name in sorted({*sealed, *_files(folder)}):
            if _digest(folder / name) != sealed.get(name):
                raise StoreDamaged(_damaged(folder, f"{name} was changed since it was written"))
    except FileNotFoundError as error:
        raise StoreDamaged(_damaged(folder, f"{error.filename} is missing")) from error
    except (ValueError, AttributeError) as error:
        raise StoreDamaged(_damaged(folder, f"{_SEAL} is unreadable")) from error


def _files(folder: Path) -> list[str]:
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in paths if path.name != _SEAL]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _open(
    folder: Path,
    collection: Callable[[Any], Any],
    audience_sets: AudienceSets | None = None,
    after_close: Callable[[], None] = lambda: None,
) -> ChromaVectors:
    with _opening, _translated(str(folder)):
        client = _client(folder)
        try:
            opened = collection(client)
        except BaseException:
            client.close()
            raise

    def close() -> None:
        with _opening:
            client.close()
        after_close()

    return ChromaVectors(opened, str(folder), close, audience_sets)


def _client(folder: Path) -> Any:
    import chromadb

    return chromadb.PersistentClient(str(folder), _settings())


def _settings(**values: Any) -> Any:
    from chromadb.config import Settings

    # A `.env` file in the working directory is no setting of ours.
    return Settings(_env_file=None, anonymized_telemetry=False, **values)  # type: ignore[call-arg]


def _create(client: Any) -> Any:
    return client.create_collection(
        COLLECTION, configuration=_configuration(), embedding_function=None
    )


def _configuration() -> dict[str, Any]:
    return {
        "hnsw": {
            "space": "cosine",
            "max_neighbors": _NEIGHBOURS,
            "ef_search": 400,
            "sync_threshold": 1,
        }
    }


def _existing(client: Any) -> Any:
    return client.get_collection(COLLECTION, embedding_function=None)


@contextmanager
def _translated(where: str) -> Iterator[None]:
    from chromadb.errors import ChromaError, NotFoundError
    from httpx import HTTPError

    try:
        yield
    except NotFoundError as error:
        raise StoreDamaged(_damaged(where, "its collection is missing")) from error
    except (ChromaError, HTTPError, OSError, json.JSONDecodeError) as error:
        raise StoreUnavailable(_unavailable(where, error)) from error


def _unavailable(where: str, error: Exception) -> str:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return (
        f"the vectors in {where} cannot be reached ({reason or type(error).__name__}); look after"
        " the disk or the server, then try again"
    )


def _damaged(where: Path | str, reason: str) -> str:
    return (
        f"the vectors in {where} are damaged: {reason}; roll back to another release, or run"
        " `supportbot-ingest sync`, which builds them anew"
    )


def _metadata(chunk: Chunk) -> dict[str, Any]:
    """Return the labels of a chunk; every chunk has the same keys, as Chroma merges old ones."""
    return {
        "document_id": chunk.document_id,
        "title": chunk.title,
        "uri": chunk.uri,
        "text": chunk.text,
        "headings": json.dumps(chunk.heading_path),  # Chroma refuses an empty list
        "ordinal": chunk.ordinal,
        "audiences": sorted(chunk.audiences) or [STAFF],
    }


def _chunk(chunk_id: str, metadata: dict[str, Any]) -> Chunk:
    return Chunk(
        id=chunk_id,
        document_id=metadata["document_id"],
        title=metadata["title"],
        uri=metadata["uri"],
        heading_path=tuple(json.loads(metadata["headings"])),
        text=metadata["text"],
        ordinal=metadata["ordinal"],
        audiences=frozenset(metadata.get("audiences") or [STAFF]),
    )


def _batches(items: Sequence[T] | range) -> Iterator[Any]:
    return (items[at : at + _BATCH] for at in range(0, len(items), _BATCH))
