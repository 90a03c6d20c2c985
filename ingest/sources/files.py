"""Files, folders and globs as a source.

A folder is walked without following linked folders; hidden names, dependency folders and private
keys are passed over, and nothing outside the folder is ever read.
"""

from __future__ import annotations

import fnmatch
import glob
import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ingest.config import SourceSettings
from ingest.errors import ParseFailed, SourceUnusable
from ingest.parsers import ENDINGS
from ingest.sources.base import MAX_DOCUMENT_BYTES, Labels, Listed, Listing, RawDocument
from knowledge.documents import content_hash
from knowledge.releases import Failure

_DEPENDENCY_FOLDERS = {"node_modules", "__pycache__", "CVS"}
_KEY_FILE = re.compile(r"id_(rsa|dsa|ecdsa|ed25519)\b|.*\.(pem|key|p12|pfx|kdbx)$", re.IGNORECASE)
# Bytes of a name that are no UTF-8 (as Python holds them), and control characters.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\udc80-\udcff]")

_Failures = list[Failure]  # `list` is a method here


def open_source(settings: SourceSettings, labels: Labels, _home: Path) -> FileSource:
    """Return the files of a path, a folder or a glob."""
    return FileSource(settings.path, labels)


class FileSource:
    """A file, a folder with all below it, or the files that a glob matches.

    A document's id is its path relative to the folder (to the part of a glob before its first
    wildcard), with "/"; of a single file, its name.

    Raises:
        SourceUnusable: there is no such file or folder, or the file is of an unknown kind.
    """

    def __init__(self, given: str, labels: Labels) -> None:
        self.name = given
        self.labels = labels
        path = Path(given).expanduser()
        self._pattern: tuple[str, ...] = ()
        if not _exists(path) and glob.has_magic(given):
            path, self._pattern = _split_glob(path)
        if not _exists(path):
            raise SourceUnusable(f"{given}: no such file or folder")
        self._file = None if path.is_dir() else path
        self._root = path if path.is_dir() else path.parent
        if self._file:
            self._check_file(self._file)

    def list(self) -> Listing:
        """Return what is there now, with a hash of each file's bytes."""
        items: list[Listed] = []
        failures: list[Failure] = []
        skipped: Counter[str] = Counter()
        for path in self._walk(skipped, failures):
            document_id = self._id(path)
            try:
                stamp = _hash(path)
            except (OSError, ParseFailed) as error:
                failures.append(Failure(document_id, _reason(error)))
                continue
            items.append(Listed(document_id, self, stamp, self.labels, str(path)))
        items.sort(key=lambda item: item.id)
        return Listing(tuple(items), tuple(failures), tuple(sorted(skipped.items())))

    def read(self, item: Listed) -> RawDocument:
        """Return the bytes of a listed file, as they are now."""
        path = Path(item.place)
        try:
            _check_size(path.stat().st_size)
            data = path.read_bytes()
        except OSError as error:
            raise ParseFailed(_reason(error)) from error
        return RawDocument(item.id, self.name, path.suffix.lower(), data, self.labels)

    def stamp(self) -> str:
        """Return a hash of all names, sizes and times, without reading any file."""
        lines = []
        for path in self._walk(Counter(), []):
            try:
                found = path.stat()
            except OSError:
                continue
            lines.append(f"{self._id(path)}\0{found.st_size}\0{found.st_mtime_ns}")
        return content_hash("\n".join(sorted(lines)))

    def _id(self, path: Path) -> str:
        relative = path.relative_to(self._root).as_posix()
        return _UNPRINTABLE.sub(lambda match: f"%{ord(match[0]) & 0xFF:02X}", relative)

    def _check_file(self, path: Path) -> None:
        if path.suffix.lower() not in ENDINGS:
            known = ", ".join(sorted(ENDINGS))
            raise SourceUnusable(
                f"{self.name}: not a kind of file that can be read; known: {known}"
            )
        if not path.is_file():
            raise SourceUnusable(f"{self.name}: neither a plain file nor a folder")

    def _walk(self, skipped: Counter[str], failures: _Failures) -> Iterator[Path]:
        if self._file:
            yield self._file
            return
        folders = [self._root]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(folder) as scan:
                    entries = list(scan)
            except OSError as error:
                self._note_unreadable(folder, error, failures)
                continue
            for entry in entries:
                why = _why_skipped(entry, self._root)
                if why:
                    skipped[why] += 1
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                elif self._is_wanted(Path(entry.path)):
                    yield Path(entry.path)

    def _is_wanted(self, path: Path) -> bool:
        return not self._pattern or _matches(path.relative_to(self._root).parts, self._pattern)

    def _note_unreadable(self, folder: Path, error: OSError, failures: _Failures) -> None:
        if folder == self._root:
            raise SourceUnusable(f"{self.name}: {_reason(error)}") from error
        failures.append(Failure(self._id(folder) + "/", _reason(error)))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, or holds a null character
        return False


def _split_glob(path: Path) -> tuple[Path, tuple[str, ...]]:
    """Return the folder before the first wildcard, and the parts from there on."""
    magic = next(place for place, part in enumerate(path.parts) if glob.has_magic(part))
    return Path(*path.parts[:magic]), path.parts[magic:]


def _matches(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[start:], pattern[1:]) for start in range(len(parts) + 1))
    if not parts or not fnmatch.fnmatchcase(parts[0], pattern[0]):
        return False
    return _matches(parts[1:], pattern[1:])


def _why_skipped(entry: os.DirEntry[str], root: Path) -> str:
    """Return why this is no document, in words that follow a number; "" if it may be one."""
    if entry.name.startswith("."):
        return "hidden"
    if entry.is_symlink():
        if not _exists(Path(entry.path)):
            return "broken links"
        if entry.is_dir():
            return "linked folders, which are not followed"
        if not Path(os.path.realpath(entry.path)).is_relative_to(os.path.realpath(root)):
            return "links to outside of the folder"
    if entry.is_dir():
        return f"{entry.name} folders" if entry.name in _DEPENDENCY_FOLDERS else ""
    if _KEY_FILE.match(entry.name):
        return "private keys"
    ending = Path(entry.name).suffix.lower()
    if ending not in ENDINGS:
        return f"{ending} files" if ending else "files without ending"
    try:
        is_plain = stat.S_ISREG(entry.stat().st_mode)
    except OSError:
        return "broken links"
    return "" if is_plain else "pipes, sockets and devices"


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        _check_size(os.fstat(file.fileno()).st_size)
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_size(size: int) -> None:
    if size > MAX_DOCUMENT_BYTES:
        limit = MAX_DOCUMENT_BYTES // 1024**2
        raise ParseFailed(
            f"larger than {limit} MB ({size // 1024**2} MB); split it or leave it out"
        )


def _reason(error: OSError | ParseFailed) -> str:
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or error}"
    return str(error)
