from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from ingest.config import SourceSettings, seconds_of
from ingest.watching import Watched, Watcher, watched_of
from knowledge.failures import Failure
from tests.ingest.shelf import Shelf

LONG_AGO = Failure("a", "no answer", is_transient=True, source="shelf").after(
    None, datetime.now(UTC) - timedelta(days=1)
)


@pytest.mark.parametrize(
    ("schedule", "seconds"),
    [
        ("", None),
        ("hourly", 3_600),
        ("Daily", 86_400),
        ("weekly", 604_800),
        ("every 6 hours", 21_600),
        ("every 2 seconds", 2),
        ("every minute", 60),
        ("every  2 Weeks", 1_209_600),
    ],
)
def test_a_schedule_is_so_many_seconds(schedule: str, seconds: int | None) -> None:
    assert seconds_of(schedule) == seconds
    assert SourceSettings(path="docs", schedule=schedule).every == seconds


@pytest.mark.parametrize("schedule", ["6h", "every 0 hours", "every -1 day", "0 3 * * *", "never"])
def test_what_is_no_schedule_says_what_is_one(schedule: str) -> None:
    with pytest.raises(ValidationError, match="every 30 minutes"):
        SourceSettings(path="docs", schedule=schedule)


def test_a_source_is_due_at_first_and_then_when_it_changed() -> None:
    shelf = Shelf(a="A.")
    watcher = Watcher([Watched(shelf, every=0)], list)
    assert watcher.due() == {"shelf"}
    assert watcher.due() == set()
    shelf.texts["a"] = "A 2."
    assert watcher.due() == {"shelf"}


def test_a_source_with_a_schedule_is_not_looked_at_before_its_time() -> None:
    often, seldom = Shelf("often", a="A."), Shelf("seldom", a="A.")
    watcher = Watcher([Watched(often, every=0), Watched(seldom, every=3_600)], list)
    assert watcher.due() == {"often", "seldom"}
    often.texts["a"] = seldom.texts["a"] = "A 2."
    assert watcher.due() == {"often"}


def test_a_source_whose_sync_came_to_nothing_is_due_again() -> None:
    watcher = Watcher([Watched(Shelf(), every=3_600)], list)
    watcher.forget(watcher.due())
    assert watcher.due() == {"shelf"}


def test_a_source_is_due_when_a_document_of_it_is_tried_again() -> None:
    waiting = LONG_AGO.after(LONG_AGO, datetime.now(UTC))
    elsewhere = replace(LONG_AGO, source="another")
    for failures, due in (([waiting, elsewhere], set()), ([waiting, LONG_AGO], {"shelf"})):
        shelf = Watched(Shelf(), every=3_600)
        watcher = Watcher([shelf], list)
        watcher.due()
        assert Watcher([shelf], failures.copy).due() == due


@pytest.mark.parametrize(
    ("schedules", "watched"),
    [(["daily", "", "hourly"], ["a", "c"]), (["", "", ""], ["a", "b", "c"])],
)
def test_only_sources_with_a_schedule_are_watched_where_one_has_one(
    schedules: list[str], watched: list[str]
) -> None:
    settings = [SourceSettings(path="docs", schedule=schedule) for schedule in schedules]
    sources = [Shelf(name) for name in "abc"]
    assert [each.source.name for each in watched_of(sources, settings)] == watched


def test_files_are_looked_at_all_the_time_and_others_by_the_hour(tmp_path: Path) -> None:
    every = {
        Watched.of(Shelf(), settings).every
        for settings in (
            SourceSettings(path=str(tmp_path)),
            SourceSettings.model_validate({"url": "https://help.example/"}),
            SourceSettings.model_validate({"url": "https://x.example/", "schedule": "daily"}),
        )
    }
    assert every == {2, 3_600, 86_400}
