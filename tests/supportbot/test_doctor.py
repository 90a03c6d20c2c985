"""What the doctor says of the model endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from supportbot.config import BotSettings, PriceSettings
from supportbot.doctor import Finding, State, examine
from supportbot.metering import PRICES
from tests.servers.model import HTML, KEY, ScriptedModel, status
from tests.supportbot.answering.test_catalogue import listing
from tests.supportbot.test_metering import row, schedule


@pytest.fixture
def endpoint() -> Iterator[ScriptedModel]:
    with ScriptedModel() as scripted:
        scripted.models = status(200, listing(*PRICES))
        yield scripted


@pytest.fixture
def settings(endpoint: ScriptedModel, tmp_path: Path) -> BotSettings:
    return BotSettings(home=tmp_path, runapi_key=SecretStr(KEY), model_url=endpoint.url)


async def finding(settings: BotSettings, name: str, **changes: object) -> Finding:
    found = await examine(settings.model_copy(update=changes), only=(name,))
    [one] = found
    assert one.name == name
    return one


@pytest.mark.parametrize("model", PRICES)
async def test_every_variant_is_found_among_those_that_the_endpoint_lists(
    settings: BotSettings, model: str
) -> None:
    found = await finding(settings, "model", model=model)
    assert found.state is State.OK
    assert found.detail.startswith(f"{model} at {settings.model_url}")
    others = sorted(set(PRICES) - {model})
    assert found.detail.endswith(f"also offered: {', '.join(others)}")


async def test_a_model_that_is_not_offered_is_told_with_the_nearest_name(
    settings: BotSettings,
) -> None:
    found = await finding(settings, "model", model="minimax-m25")
    assert found.state is State.BROKEN
    assert found.detail == "minimax-m25 is not offered"
    assert found.mend == "set SUPPORTBOT_MODEL to MiniMax-M2.5"
    unlike = await finding(settings, "model", model="gpt-9")
    assert unlike.mend == f"set SUPPORTBOT_MODEL to one of {', '.join(PRICES)}"


async def test_a_fallback_that_is_not_offered_is_a_note(settings: BotSettings) -> None:
    found = await finding(settings, "model", model_fallbacks=("MiniMax-M2.1", "MiniMax-M9"))
    assert found.state is State.NOTE
    assert found.detail == "MiniMax-M9 is not offered"
    assert "SUPPORTBOT_MODEL_FALLBACKS" in found.mend


async def test_a_long_list_is_cut(endpoint: ScriptedModel, settings: BotSettings) -> None:
    endpoint.models = status(200, listing("MiniMax-M2", *(f"m{number}" for number in range(500))))
    found = await finding(settings, "model")
    assert found.detail.endswith(", and 488 more")


async def test_the_only_model_is_enough(endpoint: ScriptedModel, settings: BotSettings) -> None:
    endpoint.models = status(200, listing("MiniMax-M2"))
    found = await finding(settings, "model")
    assert (found.state, found.detail.endswith("also offered: none")) == (State.OK, True)


@pytest.mark.parametrize(
    ("told", "state", "word"),
    [
        (status(401), State.BROKEN, "RUNAPI_KEY"),
        (status(402), State.BROKEN, "credit"),
        (status(503), State.BROKEN, "later"),
        (status(200, HTML, "text/html"), State.BROKEN, "SUPPORTBOT_MODEL_URL"),
        (status(404), State.NOTE, "ask a question"),
        (status(200, listing()), State.NOTE, "ask a question"),
    ],
    ids=["key", "credit", "down", "page", "no list", "empty list"],
)
async def test_an_endpoint_without_a_list_is_told_with_the_mend(
    endpoint: ScriptedModel, settings: BotSettings, told, state: State, word: str
) -> None:
    endpoint.models = told
    found = await finding(settings, "model")
    assert found.state is state
    assert word in found.mend
    assert KEY not in f"{found}"
    assert "MARKER" not in f"{found}"


async def test_the_price_in_force_is_told_with_where_it_comes_from(
    endpoint: ScriptedModel, settings: BotSettings
) -> None:
    packaged = await finding(settings, "prices")
    assert "MiniMax-M2 $0.15 in, $0.6 out per million tokens (packaged list" in packaged.detail
    endpoint.prices = status(200, schedule(row()))
    told = await finding(settings, "prices")
    assert "MiniMax-M2 $0.1 in, $0.4 out per million tokens (price schedule of 2" in told.detail
    assert (await finding(settings, "prices", runapi_key=None)).state is State.OK
    own = {"MiniMax-M2": PriceSettings(input=1, output=2)}
    assert "$1 in, $2 out" in (await finding(settings, "prices", prices=own)).detail
    unknown = await finding(settings, "prices", model="Somebody-X1")
    assert unknown.detail.endswith("(a guess)")
