from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from supportbot.answering.catalogue import (
    MAX_BYTES,
    MAX_MODELS,
    list_models,
    nearest,
    price_schedule,
)
from supportbot.config import BotSettings
from supportbot.errors import FailureKind, ModelError
from supportbot.metering import PRICES, Price
from tests.servers.model import (
    FAULTS,
    HTML,
    JSON,
    KEY,
    ScriptedModel,
    base_resp,
    hang_before_headers,
    status,
)
from tests.supportbot.test_metering import row, schedule


@pytest.fixture
def endpoint() -> Iterator[ScriptedModel]:
    with ScriptedModel() as scripted:
        yield scripted


@pytest.fixture
def settings(endpoint: ScriptedModel) -> BotSettings:
    return BotSettings(runapi_key=SecretStr(KEY), model_url=endpoint.url)


def listing(*ids: object) -> dict[str, object]:
    return {"object": "list", "data": [{"id": id_, "object": "model"} for id_ in ids]}


async def test_the_offered_models_are_listed_with_the_key(
    endpoint: ScriptedModel, settings: BotSettings
) -> None:
    endpoint.models = status(200, listing(*PRICES, "MiniMax-M2", None, "", "x\x1b[31m", "y" * 999))
    assert await list_models(settings) == list(PRICES)
    assert endpoint.looks[0].headers["authorization"] == f"Bearer {KEY}"
    endpoint.models = status(200, listing(*(f"m{number}" for number in range(MAX_MODELS * 2))))
    assert len(await list_models(settings)) == MAX_MODELS


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (status(401), FailureKind.UNAUTHORISED),
        (status(402), FailureKind.NO_CREDIT),
        (status(404), FailureKind.BAD_REQUEST),
        (status(503, HTML, "text/html"), FailureKind.OVERLOADED),
        (status(200, HTML, "text/html"), FailureKind.MALFORMED),
        (status(200, base_resp(1004)), FailureKind.UNAUTHORISED),
        (status(200, [1, 2]), FailureKind.MALFORMED),
        (status(200, {"data": None}), FailureKind.MALFORMED),
        (status(200, json.dumps(listing("a"))[:-3]), FailureKind.MALFORMED),
        (status(200, "[" * 100_000), FailureKind.MALFORMED),
        (status(200, " " * (MAX_BYTES + 1), JSON), FailureKind.MALFORMED),
        (status(307, "", Location="/v1/models"), FailureKind.BAD_REQUEST),
        (hang_before_headers, FailureKind.TIMEOUT),
        (FAULTS["drip_spaces"], FailureKind.TIMEOUT),
    ],
    ids=str,
)
async def test_what_is_no_list_is_told_by_its_kind(
    endpoint: ScriptedModel, settings: BotSettings, told, kind: FailureKind
) -> None:
    endpoint.models = told
    with pytest.raises(ModelError) as caught:
        await list_models(settings, 2.0)
    assert caught.value.kind is kind


async def test_an_endpoint_that_does_not_listen_is_refused(settings: BotSettings) -> None:
    nowhere = settings.model_copy(update={"model_url": "http://127.0.0.1:9/v1"})
    with pytest.raises(ModelError) as caught:
        await list_models(nowhere)
    assert caught.value.kind is FailureKind.REFUSED


async def test_the_price_schedule_is_asked_for_without_the_key(
    endpoint: ScriptedModel, settings: BotSettings
) -> None:
    endpoint.prices = status(200, schedule(row()))
    assert await price_schedule(settings) == {"minimax-m2": Price(0.10, 0.40, 0.02)}
    [look] = endpoint.looks
    assert look.path == "/api/v1/price_schedules"
    assert KEY not in str(look.headers)


async def test_an_endpoint_without_prices_says_so_by_an_error(
    endpoint: ScriptedModel, settings: BotSettings
) -> None:
    for told in (status(404), status(200, {"data": []}), status(200, HTML, "text/html")):
        endpoint.prices = told
        with pytest.raises(ModelError):
            await price_schedule(settings)


def test_the_nearest_name_is_offered_for_a_mistyped_one() -> None:
    offered = list(PRICES)
    assert nearest("minimax-m2.5", offered) == "MiniMax-M2.5"
    assert nearest("MiniMax-M25", offered) == "MiniMax-M2.5"
    assert nearest("gpt-9", offered) == ""
