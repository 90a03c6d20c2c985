from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.config import SourceSettings
from ingest.describing import describe
from ingest.errors import ParseFailed, SourceUnusable
from ingest.parsers import parse
from ingest.pipeline import Pipeline
from ingest.sources import pages
from ingest.sources.base import Labels
from ingest.sources.pace import Pace
from knowledge.releases import ReleaseStore
from tests.fakes import HashEmbedder
from tests.ingest.webs import Reader
from tests.servers import site as sites
from tests.servers.site import Page, Site, redirect


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Reader]:
    with Site() as site:
        site.pages["/help"] = Page("<title>Help</title><p>Ask us.")
        yield Reader(site, tmp_path)


def test_a_page_is_a_document_with_its_address_and_its_date(web: Reader) -> None:
    date = {"Last-Modified": "Tue, 03 Feb 2026 10:00:00 GMT"}
    web.site.pages["/help"] = Page('<h1>Help</h1><p>See <a href="more">more</a>.', headers=date)
    source = web.source("page", "help?utm_source=mail#part")
    (item,) = source.list().items
    raw = source.read(item)
    assert item.id == raw.about.url == web.site.url + "help"
    assert (raw.ending, raw.about.modified_at) == (".html", "2026-02-03T10:00:00+00:00")
    assert f"[more]({web.site.url}more)" in parse(raw).text


def test_an_unchanged_page_is_not_sent_again(web: Reader) -> None:
    first = web.list("page", "help")
    again = web.list("page", "help")
    assert [item.stamp for item in again.items] == [item.stamp for item in first.items]
    etag = web.site.pages["/help"].validators["ETag"]  # type: ignore[union-attr]
    assert [request.headers.get("if-none-match") for request in web.site.requests] == [etag]


def test_a_date_is_a_condition_too(web: Reader) -> None:
    date = "Tue, 03 Feb 2026 10:00:00 GMT"
    web.site.pages["/help"] = Page("x", headers={"Last-Modified": date}, has_etag=False)
    web.list("page", "help")
    web.list("page", "help")
    assert web.site.requests[0].headers["if-modified-since"] == date


def test_what_was_fetched_while_listing_is_not_fetched_to_be_read(web: Reader) -> None:
    source = web.source("page", "help")
    (item,) = source.list().items
    assert source.read(item).data == source.read(item).data
    assert web.site.asked == ["/help"]


def test_what_was_unchanged_while_listing_is_fetched_if_it_is_read(web: Reader) -> None:
    web.list("page", "help")
    source = web.source("page", "help")
    (item,) = source.list().items
    web.site.pages["/help"] = Page("newer")
    raw = source.read(item)
    assert raw.data == b"newer"
    assert raw.stamp != item.stamp


def test_nothing_is_left_on_the_disk_but_what_is_remembered(web: Reader) -> None:
    source = web.source("page", "help")
    source.list()
    assert [path.suffix for path in (web.home / "sources").iterdir()] == [".json"]


@pytest.mark.parametrize("status", [404, 410])
def test_a_missing_page_is_removed_when_two_listings_in_a_row_say_so(
    web: Reader, status: int
) -> None:
    there = web.site.pages["/help"]
    web.list("page", "help")
    gone = Page("gone", status=status)
    for page, is_failure in ((gone, True), (there, False), (gone, True), (gone, False)):
        web.site.pages["/help"] = page
        listing = web.list("page", "help")
        assert bool(listing.failures) == is_failure
        assert bool(listing.items) == (page is there)
    assert listing.skipped == (("pages that are not there any more", 1),)


def test_a_look_at_what_a_sync_would_do_is_no_listing_that_finds_a_page_missing(
    web: Reader, tmp_path: Path
) -> None:
    pipeline = Pipeline(ReleaseStore(tmp_path), HashEmbedder())
    assert pipeline.sync([web.source("page", "help")]).promoted
    web.site.pages["/help"] = Page("gone", status=404)
    for _ in range(3):
        assert pipeline.plan([web.source("page", "help")]).removed == ()
    assert pipeline.sync([web.source("page", "help")]).documents.removed == 0
    assert len(pipeline.plan([web.source("page", "help")]).removed) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 502, 503, 504, 204, 206])
def test_an_error_is_no_knowledge_and_keeps_what_there_was(web: Reader, status: int) -> None:
    web.list("page", "help")
    web.site.pages["/help"] = Page("<h1>Error</h1>", status=status)
    for _ in range(3):
        listing = web.list("page", "help")
        assert listing.items == ()
        assert [failure.uri for failure in listing.failures] == [web.site.url + "help"]


@pytest.mark.parametrize("script", [sites.cut, sites.bomb, sites.lie_of_size])
def test_a_page_that_cannot_be_fetched_whole_is_a_failure(
    web: Reader, script: sites.Script
) -> None:
    web.site.pages["/help"] = script
    listing = web.list("page", "help")
    assert listing.items == ()
    assert len(listing.failures) == 1


def test_an_empty_page_is_an_error_of_the_site(web: Reader) -> None:
    web.site.pages["/help"] = Page(" \n")
    assert "nothing" in web.list("page", "help").failures[0].reason


@pytest.mark.parametrize("canonical", ["/real", "real", "real?utm_campaign=x#y"])
def test_a_page_is_known_by_its_canonical_address(web: Reader, canonical: str) -> None:
    web.site.pages["/help"] = Page(f'<head><link rel="canonical" href="{canonical}"></head>x')
    assert web.paths(web.list("page", "help")) == ["real"]


@pytest.mark.parametrize("canonical", ["/", "https://other.example.com/help", "javascript:x"])
def test_a_canonical_address_that_is_a_mistake_is_not_taken(web: Reader, canonical: str) -> None:
    web.site.pages["/help"] = Page(f'<head><link rel="canonical" href="{canonical}"></head>x')
    assert web.paths(web.list("page", "help")) == ["help"]


def test_a_redirected_page_is_known_by_where_it_is(web: Reader) -> None:
    web.site.pages["/old"] = redirect("/help")
    assert web.paths(web.list("page", "old")) == ["help"]
    web.list("page", "old")
    assert "if-none-match" in web.site.requests[1].headers


def test_a_refresh_counts_as_a_redirect(web: Reader) -> None:
    refresh = '<meta http-equiv="Refresh" content="0; URL={}">'
    web.site.pages |= {
        "/old": Page(refresh.format("/older")),
        "/older": Page(refresh.format("'help'")),
        "/loop": Page(refresh.format("/loop2")),
        "/loop2": Page(refresh.format("/loop")),
        "/inside": Page(refresh.format("http://169.254.169.254/latest")),
        "/file": Page(refresh.format("file:///etc/passwd")),
        "/itself": Page(refresh.format("/itself") + "x"),
        "/slow": Page(refresh.replace("0;", "300;").format("/help") + "x"),
    }
    assert web.paths(web.list("page", "old")) == ["help"]
    assert web.paths(web.list("page", "itself")) == ["itself"]
    assert web.paths(web.list("page", "slow")) == ["slow"]
    for path in ("loop", "inside", "file"):
        listing = web.list("page", path)
        assert listing.items == ()
        assert len(listing.failures) == 1
    assert len(web.asked) == 1


def test_a_redirect_to_another_host_is_a_failure_that_says_what_would_allow_it(
    web: Reader,
) -> None:
    web.site.pages["/help"] = redirect("http://docs.example.com/help")
    (failure,) = web.list("page", "help").failures
    assert "allow_hosts" in failure.reason


@pytest.mark.parametrize(
    ("page", "path", "ending"),
    [
        (Page("x", "text/html; charset=utf-8"), "a", ".html"),
        (Page("# x", "text/markdown"), "a", ".md"),
        (Page("# x", "text/plain; charset=utf-8"), "a.md", ".md"),
        (Page("x", "text/plain"), "a.php", ".txt"),
        (Page("<!doctype html>x", "application/octet-stream"), "a", ".html"),
        (Page("# x", "application/octet-stream"), "a.md", ".md"),
        (Page("<html>x", ""), "a", ".html"),
    ],
)
def test_the_type_and_the_address_tell_the_parser(
    web: Reader, page: Page, path: str, ending: str
) -> None:
    web.site.pages[f"/{path}"] = page
    source = web.source("page", path)
    (item,) = source.list().items
    assert source.read(item).ending == ending


@pytest.mark.parametrize("kind", ["image/png", "application/x-msdownload", "video/mp4"])
def test_what_is_no_document_is_a_failure_of_the_page(web: Reader, kind: str) -> None:
    web.site.pages["/help"] = Page(b"\x89PNG\0", kind)
    listing = web.list("page", "help")
    assert listing.items == ()
    assert kind in listing.failures[0].reason


def test_an_encoding_that_only_the_header_tells_is_known_to_the_parser(web: Reader) -> None:
    text = "<h1>Größe</h1><p>Über Maße"
    web.site.pages["/help"] = Page(text.encode("latin-1"), "text/html; charset=ISO-8859-1")
    source = web.source("page", "help")
    (item,) = source.list().items
    raw = source.read(item)
    assert parse(raw).title == "Größe"
    assert raw.stamp == item.stamp
    web.site.pages["/help"] = Page(text, "text/html; charset=ISO-8859-1")  # it lies
    (item,) = source.list().items
    assert parse(source.read(item)).title == "Größe"


@pytest.mark.parametrize(
    "address",
    [
        *("http://127.0.0.1/", "http://10.0.0.1/x", "http://169.254.169.254/latest/meta-data"),
        *("http://[::1]/", "http://0/", "http://2130706433/", "http://example.com:22/"),
        *("http://user:secret@example.com/", "http://127.0.0.1:6379/"),
    ],
)
def test_an_address_that_may_not_be_fetched_is_no_source(address: str, tmp_path: Path) -> None:
    settings = SourceSettings.model_validate({"url": address, "kind": "page"})
    with pytest.raises(SourceUnusable) as caught:
        pages.open_source(settings, Labels(), tmp_path)
    assert "secret" not in str(caught.value)


def test_a_page_that_is_gone_when_it_is_read_is_a_failure_of_its_own(web: Reader) -> None:
    web.list("page", "help")
    source = web.source("page", "help")
    (item,) = source.list().items
    del web.site.pages["/help"]
    with pytest.raises(ParseFailed, match="404"):
        source.read(item)


def test_a_memory_that_is_damaged_is_forgotten(web: Reader) -> None:
    first = web.list("page", "help")
    (memory,) = (web.home / "sources").glob("*.json")
    for damage in ("{", '{"pages": {"x": 3}}', '{"pages": {"x": {"id": "y"}}}', '{"pages": []}'):
        memory.write_text(damage)
        again = web.list("page", "help")
        assert [item.stamp for item in again.items] == [item.stamp for item in first.items]


def test_a_host_is_asked_no_faster_than_is_polite() -> None:
    slept: list[float] = []
    pace = Pace(2, slept.append, lambda: sum(slept))
    pace.wait("a")
    pace.wait("b")
    assert slept == []
    pace.wait("a")
    pace.slow_down("a", 5)
    pace.wait("a")
    pace.wait("a")
    assert slept == [2, 2, 5]
    pace.slow_down("a", 3600)
    pace.wait("a")
    pace.wait("a")
    assert slept[-1] == 10


def test_a_sign_of_a_page_that_is_not_ascii_goes_back_as_it_came(web: Reader) -> None:
    sign = '"caf\xe9"'
    web.site.pages["/help"] = Page("x", headers={"ETag": sign}, has_etag=False)
    web.list("page", "help")
    assert not web.list("page", "help").failures
    assert web.site.requests[0].headers["if-none-match"] == sign


@pytest.mark.parametrize("year", ["9" * 20, "2026 10:00:00 +" + "9" * 20])
def test_a_date_that_no_calendar_has_is_no_date(web: Reader, year: str) -> None:
    date = f"Tue, 03 Feb {year}" + ("" if ":" in year else " 10:00:00 GMT")
    web.site.pages["/help"] = Page("x", headers={"Last-Modified": date})
    source = web.source("page", "help")
    (item,) = source.list().items
    assert source.read(item).about.modified_at == ""


def test_a_wish_to_wait_until_a_date_that_no_calendar_has_is_none(web: Reader) -> None:
    date = f"Tue, 03 Feb {'9' * 20} 10:00:00 GMT"
    web.site.pages["/help"] = Page("x", status=503, headers={"Retry-After": date})
    assert "503" in web.list("page", "help").failures[0].reason


def test_a_page_of_digits_for_a_refresh_is_read_at_once(web: Reader) -> None:
    digits = "1" * 200_000
    web.site.pages["/help"] = Page(f'<meta http-equiv="refresh" content="{digits}"><p>x')
    began = time.process_time()
    assert len(web.list("page", "help").items) == 1
    assert time.process_time() - began < 5


def test_a_page_of_a_staff_site_does_not_open_itself(web: Reader) -> None:
    text = "---\naudience: public\n---\nInternal prices."
    web.site.pages["/help"] = Page(text, "text/markdown")
    source = web.source("page", "help")
    (item,) = source.list().items
    raw = replace(source.read(item), labels=Labels("staff"))
    assert describe(raw, parse(raw), "hash").audiences == {"staff"}
