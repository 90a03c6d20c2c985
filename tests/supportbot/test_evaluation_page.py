from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

from supportbot.evaluation import AnswersReport, EvaluationReport
from supportbot.evaluation_page import page
from supportbot.measures import Interval, risk_coverage
from supportbot.refusal import RefusalReport
from supportbot.trials import Count, GroundingReport

KNOWN, OTHER = [0.9, 0.8, 0.7, 0.4], [0.6, 0.2, 0.1]
CURVE = risk_coverage(KNOWN, OTHER)
REPORT = EvaluationReport(
    dataset="help <b>pages</b>",
    retriever="hybrid",
    documents=1_234,
    failed_documents=("a.md: broken",),
    answerable=4,
    unanswerable=3,
    ranking={"recall@5": 0.875, "nDCG@10": 0.8},
    auroc=0.9167,
    risk_coverage=CURVE,
    retrieval_ms={"p50": 12.0, "p95": 31.0},
    answers=AnswersReport({"answered": 4}, {"not_found": 3}, 5, 1.0, None, 0.5, 0.0125),
    refusal=RefusalReport(
        0.11,
        {"answerable": 1.0, "deleted": 0.75, "unanswerable": 0.6667},
        {"deleted": Interval(0.7, 0.6, 0.8), "unanswerable": Interval(0.9167, 0.5, 1.0)},
        {"deleted": CURVE, "unanswerable": CURVE},
    ),
)


class Elements(HTMLParser):
    """Keeps every start tag with its attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += f"{data}\n"


def test_the_page_holds_every_figure() -> None:
    text = Elements(page(REPORT)).text
    for figure in ("1,234 documents (1 failed)", "0.875", "0.800", "31 ms", "0.917", "66.7%"):
        assert figure in text
    for figure in ("0.500 to 1.000", "none to judge", "$0.0125", "not found"):
        assert figure in text
    assert "help <b>pages</b>" in text, "names are shown as they are"


def test_the_page_loads_and_runs_nothing() -> None:
    elements = Elements(page(REPORT))
    names = {name for name, _ in elements.tags}
    assert names.isdisjoint({"script", "link", "img", "iframe", "object", "b"})
    attributes = [value for _, held in elements.tags for value in held]
    assert not any(name in ("src", "href") or name.startswith("on") for name in attributes)
    assert "url(" not in page(REPORT)
    assert "@import" not in page(REPORT)


def test_a_curve_ends_where_all_questions_are_answered_and_its_mark_is_what_is_tried() -> None:
    elements = Elements(page(REPORT))
    lines = [held["points"] for tag, held in elements.tags if tag == "polyline"]
    assert len(lines) == 4
    assert lines[0] is not None
    assert lines[0].split()[-1] == "436.0,14.0", "the upper right corner: all are kept and tried"
    marks = [(held["cx"], held["cy"]) for tag, held in elements.tags if tag == "circle"]
    assert marks[0] == ("436.0", "73.0"), "all answerable, three of four of the others"


def test_what_was_not_measured_is_left_out() -> None:
    elements = Elements(page(replace(REPORT, answers=None, refusal=None)))
    assert "svg" not in {name for name, _ in elements.tags}
    for title in ("Answers", "Refusal", "True sentences"):
        assert title not in elements.text


def test_how_sentences_were_checked_is_told_kind_by_kind() -> None:
    counts = (Count("changed number", 1_200, 1_188), Count("word for word", 50, 1))
    text = Elements(page(replace(REPORT, grounding=GroundingReport(counts)))).text
    for figure in ("changed number", "1,200", "1,188", "99.0%", "word for word", "2.0%"):
        assert figure in text
