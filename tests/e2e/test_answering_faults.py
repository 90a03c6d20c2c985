"""Every way in which the endpoint can fail or be odd, through the real client and the answerer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import pytest
import pytest_asyncio

from supportbot.answering.answerer import Answerer, AnswererSettings
from supportbot.answering.chain import CALLS, ModelChain
from supportbot.answering.model import EndpointModel
from supportbot.answering.texts import TEXTS
from supportbot.conversation import Answer, AnswerEvent, Outcome, Question, Text
from tests.fakes import FakeRetriever, MemoryThreads
from tests.servers.model import (
    FAULTS,
    KEY,
    QUIRKS,
    SHOWS_A_SENTENCE,
    THOUGHT,
    ScriptedModel,
    grounded,
    says,
    status,
)
from tests.supportbot.answering.passages import CHUNKS

DEADLINE_SECONDS = 3.0
SLACK_SECONDS = 2.0
GROUNDED = "Refunds take 14 days after we receive the parcel. [1]"
FINISHED = (
    "length_after_a_sentence",
    "endless_tokens",
    "endless_sentences",
)  # paid for, at a limit
SECRETS = (KEY, THOUGHT[:24], "MARKER-OF-A-PROVIDER", "evil.example", "scripted", "Traceback")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[ScriptedModel]:
    with ScriptedModel() as scripted:
        yield scripted


@pytest_asyncio.fixture
async def bot(endpoint: ScriptedModel) -> AsyncIterator[Answerer]:
    endpoint.reset()
    model = ModelChain([EndpointModel(endpoint.url, KEY, "MiniMax-M2")], (0.0, 0.0))
    yield Answerer(
        retriever=FakeRetriever(*CHUNKS),
        model=model,
        threads=MemoryThreads(),
        settings=AnswererSettings(DEADLINE_SECONDS),
    )
    await model.aclose()


async def ask(bot: Answerer) -> list[AnswerEvent]:
    async with aclosing(bot.stream(Question("How long do refunds take?"))) as stream:
        return [event async for event in stream]


@pytest.mark.parametrize("fault", FAULTS)
async def test_every_fault_ends_in_one_final_answer_in_time(
    endpoint: ScriptedModel, bot: Answerer, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.script(FAULTS[fault])
    started = asyncio.get_running_loop().time()
    events = await ask(bot)
    took = asyncio.get_running_loop().time() - started

    answer = events[-1]
    assert isinstance(answer, Answer)
    assert sum(isinstance(event, Answer) for event in events) == 1
    assert answer.text == "".join(event.delta for event in events if isinstance(event, Text))
    assert took < DEADLINE_SECONDS + SLACK_SECONDS
    assert answer.timings.total_ms < (DEADLINE_SECONDS + SLACK_SECONDS) * 1000
    assert len(endpoint.requests) <= (1 if fault.endswith(SHOWS_A_SENTENCE) else CALLS)
    assert answer.usage.cost_usd == 0 or fault in FINISHED
    assert not any(KEY in str(vars(record)) for record in caplog.records)
    assert not any(secret in str(events) for secret in SECRETS)
    if fault.endswith(SHOWS_A_SENTENCE):
        assert answer.outcome is Outcome.ANSWERED
        assert answer.text == f"{GROUNDED}\n\n*{TEXTS['en'].cut}*"
    else:
        assert answer.outcome is Outcome.QUOTED
        assert TEXTS["en"].down in answer.text
        assert answer.citations[0].quote in CHUNKS[0].text
    assert answer.cause


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_while_a_sentence_is_mended_leaves_the_answer_as_it_was(
    endpoint: ScriptedModel, bot: Answerer, fault: str
) -> None:
    endpoint.script(says(f"{GROUNDED} Refunds take 99 days. [1]"), FAULTS[fault])
    started = asyncio.get_running_loop().time()
    answer = (await ask(bot))[-1]
    took = asyncio.get_running_loop().time() - started
    assert isinstance(answer, Answer)
    assert (answer.outcome, answer.cause, answer.text) == (Outcome.ANSWERED, "", GROUNDED)
    assert took < DEADLINE_SECONDS + SLACK_SECONDS
    assert len(endpoint.requests) <= CALLS
    assert not any(secret in str(answer) for secret in SECRETS)


@pytest.mark.parametrize("quirk", QUIRKS)
async def test_every_quirk_is_answered_in_full(
    endpoint: ScriptedModel, bot: Answerer, quirk: str
) -> None:
    endpoint.script(QUIRKS[quirk])
    events = await ask(bot)
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert (answer.outcome, answer.text, answer.cause) == (Outcome.ANSWERED, GROUNDED, "")
    assert THOUGHT[:24] not in str(events)
    assert len(endpoint.requests) <= CALLS


async def test_the_fallbacks_are_asked_in_order_and_then_it_quotes(
    endpoint: ScriptedModel,
) -> None:
    endpoint.reset()
    endpoint.script(FAULTS["http_503"])
    models = [EndpointModel(endpoint.url, KEY, name) for name in ("A", "B", "C")]
    async with aclosing(ModelChain(models, (0.0, 0.0))) as chain:
        bot = Answerer(
            retriever=FakeRetriever(*CHUNKS),
            model=chain,
            threads=MemoryThreads(),
            settings=AnswererSettings(DEADLINE_SECONDS),
        )
        answer = await bot.answer(Question("How long do refunds take?"))
        assert answer.outcome is Outcome.QUOTED
        assert [request.body["model"] for request in endpoint.requests] == ["A", "B", "C"]
        plan_lacks_it = status(400, {"error": {"message": "not on your plan (2061)"}})
        endpoint.script(plan_lacks_it, grounded)
        answer = await bot.answer(Question("How long do refunds take?"))
        assert (answer.text, answer.model) == (GROUNDED, "B")


async def test_what_is_sent_has_one_system_message_first_and_the_question_last(
    endpoint: ScriptedModel, bot: Answerer
) -> None:
    for _ in range(2):
        await bot.answer(Question("How long do refunds take?", conversation_id="c"))
    for request in endpoint.requests:
        roles = [message["role"] for message in request.body["messages"]]
        assert roles == ["system", "user"]
        assert request.prompt.endswith("<question>\nHow long do refunds take?\n</question>")


async def test_an_endpoint_that_keeps_failing_is_left_alone_and_quotes_come_at_once(
    endpoint: ScriptedModel, bot: Answerer
) -> None:
    endpoint.script(FAULTS["http_500"])
    answers = [await bot.answer(Question("How long do refunds take?")) for _ in range(10)]
    assert [answer.outcome for answer in answers] == [Outcome.QUOTED] * 10
    assert {answer.cause for answer in answers[3:]} == {"circuit_open"}
    assert len(endpoint.requests) == 5
    assert all(answer.citations for answer in answers)
