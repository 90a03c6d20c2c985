from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from supportbot import pricing
from supportbot.answering.model import Message, build_model
from supportbot.bootstrap import build_services
from supportbot.config import BotSettings, PriceSettings
from supportbot.errors import ModelError
from supportbot.metering import PRICES, Price
from tests.servers.model import KEY, ScriptedModel, status
from tests.supportbot.test_metering import CHEAPER, row, schedule


@pytest.fixture
def endpoint() -> Iterator[ScriptedModel]:
    with ScriptedModel() as scripted:
        scripted.prices = status(200, schedule(row(), row(model="kling-3.0"), row(model="own")))
        yield scripted


@pytest.fixture
def settings(endpoint: ScriptedModel, tmp_path: Path) -> BotSettings:
    return BotSettings(
        home=tmp_path,
        runapi_key=SecretStr(KEY),
        model_url=endpoint.url,
        model_fallbacks=("own",),
    )


async def test_a_schedule_is_kept_with_its_date_and_counts_after_a_restart(
    settings: BotSettings,
) -> None:
    prices = pricing.load_prices(settings)
    assert prices.of("MiniMax-M2") == PRICES["MiniMax-M2"]
    assert pricing.read_at(settings) == 0.0
    assert await pricing.refresh(settings, prices) == 2  # only what this bot may ask
    assert prices.of("MiniMax-M2") == prices.of("own") == CHEAPER
    assert pricing.load_prices(settings).of("MiniMax-M2") == CHEAPER
    assert pricing.read_at(settings) > 1_700_000_000


async def test_answers_are_priced_by_the_schedule_at_once(settings: BotSettings) -> None:
    prices = pricing.load_prices(settings)
    model = build_model(settings, prices)
    assert model is not None
    await pricing.refresh(settings, prices)
    deadline = asyncio.get_running_loop().time() + 10
    events = [event async for event in model.stream([Message("user", "")], deadline)]
    await model.aclose()
    assert events[-1].usage.cost_usd == pytest.approx(CHEAPER.cost(1_000, 200, 400))


async def test_the_prices_of_the_settings_win(settings: BotSettings) -> None:
    own = {"MiniMax-M2": PriceSettings(input=1, output=2)}
    prices = pricing.load_prices(settings.model_copy(update={"prices": own}))
    await pricing.refresh(settings, prices)
    assert prices.of("MiniMax-M2") == Price(1, 2, 1)


async def test_an_endpoint_that_tells_no_prices_changes_nothing(
    endpoint: ScriptedModel, settings: BotSettings
) -> None:
    prices = pricing.load_prices(settings)
    await pricing.refresh(settings, prices)
    endpoint.prices = status(500)
    with pytest.raises(ModelError):
        await pricing.refresh(settings, prices)
    assert prices.of("MiniMax-M2") == CHEAPER
    assert pricing.load_prices(settings).of("MiniMax-M2") == CHEAPER


async def test_prices_of_another_endpoint_do_not_count(settings: BotSettings) -> None:
    await pricing.refresh(settings, pricing.load_prices(settings))
    elsewhere = settings.model_copy(update={"model_url": "https://other.example/v1"})
    assert pricing.load_prices(elsewhere).of("MiniMax-M2") == PRICES["MiniMax-M2"]


def kept(prices: str) -> str:
    return f'{{"endpoint": "URL", "read_at": 1, "prices": {prices}}}'


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", "\x00" * 100, '{"endpoint": 1}', "9" * 5_000, "[" * 9_999),
        kept("[]"),
        kept('{"minimax-m2": {"input": 1}}'),
        kept('{"minimax-m2": {"input": "a", "output": 1, "cached": 0}}'),
        kept('{"minimax-m2": {"input": 0, "output": 0, "cached": 0}}'),
        '{"endpoint": "URL", "read_at": "soon", "prices": {}}',
    ],
)
async def test_a_damaged_file_is_passed_over(settings: BotSettings, text: str) -> None:
    path = settings.home / pricing.FILE
    path.write_text(text.replace("URL", str(settings.model_url)))
    prices = pricing.load_prices(settings)
    assert prices.of("MiniMax-M2") == PRICES["MiniMax-M2"]
    await pricing.refresh(settings, prices)
    assert json.loads(path.read_text())["prices"]["minimax-m2"]["input"] == 0.10


async def test_a_running_service_reads_the_schedule_once_a_day(
    endpoint: ScriptedModel, settings: BotSettings
) -> None:
    days = [0]
    prices = pricing.load_prices(settings)
    watch = asyncio.create_task(
        pricing.keep_fresh(
            settings, prices, (0.0, 0.01), lambda: time.time() + days[0] * pricing.FRESH_SECONDS
        )
    )
    while not endpoint.looks:  # noqa: ASYNC110 - filled from another thread
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    assert len(endpoint.looks) == 1
    days[0] = 1
    while len(endpoint.looks) < 2:  # noqa: ASYNC110 - filled from another thread
        await asyncio.sleep(0.01)
    watch.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watch
    assert prices.of("MiniMax-M2") == CHEAPER


async def test_the_services_know_the_kept_prices(settings: BotSettings) -> None:
    await pricing.refresh(settings, pricing.load_prices(settings))
    async with build_services(settings) as services:
        assert services.prices.of("MiniMax-M2") == CHEAPER
