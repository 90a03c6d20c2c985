"""How well the decision to answer tells questions apart, by what keeps them from being answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from knowledge.sufficiency import is_sufficient, sufficiency, threshold
from supportbot.measures import Interval, RiskPoint, Searched, auroc_interval, risk_coverage

# How a question is asked: as it is; without the documents that answer it; or it has no answer.
ANSWERABLE, DELETED, UNANSWERABLE = "answerable", "deleted", "unanswerable"


@dataclass(frozen=True, slots=True)
class RefusalReport:
    """What the score separates, and what the threshold lets through."""

    threshold: float
    tried: Mapping[str, float]  # share of each kind that is not refused
    auroc: Mapping[str, Interval]  # of the answerable against each other kind
    curves: Mapping[str, Sequence[RiskPoint]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the public form."""
        return {
            "threshold": self.threshold,
            "tried": dict(self.tried),
            "AUROC": {name: asdict(interval) for name, interval in self.auroc.items()},
            "risk_coverage": {
                name: [asdict(point) for point in curve] for name, curve in self.curves.items()
            },
        }

    def render(self) -> list[str]:
        """Return lines for a person."""
        lines = [f"an answer is tried from {self.threshold:.3f} on"]
        for name, share in self.tried.items():
            against = self.auroc.get(name)
            told = f"{NAMES[name]}: {share:.1%} tried"
            if against:
                told += f", AUROC {against.value:.3f} ({against.low:.3f} to {against.high:.3f})"
            lines.append(told)
        return lines


NAMES = {
    ANSWERABLE: "answerable questions",
    DELETED: "the same without the documents that answer them",
    UNANSWERABLE: "unanswerable questions",
}


def judge_refusal(searched: Iterable[Searched]) -> RefusalReport | None:
    """Return how the evidence of each kind of question is judged; None: there is no question."""
    found = list(searched)
    known = [one.evidence for one in found if one.question.is_answerable]
    kinds = {
        ANSWERABLE: known,
        DELETED: [one.without for one in found if one.without is not None],
        UNANSWERABLE: [one.evidence for one in found if not one.question.is_answerable],
    }
    if not known:
        return None
    scores = {name: [sufficiency(one) for one in some] for name, some in kinds.items()}
    tried = {
        name: round(sum(map(is_sufficient, some)) / len(some), 4)
        for name, some in kinds.items()
        if some
    }
    auroc = {
        name: interval
        for name in (DELETED, UNANSWERABLE)
        if (interval := auroc_interval(scores[ANSWERABLE], scores[name]))
    }
    curves = {name: risk_coverage(scores[ANSWERABLE], scores[name]) for name in auroc}
    return RefusalReport(threshold(known[0]), tried, auroc, curves)
