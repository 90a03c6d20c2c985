from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from supportbot import cli
from supportbot.config import BotSettings
from supportbot.conversation import Outcome, Question, Usage
from supportbot.database import Database, turns
from supportbot.looking_back import report
from supportbot.records import AnswerRow, CitedDocument, SqlRecords
from supportbot.report import Report, clusters, render, summarise
from supportbot.report_page import to_html
from supportbot.threads import SqlThreads
from tests.supportbot.test_threads import answered

BEGINS, ENDS = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 28, tzinfo=UTC)
ROWS = (
    AnswerRow(
        "How long?", "answered", "slack", "slack:T1", "MiniMax-M2", 0.002, 100, 10, 50, 5, 90
    ),
    AnswerRow("What if?", "answered", "http", "widget:a", "MiniMax-M3", 0.004, 200, 20, 0, 5, 110),
    AnswerRow("Is there a fax?", "not_found", "http", "widget:a", rating="down"),
    AnswerRow("thanks", "clarify"),
    AnswerRow("Anything?", "quoted", rating="up", total_ms=4_000),
)
CITED = (CitedDocument("refunds.md", "Refunds", 2),)


def summary(*rows: AnswerRow) -> Report:
    return summarise(rows or ROWS, CITED, ["refunds.md", "b.md", "a.md"], BEGINS, ENDS)


def test_the_share_of_answers_is_of_all_that_asked_for_something() -> None:
    made = summary()
    assert (made.questions, made.answered_share) == (5, 2 / 4)
    assert made.outcomes == {"answered": 2, "quoted": 1, "not_found": 1, "clarify": 1}
    assert made.doors == {"slack": 1, "http": 4}
    assert made.feedback == {"up": 1, "down": 1}
    assert made.latency_ms == {"p50": 90, "p95": 4_000}


def test_cost_is_told_for_each_answered_question_model_and_workspace() -> None:
    made = summary()
    assert made.cost_usd == pytest.approx(0.006)
    assert made.cost_per_answered_usd == pytest.approx(0.003)
    by_model = [(one.name, one.questions, one.cost_usd) for one in made.by_model]
    assert by_model == [("MiniMax-M3", 1, 0.004), ("MiniMax-M2", 1, 0.002), ("", 3, 0.0)]
    by_workspace = [(one.name, one.questions) for one in made.by_workspace]
    assert by_workspace == [("widget:a", 2), ("slack:T1", 1), ("", 2)]
    assert made.tokens == {
        "input_tokens": 300,
        "output_tokens": 30,
        "cached_tokens": 50,
        "reasoning_tokens": 10,
    }


def test_without_questions_nothing_is_divided() -> None:
    made = summarise((), (), (), BEGINS, ENDS)
    assert (made.answered_share, made.cost_per_answered_usd) == (None, None)
    assert "answered" in render(made)
    assert "–" in to_html(made)


def test_documents_of_the_release_that_nobody_needed_are_told() -> None:
    made = summary()
    assert made.most_cited == CITED
    assert (made.never_cited, made.never_cited_count) == (("a.md", "b.md"), 2)


def test_unanswered_questions_that_share_their_stems_are_one_cluster() -> None:
    found = clusters(
        [
            "Do you ship to Norway?",
            "Can I pay by invoice?",
            "Is shipping to Norway possible?",
            "How can I pay with an invoice?",
            "Ships to Norway?",
            "Error E-4012",
        ]
    )
    assert [one.count for one in found] == [3, 2, 1]
    assert "Norway" in found[0].examples[0]
    assert found[2].examples == ("Error E-4012",)


def test_clusters_are_bounded_and_hold_no_personal_data() -> None:
    found = clusters(f"zebra{number} " * 500 for number in range(5_000))
    assert len(found) <= 20
    assert all(len(text) <= 200 for one in found for text in one.examples)
    [one] = clusters(["Where is the order of jane.doe@example.com?"] * 2)
    assert "jane.doe" not in one.examples[0]


def test_the_text_tells_every_figure() -> None:
    text = render(summary())
    for words in ("2026-11-01 to 2026-11-28", "50%", "$0.0060", "$0.0030", "Is there a fax?"):
        assert words in text
    assert "Refunds (refunds.md)" in text
    assert "Never cited: 2" in text


def test_the_page_is_one_file_without_script_whatever_was_asked() -> None:
    hostile = '<script>alert(1)</script><img src=x onerror="alert(2)"> &amp; https://evil.example'
    page = to_html(summary(replace(ROWS[2], question=hostile)))
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "default-src 'none'" in page
    assert "src=x" in page.replace("&quot;", '"')  # shown as text
    assert page.count("http") == page.count("https://evil.example") + page.count("http-equiv")


@pytest.fixture
def settings(tmp_path: Path, database: Database) -> BotSettings:
    return BotSettings(home=tmp_path)


async def test_a_report_is_made_of_what_the_database_keeps(
    settings: BotSettings, database: Database, tmp_path: Path
) -> None:
    threads = SqlThreads(database)
    for text, outcome, cost in (
        ("How long?", Outcome.ANSWERED, 0.002),
        ("Is there a fax?", Outcome.NOT_FOUND, 0.0),
    ):
        question = Question(text, door="slack", workspace="slack:T1")
        answer = replace(answered(question), outcome=outcome, usage=Usage(10, 5, cost_usd=cost))
        await threads.record(question, answer)
        await threads.rate(answer.id, "up")
    made = await report(settings, 1, tmp_path / "report.html")
    assert (made.questions, made.feedback["up"], made.answered_share) == (2, 2, 0.5)
    assert made.cost_per_answered_usd == 0.002
    assert made.by_workspace[0].name == "slack:T1"
    assert made.most_cited == (CitedDocument("refunds.md", "Refunds", 2),)
    assert "Is there a fax?" in (tmp_path / "report.html").read_text()
    assert await SqlRecords(database).answers(4e9) == ()


@pytest.fixture
def _quiet_logging() -> Iterator[None]:
    level = logging.getLogger().level
    yield
    logging.basicConfig(level=level, handlers=[logging.NullHandler()], force=True)


@pytest.mark.usefixtures("_quiet_logging")
def test_the_command_prints_one_object_and_refuses_wrong_days(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["report", "--days", "7", "--json", "--home", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["questions"] == 0
    page = tmp_path / "no-such-folder" / "page.html"
    assert cli.run(["report", "--html", str(page), "--home", str(tmp_path)]) == 2
    assert "--html" in capsys.readouterr().err
    for days in ("0", "-1", "1e3", "99999", "soon"):
        assert cli.run(["report", "--days", days]) == 2


async def test_a_report_and_an_answer_that_is_kept_do_not_wait_for_each_other(
    database: Database,
) -> None:
    records = SqlRecords(database)
    async with database.transaction():
        assert await records.answers(0) == await records.cited(0) == await records.receipts() == ()
    async with database.snapshot() as reading:
        await reading.execute(sa.select(turns))
        async with database.transaction() as writing:
            await writing.execute(turns.delete())
