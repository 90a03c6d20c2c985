"""Precision and recall on real pages with known copies, changed values and dead links.

Run it alone with `-s` to see the figures.
"""

from __future__ import annotations

import random
import re
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ingest.findings.kept import Findings
from ingest.findings.look import look
from ingest.pipeline import Pipeline
from ingest.sources.base import Labels
from ingest.sources.files import FileSource
from knowledge.documents import Scope
from knowledge.releases import Release, ReleaseStore
from knowledge.retriever import Retriever
from tests.fakes import HashEmbedder

ROOT = Path(__file__).parents[3]
PAGES = 170
PLANTED = 40  # of each kind
VALUE = re.compile(
    r"(?<![\w.,/-])(\d{1,3})(?= (?:calendar |business )?(?:days?|hours?|months?|weeks?|years?"
    r"|minutes?|percent)\b|%)|(?<=\$)(\d{1,3}(?:,\d{3})*)(?![\d.])"
)
OTHERS = ("Mongolia", "helicopter", "Wednesday's choir", "lighthouse", "saxophone")


@dataclass
class Seeded:
    """What was planted, by the page that holds it."""

    copies: set[str] = field(default_factory=set)
    fresh: set[str] = field(default_factory=set)  # pages of new words, no copies
    changed: set[str] = field(default_factory=set)
    agreeing: set[str] = field(default_factory=set)
    elsewhere: set[str] = field(default_factory=set)  # another value of another subject
    dead: set[str] = field(default_factory=set)
    alive: set[str] = field(default_factory=set)


@dataclass
class Measured:
    seeded: Seeded
    before: Findings
    after: Findings
    release: Release
    store: ReleaseStore


def paragraphs(text: str) -> list[str]:
    found = (" ".join(part.split()) for part in re.split(r"\n\s*\n", text))
    return [part for part in found if 60 <= len(part.split()) <= 110 and "|" not in part]


def sentences(text: str) -> list[str]:
    found = re.split(r"(?<=[.!?])\s+|\n+", text)
    whole = (s.strip() for s in found if VALUE.search(s) and s.strip().endswith("."))
    return [s for s in whole if 9 <= len(s.split()) <= 35 and len(VALUE.findall(s)) == 1]


def edited(words: list[str], rng: random.Random) -> list[str]:
    """Drop or double one word in thirty."""
    return [
        word for word in words for _ in range(rng.choice([0, 2]) if rng.random() < 1 / 30 else 1)
    ]


def other_value(sentence: str, rng: random.Random) -> str:
    def changed(match: re.Match[str]) -> str:
        number = int(match[0].replace(",", ""))
        return str(number + rng.choice([1, 5, 10, 30, number]))

    return VALUE.sub(changed, sentence)


def reworded(sentence: str, rng: random.Random) -> str:
    """Say it a little differently, in every second case."""
    start = rng.choice(["", "", "Please note: ", "In general, ", "As a rule, "])
    return start + sentence


def other_subject(sentence: str, rng: random.Random) -> str:
    words = sentence.split()
    long = [at for at, word in enumerate(words) if len(word) > 4 and word.isalpha()]
    for at in rng.sample(long, min(len(long), max(3, len(long) // 2))):
        words[at] = rng.choice(OTHERS)
    return " ".join(words)


def plant(docs: Path, texts: dict[str, str], rng: random.Random) -> Seeded:
    seeded = Seeded()
    pool = [part for text in texts.values() for part in paragraphs(text)]
    said = list({s: None for text in texts.values() for s in sentences(text)})
    rng.shuffle(pool)
    rng.shuffle(said)
    for number in range(PLANTED):
        words = edited(pool[number].split(), rng)
        write(docs, f"copy-{number}.md", f"Leaflet {number}", " ".join(words))
        seeded.copies.add(f"copy-{number}.md")
        mixed = pool[PLANTED + number].split()
        rng.shuffle(mixed)
        write(docs, f"fresh-{number}.md", f"Digest {number}", " ".join(mixed))
        seeded.fresh.add(f"fresh-{number}.md")
    three = min(PLANTED, len(said) // 3)
    for number in range(three):
        base = said[3 * number : 3 * number + 3]
        new = reworded(other_value(base[0], rng), rng), base[1], other_subject(base[2], rng)
        for kind, sentence in zip(("changed", "agreeing", "elsewhere"), new, strict=True):
            name = f"{kind}-{number}.md"
            sentence = other_value(sentence, rng) if kind == "elsewhere" else sentence
            write(
                docs, name, f"Answer {kind} {number}", f"It was asked often. {sentence} Thank you."
            )
            getattr(seeded, kind).add(name)
    for number in range(PLANTED // 2):
        names = rng.sample(sorted(texts), 2)
        links = f"See [one]({names[0]}) and [two](./{names[1].removesuffix('.md')})."
        write(docs, f"alive-{number}.md", f"Index {number}", links)
        write(
            docs, f"dead-{number}.md", f"Guide {number}", f"See [it](gone/page-{number}.md#part)."
        )
        seeded.alive.add(f"alive-{number}.md")
        seeded.dead.add(f"dead-{number}.md")
    return seeded


def write(docs: Path, name: str, title: str, text: str) -> None:
    (docs / name).write_text(f"# {title}\n\n{text}\n", encoding="utf-8")


@pytest.fixture(scope="module", params=[1, 2])
def measured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    folder = tmp_path_factory.mktemp("seeded")
    docs, home = folder / "docs", folder / "home"
    docs.mkdir()
    rng = random.Random(request.param)
    pages = sorted((ROOT / "tests/data/mtrag-govt/corpus").glob("*.md"))
    texts = {page.name: page.read_text(encoding="utf-8") for page in rng.sample(pages, PAGES)}
    for name, text in texts.items():
        (docs / name).write_text(text, encoding="utf-8")
    store, embedder = ReleaseStore(home), HashEmbedder(dimension=256)
    pipeline, sources = Pipeline(store, embedder), [FileSource(str(docs), Labels())]
    pipeline.sync(sources)
    before = look(home, store, current(store), embedder)
    seeded = plant(docs, texts, rng)
    pipeline.sync(sources)
    after = look(home, store, current(store), embedder)
    assert after.is_complete
    return Measured(seeded, before, after, current(store), store)


def current(store: ReleaseStore) -> Release:
    release = store.current()
    assert release is not None
    return release


def documents(rows: list[dict[str, object]]) -> list[set[str]]:
    return [{passage["document"] for passage in row["passages"]} for row in rows]  # type: ignore


def rates(found: list[set[str]], right: set[str], wrong: set[str]) -> tuple[float, float]:
    """Return precision among planted pages, and recall."""
    hit = {name for group in found for name in group}
    true, false = len(hit & right), len(hit & wrong)
    return true / max(1, true + false), true / len(right)


def test_copies_are_found(measured: Measured) -> None:
    precision, recall = rates(
        documents(measured.after.copies), measured.seeded.copies, measured.seeded.fresh
    )
    print(f"\ncopies: precision {precision:.3f}, recall {recall:.3f}")
    assert precision >= 0.95
    assert recall >= 0.9


def test_changed_values_are_found(measured: Measured) -> None:
    seeded = measured.seeded
    found = documents(measured.after.contradictions)
    precision, recall = rates(found, seeded.changed, seeded.agreeing | seeded.elsewhere)
    natural = len(measured.before.contradictions)
    print(
        f"\ncontradictions: precision {precision:.3f}, recall {recall:.3f} of {len(seeded.changed)}"
    )
    print(f"beside them, in the pages as they are: {natural}")
    assert precision >= 0.9
    assert recall >= 0.7


def test_dead_links_are_found_and_living_ones_are_not(measured: Measured) -> None:
    found = {row["document"] for row in measured.after.dead_links}
    planted = found - {row["document"] for row in measured.before.dead_links}
    print(f"\ndead links: {len(planted)} of {len(measured.seeded.dead)} and no other")
    assert planted == measured.seeded.dead


def test_what_the_cheap_look_finds_is_what_a_whole_search_finds(measured: Measured) -> None:
    """The keyword search answers for most documents; here the whole search is asked for all."""
    missed = set()
    with closing(Retriever(measured.store, HashEmbedder(dimension=256))) as retriever:
        for document in measured.release.documents.values():
            hits = retriever.retrieve(document.title, Scope(document.audiences), 10).chunks
            if all(chunk.document_id != document.id for chunk in hits):
                missed.add(document.id)
    found = {row["document"] for row in measured.after.unreachable}
    print(f"\nunreachable: {len(found)} found, {len(missed)} not found by their title alone")
    # A document that its title does not find may still be found by its headings.
    assert len(found - missed) <= 0.02 * len(measured.release.documents)
    assert measured.seeded.dead.isdisjoint(found)
