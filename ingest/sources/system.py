"""What a vendor's system of articles is, and the source that any of them makes.

`ApiSource` remembers what a system listed, so that the next listing asks only for what changed
where the system can tell that. Whatever fails on the way makes the whole listing fail: a short one
would remove documents that are still there.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from html import escape
from typing import Any, Protocol

from ingest.config import SourceSettings
from ingest.errors import FetchFailed, FetchRefused, ParseFailed, SourceUnreachable, SourceUnusable
from ingest.sources.base import About, Labels, Listed, Listing, RawDocument
from ingest.sources.state import SourceState
from knowledge.documents import content_hash

_MAX_KEPT = 64 * 1024 * 1024  # bytes of articles that a listing brought along
_FULL_EVERY = 10  # listings; what a system forgot to tell is seen then
_LOOK_SECONDS = 900  # how often `watch` asks a system for changes
_REFUSALS = frozenset({401, 403, 404, 410})  # of HTTP
_FORMAT = "1"  # of what is remembered
_SLUG = re.compile(r"(/articles/\d+)-[^/?#]*$")


@dataclass(frozen=True, slots=True)
class Content:
    """The body of an article, and what its system says about it."""

    ending: str  # names the parser
    data: bytes
    about: About


@dataclass(frozen=True, slots=True)
class Version:
    """An article as customers read it in one language: one document."""

    id: str  # the document's
    stamp: str
    place: str  # where the system finds it again
    content: Content | None = None  # None: it is fetched when it is read


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One article of a system with all its versions; none where it is passed over."""

    key: str  # the system's own id
    changed: str  # when, in an order that texts have too
    versions: tuple[Version, ...] = ()
    skipped: str = ""  # why, in words that follow a number
    is_tracked: bool = True  # `changed` changes with whatever of it changes


@dataclass(frozen=True, slots=True)
class Changes:
    """The articles that changed, and how many articles there are, the passed over included."""

    articles: Iterable[Article]
    total: int


class System(Protocol):
    """One vendor's API. Every method may raise a `ParseFailed`, such as a `FetchFailed`."""

    def everything(self) -> Iterator[Article]:
        """Yield all articles."""
        ...

    def changes(self, since: str) -> Changes | None:
        """Return what changed since a time in the form of `Article.changed`; None: all to see."""
        ...

    def fetch(self, place: str) -> Version:
        """Return one version with its content."""
        ...


class ApiSource:
    """The articles of one system."""

    def __init__(
        self,
        system: System,
        settings: SourceSettings,
        labels: Labels,
        state: SourceState,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = settings.place
        self.labels = labels
        self.memory = state
        self._system = system
        self._memory = _Memory(state, [settings.kind, self.name, settings.user, labels.audience])
        self._clock = clock
        self._kept: dict[str, Version] = {}
        self._kept_bytes = 0

    def list(self) -> Listing:
        """Return what the system has now."""
        self._kept, self._kept_bytes = {}, 0
        self._memory.load()
        try:
            is_full = not (articles := self._changed())
            articles = articles or self._all()
        except ParseFailed as error:
            kind = SourceUnusable if _is_refusal(error) else SourceUnreachable
            raise kind(f"{self.name}: {error}") from error
        self._memory.save(articles, is_full)
        versions = [version for article in articles.values() for version in article.versions]
        items = [Listed(v.id, self, v.stamp, self.labels, v.place) for v in versions]
        skipped = Counter(article.skipped for article in articles.values() if article.skipped)
        return Listing(
            tuple(sorted(items, key=lambda item: item.id)), skipped=tuple(sorted(skipped.items()))
        )

    def read(self, item: Listed) -> RawDocument:
        """Return a listed article, fetched alone where the listing did not bring it along."""
        kept = self._kept.pop(item.id, None)
        version = kept if kept and kept.stamp == item.stamp else self._system.fetch(item.place)
        content = version.content
        if content is None:
            raise ParseFailed("the system gives no text of it")
        return RawDocument(
            item.id,
            self.name,
            content.ending,
            content.data,
            self.labels,
            content.about,
            version.stamp,
            is_fetched=True,
        )

    def stamp(self) -> str:
        """Return a sign that changes every quarter of an hour: to ask oftener wears limits out."""
        return str(int(self._clock() // _LOOK_SECONDS))

    def _changed(self) -> dict[str, Article]:
        """Return all articles, by what is remembered and what changed since; {}: it cannot tell.

        Changes tell nothing of deleted articles, but the number of articles does: what is
        remembered, with all that is new, is more than that if one was deleted.
        """
        memory = self._memory
        if not memory.is_fresh:
            return {}
        changes = self._system.changes(memory.newest)
        if changes is None:
            return {}
        articles = dict(memory.articles)
        for article in changes.articles:
            articles[article.key] = self._slim(article)
        return articles if len(articles) == changes.total else {}

    def _all(self) -> dict[str, Article]:
        return {article.key: self._slim(article) for article in self._system.everything()}

    def _slim(self, article: Article) -> Article:
        """Return the article without its content, which is kept while there is room, if new."""
        known = self._memory.stamps
        for version in article.versions:
            size = len(version.content.data) if version.content else 0
            if known.get(version.id) == version.stamp or not version.content:
                continue
            if self._kept_bytes + size <= _MAX_KEPT:
                self._kept[version.id] = version
                self._kept_bytes += size
        slim = tuple(replace(version, content=None) for version in article.versions)
        return replace(article, versions=slim)


def _is_refusal(error: ParseFailed) -> bool:
    """Tell whether the address or the login is to be mended, rather than waited for."""
    if isinstance(error, FetchFailed):
        return error.status in _REFUSALS and not error.is_transient
    return isinstance(error, FetchRefused)


class _Memory:
    """What a system listed last, as its `SourceState` keeps it."""

    def __init__(self, state: SourceState, shape: Iterable[object]) -> None:
        self._state = state
        self._shape = content_hash("\0".join([_FORMAT, *map(str, shape)]))
        self._since_full = 0
        self.articles: dict[str, Article] = {}
        self.stamps: dict[str, str] = {}

    @property
    def is_fresh(self) -> bool:
        """Tell whether changes may be added to what is remembered."""
        is_tracked = all(article.is_tracked for article in self.articles.values())
        return bool(self.articles) and is_tracked and self._since_full < _FULL_EVERY - 1

    @property
    def newest(self) -> str:
        """Return when the last change was."""
        return max((article.changed for article in self.articles.values()), default="")

    def load(self) -> None:
        """Read it; what is not in this form counts as nothing."""
        found = self._state.load()
        self.articles, self.stamps, self._since_full = {}, {}, 0
        if found.get("shape") != self._shape:
            return
        try:
            articles = [_article(row) for row in found["articles"]]
            self._since_full = int(found["since_full"])
        except (KeyError, TypeError, ValueError):
            return
        self.articles = {article.key: article for article in articles}
        versions = (version for article in articles for version in article.versions)
        self.stamps = {version.id: version.stamp for version in versions}

    def save(self, articles: Mapping[str, Article], is_full: bool) -> None:
        """Keep what was listed."""
        since_full = 0 if is_full else self._since_full + 1
        rows = [_row(article) for article in articles.values()]
        self._state.save({"shape": self._shape, "since_full": since_full, "articles": rows})


def _row(article: Article) -> list[Any]:
    versions = [[version.id, version.stamp, version.place] for version in article.versions]
    return [article.key, article.changed, article.skipped, article.is_tracked, versions]


def _article(row: list[Any]) -> Article:
    key, changed, skipped, is_tracked, rows = row
    versions = [(str(id_), str(stamp), str(place)) for id_, stamp, place in rows]
    return Article(
        key=str(key),
        changed=str(changed),
        skipped=str(skipped),
        is_tracked=bool(is_tracked),
        versions=tuple(Version(*version) for version in versions),
    )


def html_page(about: About, body: str) -> Content:
    """Return an article's HTML as the page that it is the main part of."""
    # With a title of its own, the first heading of the body stays in its place.
    page = (
        f'<html><head><link rel="canonical" href="{escape(about.url)}"></head>'
        f"<body><main><h1>{escape(about.title)}</h1>{body}</main></body></html>"
    )
    return Content(".html", page.encode(), about)


def markdown_page(about: About, body: str) -> Content:
    """Return an article's Markdown; what looks like front matter in it is text."""
    return Content(".md", f"# {about.title}\n\n{body}".encode(), about)


def without_slug(url: str) -> str:
    """Return a help centre's address of an article without its title, which may change."""
    return _SLUG.sub(r"\1", url)


def stamp_of(*told: object) -> str:
    """Return the stamp of what a system tells of a version."""
    return content_hash("\0".join(map(repr, told)))
