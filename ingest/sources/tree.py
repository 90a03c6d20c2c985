"""A folder that is walked and read without ever leaving it, whatever changes meanwhile."""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from ingest.errors import ParseFailed
from ingest.sources.names import why_no_document, why_no_folder

_STEP = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW
# Opening a pipe that nobody writes to would wait for ever.
_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_PIECE = 1024 * 1024
_IS_LINK = (errno.ELOOP, errno.EMLINK, errno.ENOTDIR)


@dataclass(frozen=True, slots=True)
class Found:
    """One file of a tree: its path relative to the root, with "/", and what `stat` says of it."""

    path: str
    stat: os.stat_result


class Tree:
    """All plain files below a folder that may be documents by their names.

    Linked folders are not followed. A linked file is read where it leads to a file of the same
    tree.
    """

    def __init__(self, root: Path, endings: Set[str]) -> None:
        self.root = root
        self._endings = endings

    def walk(self, skipped: Counter[str], note: Callable[[str, OSError], None]) -> Iterator[Found]:
        """Yield the files, and count what is passed over; unreadable folders are noted by path."""
        folders = [""]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(self.root / folder) as scan:
                    entries = list(scan)
            except OSError as error:
                note(folder, error)
                continue
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                why = self._why_skipped(entry)
                if why:
                    skipped[why] += 1
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                else:
                    yield from self._found(path, entry, skipped)

    def read(self, path: str, limit: int) -> tuple[bytes, os.stat_result]:
        """Return the bytes of a file and its `stat`, from one and the same open file.

        Raises:
            ParseFailed: it is gone, no plain file any more, outside of the folder, or too large.
        """
        try:
            descriptor = self._open(path)
            try:
                return _read_plain(descriptor, limit)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise ParseFailed(reason(error)) from error

    def _why_skipped(self, entry: os.DirEntry[str]) -> str:
        if entry.is_symlink():
            return self._why_no_link(entry)
        if entry.is_dir(follow_symlinks=False):
            return why_no_folder(entry.name)
        return why_no_document(entry.name, self._endings)

    def _why_no_link(self, entry: os.DirEntry[str]) -> str:
        if entry.name.startswith("."):
            return "hidden"
        try:
            target = Path(entry.path).stat()
        except (OSError, ValueError):
            return "broken links"
        if stat.S_ISDIR(target.st_mode):
            return "linked folders, which are not followed"
        if not self._target(entry.path):
            return "links to outside of the folder"
        return why_no_document(entry.name, self._endings)

    def _found(self, path: str, entry: os.DirEntry[str], skipped: Counter[str]) -> Iterator[Found]:
        try:
            found = entry.stat()
        except OSError:
            skipped["broken links"] += 1
            return
        if stat.S_ISREG(found.st_mode):
            yield Found(path, found)
        else:
            skipped["pipes, sockets and devices"] += 1

    def _target(self, path: str | Path) -> tuple[str, ...]:
        """Return where a link leads, as parts below the root; none if that is outside of it."""
        real, root = Path(os.path.realpath(path)), Path(os.path.realpath(self.root))
        return real.relative_to(root).parts if real.is_relative_to(root) else ()

    def _open(self, path: str) -> int:
        try:
            return self._open_parts(path.split("/"))
        except OSError as error:
            if error.errno not in _IS_LINK:
                raise
        target = self._target(self.root / path)
        if not target:
            raise ParseFailed("a link to outside of the folder, which is not followed")
        return self._open_parts(target)

    def _open_parts(self, parts: Sequence[str]) -> int:
        """Open a file step by step from the root, following no link and no way upwards."""
        if ".." in parts:
            raise ParseFailed("outside of the folder")
        folder = os.open(self.root, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        try:
            for part in parts[:-1]:
                inner = os.open(part, _STEP, dir_fd=folder)
                os.close(folder)
                folder = inner
            return os.open(parts[-1], _FILE, dir_fd=folder)
        finally:
            os.close(folder)


def _read_plain(descriptor: int, limit: int) -> tuple[bytes, os.stat_result]:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise ParseFailed("not a plain file any more")
    check_size(found.st_size, limit)
    pieces = [os.read(descriptor, found.st_size + 1)]
    read = len(pieces[0])
    while pieces[-1] and read <= limit:  # some files say that they are empty, and others grow
        pieces.append(os.read(descriptor, _PIECE))
        read += len(pieces[-1])
    check_size(read, limit)
    return b"".join(pieces), found


def check_size(size: int, limit: int) -> None:
    """Refuse what is larger than a document may be.

    Raises:
        ParseFailed: it is.
    """
    if size > limit:
        megabyte = 1024**2
        raise ParseFailed(
            f"larger than {limit // megabyte} MB ({size // megabyte} MB); split it or leave it out"
        )


def reason(error: OSError) -> str:
    """Return why a file or folder cannot be read, for a person."""
    return f"cannot be read: {error.strerror or error}"
