"""What the endpoint tells of itself: which models it offers, and at what prices.

Read within bounds of time and size, and trusted in nothing: a page that is no list is an error.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from supportbot.answering.model import kind_of_status, raise_told_error
from supportbot.errors import FailureKind, ModelError
from supportbot.metering import Price, read_schedule

if TYPE_CHECKING:
    from supportbot.config import BotSettings

SECONDS = 10.0
MAX_BYTES = 4_000_000
MAX_MODELS = 1_000
MAX_NAME_CHARACTERS = 200
SCHEDULE_PATH = "/api/v1/price_schedules"  # of RunAPI; asked for without a key


async def list_models(settings: BotSettings, seconds: float = SECONDS) -> list[str]:
    """Return the IDs of the models that the endpoint offers this key, in its order.

    Raises:
        ModelError: it cannot be asked, or tells no list.
    """
    key = settings.runapi_key.get_secret_value() if settings.runapi_key else ""
    body = await _read(
        f"{str(settings.model_url).rstrip('/')}/models", {"Authorization": f"Bearer {key}"}, seconds
    )
    rows = body.get("data") if isinstance(body, dict) else None
    if not isinstance(rows, list):
        raise ModelError(FailureKind.MALFORMED, "no list of models")
    ids = (row.get("id") for row in rows[:MAX_MODELS] if isinstance(row, dict))
    return list(dict.fromkeys(id_ for id_ in ids if isinstance(id_, str) and _is_name(id_)))


async def price_schedule(settings: BotSettings, seconds: float = SECONDS) -> dict[str, Price]:
    """Return the prices per token that the endpoint tells, by the models' plain names.

    Raises:
        ModelError: it cannot be asked, or tells no schedule.
    """
    url = settings.model_url
    port = f":{url.port}" if url.port else ""
    body = await _read(f"{url.scheme}://{url.host}{port}{SCHEDULE_PATH}", {}, seconds)
    with _translated():
        return read_schedule(body)


def nearest(name: str, offered: list[str]) -> str:
    """Return the offered name that is most like this one, "" where none is like it."""
    by_case = {one.casefold(): one for one in offered}
    found = get_close_matches(name.casefold(), by_case, n=1)
    return by_case[found[0]] if found else ""


def _is_name(text: str) -> bool:
    return text.isprintable() and 0 < len(text) <= MAX_NAME_CHARACTERS


async def _read(url: str, headers: Mapping[str, str], seconds: float) -> Any:
    import httpx2

    plain = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
    with _translated():
        async with (
            asyncio.timeout(seconds),
            httpx2.AsyncClient(timeout=seconds, follow_redirects=False) as client,
            client.stream("GET", url, headers=plain) as response,
        ):
            if not response.is_success:
                raise ModelError(kind_of_status(response.status_code), f"{response.status_code}")
            body = bytearray()
            async for part in response.aiter_raw():
                body += part
                if len(body) > MAX_BYTES:
                    raise ModelError(FailureKind.MALFORMED, f"more than {MAX_BYTES} bytes")
        told = json.loads(body)
        if isinstance(told, dict):
            raise_told_error(told)
        return told


@contextmanager
def _translated() -> Iterator[None]:
    import httpx2

    try:
        yield
    except (TimeoutError, httpx2.TimeoutException):
        raise ModelError(FailureKind.TIMEOUT) from None
    except (httpx2.HTTPError, httpx2.StreamError) as error:
        raise ModelError(FailureKind.REFUSED, type(error).__name__) from None
    except (ValueError, RecursionError, httpx2.InvalidURL) as error:
        raise ModelError(FailureKind.MALFORMED, type(error).__name__) from None
