from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import DocumentEmpty, SourceUnusable
from ingest.parsers import parse
from ingest.sources.system import ApiSource
from tests.ingest.systems import opened
from tests.servers.knowledge_systems import ZendeskServer


@pytest.fixture
def zendesk() -> Iterator[ZendeskServer]:
    with ZendeskServer() as server:
        server.put(1, "Refunds", "<h2>How</h2><p>Within 30 days.</p>", label_names=["billing"])
        yield server


def help_centre(server: ZendeskServer, home: Path, path: str = "", **settings: Any) -> ApiSource:
    login = {"user": "agent@example.com", **settings}
    return opened("zendesk", home, url=server.url + path, **login)


def test_an_article_has_its_customers_address_language_and_labels(
    zendesk: ZendeskServer, tmp_path: Path
) -> None:
    source = help_centre(zendesk, tmp_path)
    (item,) = source.list().items
    raw = source.read(item)
    assert item.id == f"{zendesk.url}/hc/en-us/articles/1"
    assert raw.about.url == f"{zendesk.url}/hc/en-us/articles/1-Refunds"
    assert (raw.about.language, raw.about.tags) == ("en-us", ("billing",))
    assert raw.about.audiences is None
    assert parse(raw).text == "## How\n\nWithin 30 days."


def test_a_new_title_keeps_the_id(zendesk: ZendeskServer, tmp_path: Path) -> None:
    before = help_centre(zendesk, tmp_path).list().items[0]
    zendesk.put(1, "Money back", "<p>Within 30 days.</p>", updated_at="2025-02-01T00:00:00Z")
    after = help_centre(zendesk, tmp_path).list().items[0]
    assert after.id == before.id
    assert after.stamp != before.stamp


@pytest.mark.parametrize(
    "segments", [{"user_segment_id": 12}, {"user_segment_ids": [12, 13]}], ids=["one", "several"]
)
def test_an_article_for_a_user_segment_is_for_the_staff(
    zendesk: ZendeskServer, tmp_path: Path, segments: dict[str, Any]
) -> None:
    opened_before = help_centre(zendesk, tmp_path).list().items[0]
    zendesk.articles[1].update(segments, updated_at="2025-02-01T00:00:00Z")
    source = help_centre(zendesk, tmp_path)
    (item,) = source.list().items
    assert item.stamp != opened_before.stamp
    assert source.read(item).about.audiences == frozenset()
    assert help_centre(zendesk, tmp_path).read(item).about.audiences == frozenset()


def test_an_article_of_which_no_segment_is_told_is_for_the_staff(
    zendesk: ZendeskServer, tmp_path: Path
) -> None:
    del zendesk.articles[1]["user_segment_id"]
    source = help_centre(zendesk, tmp_path)
    assert source.read(source.list().items[0]).about.audiences == frozenset()


def test_drafts_are_passed_over_until_they_are_published(
    zendesk: ZendeskServer, tmp_path: Path
) -> None:
    zendesk.put(2, "Secret", "<p>Soon.</p>", draft=True)
    listing = help_centre(zendesk, tmp_path).list()
    assert len(listing.items) == 1
    assert listing.skipped == (("drafts", 1),)
    zendesk.articles[2].update(draft=False, updated_at="2025-02-01T00:00:00Z")
    assert len(help_centre(zendesk, tmp_path).list().items) == 2


def test_an_article_that_became_a_draft_is_withdrawn_when_it_is_read(
    zendesk: ZendeskServer, tmp_path: Path
) -> None:
    (item,) = help_centre(zendesk, tmp_path).list().items
    zendesk.articles[1]["draft"] = True
    with pytest.raises(DocumentEmpty):
        help_centre(zendesk, tmp_path).read(item)


def test_each_published_translation_is_a_document(zendesk: ZendeskServer, tmp_path: Path) -> None:
    zendesk.translate(1, "de", "Erstattung", "<p>Binnen 30 Tagen.</p>", outdated=True)
    zendesk.translate(1, "fr", "Remboursement", "<p>Sous 30 jours.</p>", draft=True)
    source = help_centre(zendesk, tmp_path)
    items = source.list().items
    assert [item.id.split("/hc/")[1] for item in items] == ["de/articles/1", "en-us/articles/1"]
    german = help_centre(zendesk, tmp_path).read(items[0])
    assert german == source.read(items[0])
    assert (german.about.title, german.about.language) == ("Erstattung", "de")
    assert german.about.tags == ("billing", "outdated")


def test_a_changed_translation_is_seen_although_the_article_did_not_change(
    zendesk: ZendeskServer, tmp_path: Path
) -> None:
    zendesk.translate(1, "de", "Erstattung", "<p>Binnen 30 Tagen.</p>")
    before = help_centre(zendesk, tmp_path).list().items[0]
    zendesk.articles[1]["translations"][0]["body"] = "<p>Binnen 14 Tagen.</p>"
    assert help_centre(zendesk, tmp_path).list().items[0].stamp != before.stamp


def test_an_address_with_a_language_lists_that_one(zendesk: ZendeskServer, tmp_path: Path) -> None:
    zendesk.put(2, "Hallo", "<p>Guten Tag.</p>", locale="de")
    for _ in range(2):
        listing = help_centre(zendesk, tmp_path, "/hc/en-us").list()
        assert [item.id.rpartition("/")[2] for item in listing.items] == ["1"]


def test_without_a_token_the_public_articles_of_a_language_are_listed(
    zendesk: ZendeskServer, tmp_path: Path
) -> None:
    zendesk.is_public = True
    source = help_centre(zendesk, tmp_path, "/hc/en-us", token=None)
    for _ in range(2):
        assert len(source.list().items) == 1
    assert zendesk.paths("incremental") == []
    with pytest.raises(SourceUnusable, match="/hc/en-us"):
        help_centre(zendesk, tmp_path, token=None)


def test_an_unchanged_help_centre_takes_two_requests(
    zendesk: ZendeskServer, tmp_path: Path
) -> None:
    for number in range(2, 12):
        zendesk.put(number, f"Title {number}", "<p>Text.</p>")
    assert len(help_centre(zendesk, tmp_path).list().items) == 11
    zendesk.asked.clear()
    assert len(help_centre(zendesk, tmp_path).list().items) == 11
    assert zendesk.paths() == [
        "/api/v2/help_center/incremental/articles.json",
        "/api/v2/help_center/articles.json",
    ]
    since = int(zendesk.asked[0].query["start_time"])
    assert since == 1_735_689_600 - 60


def test_more_changes_than_one_answer_holds_are_seen_in_the_whole_list(
    zendesk: ZendeskServer, tmp_path: Path
) -> None:
    zendesk.page_size = 500
    for number in range(2, 1_001):
        zendesk.put(number, f"Title {number}", "<p>Text.</p>")
    for _ in range(2):
        assert len(help_centre(zendesk, tmp_path).list().items) == 1_000
    assert len([asked for asked in zendesk.asked if "page[size]" in asked.query]) == 4


def test_a_comment_of_a_reader_changes_nothing(zendesk: ZendeskServer, tmp_path: Path) -> None:
    before = help_centre(zendesk, tmp_path).list().items[0].stamp
    zendesk.articles[1].update(updated_at="2025-03-01T00:00:00Z", vote_sum=3)
    assert help_centre(zendesk, tmp_path).list().items[0].stamp == before


def test_a_first_sync_fetches_no_article_on_its_own(zendesk: ZendeskServer, tmp_path: Path) -> None:
    source = help_centre(zendesk, tmp_path)
    for item in source.list().items:
        source.read(item)
    assert zendesk.paths("/articles/1") == []
