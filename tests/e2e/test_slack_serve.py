"""`supportbot serve` in Socket Mode, stopped while it answers."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from tests.servers.bot import RunningBot, environment
from tests.servers.model import Exchange, ScriptedModel, grounded
from tests.servers.slack import APP_TOKEN, BOT_TOKEN, LoopbackSlack, mention

COUNT = 20


async def slowly(exchange: Exchange) -> None:
    await asyncio.sleep(2.0)
    await grounded(exchange)


def test_sigterm_finishes_the_answers_under_way(
    shop_home: Path, shop_settings: dict[str, str], model: ScriptedModel
) -> None:
    model.reset()
    model.script(slowly)
    with LoopbackSlack() as slack:
        env = environment(
            shop_home,
            SLACK_API_URL=slack.api_url,
            SLACK_BOT_TOKEN=BOT_TOKEN,
            SLACK_APP_TOKEN=APP_TOKEN,
            **{**shop_settings, "SUPPORTBOT_DEADLINE_SECONDS": "20"},
        )
        with RunningBot(env) as bot:
            _wait_for(slack, connections=1)
            for n in range(COUNT):
                slack.send(mention("How long may I return a product?", f"17.{n:06}", f"C{n}"))
            _wait_for(slack, messages=COUNT)
            assert bot.stop() == 0
        shown = [message.shown for message in slack.messages]
    assert len(shown) == COUNT
    assert all("30 days" in words for words in shown)


def _wait_for(slack: LoopbackSlack, *, connections: int = 0, messages: int = 0) -> None:
    until = time.monotonic() + 60
    while slack.connections < connections or len(slack.messages) < messages:
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.5)
        slack.deliver_again()
