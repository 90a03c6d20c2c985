from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.plan import diff, shaped_hash
from ingest.sources.base import Labels, Listed, Listing
from ingest.sources.files import FileSource
from knowledge.documents import Document
from knowledge.releases import Failure

PUBLIC = Labels()


@pytest.fixture
def docs(tmp_path: Path) -> FileSource:
    return FileSource(str(tmp_path), PUBLIC)


def listed(source: FileSource, **hashes: str) -> Listing:
    return Listing(tuple(Listed(id_, source, data, PUBLIC, "") for id_, data in hashes.items()))


def held(**hashes: str) -> dict[str, Document]:
    return {
        id_: Document(id_, "", "", "docs", shaped_hash(data, PUBLIC, "model"))
        for id_, data in hashes.items()
    }


def test_each_document_is_added_changed_removed_or_left(docs: FileSource) -> None:
    plan = diff([listed(docs, a="1", b="2", c="3")], held(b="2", c="old", d="4"), "model")
    assert [item.id for item in plan.added] == ["a"]
    assert [item.id for item in plan.changed] == ["c"]
    assert [item.id for item in plan.unchanged] == ["b"]
    assert plan.removed == ("d",)


def test_nothing_is_to_be_done_where_all_is_as_it_was(docs: FileSource) -> None:
    assert diff([listed(docs, a="1")], held(a="1"), "model").is_empty


@pytest.mark.parametrize("labels", [Labels("staff"), Labels(base_url="https://x.example")])
def test_other_labels_of_a_source_change_its_documents(docs: FileSource, labels: Labels) -> None:
    (item,) = listed(docs, a="1").items
    plan = diff([Listing((replace(item, labels=labels),))], held(a="1"), "model")
    assert [item.id for item in plan.changed] == ["a"]


def test_another_embedder_changes_every_document(docs: FileSource) -> None:
    assert len(diff([listed(docs, a="1", b="2")], held(a="1", b="2"), "other").changed) == 2


def test_adding_removes_nothing(docs: FileSource) -> None:
    plan = diff([listed(docs, a="1")], held(b="2"), "model", listed_sources=())
    assert plan.removed == ()


def test_what_could_not_be_listed_stays_as_it_is(docs: FileSource) -> None:
    broken = Listing(failures=(Failure("a", "too large"), Failure("locked/", "unreadable")))
    plan = diff([broken], held(**{"a": "1", "locked/b": "2", "locked.md": "3"}), "model")
    assert plan.removed == ("locked.md",)
    assert len(plan.failures) == 2


def test_the_second_document_of_an_id_is_a_failure_that_names_both_sources(
    tmp_path: Path,
) -> None:
    one, two = (tmp_path / name for name in ("one", "two"))
    for folder in (one, two):
        folder.mkdir()
    sources = [FileSource(str(folder), PUBLIC) for folder in (one, two)]
    plan = diff([listed(source, a="1") for source in sources], {}, "model")
    assert [item.source for item in plan.added] == [sources[0]]
    (failure,) = plan.failures
    assert failure.uri == "a"
    assert str(one) in failure.reason
    assert str(two) in failure.reason


def test_a_document_past_its_last_day_changes_once(docs: FileSource) -> None:
    last = {"a": replace(held(a="1")["a"], valid_until="2026-01-31", chunk_ids=("c",))}
    listing = [listed(docs, a="1")]
    assert diff(listing, last, "model", now=datetime(2026, 1, 31, tzinfo=UTC)).is_empty
    plan = diff(listing, last, "model", now=datetime(2026, 2, 1, tzinfo=UTC))
    assert [item.id for item in plan.changed] == ["a"]
    gone = {"a": replace(last["a"], chunk_ids=())}
    assert diff(listing, gone, "model", now=datetime(2026, 2, 1, tzinfo=UTC)).is_empty
