"""What each part of the search gains: without it, on three sets of questions.

    python -m tests.bench.ablation

Both arms are computed in memory and exactly, from the passages and vectors of releases that
`supportbot-ingest` built, and are joined by the retriever's own functions. So the first row is what
`supportbot evaluate` measures, but for the neighbours that an approximate index misses.
"""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from knowledge.documents import Chunk
from knowledge.embedder import Embedder, load_embedder
from knowledge.keywords import CONTEXT_WEIGHT, query_terms, tokenize
from knowledge.releases import ReleaseStore
from knowledge.retriever import fuse
from supportbot.dataset import LabelledQuestion, read_questions
from supportbot.evaluation import context_of
from supportbot.measures import Searched, rank_measures
from tests.bench.measure import line
from tests.e2e.test_articles import FOLDER as ARTICLES
from tests.e2e.test_articles import QUESTIONS
from tests.servers.bot import environment, ingest

GOVERNMENT = Path(__file__).parents[1] / "data" / "mtrag-govt"
DEPTH = 200  # candidates of each arm
K1, B = 1.2, 0.75
Ranking = list[tuple[str, float]]
Fuse = Callable[[Ranking, Ranking], Ranking]


def words(text: str) -> list[str]:
    """Return the words of a text as a plain analyser has them: no stems, no codes."""
    return re.findall(r"\w+", text.lower())


def reciprocal_ranks(dense: Ranking, worded: Ranking, k: int = 60) -> Ranking:
    """Join two rankings by reciprocal ranks (Cormack et al. 2009, doi 10.1145/1571941.1572114)."""
    scores: defaultdict[str, float] = defaultdict(float)
    for ranking in (dense, worded):
        for rank, (id, _) in enumerate(ranking, 1):
            scores[id] += 1 / (k + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


@dataclass(frozen=True, slots=True)
class Variant:
    """The search with one part changed."""

    is_headed: bool = True  # passages are indexed under their title and headings
    terms: Callable[[str], list[str]] = tokenize
    leaves_out: bool = True  # the words that only ask
    has_context: bool = True  # what was asked before
    fuse: Fuse = fuse
    feedback: int = 0  # passages whose vectors are mixed into the question's
    is_rewritten: bool = True  # people made the question whole; False: as the asker put it


SHIPPED = Variant()
VARIANTS = {
    "as the bot searches": SHIPPED,
    "passages without title and headings": replace(SHIPPED, is_headed=False),
    "words without stems and codes": replace(SHIPPED, terms=words, leaves_out=False),
    "words that only ask are searched too": replace(SHIPPED, leaves_out=False),
    "without what was asked before": replace(SHIPPED, has_context=False),
    "as the asker put it": replace(SHIPPED, is_rewritten=False),
    "as the asker put it, without what was asked before": replace(
        SHIPPED, is_rewritten=False, has_context=False
    ),
    "fused by reciprocal ranks": replace(SHIPPED, fuse=reciprocal_ranks),
    "vectors alone": replace(SHIPPED, fuse=lambda dense, _: dense),
    "BM25 alone": replace(SHIPPED, fuse=lambda _, worded: worded),
    "with feedback of the 3 nearest passages": replace(SHIPPED, feedback=3),
}


class Words:
    """BM25 over texts, in memory."""

    def __init__(self, texts: Sequence[str], terms: Callable[[str], list[str]]) -> None:
        counts = [Counter(terms(text)) for text in texts]
        self._lengths = np.array([sum(count.values()) for count in counts], float)
        self._places: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for place, count in enumerate(counts):
            for term, times in count.items():
                self._places[term].append((place, times))

    def scores(self, weights: Mapping[str, float]) -> NDArray[np.float64]:
        """Return the score of each text for weighted terms (Robertson and Zaragoza 2009)."""
        total = np.zeros(len(self._lengths))
        spread = K1 * (1 - B + B * self._lengths / self._lengths.mean())
        for term, weight in weights.items():
            if held := self._places.get(term):
                places, times = np.array(held).T
                rare = math.log(1 + (len(total) - len(held) + 0.5) / (len(held) + 0.5))
                total[places] += weight * rare * times * (K1 + 1) / (times + spread[places])
        return total


class Corpus:
    """The passages of a release, ready to be searched in each variant."""

    def __init__(self, home: Path, embedder: Embedder, own_words: Mapping[str, str]) -> None:
        self._embedder = embedder
        self._own_words = own_words  # of questions that people made whole, by their ids
        with ReleaseStore(home).open() as opened:
            ids = sorted(opened.vectors.ids())
            held, vectors = opened.vectors.get(ids), opened.vectors.vectors(ids)
        self._chunks: list[Chunk] = [held[id] for id in ids]
        self._pages = {chunk.id: chunk.document_id for chunk in self._chunks}
        bare = embedder.embed_documents([chunk.text for chunk in self._chunks])
        self._vectors = {True: np.array([vectors[id] for id in ids]), False: bare}
        self._words: dict[tuple[bool, Callable[[str], list[str]]], Words] = {}

    def search(self, variant: Variant, question: LabelledQuestion) -> Searched:
        """Return the documents of the best passages."""
        context = context_of(question) if variant.has_context else ""
        if not variant.is_rewritten:
            question = replace(question, text=self._own_words.get(question.id, question.text))
        dense = self._nearest(variant, question.text, context)
        worded = self._worded(variant, question.text, context)
        ranked = variant.fuse(dense, worded)
        best: dict[str, float] = {}
        for id, score in ranked:
            best.setdefault(Path(self._pages[id]).stem, score)
        return Searched(question, tuple(best.items()), 0.0, 0.0)

    def _nearest(self, variant: Variant, question: str, context: str) -> Ranking:
        vectors = self._vectors[variant.is_headed]
        asked = self._embedder.embed_query(question)
        if context:
            both = self._embedder.embed_query(f"{context} {question}")
            asked = (1 - CONTEXT_WEIGHT) * asked + CONTEXT_WEIGHT * both
        if variant.feedback:
            near = np.argsort(-(vectors @ asked))[: variant.feedback]
            asked = asked / np.linalg.norm(asked) + 0.3 * vectors[near].mean(axis=0)
        return self._best(vectors @ (asked / np.linalg.norm(asked)))

    def _worded(self, variant: Variant, question: str, context: str) -> Ranking:
        if variant.leaves_out:
            weights = query_terms(question, context)
        else:
            before = dict.fromkeys(variant.terms(context), CONTEXT_WEIGHT)
            weights = before | dict.fromkeys(variant.terms(question), 1.0)
        key = (variant.is_headed, variant.terms)
        if key not in self._words:
            texts = [one.indexed_text if variant.is_headed else one.text for one in self._chunks]
            self._words[key] = Words(texts, variant.terms)
        scores = self._words[key].scores(weights)
        return [(id, score) for id, score in self._best(scores) if score > 0]

    def _best(self, scores: NDArray[np.floating]) -> Ranking:
        order = np.argsort(-scores, kind="stable")[:DEPTH]
        return [(self._chunks[at].id, float(scores[at])) for at in order]


def main() -> None:
    """Print recall@5 and nDCG@10 of each variant on each set of questions."""
    asked = read_questions(GOVERNMENT)
    asked = [question for question in asked if question.is_answerable]
    customers = [
        LabelledQuestion(str(n), text, is_answerable=True, relevant={article: 1})
        for n, (text, article) in enumerate(QUESTIONS)
    ]
    embedder = load_embedder(None)
    rows = list(map(json.loads, (GOVERNMENT / "queries.jsonl").read_text("utf-8").splitlines()))
    own_words = {row["id"]: row["last_turn"] for row in rows}
    whole = {row["id"] for row in rows if row["standalone"]}
    pages = built(GOVERNMENT / "corpus", embedder, own_words)
    articles = built(ARTICLES, embedder, {})
    sets = {
        "government pages, whole questions": (pages, [q for q in asked if q.id in whole]),
        "government pages, follow-ups": (pages, [q for q in asked if q.id not in whole]),
        "help articles": (articles, customers),
    }
    print(line(["recall@5 / nDCG@10", *(f"{name} ({len(s[1])})" for name, s in sets.items())]))
    print(line(["---"] * (1 + len(sets))), flush=True)
    for name, variant in VARIANTS.items():
        cells = [figures(corpus, variant, questions) for corpus, questions in sets.values()]
        print(line([name, *cells]), flush=True)


def built(folder: Path, embedder: Embedder, own_words: Mapping[str, str]) -> Corpus:
    """Return a folder as a release has it."""
    with tempfile.TemporaryDirectory() as home:
        ingest("sync", str(folder), env=environment(Path(home)))
        return Corpus(Path(home), embedder, own_words)


def figures(corpus: Corpus, variant: Variant, questions: Sequence[LabelledQuestion]) -> str:
    """Return recall@5 and nDCG@10 as the table shows them."""
    measures = rank_measures(corpus.search(variant, question) for question in questions)
    return f"{measures['recall@5']:.3f} / {measures['nDCG@10']:.3f}"


if __name__ == "__main__":
    main()
