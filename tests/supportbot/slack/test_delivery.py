"""One event, one answer: over HTTP and over the websocket, whatever is delivered twice or lost."""

from __future__ import annotations

import asyncio
import logging
import random

import pytest

from tests.servers.slack import deliver, direct_message, lost, mention
from tests.supportbot.slack.conftest import Bot, until


def finished(bot: Bot, count: int) -> bool:
    return len(bot.inbox.finished) >= count


async def test_a_mention_gets_one_threaded_answer_with_numbered_links(http_bot: Bot) -> None:
    async with http_bot.serving() as url:
        assert await deliver(url, mention("refunds?", "100.1")) == 200
        await until(lambda: finished(http_bot, 1))
    [message] = http_bot.slack.thread("C1", "100.1")
    assert message.history[0] == "_Searching the help articles…_"
    assert "About refunds?" in message.shown
    assert (
        "[1] <https://help.example.com/refunds#:~:text=Refunds%20take|"
        "Refunds › How long it takes>" in message.shown
    )
    assert http_bot.answerer.questions[0].text == "refunds?"


async def test_a_direct_message_without_a_thread_is_answered_in_one(socket_bot: Bot) -> None:
    async with socket_bot.running():
        await until(lambda: socket_bot.slack.is_connected)
        envelope = socket_bot.slack.send(direct_message("refunds?", "100.1"))
        await until(lambda: finished(socket_bot, 1))
        await until(lambda: envelope in socket_bot.slack.acks)
    [message] = socket_bot.slack.thread("D1", "100.1")
    assert "About refunds?" in message.shown


async def test_an_event_that_is_delivered_four_times_is_answered_once(http_bot: Bot) -> None:
    async with http_bot.serving() as url:
        events = [mention("refunds?", f"{n}.1", f"C{n}") for n in range(50)] * 4
        random.Random(1).shuffle(events)
        statuses = await asyncio.gather(*(deliver(url, event) for event in events))
        await until(lambda: finished(http_bot, 50))
    assert set(statuses) == {200}
    assert all(len(http_bot.slack.thread(f"C{n}", f"{n}.1")) == 1 for n in range(50))
    assert len(http_bot.answerer.questions) == 50


async def test_envelopes_that_come_again_are_answered_once(socket_bot: Bot) -> None:
    async with socket_bot.running():
        await until(lambda: socket_bot.slack.is_connected)
        envelopes = [
            socket_bot.slack.send(mention("refunds?", f"{n}.1", f"C{n}"))
            for n in range(10)
            for _ in range(4)
        ]
        await until(lambda: finished(socket_bot, 10))
        await until(lambda: len(socket_bot.slack.acks) == len(envelopes))
    assert len(socket_bot.slack.messages) == 10
    assert max(socket_bot.slack.acks.values()) < 3


async def test_a_mention_and_its_message_twin_are_answered_once(http_bot: Bot) -> None:
    async with http_bot.serving() as url:
        for n in range(20):
            twin = mention("refunds?", f"{n}.1", f"D{n}", type="message", channel_type="im")
            pair = [mention("refunds?", f"{n}.1", f"D{n}"), twin]
            random.Random(n).shuffle(pair)
            assert [await deliver(url, event) for event in pair] == [200, 200]
        await until(lambda: finished(http_bot, 20))
    assert len(http_bot.slack.messages) == 20


@pytest.mark.parametrize("kind", ["reset", "close"])
async def test_a_lost_reply_never_posts_a_second_message(http_bot: Bot, kind: str) -> None:
    http_bot.slack.fail("chat.postMessage", *[lost(kind)] * 5)
    async with http_bot.serving() as url:
        for n in range(10):
            await deliver(url, mention("refunds?", f"{n}.1", f"C{n}"))
        await until(lambda: finished(http_bot, 10))
    assert all(len(http_bot.slack.thread(f"C{n}", f"{n}.1")) == 1 for n in range(10))
    assert all("About refunds?" in message.shown for message in http_bot.slack.messages)


async def test_a_copy_after_a_restart_is_not_answered_again(http_bot: Bot) -> None:
    for _ in range(2):
        async with http_bot.serving() as url:
            for _ in range(2):
                assert await deliver(url, mention("refunds?", "100.1")) == 200
            await until(lambda: finished(http_bot, 1))
    assert len(http_bot.slack.messages) == len(http_bot.answerer.questions) == 1


async def test_follow_ups_in_a_thread_belong_to_its_conversation(http_bot: Bot) -> None:
    async with http_bot.serving() as url:
        await deliver(url, mention("refunds?", "100.1"))
        await until(lambda: finished(http_bot, 1))
        await deliver(url, mention("how long?", "101.1", thread_ts="100.1"))
        await deliver(url, mention("something else", "102.1"))
        await until(lambda: finished(http_bot, 3))
    first, second, third = http_bot.answerer.questions
    assert first.conversation_id == second.conversation_id != third.conversation_id
    assert len(http_bot.slack.thread("C1", "100.1")) == 2


async def test_a_bare_mention_gets_help_and_asks_nobody(http_bot: Bot) -> None:
    async with http_bot.serving() as url:
        await deliver(url, mention("", "100.1"))
        await until(lambda: finished(http_bot, 1))
    [message] = http_bot.slack.messages
    assert "Mention me with a question" in message.shown
    assert http_bot.answerer.questions == []


async def test_the_reply_keeps_to_what_slack_takes(http_bot: Bot) -> None:
    http_bot.answerer.says = lambda _: "Long words. " * 9_000
    async with http_bot.serving() as url:
        await deliver(url, mention("all of it", "100.1"))
        await until(lambda: finished(http_bot, 1), 60)
    shown = " ".join(message.shown for message in http_bot.slack.thread("C1", "100.1"))
    assert " ".join(shown.split()).count("Long words.") == 9_000
    for call in http_bot.slack.called("chat.postMessage") + http_bot.slack.called("chat.update"):
        assert call.arguments["unfurl_links"] is False
        assert call.arguments["unfurl_media"] is False


async def test_an_event_silences_no_warning_of_the_rest(http_bot: Bot) -> None:
    async with http_bot.serving() as url:
        await deliver(url, mention("refunds?", "1.1", "C1"))
        await until(lambda: finished(http_bot, 1))
    assert logging.getLogger("supportbot").getEffectiveLevel() == logging.getLogger().level
