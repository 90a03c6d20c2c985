"""The endpoint's price schedule: read anew once a day, kept in the home with its date."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knowledge.files import write_whole
from supportbot.answering.catalogue import price_schedule
from supportbot.errors import ModelError
from supportbot.metering import PRICES, Price, PriceList, plain_name

if TYPE_CHECKING:
    from supportbot.config import BotSettings

FILE = "prices.json"
MAX_FILE_BYTES = 100_000
FRESH_SECONDS = 24 * 3600.0
LOOK_SECONDS = (300.0, 3600.0)  # after a start, then each time; a short-lived service asks never
log = logging.getLogger(__name__)


def load_prices(settings: BotSettings) -> PriceList:
    """Return the prices in force: those of the settings, the kept schedule, the packaged list."""
    own = {name: price.to_price() for name, price in settings.prices.items()}
    return PriceList(own, _kept(settings).get("prices"))


async def refresh(settings: BotSettings, prices: PriceList) -> int:
    """Ask the endpoint for its schedule, keep it, and return how many of our models it prices.

    Raises:
        ModelError: it tells none.
        OSError: the home cannot be written.
    """
    told = await price_schedule(settings)
    wanted = map(plain_name, (*PRICES, settings.model, *settings.model_fallbacks))
    prices.learn({name: told[name] for name in wanted if name in told})
    rows = {name: asdict(price) for name, price in prices.scheduled.items()}
    kept = {"endpoint": str(settings.model_url), "read_at": time.time(), "prices": rows}
    await asyncio.to_thread(write_whole, settings.home / FILE, json.dumps(kept, indent=1))
    return len(rows)


async def keep_fresh(
    settings: BotSettings,
    prices: PriceList,
    pauses: tuple[float, float] = LOOK_SECONDS,
    now: Callable[[], float] = time.time,
) -> None:
    """Read the schedule anew whenever it is a day old; runs until it is cancelled."""
    for pause in chain(pauses, repeat(pauses[-1])):
        await asyncio.sleep(pause)
        if settings.runapi_key is None or now() - read_at(settings) < FRESH_SECONDS:
            continue
        try:
            count = await refresh(settings, prices)
        except (ModelError, OSError) as error:
            log.info("the prices stay as they are (%s)", error)
        else:
            log.info("prices of %d models were read from the endpoint", count)


def read_at(settings: BotSettings) -> float:
    """Return when the kept schedule was read, in seconds since the epoch, 0.0: there is none."""
    told = _kept(settings).get("read_at")
    return float(told) if isinstance(told, int | float) and told <= time.time() else 0.0


def _kept(settings: BotSettings) -> dict[str, Any]:
    """Return the kept schedule of this endpoint, {} where there is none that can be read."""
    try:
        kept = json.loads(_text(settings.home / FILE))
        if kept["endpoint"] != str(settings.model_url):
            return {}
        prices = {
            name: Price(**{part: float(dollars) for part, dollars in price.items()})
            for name, price in kept["prices"].items()
        }
        return {**kept, "prices": prices}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}


def _text(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.read(MAX_FILE_BYTES)
