"""What every Threads keeps, the one in memory and the one in the database."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supportbot.conversation import Answer, Outcome, Question, Turn, Usage
from supportbot.database import Database
from supportbot.threads import SqlThreads, Threads
from supportbot.traces import Trace
from tests.fakes import MemoryThreads


@pytest.fixture(params=["memory", "sql"])
def threads(request: pytest.FixtureRequest, database: Database) -> Threads:
    return SqlThreads(database) if request.param == "sql" else MemoryThreads()


def answer_to(question: Question, text: str) -> Answer:
    return Answer(
        question=question.text,
        conversation_id=question.conversation_id,
        outcome=Outcome.ANSWERED,
        text=text,
        usage=Usage(cost_usd=0.25),
    )


async def test_history_is_the_last_turns_oldest_first(threads: Threads) -> None:
    for number in range(3):
        question = Question(f"q{number}", conversation_id="c")
        await threads.record(question, answer_to(question, f"a{number}"))
    assert await threads.history("c", limit=2) == (
        Turn("q1", "a1", Outcome.ANSWERED, "q1"),
        Turn("q2", "a2", Outcome.ANSWERED, "q2"),
    )


async def test_a_known_answer_is_the_newest_whole_original_of_its_key(threads: Threads) -> None:
    of_key, copy = Trace(cache_key="k"), Trace(cache_key="k", copy_of="ans_1")
    for text, trace, changes in (
        ("older", of_key, {}),
        ("newer", of_key, {}),
        ("copy", copy, {}),
        ("of another key", Trace(cache_key="other"), {}),
        ("cut", of_key, {"cause": "cut"}),
        ("quotes", of_key, {"outcome": Outcome.QUOTED}),
    ):
        question = Question("q")
        answer = replace(answer_to(question, text), trace=trace, **changes)
        await threads.record(question, answer)
    known = await threads.known("k", 0.0)
    assert known is not None
    assert known.text == "newer"
    assert await threads.known("unknown", 0.0) is None


async def test_the_first_answer_to_a_question_stays(threads: Threads) -> None:
    question = Question("q", conversation_id="c")
    await threads.record(question, answer_to(question, "first"))
    await threads.record(question, answer_to(question, "second"))
    assert [turn.answer for turn in await threads.history("c")] == ["first"]
    assert await threads.spent_today() == 0.25


async def test_each_workspace_spends_its_own(threads: Threads) -> None:
    for workspace in ("slack:T1", "slack:T1", "widget:a", ""):
        question = Question("q", workspace=workspace)
        await threads.record(question, answer_to(question, "a"))
    assert await threads.spent_today("slack:T1") == 0.5
    assert await threads.spent_today("widget:a") == 0.25
    assert await threads.spent_today("slack:T2") == 0
    assert await threads.spent_today() == 1.0
