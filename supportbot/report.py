"""What became of the questions of some days: figures out of rows, as JSON, text or a page. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from knowledge.keywords import query_terms
from knowledge.redaction import redact
from supportbot.conversation import Outcome
from supportbot.measures import percentile
from supportbot.records import AnswerRow, CitedDocument

ALIKE = 0.5  # share of terms that questions of one cluster have in common, at least
MAX_CLUSTERED = 2_000  # unanswered questions that are compared, the newest ones
MAX_CLUSTERS = 20
MAX_EXAMPLES = 3
MAX_QUESTION_CHARACTERS = 200
MAX_CITED = 20
MAX_NEVER_CITED = 1_000


@dataclass(frozen=True, slots=True)
class Cluster:
    """Questions without an answer that ask for about the same."""

    count: int
    examples: tuple[str, ...]  # the newest ones, personal data replaced


@dataclass(frozen=True, slots=True)
class Spending:
    """What some answers cost."""

    name: str  # of the model or the workspace
    questions: int
    cost_usd: float


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of some days."""

    begins: datetime
    ends: datetime
    questions: int
    outcomes: Mapping[str, int]
    doors: Mapping[str, int]
    answered_share: float | None  # of all that was no small talk; None: nothing was asked
    unanswered: tuple[Cluster, ...]
    feedback: Mapping[str, int]  # "up" and "down"
    tokens: Mapping[str, int]
    cost_usd: float
    cost_per_answered_usd: float | None
    by_model: tuple[Spending, ...]
    by_workspace: tuple[Spending, ...]
    latency_ms: Mapping[str, float]  # p50 and p95 of the time to the final answer
    most_cited: tuple[CitedDocument, ...]
    never_cited: tuple[str, ...]  # of the current release
    never_cited_count: int

    def to_json(self) -> dict[str, Any]:
        """Return the public form."""
        times = {"begins": self.begins.isoformat(), "ends": self.ends.isoformat()}
        return {**asdict(self), **times}


def summarise(
    rows: Sequence[AnswerRow],
    cited: Sequence[CitedDocument],
    documents: Iterable[str],
    begins: datetime,
    ends: datetime,
) -> Report:
    """Return the figures of these answers.

    Args:
        rows: the answers between `begins` and `ends`, newest first.
        cited: what they cite, the most cited first.
        documents: ids of what the current release holds.
    """
    outcomes = Counter(row.outcome for row in rows)
    answered = outcomes[Outcome.ANSWERED]
    wanted = len(rows) - outcomes[Outcome.CLARIFY]
    cost = sum(row.cost_usd for row in rows)
    never = sorted(set(documents) - {one.document_id for one in cited})
    ratings = Counter(row.rating for row in rows if row.rating)
    return Report(
        begins=begins,
        ends=ends,
        questions=len(rows),
        outcomes={str(one): outcomes[one] for one in Outcome if outcomes[one]},
        doors=dict(Counter(row.door for row in rows)),
        answered_share=answered / wanted if wanted else None,
        unanswered=clusters(row.question for row in rows if row.outcome == Outcome.NOT_FOUND),
        feedback={"up": ratings["up"], "down": ratings["down"]},
        tokens=_tokens(rows),
        cost_usd=round(cost, 6),
        cost_per_answered_usd=round(cost / answered, 6) if answered else None,
        by_model=_spending((row.model or "", row.cost_usd) for row in rows),
        by_workspace=_spending((row.workspace, row.cost_usd) for row in rows),
        latency_ms={
            f"p{share}": percentile([row.total_ms for row in rows], share / 100)
            for share in (50, 95)
        },
        most_cited=tuple(cited[:MAX_CITED]),
        never_cited=tuple(never[:MAX_NEVER_CITED]),
        never_cited_count=len(never),
    )


def clusters(questions: Iterable[str]) -> tuple[Cluster, ...]:
    """Group questions that share most of their stems, the largest group first.

    Method: leader clustering (Hartigan 1975): a question joins the group whose first question it
    has most terms in common with (Dice coefficient), or else begins one.
    """
    leaders: list[frozenset[str]] = []
    groups: list[list[str]] = []
    for question, _ in zip(questions, range(MAX_CLUSTERED), strict=False):
        terms = frozenset(query_terms(question))
        likeness, best = max(
            ((_dice(terms, leader), number) for number, leader in enumerate(leaders)),
            default=(0.0, 0),
        )
        if likeness >= ALIKE:
            groups[best].append(question)
        else:
            leaders.append(terms)
            groups.append([question])
    groups.sort(key=len, reverse=True)
    return tuple(Cluster(len(group), _examples(group)) for group in groups[:MAX_CLUSTERS])


def render(report: Report) -> str:
    """Return the report as lines for a person."""
    share = "–" if report.answered_share is None else f"{report.answered_share:.0%}"
    lines = [
        f"{report.begins:%Y-%m-%d} to {report.ends:%Y-%m-%d}",
        "",
        f"{'questions':<22}{report.questions}",
        f"{'answered':<22}{share}",
        *(f"{f'  {name}':<22}{count}" for name, count in report.outcomes.items()),
        f"{'feedback':<22}{report.feedback['up']} up, {report.feedback['down']} down",
        f"{'cost':<22}${report.cost_usd:.4f}",
        f"{'cost per answered':<22}{dollars(report.cost_per_answered_usd)}",
        f"{'time, median':<22}{report.latency_ms['p50']:.0f} ms",
        f"{'time, 95th percentile':<22}{report.latency_ms['p95']:.0f} ms",
    ]
    for title, found in sections(report).items():
        lines += ["", title, *(f"  {count:>6}  {text}" for count, text in found)]
    return "\n".join(lines)


def sections(report: Report) -> dict[str, list[tuple[str, str]]]:
    """Return the lists of the report that are not empty, each as counts and texts."""
    never = [("", name) for name in report.never_cited[:MAX_CITED]]
    if report.never_cited_count > MAX_CITED:
        never.append(("", f"and {report.never_cited_count - MAX_CITED} more"))
    found = {
        "Questions without an answer": [
            (str(one.count), " · ".join(one.examples)) for one in report.unanswered
        ],
        "Cost by model": [(dollars(one.cost_usd), one.name or "none") for one in report.by_model],
        "Cost by workspace": [
            (dollars(one.cost_usd), one.name or "none") for one in report.by_workspace
        ],
        "Most cited documents": [
            (str(one.answers), f"{one.title} ({one.document_id})") for one in report.most_cited
        ],
        f"Never cited: {report.never_cited_count}": never,
    }
    return {title: rows for title, rows in found.items() if rows}


def dollars(amount: float | None) -> str:
    """Return an amount as a person reads it."""
    return "–" if amount is None else f"${amount:.4f}"


def _tokens(rows: Sequence[AnswerRow]) -> dict[str, int]:
    names = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
    return {name: sum(getattr(row, name) for row in rows) for name in names}


def _spending(costs: Iterable[tuple[str, float]]) -> tuple[Spending, ...]:
    counts: Counter[str] = Counter()
    dollars: dict[str, float] = {}
    for name, cost in costs:
        counts[name] += 1
        dollars[name] = dollars.get(name, 0.0) + cost
    found = (Spending(name, counts[name], round(cost, 6)) for name, cost in dollars.items())
    return tuple(sorted(found, key=lambda one: (-one.cost_usd, one.name)))


def _examples(group: Sequence[str]) -> tuple[str, ...]:
    different = dict.fromkeys(" ".join(redact(question).split()) for question in group)
    return tuple(text[:MAX_QUESTION_CHARACTERS] for text in list(different)[:MAX_EXAMPLES])


def _dice(one: frozenset[str], other: frozenset[str]) -> float:
    return 2 * len(one & other) / (len(one) + len(other)) if one or other else 1.0
