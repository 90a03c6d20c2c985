"""Zendesk Guide: the articles of a help centre.

https://developer.zendesk.com/api-reference/help_center/help-center-api/articles/
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

from pydantic import TypeAdapter

from ingest.config import SourceSettings
from ingest.errors import DocumentEmpty, SourceUnusable
from ingest.retrying import Patience
from ingest.sources.api import (
    OVERLAP_SECONDS,
    PATIENCE,
    Api,
    Told,
    epoch,
    login,
    origin_of,
    paged,
    path_of,
)
from ingest.sources.base import About, Labels
from ingest.sources.state import SourceState
from ingest.sources.system import (
    ApiSource,
    Article,
    Changes,
    Version,
    html_page,
    stamp_of,
    without_slug,
)

_API = "/api/v2/help_center"
_EXPORT_PAGE = 1_000  # articles that one answer tells at most
_UNTOLD = -1


class _Translation(Told):
    locale: str
    title: str
    draft: bool
    body: str | None = None
    html_url: str = ""
    hidden: bool = False
    outdated: bool = False
    updated_at: str = ""


class _Article(_Translation):
    id: int
    source_locale: str
    updated_at: str
    # Of those who may read it; null is everybody. What is not told must not become public.
    user_segment_id: int | None = _UNTOLD
    user_segment_ids: tuple[int, ...] | None = None
    label_names: tuple[str, ...] = ()
    translations: tuple[_Translation, ...] | None = None


class _Cursor(Told):
    has_more: bool


class _Links(Told):
    next: str | None = None


class _Page(Told):
    articles: tuple[_Article, ...]
    meta: _Cursor
    links: _Links


class _Export(Told):
    articles: tuple[_Article, ...]


class _Count(Told):
    count: int


class _One(Told):
    article: _Article


class _Translations(Told):
    translations: tuple[_Translation, ...]


_PAGE = TypeAdapter(_Page)
_EXPORT = TypeAdapter(_Export)
_COUNT = TypeAdapter(_Count)
_ONE = TypeAdapter(_One)
_TRANSLATIONS = TypeAdapter(_Translations)


def open_source(
    settings: SourceSettings, labels: Labels, home: Path, patience: Patience = PATIENCE
) -> ApiSource:
    """Return the articles of the help centre at `https://NAME.zendesk.com`.

    With `/hc/LOCALE` they are those of one language. Without a token they are those that everybody
    may read, of one language.
    """
    headers = login(settings, user_suffix="/token")
    parts = path_of(settings)
    locale = parts[1] if len(parts) > 1 and parts[0] == "hc" else ""
    if not headers and not locale:
        raise SourceUnusable(
            f"{settings.place}: without a token Zendesk tells the articles of one language only;"
            " add it to the address, such as /hc/en-us, or name a `token_variable`"
        )
    api = Api(settings, origin_of(settings), headers, patience)
    system = _HelpCentre(api, locale, is_agent=bool(headers))
    return ApiSource(system, settings, labels, SourceState.of(home, settings.place))


class _HelpCentre:
    def __init__(self, api: Api, locale: str, is_agent: bool) -> None:
        self._api = api
        self._locale = locale
        self._is_agent = is_agent
        self._include = {} if locale else {"include": "translations"}

    def everything(self) -> Iterator[Article]:
        """Yield all articles, by cursors."""

        def page(url: str) -> tuple[_Page, str]:
            found = self._api.get(url, _PAGE).value
            return found, (found.links.next or "") if found.meta.has_more else ""

        first = f"{self._articles}?{urlencode({**self._include, 'page[size]': 100})}"
        for found in paged(page, first):
            for article in found.articles:
                yield self._article(article)

    def changes(self, since: str) -> Changes | None:
        """Return what changed; agents alone may ask for that."""
        if not self._is_agent:
            return None
        query = {**self._include, "start_time": epoch(since) - OVERLAP_SECONDS}
        url = f"{_API}/incremental/articles.json?{urlencode(query)}"
        articles = self._api.get(url, _EXPORT).value.articles
        if len(articles) >= _EXPORT_PAGE:
            return None  # as after an import; its pages do not end where all have one time
        if self._locale and any(article.locale != self._locale for article in articles):
            return None  # they come in the help centre's own language
        total = self._api.get(f"{self._articles}?per_page=1", _COUNT).value.count
        return Changes([self._article(article) for article in articles], total)

    def fetch(self, place: str) -> Version:
        """Return one article in one language."""
        locale, _, number = place.partition("/")
        url = f"{_API}/{locale}/articles/{number}.json"
        article = self._api.get(url, _ONE).value.article
        if _why_skipped(article):
            raise DocumentEmpty("it was withdrawn after it was listed")
        return _version(article, article)

    @property
    def _articles(self) -> str:
        return f"{_API}/{self._locale}/articles.json" if self._locale else f"{_API}/articles.json"

    def _article(self, article: _Article) -> Article:
        translations = [article] if self._locale else self._translations(article)
        shown = [each for each in translations if not _why_skipped(each)]
        hidden = next(filter(None, map(_why_skipped, translations)), "empty articles")
        return Article(
            key=str(article.id),
            changed=article.updated_at,
            versions=tuple(_version(article, each) for each in shown),
            skipped="" if shown else hidden,
            is_tracked=all(each.locale == article.source_locale for each in translations),
        )

    def _translations(self, article: _Article) -> list[_Translation]:
        if article.translations is not None:
            return list(article.translations)
        url = f"{_API}/articles/{article.id}/translations.json"
        return list(self._api.get(url, _TRANSLATIONS).value.translations)


def _why_skipped(translation: _Translation) -> str:
    if translation.draft or translation.hidden:
        return "drafts"
    return "" if (translation.body or "").strip() else "empty articles"


def _version(article: _Article, text: _Translation) -> Version:
    is_public = article.user_segment_id is None and not article.user_segment_ids
    tags = (*article.label_names, *(["outdated"] if text.outdated else []))
    about = About(
        title=text.title,
        url=text.html_url,
        language=text.locale,
        modified_at=text.updated_at,
        audiences=None if is_public else frozenset(),
        tags=tags,
    )
    return Version(
        # The address without the title works as well, and stays when the title changes.
        id=without_slug(text.html_url) or f"zendesk:{article.id}/{text.locale}",
        # Not the time of the last change: a comment of a reader moves that as well.
        stamp=stamp_of(text.title, text.body, text.locale, sorted(tags), is_public),
        place=f"{text.locale}/{article.id}",
        content=html_page(about, text.body or ""),
    )
