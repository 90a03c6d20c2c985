"""Articles as JSON: a record, a list of records, or one record a line, by their usual names."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ingest.errors import ParseFailed
from ingest.parsers import fields
from ingest.parsers.characters import WIDE_MARKS, decode
from ingest.sources.base import About

_LISTS = ("articles", "documents", "items", "pages")
_IDS = ("id", "slug", "key")
_ADDRESSES = ("url", "link", "html_url")
_TITLES = ("title", "name", "question")
_BODIES = ("body", "content", "text", "html", "answer", "markdown")
_FORMATS = {"html": ".html", "markdown": ".md", "md": ".md", "text": ".txt", "plain": ".txt"}
_TAG = re.compile(
    r"</?(?:p|div|h[1-6]|[uo]l|li|br|table|t[rdh]|span|strong|em|pre|code|section|article|a)\b"
    r"(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_LOST_ID = re.compile(rb'"(?:id|slug|key)"\s*:\s*(?:"([^"\\]{1,200})"|(\d{1,40}))')


@dataclass(frozen=True, slots=True)
class Article:
    """One record that has a body: what is read of it, and where it stood."""

    id: str  # as the record names it, else its address or title; "" where it has none
    title: str
    place: str  # such as "line 7"
    record: Mapping[str, Any]

    @property
    def path(self) -> str:
        """Return where customers read it, below the base URL; "" where its id does not say."""
        return self.id if fields.first_text(self.record, *_IDS) else ""

    @property
    def is_draft(self) -> bool:
        """Tell whether it says that it is not meant to be read yet, or any more."""
        said = fields.first_text(self.record, "status", "state").lower()
        is_open = self.record.get("draft") is not True and self.record.get("published") is not False
        return not is_open or said in ("draft", "archived", "deleted", "trashed")


@dataclass(frozen=True, slots=True)
class Illegible:
    """A place where an article should be and none can be read; `id` where it can be told."""

    id: str
    place: str
    reason: str
    is_json: bool = True  # it is some other record


@dataclass(frozen=True, slots=True)
class ArticleFile:
    """All records of a file, in order; `is_single` where the file is one article."""

    items: tuple[Article | Illegible, ...] = ()
    is_single: bool = False


def read(data: bytes, ending: str) -> ArticleFile:
    """Return the articles of a JSON file, or of a file with one JSON object a line.

    Raises:
        ParseFailed: the file is no JSON at all.
    """
    if ending != ".json":
        return ArticleFile(tuple(_of_lines(data)))
    value = _loaded(data)
    found = value if isinstance(value, list) else _list_in(value)
    if found is None:
        return ArticleFile((_article(value, "it"),) if _is_article(value) else (), True)
    # Many JSON files hold no articles at all: settings, data, lock files.
    if not any(map(_is_article, found)):
        return ArticleFile()
    numbered = enumerate(found, start=1)
    return ArticleFile(tuple(_article(item, f"number {number}") for number, item in numbered))


def content(article: Article) -> tuple[str, bytes, About]:
    """Return ending, bytes and labels of an article, as a file of its own would have them.

    Raises:
        ParseFailed: its last day is no date.
    """
    record = article.record
    key, body = _body(record)
    ending = _ending(record, key, body)
    page = _page(article.title, body, ending)
    about = About(
        title=article.title,
        url=fields.first_text(record, *_ADDRESSES),
        language=fields.first_text(record, "language", "locale", "lang"),
        modified_at=fields.moment(record, "updated_at", "modified", "last_modified", "updated"),
        audiences=fields.audiences(record, "audience", "audiences", "visibility"),
        tags=fields.tags(record, "tags", "labels"),
        owner=fields.first_text(record, "owner"),
        version=fields.first_text(record, "version"),
        valid_until=fields.last_day(record),
    )
    return ending, page.encode("utf-8", "replace"), about


def _of_lines(data: bytes) -> Iterator[Article | Illegible]:
    if data.startswith(WIDE_MARKS):
        data = decode(data).encode("utf-8", "replace")
    start = number = 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        line, start, number = data[start:end].strip(), end + 1, number + 1
        if line.strip(b"\xef\xbb\xbf"):
            yield _of_line(line, f"line {number}")


def _of_line(line: bytes, place: str) -> Article | Illegible:
    try:
        return _article(_loaded(line), place)
    except ParseFailed as error:
        lost = _LOST_ID.search(line)
        name = (lost[1] or lost[2]).decode("utf-8", "replace") if lost else ""
        return Illegible(name, place, str(error), is_json=False)


def _loaded(data: bytes) -> Any:
    try:
        return json.loads(decode(data))
    except RecursionError as error:
        raise ParseFailed("JSON nested too deeply") from error
    except json.JSONDecodeError as error:
        raise ParseFailed(
            f"not valid JSON (line {error.lineno}, column {error.colno}: {error.msg})"
        ) from error
    except ValueError as error:  # such as a number of too many digits
        raise ParseFailed(f"not valid JSON ({error})") from error


def _list_in(value: Any) -> list[Any] | None:
    if not isinstance(value, dict):
        return None
    return next((v for key in _LISTS if isinstance(v := value.get(key), list)), None)


def _article(value: Any, place: str) -> Article | Illegible:
    if not isinstance(value, dict):
        return Illegible("", place, "not an article: no JSON object")
    record = {str(key).lower(): item for key, item in value.items()}
    title = fields.first_text(_plain(record), *_TITLES)
    name = fields.first_text(record, *_IDS, *_ADDRESSES) or title
    if not _body(record)[0]:
        names = ", ".join(_BODIES)
        return Illegible(name, place, f"not an article: it has none of {names}")
    return Article(name, title, place, record)


def _is_article(value: Any) -> bool:
    found = _article(value, "")
    return isinstance(found, Article) and bool(found.title or found.id)


def _body(record: Mapping[str, Any]) -> tuple[str, str]:
    plain = _plain(record)
    found = ((key, plain.get(key)) for key in _BODIES)
    return next(((key, body) for key, body in found if isinstance(body, str)), ("", ""))


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record with `{"rendered": "text"}`, as WordPress has it, for its text."""
    return {
        key: value.get("rendered") if isinstance(value, dict) else value
        for key, value in record.items()
    }


def _ending(record: Mapping[str, Any], key: str, body: str) -> str:
    said = fields.first_text(record, "format").lower()
    if ending := _FORMATS.get(said) or _FORMATS.get(key.replace("text", "")):
        return ending
    if _TAG.search(body):
        return ".html"
    return ".txt" if key == "text" else ".md"


def _page(title: str, body: str, ending: str) -> str:
    """Return the body under its title, so that its first heading is not taken for that."""
    if ending == ".html":
        name = html.escape(title)
        head = f"<!doctype html><meta charset=utf-8><title>{name}</title>"
        return f"{head}<main><h1>{name}</h1>{body}</main>" if title else head + body
    if ending == ".txt":
        return f"{title}\n\n{body}"
    has_own = body.startswith("---") or body.lstrip().partition("\n")[0].strip() == f"# {title}"
    return body if has_own or not title else f"# {title}\n\n{body}"
