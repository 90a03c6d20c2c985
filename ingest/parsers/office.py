"""Office files of Word, PowerPoint and Excel: XML parts in a ZIP archive that refer to each other.

`lxml` reads the parts, with nothing fetched and no entity expanded; a part that declares any is
refused, as no office program writes one.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from lxml import etree

from ingest.errors import ParseFailed
from ingest.parsers.archive import open_archive

Element = Any  # of lxml, which comes without types

_MAX_TAGS = 1_000_000  # of one part; a book of 1,000 pages has about 500,000
_OLD_CONTAINER = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")  # the stream that holds an encrypted file
_SAFE = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}
_OFF = ("0", "false", "off", "none")


@dataclass(frozen=True, slots=True)
class Part:
    """One XML file of the package.

    Its tags and attributes have no namespaces, but for the ids of relationships (`r.id`), so that
    files of the "strict" and the usual form of the format read alike.
    """

    name: str
    root: Element
    targets: Mapping[str, str]  # by relationship id: the name of a part, or an address
    kinds: Mapping[str, str]  # by kind, such as `styles`: the first target

    def target(self, element: Element, attribute: str = "r.id") -> str:
        """Return where an element refers to; "" for nowhere."""
        return self.targets.get(element.get(attribute, ""), "")


@dataclass(frozen=True, slots=True)
class Properties:
    """What the file's properties say of it; "" where they say nothing."""

    title: str = ""
    language: str = ""
    modified_at: str = ""
    tags: tuple[str, ...] = ()


class Package:
    """An office file whose parts are read when they are asked for.

    Raises:
        ParseFailed: it is encrypted, damaged, or no office file.
    """

    def __init__(self, data: bytes) -> None:
        if data.startswith(_OLD_CONTAINER):
            raise ParseFailed(
                "encrypted; save it without a password"
                if _ENCRYPTED in data
                else "an old binary office file; save it as .docx, .pptx or .xlsx"
            )
        self._archive = open_archive(data)
        self._members = {
            member.filename.replace("\\", "/").lstrip("/").casefold(): member
            for member in self._archive.infolist()
        }
        self._package = self._related("")

    def main(self, root: str, what: str) -> Part:
        """Return the part that the file is about.

        Raises:
            ParseFailed: its root element has another name: the file is not `what`.
        """
        part = self.part(self._package[1].get("officeDocument", ""))
        if part is None or part.root.tag != root:
            raise ParseFailed(f"not {what}")
        return part

    def part(self, name: str) -> Part | None:
        """Return the part, or None where the package has none of that name."""
        member = self._members.get(name.casefold())
        if member is None:
            return None
        return Part(name, _plain(_xml(self._archive.read(member))), *self._related(name))

    def related(self, part: Part, kind: str) -> Element | None:
        """Return the root of the first part that is related to another in a way, or None."""
        found = self.part(part.kinds.get(kind, ""))
        return found.root if found else None

    def stream(self, name: str, *tags: str) -> Iterator[tuple[str, Element]]:
        """Yield the elements of these tags with their plain tags, each emptied afterwards.

        The elements keep their namespaces.
        """
        member = self._members.get(name.casefold())
        if member is None:
            return
        wanted = [f"{{*}}{tag}" for tag in tags]
        with self._archive.open(member) as file:
            try:
                events = etree.iterparse(
                    file, tag=wanted, remove_comments=True, remove_pis=True, **_SAFE
                )
                for count, (_, element) in enumerate(events):
                    if not count:
                        _refuse_entities(element)
                    yield local(element), element
                    element.clear()
                    while element.getprevious() is not None:
                        del element.getparent()[0]
            except etree.LxmlError as error:
                raise ParseFailed(f"its part {name} is not XML: {error}") from error

    def properties(self) -> Properties:
        """Return title, language, last change and keywords."""
        part = self.part(self._package[1].get("core-properties", ""))
        if part is None:
            return Properties()
        keywords = re.split(r"[,;]", part.root.findtext("keywords") or "")
        return Properties(
            title=" ".join((part.root.findtext("title") or "").split()),
            language=(part.root.findtext("language") or "").strip(),
            modified_at=_moment(part.root.findtext("modified") or ""),
            tags=tuple(dict.fromkeys(tag for word in keywords if (tag := " ".join(word.split())))),
        )

    def targets(self, name: str) -> Mapping[str, str]:
        """Return where the relationships of a part lead, by their ids."""
        return self._related(name)[0]

    def _related(self, name: str) -> tuple[dict[str, str], dict[str, str]]:
        """Return what a part refers to, by id and by kind."""
        folder, base = posixpath.split(name)
        member = self._members.get(f"{folder}/_rels/{base}.rels".lstrip("/").casefold())
        targets: dict[str, str] = {}
        kinds: dict[str, str] = {}
        for found in _plain(_xml(self._archive.read(member))) if member else ():
            target = found.get("Target", "")
            if found.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", folder, unquote(target)))[1:]
            targets[found.get("Id", "")] = target
            kinds.setdefault(found.get("Type", "").rpartition("/")[2], target)
        return targets, kinds


def local(element: Element) -> str:
    """Return an element's tag without its namespace."""
    return str(element.tag).rpartition("}")[2]


def is_on(element: Element | None) -> bool:
    """Tell whether a property is there and not switched off."""
    return element is not None and element.get("val", "1") not in _OFF


def is_on_by(element: Element, attribute: str) -> bool:
    """Tell whether an attribute is there and says yes."""
    return element.get(attribute, "0") in ("1", "true", "on")


def chosen(alternatives: Element) -> Element | None:
    """Return the one of several forms of the same content that is meant for today's programs."""
    choice = alternatives.find("Choice")
    return alternatives.find("Fallback") if choice is None else choice


def _xml(data: bytes) -> Element:
    if data.count(b"<") > _MAX_TAGS:
        raise ParseFailed(f"more than {_MAX_TAGS:,} XML tags; split it")
    try:
        parser = etree.XMLParser(remove_comments=True, remove_pis=True, **_SAFE)
        root = etree.fromstring(data, parser)
    except (etree.LxmlError, ValueError) as error:
        raise ParseFailed(f"a part of it is not XML: {error}") from error
    _refuse_entities(root)
    return root


def _refuse_entities(element: Element) -> None:
    if element.getroottree().docinfo.internalDTD is not None:
        raise ParseFailed("its XML declares a document type, which no office program writes")


def _plain(root: Element) -> Element:
    for element in root.iter():
        element.tag = local(element)
        for name, value in element.attrib.items():
            if name.startswith("{"):
                namespace, _, plain = name.rpartition("}")
                del element.attrib[name]
                element.set(f"r.{plain}" if namespace.endswith("/relationships") else plain, value)
    return root


def _moment(text: str) -> str:
    try:
        return datetime.fromisoformat(text.strip()).isoformat()
    except ValueError:
        return ""
