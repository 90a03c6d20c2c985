"""Slack misbehaves, or the bot is stopped: every question still gets exactly one answer."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from supportbot.conversation import AnswerEvent, Question, Status
from supportbot.errors import StateUnavailable
from supportbot.slack.app import create_slack
from supportbot.slack.worker import Timing
from tests.fakes import MemoryInbox
from tests.servers.slack import (
    Fault,
    LoopbackSlack,
    deliver,
    error,
    event,
    lost,
    mention,
    ratelimited,
)
from tests.supportbot.slack.conftest import Bot, ScriptedAnswers, http_bot, serve, slack, until

__all__ = ["http_bot", "slack"]


def answered(bot: Bot, count: int) -> bool:
    return len(bot.inbox.finished) >= count


async def ask(bot: Bot, count: int = 1) -> None:
    """Ask `count` questions, each in a channel of its own, and wait for their answers."""
    async with bot.serving() as url:
        for n in range(count):
            assert await deliver(url, mention("refunds?", f"{n}.1", f"C{n}")) == 200
        await until(lambda: answered(bot, count))


@pytest.mark.parametrize(
    "fault",
    [
        ratelimited(1),
        Fault("error", "internal_error"),
        Fault("error", "fatal_error", 500),
        Fault("html", status=502),
        Fault("html", status=200),
        Fault("text", status=503),
        Fault("text", status=200),
        Fault("reset"),
        Fault("close"),
        lost("reset"),
        lost("close"),
        Fault("html", status=504, is_carried_out=True),
        Fault("error", "internal_error", is_carried_out=True),
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_a_call_that_fails_once_costs_no_answer_and_no_second_message(
    http_bot: Bot, method: str, fault: Fault
) -> None:
    http_bot.slack.fail(method, fault)
    await ask(http_bot)
    [message] = http_bot.slack.messages
    assert "About refunds?" in message.shown
    assert len(http_bot.answerer.questions) == 1


async def test_a_thread_that_cannot_be_read_at_first_is_read_again(http_bot: Bot) -> None:
    http_bot.slack.fail("chat.postMessage", lost())
    http_bot.slack.fail("conversations.replies", ratelimited(1), Fault("reset"))
    await ask(http_bot)
    assert len(http_bot.slack.messages) == 1


async def test_a_thread_that_may_not_be_read_still_gets_its_answer(http_bot: Bot) -> None:
    http_bot.slack.fail("chat.postMessage", lost())
    http_bot.slack.always["conversations.replies"] = error("missing_scope")
    await ask(http_bot)
    assert "About refunds?" in http_bot.slack.messages[-1].shown


@pytest.mark.parametrize("code", ["channel_not_found", "is_archived", "restricted_action"])
async def test_a_place_that_takes_no_messages_is_given_up(http_bot: Bot, code: str) -> None:
    http_bot.slack.always["chat.postMessage"] = error(code)
    await ask(http_bot)
    assert len(http_bot.slack.called("chat.postMessage")) == 1
    assert http_bot.answerer.questions == []


async def test_an_answer_whose_placeholder_was_deleted_is_posted(http_bot: Bot) -> None:
    http_bot.slack.fail("chat.update", error("message_not_found"))
    await ask(http_bot)
    assert "About refunds?" in http_bot.slack.messages[-1].shown


async def test_an_answer_whose_blocks_are_refused_goes_out_as_text(http_bot: Bot) -> None:
    http_bot.slack.fail("chat.update", error("invalid_blocks"))
    await ask(http_bot)
    [message] = http_bot.slack.messages
    assert "About refunds?" in message.shown
    assert message.content["blocks"] == []


async def test_new_messages_keep_to_one_a_second_and_channel_and_stay_in_order() -> None:
    with LoopbackSlack(posts_a_second=2) as slack:
        slack.fail("chat.postMessage", ratelimited(1))
        bot = http_bot.__wrapped__(slack)
        bot.timing = replace(bot.timing, pace=0.5)
        bot.inbox.lease_seconds = 30.0
        async with bot.serving() as url:
            for n in range(8):
                await deliver(url, mention(f"question {n}", f"{n}.1"))
            await until(lambda: answered(bot, 8), 30)
        posts = [(message.thread_ts, message.at) for message in slack.messages]
        assert [thread for thread, _ in posts] == [f"{n}.1" for n in range(8)]
        assert len(slack.called("chat.postMessage")) == 9
        assert all(b[1] - a[1] >= 0.5 for a, b in pairwise(posts))


async def test_an_answerer_that_breaks_leaves_one_apology_with_a_reference(
    http_bot: Bot, caplog: pytest.LogCaptureFixture
) -> None:
    http_bot.answerer.error = RuntimeError("boom, secret detail")
    await ask(http_bot)
    [message] = http_bot.slack.messages
    assert "ref_" in message.shown
    assert "boom" not in message.shown
    [reference] = re.findall(r"ref_[\w-]+", message.shown)
    assert reference in caplog.text


class Hanging(ScriptedAnswers):
    """Never answers what is called `hang`."""

    async def stream(self, question: Question) -> AsyncIterator[AnswerEvent]:
        if question.text == "hang":
            yield Status("searching")
            await asyncio.sleep(3_600)
        async for step in super().stream(question):
            yield step


async def test_calls_that_hang_block_nobody_else(http_bot: Bot) -> None:
    http_bot.answerer = Hanging()
    http_bot.inbox.lease_seconds = 30.0
    door = create_slack(http_bot, http_bot.timing)
    await door.start()
    try:
        for n in range(40):
            payload = {"team": "T", "ts": f"{n}.1", "thread_ts": f"{n}.1", "user": "U1"}
            text = "hang" if n < 39 else "refunds?"
            rest = {"channel": f"C{n}", "text": text, "is_shared": False}
            await http_bot.inbox.accept(f"slack:T:C{n}:{n}.1", payload | rest)
        await until(lambda: answered(http_bot, 1))
    finally:
        await door.stop(0.0)
    [message] = http_bot.slack.thread("C39", "39.1")
    assert "About refunds?" in message.shown


async def test_acknowledgements_never_wait_for_answers(http_bot: Bot) -> None:
    http_bot.answerer.seconds = 3_600
    http_bot.slack.always["*"] = Fault("hang")
    http_bot.inbox.lease_seconds = 30.0
    door = create_slack(http_bot, http_bot.timing)
    await door.start()
    async with serve(door) as url, asyncio.timeout(60):
        events = (mention("refunds?", f"{n}.1", f"C{n % 7}") for n in range(100))
        statuses = await asyncio.gather(*(deliver(url, event) for event in events))
    await door.stop(0.0)
    assert set(statuses) == {200}
    assert len(http_bot.inbox.items) == 100


async def test_stopping_finishes_the_answers_under_way(http_bot: Bot) -> None:
    http_bot.answerer.seconds = 0.5
    async with http_bot.serving() as url:
        for n in range(20):
            await deliver(url, mention("refunds?", f"{n}.1", f"C{n}"))
        await until(lambda: len(http_bot.answerer.questions) == 20)
    assert len(http_bot.inbox.finished) == 20
    assert all("About refunds?" in message.shown for message in http_bot.slack.messages)


async def test_what_a_stop_cuts_off_is_finished_by_the_next_start(http_bot: Bot) -> None:
    http_bot.answerer = Hanging()
    http_bot.answerer.says = lambda question: f"{question.text} answered"
    door = create_slack(http_bot, http_bot.timing)
    await door.start()
    async with serve(door) as url:
        await deliver(url, mention("hang", "1.1"))
        await until(lambda: http_bot.slack.messages)
        await door.stop(0.1)
        assert await deliver(url, mention("late", "2.1")) == 200
    assert http_bot.inbox.finished == set()
    http_bot.answerer = ScriptedAnswers()
    async with http_bot.running():
        await until(lambda: answered(http_bot, 2))
    assert len(http_bot.slack.messages) == 2
    [message] = http_bot.slack.thread("C1", "1.1")
    assert "About hang" in message.shown


class ForgetfulInbox(MemoryInbox):
    """Keeps no notes, as when the process dies right after Slack took the message."""

    async def note(self, key: str, owner: str, **notes: Any) -> None:
        raise StateUnavailable("the disk is full")


async def test_a_message_that_nobody_noted_is_found_in_its_thread(http_bot: Bot) -> None:
    http_bot.inbox = ForgetfulInbox(lease_seconds=0.3)
    http_bot.answerer = Hanging()
    door = create_slack(http_bot, http_bot.timing)
    await door.start()
    async with serve(door) as url:
        await deliver(url, mention("hang", "1.1"))
        await until(lambda: http_bot.slack.messages)
        await door.stop(0.0)
    http_bot.answerer = ScriptedAnswers()
    async with http_bot.running():
        await until(lambda: answered(http_bot, 1))
    [message] = http_bot.slack.messages
    assert "About hang" in message.shown


async def test_a_question_that_fails_again_and_again_ends_in_an_apology(http_bot: Bot) -> None:
    key = "slack:T:C1:1.1"
    payload = {"team": "T", "channel": "C1", "ts": "1.1", "thread_ts": "1.1", "user": "U1"}
    await http_bot.inbox.accept(key, payload | {"text": "refunds?", "is_shared": False})
    http_bot.inbox.items[key] = replace(http_bot.inbox.items[key], attempts=5)
    async with http_bot.running():
        await until(lambda: answered(http_bot, 1))
    assert http_bot.answerer.questions == []
    assert "ref_" in http_bot.slack.messages[0].shown


async def test_slack_may_be_down_at_the_start(http_bot: Bot) -> None:
    http_bot.slack.always["*"] = Fault("reset")
    async with http_bot.serving() as url:
        await deliver(url, mention("refunds?", "1.1"))
        await until(lambda: len(http_bot.slack.calls) >= 3)
        http_bot.slack.always.clear()
        await until(lambda: answered(http_bot, 1))
    assert len(http_bot.slack.messages) == 1


async def test_a_dead_token_is_reported_once_and_hardly_asked_again(
    http_bot: Bot, caplog: pytest.LogCaptureFixture
) -> None:
    http_bot.slack.always["*"] = error("invalid_auth")
    with caplog.at_level(logging.WARNING):
        async with http_bot.serving() as url, http_bot.running() as door:
            await until(door.problem)
            assert "invalid_auth" in door.problem()
            for n in range(20):
                await deliver(url, mention("refunds?", f"{n}.1"))
            await asyncio.sleep(1.0)
    assert len(http_bot.slack.calls) <= 4  # two doors run here
    assert len([r for r in caplog.records if "refuses the bot token" in r.message]) <= 2
    assert "xoxb-0000" not in caplog.text


async def test_questions_wait_for_a_valid_token(http_bot: Bot) -> None:
    http_bot.slack.fail("chat.postMessage", error("token_revoked"))
    async with http_bot.serving() as url:
        await deliver(url, mention("refunds?", "1.1"))
        await until(lambda: answered(http_bot, 1))
    assert len(http_bot.slack.messages) == 1


async def test_a_revoked_token_turns_the_door_red(http_bot: Bot) -> None:
    async with http_bot.running() as door, serve(door) as url:
        await until(lambda: http_bot.slack.called("auth.test"))
        assert door.problem() == ""
        http_bot.slack.always["*"] = error("token_revoked")
        await deliver(url, event({"type": "tokens_revoked", "tokens": {"bot": ["U0BOT"]}}))
        assert "token" in door.problem()


def test_the_real_pace_is_what_slack_allows() -> None:
    assert Timing().pace >= 1.0
