"""Which kind of document a body is: the ending that names its parser."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from mimetypes import guess_type
from pathlib import PurePosixPath

from ingest.addresses import WebAddress
from ingest.parsers import ENDINGS

_OFFICE = "application/vnd.openxmlformats-officedocument"
_ENDINGS = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "text/markdown": ".md",
    "text/x-markdown": ".md",
    "text/x-rst": ".rst",
    "text/asciidoc": ".adoc",
    "text/csv": ".csv",
    "application/json": ".json",
    "application/x-ndjson": ".jsonl",
    "application/pdf": ".pdf",
    "application/epub+zip": ".epub",
    "message/rfc822": ".eml",
    f"{_OFFICE}.wordprocessingml.document": ".docx",
    f"{_OFFICE}.presentationml.presentation": ".pptx",
    f"{_OFFICE}.spreadsheetml.sheet": ".xlsx",
}
# Types that say little: the address's own ending says more.
_VAGUE = ("", "text/plain", "application/octet-stream", "binary/octet-stream", "application/zip")
_PAGES = ("", ".html", ".htm", ".xhtml", ".php", ".asp", ".aspx", ".jsp", ".cgi", ".do")
# Of the encodings of the web; Python knows others, some of which take long on purpose.
_CHARSET = re.compile(
    r"iso-?8859-\d{1,2}|latin-?1|(windows-|cp)12\d\d|cp932|koi8-[ru]|shift_jis|euc-(jp|kr)"
    r"|gbk|gb2312|gb18030|big5|macintosh|utf-?16(le|be)?"
)
_HTML_STARTS = (b"<!doctype html", b"<html", b"<head", b"<body")


def ending_of(url: str, told: Mapping[str, str], body: bytes) -> str:
    """Return the ending of a fetched document, which may be of a kind that has no parser."""
    if body.startswith(b"%PDF-"):  # whatever is said of it
        return ".pdf"
    kind = told.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _VAGUE:
        return _ENDINGS.get(kind, f"{kind} files")
    suffix = _suffix(url)
    if suffix in ENDINGS:
        return suffix
    if kind != "text/plain" and body[:1000].lstrip().lower().startswith(_HTML_STARTS):
        return ".html"
    return ".txt" if kind == "text/plain" else suffix or "files without a type"


def may_be_document(url: str) -> bool:
    """Tell whether a link may lead to something that can be read, by its ending alone."""
    suffix = _suffix(url)
    if suffix in ENDINGS or suffix in _PAGES:
        return True
    kind = guess_type(f"x{suffix}")[0]
    return kind is None or kind.startswith("text/html")


def as_utf8(data: bytes, told: Mapping[str, str]) -> bytes:
    """Return a text in UTF-8 where its headers, and nothing in it, tell its encoding."""
    charset = told.get("content-type", "").lower().partition("charset=")[2].strip("\"' ;")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        return data
    if not _CHARSET.fullmatch(charset):
        return data
    try:
        return codecs.BOM_UTF8 + data.decode(charset).encode("utf-8")
    except (LookupError, UnicodeError):
        return data


def _suffix(url: str) -> str:
    return PurePosixPath(WebAddress.of(url).path).suffix.lower()
