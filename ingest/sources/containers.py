"""Files that hold many documents: ZIP archives, and articles as JSON.

A container is unfolded where files are listed, so that each of its documents has an id, a stamp
and a failure of its own. Names inside are only names: nothing is ever written to the disk.
"""

from __future__ import annotations

import re
import stat
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence, Set
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial

from ingest.errors import ParseFailed
from ingest.parsers import ENDINGS as DOCUMENTS
from ingest.parsers.archive import open_archive
from ingest.sources import articles
from ingest.sources.base import MAX_DOCUMENT_BYTES, About
from ingest.sources.exports import NotionName, is_notion, is_part, notion_page, space_indexes
from ingest.sources.names import ending_of, printable, why_no_document, why_no_folder
from ingest.sources.tree import check_size
from knowledge.documents import content_hash
from knowledge.failures import Failure

_LARGE = 200 * 1024 * 1024  # bytes; read member by member, or line by line
_LIMITS = {
    ".zip": _LARGE,
    ".jsonl": _LARGE,
    ".ndjson": _LARGE,
    ".json": MAX_DOCUMENT_BYTES,
}
ENDINGS = frozenset(_LIMITS)
_KNOWN = DOCUMENTS | ENDINGS
_DRIVE = re.compile(r"[A-Za-z]:")
_IS_UTF8 = 0x800  # flag of a member of a ZIP archive: its name is UTF-8


@dataclass(frozen=True, slots=True)
class Content:
    """One document of a container, unpacked: what a file of its own would hold."""

    ending: str
    data: bytes
    about: About = field(default_factory=About)

    @property
    def stamp(self) -> str:
        """Return the SHA-256 of the bytes, or of them and all that is said about them."""
        stamp = content_hash(self.data)
        if self.about == About():
            return stamp
        said = asdict(self.about)
        said["audiences"] = self.about.audiences and sorted(self.about.audiences)
        return content_hash(f"{stamp}{sorted(said.items())!r}")


@dataclass(frozen=True, slots=True)
class Member:
    """One document of a container, not yet unpacked."""

    id: str  # of the document: begins with that of the container
    path: str  # where customers read it, below the base URL; "": as its id says
    unpack: Callable[[], Content]  # raises ParseFailed


@dataclass(frozen=True, slots=True)
class Unfolded:
    """All that a container holds, what of it cannot be read, and what was passed over."""

    members: dict[str, Member] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    def add(self, member: Member) -> None:
        """Take a document in, unless another one has its id."""
        if member.id in self.members:
            self.fail(member.id, "another document of this file has the same id and was taken")
        else:
            self.members[member.id] = member

    def fail(self, document_id: str, reason: str) -> None:
        """Note what cannot be read; an id of the file itself stands for all that it holds."""
        self.failures.append(Failure(document_id, reason))


def size_limit(ending: str) -> int:
    """Return how many bytes a file of an ending may have."""
    return _LIMITS.get(ending, MAX_DOCUMENT_BYTES)


def unfold(container_id: str, data: bytes) -> Unfolded:
    """Return what a container holds; one that cannot be read at all is one failure."""
    unfolder = _Unfolder()
    unfolder.unfold(_Place(container_id, _folder_of(container_id)), data)
    return unfolder.found


@dataclass(frozen=True, slots=True)
class _Place:
    """One container: its id, the folder of its documents' addresses, and how deep it lies."""

    id: str
    folder: str
    archives: int = 0  # ZIP archives around it

    def path(self, name: str) -> str:
        """Return the address path of one of its documents."""
        return f"{self.folder}/{name}" if self.folder else name


class _Unfolder:
    """Unfolds one container with all that are in it, within one bound."""

    def __init__(self) -> None:
        self.found = Unfolded()
        self._room = _LARGE  # bytes that archives may still unpack to

    def unfold(self, place: _Place, data: bytes) -> None:
        try:
            if ending_of(place.id) == ".zip":
                self._unfold_archive(place, data)
            else:
                self._unfold_articles(place, data)
        except ParseFailed as error:
            self.found.fail(place.id, str(error))

    def _unfold_articles(self, place: _Place, data: bytes) -> None:
        file = articles.read(data, ending_of(place.id))
        if all(isinstance(item, articles.Illegible) and item.is_json for item in file.items):
            self.found.skipped["JSON files without articles"] += 1
            return
        for item in file.items:
            name = printable(item.id) or item.place.replace(" ", "-")
            own_id = place.id if file.is_single else f"{place.id}#{name}"
            if isinstance(item, articles.Illegible):
                # Which document it was cannot be told without an id: then all that were stay.
                self.found.fail(own_id if item.id else place.id, f"{item.place}: {item.reason}")
            elif item.is_draft:
                self.found.skipped["drafts"] += 1
            else:
                path = place.path(item.path) if item.path else ""
                self.found.add(Member(own_id, path, partial(_article, item)))

    def _unfold_archive(self, place: _Place, data: bytes) -> None:
        if place.archives > 1:
            raise ParseFailed("a ZIP archive in one that is in another one; unpack it first")
        archive = open_archive(data)
        self._room -= sum(info.file_size for info in archive.infolist())
        if self._room < 0:
            raise ParseFailed(f"its archives unpack to more than {_LARGE // 1024**2} MB")
        files = [_File(archive, info, _clean_path(info)) for info in archive.infolist()]
        indexes = space_indexes([file.path for file in files])
        files = [file for file in files if not self._is_passed_over(file, indexes)]
        is_export = is_notion([file.path for file in files])
        for file in files:
            try:
                check_size(file.info.file_size, size_limit(file.ending))
                if file.ending in ENDINGS:
                    self._unfold_inner(place, file)
                elif is_export:
                    self._add_page(place, file, files)
                else:
                    unpack = partial(_file, file)
                    self.found.add(Member(f"{place.id}/{file.path}", place.path(file.path), unpack))
            except ParseFailed as error:
                self.found.fail(f"{place.id}/{file.path}", str(error))

    def _unfold_inner(self, place: _Place, file: _File) -> None:
        # Notion names the inner archive anew with each export.
        inner = place.id if is_part(file.path) else f"{place.id}/{file.path}"
        folder = _folder_of(place.path(file.path))
        self.unfold(_Place(inner, folder, place.archives + 1), file.read())

    def _add_page(self, place: _Place, file: _File, files: Sequence[_File]) -> None:
        """Take in a file of a Notion export, under the id that it keeps when it is renamed."""
        name = NotionName.of(file.path)
        if name is None:  # `index.html`
            self.found.skipped["tables of contents"] += 1
            return
        whole = file.path.removesuffix(file.ending) + "_all" + file.ending
        if any(other.path == whole for other in files):
            self.found.skipped["views of databases that are there as a whole"] += 1
            return
        unpack = partial(_notion_page, file, name)
        self.found.add(Member(f"{place.id}/{name.id}{name.ending}", name.id, unpack))

    def _is_passed_over(self, file: _File, indexes: Set[str]) -> bool:
        """Tell whether this is no document, by the same rules as on the disk."""
        *folders, name = file.path.split("/")
        if file.info.is_dir() or not name:
            return True
        why = next(filter(None, map(why_no_folder, folders)), "")
        why = why or why_no_document(name, _KNOWN)
        if file.path in indexes:
            why = "tables of contents"
        if stat.S_ISLNK(file.info.external_attr >> 16):
            why = "links in archives"
        if why:
            self.found.skipped[why] += 1
        return bool(why)


@dataclass(frozen=True, slots=True)
class _File:
    """One file of an archive."""

    archive: zipfile.ZipFile
    info: zipfile.ZipInfo
    path: str

    @property
    def ending(self) -> str:
        return ending_of(self.path)

    def read(self) -> bytes:
        return self.archive.read(self.info)


def _article(article: articles.Article) -> Content:
    return Content(*articles.content(article))


def _file(file: _File) -> Content:
    return Content(file.ending, file.read())


def _notion_page(file: _File, name: NotionName) -> Content:
    return Content(file.ending, *notion_page(name, file.read()))


def _folder_of(path: str) -> str:
    return path.rpartition("/")[0]


def _clean_path(info: zipfile.ZipInfo) -> str:
    """Return a member's name as part of an id: relative, with "/", and without ways upwards."""
    name = info.filename
    if not info.flag_bits & _IS_UTF8:
        with suppress(UnicodeError):  # many programs write UTF-8 and do not say so
            name = name.encode("cp437").decode("utf-8")
    parts = [part for part in re.split(r"[/\\]", name) if part not in ("", ".", "..")]
    return printable("/".join(part for part in parts if not _DRIVE.fullmatch(part)))
