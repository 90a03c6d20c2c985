from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import pytest
import pytest_asyncio
from pydantic import SecretStr

from supportbot.answering.breaker import FAILURES_TO_OPEN
from supportbot.answering.chain import ModelChain
from supportbot.answering.model import (
    MAX_OUTPUT_TOKENS,
    MAX_VISIBLE_CHARACTERS,
    OPTIONAL_FIELDS,
    EndpointModel,
    Finished,
    Message,
    Model,
    ModelEvent,
    Retrying,
    build_model,
)
from supportbot.answering.reasoning import Delta, Discard
from supportbot.config import BotSettings
from supportbot.errors import FailureKind, ModelError
from tests.servers.model import (
    FAULTS,
    KEY,
    QUIRKS,
    Exchange,
    ScriptedModel,
    base_resp,
    events,
    grounded,
    says,
    status,
)

PROMPT = '<passage id="[1]" title="T">\nRefunds take 14 days. More.\n</passage>'


@pytest.fixture
def endpoint() -> Iterator[ScriptedModel]:
    with ScriptedModel() as scripted:
        yield scripted


@pytest_asyncio.fixture
async def model(endpoint: ScriptedModel) -> AsyncIterator[EndpointModel]:
    opened = EndpointModel(endpoint.url, KEY, "MiniMax-M2")
    yield opened
    await opened.aclose()


@pytest.fixture
def chain(model: EndpointModel) -> ModelChain:
    return ModelChain([model], (0.0, 0.0))


async def run(model: Model, seconds: float = 10.0) -> list[ModelEvent]:
    deadline = asyncio.get_running_loop().time() + seconds
    async with aclosing(model.stream([Message("user", PROMPT)], deadline, "ans_1")) as stream:
        return [event async for event in stream]


def text_of(events: list[ModelEvent]) -> str:
    text = ""
    for event in events:
        text = "" if isinstance(event, Discard | Retrying) else text
        text += event.text if isinstance(event, Delta) else ""
    return text.strip()


async def failure(model: Model, seconds: float = 10.0) -> ModelError:
    with pytest.raises(ModelError) as caught:
        await run(model, seconds)
    return caught.value


@pytest.mark.parametrize("quirk", QUIRKS)
async def test_odd_but_whole_replies_give_the_text_that_was_sent(
    endpoint: ScriptedModel, chain: ModelChain, quirk: str
) -> None:
    endpoint.script(QUIRKS[quirk])
    events = await run(chain)
    assert text_of(events) == "Refunds take 14 days. [1]"
    assert isinstance(events[-1], Finished)
    assert events[-1].is_complete


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("refused", FailureKind.REFUSED),
        ("hang_before_headers", FailureKind.TIMEOUT),
        ("drip_keep_alives", FailureKind.TIMEOUT),
        ("drip_spaces", FailureKind.TIMEOUT),
        ("endless_thought", FailureKind.TIMEOUT),
        ("one_huge_line", FailureKind.TIMEOUT),
        ("http_429", FailureKind.RATE_LIMITED),
        ("base_resp_1002", FailureKind.RATE_LIMITED),
        ("http_529", FailureKind.OVERLOADED),
        ("error_in_stream", FailureKind.OVERLOADED),
        ("http_401", FailureKind.UNAUTHORISED),
        ("base_resp_1004", FailureKind.UNAUTHORISED),
        ("http_402", FailureKind.NO_CREDIT),
        ("base_resp_1008", FailureKind.NO_CREDIT),
        ("http_400_too_long", FailureKind.BAD_REQUEST),
        ("http_413", FailureKind.BAD_REQUEST),
        ("redirect_loop", FailureKind.BAD_REQUEST),
        ("base_resp_2013_in_stream", FailureKind.BAD_REQUEST),
        ("content_filter", FailureKind.SENSITIVE),
        ("base_resp_1027", FailureKind.SENSITIVE),
        ("cut_clean", FailureKind.CUT),
        ("cut_by_reset", FailureKind.CUT),
        ("html_200", FailureKind.MALFORMED),
        ("json_deep_200", FailureKind.MALFORMED),
        ("json_list_200", FailureKind.MALFORMED),
        ("garbage_after_a_sentence", FailureKind.MALFORMED),
        ("tool_call", FailureKind.MALFORMED),
        ("thought_only", FailureKind.EMPTY),
        ("thought_unclosed", FailureKind.EMPTY),
        ("reasoning_field_only", FailureKind.EMPTY),
        ("choices_null", FailureKind.EMPTY),
        ("empty_body", FailureKind.EMPTY),
    ],
)
async def test_every_failure_has_its_kind(
    endpoint: ScriptedModel, model: EndpointModel, fault: str, kind: FailureKind
) -> None:
    endpoint.script(FAULTS[fault])
    assert (await failure(model, 1.5)).kind is kind


# What the vendor's codes mean, and whether the same request may succeed when it is sent again.
CODES = [
    *((code, FailureKind.OVERLOADED, True) for code in (1000, 1024, 1033, 1039, 1041)),
    (1001, FailureKind.TIMEOUT, True),
    (1002, FailureKind.RATE_LIMITED, True),
    *((code, FailureKind.UNAUTHORISED, False) for code in (1004, 2049)),
    *((code, FailureKind.NO_CREDIT, False) for code in (1008, 2056)),
    *((code, FailureKind.SENSITIVE, False) for code in (1026, 1027)),
    *((code, FailureKind.BAD_REQUEST, False) for code in (1042, 2013, 2061)),
    (9999, FailureKind.OVERLOADED, True),
]


@pytest.mark.parametrize(("code", "kind", "is_transient"), CODES)
async def test_a_code_of_the_vendor_means_the_same_wherever_it_stands(
    endpoint: ScriptedModel, code: int, kind: FailureKind, is_transient: bool
) -> None:
    error = {"type": "server_error", "message": f"scripted ({code})", "http_code": "500"}
    text = {"base_resp": {"status_code": str(code), "status_msg": "scripted"}}
    for told in (
        status(500, {"type": "error", "error": error, "request_id": "1"}),
        status(200, base_resp(code)),
        events(base_resp(code)),
        events(text),
        events({"error": error}),
    ):
        endpoint.script(told)
        model = EndpointModel(endpoint.url, KEY, "MiniMax-M2")
        failed = await failure(model)
        assert (failed.kind, failed.is_transient) == (kind, is_transient)
        await model.aclose()


@pytest.mark.parametrize(
    "body",
    [
        {"type": "error", "error": {"message": "no (1008)", "http_code": "400"}},
        {"error": {"message": "no (1008)", "type": "x", "param": "", "code": None}},
        {"error": "no (1008)"},
        {"message": "no (1008)"},
        {"detail": "no (1008)"},
        {"errorMessage": "no (1008)"},
        {"msg": "no (1008)"},
        "<html><h1>no (1008)</h1></html>",
    ],
    ids=str,
)
async def test_an_error_is_read_in_whatever_shape_a_relay_gives_it(
    endpoint: ScriptedModel, model: EndpointModel, body: object
) -> None:
    endpoint.script(status(400, body))
    assert (await failure(model)).kind is FailureKind.NO_CREDIT


@pytest.mark.parametrize("header", ["x-request-id", "trace-id", "minimax-request-id"])
async def test_the_providers_id_of_a_request_is_kept(
    endpoint: ScriptedModel, model: EndpointModel, header: str
) -> None:
    async def play(exchange: Exchange) -> None:
        lines = ["HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Connection: close"]
        await exchange.raw("\r\n".join([*lines, f"{header}: id-1", "", ""]).encode())
        await exchange.delta("Yes. [1]", "stop")

    endpoint.script(play)
    finished = (await run(model))[-1]
    assert isinstance(finished, Finished)
    assert finished.request_id == "id-1"


@pytest.fixture
def unanswered_port() -> Iterator[int]:
    """A port whose queue is full: a connection is neither made nor refused."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        yield address[1]


async def test_a_connection_that_is_never_made_ends_before_the_deadline(
    unanswered_port: int,
) -> None:
    model = EndpointModel(f"http://127.0.0.1:{unanswered_port}/v1", KEY, "MiniMax-M2")
    chain = ModelChain([model], (0.0, 0.0))
    started = asyncio.get_running_loop().time()
    assert (await failure(chain, 2.0)).kind is FailureKind.TIMEOUT
    assert asyncio.get_running_loop().time() < started + 4.0
    await chain.aclose()


async def test_a_request_is_bounded_and_carries_our_reference(
    endpoint: ScriptedModel, model: EndpointModel
) -> None:
    await run(model)
    (request,) = endpoint.requests
    assert request.body["max_tokens"] == MAX_OUTPUT_TOKENS
    assert 0 < request.body["temperature"] <= 1
    assert request.body["stream"] is True
    plain = {"model", "messages", "max_tokens", "temperature", "stream"}
    assert set(request.body) == plain | set(OPTIONAL_FIELDS)  # neither tools, stop, n nor a seed
    assert request.headers["x-client-request-id"] == "ans_1"
    assert request.headers["authorization"] == f"Bearer {KEY}"


async def test_usage_is_what_was_told_and_priced(model: EndpointModel) -> None:
    finished = (await run(model))[-1]
    assert isinstance(finished, Finished)
    assert finished.request_id == "trace-1234"
    usage = finished.usage
    assert (usage.input_tokens, usage.output_tokens) == (1_000, 200)
    assert (usage.cached_tokens, usage.reasoning_tokens) == (400, 150)
    assert usage.cost_usd == pytest.approx((600 * 0.15 + 400 * 0.03 + 200 * 0.6) / 1e6)


async def test_usage_that_was_not_told_is_estimated(
    endpoint: ScriptedModel, model: EndpointModel
) -> None:
    endpoint.script(QUIRKS["no_usage"])
    finished = (await run(model))[-1]
    assert isinstance(finished, Finished)
    assert finished.usage.input_tokens > 0
    assert finished.usage.cost_usd > 0


async def test_a_refused_field_is_remembered(endpoint: ScriptedModel, chain: ModelChain) -> None:
    endpoint.script(QUIRKS["optional_fields_refused"])
    calls = []
    for _ in range(4):
        before = len(endpoint.requests)
        assert text_of(await run(chain)) == "Refunds take 14 days. [1]"
        calls.append(len(endpoint.requests) - before)
    assert calls == [2, 2, 1, 1]
    assert not {"stream_options", "reasoning_split"} & set(endpoint.requests[-1].body)


async def test_a_field_that_one_endpoint_refuses_does_not_cost_the_others(
    endpoint: ScriptedModel, chain: ModelChain
) -> None:
    refusal = {"error": {"message": "unknown field: reasoning_split"}}
    endpoint.script(status(400, refusal), grounded)
    for _ in range(2):
        await run(chain)
    last = endpoint.requests[-1].body
    assert "stream_options" in last
    assert "reasoning_split" not in last


async def test_an_unclear_refusal_makes_the_next_request_plain(
    endpoint: ScriptedModel, chain: ModelChain
) -> None:
    endpoint.script(status(400, {"error": {"message": "no (2013)"}}), grounded)
    assert (await failure(chain)).kind is FailureKind.BAD_REQUEST
    assert text_of(await run(chain)) == "Refunds take 14 days. [1]"
    assert "reasoning_split" not in endpoint.requests[-1].body


async def test_a_bad_request_does_not_take_away_fields_that_have_worked(
    endpoint: ScriptedModel, chain: ModelChain
) -> None:
    endpoint.script(grounded, FAULTS["http_400_too_long"], grounded)
    await run(chain)
    await failure(chain)
    await run(chain)
    assert "reasoning_split" in endpoint.requests[-1].body


async def test_endless_text_is_cut_and_the_connection_closed(
    endpoint: ScriptedModel, model: EndpointModel
) -> None:
    endpoint.script(FAULTS["endless_tokens"])
    events = await run(model, 30)
    assert isinstance(events[-1], Finished)
    assert not events[-1].is_complete
    assert len(text_of(events)) < MAX_VISIBLE_CHARACTERS * 1.1
    assert await asyncio.to_thread(endpoint.requests[0].left.wait, 60)


async def test_a_cancelled_question_closes_the_connection(
    endpoint: ScriptedModel, chain: ModelChain
) -> None:
    endpoint.script(FAULTS["hang_after_a_sentence"])
    task = asyncio.create_task(run(chain))
    while not endpoint.requests:  # noqa: ASYNC110 - filled from another thread
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(endpoint.requests[0].left.wait, 60)


async def test_a_key_that_the_endpoint_echoes_stays_out_of_the_error(
    endpoint: ScriptedModel, model: EndpointModel
) -> None:
    endpoint.script(FAULTS["http_401_echoing_the_key"])
    error = await failure(model)
    assert KEY not in f"{error!r} {error} {error.detail}"


@pytest.mark.parametrize(
    "fault", ["http_400", "http_401", "http_402", "http_413", "content_filter", "base_resp_1008"]
)
async def test_a_request_that_cannot_succeed_is_not_repeated(
    endpoint: ScriptedModel, chain: ModelChain, fault: str
) -> None:
    endpoint.script(FAULTS[fault])
    await failure(chain)
    assert len(endpoint.requests) == 1


async def test_a_transient_failure_is_tried_once_more(
    endpoint: ScriptedModel, chain: ModelChain
) -> None:
    endpoint.script(FAULTS["http_500"])
    await failure(chain)
    assert len(endpoint.requests) == 2


@pytest.mark.parametrize("fault", ["thought_only", "reasoning_details_only", "empty_answer"])
async def test_an_answer_of_thinking_alone_is_tried_again(
    endpoint: ScriptedModel, chain: ModelChain, fault: str
) -> None:
    endpoint.script(FAULTS[fault], grounded)
    assert text_of(await run(chain)) == "Refunds take 14 days. [1]"


async def test_the_second_try_begins_anew(endpoint: ScriptedModel, chain: ModelChain) -> None:
    endpoint.script(FAULTS["cut_clean"], says("Refunds take 14 days. [1]"))
    events = await run(chain)
    assert text_of(events) == "Refunds take 14 days. [1]"
    assert [event.error.kind for event in events if isinstance(event, Retrying)] == ["cut"]


async def test_a_wait_that_the_endpoint_asks_for_is_kept(
    endpoint: ScriptedModel, chain: ModelChain
) -> None:
    endpoint.script(status(429, Retry_After="1"), grounded)
    await run(chain)
    first, second = endpoint.requests
    assert second.at - first.at >= 1.0


async def test_a_wait_that_does_not_fit_is_not_begun(
    endpoint: ScriptedModel, chain: ModelChain
) -> None:
    endpoint.script(FAULTS["http_429_retry_after_100"])
    started = asyncio.get_running_loop().time()
    assert (await failure(chain, 30)).retry_after == 100
    assert asyncio.get_running_loop().time() - started < 10
    assert len(endpoint.requests) == 1


async def test_fallbacks_are_tried_in_order(endpoint: ScriptedModel) -> None:
    models = [EndpointModel(endpoint.url, KEY, name) for name in ("A", "B", "C")]
    chain = ModelChain(models, (0.0, 0.0))
    unknown = status(400, {"error": {"message": "unknown model 'B' (2013)"}})
    endpoint.script(FAULTS["http_503"], unknown, grounded)
    finished = (await run(chain))[-1]
    assert isinstance(finished, Finished)
    assert finished.model == "C"
    assert [request.body["model"] for request in endpoint.requests] == ["A", "B", "C"]
    await chain.aclose()


async def test_an_endpoint_that_keeps_failing_is_left_alone(
    endpoint: ScriptedModel, chain: ModelChain
) -> None:
    endpoint.script(FAULTS["http_500"])
    for _ in range(10):
        error = await failure(chain)
    assert error.kind is FailureKind.CIRCUIT_OPEN
    assert len(endpoint.requests) == FAILURES_TO_OPEN


async def test_without_a_key_there_is_no_model(endpoint: ScriptedModel) -> None:
    assert build_model(BotSettings()) is None
    settings = BotSettings(
        runapi_key=SecretStr(KEY), model_url=endpoint.url, model_fallbacks=("B", "MiniMax-M2")
    )
    model = build_model(settings)
    assert model is not None
    assert model.id == "MiniMax-M2"
    assert text_of(await run(model)) == "Refunds take 14 days. [1]"
    await model.aclose()
