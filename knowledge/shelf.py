"""Where releases stand: the shelf, and its form in folders of the home.

A shelf keeps releases and moves them; what a release holds and which one is in force is decided
elsewhere. In the home, `releases/<id>/{manifest.json, chroma/, keywords/}` is whole and never
changes, `releases/.staging-<id>` is a draft that only its writer reads, `current` is the pointer.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import (
    AbstractContextManager,
    ExitStack,
    closing,
    contextmanager,
    nullcontext,
)
from pathlib import Path
from typing import Protocol

from knowledge.errors import ReleaseNotFound, StoreDamaged
from knowledge.files import disk_errors, remove_folder, sync, write_whole
from knowledge.keywords import KeywordIndex
from knowledge.lease import Writer
from knowledge.vectors import (
    AudienceSets,
    VectorStore,
    check_seal,
    create_vectors,
    edit_vectors,
    open_vectors,
    seal,
)

RELEASE_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{6}")
_MANIFEST = "manifest.json"
_STAGING = ".staging-"


class Draft(Protocol):
    """The two indexes of a release while they are written."""

    vectors: VectorStore
    keywords: KeywordIndex

    def settle(self) -> None:
        """Write both indexes to disk and close them; from now on they can only be read."""

    def open(self, stack: ExitStack) -> tuple[VectorStore, KeywordIndex]:
        """Open the settled indexes for reading, to be closed with the stack."""

    def reopen(self) -> None:
        """Open both indexes for writing again, after `settle`."""

    def begin_anew(self) -> AbstractContextManager[VectorStore]:
        """Begin both indexes anew, after `settle`; lends what the vectors were, to read from."""

    def publish(self, manifest: str) -> None:
        """Turn the settled draft into a whole release, in one step."""

    def discard(self) -> None:
        """Close it and remove it, if it was not published."""


class Shelf(Protocol):
    """The releases of one knowledge base, and which one is in force."""

    @property
    def where(self) -> Path:
        """Return the folder that a failing disk is named by."""

    @property
    def can_copy(self) -> bool:
        """Tell whether a draft can begin as a copy of its parent."""

    def alone(self, timeout: float) -> AbstractContextManager[None]:
        """Be the one writer of all machines; a writer of this one holds the home's lock already.

        Args:
            timeout: seconds to wait for another one.

        Raises:
            StoreBusy: another one works still.
        """

    def writer(self) -> Writer | None:
        """Return which writer of another machine works now, or died at it; None: none."""

    def history(self) -> list[str]:
        """Return the id of the release in force, then those in force before, newest first.

        Raises:
            StoreDamaged: the pointer is unreadable.
        """

    def point(self, history: Sequence[str]) -> None:
        """Put the first of these releases in force, in one step.

        Raises:
            StoreBusy: another writer took over meanwhile.
        """

    def ids(self) -> list[str]:
        """Return the ids of all releases, in no order."""

    def manifest(self, release_id: str) -> tuple[str, str]:
        """Return the text of a release's manifest, and where it stands.

        Raises:
            ReleaseNotFound: there is none of this id.
        """

    def open(
        self, release_id: str, audience_sets: AudienceSets, stack: ExitStack
    ) -> tuple[VectorStore, KeywordIndex]:
        """Open the indexes of a release for reading, to be closed with the stack.

        Raises:
            StoreDamaged: a part is missing, or is not what was written.
        """

    def check(self, release_id: str) -> None:
        """Check that the files of a release are what was written; takes milliseconds.

        Raises:
            StoreDamaged: one is missing, or was changed.
        """

    def draft(self, release_id: str, parent: str | None) -> Draft:
        """Begin a release, as a copy of its parent or empty.

        Raises:
            StoreDamaged: a file of the parent is missing, or is not what was written.
        """

    def remove(self, release_id: str) -> None:
        """Remove a release; one that is half removed is none."""

    def sweep(self) -> None:
        """Remove what killed writers left.

        Raises:
            StoreBusy: another writer took over meanwhile.
        """

    def close(self) -> None:
        """Let go of connections."""


class LocalDraft:
    """The two indexes of a release while they are written, in a folder of their own.

    Args:
        folder: where they stand until they are published.
        target: where the release will stand.
        parent: the whole release that they begin as a copy of; None: they begin empty.
    """

    def __init__(self, folder: Path, target: Path, parent: Path | None) -> None:
        self._folder = folder
        self._target = target
        self._chroma = folder / "chroma"
        self._keywords = folder / "keywords"
        if parent is None:
            folder.mkdir(parents=True)
            self._open_empty()
            return
        shutil.copytree(parent, folder, ignore=shutil.ignore_patterns(_MANIFEST))
        self.reopen()

    def reopen(self) -> None:
        """Open both indexes for writing again, after `settle`."""
        self.keywords = KeywordIndex.open(self._keywords)
        self.vectors: VectorStore = edit_vectors(self._chroma)

    def settle(self) -> None:
        """Write both indexes to disk and close them; from now on they can only be read."""
        self.keywords.commit()
        self.close()
        seal(self._chroma)

    def open(self, stack: ExitStack) -> tuple[VectorStore, KeywordIndex]:
        """Open the settled indexes for reading, to be closed with the stack."""
        vectors = stack.enter_context(closing(edit_vectors(self._chroma)))
        return vectors, stack.enter_context(closing(KeywordIndex.open(self._keywords)))

    @contextmanager
    def begin_anew(self) -> Iterator[VectorStore]:
        """Begin both indexes anew, after `settle`; lends what the vectors were, to read from."""
        old = self._folder / "old"
        self._chroma.rename(old)
        remove_folder(self._keywords)
        with closing(open_vectors(old)) as vectors:
            self._open_empty()
            yield vectors
        remove_folder(old)

    def publish(self, manifest: str) -> None:
        """Turn the settled draft into a whole release, in one step."""
        (self._folder / _MANIFEST).write_text(manifest, encoding="utf-8")
        for path in [*self._folder.rglob("*"), self._folder]:
            sync(path)
        self._folder.rename(self._target)
        sync(self._target.parent)

    def close(self) -> None:
        """Let go of the files; closing twice does nothing."""
        self.vectors.close()
        self.keywords.close()

    def discard(self) -> None:
        """Close it and remove it, if it was not published."""
        self.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _open_empty(self) -> None:
        self.vectors = create_vectors(self._chroma)
        self.keywords = KeywordIndex.open(self._keywords)


class LocalShelf:
    """The releases and the pointer of one home."""

    can_copy = True

    def __init__(self, home: Path) -> None:
        self.where = home / "releases"
        self._pointer = home / "current"

    def alone(self, timeout: float) -> AbstractContextManager[None]:
        """Be the one writer: a home is of one machine, and its lock is held already."""
        return nullcontext()

    def writer(self) -> Writer | None:
        """Return None: a home is of one machine."""
        return None

    def history(self) -> list[str]:
        """Return the id of the release in force, then those in force before, newest first.

        Raises:
            StoreDamaged: the pointer is unreadable.
        """
        with disk_errors(self._pointer):
            try:
                lines = self._pointer.read_bytes().decode("ascii", "replace").splitlines()
            except FileNotFoundError:
                return []
        if not lines or not all(RELEASE_ID.fullmatch(line) for line in lines):
            raise StoreDamaged(
                f"{self._pointer} is unreadable, so no release is in force; run"
                " `supportbot-ingest sync`, or choose one with `supportbot-ingest rollback RELEASE`"
            )
        return lines

    def point(self, history: Sequence[str]) -> None:
        """Put the first of these releases in force, in one step."""
        with disk_errors(self._pointer):
            write_whole(self._pointer, "".join(f"{release_id}\n" for release_id in history))

    def ids(self) -> list[str]:
        """Return the ids of all releases, in no order."""
        with disk_errors(self.where):
            names = [path.parent.name for path in self.where.glob(f"*/{_MANIFEST}")]
        return [name for name in names if RELEASE_ID.fullmatch(name)]

    def manifest(self, release_id: str) -> tuple[str, str]:
        """Return the text of a release's manifest, and where it stands.

        Raises:
            ReleaseNotFound: there is none of this id.
        """
        path = self.where / release_id / _MANIFEST
        if RELEASE_ID.fullmatch(release_id):
            with disk_errors(path):
                try:
                    return path.read_bytes().decode("utf-8", "replace"), str(path)
                except FileNotFoundError:
                    pass
        raise ReleaseNotFound(
            f"there is no release {release_id!r}; `supportbot-ingest releases` lists them"
        )

    def open(
        self, release_id: str, audience_sets: AudienceSets, stack: ExitStack
    ) -> tuple[VectorStore, KeywordIndex]:
        """Open the indexes of a release for reading, to be closed with the stack.

        Raises:
            StoreDamaged: a file is missing, or is not what was written.
        """
        with disk_errors(self.where / release_id):
            return _open(self.where / release_id, audience_sets, stack)

    def check(self, release_id: str) -> None:
        """Check that the files of a release are what was written; takes milliseconds.

        Raises:
            StoreDamaged: one is missing, or was changed.
        """
        folder = self.where / release_id
        with disk_errors(folder):
            check_seal(folder / "chroma")
            if not (folder / "keywords").is_dir():
                raise _no_keywords(folder)
            KeywordIndex.open(folder / "keywords").close()

    def draft(self, release_id: str, parent: str | None) -> LocalDraft:
        """Begin a release, as a copy of its parent or empty.

        Raises:
            StoreDamaged: a file of the parent is missing, or is not what was written.
        """
        folder = self.where / f"{_STAGING}{release_id}"
        if parent is not None:
            self.check(parent)
        try:
            copied = self.where / parent if parent else None
            return LocalDraft(folder, self.where / release_id, copied)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def remove(self, release_id: str) -> None:
        """Remove a release; one that is half removed is none."""
        folder = self.where / release_id
        (folder / _MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(folder)

    def sweep(self) -> None:
        """Remove what killed writers left."""
        for folder in self.where.glob("*"):
            is_half = RELEASE_ID.fullmatch(folder.name) and not (folder / _MANIFEST).exists()
            if is_half or folder.name.startswith(_STAGING):
                shutil.rmtree(folder)

    def close(self) -> None:
        """Do nothing: no file stays open."""


def _open(
    folder: Path, audience_sets: AudienceSets, stack: ExitStack
) -> tuple[VectorStore, KeywordIndex]:
    vectors = stack.enter_context(closing(open_vectors(folder / "chroma", audience_sets)))
    if not (folder / "keywords").is_dir():
        raise _no_keywords(folder)
    return vectors, stack.enter_context(closing(KeywordIndex.open(folder / "keywords")))


def _no_keywords(folder: Path) -> StoreDamaged:
    return StoreDamaged(
        f"{folder / 'keywords'} is missing; roll back to another release, or run"
        " `supportbot-ingest sync`, which builds it anew"
    )
