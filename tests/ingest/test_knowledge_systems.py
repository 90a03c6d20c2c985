"""What every system with an API promises as a source, each on a server that speaks as it does."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.config import SourceSettings, with_tokens
from ingest.errors import FetchFailed, ParseFailed, SourceUnreachable, SourceUnusable
from ingest.parsers import parse
from ingest.pipeline import Pipeline
from ingest.sources.base import Listing
from ingest.sources.given import open_sources
from knowledge.documents import Scope
from knowledge.releases import ReleaseStore
from tests.fakes import HashEmbedder
from tests.ingest.systems import SYSTEMS, Sleeps, System
from tests.servers.knowledge_systems import TOKEN, Answered, busy, half

ARTICLES = Path(__file__).parents[2] / "knowledge" / "articles"
OLD, NEW = "2025-01-01T00:00:00Z", "2025-06-01T12:00:00Z"


@pytest.fixture(params=list(SYSTEMS))
def system(request: pytest.FixtureRequest) -> Iterator[System]:
    system = SYSTEMS[request.param]()
    with system.server:
        for key in range(1, 6):
            system.write(key, f"Title {key}", f"Body of number {key}.", OLD)
        yield system


def ids(listing: Listing) -> list[str]:
    return [item.id for item in listing.items]


def stamps(listing: Listing) -> dict[str, str]:
    return {item.id: item.stamp for item in listing.items}


def test_all_pages_are_listed_in_order_with_distinct_ids(system: System, tmp_path: Path) -> None:
    listing = system.open(tmp_path).list()
    assert len(set(ids(listing))) == 5
    assert ids(listing) == sorted(ids(listing))
    assert listing.failures == ()


def test_an_article_is_read_with_its_title_text_and_time(system: System, tmp_path: Path) -> None:
    source = system.open(tmp_path)
    texts = {}
    for item in source.list().items:
        raw = source.read(item)
        parsed = parse(raw)
        assert (raw.id, raw.stamp, raw.source) == (item.id, item.stamp, source.name)
        assert raw.about.modified_at
        texts[raw.about.title] = parsed.text
    assert set(texts) == {f"Title {key}" for key in range(1, 6)}
    assert all(f"Body of number {title[-1]}." in text for title, text in texts.items())


def test_one_article_can_be_fetched_alone(system: System, tmp_path: Path) -> None:
    item = system.open(tmp_path).list().items[0]
    alone = system.open(tmp_path).read(item)
    assert alone.stamp == item.stamp
    assert "Body of number" in parse(alone).text


def test_a_second_listing_has_the_same_stamps_and_fetches_no_article(
    system: System, tmp_path: Path
) -> None:
    first = stamps(system.open(tmp_path).list())
    system.server.asked.clear()
    assert stamps(system.open(tmp_path).list()) == first
    if system.single:
        assert system.server.paths(system.single) == []


def test_without_its_memory_the_stamps_are_the_same(system: System, tmp_path: Path) -> None:
    first = stamps(system.open(tmp_path / "a").list())
    assert stamps(system.open(tmp_path / "b").list()) == first


def test_a_damaged_memory_counts_as_none(system: System, tmp_path: Path) -> None:
    first = stamps(system.open(tmp_path).list())
    (file,) = (tmp_path / "sources").iterdir()
    saved = json.loads(file.read_text())
    for broken in ({**saved, "articles": [[1, 2]]}, {**saved, "since_full": "x"}, [], {"shape": 1}):
        file.write_text(json.dumps(broken))
        assert stamps(system.open(tmp_path).list()) == first


def test_a_change_changes_one_stamp_and_is_read(system: System, tmp_path: Path) -> None:
    before = stamps(system.open(tmp_path).list())
    system.write(3, "Title 3", "Now it says more.", NEW)
    source = system.open(tmp_path)
    after = source.list()
    (changed,) = [item for item in after.items if before[item.id] != item.stamp]
    assert "Now it says more." in parse(source.read(changed)).text


def test_a_new_article_is_listed(system: System, tmp_path: Path) -> None:
    before = ids(system.open(tmp_path).list())
    system.write(6, "Title 6", "A new one.", NEW)
    after = ids(system.open(tmp_path).list())
    assert len(after) == 6
    assert set(before) < set(after)


def test_a_deleted_article_is_listed_no_more(system: System, tmp_path: Path) -> None:
    before = ids(system.open(tmp_path).list())
    system.delete(2)
    assert len(ids(system.open(tmp_path).list())) == 4
    system.write(7, "Title 7", "Came as another went.", NEW)
    system.delete(3)
    after = ids(system.open(tmp_path).list())
    assert len(after) == 4
    assert len(set(before) & set(after)) == 3


def test_an_article_that_is_deleted_after_the_listing_fails_alone(
    system: System, tmp_path: Path
) -> None:
    items = system.open(tmp_path).list().items
    for key in range(1, 6):
        system.delete(key)
    with pytest.raises(ParseFailed):
        system.open(tmp_path).read(items[0])


FAULTS = {
    "token is refused": (Answered({"error": "no"}, 401), "token"),
    "right is missing": (Answered({"error": "no"}, 403), "right to read"),
    "place is unknown": (Answered({"error": "no"}, 404), "no such place"),
    "page is half": (half(), "not as expected"),
    "page is no JSON": (Answered(b"<html>Sign in</html>"), "not as expected"),
    "page has another shape": (Answered({"results": 1, "articles": "x", "data": "x"}), "expected"),
    "page is nested deeply": (Answered(b"[" * 100_000), "not as expected"),
    "wait is too long": (busy(86_400), "asks to wait 86400 seconds"),
}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_listing_that_fails_on_the_way_is_no_short_one(
    system: System, tmp_path: Path, fault: str
) -> None:
    answered, reason = FAULTS[fault]
    source = system.open(tmp_path)
    for pages_before in (0, 1):
        system.server.faults.extend([None] * pages_before + [answered] * 20)
        with pytest.raises(SourceUnusable, match=reason) as caught:
            source.list()
        assert system.server.url in str(caught.value)
        system.server.faults.clear()
    assert len(source.list().items) == 5


def test_a_failing_system_keeps_what_is_remembered(system: System, tmp_path: Path) -> None:
    first = stamps(system.open(tmp_path).list())
    system.server.is_down = True
    with pytest.raises(SourceUnusable, match="busy"):
        system.open(tmp_path).list()
    system.server.is_down = False
    assert stamps(system.open(tmp_path).list()) == first


def test_a_system_that_cannot_be_reached_is_told_from_one_that_refuses(
    system: System, tmp_path: Path
) -> None:
    with pytest.raises(SourceUnreachable):
        system.open(tmp_path, url="http://127.0.0.1:9" + system.path).list()
    system.server.faults.extend([Answered({"error": "no"}, 401)] * 3)
    with pytest.raises(SourceUnusable) as caught:
        system.open(tmp_path).list()
    assert not isinstance(caught.value, SourceUnreachable)


def test_a_busy_system_is_asked_again_when_it_wishes(system: System, tmp_path: Path) -> None:
    sleeps = Sleeps()
    system.server.faults.extend([busy(7), busy(None, 503)])
    assert len(system.open(tmp_path, sleeps=sleeps).list().items) == 5
    assert sleeps.waits[0] == 7
    assert len(sleeps.waits) == 2


def test_a_knowledge_base_follows_its_system(system: System, tmp_path: Path) -> None:
    store, embedder = ReleaseStore(tmp_path), HashEmbedder()
    pipeline = Pipeline(store, embedder)

    def synced() -> tuple[int, int, int, int, int]:
        counts = pipeline.sync([system.open(tmp_path)]).documents
        return counts.added, counts.changed, counts.removed, counts.unchanged, counts.failed

    assert synced() == (5, 0, 0, 0, 0)
    assert synced() == (0, 0, 0, 5, 0)
    system.write(1, "Title 1", "It says something else now.", NEW)
    system.write(6, "Title 6", "This one is new.", NEW)
    system.delete(2)
    assert synced() == (1, 1, 1, 3, 0)
    system.server.is_down = True
    with pytest.raises(SourceUnusable):
        pipeline.sync([system.open(tmp_path)])
    system.server.is_down = False
    assert synced() == (0, 0, 0, 5, 0)
    with store.open() as release:
        found = release.vectors.query(embedder.embed_query("something"), Scope(), 100)
        chunks = release.vectors.get([id_ for id_, _ in found])
    texts = " ".join(chunk.text for chunk in chunks.values())
    assert "It says something else now." in texts
    assert "Body of number 2." not in texts


def test_an_address_on_another_host_is_never_told_the_token(tmp_path: Path) -> None:
    ours, theirs = SYSTEMS["feed"](), SYSTEMS["feed"]()
    with ours.server, theirs.server:
        for key in range(1, 6):
            ours.write(key, f"Title {key}", "Text.", OLD)
        page = {"items": [], "next_url": f"{theirs.server.url}/feed.json"}
        ours.server.faults.append(Answered(page))
        with pytest.raises(SourceUnusable, match="another host"):
            ours.open(tmp_path).list()
        moved = {"Location": f"{theirs.server.url}/feed.json"}
        ours.server.faults.append(Answered({}, 302, moved))
        with pytest.raises(SourceUnusable):
            ours.open(tmp_path).list()
        assert theirs.server.asked == []


def test_pages_that_lead_in_a_circle_come_to_an_end(tmp_path: Path) -> None:
    system = SYSTEMS["feed"]()
    with system.server as server:
        page = {"items": [], "next_url": f"{server.url}/feed.json?from=2"}
        server.faults.extend([Answered(page)] * 9)
        with pytest.raises(SourceUnusable, match="do not come to an end"):
            system.open(tmp_path).list()


def test_the_token_is_nowhere_to_be_seen(system: System, tmp_path: Path) -> None:
    source = system.open(tmp_path)
    source.list()
    seen = [repr(source), str(vars(source)), *(p.read_text() for p in tmp_path.rglob("*.json"))]
    system.server.login = "another"
    with pytest.raises(SourceUnusable) as caught:
        source.list()
    error: BaseException | None = caught.value
    while error:
        seen.append(f"{error!r}")
        error = error.__cause__ or error.__context__
    assert [text for text in seen if TOKEN in text] == []


def test_a_private_address_must_be_allowed(system: System, tmp_path: Path) -> None:
    with pytest.raises(SourceUnusable, match="allow_private"):
        system.open(tmp_path, allow_private=["10.0.0.0/8"]).list()
    assert system.server.asked == []


def test_a_token_is_never_sent_in_the_clear(system: System, tmp_path: Path) -> None:
    with pytest.raises(SourceUnusable, match="in the clear"):
        system.open(tmp_path, allow_private=[])


@pytest.mark.parametrize("kind", ["zendesk", "intercom", "notion", "confluence", "github"])
def test_a_token_variable_that_is_not_set_is_named(tmp_path: Path, kind: str) -> None:
    system = next(make() for name, make in SYSTEMS.items() if name.startswith(kind))
    with system.server, pytest.raises(SourceUnusable, match="HELP_TOKEN"):
        system.open(tmp_path, token=None, token_variable="HELP_TOKEN")


def test_a_login_in_the_address_is_refused_without_showing_it(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"token": None, "url": "https://me:hunter2@help.example.com/feed"}
    system = SYSTEMS["feed"]()
    with system.server, pytest.raises(SourceUnusable, match="login in its address") as caught:
        system.open(tmp_path, **settings)
    assert "hunter2" not in str(caught.value)


def test_a_full_listing_comes_at_the_latest_every_tenth_time(tmp_path: Path) -> None:
    system = SYSTEMS["zendesk"]()
    with system.server as server:
        system.write(1, "One", "Text.", OLD)
        for _ in range(21):
            system.open(tmp_path).list()
        full = [asked for asked in server.asked if "page[size]" in asked.query]
    assert len(full) == 3


def test_watching_asks_for_changes_four_times_an_hour(tmp_path: Path) -> None:
    system = SYSTEMS["feed"]()
    with system.server as server:
        source = system.open(tmp_path)
        assert len({source.stamp() for _ in range(50)}) <= 2
        assert server.asked == []


def examples() -> Iterator[SourceSettings]:
    for name in ("help-desk-systems", "confluence-and-notion", "github-and-json-feeds"):
        text = (ARTICLES / f"{name}.md").read_text(encoding="utf-8")
        for block in re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            for table in tomllib.loads(block)["sources"]:
                yield SourceSettings.model_validate(table)


def test_the_examples_of_the_help_articles_are_sources(tmp_path: Path) -> None:
    configured = list(examples())
    variables = {each.token_variable: TOKEN for each in configured}
    ready = with_tokens(configured, variables)
    assert [source.name for source in open_sources([], ready, tmp_path)] == [
        each.place for each in configured
    ]
    assert {each.kind for each in configured} == {name.partition(" ")[0] for name in SYSTEMS}


def test_a_busy_systems_failure_says_that_it_may_pass(tmp_path: Path) -> None:
    system = SYSTEMS["confluence"]()
    with system.server as server:
        system.write(1, "One", "Text.", OLD)
        source = system.open(tmp_path)
        (item,) = source.list().items
        server.faults.append(busy(86_400))
        with pytest.raises(FetchFailed) as caught:
            source.read(item)
    assert caught.value.is_transient
    assert caught.value.retry_after == 86_400
