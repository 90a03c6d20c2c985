"""Files, folders and globs as a source.

A folder is walked without following linked folders; hidden names, dependency folders and private
keys are passed over, and nothing outside the folder is ever read. A file that holds many documents
is listed as all of them.
"""

from __future__ import annotations

import fnmatch
import glob
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from os import stat_result
from pathlib import Path
from typing import Any

from ingest.config import SourceSettings
from ingest.errors import ParseFailed, SourceUnusable
from ingest.parsers import ENDINGS as DOCUMENTS
from ingest.parsers import PARSERS_VERSION
from ingest.sources import containers
from ingest.sources.base import Labels, Listed, Listing, RawDocument
from ingest.sources.containers import Unfolded, size_limit, unfold
from ingest.sources.names import ending_of, printable
from ingest.sources.state import SourceState
from ingest.sources.tree import Found, Tree, reason
from knowledge.documents import content_hash
from knowledge.errors import StoreUnavailable
from knowledge.failures import Failure

ENDINGS = DOCUMENTS | containers.ENDINGS
# What is remembered of files holds for one way of reading them.
_MEMORY = f"1/{PARSERS_VERSION}"
_SETTLED_NS = 2_000_000_000  # a file that changed later than this may change again unseen

_Failures = list[Failure]  # `list` is a method here


def open_source(settings: SourceSettings, labels: Labels, home: Path) -> FileSource:
    """Return the files of a path, a folder or a glob."""
    return FileSource(settings.path, labels, home)


@dataclass(frozen=True, slots=True)
class _Contents:
    """What one file holds: its documents as (id, stamp), its failures, what was passed over."""

    items: tuple[tuple[str, str], ...] = ()
    failures: tuple[Failure, ...] = ()
    skipped: tuple[tuple[str, int], ...] = ()

    def to_json(self) -> list[Any]:
        """Return the row that is remembered; most files are one document, named as they are."""
        if len(self.items) == 1 and not self.failures and not self.skipped:
            return [*self.items[0]]
        failures = [[failure.uri, failure.reason] for failure in self.failures]
        return [self.items, failures, self.skipped]

    @classmethod
    def from_json(cls, row: list[Any]) -> _Contents:
        if len(row) == 2:
            return cls(((row[0], row[1]),))
        items, failures, skipped = row
        return cls(
            tuple((id_, stamp) for id_, stamp in items),
            tuple(Failure(uri, why) for uri, why in failures),
            tuple((why, count) for why, count in skipped),
        )


class FileSource:
    """A file, a folder with all below it, or the files that a glob matches.

    A document's id is its path relative to the folder (to the part of a glob before its first
    wildcard), with "/"; of a single file, its name. Documents of a container have ids like
    `archive.zip/guide/a.md` and `articles.jsonl#12`.

    Args:
        given: the path or glob as it was typed.
        labels: what holds for all its documents.
        home: where it remembers which files it has read, so that unchanged ones are not read again.

    Raises:
        SourceUnusable: there is no such file or folder, or the file is of an unknown kind.
    """

    def __init__(self, given: str, labels: Labels, home: Path | None = None) -> None:
        self.name = given
        self.labels = labels
        path = Path(given).expanduser()
        self._pattern: tuple[str, ...] = ()
        if not _exists(path) and glob.has_magic(given):
            path, self._pattern = _split_glob(path)
        if not _exists(path):
            raise SourceUnusable(f"{given}: no such file or folder")
        self._file = None if path.is_dir() else path.resolve()
        self._own_name = path.name
        self._tree = Tree(self._file.parent if self._file else path, ENDINGS)
        if self._file:
            self._check_file(path)
        self.memory = SourceState.of(home, f"files:{path.absolute()}") if home else None
        self._last: tuple[str, stat_result | None, Unfolded] = ("", None, Unfolded())

    def list(self) -> Listing:
        """Return what is there now, with a hash of each document's bytes."""
        items: list[Listed] = []
        failures: list[Failure] = []
        skipped: Counter[str] = Counter()
        self._last = ("", None, Unfolded())
        known = self._remembered()
        seen: dict[str, list[Any]] = {}
        for found in self._walk(skipped, failures):
            contents = _recalled(known.get(found.path), found.stat)
            if contents is None:
                began = time.time_ns()
                contents, found = self._contents(found)
                if _is_settled(found.stat, began):
                    seen[found.path] = [_signature(found.stat), *contents.to_json()]
            else:
                seen[found.path] = known[found.path]
            for document_id, stamp in contents.items:
                items.append(Listed(document_id, self, stamp, self.labels, found.path))
            failures += contents.failures
            for why, count in contents.skipped:
                skipped[why] += count
        if self.memory and seen != known:
            with suppress(StoreUnavailable):  # what is not remembered is read again
                self.memory.save({"version": _MEMORY, "files": seen})
        items.sort(key=lambda item: item.id)
        return Listing(tuple(items), tuple(failures), tuple(sorted(skipped.items())))

    def read(self, item: Listed) -> RawDocument:
        """Return the bytes of a listed document, as they are now."""
        path = item.place
        if ending_of(path) not in containers.ENDINGS:
            data, _ = self._tree.read(path, size_limit(ending_of(path)))
            return RawDocument(item.id, self.name, ending_of(path), data, self.labels)
        member = self._unfolded(path).members.get(item.id)
        if member is None:
            raise ParseFailed("it is no longer in its file")
        made = member.unpack()
        return RawDocument(
            id=item.id,
            source=self.name,
            ending=made.ending,
            data=made.data,
            labels=self.labels,
            about=made.about,
            stamp=made.stamp,
            path=member.path,
        )

    def stamp(self) -> str:
        """Return a hash of all names, sizes and times, without reading any file."""
        walked = self._walk(Counter(), [])
        lines = [f"{f.path}\0{f.stat.st_size}\0{f.stat.st_mtime_ns}" for f in walked]
        return content_hash(printable("\n".join(sorted(lines))))

    def _contents(self, found: Found) -> tuple[_Contents, Found]:
        """Return what a file holds, and its `stat` when it was read."""
        document_id = self._id(found.path)
        ending = ending_of(found.path)
        try:
            data, now = self._tree.read(found.path, size_limit(ending))
        except ParseFailed as error:
            return _Contents(failures=(Failure(document_id, str(error)),)), found
        found = Found(found.path, now)
        if ending not in containers.ENDINGS:
            return _Contents(((document_id, content_hash(data)),)), found
        unfolded = unfold(document_id, data)
        items: list[tuple[str, str]] = []
        for member in unfolded.members.values():
            try:
                items.append((member.id, member.unpack().stamp))
            except ParseFailed as error:
                unfolded.fail(member.id, str(error))
        skipped = tuple(sorted(unfolded.skipped.items()))
        return _Contents(tuple(items), tuple(unfolded.failures), skipped), found

    def _unfolded(self, path: str) -> Unfolded:
        """Return what a container holds now; the last one is kept, since its documents follow."""
        last, last_stat, unfolded = self._last
        try:
            now = (self._tree.root / path).stat()
        except OSError as error:
            raise ParseFailed(reason(error)) from error
        if path != last or last_stat is None or _signature(last_stat) != _signature(now):
            self._last = ("", None, Unfolded())  # before the next one fills the memory too
            data, now = self._tree.read(path, size_limit(ending_of(path)))
            unfolded = unfold(self._id(path), data)
            self._last = (path, now, unfolded)
        return unfolded

    def _remembered(self) -> dict[str, Any]:
        state = self.memory.load() if self.memory else {}
        files = state.get("files")
        return files if state.get("version") == _MEMORY and isinstance(files, dict) else {}

    def _id(self, path: str) -> str:
        return printable(self._own_name if self._file else path)

    def _check_file(self, path: Path) -> None:
        if ending_of(path.name) not in ENDINGS:
            known = ", ".join(sorted(ENDINGS))
            raise SourceUnusable(
                f"{self.name}: not a kind of file that can be read; known: {known}"
            )
        if not path.is_file():
            raise SourceUnusable(f"{self.name}: neither a plain file nor a folder")

    def _walk(self, skipped: Counter[str], failures: _Failures) -> Iterator[Found]:
        if self._file:
            with suppress(OSError):
                yield Found(self._file.name, self._file.stat())
            return

        def note(folder: str, error: OSError) -> None:
            if not folder:
                raise SourceUnusable(f"{self.name}: {reason(error)}") from error
            failures.append(Failure(self._id(folder) + "/", reason(error)))

        for found in self._tree.walk(skipped, note):
            if not self._pattern or _matches(tuple(found.path.split("/")), self._pattern):
                yield found


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


def _signature(found: stat_result) -> list[int]:
    """Return what changes whenever a file's bytes may have."""
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _is_settled(found: stat_result, now_ns: int) -> bool:
    return max(found.st_mtime_ns, found.st_ctime_ns) < now_ns - _SETTLED_NS


def _recalled(row: Any, found: stat_result) -> _Contents | None:
    """Return what is remembered of a file, None where it may have changed since."""
    try:
        signature, *contents = row
        return _Contents.from_json(contents) if signature == _signature(found) else None
    except (TypeError, ValueError):
        return None
