from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.describing import describe
from ingest.parsers import parse
from ingest.sources.system import ApiSource
from tests.ingest.systems import opened
from tests.servers.knowledge_systems import FeedServer


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as server:
        yield server


def feed(server: FeedServer, home: Path, **settings: Any) -> ApiSource:
    return opened("feed", home, url=f"{server.url}/feed.json", **settings)


def test_an_item_says_who_may_see_it_until_when_and_whose_it_is(
    server: FeedServer, tmp_path: Path
) -> None:
    server.put(
        "https://help.example.com/a",
        "Refunds",
        "<p>Within 30 days.</p>",
        url="https://help.example.com/a?ref=feed",
        tags=["billing"],
        audience=["partners", "staff"],
        owner="billing team",
        version="4",
        valid_until="2031-01-31",
        date_modified="2025-01-01T00:00:00Z",
    )
    source = feed(server, tmp_path)
    (item,) = source.list().items
    raw = source.read(item)
    document = describe(raw, parse(raw), "")
    assert document.id == "https://help.example.com/a"
    assert document.uri == "https://help.example.com/a?ref=feed"
    assert (document.title, document.language, document.tags) == ("Refunds", "en", ("billing",))
    assert document.audiences == {"partners", "staff"}
    assert (document.owner, document.version) == ("billing team", "4")
    assert document.valid_until == "2031-01-31"


@pytest.mark.parametrize("audience", [5, [], "", ["staff", 1], {"name": "staff"}, False])
def test_an_audience_that_cannot_be_read_is_the_staff(
    server: FeedServer, tmp_path: Path, audience: Any
) -> None:
    server.put("1", "Refunds", "<p>Text.</p>", audience=audience)
    source = feed(server, tmp_path)
    raw = source.read(source.list().items[0])
    assert describe(raw, parse(raw), "").audiences == {"staff"}


@pytest.mark.parametrize(
    ("content", "ending"),
    [
        ({"content_html": "<p>Body <b>text</b></p>"}, ".html"),
        ({"content_markdown": "Body **text**", "content_html": "<p>no</p>"}, ".md"),
        ({"content_html": None, "content_text": "Body text"}, ".txt"),
    ],
)
def test_an_item_is_html_markdown_or_text(
    server: FeedServer, tmp_path: Path, content: dict[str, Any], ending: str
) -> None:
    server.put("1", "Title", "", **content)
    source = feed(server, tmp_path)
    (item,) = source.list().items
    raw = source.read(item)
    assert item.id == f"{server.url}/feed.json#1"
    assert raw.ending == ending
    assert "Body" in parse(raw).text


def test_items_without_content_are_passed_over(server: FeedServer, tmp_path: Path) -> None:
    server.put("1", "Title", " ")
    assert feed(server, tmp_path).list().skipped == (("items without content", 1),)


def test_a_public_feed_takes_no_token(server: FeedServer, tmp_path: Path) -> None:
    server.is_public = True
    server.put("1", "Title", "<p>Text.</p>")
    assert len(feed(server, tmp_path, token=None).list().items) == 1
    assert "authorization" not in server.asked[0].headers


def test_every_field_of_an_item_changes_its_stamp(server: FeedServer, tmp_path: Path) -> None:
    stamps = set()
    for change in ({}, {"audience": "staff"}, {"url": "https://a.example"}, {"tags": ["x"]}):
        server.put("1", "Title", "<p>Text.</p>", **change)
        stamps.add(feed(server, tmp_path).list().items[0].stamp)
    assert len(stamps) == 4
