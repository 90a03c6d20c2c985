"""Notion: the pages that a workspace has shared with an integration.

https://developers.notion.com/reference/post-search
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pydantic import Field, TypeAdapter

from ingest.config import SourceSettings
from ingest.errors import DocumentEmpty, FetchFailed, ParseFailed
from ingest.retrying import Patience
from ingest.sources.api import (
    PATIENCE,
    Api,
    Pace,
    Told,
    epoch,
    needed_login,
    origin_of,
    paged,
    path_of,
)
from ingest.sources.base import About, Labels
from ingest.sources.notion_blocks import Block, plain_text, to_markdown
from ingest.sources.state import SourceState
from ingest.sources.system import ApiSource, Article, Version, markdown_page, stamp_of
from knowledge.documents import PUBLIC

_API = "https://api.notion.com"
_SITES = ("notion.so", "notion.com", "notion.site")
_VERSION = "2022-06-28"  # of the API, which stays as it is
_PACE = (3.0, 20)  # requests a second on average, and at once
_PAGE_ID = re.compile(r"([0-9a-f]{32})$")
_SETTLED_SECONDS = 120  # times of change are told in whole minutes
_MAX_BLOCKS = 10_000  # of a page
_MAX_DEPTH = 30
_MAX_STEPS = 100  # from a page up to the workspace


class _Parent(Told):
    type: str
    page_id: str = ""
    database_id: str = ""
    block_id: str = ""

    @property
    def id(self) -> str:
        """Return the id of what it is, "" for the workspace."""
        return _plain_id(self.page_id or self.database_id or self.block_id)


class _Found(Told):
    """A page or a database."""

    object: str
    id: str
    last_edited_time: str
    parent: _Parent
    url: str = ""
    public_url: str | None = None
    archived: bool = False
    in_trash: bool = False
    properties: dict[str, dict[str, Any]] = Field(default_factory=dict)


class _Results(Told):
    results: tuple[_Found, ...]
    has_more: bool
    next_cursor: str | None = None


class _Blocks(Told):
    results: tuple[dict[str, Any], ...]
    has_more: bool
    next_cursor: str | None = None


class _BlockParent(Told):
    parent: _Parent


_RESULTS = TypeAdapter(_Results)
_PAGE = TypeAdapter(_Found)
_BLOCKS = TypeAdapter(_Blocks)
_BLOCK_PARENT = TypeAdapter(_BlockParent)


def open_source(
    settings: SourceSettings,
    labels: Labels,
    home: Path,
    patience: Patience = PATIENCE,
    clock: Callable[[], float] = time.time,
) -> ApiSource:
    """Return the pages at `https://www.notion.so`, or those below the page at the address."""
    headers = {**needed_login(settings), "notion-version": _VERSION}
    host = str(settings.url.host) if settings.url else ""
    is_notion = any(host == site or host.endswith(f".{site}") for site in _SITES)
    origin = origin_of(settings)
    match = _PAGE_ID.search(path_of(settings)[-1].replace("-", "")) if path_of(settings) else None
    system = _Workspace(
        Api(settings, _API if is_notion else origin, headers, patience, Pace(*_PACE, patience)),
        root=match[1] if match else "",
        is_public=labels.audience == PUBLIC,
        clock=clock,
    )
    return ApiSource(system, settings, labels, SourceState.of(home, settings.place))


class _Workspace:
    def __init__(self, api: Api, root: str, is_public: bool, clock: Callable[[], float]) -> None:
        self._api = api
        self._root = root
        self._is_public = is_public
        self._clock = clock

    def everything(self) -> Iterator[Article]:
        """Yield all pages; their text is not among what the search tells."""
        found = {_plain_id(each.id): each for page in paged(self._search) for each in page.results}
        parents = {id_: each.parent for id_, each in found.items()}
        for id_, each in found.items():
            if each.object != "page" or not self._is_below_root(id_, parents):
                continue
            is_gone = each.archived or each.in_trash
            yield Article(
                key=id_,
                changed=each.last_edited_time,
                versions=() if is_gone else (self._version(each),),
                skipped="pages in the trash" if is_gone else "",
            )

    def changes(self, since: str) -> None:
        """Return None: only the whole search shows what is deleted or no longer shared."""

    def fetch(self, place: str) -> Version:
        """Return one page with all its blocks."""
        page = self._api.get(f"/v1/pages/{place}", _PAGE).value
        if page.archived or page.in_trash:
            raise DocumentEmpty("it was put into the trash after it was listed")
        blocks = self._blocks(place, _Budget(_MAX_BLOCKS), _MAX_DEPTH)
        return self._version(page, blocks)

    def _version(self, page: _Found, blocks: list[Block] | None = None) -> Version:
        id_ = _plain_id(page.id)
        # A page that is not published can be read by members of the workspace only.
        url = page.public_url or ("" if self._is_public else page.url)
        about = About(
            title=_title(page), url=url, modified_at=page.last_edited_time, tags=_tags(page)
        )
        content = None
        if blocks is not None:
            content = markdown_page(about, _properties(page) + to_markdown(blocks))
        # The public address is no good id: it comes and goes as the page is published.
        return Version(f"notion:{id_}", self._stamp(page, about), id_, content)

    def _stamp(self, page: _Found, about: About) -> str:
        # A change within the same minute would not be seen: such a page is read once more.
        is_settled = self._clock() - epoch(page.last_edited_time) > _SETTLED_SECONDS
        return stamp_of(page.id, page.last_edited_time, about.url, is_settled)

    def _search(self, cursor: str) -> tuple[_Results, str]:
        body: dict[str, Any] = {
            "page_size": 100,
            "sort": {"timestamp": "last_edited_time", "direction": "ascending"},
        }
        if cursor:
            body["start_cursor"] = cursor
        found = self._api.post("/v1/search", body, _RESULTS)
        return found, (found.next_cursor or "") if found.has_more else ""

    def _is_below_root(self, id_: str, parents: dict[str, _Parent]) -> bool:
        """Tell whether a page is the root or below it; blocks on the way are asked for."""
        for _ in range(_MAX_STEPS):
            if not self._root or id_ == self._root:
                return True
            parent = parents.get(id_)
            if parent is None:
                return False
            if parent.block_id and parent.id not in parents:
                parents[parent.id] = self._parent_of_block(parent.id)
            id_ = parent.id
        return False

    def _parent_of_block(self, id_: str) -> _Parent:
        try:
            return self._api.get(f"/v1/blocks/{id_}", _BLOCK_PARENT).value.parent
        except FetchFailed as error:
            if error.status != 404:
                raise
            return _Parent(type="workspace")  # it is not shared, and so no root that was named

    def _blocks(self, id_: str, budget: _Budget, depth: int) -> list[Block]:
        if not depth:
            raise ParseFailed(f"its blocks are nested deeper than {_MAX_DEPTH} levels")

        def page(cursor: str) -> tuple[_Blocks, str]:
            query = {"page_size": "100", **({"start_cursor": cursor} if cursor else {})}
            url = f"/v1/blocks/{id_}/children?{urlencode(query)}"
            found = self._api.get(url, _BLOCKS).value
            return found, (found.next_cursor or "") if found.has_more else ""

        blocks = []
        for found in paged(page):
            budget.spend(len(found.results))
            for told in found.results:
                block = Block.of(told)
                if block.has_children:
                    block = block.holding(self._blocks(block.id, budget, depth - 1))
                blocks.append(block)
        return blocks


class _Budget:
    """How many blocks may still be read."""

    def __init__(self, blocks: int) -> None:
        self._left = blocks

    def spend(self, blocks: int) -> None:
        """Count blocks.

        Raises:
            ParseFailed: there are too many.
        """
        self._left -= blocks
        if self._left < 0:
            raise ParseFailed(f"it has more than {_MAX_BLOCKS:,} blocks; split it")


def _plain_id(id_: str) -> str:
    return id_.replace("-", "").lower()


def _values(page: _Found, kind: str) -> dict[str, list[Any]]:
    """Return the properties of a kind by their names."""
    told = {name: each.get(kind) for name, each in page.properties.items()}
    return {name: value for name, value in told.items() if isinstance(value, list)}


def _title(page: _Found) -> str:
    return " ".join(plain_text(value) for value in _values(page, "title").values()).strip()


def _tags(page: _Found) -> tuple[str, ...]:
    options = (option for value in _values(page, "multi_select").values() for option in value)
    return tuple(
        str(option["name"]) for option in options if isinstance(option, dict) and "name" in option
    )


def _properties(page: _Found) -> str:
    """Return the texts of a database's row, such as the answer of a list of questions."""
    texts = ((name, plain_text(value)) for name, value in _values(page, "rich_text").items())
    return "".join(f"**{name}:** {text}\n\n" for name, text in texts if text.strip())
