"""Releases of the knowledge base: built aside, checked, then put in force in one step.

A release never changes, so readers and writers never share an index, a writer that is killed harms
nothing, and a rollback is a promotion backwards.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from knowledge import failures as failing
from knowledge.building import ReleaseBuilder
from knowledge.cache import CachedEmbedder, EmbeddingCache, known_texts
from knowledge.documents import content_hash
from knowledge.embedder import Embedder
from knowledge.errors import ReleaseNotFound, StoreBusy, StoreDamaged
from knowledge.failures import Failure
from knowledge.files import disk_errors, write_whole
from knowledge.keywords import KeywordIndex
from knowledge.lease import SILENCE_SECONDS, Writer
from knowledge.manifest import Release, from_json
from knowledge.server import ServerShelf
from knowledge.shelf import LocalShelf, Shelf
from knowledge.vectors import VectorStore

__all__ = ["Failure", "OpenRelease", "Release", "ReleaseBuilder", "ReleaseStore"]

log = logging.getLogger(__name__)

KEPT_RELEASES = 5
_EMBEDDINGS = "embeddings.sqlite"
_CHURN = 0.5  # removed chunks, as a share of all, at which indexes are built anew


class OpenRelease:
    """A release with its indexes open for reading, until it is closed."""

    def __init__(
        self, release: Release, vectors: VectorStore, keywords: KeywordIndex, resources: ExitStack
    ) -> None:
        self.release = release
        self.vectors = vectors
        self.keywords = keywords
        self._resources = resources

    def __enter__(self) -> OpenRelease:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files; closing twice does nothing."""
        self._resources.close()


class ReleaseStore:
    """All releases of a knowledge base.

    Args:
        home: the folder where they stand, and in any case the lock and the embedding cache.
        chroma_url: `http(s)://host:port` of a Chroma server where they stand instead.
        silence: seconds without a sign of life after which another machine's writer counts as dead.

    Every method raises `StoreUnavailable` when the folder or the server cannot be reached.
    """

    def __init__(
        self, home: Path, chroma_url: str | None = None, silence: float = SILENCE_SECONDS
    ) -> None:
        self._home = home
        self._shelf: Shelf = (
            ServerShelf(home, chroma_url, silence) if chroma_url else LocalShelf(home)
        )
        self._loaded: Release | None = None
        self._read: tuple[str, Release] | None = None  # the last manifest, by the hash of its text
        self._readers: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._is_locked = False

    def current_id(self) -> str | None:
        """Return the id of the release in force; None: nothing was ever promoted.

        Raises:
            StoreDamaged: the pointer is unreadable.
        """
        history = self._shelf.history()
        return history[0] if history else None

    def current(self) -> Release | None:
        """Return the release in force; None: nothing was ever promoted.

        Raises:
            StoreDamaged: the pointer or the manifest is unreadable.
        """
        release_id = self.current_id()
        if release_id is None:
            return None
        loaded = self._loaded
        if loaded is not None and loaded.id == release_id:
            return loaded
        try:
            self._loaded = loaded = self.get(release_id)
        except ReleaseNotFound:
            raise StoreDamaged(
                f"release {release_id} is in force, but it is missing in {self._home}; run"
                " `supportbot-ingest sync`, or `supportbot-ingest rollback`"
            ) from None
        return loaded

    def ids(self) -> set[str]:
        """Return the ids of all releases, and read none."""
        return set(self._shelf.ids())

    def releases(self) -> list[Release]:
        """Return all whole releases, newest first; one that is damaged is logged and left out."""
        found = []
        for release_id in self._shelf.ids():
            try:
                found.append(self.get(release_id))
            except StoreDamaged as error:
                log.warning("%s", error)
            except ReleaseNotFound:
                continue  # removed meanwhile
        return sorted(found, key=lambda release: release.created_at, reverse=True)

    def get(self, release_id: str) -> Release:
        """Return one release.

        Raises:
            ReleaseNotFound: there is none of this id.
            StoreDamaged: its manifest is unreadable.
        """
        text, where = self._shelf.manifest(release_id)
        digest, read = content_hash(text), self._read
        if read is None or read[0] != digest:
            self._read = read = digest, from_json(text, where)
        return read[1]

    def open(self, release_id: str | None = None) -> OpenRelease:
        """Open a release for reading; None: the one in force.

        It stays readable until it is closed, whatever is promoted meanwhile; only another process
        may remove it, once `KEPT_RELEASES` newer ones were promoted.

        Raises:
            ReleaseNotFound: there is none of this id, or nothing was ever promoted.
            StoreDamaged: a file of it is missing, or is not what was written.
        """
        release = self.current() if release_id is None else self.get(release_id)
        if release is None:
            raise ReleaseNotFound(
                "the knowledge base is empty; run `supportbot-ingest sync SOURCE` to fill it"
            )
        with ExitStack() as stack:
            self._count(release.id, 1)
            stack.callback(self._count, release.id, -1)
            vectors, keywords = self._shelf.open(release.id, release.audience_sets, stack)
            vectors.search_exactly(release.unreached)
            return OpenRelease(release, vectors, keywords, stack.pop_all())

    @contextmanager
    def lock(self, timeout: float = 0) -> Iterator[None]:
        """Be the one writer of all processes, on all machines that share a server.

        The operating system frees a dead one's lock; a server's lease is taken over.

        Args:
            timeout: seconds to wait for another writer of this home, and of another machine.

        Raises:
            StoreBusy: another writer works still.
        """
        from filelock import FileLock, Timeout

        holder = self._home / "sync.pid"
        lock = FileLock(self._home / "sync.lock", timeout=timeout, thread_local=False)
        with disk_errors(self._home):
            self._home.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire()
            except Timeout:
                raise StoreBusy(
                    f"{_writer(holder)} is syncing the knowledge base; wait until it is done, or"
                    " stop it"
                ) from None
        try:
            with disk_errors(holder):
                holder.write_text(str(os.getpid()), encoding="ascii")
            with self._shelf.alone(timeout):
                self._is_locked = True
                yield
        finally:
            self._is_locked = False
            lock.release()

    def writer(self) -> Writer | None:
        """Return who holds the lock now; None: nobody that can be told."""
        from filelock import FileLock, Timeout

        lock = self._home / "sync.lock"
        try:
            if lock.exists():
                with FileLock(lock, timeout=0, thread_local=False):
                    pass
        except Timeout:
            return _writer(self._home / "sync.pid")
        except OSError:  # a home that this user may only read
            return None
        return self._shelf.writer()

    def begin(
        self,
        *,
        embedder: Embedder,
        chunker: str,
        sources: Sequence[str],
        rebuild: bool = False,
        is_empty: bool = False,
    ) -> ReleaseBuilder:
        """Begin a release that holds what the current one holds; call it under `lock`.

        Its indexes are a copy to be changed; they are built anew if asked for, if the embedder or
        the chunker is another one, or if much was removed from them. With `is_empty` it holds
        nothing and the current release is not even looked at.

        Raises:
            StoreDamaged: the current release cannot be read; begin an empty one.
        """
        if not self._is_locked:
            raise RuntimeError("begin() is called under lock()")
        with disk_errors(self._home):
            self._sweep()
            parent = None if is_empty else self.current()
            return self._builder(parent, embedder, chunker, sources, rebuild)

    def check_files(self, release_id: str) -> None:
        """Check that the files of a release are what was written, without opening its vectors.

        Raises:
            StoreDamaged: one is missing, or was changed.
        """
        self._shelf.check(release_id)

    def promote(self, release_id: str) -> None:
        """Put a release in force, and remove those that are no longer kept; call it under `lock`.

        Raises:
            ReleaseNotFound: there is none of this id.
            StoreDamaged: its manifest is unreadable.
        """
        self.get(release_id)
        try:
            history = self._shelf.history()
        except StoreDamaged:
            history = []
        earlier = [id_ for id_ in history if id_ != release_id]
        self._shelf.point([release_id, *earlier][:KEPT_RELEASES])
        with disk_errors(self._home):
            self._sweep()

    def discard(self, release_id: str) -> None:
        """Remove a release that was never promoted; call it under `lock`.

        One that was promoted stays, and so does any while the pointer is unreadable.
        """
        try:
            promoted = self._shelf.history()
        except StoreDamaged:
            return  # nobody knows which releases were promoted
        if release_id not in promoted:
            with disk_errors(self._home):
                self._shelf.remove(release_id)

    def rollback(self, release_id: str | None = None) -> Release:
        """Put an earlier release in force again; None: the one before.

        Those that were promoted after it are removed by the next writer.

        Raises:
            ReleaseNotFound: there is none of this id, or none before.
        """
        try:
            history = self._shelf.history()
        except StoreDamaged:
            history = []
        if release_id is None:
            if len(history) < 2:
                raise ReleaseNotFound("there is no earlier release to go back to")
            release_id = history[1]
        release = self.get(release_id)
        if release_id in history:
            self._shelf.point(history[history.index(release_id) :])
        else:
            self._shelf.point([release_id, *history][:KEPT_RELEASES])
        return release

    def embedded(self, fingerprint: str, text_hashes: Sequence[str]) -> set[str]:
        """Return those of the hashes of texts that need no embedding any more."""
        return known_texts(self._home / _EMBEDDINGS, fingerprint, text_hashes)

    def failures(self) -> list[Failure]:
        """Return the documents that the last sync could not take in."""
        path = self._home / "failures.json"
        try:
            return failing.from_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read (%r); the next sync writes it anew", path, error)
            return []

    def record_failures(self, failures: Sequence[Failure]) -> None:
        """Keep the documents that a sync could not take in, in place of the last ones."""
        self._record("failures.json", failing.to_json(failures))

    def notes(self) -> dict[str, tuple[str, ...]]:
        """Return by document id what of it was left out or could not be read."""
        path = self._home / "notes.json"
        try:
            rows = json.loads(path.read_text(encoding="utf-8"))
            return {str(id_): tuple(map(str, notes)) for id_, notes in rows.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            log.warning("%s cannot be read (%r); its notes are lost", path, error)
            return {}

    def record_notes(self, notes: Mapping[str, Sequence[str]]) -> None:
        """Keep what was left out of documents, by document id, in place of the last notes."""
        self._record("notes.json", json.dumps(notes, indent=1, sort_keys=True))

    def close(self) -> None:
        """Let go of connections; a later call opens them again."""
        self._shelf.close()

    def _builder(
        self,
        parent: Release | None,
        embedder: Embedder,
        chunker: str,
        sources: Sequence[str],
        rebuild: bool,
    ) -> ReleaseBuilder:
        now = datetime.now(UTC)
        release = Release(
            id=f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}",
            parent=parent.id if parent else None,
            created_at=now,
            embedder=embedder.fingerprint,
            chunker=chunker,
            sources=tuple(sources),
            documents={},
            chunk_count=0,
            rebuilt=rebuild or not self._shelf.can_copy or _is_stale(parent, embedder, chunker),
            churn=parent.churn if parent else 0,
        )
        with ExitStack() as stack:
            cache = stack.enter_context(EmbeddingCache(self._home / _EMBEDDINGS))
            cache.prune()
            source = None
            if parent is not None and release.rebuilt:
                source = stack.enter_context(self.open(parent.id)).vectors
            copied = None if parent is None or release.rebuilt else parent.id
            draft = self._shelf.draft(release.id, copied)
            stack.callback(draft.discard)
            return ReleaseBuilder(
                release,
                parent,
                shelf=self._shelf,
                draft=draft,
                embedder=CachedEmbedder(embedder, cache),
                source=source,
                resources=stack.pop_all(),
            )

    def _record(self, name: str, text: str) -> None:
        """Write a file of the home, unless it holds just that."""
        path = self._home / name
        with disk_errors(path):
            try:
                if path.read_text(encoding="utf-8") == text:
                    return
            except (FileNotFoundError, UnicodeDecodeError):
                pass
            write_whole(path, text)

    def _count(self, release_id: str, step: int) -> None:
        with self._counting:
            self._readers[release_id] += step

    def _sweep(self) -> None:
        """Remove what killed writers left, and the releases that are no longer kept."""
        self._shelf.sweep()
        found = self._shelf.ids()  # before the history: what is made meanwhile is not among them
        try:
            kept = self._shelf.history()
        except StoreDamaged:
            return  # nobody knows which releases were promoted
        for release_id in found:
            if release_id not in kept and not self._readers[release_id]:
                self._shelf.remove(release_id)


def _is_stale(parent: Release | None, embedder: Embedder, chunker: str) -> bool:
    if parent is None or (parent.embedder, parent.chunker) != (embedder.fingerprint, chunker):
        return True
    return parent.churn > _CHURN * parent.chunk_count


def _writer(holder: Path) -> Writer:
    """Return who holds the home's lock, as it wrote down itself."""
    host = socket.gethostname()
    try:
        began = datetime.fromtimestamp(holder.stat().st_mtime, UTC)
        process = int(holder.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return Writer(None, host)
    return Writer(process, host, began.isoformat(timespec="seconds"))
