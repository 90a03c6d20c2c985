"""The button "Report this answer": over HTTP and the websocket, and only in the answer's thread."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from supportbot.errors import StateUnavailable
from tests.servers.slack import TEAM, Posted, deliver, error, mention, press
from tests.supportbot.slack.conftest import Bot, until

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def buttons(message: Posted) -> list[dict[str, Any]]:
    blocks = message.content["blocks"]
    return [block["accessory"] for block in blocks if "accessory" in block]


async def answered(bot: Bot, url: str) -> tuple[str, Posted]:
    """Ask, and return the answer's id and message."""
    await deliver(url, mention("refunds?", "100.1"))
    await until(lambda: bot.inbox.finished)
    [message] = bot.slack.thread("C1", "100.1")
    [button] = buttons(message)
    bot.threads.conversations[button["value"]] = f"slack:{TEAM}:C1:100.1"
    return button["value"], message


async def pressed(url: str, interaction: dict[str, Any]) -> int:
    body = urlencode({"payload": json.dumps(interaction)}).encode()
    return await deliver(url, body, headers=FORM)


async def test_a_press_over_http_reports_the_answer_and_thanks_for_it(http_bot: Bot) -> None:
    async with http_bot.serving() as url:
        answer_id, message = await answered(http_bot, url)
        before = message.shown
        assert await pressed(url, press(answer_id, message)) == 200
    assert http_bot.threads.ratings == [(answer_id, "down", "reported")]
    assert message.shown == f"{before}\n\n_Reported. Thank you._"
    assert buttons(message) == []


async def test_a_press_over_the_websocket_reports_the_answer(socket_bot: Bot) -> None:
    async with socket_bot.running():
        await until(lambda: socket_bot.slack.is_connected)
        socket_bot.slack.send(mention("refunds?", "100.1"))
        await until(lambda: socket_bot.inbox.finished)
        [message] = socket_bot.slack.thread("C1", "100.1")
        [button] = buttons(message)
        socket_bot.threads.conversations[button["value"]] = f"slack:{TEAM}:C1:100.1"
        envelope = socket_bot.slack.send(press(button["value"], message), "interactive")
        await until(lambda: envelope in socket_bot.slack.acks)
    assert socket_bot.threads.ratings == [(button["value"], "down", "reported")]


async def test_an_answer_of_another_thread_cannot_be_reported(http_bot: Bot) -> None:
    async with http_bot.serving() as url:
        answer_id, message = await answered(http_bot, url)
        for place in (f"slack:{TEAM}:C2:100.1", f"slack:{TEAM}:C1:99.1", "conv_1"):
            http_bot.threads.conversations[answer_id] = place
            assert await pressed(url, press(answer_id, message)) == 200
        assert await pressed(url, press("ans_unknown", message)) == 200
    assert http_bot.threads.ratings == []
    assert len(buttons(message)) == 1


NO_VALUE = {"type": "button", "action_id": "report_answer"}


@pytest.mark.parametrize(
    "change",
    [{"actions": [NO_VALUE]}, {"message": None}, {"message": {}}, {"channel": {"id": 1}}],
)
async def test_an_odd_interaction_does_nothing(http_bot: Bot, change: dict[str, Any]) -> None:
    async with http_bot.serving() as url:
        answer_id, message = await answered(http_bot, url)
        status = await pressed(url, {**press(answer_id, message), **change})
    assert status == 200
    assert http_bot.threads.ratings == []


async def test_slack_warns_whoever_pressed_when_the_report_is_not_kept(http_bot: Bot) -> None:
    async with http_bot.serving() as url:
        answer_id, message = await answered(http_bot, url)
        http_bot.threads.error = StateUnavailable("down")
        assert await pressed(url, press(answer_id, message)) == 503


async def test_a_report_counts_although_the_thanks_cannot_be_shown(http_bot: Bot) -> None:
    async with http_bot.serving() as url:
        answer_id, message = await answered(http_bot, url)
        http_bot.slack.fail("chat.update", error("edit_window_closed"))
        assert await pressed(url, press(answer_id, message)) == 200
    assert http_bot.threads.ratings == [(answer_id, "down", "reported")]
