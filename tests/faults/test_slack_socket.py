"""Socket Mode heals: whatever ends the connection, the next event is answered."""

from __future__ import annotations

import asyncio
import logging

import pytest

from supportbot.errors import StateUnavailable
from supportbot.slack import socket
from tests.servers.slack import Fault, direct_message, error, event, ratelimited
from tests.supportbot.slack.conftest import Bot, slack, socket_bot, until

__all__ = ["slack", "socket_bot"]


async def next_event_is_answered(bot: Bot, number: int) -> None:
    await until(lambda: bot.slack.is_connected)
    envelope = bot.slack.send(direct_message("refunds?", f"{number}.1"))
    await until(lambda: len(bot.inbox.finished) == number)
    await until(lambda: envelope in bot.slack.acks)


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_a_request_to_connect_again_is_followed(socket_bot: Bot, reason: str) -> None:
    async with socket_bot.running() as door:
        await next_event_is_answered(socket_bot, 1)
        socket_bot.slack.disconnect(reason)
        await until(lambda: socket_bot.slack.connections == 2)
        await next_event_is_answered(socket_bot, 2)
        assert door.problem() == ""


async def test_a_cut_connection_is_made_anew(socket_bot: Bot) -> None:
    async with socket_bot.running():
        await next_event_is_answered(socket_bot, 1)
        socket_bot.slack.drop()
        await until(lambda: socket_bot.slack.connections == 2)
        await next_event_is_answered(socket_bot, 2)


async def test_a_silent_connection_is_made_anew(socket_bot: Bot) -> None:
    async with socket_bot.running():
        await next_event_is_answered(socket_bot, 1)
        socket_bot.slack.silence()
        await until(lambda: socket_bot.slack.connections == 2)
        socket_bot.slack.speak()
        await until(lambda: len(socket_bot.slack.called("apps.connections.open")) >= 2)
        await next_event_is_answered(socket_bot, 2)


async def test_frames_that_hold_no_event_do_no_harm(socket_bot: Bot) -> None:
    async with socket_bot.running():
        await until(lambda: socket_bot.slack.is_connected)
        for text in ("", "{", "[]", "5", '{"type":"what"}', '{"envelope_id":5}', "[" * 100_000):
            socket_bot.slack.send_text(text)
        for body in ({}, {"event": None}, {"event": []}, {"event": {"type": 5}}, {"type": "x"}):
            socket_bot.slack.send(body)
        socket_bot.slack.send({"type": "block_actions"}, kind="interactive")
        await next_event_is_answered(socket_bot, 1)
        assert socket_bot.slack.connections == 1


@pytest.mark.parametrize(
    "fault", [Fault("reset"), Fault("html", status=502), ratelimited(1), error("internal_error")]
)
async def test_an_address_that_cannot_be_had_is_asked_for_again(
    socket_bot: Bot, fault: Fault
) -> None:
    socket_bot.slack.fail("apps.connections.open", fault, fault)
    async with socket_bot.running():
        await next_event_is_answered(socket_bot, 1)


async def test_an_app_token_that_is_refused_is_reported_once(
    socket_bot: Bot, caplog: pytest.LogCaptureFixture
) -> None:
    socket_bot.slack.always["apps.connections.open"] = error("invalid_auth")
    with caplog.at_level(logging.WARNING):
        async with socket_bot.running() as door:
            await until(door.problem)
            await asyncio.sleep(0.5)
    assert "SLACK_APP_TOKEN" in caplog.text
    assert "xapp-1" not in caplog.text
    assert len(socket_bot.slack.called("apps.connections.open")) == 1


async def test_a_connection_without_a_word_turns_the_door_red(socket_bot: Bot) -> None:
    socket_bot.slack.sends_hello = False
    async with socket_bot.running() as door:
        await until(lambda: socket_bot.slack.is_connected)
        assert door.problem() == ""
        assert socket.SILENT_SECONDS + 1.5 * socket.HEARTBEAT_SECONDS <= 60


async def test_an_event_that_cannot_be_kept_is_not_acknowledged(socket_bot: Bot) -> None:
    class Broken(type(socket_bot.inbox)):
        async def accept(self, key: str, payload: object) -> bool:
            raise StateUnavailable("the disk is full")

    socket_bot.inbox = Broken()
    async with socket_bot.running():
        await until(lambda: socket_bot.slack.is_connected)
        first = socket_bot.slack.send(direct_message("refunds?", "1.1"))
        second = socket_bot.slack.send(event({"type": "team_join"}))
        await until(lambda: second in socket_bot.slack.acks)
    assert first not in socket_bot.slack.acks
