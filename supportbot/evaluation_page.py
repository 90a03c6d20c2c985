"""The figures of an evaluation as one page: no script, nothing loaded, light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from supportbot.evaluation import AnswersReport, EvaluationReport
from supportbot.refusal import DELETED, NAMES, UNANSWERABLE, RefusalReport
from supportbot.trials import GroundingReport

_WIDTH, _HEIGHT = 460, 300  # of a plot, in its own units
_LEFT, _TOP, _RIGHT, _BOTTOM = 62, 14, 24, 50
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --line: #d5dbe1;
  --ground: #ffffff; --first: #0b62c4; --second: #b3430a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebee; --soft: #9aa5b1; --line: #3a434d;
  --ground: #14181c; --first: #6cb0ff; --second: #ff9d66; } }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 62rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p, figcaption { color: var(--soft); margin: .25rem 0 .75rem; max-width: 44rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { padding: .3rem clamp(.5rem, 2vw, 1.25rem) .3rem 0; text-align: left;
  border-bottom: 1px solid var(--line); }
td { font-variant-numeric: tabular-nums; }
thead th { color: var(--soft); font-weight: 600; }
tbody th { font-weight: 400; }
figure { margin: 0; }
.plots { display: grid; gap: 1.5rem; margin-top: 1.25rem;
  grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); }
svg { width: 100%; height: auto; }
svg text { fill: var(--soft); font: 14px system-ui, sans-serif; }
.grid { stroke: var(--line); stroke-width: 1; }
.curve { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
.first { stroke: var(--first); } .second { stroke: var(--second); stroke-dasharray: 7 4; }
.mark.mark { fill: var(--ground); stroke-width: 3; stroke-dasharray: none; }
svg .key-first { fill: var(--first); font-weight: 600; }
svg .key-second { fill: var(--second); font-weight: 600; }
"""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the page; the first cell of a row names it."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    about: str = ""


@dataclass(frozen=True, slots=True)
class _Curve:
    name: str
    points: Points
    mark: tuple[float, float] | None = None  # where the bot is run


def page(report: EvaluationReport) -> str:
    """Return the whole page."""
    title = f"{report.dataset}, {report.retriever}"
    tables = [
        *([_answers(report.answers)] if report.answers else []),
        *(_grounding(report.grounding) if report.grounding else []),
    ]
    refusal = _refusal(report.refusal) if report.refusal else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
        " style-src 'unsafe-inline'\">"
        f"<title>Evaluation: {escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>Evaluation: {escape(title)}</h1><p>{_summary(report)}</p>"
        f"{_table(_ranking(report))}{refusal}{''.join(map(_table, tables))}</body></html>\n"
    )


def _summary(report: EvaluationReport) -> str:
    failed = f" ({len(report.failed_documents):,} failed)" if report.failed_documents else ""
    return (
        f"{report.documents:,} documents{failed}, {report.answerable:,} answerable questions and"
        f" {report.unanswerable:,} unanswerable ones."
    )


def _ranking(report: EvaluationReport) -> Table:
    rows = [(name, f"{value:.3f}") for name, value in report.ranking.items()]
    rows += [(f"{name} of a search", f"{ms:.0f} ms") for name, ms in report.retrieval_ms.items()]
    return Table("Search", ("measure", "value"), rows)


def _answers(answers: AnswersReport) -> Table:
    outcomes = [
        (f"{kind}: {outcome.replace('_', ' ')}", f"{number:,}")
        for kind, counts in (
            ("answerable", answers.answerable),
            ("unanswerable", answers.unanswerable),
        )
        for outcome, number in counts.items()
    ]
    rows = [
        *outcomes,
        ("citations", f"{answers.citations:,}"),
        ("citations whose quote stands in the document", _percent(answers.valid_citations)),
        ("sentences that the cited passages hold", _percent(answers.supported)),
        ("answers that cite a relevant document", _percent(answers.cites_relevant)),
        ("cost", f"${answers.cost_usd:.4f}"),
    ]
    return Table("Answers", ("measure", "value"), rows)


def _grounding(grounding: GroundingReport) -> list[Table]:
    def rows(is_true: bool) -> list[tuple[str, ...]]:
        return [
            (one.kind, f"{one.tried:,}", f"{one.stopped:,}", _percent(one.share))
            for one in grounding.counts
            if one.is_true == is_true
        ]

    wrong, true = _percent(grounding.hard_facts), _percent(grounding.false_alarms)
    return [
        Table(
            "Sentences made wrong",
            ("kind", "tried", "caught", "share"),
            rows(is_true=False),
            f"Of hard facts {wrong} are caught.",
        ),
        Table(
            "True sentences",
            ("kind", "tried", "refused", "share"),
            rows(is_true=True),
            f"Of those worded like the pages {true} are refused.",
        ),
    ]


def _percent(share: float | None) -> str:
    return "none to judge" if share is None else f"{share:.1%}"


def _refusal(refusal: RefusalReport) -> str:
    head = ("questions", "tried", "AUROC", "95 % confidence")
    rows = []
    for name, share in refusal.tried.items():
        at = refusal.auroc.get(name)
        figures = (f"{at.value:.3f}", f"{at.low:.3f} to {at.high:.3f}") if at else ("", "")
        rows.append((NAMES[name], f"{share:.1%}", *figures))
    about = (
        f"An answer is tried where the evidence scores {refusal.threshold:.3f} or more. A model"
        " that is asked then may still find no answer, and what it says is checked."
    )
    plots = [
        _plot(
            "How many answerable questions are kept, and how many others are tried",
            ("answerable questions that are kept", "others that are tried"),
            [_kept(refusal, name) for name in refusal.curves],
        ),
        _plot(
            "Risk and coverage",
            ("questions that are answered", "of these without an answer"),
            [_risk(refusal, name) for name in refusal.curves],
        ),
    ]
    shown = f'<div class="plots">{"".join(plots)}</div>' if refusal.curves else ""
    return _table(Table("Refusal", head, rows, about)) + shown


def _kept(refusal: RefusalReport, name: str) -> _Curve:
    points = [(point.answerable, point.unanswerable) for point in refusal.curves[name]]
    mark = (refusal.tried["answerable"], refusal.tried[name])
    return _Curve(_SHORT[name], [(0.0, 0.0), *points], mark)


def _risk(refusal: RefusalReport, name: str) -> _Curve:
    return _Curve(_SHORT[name], [(point.coverage, point.risk) for point in refusal.curves[name]])


_SHORT = {DELETED: "documents taken out", UNANSWERABLE: "unanswerable"}


def _table(table: Table) -> str:
    def row(cells: Sequence[str]) -> str:
        rest = "".join(f"<td>{escape(cell)}</td>" for cell in cells[1:])
        return f'<tr><th scope="row">{escape(cells[0])}</th>{rest}</tr>'

    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table.head)
    about = f"<p>{escape(table.about)}</p>" if table.about else ""
    return (
        f'<h2>{escape(table.title)}</h2>{about}<div class="wide"><table><thead><tr>{head}</tr>'
        f"</thead><tbody>{''.join(map(row, table.rows))}</tbody></table></div>"
    )


def _plot(title: str, axes: tuple[str, str], curves: Sequence[_Curve]) -> str:
    drawn = "".join(map(_curve, curves, ("first", "second")))
    keys = "".join(
        f'<text class="key-{kind}" x="{_LEFT + 10}" y="{_TOP + 16 + 17 * at}">'
        f"{'●' if kind == 'first' else '◌'} {escape(curve.name)}</text>"
        for at, (curve, kind) in enumerate(zip(curves, ("first", "second"), strict=False))
    )
    label = f"{title}. Across: {axes[0]}. Upwards: {axes[1]}."
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">'
        f"{_grid(axes)}{drawn}{keys}</svg><figcaption>{escape(title)}</figcaption></figure>"
    )


def _grid(axes: tuple[str, str]) -> str:
    parts = []
    for tick in _TICKS:
        (x, y), (left, low), (right, high) = _at(tick, tick), _at(0, 0), _at(1, 1)
        parts.append(
            f'<line class="grid" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>'
            f'<line class="grid" x1="{x}" x2="{x}" y1="{low}" y2="{high}"/>'
            f'<text x="{x}" y="{low + 17}" text-anchor="middle">{tick:.0%}</text>'
            f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{tick:.0%}</text>'
        )
    x, y = _at(0.5, 0.5)
    parts.append(
        f'<text x="{x}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(axes[0])}</text>'
        f'<text transform="translate(12 {y}) rotate(-90)" text-anchor="middle">'
        f"{escape(axes[1])}</text>"
    )
    return "".join(parts)


def _curve(curve: _Curve, kind: str) -> str:
    points = " ".join(f"{x},{y}" for x, y in (_at(*point) for point in curve.points))
    line = f'<polyline class="curve {kind}" points="{points}"/>'
    if curve.mark is None:
        return line
    x, y = _at(*curve.mark)
    return f'{line}<circle class="mark {kind}" cx="{x}" cy="{y}" r="5"/>'


def _at(x: float, y: float) -> tuple[float, float]:
    """Return where a point of the unit square is drawn."""
    wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    return round(_LEFT + x * wide, 1), round(_TOP + (1 - y) * high, 1)
