"""What is looked at of each passage, kept so that an unchanged passage is looked at once."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from ingest.findings.links import links
from ingest.findings.pairs import Hashes, hashes, shingles, signature
from ingest.findings.values import Claim, claims, stems
from knowledge.documents import Chunk, content_hash
from knowledge.keywords import tokenize

log = logging.getLogger(__name__)

_VERSION = 1  # of what is looked at; another one begins the file anew
_SHINGLE = 3  # words
_FEWEST_WORDS = 12  # of a passage that can be a copy
_LONG_BLOCK = 30  # words of a paragraph that counts by itself
_BLANK = re.compile(r"\n\s*\n")
_BATCH = 500
_SCHEMA = """
CREATE TABLE IF NOT EXISTS marks (
    chunk_id TEXT PRIMARY KEY,
    seen_hash TEXT NOT NULL,
    words BLOB NOT NULL,
    claims BLOB NOT NULL,
    rest TEXT NOT NULL
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Marks:
    """What is looked at of one passage."""

    chunk_id: str
    words: bytes  # signatures of its words and of those of each long paragraph
    claims: bytes  # signatures of what it says in figures, one after the other
    rest: str

    def parsed(self) -> tuple[list[Claim], frozenset[str], list[str]]:
        """Return its claims, what its title and headings speak of, and its links."""
        claims, context, targets = json.loads(self.rest)
        made = [
            Claim(text, frozenset(stems), frozenset(names), tuple((u, v) for u, v in values))
            for text, stems, names, values in claims
        ]
        return made, frozenset(context), targets


class MarkBook:
    """The marks of passages, in one SQLite file; a cache only: a damaged one is begun anew."""

    def __init__(self, path: Path) -> None:
        try:
            self._database = _connect(path)
        except sqlite3.DatabaseError as error:
            log.warning("%s is damaged (%s) and begun anew", path, error)
            path.unlink(missing_ok=True)
            self._database = _connect(path)

    def __enter__(self) -> MarkBook:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.close()

    def seen(self) -> dict[str, str]:
        """Return the ids of all passages, each with the hash under which it was looked at."""
        return dict(self._database.execute("SELECT chunk_id, seen_hash FROM marks"))

    def put(self, chunks: Iterable[tuple[Chunk, str]]) -> None:
        """Look at passages, and keep that; each comes with the hash to keep it under."""
        rows = [
            (m.chunk_id, hash_, m.words, m.claims, m.rest)
            for m, hash_ in ((marks_of(chunk), hash_) for chunk, hash_ in chunks)
        ]
        with self._database:
            self._database.executemany("INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?, ?)", rows)

    def forget(self, chunk_ids: Sequence[str]) -> None:
        """Forget passages, and leave nothing of their sentences in the file."""
        with self._database:
            self._database.executemany(
                "DELETE FROM marks WHERE chunk_id = ?", ((id_,) for id_ in chunk_ids)
            )

    def all(self) -> Iterator[Marks]:
        """Yield what is kept, by chunk id."""
        query = "SELECT chunk_id, words, claims, rest FROM marks ORDER BY chunk_id"
        with closing(self._database.execute(query)) as rows:
            for row in rows:
                yield Marks(*row)


def marks_of(chunk: Chunk) -> Marks:
    """Look at a passage."""
    said = list(claims(chunk.text))
    context = stems(" ".join((chunk.title, *chunk.heading_path)))
    rest = [
        [[c.text, sorted(c.stems), sorted(c.names), c.values] for c in said],
        sorted(context),
        links(chunk.text),
    ]
    signatures = b"".join(signature(hashes(sorted(c.stems))).tobytes() for c in said)
    copied = b"".join(signature(part).tobytes() for part in _parts(chunk.text))
    return Marks(chunk.id, copied, signatures, json.dumps(rest))


def _parts(text: str) -> Iterator[Hashes]:
    """Yield the shingles of what may be copied: the whole passage, and each long paragraph."""
    blocks = _BLANK.split(text)
    words = [hashes(tokenize(block)) for block in blocks]
    if sum(map(len, words)) >= _FEWEST_WORDS:
        yield shingles(np.concatenate(words), _SHINGLE)
    for block in words if len(words) > 1 else ():
        if len(block) >= _LONG_BLOCK:
            yield shingles(block, _SHINGLE)


def seen_hash(document_hash: str) -> str:
    """Return the hash under which passages of a document are looked at."""
    return content_hash(f"{_VERSION}\0{document_hash}")[:16]


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(path, timeout=10.0)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA secure_delete = ON")  # which not every build of SQLite begins with
        database.execute("PRAGMA synchronous = OFF")  # a cache; damage is noticed
        database.execute(_SCHEMA)
        database.execute("SELECT rest FROM marks LIMIT 1")
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database
