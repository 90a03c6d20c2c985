"""What an answer costs.

The packaged prices are RunAPI's list where it is public (M2 family, model page of 2026) and
MiniMax's own list price where it is not, so a budget is never overspent by a price that was guessed
too low. The endpoint's price schedule is newer, and the operator's own prices win over both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

MILLION = 1_000_000
CREDIBLE = (0.001, 1_000.0)  # dollars for a million tokens of any model
CREDIBLE_FACTOR = 10.0  # how far from its packaged price a listed model's may be


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens."""

    input: float
    output: float
    cached: float  # input tokens that the provider had in its prefix cache

    def cost(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float:
        """Return the dollars of one completed request; `cached_tokens` are part of the input.

        A failed request costs nothing, so it is not asked for here.
        """
        cached = min(cached_tokens, input_tokens)
        fresh = input_tokens - cached
        dollars = fresh * self.input + cached * self.cached + output_tokens * self.output
        return dollars / MILLION

    def is_credible_beside(self, listed: Price | None) -> bool:
        """Tell whether nothing is absurd about it, on its own and against the packaged price."""
        if any(not math.isfinite(part) for part in asdict(self).values()):
            return False
        if self.cached > self.input:
            return False
        low, high = CREDIBLE
        pairs = [(self.input, low, high), (self.output, low, high), (self.cached, 0.0, high)]
        if listed:
            near = ((self.input, listed.input), (self.output, listed.output))
            pairs += [(new, old / CREDIBLE_FACTOR, old * CREDIBLE_FACTOR) for new, old in near]
        return all(least <= part <= most for part, least, most in pairs)


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
_UNKNOWN = Price(input=0.60, output=2.40, cached=0.06)  # as much as the dearest one


class PriceList:
    """What each model costs: the operator's word, then the endpoint's, then the packaged list."""

    def __init__(
        self, own: Mapping[str, Price] | None = None, schedule: Mapping[str, Price] | None = None
    ) -> None:
        self._own = _by_plain_name(own or {})
        self._packaged = _by_plain_name(PRICES)
        self._schedule: dict[str, Price] = {}
        self.learn(schedule or {})

    def of(self, model: str) -> Price:
        """Return the price of a model; one that nobody lists costs as much as the dearest."""
        return self._lists.get(self.source(model), {}).get(plain_name(model), _UNKNOWN)

    def source(self, model: str) -> str:
        """Return where the price of a model comes from, in words."""
        name = plain_name(model)
        return next((where for where, prices in self._lists.items() if name in prices), "a guess")

    def learn(self, schedule: Mapping[str, Price]) -> None:
        """Take over the credible prices of an endpoint's schedule in place of the last one."""
        self._schedule = {
            name: price
            for name, price in _by_plain_name(schedule).items()
            if price.is_credible_beside(self._packaged.get(name))
        }

    @property
    def _lists(self) -> dict[str, dict[str, Price]]:
        own, schedule, packaged = "supportbot.toml", "price schedule", "packaged list"
        return {own: self._own, schedule: self._schedule, packaged: self._packaged}

    @property
    def scheduled(self) -> Mapping[str, Price]:
        """Return what the endpoint's schedule told, by plain name."""
        return self._schedule


def plain_name(model: str) -> str:
    """Return a model's name as all catalogues can be made to write it: `minimax-m2.5`."""
    return model.rpartition("/")[2].casefold()


def read_schedule(body: Any) -> dict[str, Price]:
    """Return the prices per token of a RunAPI price schedule, by plain name.

    What is no price of tokens in dollars is passed over; of two prices of one model the dearer
    counts. Shape: `{"price_schedules": [{"model", "currency", "pricing_status",
    "input_price_per_1m_cents", "output_price_per_1m_cents", "cache_read_price_per_1m_cents"}]}`.

    Raises:
        ValueError: it is no schedule at all.
    """
    rows = body.get("price_schedules") if isinstance(body, dict) else None
    if not isinstance(rows, list):
        raise ValueError("no price schedule")
    found: dict[str, Price] = {}
    for row in rows:
        price = _price_of(row) if isinstance(row, dict) else None
        if price is not None:
            name = plain_name(row["model"])
            found[name] = max(price, found.get(name, price), key=lambda one: one.output)
    return found


def _price_of(row: Mapping[str, Any]) -> Price | None:
    names = ("input_price_per_1m_cents", "output_price_per_1m_cents")
    fresh, out = (_dollars(row.get(name)) for name in names)
    is_told = isinstance(row.get("model"), str) and row.get("currency") == "USD"
    if not is_told or fresh is None or out is None or row.get("pricing_status") != "available":
        return None
    cached = _dollars(row.get("cache_read_price_per_1m_cents"))
    return Price(fresh, out, fresh if cached is None else cached)


def _dollars(cents: Any) -> float | None:
    is_number = isinstance(cents, int | float) and not isinstance(cents, bool)
    return float(cents) / 100 if is_number and abs(cents) < MILLION else None


def _by_plain_name(prices: Mapping[str, Price]) -> dict[str, Price]:
    return {plain_name(name): price for name, price in prices.items()}
