"""One engine, three doors, against real servers: what the terminal, HTTP and Slack people see."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from supportbot import cli
from supportbot.answering.chain import CALLS
from supportbot.metering import PRICES
from tests.servers.bot import RunningBot
from tests.servers.model import FAULTS, KEY, SHOWS_A_SENTENCE, THOUGHT, ScriptedModel, says
from tests.servers.slack import LoopbackSlack, Posted, deliver, direct_message, mention

QUESTION = "Within how many days can I return a product?"
GROUNDED = "You can return a product within 30 days of delivery. [1]"
DEADLINE = 4.0
HASTY_DEADLINE = 2.0  # of the bot that meets every fault, so that those that hang end soon
MARGIN = 2.0
PROVIDER_WORDS = (KEY, "MARKER", THOUGHT, "scripted", "Traceback", "127.0.0.1", "http_")
_stamps = (f"1700001{number:03}.000100" for number in itertools.count())


def fresh_ts() -> str:
    return next(_stamps)


def wait_for(condition: Callable[[], Any], seconds: float = DEADLINE + MARGIN) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def final_message(slack: LoopbackSlack, channel: str, ts: str) -> Posted:
    """Return the one message of a thread, once its placeholder has become the answer."""

    def finished() -> Posted | None:
        messages = slack.thread(channel, ts)
        return messages[0] if messages and len(messages[0].history) > 1 else None

    message: Posted = wait_for(finished)
    assert len(slack.thread(channel, ts)) == 1
    return message


@pytest.fixture(autouse=True)
def _healthy_model(model: ScriptedModel) -> None:
    model.reset()


@pytest.fixture
def terminal(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    shop_home: Path,
    shop_settings: dict[str, str],
) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """Run `supportbot …` with the shop's settings; returns exit code, output and errors."""
    root = logging.getLogger()
    before = root.level
    for name, value in {**shop_settings, "SUPPORTBOT_HOME": str(shop_home)}.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.run(arguments)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    yield run
    logging.basicConfig(level=before, handlers=[logging.NullHandler()], force=True)


def test_the_terminal_shows_checked_text_and_numbered_sources(
    terminal: Callable[..., tuple[int, str, str]], model: ScriptedModel
) -> None:
    model.script(says(f"<think>{THOUGHT}</think>{GROUNDED} It costs 99 euros. [1]"))
    code, out, _ = terminal("ask", QUESTION)
    assert code == 0
    assert out == (
        "You can return a product within 30 days of delivery. [1]\n\nSources\n"
        "  [1] Refunds › Time limits — https://shop.example/help/refunds\n"
    )


@pytest.mark.parametrize("variant", [name for name in PRICES if name != "MiniMax-M2"])
def test_one_parameter_chooses_the_variant_and_its_price(
    variant: str, terminal: Callable[..., tuple[int, str, str]], model: ScriptedModel
) -> None:
    _, out, _ = terminal("ask", QUESTION, "--model", variant, "--json")
    answer = json.loads(out)
    assert (answer["model"], answer["text"]) == (variant, GROUNDED)
    assert {request.body["model"] for request in model.requests} == {variant}
    assert answer["usage"]["cost_usd"] == pytest.approx(PRICES[variant].cost(1_000, 200, 400))


def test_http_gives_the_answer_of_the_contract(bot: RunningBot, model: ScriptedModel) -> None:
    model.script(says(GROUNDED))
    reply = httpx2.post(f"{bot.url}/v1/answers", json={"question": QUESTION}, timeout=30)
    answer = reply.json()
    assert reply.status_code == 200
    assert set(answer) == {
        *("id", "conversation_id", "question", "outcome", "text", "html", "citations", "model"),
        *("release", "usage", "timings"),
    }
    assert (answer["outcome"], answer["model"]) == ("answered", "MiniMax-M2")
    [citation] = answer["citations"]
    assert citation["document_id"] == "refunds.md"
    assert citation["quote"] in "You can return a product within 30 days of delivery."
    assert citation["link"].startswith("https://shop.example/help/refunds#:~:text=")
    assert answer["usage"]["cost_usd"] > 0


def test_the_stream_adds_up_to_the_answer(bot: RunningBot, model: ScriptedModel) -> None:
    model.script(says(f"{GROUNDED} Opened software is excluded. [1]"))
    reply = httpx2.post(
        f"{bot.url}/v1/answers",
        json={"question": QUESTION},
        headers={"Accept": "text/event-stream"},
        timeout=30,
    )
    events = [_event(block) for block in reply.text.split("\n\n") if "event:" in block]
    kinds = [kind for kind, _ in events]
    assert kinds[0] == "status"
    assert kinds.count("answer") == 1
    assert kinds[-1] == "answer"
    assert (
        "".join(data["delta"] for kind, data in events if kind == "text") == events[-1][1]["text"]
    )


def _event(block: str) -> tuple[str, dict[str, Any]]:
    fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
    return fields["event"], json.loads(fields["data"])


def test_slack_gives_one_threaded_answer_with_linked_sources(
    bot: RunningBot, model: ScriptedModel, slack: LoopbackSlack
) -> None:
    model.script(says(GROUNDED))
    ts = fresh_ts()
    assert asyncio.run(deliver(f"{bot.url}/slack/events", mention(QUESTION, ts))) == 200
    message = final_message(slack, "C1", ts)
    assert "within 30 days of delivery" in message.shown
    assert "https://shop.example/help/refunds" in message.shown
    assert (message.content["unfurl_links"], message.content["unfurl_media"]) == (False, False)


def test_socket_mode_and_http_redeliveries_of_one_event_give_one_answer(
    bot: RunningBot, model: ScriptedModel, slack: LoopbackSlack
) -> None:
    model.script(says(GROUNDED))
    wait_for(lambda: slack.is_connected)
    before, ts = len(model.requests), fresh_ts()
    twin = {**mention(QUESTION, ts)["event"], "type": "message"}
    body = mention(QUESTION, ts)
    slack.send(body)
    slack.send({**body, "event": twin, "event_id": "EvTwin"})
    for number in range(3):
        headers = {"X-Slack-Retry-Num": str(number + 1), "X-Slack-Retry-Reason": "http_timeout"}
        asyncio.run(deliver(f"{bot.url}/slack/events", body, headers=headers))
    final_message(slack, "C1", ts)
    time.sleep(0.5)
    assert len(slack.thread("C1", ts)) == 1
    assert len(model.requests) == before + 1


def test_a_follow_up_in_the_thread_is_understood(
    bot: RunningBot, model: ScriptedModel, slack: LoopbackSlack
) -> None:
    first, second = fresh_ts(), fresh_ts()
    for count, text, ts, extra in (
        (1, "How long do parcels to Norway take?", first, {}),
        (2, "And what does it cost?", second, {"thread_ts": first}),
    ):
        asyncio.run(deliver(f"{bot.url}/slack/events", direct_message(text, ts, "D1", **extra)))
        wait_for(lambda count=count: _finished(slack, "D1", first) == count)
    assert "Norway" in model.requests[-1].prompt
    assert "12 euros" in model.requests[-1].prompt


def _finished(slack: LoopbackSlack, channel: str, ts: str) -> int:
    return sum(len(message.history) > 1 for message in slack.thread(channel, ts))


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_of_the_endpoint_ends_in_one_clear_answer_at_every_door(
    fault: str,
    hasty_bot: RunningBot,
    model: ScriptedModel,
    slack: LoopbackSlack,
    terminal: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SUPPORTBOT_DEADLINE_SECONDS", str(HASTY_DEADLINE))
    model.script(FAULTS[fault])
    ts, channel = fresh_ts(), f"C{fault}"
    asyncio.run(deliver(f"{hasty_bot.url}/slack/events", mention(QUESTION, ts, channel)))
    with ThreadPoolExecutor() as beside:
        web = beside.submit(_ask_over_http, hasty_bot)
        code, out, err = terminal("ask", QUESTION, "--json")
        answered = web.result()
    message = final_message(slack, channel, ts)
    assert code == 0
    _check(fault, json.loads(out))
    _check(fault, answered)
    assert "30 days" in message.shown
    assert message.shown != GROUNDED
    shown = (out, err, json.dumps(answered), message.shown)
    assert not any(word in text for word in PROVIDER_WORDS for text in shown)
    calls = Counter(request.headers["x-client-request-id"] for request in model.requests)
    assert max(calls.values(), default=0) <= CALLS
    _close_breaker(hasty_bot, model)


def _ask_over_http(bot: RunningBot) -> dict[str, Any]:
    reply = httpx2.post(f"{bot.url}/v1/answers", json={"question": QUESTION}, timeout=30)
    answer: dict[str, Any] = reply.json()
    return answer


def _check(fault: str, answer: dict[str, Any]) -> None:
    """What was shown before the failure stays and says that it is cut; else the bot quotes."""
    is_cut = fault.endswith(SHOWS_A_SENTENCE)
    assert answer["outcome"] == ("answered" if is_cut else "quoted")
    assert "30 days" in answer["text"]
    assert answer["citations"]
    assert answer["text"] != GROUNDED
    assert answer["timings"]["total_ms"] <= (HASTY_DEADLINE + MARGIN) * 1000  # by the bot's clock


def _close_breaker(bot: RunningBot, model: ScriptedModel) -> None:
    """A good answer in between, so that no test sees the failures of the one before."""
    model.reset()
    model.script(says(GROUNDED))
    assert _ask_over_http(bot)["text"] == GROUNDED
