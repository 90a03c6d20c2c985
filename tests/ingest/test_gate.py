from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from ingest.gate import Gate, judge, read_record
from ingest.golden import Golden
from ingest.pipeline import Pipeline
from ingest.report import Report
from ingest.sources.base import Labels
from ingest.sources.files import FileSource
from knowledge.documents import Chunk, Evidence, Hit
from knowledge.releases import ReleaseStore
from tests.fakes import HashEmbedder

REFUNDS = "# Refunds\n\nRefunds take 14 days after the parcel has arrived."
SHIPPING = "# Shipping\n\nShipping to Austria costs 9 euros."
ASKED = "How many days do refunds take after the parcel has arrived?"
TAKES = Golden(ASKED, expect=("refunds.md",), must_say=("14 days",))
COSTS = Golden("What does shipping to Austria cost?", expect=("shipping.md",))


class Help:
    """A home, a folder of documents, and syncs that pass a gate."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.docs = folder / "docs"
        self.docs.mkdir()
        self.store = ReleaseStore(self.home)

    def write(self, name: str, text: str) -> None:
        (self.docs / name).write_text(text, encoding="utf-8")

    def pipeline(
        self,
        questions: Sequence[Golden],
        is_forced: bool = False,
        embedder: HashEmbedder | None = None,
    ) -> Pipeline:
        embedder = embedder or HashEmbedder()
        gate = Gate(self.home, self.store, embedder, questions, is_forced=is_forced)
        return Pipeline(self.store, embedder, gate=gate)

    @property
    def sources(self) -> list[FileSource]:
        return [FileSource(str(self.docs), Labels())]

    def sync(
        self,
        *questions: Golden,
        is_forced: bool = False,
        embedder: HashEmbedder | None = None,
    ) -> Report:
        return self.pipeline(questions, is_forced, embedder).sync(self.sources)


@pytest.fixture
def help_(tmp_path: Path) -> Help:
    made = Help(tmp_path)
    made.write("refunds.md", REFUNDS)
    made.write("shipping.md", SHIPPING)
    return made


def test_a_release_that_passes_is_promoted(help_: Help) -> None:
    report = help_.sync(TAKES, COSTS)
    assert report.promoted
    assert report.verdict is not None
    assert report.verdict.summary == "2 of 2 golden questions pass"


def test_a_question_that_no_longer_passes_blocks_the_promotion(help_: Help) -> None:
    first = help_.sync(TAKES, COSTS)
    help_.write("refunds.md", REFUNDS.replace("14", "30"))
    report = help_.sync(TAKES, COSTS)
    assert (report.exit_code, report.promoted) == (1, False)
    assert help_.store.current_id() == first.release == report.release
    assert [release.id for release in help_.store.releases()] == [first.release]
    assert report.verdict is not None
    assert report.verdict.lines() == [
        f"no longer passes: {ASKED}",
        "  no passage found says '14 days'",
        "  refunds.md changed",
        "  found before: refunds.md, shipping.md",
        "  found now: refunds.md, shipping.md",
    ]
    assert "nothing was promoted" in report.summary
    assert "--force" in report.summary


def test_a_document_that_vanished_or_moved_is_named(help_: Help) -> None:
    help_.sync(TAKES, COSTS)
    (help_.docs / "refunds.md").unlink()
    (help_.docs / "shipping.md").rename(help_.docs / "delivery.md")
    report = help_.sync(TAKES, COSTS)
    assert report.verdict is not None
    told = report.verdict.lines()
    assert "  refunds.md is no longer there" in told
    assert "  shipping.md moved to delivery.md" in told
    assert "  refunds.md is not among the passages found" in told


def test_a_question_that_failed_before_is_told_and_does_not_block(help_: Help) -> None:
    never = Golden(ASKED, must_say=("three weeks",))
    assert help_.sync(never).promoted
    help_.write("more.md", "# More\n\nMore is to come.")
    report = help_.sync(never)
    assert report.promoted
    assert report.verdict is not None
    assert f"still fails: {ASKED}" in report.verdict.lines()
    assert "1 failed before too" in report.verdict.summary


def test_force_promotes_all_the_same_and_this_is_kept(help_: Help) -> None:
    help_.sync(TAKES)
    help_.write("refunds.md", REFUNDS.replace("14", "30"))
    report = help_.sync(TAKES, is_forced=True)
    assert (report.promoted, report.exit_code) == (True, 0)
    record = read_record(help_.home, str(report.release))
    assert record is not None
    assert record["forced"]
    assert record["dropped"][0]["question"] == TAKES.question
    assert record["dropped"][0]["before"]["documents"][0] == "refunds.md"


def test_force_without_a_drop_is_no_forced_release(help_: Help) -> None:
    report = help_.sync(TAKES, is_forced=True)
    record = read_record(help_.home, str(report.release))
    assert record is not None
    assert not record["forced"]


def test_what_the_current_release_answered_counts_when_it_cannot_be_asked(help_: Help) -> None:
    help_.sync(TAKES)
    help_.write("refunds.md", REFUNDS.replace("14", "30"))
    report = help_.sync(TAKES, embedder=HashEmbedder(dimension=32))
    assert not report.promoted
    assert report.verdict is not None
    assert [one.golden for one in report.verdict.drops] == [TAKES]


def test_notes_of_releases_that_are_gone_go_too(help_: Help) -> None:
    for number in range(8):
        help_.write("more.md", f"# More\n\nNumber {number}.")
        assert help_.sync(TAKES).promoted
    kept = {path.stem for path in (help_.home / "gate").iterdir()}
    assert kept == {release.id for release in help_.store.releases()}


def test_a_damaged_note_is_no_note(help_: Help) -> None:
    report = help_.sync(TAKES)
    (help_.home / "gate" / f"{report.release}.json").write_text("[", encoding="utf-8")
    assert read_record(help_.home, str(report.release)) is None


def test_a_rehearsal_shows_what_would_change_and_changes_nothing(help_: Help) -> None:
    first = help_.sync(TAKES, COSTS)
    help_.write("refunds.md", REFUNDS.replace("14", "30"))
    help_.write(
        "austria.md", "# Shipping to Austria\n\nWhat shipping to Austria does cost: nothing."
    )
    verdict = help_.pipeline([TAKES, COSTS]).rehearse(help_.sources)
    assert verdict.blocks
    changes = verdict.changes()
    assert changes[0] == "answers that change: 2 of 2"
    assert "still passes: What does shipping to Austria cost?" in changes
    assert [release.id for release in help_.store.releases()] == [first.release]
    assert help_.store.current_id() == first.release


def test_a_rehearsal_of_nothing_new_changes_no_answer(help_: Help) -> None:
    help_.sync(TAKES)
    verdict = help_.pipeline([TAKES]).rehearse(help_.sources)
    assert verdict.changes() == ["answers that change: 0 of 1"]


def test_a_question_is_asked_as_its_audience(help_: Help) -> None:
    help_.write("secret.md", "---\naudience: staff\n---\n# Vault\n\nThe vault opens at noon.")
    public = Golden("When does the vault open?", must_not_say=("noon",), expect=("secret.md",))
    staff = Golden("When does the vault open?", expect=("secret.md",), audience="staff")
    verdict = help_.sync(public, staff).verdict
    assert verdict is not None
    assert [one.now.passed for one in verdict.compared] == [False, True]


def test_the_public_form_holds_the_difference(help_: Help) -> None:
    help_.sync(TAKES)
    (help_.docs / "refunds.md").unlink()
    shown = json.loads(json.dumps(help_.sync(TAKES).to_json()))
    assert shown["promoted"] is False
    assert shown["gate"]["blocked"] is True
    dropped = shown["gate"]["dropped"][0]
    assert dropped["before"]["passed"] is True
    assert "refunds.md is no longer there" in dropped["news"]


def found(*texts: str, similarity: float = 0.8, coverage: float = 0.8) -> Evidence:
    hits = tuple(
        Hit(Chunk(str(at), f"{at}.md", "T", f"https://x.test/{at}#part", (), text, 0), 1.0)
        for at, text in enumerate(texts)
    )
    return Evidence("q", "r", hits, similarity, coverage)


@pytest.mark.parametrize(
    ("golden", "reason"),
    [
        (Golden("q", expect=("0.md",)), ""),
        (Golden("q", expect=("gone.md", "https://x.test/1")), ""),
        (Golden("q", expect=("https://x.test/1#part",)), ""),
        (Golden("q", expect=("https://x.test/1#other",)), "is not among"),
        (Golden("q", must_say=("14  DAYS",)), ""),
        (Golden("q", must_say=("14 days", "15 days")), "no passage found says '15 days'"),
        (Golden("q", must_not_say=("14 days",)), "0.md says '14 days'"),
        (Golden("q", refuse=True), "must be refused"),
    ],
)
def test_what_is_found_is_judged(golden: Golden, reason: str) -> None:
    judged = judge(golden, found("It takes 14 days.", "Or more."))
    assert judged.passed is not reason
    assert reason in " ".join(judged.reasons)
    assert bool(judged.reasons) is bool(reason)


def test_thin_evidence_is_a_refusal() -> None:
    thin = found("Something.", similarity=0.1, coverage=0.1)
    assert judge(Golden("q", refuse=True), thin).passed
    assert judge(Golden("q"), thin).reasons == (
        "the evidence is too thin, so that the bot would refuse",
    )
