"""Labelled datasets: questions, the documents that answer them, and the corpus they are asked of.

A dataset is a folder with `corpus/` (one file a document; its id is the file's name without the
ending) or `corpus.jsonl` (`id, title, text, url`), `queries.jsonl` (`id, question, answer,
answerable`, and `history` where there is one: `[{"role", "text"}]`) and `qrels.tsv` (query,
document, relevance).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supportbot.errors import EvaluationFailed


@dataclass(frozen=True, slots=True)
class LabelledQuestion:
    """A question with its judged documents: id to relevance, above 0."""

    id: str
    text: str
    is_answerable: bool
    relevant: Mapping[str, int] = field(default_factory=dict)
    history: tuple[str, ...] = ()  # what the asker said before, in order
    answer: str = ""  # as people wrote it


def read_questions(dataset: Path) -> list[LabelledQuestion]:
    """Return the questions that are labelled answerable or not, with their judged documents.

    Raises:
        EvaluationFailed: which file and line is wrong, and what it should hold.
    """
    relevant: dict[str, dict[str, int]] = defaultdict(dict)
    for number, line in enumerate(_lines(dataset / "qrels.tsv"), 1):
        parts = line.split("\t")
        try:
            query, document, relevance = parts[0], parts[1], int(parts[2])
        except (IndexError, ValueError):
            if number == 1:
                continue  # a header
            raise EvaluationFailed(
                f"{dataset / 'qrels.tsv'}, line {number}: expected query, document and relevance"
            ) from None
        if relevance > 0:
            relevant[query][document] = relevance
    rows = _rows(dataset / "queries.jsonl", ("id", "question"))
    return [
        LabelledQuestion(
            str(row["id"]),
            str(row["question"]),
            bool(row["answerable"]),
            relevant[str(row["id"])],
            _said_before(row),
            str(row.get("answer") or ""),
        )
        for row in rows
        if row.get("answerable") is not None
    ]


def _said_before(row: Mapping[str, Any]) -> tuple[str, ...]:
    turns = row.get("history") or ()
    return tuple(
        str(turn["text"])
        for turn in turns
        if isinstance(turn, dict) and turn.get("role") == "user" and turn.get("text")
    )


def corpus_folder(dataset: Path, written: Path) -> tuple[Path, dict[str, str]]:
    """Return a folder of documents, and for each whose name is not its id, the id."""
    if (dataset / "corpus").is_dir():
        return dataset / "corpus", {}
    written.mkdir()
    ids: dict[str, str] = {}
    for number, row in enumerate(_rows(dataset / "corpus.jsonl", ("id", "text")), 1):
        name = f"{number:08}.md"
        ids[name] = str(row["id"])
        labels = {key: str(row[key]) for key in ("title", "url") if row.get(key)}
        # JSON strings are YAML strings.
        front = "".join(f"{key}: {json.dumps(value)}\n" for key, value in labels.items())
        (written / name).write_text(f"---\n{front}---\n\n{row['text']}\n", encoding="utf-8")
    return written, ids


def _rows(path: Path, needed: Sequence[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(_lines(path), 1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict) or any(not str(row.get(key) or "") for key in needed):
            raise EvaluationFailed(
                f"{path}, line {number}: expected a JSON object with {', '.join(needed)}"
            )
        yield row


def _lines(path: Path) -> list[str]:
    try:
        # Not splitlines(): a JSON text may hold U+2028.
        return [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    except (OSError, ValueError) as error:
        raise EvaluationFailed(
            f"{path} cannot be read ({error}); a dataset is a folder with corpus/ or corpus.jsonl,"
            " queries.jsonl and qrels.tsv"
        ) from error
