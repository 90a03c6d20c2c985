"""What Slack did not sign, or what is no event, is refused: 401 or 400, and never a 5xx."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.errors import StateUnavailable
from supportbot.slack.http import is_readable
from tests.servers.slack import deliver, mention, sign
from tests.supportbot.slack.conftest import Bot

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
DEEP = b'{"event":' * 50_000 + b"1" + b"}" * 50_000


UNSIGNED: list[dict[str, str | None]] = [
    {"X-Slack-Signature": "v0=" + "0" * 64},
    {"X-Slack-Signature": None},
    {"X-Slack-Signature": ""},
    {"X-Slack-Signature": "v0=\xe9\xe8"},
    {"X-Slack-Request-Timestamp": None},
    {"X-Slack-Request-Timestamp": ""},
    {"X-Slack-Request-Timestamp": "yesterday"},
    {"X-Slack-Request-Timestamp": "\xb2\xb3"},
    {"X-Slack-Request-Timestamp": "1e9"},
    {"X-Slack-Request-Timestamp": "9" * 400},
    {"X-Slack-Request-Timestamp": "-1"},
]


async def test_a_request_that_slack_did_not_sign_is_refused(http_bot: Bot) -> None:
    async with http_bot.serving() as url:
        statuses = [await deliver(url, mention("hi", "1.1"), headers=one) for one in UNSIGNED]
    assert statuses == [401] * len(UNSIGNED)
    assert http_bot.inbox.items == {}


@pytest.mark.parametrize("age", [301, -302, 86_400])
async def test_a_signature_is_good_for_five_minutes(http_bot: Bot, age: float) -> None:
    async with http_bot.serving() as url:
        assert await deliver(url, mention("hi", "1.1"), age=age) == 401
        assert await deliver(url, mention("hi", "1.1"), age=290) == 200


async def test_another_secret_is_refused(http_bot: Bot) -> None:
    body, timestamp = json.dumps(mention("hi", "1.1")).encode(), "1700000000"
    signature = {"X-Slack-Signature": sign(body, timestamp, "another secret")}
    async with http_bot.serving() as url:
        assert await deliver(url, body, headers=signature) == 401


UNREADABLE = [
    b"{",
    b'{"type":"event_callback"}',
    b'{"type":"event_callback","event":[]}',
    b'{"type":"event_callback","event":{"type":5}}',
    b'{"event":"text"}',
    DEEP,
    b'{"a":' + b"[" * 100_000,
]
NO_OBJECTS = [b"", b"[]", b'"text"', b"null", b"\xff\xfe", b"[" * 100_000]


async def test_a_signed_body_that_cannot_be_read_is_refused(http_bot: Bot) -> None:
    async with http_bot.serving() as url:
        bodies = UNREADABLE + NO_OBJECTS
        assert [await deliver(url, body) for body in bodies] == [400] * len(bodies)


async def test_a_form_that_cannot_be_read_is_refused(http_bot: Bot) -> None:
    bodies = [*UNREADABLE, b"payload={", b"payload=[]", b"payload=" + b"[" * 100_000, b"\xff"]
    async with http_bot.serving() as url:
        statuses = [await deliver(url, body, headers=FORM) for body in bodies]
    assert statuses == [400] * len(bodies)


async def test_a_body_that_is_too_large_is_refused(http_bot: Bot) -> None:
    async with http_bot.serving() as url:
        assert await deliver(url, b'{"a":"' + b"x" * 1_100_000 + b'"}') == 413


async def test_a_replay_is_answered_with_silence(http_bot: Bot) -> None:
    body = json.dumps(mention("hi", "1.1")).encode()
    async with http_bot.serving() as url:
        assert [await deliver(url, body, age=age) for age in (0, 0, 301)] == [200, 200, 401]
    assert len(http_bot.slack.messages) == 1


async def test_slack_can_check_the_address(http_bot: Bot) -> None:
    async with http_bot.serving() as url:
        body = {"type": "url_verification", "challenge": "c4", "token": "t"}
        assert await deliver(url, body) == 200


async def test_a_database_that_cannot_keep_the_question_makes_slack_come_again(
    http_bot: Bot,
) -> None:
    class Broken(type(http_bot.inbox)):
        async def accept(self, key: str, payload: object) -> bool:
            raise StateUnavailable("the disk is full")

    working, http_bot.inbox = http_bot.inbox, Broken()
    async with http_bot.serving() as url:
        assert await deliver(url, mention("hi", "1.1")) == 503
    http_bot.inbox = working
    async with http_bot.serving() as url:
        assert await deliver(url, mention("hi", "1.1")) == 200


async def test_a_signed_event_of_odd_types_is_no_error(http_bot: Bot) -> None:
    async with http_bot.serving() as url:
        for body in [
            {"type": "event_callback", "event": {"type": "message"}, "authorizations": 5},
            {"type": "event_callback", "event": {"type": "message", "user": 5}},
            {"type": "event_callback", "event": {"type": "message", "channel": [1]}},
            {"type": "event_callback", "event": {"type": "app_mention", "text": {}, "ts": 1}},
            {"type": "event_callback", "event": {"type": "", "subtype": []}, "team": 1},
            {"type": "event_callback", "event": {"type": "message"}, "view": {"team_id": 3}},
            {"type": "event_callback", "event": {"type": "message"}, "response_urls": [3]},
        ]:
            assert await deliver(url, body) < 500
    assert http_bot.slack.messages == []


@given(st.binary(max_size=200), st.sampled_from(["application/json", FORM["Content-Type"], ""]))
def test_reading_any_body_never_fails(body: bytes, content_type: str) -> None:
    is_readable(content_type, body)
