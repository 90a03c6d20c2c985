"""Figures of merit of a ranking and of a decision to answer; pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from knowledge.documents import Evidence
from supportbot.dataset import LabelledQuestion

_CURVE_POINTS = 20
_TAG = "supportbot"
_RESAMPLES = 1_000


@dataclass(frozen=True, slots=True)
class Searched:
    """What the retriever found for one question."""

    question: LabelledQuestion
    documents: tuple[tuple[str, float], ...]  # best first, with the score of the best chunk
    sufficiency: float
    milliseconds: float
    evidence: Evidence = field(default_factory=lambda: Evidence("", ""))
    without: Evidence | None = None  # what is found where its relevant documents are missing


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """What happens if all questions of at least this sufficiency are answered."""

    threshold: float
    coverage: float  # share of all questions that is answered
    risk: float  # share of the answered ones that cannot be answered from the corpus
    answerable: float  # share of the answerable ones that is answered
    unanswerable: float  # share of the others that is answered


def rank_measures(searched: Iterable[Searched]) -> dict[str, float]:
    """Return recall@5, recall@10, nDCG@10 and MRR@10, the means over questions with judgements.

    nDCG has linear gains, as trec_eval's `ndcg_cut_10`.
    """
    judged = [one for one in searched if one.question.is_answerable and one.question.relevant]
    totals: defaultdict[str, float] = defaultdict(float)
    for one in judged:
        gains = [one.question.relevant.get(document, 0) for document, _ in one.documents]
        ideal = sorted(one.question.relevant.values(), reverse=True)
        totals["recall@5"] += sum(gain > 0 for gain in gains[:5]) / len(ideal)
        totals["recall@10"] += sum(gain > 0 for gain in gains[:10]) / len(ideal)
        totals["nDCG@10"] += _dcg(gains[:10]) / _dcg(ideal[:10])
        totals["MRR@10"] += next((1 / n for n, gain in enumerate(gains[:10], 1) if gain), 0)
    names = ("recall@5", "recall@10", "nDCG@10", "MRR@10")
    return {name: round(totals[name] / max(1, len(judged)), 4) for name in names}


def auroc(positives: Sequence[float], negatives: Sequence[float]) -> float | None:
    """Return the chance that a positive scores above a negative, ties counting half."""
    if not positives or not negatives:
        return None
    wins = sum((p > n) + 0.5 * (p == n) for p in positives for n in negatives)
    return round(wins / (len(positives) * len(negatives)), 4)


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure, and between what it lies with 95 % confidence."""

    value: float
    low: float
    high: float


def auroc_interval(positives: Sequence[float], negatives: Sequence[float]) -> Interval | None:
    """Return the AUROC with the 2.5th and 97.5th percentile of as many bootstrap samples.

    Both sides are resampled, so that few negatives give a wide interval.
    """
    value = auroc(positives, negatives)
    if value is None:
        return None
    above = np.sign(np.subtract.outer(np.array(positives), np.array(negatives))) / 2 + 0.5
    random = np.random.default_rng(0)
    drawn = [
        above[np.ix_(random.integers(0, n, n), random.integers(0, m, m))].mean()
        for n, m in [above.shape] * _RESAMPLES
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(value, round(float(low), 4), round(float(high), 4))


def risk_coverage(
    answerable: Sequence[float], unanswerable: Sequence[float]
) -> tuple[RiskPoint, ...]:
    """Return the risk-coverage curve, from the highest threshold to one that answers all."""
    scores = sorted([*answerable, *unanswerable], reverse=True)
    if not answerable or not unanswerable:
        return ()
    places = [math.ceil(len(scores) * n / _CURVE_POINTS) - 1 for n in range(1, _CURVE_POINTS + 1)]
    thresholds = sorted({scores[max(0, place)] for place in places}, reverse=True)
    return tuple(_risk_point(threshold, answerable, unanswerable) for threshold in thresholds)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of the values does not exceed; 0 of none."""
    ordered = sorted(values)
    return round(ordered[math.ceil(share * len(ordered)) - 1], 1) if ordered else 0.0


def trec_run(searched: Iterable[Searched]) -> str:
    """Return the rankings as a TREC run: `query Q0 document rank score tag`."""
    return "".join(
        f"{one.question.id} Q0 {document} {rank} {score:.6f} {_TAG}\n"
        for one in searched
        for rank, (document, score) in enumerate(one.documents, 1)
    )


def _risk_point(
    threshold: float, answerable: Sequence[float], unanswerable: Sequence[float]
) -> RiskPoint:
    right = sum(score >= threshold for score in answerable)
    wrong = sum(score >= threshold for score in unanswerable)
    shares = (
        (right + wrong) / (len(answerable) + len(unanswerable)),
        wrong / (right + wrong),
        right / len(answerable),
        wrong / len(unanswerable),
    )
    return RiskPoint(round(threshold, 4), *(round(share, 4) for share in shares))


def _dcg(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))
