"""A JSON feed, for systems that have no source of their own.

The form is JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/), with `content_markdown`,
`audience`, `owner`, `version` and `valid_until` besides. The feed holds all documents, on as many
pages as it likes: one that is no longer in it is removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter

from ingest.config import SourceSettings
from ingest.errors import DocumentEmpty
from ingest.retrying import Patience
from ingest.sources.api import PATIENCE, Api, Told, login, origin_of, paged
from ingest.sources.base import About, Labels
from ingest.sources.state import SourceState
from ingest.sources.system import ApiSource, Article, Content, Version, html_page, stamp_of


class _Item(Told):
    id: str | int = Field(union_mode="left_to_right")
    url: str = ""
    title: str = ""
    content_html: str | None = None
    content_markdown: str | None = None
    content_text: str | None = None
    date_modified: str = ""
    date_published: str = ""
    language: str = ""
    tags: tuple[str, ...] = ()
    audience: Any = None  # a name or a list of names; what is neither closes the document
    owner: str = ""
    version: str = ""
    valid_until: date | None = None


class _Feed(Told):
    items: tuple[_Item, ...]
    language: str = ""
    next_url: str = ""


_FEED = TypeAdapter(_Feed)


def open_source(
    settings: SourceSettings, labels: Labels, home: Path, patience: Patience = PATIENCE
) -> ApiSource:
    """Return the documents of the feed at the address; a token is sent as it is configured."""
    api = Api(settings, origin_of(settings), login(settings), patience)
    system = _FeedSystem(api, settings.place)
    return ApiSource(system, settings, labels, SourceState.of(home, settings.place))


class _FeedSystem:
    def __init__(self, api: Api, address: str) -> None:
        self._api = api
        self._address = address

    def everything(self) -> Iterator[Article]:
        """Yield all items."""

        def page(url: str) -> tuple[_Feed, str]:
            feed = self._api.get(url, _FEED).value
            return feed, feed.next_url

        for feed in paged(page, self._address):
            for item in feed.items:
                yield self._article(item, feed.language)

    def changes(self, since: str) -> None:
        """Return None: a feed tells all that it has."""

    def fetch(self, place: str) -> Version:
        """Return one item, which only the whole feed has."""
        for article in self.everything():
            for version in article.versions:
                if article.key == place:
                    return version
        raise DocumentEmpty("it was withdrawn after it was listed")

    def _article(self, item: _Item, language: str) -> Article:
        key = str(item.id)
        content = _content(item, language)
        if content is None:
            return Article(key=key, changed="", skipped="items without content")
        # By the specification an id is for ever; best it is the item's address.
        is_address = key.startswith(("http://", "https://"))
        version = Version(
            id=key if is_address else f"{self._address}#{key}",
            stamp=stamp_of(item.model_dump_json(), language),
            place=key,
            content=content,
        )
        return Article(key=key, changed=item.date_modified, versions=(version,))


def _content(item: _Item, language: str) -> Content | None:
    about = About(
        title=item.title,
        url=item.url,
        language=item.language or language,
        modified_at=item.date_modified or item.date_published,
        audiences=_audiences(item.audience),
        tags=item.tags,
        owner=item.owner,
        version=item.version,
        valid_until=item.valid_until.isoformat() if item.valid_until else "",
    )
    if (item.content_markdown or "").strip():
        return Content(".md", (item.content_markdown or "").encode(), about)
    if (item.content_html or "").strip():
        return html_page(about, item.content_html or "")
    if (item.content_text or "").strip():
        return Content(".txt", (item.content_text or "").encode(), about)
    return None


def _audiences(told: Any) -> frozenset[str] | None:
    if told is None:
        return None
    names = told if isinstance(told, list) else [told]
    if not all(isinstance(name, str) and name.strip() for name in names):
        return frozenset()
    return frozenset(name.strip() for name in names)
