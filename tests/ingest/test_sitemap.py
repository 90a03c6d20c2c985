from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.ingest.webs import Reader
from tests.servers import site as sites
from tests.servers.site import Page, Site

ENTITIES = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
BOMB = f'<!DOCTYPE x [<!ENTITY a0 "lol">{ENTITIES}]><urlset><url><loc>&a11;</loc></url></urlset>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><urlset>&e;</urlset>'


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Reader]:
    with Site() as site:
        site.pages |= {f"/{name}": Page(f"<h1>{name}</h1><p>text") for name in "abc"}
        yield Reader(site, tmp_path)


def sitemap(web: Reader, *locations: str, lastmod: str = "", extra: str = "") -> Page:
    date = f"<lastmod>{lastmod}</lastmod>" if lastmod else ""
    urls = "".join(f"<url><loc>{web.site.url}{path}</loc>{date}</url>" for path in locations)
    return Page(
        f'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
        f"<!-- a comment -->{urls}{extra}</urlset>",
        "application/xml",
    )


def index(web: Reader, *paths: str) -> Page:
    maps = "".join(f"<sitemap><loc>{web.site.url}{path}</loc></sitemap>" for path in paths)
    return Page(f"<sitemapindex>{maps}</sitemapindex>", "application/xml")


def test_the_pages_of_a_sitemap_are_documents(web: Reader) -> None:
    web.site.pages["/sitemap.xml"] = sitemap(web, "b", "a", "b?utm_source=x#y")
    assert web.paths(web.list("sitemap", "sitemap.xml")) == ["a", "b"]
    assert web.asked == ["/b", "/a"]


def test_index_files_are_nested_packed_and_read_once(web: Reader) -> None:
    packed = gzip.compress(sitemap(web, "a", "b").data)
    web.site.pages |= {
        "/sitemap.xml": index(web, "one.xml", "two.xml.gz", "sitemap.xml"),
        "/one.xml": index(web, "three.xml", "one.xml"),
        "/two.xml.gz": Page(packed, "application/gzip"),
        "/three.xml": sitemap(web, "c"),
    }
    assert web.paths(web.list("sitemap", "sitemap.xml")) == ["a", "b", "c"]
    assert len(web.site.asked) == 4 + 3


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            f'<!DOCTYPE x [<!ENTITY a0 "lol">{BOMB}]><urlset><url><loc>&a11;</loc></url></urlset>',
            "",
        ),
        (
            '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><urlset>&e;</urlset>',
            "document type",
        ),
        ("<!DOCTYPE x SYSTEM 'http://127.0.0.1:1/x.dtd'><urlset/>", "document type"),
        ("<html><body>Log in</body></html>", "no sitemap"),
        ("not xml", "no sitemap"),
        (b"\x1f\x8b broken", "no gzip"),
        (gzip.compress(b" " * 30_000_000), "100 times"),
        ("<urlset>" + "<url>" * 100_000, "no sitemap"),
    ],
)
def test_what_is_no_plain_sitemap_is_refused_and_removes_nothing(
    web: Reader, body: str | bytes, reason: str
) -> None:
    web.site.pages["/sitemap.xml"] = sitemap(web, "a")
    web.list("sitemap", "sitemap.xml")
    web.site.pages["/sitemap.xml"] = Page(body, "application/xml")
    listing = web.list("sitemap", "sitemap.xml")
    assert listing.items == ()
    assert [failure.uri for failure in listing.failures] == [web.site.url]
    assert reason in listing.failures[0].reason
    assert web.asked == []


@pytest.mark.parametrize("broken", [Page("busy", status=503), sites.cut, Page("", status=404)])
def test_a_part_that_cannot_be_read_removes_nothing(
    web: Reader, broken: Page | sites.Script
) -> None:
    web.site.pages |= {
        "/sitemap.xml": index(web, "one.xml", "two.xml"),
        "/one.xml": sitemap(web, "a"),
        "/two.xml": broken,
    }
    listing = web.list("sitemap", "sitemap.xml")
    assert web.paths(listing) == ["a"]
    assert [failure.uri for failure in listing.failures] == [web.site.url]


def test_sitemaps_without_end_are_refused(web: Reader) -> None:
    def endless(handler: sites.Handler) -> None:
        number = int(handler.path.strip("/smx.l") or 0)
        handler.show(index(web, f"s{number + 1}.xml"))

    web.site.pages |= {f"/s{number}.xml": endless for number in range(20)}
    listing = web.list("sitemap", "s0.xml")
    assert "more sitemaps" in listing.failures[0].reason
    assert len(web.site.asked) == 4


def test_other_hosts_are_passed_over_unless_they_are_allowed(web: Reader) -> None:
    elsewhere = [
        *("http://169.254.169.254/x", "file:///etc/passwd", "http://docs.example.com/a"),
        *("http://127.0.0.1:22/", "http://user:x@127.0.0.1/"),
    ]
    extra = "".join(f"<url><loc>{url}</loc></url>" for url in elsewhere)
    web.site.pages["/sitemap.xml"] = sitemap(web, "a", extra=extra)
    listing = web.list("sitemap", "sitemap.xml")
    assert web.paths(listing) == ["a"]
    assert dict(listing.skipped) == {
        "addresses that cannot be fetched": 2,
        "pages on hosts that are not in allow_hosts": 2,
    }
    assert ["port 22" in failure.reason for failure in listing.failures] == [True, False]


def test_wildcards_and_a_limit_choose_among_the_pages(web: Reader) -> None:
    names = [f"en/{number}" for number in range(5)] + ["de/1", "en/draft-1"]
    web.site.pages |= {f"/{name}": Page("x") for name in names}
    web.site.pages["/sitemap.xml"] = sitemap(web, *names)
    settings = {"include": ["/en/*"], "exclude": ["*/draft-*"], "max_pages": 3}
    listing = web.list("sitemap", "sitemap.xml", **settings)
    assert web.paths(listing) == ["en/0", "en/1", "en/2"]
    assert dict(listing.skipped) == {
        "pages beyond max_pages": 2,
        "pages that include and exclude leave out": 2,
    }


def test_a_page_whose_date_is_the_same_is_not_even_asked_for(web: Reader) -> None:
    web.site.pages["/sitemap.xml"] = sitemap(web, "a", "b", lastmod="2026-11-01")
    first = web.list("sitemap", "sitemap.xml")
    assert web.source("sitemap", "sitemap.xml").list().items[0].stamp == first.items[0].stamp
    again = web.list("sitemap", "sitemap.xml")
    assert web.asked == []
    assert web.paths(again) == ["a", "b"]
    web.site.pages["/sitemap.xml"] = sitemap(web, "a", "b", lastmod="2026-11-20")
    web.list("sitemap", "sitemap.xml")
    assert web.asked == ["/a", "/b"]


def test_a_date_of_the_same_day_is_not_relied_on(web: Reader) -> None:
    web.site.pages["/sitemap.xml"] = sitemap(web, "a", lastmod="2026-11-28T09:00:00Z")
    web.list("sitemap", "sitemap.xml")
    web.list("sitemap", "sitemap.xml")
    assert web.asked == ["/a"]


def test_a_date_is_relied_on_for_a_week(web: Reader) -> None:
    web.site.pages["/sitemap.xml"] = sitemap(web, "a", lastmod="2026-11-01")
    web.list("sitemap", "sitemap.xml")
    for days, asked in ((6, []), (2, ["/a"]), (6, [])):
        web.today += timedelta(days=days)
        web.list("sitemap", "sitemap.xml")
        assert web.asked == asked


def test_a_missing_page_is_asked_for_whatever_its_date(web: Reader) -> None:
    web.site.pages["/sitemap.xml"] = sitemap(web, "a", lastmod="2026-11-01")
    web.list("sitemap", "sitemap.xml")
    page = web.site.pages.pop("/a")
    web.today += timedelta(days=8)
    web.list("sitemap", "sitemap.xml")
    web.site.pages["/a"] = page
    assert web.paths(web.list("sitemap", "sitemap.xml")) == ["a"]


def test_dates_that_were_wrong_once_are_never_relied_on_again(web: Reader) -> None:
    web.site.pages["/sitemap.xml"] = sitemap(web, "a", "b", lastmod="2026-11-01")
    web.list("sitemap", "sitemap.xml")
    web.site.pages["/a"] = Page("changed in secret")
    web.today += timedelta(days=8)
    web.list("sitemap", "sitemap.xml")
    web.list("sitemap", "sitemap.xml")
    assert web.asked == ["/a", "/b"]


def test_the_date_of_a_sitemap_is_that_of_a_page_without_one(web: Reader) -> None:
    web.site.pages["/sitemap.xml"] = sitemap(web, "a", lastmod="2026-11-01")
    source = web.source("sitemap", "sitemap.xml")
    (item,) = source.list().items
    assert source.read(item).about.modified_at == "2026-11-01"


def test_one_page_that_fails_leaves_the_others(web: Reader) -> None:
    web.site.pages["/sitemap.xml"] = sitemap(web, "a", "b", "c")
    web.list("sitemap", "sitemap.xml")
    web.site.pages["/b"] = Page("busy", status=503)
    listing = web.list("sitemap", "sitemap.xml")
    assert web.paths(listing) == ["a", "c"]
    assert [failure.uri for failure in listing.failures] == [web.site.url + "b"]


def test_a_site_that_fails_again_and_again_is_left_alone(web: Reader) -> None:
    names = [f"p{number}" for number in range(30)]
    web.site.pages |= {f"/{name}": Page(f"text of {name}") for name in names}
    web.site.pages["/sitemap.xml"] = sitemap(web, *names)
    web.list("sitemap", "sitemap.xml")
    web.site.pages |= {f"/{name}": Page("busy", status=503) for name in names}
    listing = web.list("sitemap", "sitemap.xml")
    assert len(web.asked) == 8
    assert {failure.uri for failure in listing.failures} == {web.site.url + name for name in names}


def test_a_page_that_left_the_sitemap_is_not_listed(web: Reader) -> None:
    web.site.pages["/sitemap.xml"] = sitemap(web, "a", "b")
    web.list("sitemap", "sitemap.xml")
    web.site.pages["/sitemap.xml"] = sitemap(web, "b")
    listing = web.list("sitemap", "sitemap.xml")
    assert web.paths(listing) == ["b"]
    assert listing.failures == ()
