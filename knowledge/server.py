"""Releases on a Chroma server, for replicas that share one knowledge base.

A release is the collection `release-<id>`; manifests and the pointer are texts in the small
collection `supportbot-releases`. The one writer holds the server's lease. Its pointer is
`current-<number of the lease>`, and the greatest counts, so that what a writer still points at
after another one took over has no effect. Chroma cannot search words, so each replica keeps the
keyword index of a release in `keywords/<id>` of its own home, and builds it where it is missing.
Deleted texts stay in the bytes of the server's own database until its `chroma vacuum`.
"""

from __future__ import annotations

import logging
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from knowledge.errors import ReleaseNotFound, StoreDamaged
from knowledge.files import disk_errors, remove_folder
from knowledge.keywords import KeywordIndex
from knowledge.lease import SILENCE_SECONDS, Lease, Writer
from knowledge.shelf import RELEASE_ID
from knowledge.vectors import AudienceSets, ChromaServer, VectorStore

log = logging.getLogger(__name__)

_RELEASES = "supportbot-releases"
_CURRENT = re.compile(r"current(?:-(\d+))?")
_COLLECTION = "release-"
_READ_SECONDS = 4.0  # a question must be told within five seconds that nothing can be looked up
_WRITE_SECONDS = 120.0
_FRESH_SECONDS = 1.0  # how old the pointer may be; a bot follows a promotion within five
_BUILDING = ".building-"
_AT_WORK_SECONDS = 3600.0  # after which a keyword index half built is one whose builder was killed
_BATCH = 1000


class ServerDraft:
    """A collection that no manifest names yet, and a keyword index in a folder of its own."""

    def __init__(self, server: ChromaServer, release_id: str, keywords: Path) -> None:
        self._server = server
        self._id = release_id
        self._name = _COLLECTION + release_id
        self._target = keywords
        self._folder = keywords.with_name(f".staging-{release_id}")
        self.vectors: VectorStore
        self.keywords: KeywordIndex
        self._open_empty()

    def settle(self) -> None:
        """Write the keyword index to disk; the server has kept the rest."""
        self.keywords.commit()
        self.keywords.close()

    def open(self, stack: ExitStack) -> tuple[VectorStore, KeywordIndex]:
        """Open the settled indexes for reading, to be closed with the stack."""
        keywords = stack.enter_context(closing(KeywordIndex.open(self._folder)))
        return self._server.open(self._name), keywords

    def reopen(self) -> None:
        """Open both indexes for writing again, after `settle`."""
        self.vectors = self._server.open(self._name)
        self.keywords = KeywordIndex.open(self._folder)

    @contextmanager
    def begin_anew(self) -> Iterator[VectorStore]:
        """Begin both indexes anew, after `settle`; lends what the vectors were, to read from."""
        old = f"{self._name}-old"
        self._server.rename(self._name, old)
        remove_folder(self._folder)
        self._open_empty()
        yield self._server.open(old)
        self._server.delete(old)

    def publish(self, manifest: str) -> None:
        """Turn the settled draft into a whole release, in one step."""
        self._folder.rename(self._target)
        self._server.write(_RELEASES, self._id, manifest)

    def discard(self) -> None:
        """Remove it, if it was not published."""
        self.keywords.close()
        if self._folder.exists():
            shutil.rmtree(self._folder, ignore_errors=True)
            self._server.delete(self._name)

    def _open_empty(self) -> None:
        self.vectors = self._server.create(self._name)
        self.keywords = KeywordIndex.open(self._folder)


class ServerShelf:
    """The releases of one Chroma server."""

    can_copy = False  # only Chroma's cloud can

    def __init__(self, home: Path, url: str, silence: float = SILENCE_SECONDS) -> None:
        self.where = home / "keywords"
        self._reading = ChromaServer(url, _READ_SECONDS)
        self._writing = ChromaServer(url, _WRITE_SECONDS)
        self._lease = Lease(self._reading, home, silence)
        self._pointer: tuple[float, list[str]] | None = None
        self._indexing = threading.Lock()

    @contextmanager
    def alone(self, timeout: float) -> Iterator[None]:
        """Be the one writer of all machines; a writer of this one holds the home's lock already.

        Args:
            timeout: seconds to wait for another one.

        Raises:
            StoreBusy: another one works still.
        """
        least = max(self._pointers(self._reading), default=0)
        with self._lease.held(timeout, least):
            self._pointer = None  # another machine may have moved it a moment ago
            text = self._read_pointer(self._reading)
            if text:
                self._write_pointer(text)
            yield

    def writer(self) -> Writer | None:
        """Return which writer of another machine works now, or died at it; None: none."""
        return self._lease.writer()

    def history(self) -> list[str]:
        """Return the id of the release in force, then those in force before, newest first."""
        known = self._pointer
        if known is None or time.monotonic() - known[0] > _FRESH_SECONDS:
            lines = self._read_pointer(self._reading).splitlines()
            if not all(RELEASE_ID.fullmatch(line) for line in lines):
                raise StoreDamaged(
                    f"{self._reading.url}: the pointer to the current release is unreadable; run"
                    " `supportbot-ingest sync`, or `supportbot-ingest rollback RELEASE`"
                )
            known = self._pointer = (time.monotonic(), lines)
        return list(known[1])

    def point(self, history: Sequence[str]) -> None:
        """Put the first of these releases in force, in one step.

        Raises:
            StoreBusy: another writer took over meanwhile.
        """
        self._pointer = None
        self._lease.check()
        self._write_pointer("\n".join(history))
        self._lease.check()

    def ids(self) -> list[str]:
        """Return the ids of all releases, in no order."""
        return [key for key in self._reading.keys(_RELEASES) if RELEASE_ID.fullmatch(key)]

    def manifest(self, release_id: str) -> tuple[str, str]:
        """Return the text of a release's manifest, and where it stands."""
        known = RELEASE_ID.fullmatch(release_id)
        text = self._reading.read(_RELEASES, release_id) if known else None
        if text is None:
            raise ReleaseNotFound(
                f"there is no release {release_id!r}; `supportbot-ingest releases` lists them"
            )
        return text, f"the manifest of {release_id} at {self._reading.url}"

    def open(
        self, release_id: str, audience_sets: AudienceSets, stack: ExitStack
    ) -> tuple[VectorStore, KeywordIndex]:
        """Open the indexes of a release for reading; builds the keyword index where it is missing.

        Raises:
            StoreDamaged: the collection is missing.
        """
        vectors = self._reading.open(_COLLECTION + release_id, audience_sets)
        with disk_errors(self.where), self._indexing:
            keywords = self._keywords(release_id, vectors)
        return vectors, stack.enter_context(closing(keywords))

    def check(self, release_id: str) -> None:
        """Check that the collection of a release is there."""
        self._reading.open(_COLLECTION + release_id)

    def draft(self, release_id: str, parent: str | None) -> ServerDraft:
        """Begin an empty release."""
        return ServerDraft(self._writing, release_id, self.where / release_id)

    def remove(self, release_id: str) -> None:
        """Remove a release; one that is half removed is none."""
        self._writing.write(_RELEASES, release_id, None)
        self._writing.delete(_COLLECTION + release_id)
        shutil.rmtree(self.where / release_id, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what killed writers left, and keyword indexes of releases that are gone.

        Raises:
            StoreBusy: another writer took over meanwhile.
        """
        self._lease.check()
        names = self._writing.names()  # before the ids: what is made meanwhile is not among them
        known = set(self.ids())
        for name in names:
            if name.startswith(_COLLECTION) and name.removeprefix(_COLLECTION) not in known:
                self._writing.delete(name)
        for folder in self.where.glob("*"):
            is_at_work = folder.name.startswith(_BUILDING) and _age(folder) < _AT_WORK_SECONDS
            if folder.name not in known and not is_at_work:
                shutil.rmtree(folder)

    def close(self) -> None:
        """Let go of the connections; a later call opens new ones."""
        self._reading.close()
        self._writing.close()

    def _pointers(self, server: ChromaServer) -> dict[int, str]:
        """Return the keys of all pointers, by the numbers of the leases that wrote them."""
        found = filter(None, map(_CURRENT.fullmatch, server.keys(_RELEASES)))
        return {int(match[1] or 0): match[0] for match in found}

    def _read_pointer(self, server: ChromaServer) -> str:
        while pointers := self._pointers(server):
            text = server.read(_RELEASES, pointers[max(pointers)])
            if text is not None:  # it was not replaced meanwhile
                return text
        return ""

    def _write_pointer(self, text: str) -> None:
        """Write the pointer of this lease, or the one that counts, and remove what it replaces."""
        pointers = self._pointers(self._writing)
        number = self._lease.number or max(pointers, default=0)
        self._writing.write(_RELEASES, f"current-{number}", text)
        for other, key in pointers.items():
            if other < number:
                self._writing.write(_RELEASES, key, None)

    def _keywords(self, release_id: str, vectors: VectorStore) -> KeywordIndex:
        folder = self.where / release_id
        if folder.is_dir():
            try:
                return KeywordIndex.open(folder)
            except StoreDamaged as error:
                log.warning("%s; it is built anew from the server", error)
                shutil.rmtree(folder)
        self.where.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=_BUILDING, dir=self.where) as name:
            _index(Path(name) / "keywords", vectors)
            with suppress(FileExistsError):  # another process was faster
                (Path(name) / "keywords").rename(folder)
        return KeywordIndex.open(folder)


def _index(folder: Path, vectors: VectorStore) -> None:
    with closing(KeywordIndex.open(folder)) as keywords:
        ids = sorted(vectors.ids())
        for at in range(0, len(ids), _BATCH):
            keywords.add(list(vectors.get(ids[at : at + _BATCH]).values()))
        keywords.commit()


def _age(folder: Path) -> float:
    return time.time() - folder.stat().st_mtime
