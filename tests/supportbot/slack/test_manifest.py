"""The manifest asks for exactly what the bot uses."""

from __future__ import annotations

from pathlib import Path

import yaml

from supportbot.config import BotSettings
from supportbot.slack.app import examine_slack
from supportbot.slack.manifest import EVENTS, METHODS, SCOPES
from tests.servers.slack import (
    APP_TOKEN,
    BOT_TOKEN,
    LoopbackSlack,
    deliver,
    error,
    lost,
    mention,
)
from tests.supportbot.slack.conftest import Bot, until

FILE = Path(__file__).parents[3] / "deploy" / "slack" / "manifest.yaml"


def manifest() -> dict:
    return yaml.safe_load(FILE.read_text())


def test_the_scopes_are_those_of_the_calls_and_events() -> None:
    assert sorted(SCOPES) == sorted(manifest()["oauth_config"]["scopes"]["bot"])


def test_the_subscribed_events_are_those_that_are_handled() -> None:
    assert sorted(EVENTS) == sorted(manifest()["settings"]["event_subscriptions"]["bot_events"])


def test_the_button_of_an_answer_is_heard() -> None:
    assert manifest()["settings"]["interactivity"]["is_enabled"]


def test_the_app_is_an_agent_that_can_be_written_to() -> None:
    features = manifest()["features"]
    assert features["agent_view"]["agent_description"]
    assert features["app_home"]["messages_tab_enabled"]
    assert not features["app_home"]["messages_tab_read_only_enabled"]
    assert "assistant_view" not in features


async def test_the_bot_calls_only_what_its_scopes_allow(http_bot: Bot) -> None:
    http_bot.slack.fail("chat.postMessage", lost())
    async with http_bot.serving() as url:
        await deliver(url, mention("refunds?", "1.1"))
        await until(lambda: http_bot.inbox.finished)
    assert {call.method for call in http_bot.slack.calls} == set(METHODS) - {
        "apps.connections.open"
    }


def settings(slack: LoopbackSlack, **changes: str) -> BotSettings:
    tokens = {"slack_bot_token": BOT_TOKEN, "slack_app_token": APP_TOKEN}
    return BotSettings(slack_api_url=slack.api_url, **{**tokens, **changes})


async def test_examining_finds_nothing_wrong_with_what_works(slack: LoopbackSlack) -> None:
    assert await examine_slack(settings(slack)) == ""


async def test_examining_names_what_is_wrong(slack: LoopbackSlack) -> None:
    assert "auth.test: invalid_auth" in await examine_slack(
        settings(slack, slack_bot_token="xoxb-other")
    )
    slack.fail("apps.connections.open", error("not_allowed_token_type"))
    assert "apps.connections.open: not_allowed_token_type" in await examine_slack(settings(slack))
    slack.scopes = "chat:write"
    assert "im:history" in await examine_slack(settings(slack))
