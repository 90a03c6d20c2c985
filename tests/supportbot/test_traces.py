"""A trace tells how an answer came about, in ids, hashes and numbers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
import sqlalchemy as sa

from supportbot.answering.answerer import Answerer, AnswererSettings
from supportbot.answering.model import Message, Retrying
from supportbot.conversation import Answer, Outcome, Question
from supportbot.database import Database, traces
from supportbot.errors import FailureKind, ModelError
from supportbot.threads import KeptAnswer, SqlThreads
from supportbot.traces import Trace, prompt_hash
from tests.fakes import FakeModel, FakeRetriever, says
from tests.supportbot.answering.passages import CHUNKS, REFUNDS

GROUNDED = "Refunds take 14 days after we receive the parcel. [1]"
OVERLOADED = ModelError(FailureKind.OVERLOADED, "HTTP 500: WORDS-OF-THE-PROVIDER")


@pytest.fixture
def threads(database: Database) -> SqlThreads:
    return SqlThreads(database)


async def kept(threads: SqlThreads, model: FakeModel | None, question: Question) -> KeptAnswer:
    bot = Answerer(
        retriever=FakeRetriever(*CHUNKS),
        model=model,
        threads=threads,
        settings=AnswererSettings(),
    )
    found = await threads.kept((await bot.answer(question)).id)
    assert found is not None
    return found


async def test_an_answer_keeps_what_was_found_and_asked(threads: SqlThreads) -> None:
    model = FakeModel(says(GROUNDED))
    trace = (await kept(threads, model, Question("How long do refunds take?"))).trace
    assert [one.chunk_id for one in trace.passages] == [chunk.id for chunk in CHUNKS]
    assert trace.passages[0].text_hash == REFUNDS.text_hash
    assert trace.passages[0].similarity == 0.7
    assert trace.audiences == ("public",)
    assert trace.prompt_hash == prompt_hash(model.requests[0])
    assert trace.context_hash == ""
    assert trace.sufficiency is not None


async def test_failed_tries_and_dropped_sentences_are_counted_without_words(
    threads: SqlThreads,
) -> None:
    wrong = "Refunds take 99 days after we receive the parcel. [1] Members get free pizza. [1] "
    model = FakeModel([Retrying(OVERLOADED), *says(f"{wrong}{GROUNDED}")])
    trace = (await kept(threads, model, Question("How long do refunds take?"))).trace
    assert trace.failures == ("overloaded",)
    assert sum(trace.dropped.values()) == 2
    stored = json.dumps(trace.to_json())
    for words in ("WORDS", "99", "pizza", "parcel", "How long"):
        assert words not in stored


async def test_a_follow_up_comes_back_with_what_it_was_searched_with(threads: SqlThreads) -> None:
    model = FakeModel(says(GROUNDED))
    await kept(threads, model, Question("How long do refunds take?", conversation_id="c"))
    found = await kept(threads, model, Question("And a parcel?", conversation_id="c"))
    assert found.context == "How long do refunds take?"
    assert found.trace.context_hash == hashlib.sha256(found.context.encode()).hexdigest()


async def test_an_answer_without_a_search_has_a_trace_that_says_so(threads: SqlThreads) -> None:
    found = await kept(threads, None, Question("Hello"))
    assert found.answer.outcome is Outcome.CLARIFY
    assert found.trace.sufficiency is None


async def test_a_trace_goes_with_its_conversation(database: Database, threads: SqlThreads) -> None:
    await kept(threads, None, Question("How long do refunds take?", conversation_id="c"))
    await threads.forget("c")
    async with database.transaction() as connection:
        assert (await connection.execute(sa.select(traces))).all() == []


async def test_a_trace_is_small_whatever_the_passages_are(threads: SqlThreads) -> None:
    long = replace(REFUNDS, document_id="d" * 100_000)
    bot = Answerer(
        retriever=FakeRetriever(*[replace(long, id=f"{n:0128}") for n in range(40)]),
        model=FakeModel([*[Retrying(OVERLOADED)] * 99, *says("Pizza is free. [1] " * 40)]),
        threads=threads,
        settings=AnswererSettings(),
    )
    found = await threads.kept((await bot.answer(Question("How long do refunds take?"))).id)
    assert found is not None
    assert len(json.dumps(found.trace.to_json())) < 10_000


def test_the_prompts_hash_is_of_the_exact_messages() -> None:
    request = [Message("system", "Regeln ü"), Message("user", "q")]
    exact = '[{"role":"system","content":"Regeln ü"},{"role":"user","content":"q"}]'
    assert prompt_hash(request) == hashlib.sha256(exact.encode()).hexdigest()


def test_a_trace_comes_back_as_it_was_stored() -> None:
    trace = Trace(("public",), "h", failures=("cut",), dropped={"no mark": 2}, copy_of="ans_1")
    assert Trace.from_json(json.loads(json.dumps(trace.to_json()))) == trace


async def test_an_answer_that_was_kept_without_a_trace_can_still_be_read(
    threads: SqlThreads,
) -> None:
    question = Question("q", conversation_id="c")
    answer = Answer("q", "c", Outcome.ANSWERED, "text")
    await threads.record(question, answer)
    found = await threads.kept(answer.id)
    assert found is not None
    assert found.trace == Trace()
