"""EPUB: the chapters of a book in reading order, each read as an HTML page."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from urllib.parse import unquote, urlsplit

from lxml import etree

from ingest.errors import DocumentEmpty, ParseFailed
from ingest.parsers import html
from ingest.parsers.base import Parsed
from ingest.parsers.characters import clean
from ingest.sources.base import RawDocument

_MAX_MEMBERS = 10_000
_MAX_BYTES = 200 * 1024 * 1024  # of all that is read, unpacked
_MAX_RATIO = 100  # of unpacked to packed; text packs to a third or so
_SMALL = 1024 * 1024  # bytes that may be packed any better
_MAX_CHAPTERS = 2_000
_PAGES = ("application/xhtml+xml", "text/html")
_CONTAINER = "META-INF/container.xml"
_RIGHTS = "META-INF/encryption.xml"
# Fonts may be scrambled in a book that is otherwise open.
_FONT_SCRAMBLING = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)


def parse(raw: RawDocument) -> Parsed:
    """Return the text of a book's chapters, with its title, language and last change.

    Raises:
        ParseFailed: it is no EPUB, is protected, or unpacks to more than a book can be.
    """
    try:
        with _opened(raw.data) as file:
            return _parse(_Members(file), raw)
    except _BROKEN as error:
        raise ParseFailed(f"not an EPUB file, or a broken one ({error})") from error


def _opened(data: bytes) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except ValueError as error:  # of places outside the file
        raise zipfile.BadZipFile(str(error)) from error


class _Members:
    """The files in an archive, read in memory and within limits."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        if len(file.infolist()) > _MAX_MEMBERS:
            raise ParseFailed(f"more than {_MAX_MEMBERS:,} files in the archive")
        self._file = file
        self._left = _MAX_BYTES
        self._names = {info.filename: info for info in file.infolist()}

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def read(self, name: str) -> bytes:
        """Return the bytes of a member.

        Raises:
            ParseFailed: it is missing, or too large.
        """
        if name not in self._names:
            raise ParseFailed(f"{name[:100]} is missing in the archive")
        info = self._names[name]
        if info.flag_bits & 1:
            raise ParseFailed("encrypted; save without a password")
        limit = min(self._left, max(_MAX_RATIO * info.compress_size, _SMALL))
        data = self._unpacked(info, limit)
        if len(data) > limit:
            raise ParseFailed(f"{name[:100]} unpacks to more than is allowed")
        self._left -= len(data)
        return data

    def _unpacked(self, info: zipfile.ZipInfo, limit: int) -> bytes:
        """Return the bytes up to one more than the limit, whatever the archive says of its size."""
        try:
            with self._file.open(info) as member:
                return member.read(limit + 1)
        except ValueError as error:  # of places outside the file
            raise zipfile.BadZipFile(str(error)) from error


def _parse(members: _Members, raw: RawDocument) -> Parsed:
    _refuse_rights(members)
    place = _first(_tree(members, _CONTAINER), "//*[local-name()='rootfile']/@full-path")
    package = _tree(members, place)
    parts: list[str] = []
    notes: list[str] = []
    for name in _chapters(package, posixpath.dirname(place)):
        try:
            chapter = html.parse(replace(raw, ending=".xhtml", data=members.read(name)))
        except ParseFailed as error:
            notes.append(f"{name}: {error}")
            continue
        head = f"## {chapter.title}\n\n" if chapter.title else ""
        if chapter.text:
            parts.append(head + (_lowered(chapter.text) if head else chapter.text))
            notes.extend(f"{name}: {note}" for note in chapter.notes)
    if not parts:
        raise ParseFailed("; ".join(notes[:5])) if notes else DocumentEmpty("no chapter has text")
    return Parsed(
        text="\n\n".join(parts),
        title=_said(package, "title"),
        language=_said(package, "language"),
        modified_at=_modified_at(package),
        notes=tuple(notes),
    )


def _lowered(text: str) -> str:
    """Return the text with its headings one level down, below that of its chapter."""
    in_code = False
    lines = []
    for line in text.split("\n"):
        in_code ^= line.startswith("```")
        is_heading = not in_code and re.match("#{2,5} ", line)
        lines.append(f"#{line}" if is_heading else line)
    return "\n".join(lines)


def _refuse_rights(members: _Members) -> None:
    if _RIGHTS not in members:
        return
    ways = _tree(members, _RIGHTS).xpath("//*[local-name()='EncryptionMethod']/@Algorithm")
    if any(way not in _FONT_SCRAMBLING for way in ways):
        raise ParseFailed("protected against copying (DRM); its text cannot be read")


def _tree(members: _Members, name: str) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    try:
        tree = etree.fromstring(members.read(name), parser)
    except etree.XMLSyntaxError as error:
        raise ParseFailed(f"{name[:100]} is not valid XML") from error
    if tree is None:
        raise ParseFailed(f"{name[:100]} is not valid XML")
    return tree


def _first(tree: etree._Element, path: str) -> str:
    found = tree.xpath(path)
    if not found:
        raise ParseFailed("the archive names no book")
    return str(found[0])


def _chapters(package: etree._Element, folder: str) -> Iterator[str]:
    """Yield the archive's names of the pages in the order of the spine, less its navigation."""
    items = {
        item.get("id"): item for item in package.xpath("//*[local-name()='manifest']/*[@href]")
    }
    seen: set[str] = set()
    for entry in package.xpath("//*[local-name()='spine']/*[local-name()='itemref']/@idref"):
        item = items.get(entry)
        if item is None or item.get("media-type") not in _PAGES:
            continue
        if "nav" in (item.get("properties") or "").split():
            continue
        name = posixpath.normpath(posixpath.join(folder, unquote(urlsplit(item.get("href")).path)))
        if name not in seen:
            seen.add(name)
            yield name
        if len(seen) > _MAX_CHAPTERS:
            raise ParseFailed(f"more than {_MAX_CHAPTERS:,} chapters")


def _said(package: etree._Element, name: str) -> str:
    for value in package.xpath(f"//*[local-name()='metadata']/*[local-name()='{name}']"):
        if text := " ".join(clean("".join(value.itertext())).split()):
            return text
    return ""


def _modified_at(package: etree._Element) -> str:
    said = package.xpath("//*[local-name()='meta'][@property='dcterms:modified']/text()")
    for value in [*said, _said(package, "date")]:
        try:
            return datetime.fromisoformat(value.strip()).isoformat()
        except ValueError:
            continue
    return ""
