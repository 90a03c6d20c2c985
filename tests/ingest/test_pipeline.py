from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.errors import (
    DocumentUnknown,
    FetchFailed,
    ParseFailed,
    SourceUnreachable,
    SourceUnusable,
    SyncRefused,
)
from ingest.pipeline import Pipeline
from ingest.report import Counts, Report
from ingest.sources.base import Labels, Listing
from ingest.sources.files import FileSource
from knowledge.documents import Chunk, Scope, content_hash
from knowledge.errors import StoreBusy, StoreDamaged
from knowledge.failures import Failure
from knowledge.releases import ReleaseStore
from knowledge.vectors import edit_vectors, seal
from tests.fakes import HashEmbedder
from tests.ingest.shelf import Shelf, Trap, Unreachable


class Recorder:
    """Progress that remembers."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.steps: list[tuple[int, int]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def step(self, what: str, done: int, total: int, current: str = "") -> None:
        self.steps.append((done, total))


class Base:
    """A home, a folder of documents, and the pipeline between them."""

    def __init__(self, tmp_path: Path) -> None:
        self.home = tmp_path / "home"
        self.docs = tmp_path / "docs"
        self.docs.mkdir()
        self.embedder = HashEmbedder()
        self.store = ReleaseStore(self.home)
        self.progress = Recorder()
        self.pipeline = Pipeline(self.store, self.embedder, self.progress, patience=0.2)

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.docs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def source(self, path: Path | None = None, labels: Labels | None = None) -> FileSource:
        return FileSource(str(path or self.docs), labels or Labels())

    def sync(self, allow_loss: bool = False) -> Report:
        return self.pipeline.sync([self.source()], allow_loss)

    def chunks(self, audience: str | None = None) -> dict[str, Chunk]:
        """Return every passage that the audience may find, by its text."""
        with self.store.open() as opened:
            vector = self.embedder.embed_query("anything")
            found = opened.vectors.query(vector, Scope.of(audience), 100)
            chunks = opened.vectors.get([id_ for id_, _ in found])
            return {chunk.text: chunk for chunk in chunks.values()}


@pytest.fixture
def base(tmp_path: Path) -> Base:
    made = Base(tmp_path)
    made.write("a.md", "# Apples\n\nApples are red.\n\n## Price\n\nThey cost 3 EUR.")
    made.write("b.html", "<title>Bananas</title><p>Bananas are yellow.")
    made.write("sub/c.txt", "Cherries are small.")
    return made


def counts(report: Report) -> tuple[int, int, int, int, int]:
    documents = report.documents
    return (
        documents.added,
        documents.changed,
        documents.removed,
        documents.unchanged,
        documents.failed,
    )


def test_a_first_sync_promotes_all_that_is_there(base: Base) -> None:
    report = base.sync()
    assert report.promoted
    assert report.release == base.store.current_id()
    assert counts(report) == (3, 0, 0, 0, 0)
    assert (report.chunks, report.embedded, report.reused) == (4, 4, 0)
    assert report.exit_code == 0
    price = base.chunks()["They cost 3 EUR."]
    assert (price.document_id, price.title, price.heading) == ("a.md", "Apples", "Price")


def test_a_sync_of_what_is_held_promotes_and_embeds_nothing(base: Base) -> None:
    first = base.sync()
    embedded = len(base.embedder.embedded)
    again = base.sync()
    assert not again.promoted
    assert again.release == first.release
    assert counts(again) == (0, 0, 0, 3, 0)
    assert (again.chunks, again.embedded, again.reused) == (4, 0, 4)
    assert len(base.embedder.embedded) == embedded


def test_only_what_changed_is_embedded_again(base: Base) -> None:
    base.sync()
    base.write("a.md", "# Apples\n\nApples are red.\n\n## Price\n\nThey cost 4 EUR.")
    (base.docs / "b.html").unlink()
    base.write("d.md", "# Dates\n\nDates are sweet.")
    report = base.sync()
    assert counts(report) == (1, 1, 1, 1, 0)
    assert report.embedded == 2
    assert set(base.chunks()) == {
        "Apples are red.",
        "They cost 4 EUR.",
        "Cherries are small.",
        "Dates are sweet.",
    }


def test_a_renamed_document_is_found_once_and_not_embedded_again(base: Base) -> None:
    base.sync()
    (base.docs / "a.md").rename(base.docs / "renamed.md")
    report = base.sync()
    assert counts(report) == (1, 0, 1, 2, 0)
    assert report.embedded == 0
    assert base.chunks()["Apples are red."].document_id == "renamed.md"


def test_a_bad_document_is_named_and_the_rest_goes_on(base: Base) -> None:
    base.write("bad.md", b"\x00\x01\x02binary\xff\xfe")
    base.write("empty.md", "")
    base.write("front.md", "---\ntitle: [\n---\nx")
    report = base.sync()
    assert report.promoted
    assert report.exit_code == 3
    assert counts(report) == (3, 0, 0, 0, 3)
    assert [failure.uri for failure in report.failures] == ["bad.md", "empty.md", "front.md"]
    assert base.store.failures() == list(report.failures)


def test_the_last_good_version_of_a_bad_document_stays(base: Base) -> None:
    first = base.sync()
    base.write("a.md", "---\nbroken: [\n---\nNew text.")
    report = base.sync()
    assert (report.release, report.promoted, report.exit_code) == (first.release, False, 3)
    base.write("sub/c.txt", "Cherries are large.")
    assert base.sync().exit_code == 3
    assert {"Apples are red.", "Cherries are large."} <= set(base.chunks())


def test_a_document_that_was_emptied_says_nothing_any_more(base: Base) -> None:
    base.sync()
    base.write("a.md", "\n")
    report = base.sync()
    assert counts(report) == (0, 0, 1, 2, 1)
    assert "Apples are red." not in base.chunks()


def test_a_mended_document_clears_its_failure(base: Base) -> None:
    base.write("bad.md", b"\x00\x01\x02\x03\xff")
    base.sync()
    base.write("bad.md", "Good.")
    assert base.sync().exit_code == 0
    assert base.store.failures() == []


def test_where_every_document_fails_nothing_is_promoted(base: Base) -> None:
    for path in base.docs.rglob("*.*"):
        path.write_bytes(b"")
    report = base.sync()
    assert (report.release, report.promoted, report.exit_code) == (None, False, 1)
    assert base.store.current_id() is None


def test_a_source_that_lost_all_its_documents_is_not_believed(base: Base) -> None:
    base.sync()
    for path in list(base.docs.rglob("*.*")):
        path.unlink()
    with pytest.raises(SyncRefused, match="--allow-loss"):
        base.sync()
    assert len(base.chunks()) == 4
    assert counts(base.sync(allow_loss=True)) == (0, 0, 3, 0, 0)
    assert base.chunks() == {}


def test_one_of_two_sources_that_lost_all_is_not_believed_either(base: Base) -> None:
    other = base.docs.parent / "other"
    other.mkdir()
    (other / "x.md").write_text("More.")
    sources = [base.source(), base.source(other)]
    base.pipeline.sync(sources)
    (other / "x.md").unlink()
    with pytest.raises(SyncRefused, match="other"):
        base.pipeline.sync(sources)


def test_a_first_sync_that_finds_nothing_says_what_can_be_read(base: Base) -> None:
    empty = base.docs.parent / "empty"
    empty.mkdir()
    with pytest.raises(SyncRefused, match=r"\.html"):
        base.pipeline.sync([base.source(empty)])


def test_a_sync_holds_just_the_last_given_sources(base: Base) -> None:
    base.sync()
    other = base.docs.parent / "other"
    other.mkdir()
    (other / "x.md").write_text("Other text.")
    report = base.pipeline.sync([base.source(other)])
    assert counts(report) == (1, 0, 3, 0, 0)
    assert set(base.chunks()) == {"Other text."}
    current = base.store.current()
    assert current is not None
    assert current.sources == (str(other),)


def test_adding_leaves_the_rest_and_updates_what_is_named(base: Base) -> None:
    base.sync()
    path = base.write("a.md", "# Apples\n\nApples are green.")
    base.write("sub/c.txt", "Changed, but not named.")
    report = base.pipeline.add([base.source(path)])
    assert counts(report) == (0, 1, 0, 0, 0)
    assert set(base.chunks()) == {
        "Apples are green.",
        "Bananas are yellow.",
        "Cherries are small.",
    }
    current = base.store.current()
    assert current is not None
    assert current.sources == (str(base.docs), str(path))


def test_removing_takes_out_what_is_named(base: Base) -> None:
    base.sync()
    report = base.pipeline.remove(["a.md", "b.html", "a.md"])
    assert counts(report) == (0, 0, 2, 0, 0)
    assert set(base.chunks()) == {"Cherries are small."}


def test_removing_an_unknown_document_removes_nothing_and_suggests(base: Base) -> None:
    first = base.sync()
    with pytest.raises(DocumentUnknown, match=r"did you mean sub/c\.txt"):
        base.pipeline.remove(["a.md", "sub/c.md"])
    assert base.store.current_id() == first.release


def test_failures_of_documents_that_a_run_leaves_alone_are_remembered(base: Base) -> None:
    base.write("bad.md", b"\x00\x01\x02\x03\xff")
    base.sync()
    path = base.write("new.md", "New.")
    base.pipeline.add([base.source(path)])
    assert [failure.uri for failure in base.store.failures()] == ["bad.md"]


def test_a_plan_tells_and_does_nothing(base: Base) -> None:
    base.sync()
    (base.docs / "a.md").unlink()
    base.write("new.md", "New.")
    plan = base.pipeline.plan([base.source()])
    assert [item.id for item in plan.added] == ["new.md"]
    assert plan.removed == ("a.md",)
    assert "Apples are red." in base.chunks()


def test_pages_are_found_by_their_audience_only(base: Base) -> None:
    base.write("inner.md", "---\naudience: customer-a\n---\nInner text.")
    base.write("closed.md", "---\naudience:\n---\nClosed text.")
    base.sync()
    assert not {"Inner text.", "Closed text."} & set(base.chunks())
    assert "Inner text." in base.chunks("customer-a")
    assert "Closed text." in base.chunks("staff")


def test_a_page_whose_label_changes_moves_at_once(base: Base) -> None:
    base.sync()
    base.pipeline.sync([base.source(labels=Labels("staff"))])
    assert base.chunks() == {}
    assert len(base.chunks("staff")) == 4


def test_another_embedder_builds_everything_anew(base: Base) -> None:
    base.sync()
    base.embedder = HashEmbedder(dimension=32)
    base.pipeline = Pipeline(base.store, base.embedder)
    report = base.sync()
    assert (report.promoted, counts(report)) == (True, (0, 3, 0, 0, 0))
    assert len(base.chunks()) == 4


def test_a_release_whose_manifest_is_damaged_is_built_anew_from_the_sources(base: Base) -> None:
    first = base.sync()
    assert first.release is not None
    (base.home / "releases" / first.release / "manifest.json").write_text("{")
    report = base.sync()
    assert (report.promoted, counts(report)) == (True, (3, 0, 0, 0, 0))
    assert any("built anew" in note for note in base.progress.notes)
    assert len(base.chunks()) == 4


def cut_short(name: str) -> Callable[[Path], None]:
    """Return what leaves half of a file of a release."""

    def harm(release: Path) -> None:
        path = next(release.rglob(name))
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return harm


def manifest_of(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """Return what gives a release a manifest that is well written, in another format."""

    def harm(release: Path) -> None:
        path = release / "manifest.json"
        manifest = json.loads(path.read_text())
        change(manifest)
        body = json.dumps(manifest["release"], sort_keys=True)
        path.write_text(json.dumps({**manifest, "sha256": content_hash(body)}))

    return harm


def lose_the_keywords(release: Path) -> None:
    shutil.rmtree(release / "keywords")


def zero_the_cache(release: Path) -> None:
    cache = release.parents[1] / "embeddings.sqlite"
    cache.write_bytes(b"\0" * cache.stat().st_size)


HARMS = {
    "a newer manifest": manifest_of(lambda manifest: manifest.update(version=99)),
    "a manifest that lacks something": manifest_of(lambda m: m["release"].pop("chunker")),
    "a manifest that holds more": manifest_of(lambda m: m["release"].update(colour="red")),
    "half a manifest": cut_short("manifest.json"),
    "half a database": cut_short("chroma.sqlite3"),
    "half a graph": cut_short("data_level0.bin"),
    "half a list of words": cut_short("meta.json"),
    "no seal": lambda release: (release / "chroma" / "seal.json").unlink(),
    "no keywords": lose_the_keywords,
    "an empty cache": zero_the_cache,
    "no current release": shutil.rmtree,
    "no pointer": lambda release: (release.parents[1] / "current").write_bytes(b"\0"),
}


@pytest.mark.parametrize("is_changed", [True, False])
@pytest.mark.parametrize("name", HARMS)
def test_no_damage_keeps_a_sync_from_building_all_anew_from_the_sources(
    base: Base, name: str, is_changed: bool
) -> None:
    first = base.sync()
    assert first.release is not None
    HARMS[name](base.home / "releases" / first.release)
    price = "They cost 4 EUR." if is_changed else "They cost 3 EUR."
    base.write("a.md", f"# Apples\n\nApples are red.\n\n## Price\n\n{price}")
    base.store = ReleaseStore(base.home)
    base.pipeline = Pipeline(base.store, base.embedder, base.progress)
    report = base.sync()
    assert report.exit_code == 0
    assert base.chunks().keys() == {
        *("Apples are red.", price, "Bananas are yellow.", "Cherries are small.")
    }
    assert base.sync().release == report.release


@pytest.mark.parametrize("is_rebuilt", [True, False])
def test_a_release_that_lost_a_passage_under_its_seal_is_built_anew_from_the_sources(
    base: Base, is_rebuilt: bool
) -> None:
    base.sync()
    if is_rebuilt:  # so much was removed that the next indexes are built out of the old ones
        base.write("a.md", "# Apples\n\nApples are small.")
        base.write("b.html", "<title>Bananas</title><p>Bananas are long.")
        base.sync()
    with base.store.open() as opened:
        [lost] = [c for c in opened.vectors.ids() if "Cherries" in opened.vectors.get([c])[c].text]
        folder = base.home / "releases" / opened.release.id / "chroma"
    with closing(edit_vectors(folder)) as vectors:
        vectors.remove([lost])
    seal(folder)
    base.write("a.md", "# Apples\n\nApples are blue.")
    base.write("b.html", "<title>Bananas</title><p>Bananas are green.")
    assert base.sync().promoted
    assert base.chunks().keys() == {
        *("Apples are blue.", "Bananas are green.", "Cherries are small.")
    }


def test_adding_to_a_damaged_release_never_drops_the_rest(base: Base) -> None:
    first = base.sync()
    assert first.release is not None
    database = base.home / "releases" / first.release / "chroma" / "chroma.sqlite3"
    database.write_bytes(database.read_bytes()[:5000])
    path = base.write("new.md", "New.")
    with pytest.raises(StoreDamaged):
        base.pipeline.add([base.source(path)])
    assert base.store.current_id() == first.release


class LameEmbedder(HashEmbedder):
    """Gives no vector for some texts."""

    def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:  # type: ignore[override]
        if any("yellow" in text for text in texts):
            raise ValueError("a vector that is not finite")
        return super().embed_documents(texts)


def test_a_document_that_cannot_be_embedded_fails_alone(base: Base) -> None:
    base.pipeline = Pipeline(base.store, LameEmbedder())
    report = base.sync()
    assert (report.promoted, counts(report)) == (True, (2, 0, 0, 0, 1))
    assert "not finite" in report.failures[0].reason


def test_a_second_run_waits_and_then_gives_up_with_a_clear_message(base: Base) -> None:
    with ReleaseStore(base.home).lock(), pytest.raises(StoreBusy, match="process"):
        base.sync()
    assert any("waiting" in note for note in base.progress.notes)
    assert base.sync().promoted


def test_a_second_run_that_waits_long_enough_is_done_after_the_first(base: Base) -> None:
    patient = Pipeline(ReleaseStore(base.home), base.embedder, base.progress, patience=30)
    reports: list[Report] = []
    with ReleaseStore(base.home).lock():
        thread = threading.Thread(target=lambda: reports.append(patient.sync([base.source()])))
        thread.start()
        while not any("waiting" in note for note in list(base.progress.notes)):
            thread.join(0.01)
    thread.join()
    assert reports[0].promoted


def test_progress_counts_every_document(base: Base) -> None:
    base.sync()
    assert base.progress.steps == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_a_page_past_its_last_day_is_found_no_more_and_read_no_more(base: Base) -> None:
    base.sync()
    base.write("prices.md", "---\nvalid_until: 2020-01-31\n---\nOld prices.")
    assert base.sync().documents == Counts(added=1, unchanged=3)
    assert "Old prices." not in base.chunks()
    assert base.sync().documents == Counts(unchanged=4)


def test_a_release_that_knows_no_last_days_yet_is_read(base: Base) -> None:
    release = base.sync().release
    path = base.home / "releases" / str(release) / "manifest.json"
    content = json.loads(path.read_text())
    for document in content["release"]["documents"].values():
        for name in ("modified_at", "valid_until", "tags", "owner", "version", "kind"):
            del document[name]
    content["version"] = 2
    content["sha256"] = content_hash(json.dumps(content["release"], sort_keys=True))
    path.write_text(json.dumps(content))
    assert base.sync().documents == Counts(unchanged=3)


def many(count: int, text: str = "Text") -> Shelf:
    return Shelf(**{f"d{n:03}": f"{text} {n}." for n in range(count)})


def without(shelf: Shelf, count: int) -> Shelf:
    left = dict(list(shelf.texts.items())[count:])
    return Shelf(shelf.name, **left)


def test_a_permanent_failure_is_listed_but_not_parsed_again_until_it_changes(base: Base) -> None:
    shelf = Shelf(a="A.", b="---\ntitle: [\n---\nx")
    base.pipeline.sync([shelf])
    [first] = base.store.failures()
    shelf.was_read.clear()
    report = base.pipeline.sync([shelf])
    assert (report.exit_code, counts(report), shelf.was_read) == (3, (0, 0, 0, 1, 1), [])
    assert report.failures == (first,) == tuple(base.store.failures())
    shelf.texts["b"] = "Mended."
    assert base.pipeline.sync([shelf]).exit_code == 0
    assert base.store.failures() == []


def test_a_permanent_failure_is_tried_again_on_request(base: Base) -> None:
    shelf = Shelf(a="A.", b=ParseFailed("broken"))
    since = base.pipeline.sync([shelf]).failures[0].since
    [again] = base.pipeline.sync([shelf], retries=True).failures
    assert (again.tries, again.since, shelf.was_read) == (2, since, ["a", "b", "b"])


def test_a_transient_failure_is_tried_again_after_a_while_and_more_and_more_rarely(
    base: Base,
) -> None:
    shelf = Shelf(a="A.", b=Unreachable("no answer"))
    waits = []
    for tries in range(1, 14):
        [failure] = base.pipeline.sync([shelf]).failures
        [waiting] = base.pipeline.sync([shelf]).failures
        assert waiting == failure
        assert (failure.tries, shelf.was_read.count("b")) == (tries, tries)
        retry_at = datetime.fromisoformat(failure.retry_at)
        waits.append(round((retry_at - datetime.now(UTC)) / timedelta(minutes=1)))
        past = datetime.now(UTC) - timedelta(seconds=1)
        base.store.record_failures([replace(failure, retry_at=past.isoformat())])
    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-2:] == [1440, 1440]
    shelf.texts["b"] = Unreachable("another answer")  # what changed is tried at once
    assert base.pipeline.sync([shelf]).failures[0].reason == "another answer"


@pytest.mark.parametrize(("asked", "minutes"), [(3, 1), (7_200, 120), (10**9, 1_440)])
def test_a_server_that_asks_to_wait_is_left_alone_for_so_long(
    base: Base, asked: float, minutes: int
) -> None:
    busy = FetchFailed("busy", is_transient=True, retry_after=asked)
    away = SourceUnreachable("two: busy")
    away.__cause__ = busy
    two = Shelf("two", b="B.")
    two.error = away
    failures = base.pipeline.sync([Shelf("one", a="A.", c=busy), two]).failures
    waits = [datetime.fromisoformat(failure.retry_at) - datetime.now(UTC) for failure in failures]
    assert [round(wait / timedelta(minutes=1)) for wait in waits] == [minutes, minutes]


def test_the_last_good_version_of_what_is_not_tried_stays(base: Base) -> None:
    shelf = Shelf(a="A.", b="B.")
    base.pipeline.sync([shelf])
    shelf.texts |= {"a": "A 2.", "b": Unreachable("no answer")}
    for _ in range(2):
        base.pipeline.sync([shelf])
        assert set(base.chunks()) == {"A 2.", "B."}


def test_an_emptied_document_is_emptied_again_after_a_rollback(base: Base) -> None:
    shelf = Shelf(a="A.", b="B.")
    base.pipeline.sync([shelf])
    shelf.texts["b"] = " "
    base.pipeline.sync([shelf])
    base.store.rollback()
    base.pipeline.sync([shelf])
    assert set(base.chunks()) == {"A."}


def test_an_empty_document_is_not_read_at_each_sync(base: Base) -> None:
    shelf = Shelf(a="A.", b=" ")
    for _ in range(2):
        assert base.pipeline.sync([shelf]).exit_code == 3
    assert shelf.was_read == ["a", "b"]


def test_a_document_that_kills_its_parser_fails_alone(base: Base) -> None:
    report = base.pipeline.sync([Shelf(a="A.", b=Trap("abort"), c="C.")])
    assert [(f.uri, f.reason) for f in report.failures] == [("b", "its parser crashed (SIGABRT)")]
    assert set(base.chunks()) == {"A.", "C."}


def test_failures_of_an_older_version_are_read(base: Base) -> None:
    base.home.mkdir()
    path = base.home / "failures.json"
    path.write_text('[{"uri": "a.md", "reason": "old", "colour": "of a newer one"}]')
    assert base.store.failures() == [Failure("a.md", "old")]


def test_notes_stay_until_their_document_changes_or_goes(base: Base) -> None:
    base.sync()
    base.store.record_notes({"a.md": ("page 3 is a picture",), "b.html": ("x",), "gone": ("y",)})
    base.write("b.html", "<title>Bananas</title><p>Bananas are long.")
    base.sync()
    assert base.store.notes() == {"a.md": ("page 3 is a picture",)}


def test_a_plan_shows_a_renamed_document_as_moved(base: Base) -> None:
    base.sync()
    (base.docs / "a.md").rename(base.docs / "renamed.md")
    plan = base.pipeline.plan([base.source()])
    assert plan.moved == (("a.md", "renamed.md"),)
    assert base.pipeline.weigh(plan).to_embed == 0
    assert base.sync().moved == (("a.md", "renamed.md"),)


def test_a_plan_shows_passages_and_what_is_to_be_embedded(base: Base) -> None:
    base.sync()
    before = {path: path.stat().st_mtime_ns for path in base.home.rglob("*")}
    base.write("a.md", "# Apples\n\nApples are red.\n\n## Price\n\nThey cost 4 EUR.")
    base.write("new.md", "# Bananas\n\nBananas are yellow.")  # in the words of b.html
    base.write("bad.md", "---\ntitle: [\n---\nx")
    (base.docs / "sub" / "c.txt").unlink()
    work = base.pipeline.weigh(base.pipeline.plan([base.source()]))
    assert (work.added, work.removed, work.unchanged, work.to_embed) == (2, 2, 2, 1)
    assert [failure.uri for failure in work.failures] == ["bad.md"]
    kept = {path: time for path, time in before.items() if path.is_file()}
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    report = base.sync()
    assert (report.chunks, report.embedded) == (4, 1)


def test_a_source_that_lost_most_of_its_documents_is_not_believed(base: Base) -> None:
    shelf = many(40)
    base.pipeline.sync([shelf])
    fewer = without(shelf, 21)
    with pytest.raises(SyncRefused, match="shelf has only 19 documents now, and 40 of"):
        base.pipeline.sync([fewer])
    report = base.pipeline.sync([fewer], allow_loss=True)
    assert counts(report) == (0, 0, 21, 19, 0)
    assert "has only 19 documents" in report.to_json()["overrides"][0]


def test_half_of_the_documents_or_a_few_may_go(base: Base) -> None:
    for count, gone in ((40, 20), (19, 18)):
        shelf = many(count)
        base.pipeline.sync([shelf], allow_loss=True)
        assert base.pipeline.sync([without(shelf, gone)]).documents.removed == gone


def test_a_source_that_cannot_be_listed_keeps_its_documents_and_the_rest_goes_on(
    base: Base,
) -> None:
    one, two = Shelf("one", a="A."), Shelf("two", b="B.")
    base.pipeline.sync([one, two])
    two.error = SourceUnusable("two: no answer")
    one.texts["a"] = "A 2."
    report = base.pipeline.sync([one, two])
    assert (report.exit_code, counts(report)) == (3, (0, 1, 0, 1, 1))
    assert [(f.uri, f.reason) for f in report.failures] == [("two", "cannot be listed: no answer")]
    assert set(base.chunks()) == {"A 2.", "B."}
    one.error = two.error
    with pytest.raises(SourceUnusable, match="no answer"):
        base.pipeline.sync([one, two])
    one.error = SourceUnreachable("one: down")
    with pytest.raises(SourceUnreachable, match="down"):
        base.pipeline.sync([one, two])


@pytest.mark.parametrize("error", [KeyError("x"), TypeError("x"), OSError("x"), IndexError("x")])
def test_a_source_that_fails_as_nobody_foresaw_keeps_its_documents_and_the_rest_goes_on(
    base: Base, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = Shelf("one", a="A."), Shelf("two", b="B.")
    base.pipeline.sync([one, two])
    two.error = error
    one.texts["a"] = "A 2."
    [failure] = base.pipeline.sync([one, two]).failures
    assert (failure.uri, failure.is_transient) == ("two", True)
    assert f"unexpected {type(error).__name__}" in failure.reason
    assert "Traceback" in caplog.text
    assert set(base.chunks()) == {"A 2.", "B."}
    with pytest.raises(SourceUnreachable, match="two: unexpected"):
        base.pipeline.sync([two])


def test_only_a_sync_that_changes_nothing_says_so(base: Base) -> None:
    one, two = Shelf("one", a="A."), Shelf("two", b="B.")
    two.error = SourceUnreachable("two: no answer")
    assert "Nothing was changed" not in base.pipeline.sync([one, two]).failures[0].reason
    one.error = SourceUnreachable("one: no answer")
    for sources in ([one], [one, two]):
        with pytest.raises(SourceUnreachable, match=r"no answer\. Nothing was changed$"):
            base.pipeline.sync(sources)


def test_a_damaged_release_is_not_built_anew_while_a_source_cannot_be_listed(base: Base) -> None:
    one, two = Shelf("one", a="A."), Shelf("two", b="B.")
    release = base.pipeline.sync([one, two]).release
    (base.home / "releases" / str(release) / "manifest.json").write_text("{")
    two.error = SourceUnusable("two: no answer")
    base.pipeline = Pipeline(ReleaseStore(base.home), base.embedder)
    with pytest.raises(SourceUnusable):
        base.pipeline.sync([one, two])
    assert base.store.current_id() == release


def test_only_the_sources_that_are_due_are_listed(base: Base) -> None:
    one, two = Shelf("one", a="A.", x="X."), Shelf("two", b="B.")
    base.pipeline.sync([one, two])
    del one.texts["x"]
    del two.texts["b"]
    report = base.pipeline.sync([one, two], due={"one"})
    assert counts(report) == (0, 0, 1, 2, 0)
    assert set(base.chunks()) == {"A.", "B."}


def test_every_failure_is_shown_once(base: Base) -> None:
    class Doubled(FileSource):
        def list(self) -> Listing:
            return replace(super().list(), failures=2 * (Failure("x/", "no permission"),))

    report = base.pipeline.sync([Doubled(str(base.docs), Labels())])
    assert [failure.uri for failure in report.failures] == ["x/"]


def test_a_sync_of_which_no_document_can_be_read_never_empties_the_knowledge_base(
    base: Base,
) -> None:
    base.sync()
    other = Shelf(a=ParseFailed("no answer"), b="---\ntitle: [\n---\nx")
    with pytest.raises(SyncRefused, match=r"none of the 2 documents .* a: no answer.*--allow-loss"):
        base.pipeline.sync([other])
    assert len(base.chunks()) == 4
    assert base.pipeline.sync([other], allow_loss=True).documents.removed == 3


def test_the_last_document_can_be_removed_by_its_name(base: Base) -> None:
    base.sync()
    base.pipeline.remove(["a.md", "b.html", "sub/c.txt"])
    assert base.chunks() == {}


def test_half_characters_in_labels_harm_no_other_document(tmp_path: Path) -> None:
    records = [
        {"id": 1, "body": "The first page.", "url": "https://x.example/\ud800"},
        {"id": 2, "body": "The second page.", "audience": "\ud800"},
        {"id": 3, "body": "The third page.", "title": "\ud800"},
    ]
    (tmp_path / "a.json").write_text(json.dumps(records))
    store = ReleaseStore(tmp_path / "home")
    report = Pipeline(store, HashEmbedder()).sync([FileSource(str(tmp_path / "a.json"), Labels())])
    assert (report.documents.added, report.failures) == (3, ())
