"""What a child process does to a store, until it is done or killed.

Usage: python -m tests.faults.store_child COMMAND HOME [NUMBER]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from knowledge.documents import Scope
from knowledge.errors import KnowledgeError
from knowledge.releases import ReleaseStore
from tests.fakes import HashEmbedder
from tests.knowledge.corpus import Shaped, build, document, texts

EMBEDDER = HashEmbedder()


def pages(version: int, count: int = 30) -> list[Shaped]:
    """Return documents of which a third change with every version."""
    return [
        document(
            f"p{i}.md", f"page {i} version {version if i % 3 == version % 3 else 0}", f"end {i}"
        )
        for i in range(count)
    ]


def versions(home: Path, number: int) -> None:
    """Build and promote one version after the other, for ever."""
    store = ReleaseStore(home)
    for version in range(number, number + 10_000):
        gone = [f"p{i}.md" for i in range(30) if i % 7 == version % 7]
        kept = [page for page in pages(version) if page[0].id not in gone]
        build(store, EMBEDDER, kept, gone, rebuild=version % 5 == 4)
        print("promoted", flush=True)


def once(home: Path, number: int) -> None:
    """Build and promote one version."""
    build(ReleaseStore(home), EMBEDDER, pages(number))


def hold(home: Path, number: int) -> None:
    """Hold the lock until killed."""
    with ReleaseStore(home).lock():
        print("held", flush=True)
        sys.stdin.read()


def writer(home: Path, number: int) -> None:
    """Put five documents, one release each, waiting for others in between."""
    store = ReleaseStore(home)
    for turn in range(5):
        with (
            store.lock(timeout=120),
            store.begin(embedder=EMBEDDER, chunker="1", sources=["docs"]) as builder,
        ):
            builder.put(*document(f"w{number}-{turn}.md", f"writer {number} turn {turn}"))
            store.promote(builder.finish().id)


def fill(home: Path, number: int) -> None:
    """Put so many words that a small disk is full; the error is the exit's one line."""
    big = [document(f"big{i}.md", " ".join(f"w{i}x{k}" for k in range(400))) for i in range(number)]
    build(ReleaseStore(home), EMBEDDER, [*pages(1), *big])


def look(home: Path, number: int) -> None:
    """Answer one question from the current release."""
    with ReleaseStore(home).open() as opened:
        near = opened.vectors.query(EMBEDDER.embed_query("page 4"), Scope(), 3)
        worded = opened.keywords.query("page 4", Scope(), 3)
        print(len(near), len(worded), len(texts(ReleaseStore(home))))


COMMANDS: dict[str, Callable[[Path, int], None]] = {
    command.__name__: command for command in (versions, once, hold, writer, fill, look)
}

if __name__ == "__main__":
    try:
        COMMANDS[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]) if sys.argv[3:] else 0)
    except KnowledgeError as error:
        sys.exit(f"{type(error).__name__}: {error}")
