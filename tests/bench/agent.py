"""What a second search can bring into the prompt, and what it costs: when is the mode worth it?

    python -m tests.bench.agent

No model chooses the second query here. On the customers' own words in mtrag-govt it is, as what a
good model might ask, the rewrite that annotators gave the question; and as an upper bound that no
model reaches, the answer that people wrote. Beside them: as many passages from the first search
alone, which needs no second request. Tokens are those of the requests, without the model's own.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from knowledge.documents import Chunk, Scope
from knowledge.embedder import load_embedder
from knowledge.releases import ReleaseStore
from knowledge.retriever import Retriever
from supportbot.answering import prompts
from supportbot.answering.agent import FUNCTION_TOKENS
from supportbot.answering.answerer import PASSAGES
from supportbot.dataset import LabelledQuestion, read_questions
from supportbot.evaluation import context_of
from tests.bench.ablation import GOVERNMENT
from tests.bench.measure import line
from tests.servers.bot import environment, ingest

COLUMNS = ("a right page", "all right pages", "passages", "input tokens", "requests")


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the last request of a question holds, and the tokens of all its requests."""

    chunks: tuple[Chunk, ...]
    tokens: int
    requests: int = 1


def main() -> None:
    """Print what stands in the prompt with and without a second search."""
    rows = list(map(json.loads, (GOVERNMENT / "queries.jsonl").read_text("utf-8").splitlines()))
    said = {row["id"]: row["last_turn"] for row in rows}
    rewrites = {row["id"]: row["question"] for row in rows if row["question"] != said[row["id"]]}
    known = [one for one in read_questions(GOVERNMENT) if one.is_answerable]
    asked = [replace(one, text=said[one.id]) for one in known]
    groups = {
        "that were rewritten": [one for one in asked if one.id in rewrites],
        "that were not": [one for one in asked if one.id not in rewrites],
    }
    with tempfile.TemporaryDirectory() as home:
        ingest("sync", str(GOVERNMENT / "corpus"), env=environment(Path(home)))
        with closing(Retriever(ReleaseStore(Path(home)), load_embedder(None))) as retriever:
            for name, group in groups.items():
                print("", line([f"{len(group)} questions {name}", *COLUMNS]), sep="\n")
                print(line(["---"] * (1 + len(COLUMNS))), flush=True)
                for way, prompt in ways(retriever, rewrites).items():
                    print(line([way, *figures(group, prompt)]), flush=True)


def ways(
    retriever: Retriever, rewrites: dict[str, str]
) -> dict[str, Callable[[LabelledQuestion], Prompt]]:
    """Return the ways in which a prompt comes about."""

    def first(asked: LabelledQuestion, limit: int = PASSAGES) -> Prompt:
        chunks = retriever.retrieve(asked.text, Scope(), limit, context_of(asked)).chunks
        request = prompts.messages(asked.text, chunks, ())
        return Prompt(chunks, sum(prompts.estimated_tokens(one.content) for one in request))

    def then(asked: LabelledQuestion, query: str) -> Prompt:
        before = first(asked)
        known = {chunk.text for chunk in before.chunks}
        found = retriever.retrieve(query, Scope(), PASSAGES).chunks
        new = tuple(chunk for chunk in found if chunk.text not in known)
        result = prompts.estimated_tokens(query + prompts.passages(new, prompts.MAX_PROMPT_TOKENS))
        return Prompt((*before.chunks, *new), 2 * (before.tokens + FUNCTION_TOKENS) + result, 2)

    return {
        f"one search, {PASSAGES} passages": first,
        f"one search, {PASSAGES + 4} passages": lambda asked: first(asked, PASSAGES + 4),
        f"one search, {2 * PASSAGES} passages": lambda asked: first(asked, 2 * PASSAGES),
        "then the rewrite, or the bare question": lambda asked: then(
            asked, rewrites.get(asked.id, asked.text)
        ),
        "then the written answer": lambda asked: then(asked, asked.answer),
    }


def figures(
    group: Sequence[LabelledQuestion], prompt: Callable[[LabelledQuestion], Prompt]
) -> list[str]:
    """Return the cells of one row."""
    made = [prompt(asked) for asked in group]
    there = [{Path(chunk.document_id).stem for chunk in one.chunks} for one in made]
    missing = [asked.relevant.keys() - found for asked, found in zip(group, there, strict=True)]
    has_one = [len(m) < len(asked.relevant) for m, asked in zip(missing, group, strict=True)]
    return [
        f"{fmean(has_one):.3f}",
        f"{fmean(not one for one in missing):.3f}",
        *(f"{fmean(numbers):.0f}" for numbers in zip(*map(_numbers, made), strict=True)),
    ]


def _numbers(one: Prompt) -> tuple[int, int, int]:
    return len(one.chunks), one.tokens, one.requests


if __name__ == "__main__":
    main()
