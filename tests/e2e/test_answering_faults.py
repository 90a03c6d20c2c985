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
from tests.servers.model import FAULTS, KEY, QUIRKS, SHOWS_A_SENTENCE, THOUGHT, ScriptedModel
from tests.supportbot.answering.passages import CHUNKS

DEADLINE_SECONDS = 3.0
SLACK_SECONDS = 2.0
GROUNDED = "Refunds take 14 days after we receive the parcel. [1]"
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
    endpoint: ScriptedModel, bot: Answerer, fault: str
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
    assert len(endpoint.requests) <= CALLS
    assert not any(secret in str(events) for secret in SECRETS)
    if fault.endswith(SHOWS_A_SENTENCE):
        assert answer.outcome is Outcome.ANSWERED
        assert answer.text == f"{GROUNDED}\n\n*{TEXTS['en'].cut}*"
    else:
        assert answer.outcome is Outcome.QUOTED
        assert TEXTS["en"].down in answer.text
        assert answer.citations[0].quote in CHUNKS[0].text
    assert answer.cause


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


async def test_an_endpoint_that_keeps_failing_is_left_alone_and_quotes_come_at_once(
    endpoint: ScriptedModel, bot: Answerer
) -> None:
    endpoint.script(FAULTS["http_500"])
    answers = [await bot.answer(Question("How long do refunds take?")) for _ in range(10)]
    assert [answer.outcome for answer in answers] == [Outcome.QUOTED] * 10
    assert {answer.cause for answer in answers[3:]} == {"circuit_open"}
    assert len(endpoint.requests) == 5
    assert all(answer.citations for answer in answers)
