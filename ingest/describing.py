"""Who a document is: its title, where customers read it, and who may see it."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import quote, urljoin, urlsplit

from ingest.parsers.base import Parsed
from ingest.parsers.characters import line
from ingest.screening import finder
from ingest.sources.base import RawDocument
from knowledge.documents import PUBLIC, STAFF, Document
from knowledge.redaction import masked

_LONGEST_TITLE = 300  # characters
_READ_OF_TITLE = 3_000  # some systems have whole pages there, and to look through them takes long
_MARKDOWN = (".md", ".markdown", ".mdx")


def describe(raw: RawDocument, parsed: Parsed, content_hash: str) -> Document:
    """Return the document that a parsed page is, its chunks still to come.

    What the source's system says of it goes before what it says itself, and that before the
    source's labels; of several last days the first one holds.
    """
    told, labels = raw.about, raw.labels
    days = filter(None, (told.valid_until, parsed.valid_until, labels.valid_until))
    return Document(
        id=raw.id,
        title=_title(raw, parsed),
        uri=_uri(raw, parsed),
        source=raw.source,
        content_hash=content_hash,
        audiences=_audiences(raw, parsed),
        language=line(told.language or parsed.language),
        modified_at=line(told.modified_at or parsed.modified_at),
        valid_until=min(days, default=""),
        tags=tuple(dict.fromkeys(map(line, (*told.tags, *parsed.tags, *labels.tags)))),
        owner=line(told.owner or parsed.owner) or labels.owner,
        version=line(told.version or parsed.version) or labels.version,
        kind=parsed.kind,
        questions=tuple(masked(line(one), finder(raw.labels))[0] for one in parsed.questions),
    )


def _title(raw: RawDocument, parsed: Parsed) -> str:
    stem = PurePosixPath(raw.id).stem
    title = (
        line(raw.about.title[:_READ_OF_TITLE])
        or line(parsed.title[:_READ_OF_TITLE])
        or stem.replace("-", " ").replace("_", " ").strip()
        or raw.id
    )
    title, _, _ = masked(title, finder(raw.labels))
    return title if len(title) <= _LONGEST_TITLE else title[: _LONGEST_TITLE - 1].rstrip() + "…"


def _audiences(raw: RawDocument, parsed: Parsed) -> frozenset[str]:
    said = parsed.audiences if raw.about.audiences is None else raw.about.audiences
    if said is None:
        return frozenset({raw.labels.audience})
    own = raw.labels.audience
    if raw.is_fetched and raw.about.audiences is None and own != PUBLIC:
        said = frozenset({own}) if said & {own, PUBLIC} else frozenset()
    # A label that cannot be read closes the document; it never opens it.
    return said if said and all(map(str.isprintable, said)) else frozenset({STAFF})


def _uri(raw: RawDocument, parsed: Parsed) -> str:
    """Return the page's own address, else its place under the source's base URL, else its id."""
    if _is_web_address(raw.about.url):
        return raw.about.url
    base = raw.labels.base_url.rstrip("/") + "/" if raw.labels.base_url else ""
    if parsed.url and _is_web_address(address := urljoin(base, parsed.url)):
        return address
    if not base:
        return raw.id
    path = raw.path or raw.id
    for ending in _MARKDOWN:
        path = path.removesuffix(ending)
    return base + quote(path)


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    is_plain = text.isprintable() and not set(text) & set(' <>"')
    return parts.scheme in ("http", "https") and bool(parts.netloc) and is_plain
