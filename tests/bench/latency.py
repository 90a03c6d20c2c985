"""How long a question waits for its passages, and what questions at once do to each other.

`python -m tests.bench.latency --passages 1000 10000 100000` prints two tables. Each document is one
passage, three sentences of real pages. Its vector is the sum of their own vectors, weighted 3 : 2 :
1 and of length 1, as embedding 100,000 texts would take an hour; all else of a release is built as
`supportbot-ingest` builds it. The 200 questions are real ones about these pages, with what was
asked before, embedded by the packaged model; each run has a retriever of its own, which knows no
vector yet. Each size is searched in a process of its own, whose highest memory is shown (Linux).
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from knowledge.documents import Chunk, Document, Scope, content_hash
from knowledge.embedder import Embedder, load_embedder
from knowledge.releases import ReleaseStore
from knowledge.retriever import Retriever
from supportbot.dataset import read_questions
from supportbot.evaluation import context_of
from tests.bench.measure import CORPUS, line
from tests.bench.scale import sentences

QUESTIONS = 200
SENTENCES = 2_000
THREADS = (1, 2, 4, 8)
WEIGHTS = np.array([[3], [2], [1]], dtype=np.float32)
STAGES = ("embed", "dense", "keywords", "load")
ALONE = ("passages", "p50 ms", "p95 ms", *STAGES, "the rest", "first ms", "peak MB", "load average")
TOGETHER = ("passages", *(f"{count} at once: a second, p95 ms" for count in THREADS))


class SummedVectors:
    """Stands in for an embedder, with vectors of documents that were computed before."""

    def __init__(self, embedder: Embedder, vectors: dict[str, NDArray[np.float32]]) -> None:
        self.fingerprint, self.dimension = embedder.fingerprint, embedder.dimension
        self.embed_documents = lambda texts: np.stack([vectors[text] for text in texts])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print how long questions take one after the other, then at once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, nargs="+", default=[1_000, 10_000], metavar="N")
    parser.add_argument("--homes", type=Path, help="where releases are kept for the next time")
    options = parser.parse_args(arguments)
    rows = []
    print(line(ALONE), line(["---"] * len(ALONE)), sep="\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for passages in options.passages:
            home = (options.homes or Path(folder)) / str(passages)
            if ReleaseStore(home).current_id() is None:
                build(home, passages)
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                alone, together = pool.submit(ask, home).result()
            print(line([f"{passages:,}", *alone]), flush=True)
            rows.append(line([f"{passages:,}", *together]))
    print("", line(TOGETHER), line(["---"] * len(TOGETHER)), *rows, sep="\n")


def build(home: Path, passages: int) -> None:
    """Publish a release of so many passages, the same ones each time."""
    embedder, known = load_embedder(None), list(sentences())[:SENTENCES]
    vectors, summed, documents = embedder.embed_documents(known), {}, []
    for n in range(passages):
        some = random.Random(n).sample(range(len(known)), 3)
        name, text = f"{n:07}.md", " ".join(known[at] for at in some)
        title = f"{' '.join(text.split()[:6])} {n}"
        chunk = Chunk(f"{name}#0", name, title, name, (), text, 0)
        documents.append((Document(name, title, name, "bench", content_hash(text)), [chunk]))
        mixed = (WEIGHTS * vectors[some]).sum(axis=0)
        summed[chunk.indexed_text] = mixed / np.linalg.norm(mixed)
    store, stand_in = ReleaseStore(home), SummedVectors(embedder, summed)
    with store.lock(), store.begin(embedder=stand_in, chunker="1", sources=["bench"]) as builder:
        for document, chunks in documents:
            builder.put(document, chunks)
        store.promote(builder.finish().id)


def ask(home: Path) -> tuple[list[str], list[str]]:
    """Return the cells of both tables for one release, in milliseconds, megabytes and questions."""
    embedder, rates = load_embedder(None), []
    embedder.embed_query("The model is loaded once.")
    for threads in THREADS:
        opening, seconds, took = asked(home, embedder, threads)
        p50, p95 = np.percentile([one["total"] for one in took], [50, 95])
        rates.append(f"{QUESTIONS / seconds:.0f}, {p95:.0f}")
        if threads == 1:
            medians = [float(np.median([one[stage] for one in took])) for stage in STAGES]
            rest = np.median([one["total"] - sum(one[stage] for stage in STAGES) for one in took])
            cells = [f"{each:.1f}" for each in (p50, p95, *medians, rest)] + [f"{opening:.0f}"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [*cells, f"{peak:.0f}", f"{os.getloadavg()[0]:.1f}"], rates


def asked(
    home: Path, embedder: Embedder, threads: int
) -> tuple[float, float, list[dict[str, float]]]:
    """Return milliseconds of the first question, seconds of all others, and what each took."""
    questions = [(q.text, context_of(q)) for q in read_questions(CORPUS.parent)[:QUESTIONS]]
    retriever, began = Retriever(ReleaseStore(home), embedder), perf_counter()
    retriever.ping()
    opened = perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        found = pool.map(lambda q: retriever.retrieve(q[0], Scope(), context=q[1]), questions)
        took = [evidence.timings_ms for evidence in found]
    ended = perf_counter()
    retriever.close()
    return 1000 * (opened - began), ended - opened, took


if __name__ == "__main__":
    main()
