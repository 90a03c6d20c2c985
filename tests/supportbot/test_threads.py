from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from supportbot import cli
from supportbot.conversation import Answer, Citation, Outcome, Question, Timings, Turn, Usage
from supportbot.database import Database
from supportbot.threads import Erased, SqlThreads

CITATION = Citation(
    number=1,
    document_id="refunds.md",
    title="Refunds",
    uri="https://example.com/refunds",
    heading="Time limits",
    quote="within 30 days",
    link="https://example.com/refunds#:~:text=within%2030%20days",
    chunk_id="c1",
    text_hash="0" * 64,
)


def answered(question: Question, text: str = "Within 30 days. [1]", cost: float = 0.5) -> Answer:
    return Answer(
        question=question.text,
        conversation_id=question.conversation_id,
        outcome=Outcome.ANSWERED,
        text=text,
        html="<p>Within 30 days.</p>",
        citations=(CITATION,),
        model="MiniMax-M2",
        release="r1",
        usage=Usage(input_tokens=10, output_tokens=5, cost_usd=cost),
        timings=Timings(retrieval_ms=3, first_text_ms=40, total_ms=90),
        standalone=question.text,
        request_id="req-1",
    )


async def test_a_conversation_comes_back_oldest_first_and_bounded(database: Database) -> None:
    threads = SqlThreads(database)
    for number in range(4):
        question = Question(f"question {number}", conversation_id="c")
        await threads.record(question, answered(question, f"answer {number}"))
    assert await threads.history("c", limit=2) == (
        Turn("question 2", "answer 2", Outcome.ANSWERED, "question 2"),
        Turn("question 3", "answer 3", Outcome.ANSWERED, "question 3"),
    )
    assert await threads.history("another") == ()


async def test_an_answer_comes_back_with_its_receipts(database: Database) -> None:
    threads = SqlThreads(database)
    question = Question("How long?", conversation_id="c")
    answer = answered(question)
    await threads.record(question, answer)
    assert await threads.answers("c") == (answer,)


async def test_a_question_keeps_one_final_answer_whoever_writes_second(database: Database) -> None:
    threads = SqlThreads(database)
    question = Question("How long?", conversation_id="c")
    candidates = [answered(question, f"answer {n}") for n in range(5)]
    await asyncio.gather(*(threads.record(question, answer) for answer in candidates))
    assert len(await threads.answers("c")) == 1


async def test_what_was_spent_today_is_the_sum_of_all_answers(database: Database) -> None:
    threads = SqlThreads(database)
    assert await threads.spent_today() == 0
    for cost in (0.25, 0.5):
        question = Question("How long?")
        await threads.record(question, answered(question, cost=cost))
    assert await threads.spent_today() == 0.75


async def test_a_forgotten_conversation_is_gone_with_ratings_and_receipts(
    database: Database,
) -> None:
    threads = SqlThreads(database)
    question = Question("How long?", conversation_id="c")
    answer = answered(question)
    await threads.record(question, answer)
    assert await threads.rate(answer.id, "up")
    assert await threads.forget("c")
    assert await threads.answers("c") == ()
    assert not await threads.rate(answer.id, "down")
    assert not await threads.forget("c")


async def test_a_person_is_forgotten_with_all_conversations_and_nobody_else(
    database: Database,
) -> None:
    threads = SqlThreads(database)
    asked = [("a", "T1:U1"), ("a", "T1:U2"), ("b", "T1:U1"), ("c", "T1:U2"), ("d", "T1:U11")]
    for conversation_id, user in [*asked, ("e", "")]:
        question = Question("How long?", conversation_id=conversation_id, user=user)
        await threads.record(question, answered(question))
    assert await threads.forget_person("U1") == Erased(conversations=2, questions=3)
    assert await threads.forget_person("T1:U1") == Erased(conversations=0, questions=0)
    left = {name for name in "abcde" if await threads.history(name)}
    assert left == {"c", "d", "e"}


async def test_an_id_is_taken_by_its_letters_and_names_nobody_unknown(database: Database) -> None:
    threads = SqlThreads(database)
    for user in ("T1:U1", ""):
        question = Question("How long?", user=user)
        await threads.record(question, answered(question))
    for pattern in ("%", "_1", "U_", "1", "T1", ""):
        assert await threads.forget_person(pattern) == Erased(0, 0)
    assert await threads.forget_person("T1:U1") == Erased(1, 1)


def test_the_command_erases_and_tells_how_much(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    question = Question("How long?", user="T1:U1")

    async def remember() -> None:
        database = await Database.open(f"sqlite:///{tmp_path / 'state.db'}")
        await SqlThreads(database).record(question, answered(question))
        await database.close()

    asyncio.run(remember())
    home = ["--home", str(tmp_path)]
    assert cli.run(["forget", "--user", "U1", "--json", *home]) == 0
    assert json.loads(capsys.readouterr().out) == {"user": "U1", "conversations": 1, "questions": 1}
    assert cli.run(["forget", "--user", "U1", *home]) == 0
    assert capsys.readouterr().out == "erased 0 conversations with 0 questions\n"
    for wrong in ("", "  ", "U" * 256):
        assert cli.run(["forget", "--user", wrong, *home]) == 2


async def test_the_last_rating_wins(database: Database) -> None:
    threads = SqlThreads(database)
    question = Question("How long?", conversation_id="c")
    answer = answered(question)
    await threads.record(question, answer)
    assert await threads.rate(answer.id, "up")
    assert await threads.rate(answer.id, "down", reason="wrong", comment="it is 14 days")
    assert not await threads.rate("ans_unknown", "up")
