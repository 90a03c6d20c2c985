"""Links that lead to a document which the knowledge base does not hold. Nothing is fetched."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import unquote, urlsplit

from ingest.parsers import ENDINGS
from knowledge.documents import Document

_LINK = re.compile(r"(?<!!)\[[^\]\n]{0,300}\]\(<?([^)\s>]{1,500})")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.S)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.I)
_INDEX = re.compile(r"(?:^|/)(?:index|readme)$", re.I)


def links(text: str) -> list[str]:
    """Return the targets of a passage's links, those in code left out."""
    return list(dict.fromkeys(_LINK.findall(_CODE.sub(" ", text)))) if "](" in text else []


def dead_links(
    documents: Mapping[str, Document], targets: Mapping[str, Iterable[str]]
) -> Iterator[tuple[str, str]]:
    """Yield (document id, target) for each link to a document that does not exist.

    A link counts if it is relative and its document is a file, or leads below an address at which
    files of the knowledge base are read. Links to pictures and downloads do not count.
    """
    known = {
        _place(name) for document in documents.values() for name in (document.id, document.uri)
    }
    bases = {base for document in documents.values() if (base := _base(document))}
    for document_id, some in targets.items():
        for target in some:
            meant = _meant(document_id, target, bases)
            if meant and known.isdisjoint(meant):
                yield document_id, target


def _meant(document_id: str, target: str, bases: Iterable[str]) -> Sequence[str]:
    """Return the places that a link may mean; none: it is nothing of ours."""
    if target.startswith("#"):
        return ()
    if _SCHEME.match(target):
        is_ours = any(target.startswith(base) for base in bases)
        return [_place(target)] if is_ours and _is_page(target) else []
    path = unquote(target.partition("#")[0].partition("?")[0])
    if not path or not _is_page(path) or _SCHEME.match(document_id):
        return ()
    if path.startswith("/"):
        return [_place(path.lstrip("/"))]
    folders = (posixpath.dirname(document_id), posixpath.splitext(document_id)[0])
    joined = [posixpath.normpath(posixpath.join(folder, path)) for folder in folders]
    return () if any(place.startswith("..") for place in joined) else [*map(_place, joined)]


def _is_page(path: str) -> bool:
    ending = posixpath.splitext(urlsplit(path).path)[1].lower()
    return not ending or ending in ENDINGS or not re.fullmatch(r"\.[a-z]\w{1,4}", ending)


def _place(name: str) -> str:
    """Return an id or an address as it is compared: without ending, fragment and `index`."""
    path = unquote(name.partition("#")[0].partition("?")[0]).rstrip("/")
    stem, ending = posixpath.splitext(path)
    path = stem if ending.lower() in ENDINGS else path
    return _INDEX.sub("", path)


def _base(document: Document) -> str:
    """Return the address below which the files of its source are read, "" where none is known."""
    if _SCHEME.match(document.id) or not document.uri.startswith(("http://", "https://")):
        return ""
    address, path = _place(document.uri), _place(document.id)
    if not path or not address.endswith(f"/{path}"):
        return ""
    return address[: -len(path)]
