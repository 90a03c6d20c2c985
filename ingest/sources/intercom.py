"""Intercom Articles: what is published of a workspace's help centres.

https://developers.intercom.com/docs/references/rest-api/api.intercom.io/articles
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pydantic import TypeAdapter

from ingest.config import SourceSettings
from ingest.errors import DocumentEmpty, FetchFailed
from ingest.parsers.fields import moment
from ingest.retrying import Patience
from ingest.sources.api import PATIENCE, Api, Told, needed_login, origin_of, paged
from ingest.sources.base import About, Labels
from ingest.sources.state import SourceState
from ingest.sources.system import (
    ApiSource,
    Article,
    Version,
    html_page,
    stamp_of,
    without_slug,
)

_VERSION = "2.11"  # of the API, which stays as it is
_PER_PAGE = 100
_PUBLISHED = "published"


class _Text(Told):
    title: str | None = None
    body: str | None = None
    state: str = "draft"
    url: str | None = None
    updated_at: int | None = None


class _Article(_Text):
    id: int | str
    state: str
    updated_at: int
    default_locale: str | None = None
    parent_ids: tuple[int, ...] | None = None
    parent_id: int | str | None = None
    translated_content: dict[str, Any] | None = None


class _Pages(Told):
    next: str | dict[str, Any] | None = None
    page: int | str = 1
    total_pages: int = 1


class _List(Told):
    data: tuple[_Article, ...]
    total_count: int
    pages: _Pages | None = None


class _Collection(Told):
    id: int | str
    name: str | None = None


class _Collections(Told):
    data: tuple[_Collection, ...]
    pages: _Pages | None = None


_LIST = TypeAdapter(_List)
_ARTICLE = TypeAdapter(_Article)
_COLLECTIONS = TypeAdapter(_Collections)
_TEXT = TypeAdapter(_Text)


def open_source(
    settings: SourceSettings, labels: Labels, home: Path, patience: Patience = PATIENCE
) -> ApiSource:
    """Return the published articles of the workspace that the token is of.

    The address is that of the API: `https://api.intercom.io`, or of the workspace's region.
    """
    headers = {**needed_login(settings), "intercom-version": _VERSION}
    system = _Workspace(Api(settings, origin_of(settings), headers, patience))
    return ApiSource(system, settings, labels, SourceState.of(home, settings.place))


class _Workspace:
    def __init__(self, api: Api) -> None:
        self._api = api
        self._names: Mapping[str, str] | None = None

    def everything(self) -> Iterator[Article]:
        """Yield all articles.

        Raises:
            FetchFailed: there are fewer than Intercom counts, as when one was deleted meanwhile.
        """
        self._names = self._collections()
        keys: set[str] = set()
        total = 0
        for page in paged(self._page):
            total = page.total_count
            for article in page.data:
                keys.add(str(article.id))
                yield self._article(article)
        if len(keys) < total:
            raise FetchFailed(
                f"it lists {len(keys)} articles and counts {total}; sync again", is_transient=True
            )

    def changes(self, since: str) -> None:
        """Return None: that an article is withdrawn shows in nothing but the whole list."""

    def fetch(self, place: str) -> Version:
        """Return one article in one language."""
        number = place.partition("/")[0]
        if self._names is None:
            self._names = self._collections()
        article = self._api.get(f"/articles/{number}", _ARTICLE).value
        for version in self._article(article).versions:
            if version.place == place:
                return version
        raise DocumentEmpty("it was withdrawn after it was listed")

    def _page(self, url: str) -> tuple[_List, str]:
        url = url or f"/articles?{urlencode({'page': 1, 'per_page': _PER_PAGE})}"
        found = self._api.get(url, _LIST).value
        return found, _next(found.pages, "/articles")

    def _collections(self) -> dict[str, str]:
        """Return the names of all collections by their ids."""

        def page(url: str) -> tuple[_Collections, str]:
            found = self._api.get(url, _COLLECTIONS).value
            return found, _next(found.pages, "/help_center/collections")

        first = f"/help_center/collections?{urlencode({'page': 1, 'per_page': _PER_PAGE})}"
        return {
            str(each.id): each.name or "" for found in paged(page, first) for each in found.data
        }

    def _article(self, article: _Article) -> Article:
        texts = _texts(article)
        versions = tuple(
            self._version(article, locale, text)
            for locale, text in texts.items()
            if text.state == _PUBLISHED and (text.body or "").strip()
        )
        is_draft = all(text.state != _PUBLISHED for text in texts.values())
        return Article(
            key=str(article.id),
            changed=str(article.updated_at),
            versions=versions,
            skipped="" if versions else "drafts" if is_draft else "empty articles",
        )

    def _version(self, article: _Article, locale: str, text: _Text) -> Version:
        parents = article.parent_ids or ((article.parent_id,) if article.parent_id else ())
        names = self._names or {}
        tags = tuple(filter(None, (names.get(str(parent), "") for parent in parents)))
        changed = text.updated_at or article.updated_at
        about = About(
            title=text.title or "",
            url=text.url or "",
            language=locale,
            modified_at=moment({"changed": changed}, "changed"),
            tags=tags,
        )
        return Version(
            # The address without the title works as well, and stays when the title changes.
            id=without_slug(text.url or "") or f"intercom:{article.id}/{locale}",
            stamp=stamp_of(changed, text.title, text.body, tags),
            place=f"{article.id}/{locale}",
            content=html_page(about, text.body or ""),
        )


def _texts(article: _Article) -> dict[str, _Text]:
    """Return the article in all its languages, its own first."""
    own = article.default_locale or ""
    texts: dict[str, _Text] = {own: article}
    for locale, content in (article.translated_content or {}).items():
        if isinstance(content, dict) and locale != own:
            texts[locale] = _TEXT.validate_python(content)
    return texts


def _next(pages: _Pages | None, path: str) -> str:
    """Return the address of the next page; Intercom names it, its cursor, or only the number."""
    if pages is None:
        return ""
    if isinstance(pages.next, str):
        return pages.next
    if isinstance(pages.next, dict) and pages.next.get("starting_after"):
        cursor = {"starting_after": str(pages.next["starting_after"]), "per_page": _PER_PAGE}
        return f"{path}?{urlencode(cursor)}"
    number = int(pages.page)
    if number >= pages.total_pages:
        return ""
    return f"{path}?{urlencode({'page': number + 1, 'per_page': _PER_PAGE})}"
