"""What every source keeps to, whatever it reads from.

A place is where a source reads: it can be written to, and it can break. To run the suite on another
kind of source, add its place to `PLACES`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest

from ingest.config import SourceSettings
from ingest.errors import ParseFailed, SourceUnusable
from ingest.retrying import Patience
from ingest.sources import crawl, files, git, pages, sitemap
from ingest.sources.base import Labels, Listing, Source
from ingest.sources.pace import Pace
from ingest.sources.visits import Manners
from knowledge.documents import content_hash
from tests.ingest.systems import SYSTEMS, system_place
from tests.servers.repository import Repository
from tests.servers.site import Page, Site

LABELS = Labels(audience="partners", tags=("a",))


class Place(Protocol):
    """Where a source reads from."""

    names: tuple[str, ...]  # of the documents that it may hold
    lag: int  # listings after which a removed document is not listed any more

    def open(self) -> Source:
        """Return the source, as a process of its own would open it."""
        ...

    def write(self, name: str, text: str) -> None:
        """Write a document."""
        ...

    def remove(self, name: str) -> None:
        """Remove a document."""
        ...

    def break_down(self) -> None:
        """Stop working."""
        ...


class Folder:
    names = ("a", "b", "c")
    lag = 1

    def __init__(self, folder: Path) -> None:
        self._home = folder / "home"
        self._docs = folder / "docs"
        self._docs.mkdir()

    def open(self) -> Source:
        return files.open_source(SourceSettings(path=str(self._docs)), LABELS, self._home)

    def write(self, name: str, text: str) -> None:
        (self._docs / f"{name}.md").write_text(text)

    def remove(self, name: str) -> None:
        (self._docs / f"{name}.md").unlink()

    def break_down(self) -> None:
        shutil.rmtree(self._docs)


class Branch:
    names = ("a", "b", "c")
    lag = 1

    def __init__(self, folder: Path) -> None:
        self._home = folder / "home"
        self._repository = Repository(folder / "repository")

    def open(self) -> Source:
        settings = SourceSettings(path=str(self._repository.folder), kind="git", folder="docs")
        return git.open_source(settings, LABELS, self._home)

    def write(self, name: str, text: str) -> None:
        self._repository.write(f"docs/{name}.md", text)

    def remove(self, name: str) -> None:
        self._repository.remove(f"docs/{name}.md")

    def break_down(self) -> None:
        shutil.rmtree(self._repository.folder)


class Web:
    """A site whose front page links to all pages, and whose sitemap lists them."""

    names = ("a", "b", "c")
    lag = 1

    def __init__(self, site: Site, home: Path) -> None:
        self.site = site
        self._home = home
        self._link()

    def settings(self, path: str, kind: str) -> SourceSettings:
        return SourceSettings.model_validate(
            {"url": self.site.url + path, "kind": kind, "allow_private": ["127.0.0.0/8"]}
        )

    def open(self) -> Source:
        return self.opened("sitemap.xml", "sitemap", sitemap.open_source)

    def opened(self, path: str, kind: str, opener: Callable[..., Source]) -> Source:
        manners = Manners(pace=Pace(0), patience=Patience(0))
        return opener(self.settings(path, kind), LABELS, self._home, manners)

    def write(self, name: str, text: str) -> None:
        self.site.pages[f"/docs/{name}"] = Page(f"<h1>{name}</h1><p>{text}")
        self._link()

    def remove(self, name: str) -> None:
        del self.site.pages[f"/docs/{name}"]
        self._link()

    def break_down(self) -> None:
        self.site.pages = dict.fromkeys(self.site.pages, Page("broken", status=503))

    def _link(self) -> None:
        paths = sorted(path for path in self.site.pages if path.startswith("/docs/"))
        links = "".join(f'<a href="{path}">page</a>' for path in paths)
        locations = "".join(f"<url><loc>{self.site.url}{path[1:]}</loc></url>" for path in paths)
        self.site.pages["/docs"] = Page(links, headers={"X-Robots-Tag": "noindex"})
        self.site.pages["/sitemap.xml"] = Page(f"<urlset>{locations}</urlset>", "text/xml")


class Crawled(Web):
    def open(self) -> Source:
        return self.opened("docs", "crawl", crawl.open_source)


class OnePage(Web):
    names = ("a",)
    lag = 2

    def open(self) -> Source:
        return self.opened("docs/a", "page", pages.open_source)


@contextmanager
def _web(kind: type[Web], folder: Path) -> Iterator[Place]:
    with Site() as site:
        yield kind(site, folder / "home")


@contextmanager
def _here(kind: Callable[[Path], Place], folder: Path) -> Iterator[Place]:
    yield kind(folder)


PLACES: dict[str, Callable[[Path], contextmanager[Place]]] = {  # type: ignore[type-arg]
    "files": lambda folder: _here(Folder, folder),
    "git": lambda folder: _here(Branch, folder),
    "page": lambda folder: _web(OnePage, folder),
    "sitemap": lambda folder: _web(Web, folder),
    "crawl": lambda folder: _web(Crawled, folder),
    **{name: partial(system_place, name) for name in SYSTEMS},
}


@pytest.fixture(params=sorted(PLACES))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        place: Place = stack.enter_context(PLACES[request.param](tmp_path))
        for name in place.names:
            place.write(name, f"text of {name}")
        yield place


def stamps(listing: Listing) -> dict[str, str]:
    return {item.id: item.stamp for item in listing.items}


def test_all_is_listed_once_sorted_and_with_the_labels_of_the_source(place: Place) -> None:
    source = place.open()
    listing = source.list()
    ids = [item.id for item in listing.items]
    assert len(ids) == len(place.names)
    assert ids == sorted(set(ids))
    assert listing.failures == ()
    assert all(item.source is source and item.labels == LABELS for item in listing.items)


def test_what_is_unchanged_keeps_its_stamp(place: Place) -> None:
    source = place.open()
    first = source.list()
    assert stamps(source.list()) == stamps(first)
    assert stamps(place.open().list()) == stamps(first)


def test_what_is_changed_gets_another_stamp_and_nothing_else_does(place: Place) -> None:
    before = stamps(place.open().list())
    place.write("a", "another text")
    after = stamps(place.open().list())
    assert after.keys() == before.keys()
    assert sum(after[id_] != before[id_] for id_ in before) == 1


def test_what_is_new_is_listed(place: Place) -> None:
    before = stamps(place.open().list())
    if len(place.names) > 1:
        place.write("z", "a new page")
        assert len(stamps(place.open().list()).keys() - before.keys()) == 1


def test_what_has_vanished_is_not_listed_any_more(place: Place) -> None:
    before = stamps(place.open().list())
    place.remove("a")
    for _ in range(place.lag - 1):
        listing = place.open().list()
        assert {failure.uri for failure in listing.failures} == before.keys() - stamps(listing)
    listing = place.open().list()
    assert len(before.keys() - stamps(listing)) == 1
    assert listing.failures == ()


@pytest.mark.parametrize("listings", [1, 2], ids=["new", "unchanged"])
def test_what_is_read_are_the_bytes_of_the_stamp(place: Place, listings: int) -> None:
    for _ in range(listings):
        source = place.open()
        items = source.list().items
    for name, item in zip(place.names, items, strict=True):
        raw = source.read(item)
        assert raw.stamp or content_hash(raw.data) == item.stamp
        assert raw.stamp in ("", item.stamp)
        assert f"text of {name}".encode() in raw.data
        assert (raw.id, raw.source, raw.labels) == (item.id, source.name, LABELS)
        assert raw.ending in (".md", ".html")
        assert source.read(item) == raw


def test_a_place_that_does_not_work_is_never_an_empty_listing(place: Place) -> None:
    before = stamps(place.open().list())
    place.break_down()
    try:
        listing = place.open().list()
    except SourceUnusable:
        return
    assert listing.failures
    kept = stamps(listing).keys() | {
        id_
        for id_ in before
        for failure in listing.failures
        if id_ == failure.uri or (failure.uri.endswith("/") and id_.startswith(failure.uri))
    }
    assert kept == before.keys()


def test_a_place_that_never_worked_is_no_empty_listing_either(place: Place) -> None:
    place.break_down()
    try:
        listing = place.open().list()
    except SourceUnusable:
        return
    assert listing.failures


def test_what_cannot_be_read_any_more_is_a_failure_of_its_own(place: Place) -> None:
    source = place.open()
    source.list()
    source = place.open()
    item = source.list().items[0]
    place.break_down()
    with suppress(ParseFailed):
        assert source.read(item).stamp in ("", item.stamp)


def test_the_stamp_of_the_whole_is_cheap_and_stays(place: Place) -> None:
    source = place.open()
    assert source.stamp()
    assert isinstance(source.stamp(), str)
