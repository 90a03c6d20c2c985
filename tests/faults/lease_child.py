"""What a writer on another machine does, with a home of its own and one Chroma server for all.

Usage: python -m tests.faults.lease_child COMMAND HOME URL SILENCE
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from knowledge.errors import KnowledgeError
from knowledge.releases import ReleaseStore
from tests.fakes import HashEmbedder
from tests.knowledge.corpus import document

TURNS = 3


def put(store: ReleaseStore, name: str) -> str:
    """Return the id of a release that holds one document more; it is not promoted."""
    with store.begin(embedder=HashEmbedder(), chunker="1", sources=["docs"]) as builder:
        builder.put(*document(f"{name}.md", f"Written by {name}."))
        return builder.finish().id


def builds(store: ReleaseStore, name: str) -> None:
    """Build a release, and promote it when told to."""
    with store.lock():
        release_id = put(store, name)
        print("built", flush=True)
        sys.stdin.readline()
        store.promote(release_id)


def begins(store: ReleaseStore, name: str) -> None:
    """Take the lock, and begin a release when told to."""
    with store.lock():
        print("locked", flush=True)
        sys.stdin.readline()
        put(store, name)


def writes(store: ReleaseStore, name: str) -> None:
    """Put some documents, one release each, waiting for others in between."""
    for turn in range(TURNS):
        with store.lock(timeout=300):
            store.promote(put(store, f"{name}-{turn}"))


COMMANDS: dict[str, Callable[[ReleaseStore, str], None]] = {
    command.__name__: command for command in (builds, begins, writes)
}

if __name__ == "__main__":
    command, home, url, silence = sys.argv[1:]
    try:
        COMMANDS[command](ReleaseStore(Path(home), url, float(silence)), Path(home).name)
    except KnowledgeError as error:
        sys.exit(f"{type(error).__name__}: {error}")
