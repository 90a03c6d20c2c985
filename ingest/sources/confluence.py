"""Confluence Cloud: the pages of a space.

Pages come by version 2 of its API. That tells nothing of restrictions, which version 1 does for
many pages at once; a page whose restrictions cannot be seen is closed.

https://developer.atlassian.com/cloud/confluence/rest/v2/api-group-page/ and
https://developer.atlassian.com/cloud/confluence/rest/v1/api-group-search/
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from pydantic import Field, TypeAdapter

from ingest.config import SourceSettings
from ingest.errors import DocumentEmpty, FetchFailed, SourceUnusable
from ingest.retrying import Patience
from ingest.sources.api import PATIENCE, Api, Told, needed_login, origin_of, paged, path_of
from ingest.sources.base import About, Labels
from ingest.sources.confluence_storage import Wiki, to_html
from ingest.sources.state import SourceState
from ingest.sources.system import ApiSource, Article, Version, html_page, stamp_of

_KEY = re.compile(r"~?[A-Za-z0-9._-]+")
_MAX_STEPS = 100  # from a page up to its space
_RESTRICTIONS = "restrictions.read.restrictions.user,restrictions.read.restrictions.group"


class _Links(Told):
    next: str = ""
    webui: str = ""
    context: str = ""


class _Space(Told):
    id: str
    key: str


class _Number(Told):
    number: int
    createdAt: str = ""  # noqa: N815


class _Storage(Told):
    value: str


class _Body(Told):
    storage: _Storage | None = None


class _Page(Told):
    id: str
    status: str
    title: str
    version: _Number
    parent: str | None = Field(default=None, alias="parentId")
    parent_type: str | None = Field(default=None, alias="parentType")
    body: _Body | None = None
    links: _Links = Field(default_factory=_Links, alias="_links")


class _Spaces(Told):
    results: tuple[_Space, ...]


class _Pages(Told):
    results: tuple[_Page, ...]
    links: _Links = Field(alias="_links")


class _Who(Told):
    results: tuple[dict[str, Any], ...]


class _Subjects(Told):
    user: _Who
    group: _Who

    @property
    def is_restricted(self) -> bool:
        """Tell whether only some may read it."""
        return bool(self.user.results or self.group.results)


class _Read(Told):
    restrictions: _Subjects


class _Operations(Told):
    read: _Read


class _Label(Told):
    name: str


class _LabelPage(Told):
    results: tuple[_Label, ...] = ()


class _Metadata(Told):
    labels: _LabelPage = _LabelPage()


class _Content(Told):
    id: str
    restrictions: _Operations
    metadata: _Metadata = _Metadata()


class _Contents(Told):
    results: tuple[_Content, ...]
    links: _Links = Field(alias="_links")


class _Folder(Told):
    parent: str | None = Field(default=None, alias="parentId")


_SPACES = TypeAdapter(_Spaces)
_PAGES = TypeAdapter(_Pages)
_PAGE = TypeAdapter(_Page)
_CONTENTS = TypeAdapter(_Contents)
_READ = TypeAdapter(_Read)
_FOLDER = TypeAdapter(_Folder)
_Shape = TypeVar("_Shape")


def open_source(
    settings: SourceSettings, labels: Labels, home: Path, patience: Patience = PATIENCE
) -> ApiSource:
    """Return the pages of the space at `https://NAME.atlassian.net/wiki/spaces/KEY`."""
    headers = needed_login(settings)
    origin = origin_of(settings)
    match path_of(settings):
        case ["wiki", "spaces", key, *_] if _KEY.fullmatch(key):
            wiki = Wiki(f"{origin}/wiki", key)
        case _:
            raise SourceUnusable(
                f"{settings.place}: not a space; it takes https://NAME.atlassian.net/wiki/spaces/KEY"
            )
    system = _SpaceOfPages(Api(settings, origin, headers, patience), wiki)
    return ApiSource(system, settings, labels, SourceState.of(home, settings.place))


@dataclass(frozen=True, slots=True)
class _Known:
    """What a listing knows of a page, and its text alone does not tell."""

    is_closed: bool
    labels: tuple[str, ...] = ()


@dataclass(slots=True)
class _Tree:
    """Which pages and folders only some may read, and what is above them."""

    restricted: dict[str, bool]  # what is not in it is not known
    parents: dict[str, str] = field(default_factory=dict)  # "": the space itself


class _SpaceOfPages:
    def __init__(self, api: Api, wiki: Wiki) -> None:
        self._api = api
        self._wiki = wiki

    def everything(self) -> Iterator[Article]:
        """Yield all pages; their text is fetched when it is read."""
        contents = {content.id: content for content in self._contents()}
        restricted = {
            id_: content.restrictions.read.restrictions.is_restricted
            for id_, content in contents.items()
        }
        pages = list(self._pages())
        tree = _Tree(restricted, {page.id: page.parent or "" for page in pages})
        for page in pages:
            content = contents.get(page.id)
            names = tuple(each.name for each in content.metadata.labels.results) if content else ()
            known = _Known(self._is_closed(page.id, tree), names)
            is_current = page.status == "current"
            yield Article(
                key=page.id,
                changed=page.version.createdAt,
                versions=(self._version(page, known),) if is_current else (),
                skipped="" if is_current else "drafts",
            )

    def changes(self, since: str) -> None:
        """Return None: a page's restrictions change without the page."""

    def fetch(self, place: str) -> Version:
        """Return one page with its text."""
        told = json.loads(place)
        query = urlencode({"body-format": "storage"})
        page = self._api.get(f"/wiki/api/v2/pages/{told['id']}?{query}", _PAGE).value
        if page.status != "current":
            raise DocumentEmpty("it was withdrawn after it was listed")
        if page.body is None or page.body.storage is None:
            raise FetchFailed("its answer holds no text")
        known = _Known(told["closed"], tuple(told["labels"]))
        return self._version(page, known, page.body.storage.value)

    def _version(self, page: _Page, known: _Known, storage: str | None = None) -> Version:
        about = About(
            title=page.title,
            url=self._wiki.address + page.links.webui if page.links.webui else "",
            modified_at=page.version.createdAt,
            audiences=frozenset() if known.is_closed else None,
            tags=known.labels,
        )
        content = None
        if storage is not None:
            content = html_page(about, to_html(storage, self._wiki))
        return Version(
            # It stays when the page is renamed or moved, and leads to it.
            id=f"{self._wiki.address}/pages/viewpage.action?pageId={page.id}",
            stamp=stamp_of(page.id, page.version.number, page.title, known.is_closed, known.labels),
            place=json.dumps(
                {"id": page.id, "closed": known.is_closed, "labels": list(known.labels)}
            ),
            content=content,
        )

    def _pages(self) -> Iterator[_Page]:
        spaces = self._api.get(
            f"/wiki/api/v2/spaces?{urlencode({'keys': self._wiki.space})}", _SPACES
        ).value.results
        space = next((each for each in spaces if each.key == self._wiki.space), None)
        if space is None:
            raise FetchFailed(
                f"it knows no space {self._wiki.space!r}, or the token may not see it"
            )

        def page(url: str) -> tuple[_Pages, str]:
            found = self._api.get(url, _PAGES).value
            return found, found.links.next

        query = urlencode({"space-id": space.id, "status": "current", "limit": 250})
        for found in paged(page, f"/wiki/api/v2/pages?{query}"):
            yield from found.results

    def _contents(self) -> Iterator[_Content]:
        """Yield restrictions and labels of all pages, as far as they can be seen."""

        def page(url: str) -> tuple[_Contents, str]:
            found = self._api.get(url, _CONTENTS).value
            following = found.links.next
            is_whole = not following or following.startswith(f"{found.links.context}/rest/")
            return found, following if is_whole else found.links.context + following

        query = urlencode(
            {
                "cql": f'space="{self._wiki.space}" and type=page',
                "limit": 100,
                "expand": f"metadata.labels,{_RESTRICTIONS}",
            }
        )
        for found in paged(page, f"/wiki/rest/api/content/search?{query}"):
            yield from found.results

    def _is_closed(self, id_: str, tree: _Tree) -> bool:
        """Tell whether only some may read a page: it inherits what restricts those above it."""
        for _ in range(_MAX_STEPS):
            if id_ not in tree.restricted or id_ not in tree.parents:
                self._look_up(id_, tree)
            if tree.restricted[id_]:
                return True
            id_ = tree.parents[id_]
            if not id_:
                return False
        return True

    def _look_up(self, id_: str, tree: _Tree) -> None:
        """Ask for a folder, or for a page that the search does not know yet."""
        query = urlencode({"expand": "restrictions.user,restrictions.group"})
        url = f"/wiki/rest/api/content/{id_}/restriction/byOperation/read?{query}"
        told = self._seen(url, _READ)
        tree.restricted[id_] = told is None or told.restrictions.is_restricted
        if id_ not in tree.parents:
            folder = self._seen(f"/wiki/api/v2/folders/{id_}", _FOLDER)
            tree.parents[id_] = (folder.parent or "") if folder else ""
            tree.restricted[id_] = tree.restricted[id_] or folder is None

    def _seen(self, url: str, shape: TypeAdapter[_Shape]) -> _Shape | None:
        """Return the answer, None where it may not be seen."""
        try:
            return self._api.get(url, shape).value
        except FetchFailed as error:
            if error.status not in (403, 404):
                raise
            return None
