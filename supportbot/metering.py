"""What an answer costs.

Prices are RunAPI's list where it is public (M2 family, model page of 2026) and MiniMax's own list
price where it is not, so a budget is never overspent by a price that was guessed too low. A model
that is not listed costs as much as the dearest one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens."""

    input: float
    output: float
    cached: float  # input tokens that the provider had in its prefix cache


_M2 = Price(input=0.15, output=0.60, cached=0.03)
_M2_FAST = Price(input=0.60, output=2.40, cached=0.03)
_M2_7 = Price(input=0.30, output=1.20, cached=0.06)
PRICES = {
    "MiniMax-M2": _M2,
    "MiniMax-M2.1": _M2,
    "MiniMax-M2.5": _M2,
    "MiniMax-M2.5-highspeed": _M2_FAST,
    "MiniMax-M2.7": _M2_7,
    "MiniMax-M2.7-highspeed": Price(input=0.60, output=2.40, cached=0.06),
    "MiniMax-M3": _M2_7,
}
_UNKNOWN = Price(input=0.60, output=2.40, cached=0.06)


def cost(model: str, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float:
    """Return the dollars of one completed request; `cached_tokens` are part of the input.

    A failed request costs nothing, so it is not asked for here.
    """
    price = PRICES.get(model, _UNKNOWN)
    cached = min(cached_tokens, input_tokens)
    fresh = input_tokens - cached
    dollars = fresh * price.input + cached * price.cached + output_tokens * price.output
    return dollars / 1_000_000
