"""What every Model keeps, the real endpoint client, a chain of them and the fake alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing

import pytest
import pytest_asyncio

from supportbot.answering.chain import ModelChain
from supportbot.answering.model import EndpointModel, Finished, Message, Model, ModelEvent
from supportbot.answering.reasoning import Delta
from supportbot.errors import FailureKind, ModelError
from tests import fakes
from tests.servers import model as server

Scripts = Callable[[str], Model]  # what it should do -> a model that does it
FAKE = {
    "say": fakes.says("Refunds take ", "14 days. [1]"),
    "fail": [ModelError(FailureKind.OVERLOADED)],
    "cut": [Delta("Refunds are"), ModelError(FailureKind.CUT)],
}
SCRIPTED = {
    "say": server.says("Refunds take 14 days. [1]"),
    "fail": server.FAULTS["http_500"],
    "cut": server.FAULTS["cut_clean"],
}


@pytest.fixture
def endpoint() -> Iterator[server.ScriptedModel]:
    with server.ScriptedModel() as scripted:
        yield scripted


@pytest_asyncio.fixture(params=["fake", "endpoint", "chain"])
async def scripts(
    request: pytest.FixtureRequest, endpoint: server.ScriptedModel
) -> AsyncIterator[Scripts]:
    real = EndpointModel(endpoint.url, server.KEY, "MiniMax-M2")

    def make(doing: str) -> Model:
        if request.param == "fake":
            return fakes.FakeModel(FAKE[doing])
        endpoint.script(SCRIPTED[doing])
        return real if request.param == "endpoint" else ModelChain([real], (0.0, 0.0))

    yield make
    await real.aclose()


async def events_of(model: Model) -> list[ModelEvent]:
    deadline = asyncio.get_running_loop().time() + 10
    async with aclosing(model.stream([Message("user", "How long?")], deadline, "ans_1")) as stream:
        return [event async for event in stream]


async def test_text_comes_in_deltas_and_the_end_last(scripts: Scripts) -> None:
    model = scripts("say")
    *deltas, finished = await events_of(model)
    assert "".join(event.text for event in deltas) == "Refunds take 14 days. [1]"
    assert isinstance(finished, Finished)
    assert finished.is_complete
    assert finished.model == model.id
    assert finished.request_id


@pytest.mark.parametrize(
    ("doing", "kind"), [("fail", FailureKind.OVERLOADED), ("cut", FailureKind.CUT)]
)
async def test_a_failure_is_a_model_error(scripts: Scripts, doing: str, kind: FailureKind) -> None:
    model = scripts(doing)
    with pytest.raises(ModelError) as caught:
        await events_of(model)
    assert caught.value.kind is kind


async def test_a_stream_can_be_left_early(scripts: Scripts) -> None:
    model = scripts("say")
    deadline = asyncio.get_running_loop().time() + 10
    async with aclosing(model.stream([Message("user", "How long?")], deadline)) as stream:
        assert isinstance(await anext(stream), Delta)
