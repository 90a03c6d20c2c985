from __future__ import annotations

import pytest

from supportbot.metering import PRICES, cost


def test_input_output_and_cached_tokens_have_their_prices() -> None:
    assert cost("MiniMax-M2", 1_000_000, 0) == pytest.approx(0.15)
    assert cost("MiniMax-M2", 0, 1_000_000) == pytest.approx(0.60)
    assert cost("MiniMax-M2", 1_000_000, 0, 1_000_000) == pytest.approx(0.03)


def test_an_unknown_model_costs_as_much_as_the_dearest() -> None:
    unknown = cost("Somebody-X1", 1_000, 1_000, 500)
    assert unknown == max(cost(name, 1_000, 1_000, 500) for name in PRICES)


def test_more_cached_than_read_is_no_rebate() -> None:
    assert cost("MiniMax-M2", 10, 0, 1_000) == cost("MiniMax-M2", 10, 0, 10)
