from __future__ import annotations

import math
from typing import Any

import pytest

from supportbot.metering import PRICES, Price, PriceList, read_schedule

M2 = PRICES["MiniMax-M2"]
CHEAPER = Price(0.10, 0.40, 0.02)


def row(**more: Any) -> dict[str, Any]:
    """A row as RunAPI's schedule gives it: $0.10 in, $0.40 out, $0.02 from the cache."""
    told = {
        "service": "minimax",
        "action": "chat_completions",
        "model": "MiniMax-M2",
        "pricing_status": "available",
        "catalog_status": "active",
        "currency": "USD",
        "unit_price_cents": None,
        "input_price_per_1m_cents": 10,
        "output_price_per_1m_cents": 40,
        "cache_read_price_per_1m_cents": 2,
    }
    return {**told, **more}


def schedule(*rows: Any) -> dict[str, Any]:
    return {"as_of": "2026-07-23T00:00:00.000000Z", "price_schedules": list(rows)}


def test_input_output_and_cached_tokens_have_their_prices() -> None:
    assert M2.cost(1_000_000, 0) == pytest.approx(0.15)
    assert M2.cost(0, 1_000_000) == pytest.approx(0.60)
    assert M2.cost(1_000_000, 0, 1_000_000) == pytest.approx(0.03)


def test_more_cached_than_read_is_no_rebate() -> None:
    assert M2.cost(10, 0, 1_000) == M2.cost(10, 0, 10)


def test_an_unknown_model_costs_as_much_as_the_dearest() -> None:
    unknown = PriceList().of("Somebody-X1")
    dearest = max(price.cost(1_000, 1_000, 500) for price in PRICES.values())
    assert unknown.cost(1_000, 1_000, 500) == dearest


@pytest.mark.parametrize("model", PRICES)
def test_every_variant_of_the_family_has_a_price_however_a_catalogue_writes_it(model: str) -> None:
    prices = PriceList()
    assert prices.of(model) == prices.of(f"minimax/{model.lower()}") == PRICES[model]


def test_the_schedule_wins_over_the_packaged_list_and_the_operator_over_both() -> None:
    told = {"minimax-m2": CHEAPER}
    assert PriceList(schedule=told).of("MiniMax-M2") == CHEAPER
    own = Price(0.0, 0.0, 0.0)  # a model on a machine of one's own
    assert PriceList({"MiniMax-M2": own}, told).of("MiniMax-M2") == own


def test_a_schedule_is_read_in_dollars_per_million_tokens() -> None:
    assert read_schedule(schedule(row())) == {"minimax-m2": CHEAPER}


def test_cached_tokens_cost_as_much_as_others_where_the_schedule_does_not_say() -> None:
    told = read_schedule(schedule(row(cache_read_price_per_1m_cents=None)))
    assert told["minimax-m2"].cached == 0.10


def test_of_two_prices_of_one_model_the_dearer_counts() -> None:
    dear = row(output_price_per_1m_cents=90)
    for rows in ((row(), dear), (dear, row())):
        assert read_schedule(schedule(*rows))["minimax-m2"].output == 0.90


@pytest.mark.parametrize(
    "other",
    [
        row(currency="EUR"),
        row(pricing_status="pending"),
        row(model=None),
        row(input_price_per_1m_cents=None, unit_price_cents=37),  # a picture has no tokens
        row(output_price_per_1m_cents="40"),
        row(output_price_per_1m_cents=True),
        row(output_price_per_1m_cents=10**400),
        "a row",
        None,
    ],
    ids=str,
)
def test_what_is_no_price_of_tokens_in_dollars_is_passed_over(other: object) -> None:
    assert read_schedule(schedule(other)) == {}


@pytest.mark.parametrize("body", [None, [], {}, "<html>", {"price_schedules": {}}, 7], ids=str)
def test_what_is_no_schedule_is_refused(body: object) -> None:
    with pytest.raises(ValueError, match="no price schedule"):
        read_schedule(body)


@pytest.mark.parametrize(
    "absurd",
    [
        Price(0.0, 0.0, 0.0),  # a budget would never be spent
        Price(-0.15, 0.60, 0.0),
        Price(0.001, 0.60, 0.001),  # a hundredth of what is listed
        Price(0.15, 60.0, 0.03),  # a budget would be spent by one answer
        Price(0.15, 0.60, 0.50),  # dearer from the cache
        Price(0.15, 0.60, -0.10),
        Price(math.nan, 0.60, 0.03),
        Price(math.inf, math.inf, math.inf),
    ],
    ids=str,
)
def test_an_absurd_price_is_refused_and_the_last_good_one_counts(absurd: Price) -> None:
    prices = PriceList(schedule={"minimax-m2": absurd, "minimax-m2.5": CHEAPER})
    assert prices.of("MiniMax-M2") == M2
    assert prices.of("MiniMax-M2.5") == CHEAPER


def test_a_price_of_a_model_that_is_not_packaged_is_bounded_too() -> None:
    told = {"new-x1": Price(3.0, 15.0, 0.3), "new-x2": Price(0.0, 1.0, 0.0)}
    prices = PriceList(schedule=told)
    assert prices.of("vendor/New-X1") == told["new-x1"]
    assert prices.of("new-x2") == PriceList().of("nobody")
