from __future__ import annotations

import time
from dataclasses import replace

import pytest

from ingest.describing import describe
from ingest.errors import ParseFailed
from ingest.parsers import parse
from ingest.sources.base import About, Labels
from knowledge.documents import Document
from tests.ingest.raw import raw


def described(name: str, text: str, base_url: str = "", audience: str = "public") -> Document:
    page = raw(name, text, base_url, audience)
    return describe(page, parse(page), "hash")


@pytest.mark.parametrize(
    ("name", "text", "base_url", "uri"),
    [
        (
            "a.md",
            "---\nurl: https://x.example/f\n---\nx",
            "https://b.example",
            "https://x.example/f",
        ),
        ("a.md", "---\nsource_url: https://x.example/f\n---\nx", "", "https://x.example/f"),
        ("a.md", "---\nurl: /f\n---\nx", "https://b.example/docs", "https://b.example/f"),
        ("a.md", "---\nurl: /f\n---\nx", "", "a.md"),
        ("a.md", "---\nurl: javascript:alert(1)\n---\nx", "", "a.md"),
        (
            "a.md",
            "# T\n\nSource: https://x.example/s\n\nx",
            "https://b.example",
            "https://x.example/s",
        ),
        (
            *("a.html", '<link rel="canonical" href="https://x.example/c"><p>x'),
            *("https://b.example", "https://x.example/c"),
        ),
        ("guide/a b.md", "x", "https://b.example/docs", "https://b.example/docs/guide/a%20b"),
        ("guide/a.markdown", "x", "https://b.example/docs/", "https://b.example/docs/guide/a"),
        ("guide/a.html", "<p>x", "https://b.example", "https://b.example/guide/a.html"),
        ("guide/a.md", "x", "", "guide/a.md"),
    ],
)
def test_the_address_is_the_pages_own_then_under_the_base_then_the_id(
    name: str, text: str, base_url: str, uri: str
) -> None:
    assert described(name, text, base_url).uri == uri


@pytest.mark.parametrize(
    ("name", "text", "title"),
    [
        ("a.md", "---\ntitle: Front\n---\n# Heading\n\nx", "Front"),
        ("a.md", "# Heading\n\nx", "Heading"),
        ("a.html", "<title>Tab</title><h1>Page</h1><p>x", "Page"),
        ("a.html", "<title>Tab</title><p>x", "Tab"),
        ("a.txt", "First line\n\nBody", "First line"),
        ("reset-your_password.txt", "Body only", "reset your password"),
    ],
)
def test_the_title_is_what_the_page_calls_itself(name: str, text: str, title: str) -> None:
    assert described(name, text).title == title


@pytest.mark.parametrize(
    ("front", "audience", "audiences"),
    [
        ("", "public", {"public"}),
        ("", "customer-a", {"customer-a"}),
        ("audience: customer-b", "public", {"customer-b"}),
        ("audience: [a, b]", "public", {"a", "b"}),
        ("audience:", "public", {"staff"}),
        ("audience: 7", "customer-a", {"staff"}),
    ],
)
def test_a_page_is_for_its_audience_and_closed_where_that_is_illegible(
    front: str, audience: str, audiences: set[str]
) -> None:
    assert described("a.md", f"---\n{front}\n---\nx", audience=audience).audiences == audiences


def test_an_endless_title_is_cut() -> None:
    assert len(described("a.html", f"<title>{'x' * 5000}</title><p>x").title) == 300


def test_a_page_keeps_what_its_front_matter_says_of_it() -> None:
    front = (
        "language: en\nupdated: 2026-03-04\nvalid_until: 2030-01-31\ntags: [a, b]\n"
        "owner: docs team\nversion: 4.2"
    )
    page = described("a.md", f"---\n{front}\n---\nx")
    assert (page.language, page.modified_at, page.valid_until) == ("en", "2026-03-04", "2030-01-31")
    assert (page.tags, page.owner, page.version) == (("a", "b"), "docs team", "4.2")


def test_what_the_sources_system_says_goes_before_the_page_and_the_labels() -> None:
    told = About(
        title="Told", url="https://x.example/told", audiences=frozenset({"a"}), tags=("t",)
    )
    labels = Labels("b", "https://b.example", tags=("l",), owner="o", valid_until="2030-01-01")
    text = "---\ntitle: Page\nurl: /page\naudience: c\ntags: p\nvalid_until: 2029-01-01\n---\nx"
    page = replace(raw("a.md", text), about=told, labels=labels)
    made = describe(page, parse(page), "hash")
    assert (made.title, made.uri, made.audiences) == ("Told", "https://x.example/told", {"a"})
    assert (made.tags, made.owner, made.valid_until) == (("t", "p", "l"), "o", "2029-01-01")


def test_a_last_day_that_is_no_date_is_never_taken_for_good() -> None:
    with pytest.raises(ParseFailed, match="YYYY-MM-DD"):
        described("a.md", "---\nvalid_until: soon\n---\nx")


def test_titles_of_other_systems_hold_nothing_that_no_reader_sees() -> None:
    hidden = "\x1b[31mOpen\u202e the\U000e0041 \u200bbox\ud800\n"
    page = replace(raw("a.md", "x"), about=About(title=hidden, owner=hidden, tags=(hidden,)))
    made = describe(page, parse(page), "hash")
    assert {made.title, made.owner, *made.tags} == {"Open the box?"}


@pytest.mark.parametrize("sign", ["\ud800", "\x1b", "\u202e"])
def test_an_address_or_audience_of_odd_signs_is_none(sign: str) -> None:
    about = About(url=f"https://x.example/{sign}", audiences=frozenset({f"partners{sign}"}))
    page = replace(raw("a.md", "x"), about=about)
    made = describe(page, parse(page), "hash")
    assert (made.uri, made.audiences) == ("a.md", {"staff"})


def test_a_title_of_a_whole_page_is_looked_through_in_part() -> None:
    page = replace(raw("a.md", "x"), about=About(title="glpat-" * 500_000))
    began = time.process_time()
    assert len(describe(page, parse(page), "hash").title) == 300
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("source", "said", "audience"),
    [
        ("staff", "public", "staff"),
        ("partners", "[partners, public]", "partners"),
        ("partners", "staff", "staff"),
        ("partners", "others", "staff"),
        ("public", "staff", "staff"),
        ("public", "partners", "partners"),
    ],
)
def test_a_fetched_page_may_close_itself_and_never_open_itself(
    source: str, said: str, audience: str
) -> None:
    text = f"---\naudience: {said}\n---\nx"
    page = replace(raw("a.md", text, audience=source), is_fetched=True)
    assert describe(page, parse(page), "hash").audiences == {audience}


def test_a_system_says_who_may_see_what_it_holds() -> None:
    about = About(audiences=frozenset({"public"}))
    page = replace(raw("a.md", "x", audience="staff"), about=about, is_fetched=True)
    assert describe(page, parse(page), "hash").audiences == {"public"}
