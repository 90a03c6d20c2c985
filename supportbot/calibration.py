"""Fits how likely it is, by what was found, that the answer is there; and from where one is tried.

Learnt from a labelled dataset: answerable questions as they are asked; the same with the documents
that answer them taken out; and questions that were unanswerable from the start.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge.documents import Evidence
from knowledge.embedder import load_embedder
from knowledge.files import disk_errors, write_whole
from knowledge.sufficiency import FILE, Calibration, features
from supportbot.config import BotSettings
from supportbot.errors import EvaluationFailed
from supportbot.evaluation import EvaluationOptions, search
from supportbot.measures import Searched, auroc_interval

KEPT = 0.999  # of the answerable questions: misspelt and terse ones score lower than a dataset's
_FOLDS = 5
_STEPS = 50
_RIDGE = 1e-3  # keeps the weights finite where the classes do not overlap
_LEAST = 20  # questions of either class, below which nothing is worth fitting

Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """What was found for the questions of a dataset, by how they were asked."""

    answerable: tuple[Evidence, ...]
    deleted: tuple[Evidence | None, ...]  # the same without what answers them; None: not judged
    unanswerable: tuple[Evidence, ...]

    @classmethod
    def of(cls, searched: Iterable[Searched]) -> Sample:
        """Return the evidence of a search of a dataset."""
        found = list(searched)
        known = [one for one in found if one.question.is_answerable]
        return cls(
            tuple(one.evidence for one in known),
            tuple(one.without for one in known),
            tuple(one.evidence for one in found if not one.question.is_answerable),
        )


@dataclass(frozen=True, slots=True)
class Fitted:
    """A calibration, and how it was found."""

    calibration: Calibration
    path: Path

    def to_json(self) -> dict[str, Any]:
        """Return the public form."""
        return {"file": str(self.path), **self.calibration.to_json()}

    def render(self) -> str:
        """Return what was fitted, for a person."""
        held = self.calibration
        told = held.provenance
        questions, kept = told["questions"], told["tried"]
        first = (
            f"{told['dataset']}: {questions['answerable']} answerable questions,"
            f" {questions['deleted']} with their documents taken out,"
            f" {questions['unanswerable']} unanswerable"
        )
        lines = [
            first,
            *(f"{name:<18}{weight:+.3f}" for name, weight in held.weights.items()),
            f"{'threshold':<18}{held.threshold:.4f} ({told['rule']})",
            "",
            *(f"{name:<18}tried {share:.1%}" for name, share in kept.items()),
            *(
                f"{name:<18}AUROC {at['value']:.3f}, cross-validated"
                f" (95 % confidence: {at['low']:.3f} to {at['high']:.3f})"
                for name, at in told["AUROC"].items()
            ),
            "",
            f"kept in {self.path}",
        ]
        return "\n".join(lines)


async def calibrate(
    options: EvaluationOptions, settings: BotSettings, kept: float = KEPT
) -> Fitted:
    """Fit the decision to answer on a dataset and keep it in the settings' home.

    Raises:
        EvaluationFailed: the dataset is malformed, or holds too little to learn from.
        KnowledgeError: the corpus cannot be searched, or the home not be written.
    """
    sample = Sample.of(await search(options, settings))
    calibration = fit_sample(
        sample,
        load_embedder(settings.embedder).fingerprint,
        kept,
        {
            "dataset": options.dataset.resolve().name,
            "dataset_sha256": dataset_hash(options.dataset),
            "fitted_on": datetime.now(UTC).date().isoformat(),
        },
    )
    path = settings.home / FILE
    with disk_errors(path):
        write_whole(path, json.dumps(calibration.to_json(), indent=1) + "\n")
    return Fitted(calibration, path)


def fit_sample(sample: Sample, embedder: str, kept: float, origin: dict[str, Any]) -> Calibration:
    """Return the calibration that a sample gives, with its figures.

    Raises:
        EvaluationFailed: there are too few questions of either kind.
    """
    positive, twins = _rows(sample.answerable), _rows(one for one in sample.deleted if one)
    others = _rows(sample.unanswerable)
    if len(positive) < _LEAST or len(twins) + len(others) < _LEAST:
        raise EvaluationFailed(
            f"too little to learn from: it takes at least {_LEAST} answerable questions with"
            f" judged documents, or {_LEAST} unanswerable ones beside them"
        )
    theta = fit(positive, twins, others)
    scores = [_curve(part, theta) for part in (positive, twins, others)]
    threshold = _threshold(scores[0], kept)
    names = tuple(features(Evidence("", "")))
    kinds = ("answerable", "deleted", "unanswerable")
    provenance = {
        **origin,
        "rule": f"the highest at which {kept:.1%} of the answerable questions are tried",
        "questions": dict(zip(kinds, map(len, scores), strict=True)),
        "tried": {
            kind: round(float(np.mean(part >= threshold)), 4)
            for kind, part in zip(kinds, scores, strict=True)
            if len(part)
        },
        "AUROC": _cross_validated(sample),
    }
    weights = {name: round(float(w), 4) for name, w in zip(names, theta[1:], strict=True)}
    return Calibration(round(float(theta[0]), 4), weights, threshold, embedder, provenance)


def fit(positive: Rows, *negatives: Rows) -> Rows:
    """Return intercept and weights, none below 0, of the logistic curve that fits best.

    Every kind of negative counts as much as any other, and all of them as much as the positives,
    however many there are. A feature that would count against the evidence is left out and the
    rest fitted anew.

    Args:
        positive: features of questions whose answer is there, shape (questions, features).
        negatives: the same of questions whose answer is not there, one array a kind.
    """
    kinds = [part for part in negatives if len(part)]
    rows = np.concatenate([positive, *kinds])
    labels = np.repeat([1.0, 0.0], [len(positive), len(rows) - len(positive)])
    shares = [1 / len(positive), *(1 / len(kinds) / len(part) for part in kinds)]
    counts = np.repeat(shares, [len(positive), *map(len, kinds)]) * len(positive)
    used = list(range(rows.shape[1]))
    while True:
        part = _newton(np.column_stack([np.ones(len(rows)), rows[:, used]]), labels, counts)
        if not used or part[1:].min() >= 0:
            break
        used.pop(int(part[1:].argmin()))
    theta = np.zeros(rows.shape[1] + 1)
    theta[[0, *(at + 1 for at in used)]] = part
    return theta


def dataset_hash(dataset: Path) -> str:
    """Return the SHA-256 of names and contents of all that a dataset consists of."""
    corpus = sorted(path for path in (dataset / "corpus").rglob("*") if path.is_file())
    named = [dataset / name for name in ("corpus.jsonl", "queries.jsonl", "qrels.tsv")]
    hashed = hashlib.sha256()
    for path in (*corpus, *named):
        if path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            hashed.update(f"{path.relative_to(dataset).as_posix()} {content}\n".encode())
    return hashed.hexdigest()


def _rows(found: Iterable[Evidence]) -> Rows:
    width = len(features(Evidence("", "")))
    rows = [list(features(evidence).values()) for evidence in found]
    return np.array(rows, dtype=np.float64).reshape(-1, width)


def _newton(rows: Rows, labels: Rows, counts: Rows) -> Rows:
    """Return the weights of greatest likelihood: Newton's method with a slight ridge."""
    theta = np.zeros(rows.shape[1])
    ridge = _RIDGE * np.eye(rows.shape[1])
    for _ in range(_STEPS):
        expected = 1 / (1 + np.exp(-np.clip(rows @ theta, -30, 30)))
        gradient = rows.T @ (counts * (labels - expected)) - ridge @ theta
        curvature = (rows * (counts * expected * (1 - expected))[:, None]).T @ rows + ridge
        step = np.linalg.solve(curvature, gradient)
        theta = theta + step
        if np.abs(step).max() < 1e-9:
            break
    return theta


def _curve(rows: Rows, theta: Rows) -> Rows:
    scores: Rows = 1 / (1 + np.exp(-np.clip(theta[0] + rows @ theta[1:], -500, 500)))
    return scores


def _threshold(scores: Rows, kept: float) -> float:
    """Return the highest score, rounded down, that this share of the scores reaches."""
    missed = int((1 - kept) * len(scores) + 1e-9)
    return float(np.floor(np.sort(scores)[missed] * 10_000) / 10_000)


def _cross_validated(sample: Sample) -> dict[str, dict[str, float]]:
    """Return the AUROC against either kind of negative, each question judged by the others.

    A question and its twin without documents are never on two sides.
    """
    known, unknown = len(sample.answerable), len(sample.unanswerable)
    order = np.random.default_rng(0).permutation(known + unknown) % _FOLDS
    folds, other_folds = order[:known], order[known:]
    positive, others = _rows(sample.answerable), _rows(sample.unanswerable)
    has_twin = np.array([one is not None for one in sample.deleted], dtype=bool)
    twins, twin_folds = _rows(one for one in sample.deleted if one), folds[has_twin]
    scores = [np.zeros(len(part)) for part in (positive, twins, others)]
    parts = ((positive, folds), (twins, twin_folds), (others, other_folds))
    for fold in range(_FOLDS):
        theta = fit(*(part[of != fold] for part, of in parts))
        for score, (part, of) in zip(scores, parts, strict=True):
            score[of == fold] = _curve(part[of == fold], theta)
    kinds = {"deleted": scores[1], "unanswerable": scores[2]}
    return {
        name: asdict(interval)
        for name, negatives in kinds.items()
        if (interval := auroc_interval(scores[0].tolist(), negatives.tolist()))
    }
