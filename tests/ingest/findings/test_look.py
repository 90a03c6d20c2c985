from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ingest.findings.kept import Findings, read_findings, summary
from ingest.findings.links import dead_links, links
from ingest.findings.look import look
from ingest.findings.marks import MarkBook
from ingest.findings.pairs import SIZE, alike, hashes, signature
from ingest.pipeline import Pipeline
from ingest.report import Report
from ingest.sources.base import Labels
from ingest.sources.files import FileSource
from knowledge.documents import Chunk, Document
from knowledge.errors import StoreUnavailable
from knowledge.releases import Release, ReleaseStore
from tests.fakes import HashEmbedder

LONG = (
    "The committee reads every letter that reaches the office before noon, sorts it by subject and"
    " hands it to the clerk who knows most of it, so that an answer leaves the house soon."
)


class Base:
    """A folder of documents, and a home that is looked over after each sync."""

    def __init__(self, folder: Path) -> None:
        self.home, self.docs = folder / "home", folder / "docs"
        self.docs.mkdir()
        self.store, self.embedder = ReleaseStore(self.home), HashEmbedder(dimension=256)

    def write(self, name: str, text: str) -> None:
        (self.docs / name).write_text(text, encoding="utf-8")

    def look(self, release: Release) -> Findings:
        return look(self.home, self.store, release, self.embedder)

    def sync(self, base_url: str = "") -> Report:
        pipeline = Pipeline(self.store, self.embedder, look=self.look)
        return pipeline.sync([FileSource(str(self.docs), Labels(base_url=base_url))])

    def found(self) -> Findings:
        report = self.sync()
        assert report.findings is not None
        return report.findings


@pytest.fixture
def base(tmp_path: Path) -> Base:
    return Base(tmp_path)


def test_a_contradiction_is_shown_with_both_sentences(base: Base) -> None:
    base.write("a.md", "# Refunds\n\nRefunds of parcels take 14 days.\n")
    base.write("b.md", "# Refund questions\n\nRefunds of parcels take 30 days.\n")
    (row,) = base.found().contradictions
    assert {(p["document"], p["text"]) for p in row["passages"]} == {
        ("a.md", "Refunds of parcels take 14 days."),
        ("b.md", "Refunds of parcels take 30 days."),
    }


def test_a_copy_is_no_contradiction_and_a_contradiction_no_copy(base: Base) -> None:
    base.write("a.md", f"# One\n\n{LONG} It costs 5 EUR for all letters of a year.\n")
    base.write("b.md", f"# Two\n\n{LONG} It costs 5 EUR for all letters of a year.\n")
    found = base.found()
    assert len(found.copies) == 1
    assert found.contradictions == []
    base.write("b.md", f"# Two\n\n{LONG} It costs 9 EUR for all letters of a year.\n")
    found = base.found()
    assert found.copies == []
    assert len(found.contradictions) == 1


def test_a_paragraph_that_stands_in_a_longer_passage_is_a_copy(base: Base) -> None:
    base.write("a.md", f"# One\n\n{LONG}\n\nWhat follows is about something else entirely.\n")
    base.write("b.md", f"# Two\n\nBefore it stands another sentence of its own.\n\n{LONG}\n")
    (row,) = base.found().copies
    assert {passage["document"] for passage in row["passages"]} == {"a.md", "b.md"}


def test_what_is_mended_is_no_longer_listed(base: Base) -> None:
    base.write("a.md", "# Refunds\n\nRefunds of parcels take 14 days. See [more](gone.md).\n")
    base.write("b.md", "# Refund questions\n\nRefunds of parcels take 30 days.\n")
    counts = base.found().counts
    assert {kind: count for kind, count in counts.items() if count} == {
        "contradictions": 1,
        "dead_links": 1,
    }
    base.write("b.md", "# Refund questions\n\nRefunds of parcels take 14 days.\n")
    base.write("gone.md", "# More\n\nMore is said here.\n")
    assert not any(base.found().counts.values())


def test_a_sync_that_promotes_nothing_looks_at_nothing(base: Base) -> None:
    base.write("a.md", "# A\n\nText.\n")
    first = base.sync()
    assert first.findings is not None
    assert base.sync().findings is None
    assert read_findings(base.home)["release"] == first.release


def test_a_look_that_fails_fails_no_sync(base: Base) -> None:
    def fails(_release: Release) -> Findings:
        raise StoreUnavailable("the disk is full")

    base.write("a.md", "# A\n\nText.\n")
    pipeline = Pipeline(base.store, base.embedder, look=fails)
    report = pipeline.sync([FileSource(str(base.docs), Labels())])
    assert report.promoted
    assert report.findings is None


@pytest.mark.parametrize("content", ["", "[]", "{", "\0"])
def test_a_damaged_file_of_findings_is_none(base: Base, content: str) -> None:
    base.write("a.md", "# A\n\nText.\n")
    base.sync()
    (base.home / "findings.json").write_text(content)
    assert read_findings(base.home)["contradictions"] == []


def test_a_damaged_book_of_marks_is_begun_anew(base: Base) -> None:
    base.write("a.md", "# A\n\nSee [it](gone.md).\n")
    base.sync()
    for path in base.home.glob("findings.sqlite*"):
        path.write_bytes(b"no database at all" * 100)
    base.write("b.md", "# B\n\nText.\n")
    assert len(base.found().dead_links) == 1


def test_time_that_runs_out_is_told_and_the_next_look_goes_on(base: Base) -> None:
    base.write("a.md", "# A\n\nSee [it](gone.md).\n")
    base.sync()
    (base.home / "findings.sqlite").unlink()
    release = base.store.current()
    assert release is not None
    (base.home / "findings.json").unlink()
    assert not look(base.home, base.store, release, base.embedder, seconds=-1).is_complete
    assert read_findings(base.home)["seen"] == {}
    assert base.look(release).is_complete
    assert list(read_findings(base.home)["seen"]) == ["a.md"]
    assert len(base.look(release).dead_links) == 1


def test_a_document_that_nothing_finds_is_listed(base: Base) -> None:
    for number in range(15):
        text = f"Frequently asked questions and answers, number {number}. Frequently asked."
        base.write(f"{number}.md", f"# Frequently asked questions\n\n{text}\n")
    base.write("lost.md", "# Questions\n\nZebra lanterns hum below violet harbours tonight.\n")
    assert "lost.md" in [row["document"] for row in base.found().unreachable]


def test_of_very_many_copies_only_some_passages_are_named(base: Base) -> None:
    for number in range(120):
        base.write(f"{number}.md", f"# Letters {number}\n\n{LONG}\n")
    (row,) = base.found().copies
    assert len(row["passages"]) == 100


def test_links_in_code_and_pictures_are_no_links() -> None:
    assert links("See [a](a.md), `[b](b.md)`, ![c](c.md).\n```\n[d](d.md)\n```") == ["a.md"]


def page(id_: str, base: str = "") -> Document:
    return Document(id_, id_, base + id_.removesuffix(".md") if base else id_, "docs", "hash")


@pytest.mark.parametrize(
    "target",
    [
        "b.md", "./b.md", "b", "b/", "b.md#part", "b.html", "../guide/b.md", "/guide/b.md",
        "../top.md", "../top", "deep/", "deep/index.md", "#here", "mailto:a@example.com",
        "https://elsewhere.example/x", "https://help.example/guide/b", "picture.png",
        "https://help.example/guide/b/?x=1#y", "file%20name.md", "../../outside.md", "down.zip",
    ],
)  # fmt: skip
def test_a_link_to_what_exists_or_is_not_ours_is_alive(target: str) -> None:
    names = ("guide/a.md", "guide/b.md", "top.md", "guide/deep/index.md", "guide/file name.md")
    documents = {name: page(name, "https://help.example/") for name in names}
    assert list(dead_links(documents, {"guide/a.md": [target]})) == []


@pytest.mark.parametrize(
    "target", ["c.md", "../c.md", "/b", "https://help.example/guide/c", "deep/c.md#part"]
)
def test_a_link_to_a_document_that_is_not_there_is_dead(target: str) -> None:
    documents = {name: page(name, "https://help.example/") for name in ("guide/a.md", "guide/b.md")}
    assert list(dead_links(documents, {"guide/a.md": [target]})) == [("guide/a.md", target)]


def test_the_web_pages_of_a_site_are_not_all_there_and_may_be_linked() -> None:
    address = "https://site.example/a"
    documents = {address: replace(page(address), uri=address)}
    assert list(dead_links(documents, {address: ["https://site.example/b", "c.html"]})) == []


def test_sets_that_share_much_are_paired_and_others_are_not() -> None:
    words = [f"w{number}" for number in range(100)]
    sets = [words, words[5:], words[50:], [f"v{number}" for number in range(100)]]
    table = np.stack([signature(hashes(some)) for some in sets])
    assert alike(table, 0.7).tolist() == [[0, 1]]


def test_very_many_equal_sets_are_paired_in_a_moment() -> None:
    table = np.repeat(signature(hashes(["a", "b", "c"]))[None, :], 20_000, axis=0)
    began = time.process_time()
    pairs = alike(table, 0.7)
    assert len(pairs) < 5 * len(table)
    assert time.process_time() - began < 10
    assert alike(np.empty((0, SIZE), dtype=np.uint32), 0.7).tolist() == []


def test_a_summary_names_only_what_there_is() -> None:
    counts = {"contradictions": 3, "copies": 1, "dead_links": 0, "unreachable": 2}
    expected = "3 contradictions, 1 copied passage, 2 documents that no search finds"
    assert summary(counts) == expected
    assert summary({}) == ""


def test_nothing_of_removed_passages_stays_in_the_file_of_marks(tmp_path: Path) -> None:
    file = tmp_path / "findings.sqlite"
    text = "Refunds of zanzibar parcels take 14 days."
    chunks = [
        Chunk(f"c{number}", "a.md", "Refunds", "a.md", (), text, number) for number in range(200)
    ]
    with MarkBook(file) as book:
        book.put((chunk, "hash") for chunk in chunks)
    assert b"zanzibar" in file.read_bytes()
    with MarkBook(file) as book:
        book.forget([chunk.id for chunk in chunks])
    assert not any(b"zanzibar" in path.read_bytes() for path in tmp_path.iterdir())
