from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.errors import DocumentEmpty, SourceUnusable
from ingest.sources.system import ApiSource
from tests.ingest.systems import opened
from tests.servers.knowledge_systems import IntercomServer


@pytest.fixture
def intercom() -> Iterator[IntercomServer]:
    with IntercomServer() as server:
        server.put(1, "Refunds", "<p>Within 30 days.</p>")
        yield server


def workspace(server: IntercomServer, home: Path) -> ApiSource:
    return opened("intercom", home, url=server.url)


def test_an_article_has_its_address_language_time_and_collection(
    intercom: IntercomServer, tmp_path: Path
) -> None:
    source = workspace(intercom, tmp_path)
    (item,) = source.list().items
    raw = source.read(item)
    assert item.id == f"{intercom.url}/acme/en/articles/1"
    assert raw.about.url == f"{intercom.url}/acme/en/articles/1-refunds"
    assert raw.about.modified_at == "2023-11-14T22:13:20+00:00"
    assert (raw.about.language, raw.about.tags) == ("en", ("Billing",))
    assert workspace(intercom, tmp_path).read(item) == raw


def test_drafts_and_empty_articles_are_passed_over(
    intercom: IntercomServer, tmp_path: Path
) -> None:
    intercom.put(2, "Soon", "<p>Text.</p>", state="draft")
    intercom.put(3, "Nothing", "")
    listing = workspace(intercom, tmp_path).list()
    assert len(listing.items) == 1
    assert listing.skipped == (("drafts", 1), ("empty articles", 1))


def test_an_article_that_became_a_draft_is_withdrawn_when_it_is_read(
    intercom: IntercomServer, tmp_path: Path
) -> None:
    (item,) = workspace(intercom, tmp_path).list().items
    intercom.put(1, "Refunds", "<p>Text.</p>", state="draft")
    with pytest.raises(DocumentEmpty):
        workspace(intercom, tmp_path).read(item)


def test_each_published_language_is_a_document(intercom: IntercomServer, tmp_path: Path) -> None:
    german = {"title": "Erstattung", "body": "<p>Binnen 30 Tagen.</p>", "state": "published"}
    german |= {"url": f"{intercom.url}/acme/de/articles/1-erstattung"}
    content = {
        "type": "article_translated_content",
        "en": {"state": "published", "title": "Refunds"},
        "de": german,
        "fr": {**german, "state": "draft"},
        "es": None,
    }
    intercom.put(1, "Refunds", "<p>Within 30 days.</p>", translated_content=content)
    before = workspace(intercom, tmp_path).list().items
    assert [item.id.split("/acme/")[1] for item in before] == ["de/articles/1", "en/articles/1"]
    german["body"] = "<p>Binnen 14 Tagen.</p>"
    after = workspace(intercom, tmp_path).list().items
    assert after[0].stamp != before[0].stamp
    assert after[1].stamp == before[1].stamp


def test_an_article_without_an_address_has_an_id_of_its_own(
    intercom: IntercomServer, tmp_path: Path
) -> None:
    intercom.put(1, "Refunds", "<p>Text.</p>", url=None)
    assert workspace(intercom, tmp_path).list().items[0].id == "intercom:1/en"


def test_fewer_articles_than_intercom_counts_are_no_listing(
    intercom: IntercomServer, tmp_path: Path
) -> None:
    intercom.miscounted = 1
    with pytest.raises(SourceUnusable, match="lists 1 articles and counts 2"):
        workspace(intercom, tmp_path).list()
