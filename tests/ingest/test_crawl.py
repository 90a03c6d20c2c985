from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ingest.webs import Reader
from tests.servers import site as sites
from tests.servers.site import Page, Site, redirect


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Reader]:
    with Site() as site:
        yield Reader(site, tmp_path)


def link(*targets: str, head: str = "", text: str = "text") -> Page:
    links = "".join(f'<a href="{target}">to {target}</a>' for target in targets)
    return Page(f"<html><head>{head}</head><body><p>{text}</p>{links}</body></html>")


def test_a_site_is_walked_breadth_first_and_each_page_once(web: Reader) -> None:
    web.site.pages |= {
        "/": link("/b", "a", "/#top"),
        "/a": link("/c", "/", "/a?utm_source=x"),
        "/b": link("d", "a;jsessionid=12?PHPSESSID=3"),
        "/c": link("/b"),
        "/d": link("/c"),
    }
    listing = web.list("crawl")
    assert web.asked == ["/", "/b", "/a", "/d", "/c"]
    assert web.paths(listing) == ["", "a", "b", "c", "d"]


def test_unchanged_pages_are_not_sent_again_and_still_lead_on(web: Reader) -> None:
    web.site.pages |= {"/": link("/a"), "/a": link("/b"), "/b": link()}
    first = web.list("crawl")
    again = web.list("crawl")
    assert [item.stamp for item in again.items] == [item.stamp for item in first.items]
    pages = [request for request in web.site.requests if request.path != "/robots.txt"]
    assert all("if-none-match" in request.headers for request in pages)


def test_a_crawl_stays_on_its_host_and_below_its_start(web: Reader) -> None:
    web.site.pages |= {
        "/docs": redirect("/docs/"),
        "/docs/": link("a", "/blog/x", "http://example.com/docs/y", "mailto:a@b", "javascript:1"),
        "/docs/a": link("/docs/../secret", "//evil.example.com/docs/", "ftp://x/docs/"),
        "/blog/x": link(),
    }
    assert web.paths(web.list("crawl", "docs")) == ["docs/", "docs/a"]
    assert web.asked == ["/docs", "/docs/", "/docs/a"]


def test_depth_and_number_of_pages_are_bounded(web: Reader) -> None:
    web.site.pages |= {f"/{n or ''}": link(f"/{n + 1}", f"/x{n}") for n in range(20)}
    assert len(web.list("crawl", max_depth=3).items) == 4
    listing = web.list("crawl", max_pages=3)
    assert len(web.asked) == 3
    assert ("pages beyond max_pages", 2) in listing.skipped


def test_pages_that_a_site_makes_without_end_are_bounded(web: Reader) -> None:
    def calendar(handler: sites.Handler) -> None:
        day = int(handler.path.partition("day=")[2] or 0)
        handler.show(link(f"/calendar?day={day + 1}", f"/calendar?day={day + 2}", "sub/"))

    def deeper(handler: sites.Handler) -> None:
        handler.show(link("sub/"))

    web.site.pages |= {"/calendar": calendar, "/": link("/calendar", "/sub/")}
    web.site.pages |= {"/" + "sub/" * n: deeper for n in range(1, 30)}
    listing = web.list("crawl", max_depth=50)
    assert len(web.asked) < 60
    assert dict(listing.skipped)["addresses that look made without end"] > 0


def test_wildcards_say_what_is_fetched_and_what_becomes_a_document(web: Reader) -> None:
    web.site.pages |= {
        "/": link("/en/", "/print/1"),
        "/en/": link("/en/article/1", "/en/category"),
        "/en/category": link("/en/article/2"),
        "/en/article/1": link(),
        "/en/article/2": link(),
        "/print/1": link(),
    }
    listing = web.list("crawl", include=["/en/article/*"], exclude=["/print/*"])
    assert web.paths(listing) == ["en/article/1", "en/article/2"]
    assert "/print/1" not in web.asked


def test_links_to_what_is_no_document_are_not_followed(web: Reader) -> None:
    web.site.pages["/"] = link("/logo.png", "/app.js", "/style.css", "/film.mp4", "/a.exe", "/ok")
    web.site.pages["/ok"] = link()
    web.list("crawl")
    assert web.asked == ["/", "/ok"]


def test_robots_txt_is_kept_to(web: Reader) -> None:
    rules = "User-agent: *\nDisallow: /private/\nAllow: /private/open\nCrawl-delay: 0"
    web.site.pages |= {
        "/robots.txt": Page(rules, "text/plain"),
        "/": link("/private/a", "/private/open", "/go"),
        "/private/open": link(),
        "/private/a": link(text="secret"),
        "/go": redirect("/private/a"),
    }
    listing = web.list("crawl")
    assert web.paths(listing) == ["", "private/open"]
    assert dict(listing.skipped)["pages that robots.txt forbids"] == 2


def test_rules_for_us_by_name_go_before_those_for_all(web: Reader) -> None:
    rules = "User-agent: *\nDisallow: /\n\nUser-agent: supportbot-ingest\nDisallow: /no"
    web.site.pages |= {"/robots.txt": Page(rules), "/": link("/no", "/yes"), "/yes": link()}
    assert web.paths(web.list("crawl")) == ["", "yes"]


@pytest.mark.parametrize("status", [404, 403, 401, 410])
def test_a_site_without_rules_allows_everything(web: Reader, status: int) -> None:
    web.site.pages |= {"/robots.txt": Page("x", status=status), "/": link()}
    assert len(web.list("crawl").items) == 1


@pytest.mark.parametrize("robots", [Page("x", status=500), Page("x", status=503), sites.cut])
def test_a_site_that_does_not_tell_its_rules_is_not_fetched_and_keeps_all(
    web: Reader, robots: Page | sites.Script
) -> None:
    web.site.pages |= {"/": link("/a"), "/a": link()}
    web.list("crawl")
    web.site.pages["/robots.txt"] = robots
    listing = web.list("crawl")
    assert web.asked == []
    assert [failure.uri for failure in listing.failures] == [web.site.url]


def test_a_site_that_forbids_its_first_page_keeps_what_is_known(web: Reader) -> None:
    web.site.pages |= {"/robots.txt": Page("User-agent: *\nDisallow: /"), "/": link()}
    listing = web.list("crawl")
    assert web.asked == []
    assert [failure.uri for failure in listing.failures] == [web.site.url]


def test_robots_txt_that_leads_to_a_private_address_is_not_followed(web: Reader) -> None:
    web.site.pages |= {"/robots.txt": redirect("http://169.254.169.254/robots.txt"), "/": link()}
    listing = web.list("crawl")
    assert listing.items == ()
    assert len(listing.failures) == 1


def test_what_a_page_asks_of_robots_is_kept_to(web: Reader) -> None:
    meta = '<meta name="{}" content="{}">'
    web.site.pages |= {
        "/": link("/a", "/b", "/c", "/d", "/e"),
        "/a": link("/a1", head=meta.format("robots", "NOINDEX")),
        "/b": link("/b1", head=meta.format("robots", "index, nofollow")),
        "/c": link("/c1", head=meta.format("ROBOTS", "none")),
        "/d": Page("<p>d", headers={"X-Robots-Tag": "noindex"}),
        "/e": link(head=meta.format("googlebot", "noindex")),
        **{f"/{name}1": link() for name in "abc"},
    }
    listing = web.list("crawl")
    assert web.paths(listing) == ["", "a1", "b", "e"]
    again = web.list("crawl")
    assert web.paths(again) == ["", "a1", "b", "e"]
    assert dict(again.skipped) == {"pages that ask to be left out": 3}


def test_links_without_trust_are_not_followed(web: Reader) -> None:
    web.site.pages |= {
        "/": Page('<a rel="external NOFOLLOW" href="/ad">x</a><area href="/a">'),
        "/a": link(),
        "/ad": link(),
    }
    assert web.paths(web.list("crawl")) == ["", "a"]


def test_links_that_lead_to_other_hosts_are_counted_and_no_failure(web: Reader) -> None:
    web.site.pages |= {"/": link("/go", "/in"), "/go": redirect("https://chat.example.com/")}
    web.site.pages["/in"] = redirect("http://10.0.0.1/")
    for _ in range(2):
        listing = web.list("crawl")
        assert web.paths(listing) == [""]
        assert listing.failures == ()
        assert dict(listing.skipped) == {"links that lead to where nothing is fetched from": 2}
    web.site.pages["/"] = redirect("https://chat.example.com/")
    assert len(web.list("crawl").failures) == 1


def test_a_base_counts_only_on_its_own_site(web: Reader) -> None:
    web.site.pages |= {
        "/": link("a", head='<base href="/sub/">'),
        "/sub/a": link("b", head='<base href="http://169.254.169.254/latest/">'),
        "/sub/b": link(),
    }
    assert web.paths(web.list("crawl")) == ["", "sub/a", "sub/b"]


def test_two_addresses_of_one_document_are_one(web: Reader) -> None:
    canonical = '<link rel="canonical" href="/real">'
    web.site.pages |= {
        "/": link("/copy", "/real"),
        "/copy": link(head=canonical, text="copy"),
        "/real": link(head=canonical, text="real"),
    }
    source = web.source("crawl")
    listing = source.list()
    assert web.paths(listing) == ["", "real"]
    assert b"<p>real" in source.read(listing.items[1]).data


def test_a_page_that_fails_keeps_what_lies_behind_it(web: Reader) -> None:
    web.site.pages |= {"/": link("/a"), "/a": link("/b"), "/b": link()}
    web.list("crawl")
    web.site.pages["/a"] = Page("busy", status=503)
    listing = web.list("crawl")
    assert web.paths(listing) == ["", "b"]
    assert [failure.uri for failure in listing.failures] == [web.site.url + "a"]


def test_without_a_memory_a_failure_keeps_everything(web: Reader) -> None:
    web.site.pages |= {"/": link("/a"), "/a": Page("busy", status=503)}
    uris = {failure.uri for failure in web.list("crawl").failures}
    assert uris == {web.site.url + "a", web.site.url}


def test_a_dead_link_fails_once_and_is_then_counted(web: Reader) -> None:
    web.site.pages |= {"/": link("/dead")}
    assert len(web.list("crawl").failures) == 2
    listing = web.list("crawl")
    assert listing.failures == ()
    assert dict(listing.skipped) == {"pages that are not there any more": 1}


def test_a_page_that_is_not_linked_any_more_is_not_listed(web: Reader) -> None:
    web.site.pages |= {"/": link("/a", "/b"), "/a": link(), "/b": link()}
    web.list("crawl")
    web.site.pages["/"] = link("/b")
    assert web.paths(web.list("crawl")) == ["", "b"]


def test_other_settings_do_not_rely_on_what_was_remembered_for_these(web: Reader) -> None:
    web.site.pages |= {"/": link("/a", "/x/b"), "/a": link(), "/x/b": link()}
    assert len(web.list("crawl", exclude=["/x/*"]).items) == 2
    assert len(web.list("crawl").items) == 3
    assert len(web.list("page").items) == 1
    assert len(web.list("crawl").items) == 3


def test_a_huge_or_deep_page_leads_nowhere_and_harms_nothing(web: Reader) -> None:
    web.site.pages |= {
        "/": link("/many", "/deep", "/odd"),
        "/many": Page("<a href=/x>" * 300_000),
        "/deep": Page("<div>" * 100_000 + "<a href=/y>"),
        "/odd": Page(b"<a href='http://[::1'>x</a><a href='http://a:b:c/'>\xff\x00<a href='%zz'>"),
    }
    web.list("crawl")
    assert not {"/x"} & set(web.asked)
