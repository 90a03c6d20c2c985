"""Whether the evidence that was found suffices to try an answer: a fitted score and a threshold.

`supportbot calibrate` fits it on labelled questions. What is installed with the package was fitted
for its embedding model; a home may hold its own, which is used while its embedding model is.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from knowledge.documents import Evidence

FILE = "sufficiency.json"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Calibration:
    """How likely the answer is in what was found, and from where on one is tried.

    A logistic curve over features of the evidence (Platt 1999). A weight is never negative: more of
    a feature never makes the evidence worse.
    """

    intercept: float
    weights: Mapping[str, float]  # by the names of `features`
    threshold: float  # 0 to 1
    embedder: str  # fingerprint of the embedding model that it was fitted with
    provenance: Mapping[str, Any] = field(default_factory=dict)  # for people: on what, when, how

    def probability(self, evidence: Evidence) -> float:
        """Return how likely the answer is there, 0 to 1, among questions like those of the fit."""
        found = features(evidence)
        logit = self.intercept + sum(w * found[name] for name, w in self.weights.items())
        return 1 / (1 + math.exp(-max(-500.0, min(500.0, logit))))

    def to_json(self) -> dict[str, Any]:
        """Return what its file holds."""
        return {
            "embedder": self.embedder,
            "intercept": self.intercept,
            "weights": dict(self.weights),
            "threshold": self.threshold,
            **self.provenance,
        }

    @classmethod
    def from_json(cls, held: Any) -> Calibration:
        """Return what a file holds; ValueError: it is none that `supportbot calibrate` writes."""
        try:
            rest = dict(held)
            weights = {str(name): float(w) for name, w in rest.pop("weights").items()}
            intercept, threshold = float(rest.pop("intercept")), float(rest.pop("threshold"))
            embedder = str(rest.pop("embedder"))
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError("it is no calibration") from error
        if not weights.keys() <= features(Evidence("", "")).keys():
            raise ValueError("it weighs what this version does not measure")
        if not all(map(math.isfinite, (intercept, threshold, *weights.values()))):
            raise ValueError("a number is not finite")
        return cls(intercept, weights, threshold, embedder, rest)


def features(evidence: Evidence) -> dict[str, float]:
    """Return what is weighed of the evidence, each 0 to 1."""
    return {
        "top_similarity": min(1.0, max(0.0, evidence.top_similarity)),
        "keyword_coverage": evidence.keyword_coverage,
    }


def sufficiency(evidence: Evidence) -> float:
    """Return how likely the answer is in what was found, 0 to 1."""
    return _calibration(evidence).probability(evidence)


def threshold(evidence: Evidence) -> float:
    """Return from which sufficiency on an answer may be tried."""
    return _calibration(evidence).threshold


def is_sufficient(evidence: Evidence) -> bool:
    """Tell whether an answer may be tried."""
    return not evidence.is_empty and sufficiency(evidence) >= threshold(evidence)


def is_far_off(evidence: Evidence) -> bool:
    """Tell whether what was found is so far from the question that another matter is asked for."""
    return evidence.is_empty or sufficiency(evidence) < threshold(evidence) / 2


@cache
def packaged() -> Calibration:
    """Return the calibration that is installed with the package."""
    text = (Path(__file__).parent / FILE).read_text(encoding="utf-8")
    return Calibration.from_json(json.loads(text))


def load_calibration(home: Path, fingerprint: str) -> Calibration:
    """Return the home's calibration if it was fitted with this embedding model, else the packaged.

    One that cannot be read is told in the log: answering goes on without it.
    """
    path = home / FILE
    try:
        own = Calibration.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return packaged()
    except (OSError, ValueError, RecursionError) as error:
        _log.warning("%s is not used (%s); run `supportbot calibrate` again", path, error)
        return packaged()
    if own.embedder != fingerprint:
        _log.warning("%s is not used: it was fitted with another embedding model", path)
        return packaged()
    return own


def _calibration(evidence: Evidence) -> Calibration:
    return evidence.calibration or packaged()
