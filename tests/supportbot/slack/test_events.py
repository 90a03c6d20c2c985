"""Which events are questions, and what their text is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.slack.events import SlackQuestion, clean_text, read_question
from tests.servers.slack import BOT_USER, TEAM, direct_message, event, mention

NOTICES = [
    *("app_home_opened", "app_uninstalled", "channel_archive", "channel_created"),
    *("channel_rename", "dnd_updated", "emoji_changed", "file_shared", "link_shared"),
    *("member_joined_channel", "member_left_channel", "message_metadata_posted", "pin_added"),
    *("reaction_added", "reaction_removed", "star_added", "team_join", "tokens_revoked"),
    *("user_change", "workflow_step_execute", "assistant_thread_started", "function_executed"),
]
SUBTYPES = [
    *("bot_message", "channel_join", "channel_leave", "channel_name", "channel_purpose"),
    *("channel_topic", "ekm_access_denied", "me_message", "message_changed", "message_deleted"),
    *(
        "message_replied",
        "reminder_add",
        "reply_broadcast",
        "assistant_app_thread",
        "huddle_thread",
    ),
]


def test_a_question_is_paid_for_by_the_workspace_that_asks() -> None:
    asked = read_question(mention("How long?", "1.1"))
    assert asked is not None
    assert asked.to_question("public").workspace == f"slack:{TEAM}"


@pytest.mark.parametrize("kind", NOTICES)
def test_a_notice_is_no_question(kind: str) -> None:
    assert read_question(direct_message("text", "1.1", type=kind)) is None


@pytest.mark.parametrize("subtype", SUBTYPES)
def test_a_message_that_no_person_wrote_now_is_no_question(subtype: str) -> None:
    assert read_question(direct_message("text", "1.1", subtype=subtype)) is None
    assert read_question(mention("text", "1.1", subtype=subtype)) is None


@pytest.mark.parametrize(
    "extra",
    [
        {"bot_id": "B9"},
        {"bot_profile": {"id": "B9"}},
        {"edited": {"user": "U1", "ts": "2.1"}},
        {"hidden": True},
        {"user": BOT_USER},
        {"user": "USLACKBOT"},
        {"user": None},
        {"user": ""},
        {"ts": None},
        {"channel": None},
    ],
    ids=str,
)
def test_bots_edits_and_what_lacks_its_parts_are_no_questions(extra: dict[str, Any]) -> None:
    assert read_question(mention("text", "1.1", **extra)) is None
    assert read_question(direct_message("text", "1.1", **extra)) is None


@pytest.mark.parametrize("channel_type", ["channel", "group", "mpim", None, 5])
def test_a_message_in_a_channel_is_a_question_only_when_it_mentions(channel_type: object) -> None:
    message = direct_message("text", "1.1", channel_type=channel_type)
    assert read_question(message) is None


def test_a_message_with_a_file_and_words_is_a_question() -> None:
    assert read_question(direct_message("why?", "1.1", subtype="file_share")) is not None
    assert read_question(direct_message("", "1.1", subtype="file_share")) is None


def test_the_key_is_the_same_for_every_form_of_a_message() -> None:
    first = read_question(mention("text", "1.1", "D1"))
    twin = read_question(direct_message("text", "1.1", "D1"), BOT_USER)
    assert first is not None
    assert twin is not None
    assert first.key == twin.key == "slack:T0001:D1:1.1"


def test_a_question_survives_the_inbox() -> None:
    question = read_question(mention("text", "1.1", thread_ts="0.9"))
    assert question is not None
    assert SlackQuestion.from_payload(question.payload) == question
    assert question.to_question("staff").conversation_id == "slack:T0001:C1:0.9"


def test_a_shared_channel_sees_what_is_public() -> None:
    inside = read_question(mention("text", "1.1"))
    shared = read_question(mention("text", "1.1") | {"is_ext_shared_channel": True})
    assert inside is not None
    assert shared is not None
    assert inside.to_question("staff").scope.audiences == {"public", "staff"}
    assert shared.to_question("staff").scope.audiences == {"public"}


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (f"<@{BOT_USER}> how long?", "how long?"),
        (f"hello <@{BOT_USER}|bot> how long?", "hello how long?"),
        ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
        ("see <https://a.example/x>", "see https://a.example/x"),
        ("see <https://a.example/x|a.example/x>", "see https://a.example/x"),
        ("see <https://a.example/x|the page>", "see the page (https://a.example/x)"),
        ("mail <mailto:a@b.example|a@b.example>", "mail a@b.example"),
        ("in <#C12|general> or <#C13>", "in #general or #C13"),
        ("<!here> ask <@U2|ann>", "@here ask @ann"),
        ("<!subteam^S1|@support> help", "@support help"),
        ("on <!date^1392734382^{date}|2014-02-18>", "on 2014-02-18"),
        ("```\nif a &gt; 1:\n    stop\n```", "```\nif a > 1:\n    stop\n```"),
        ("x" * 50_000, "x" * 40_000),
    ],
)
def test_the_text_is_what_its_writer_typed(text: str, plain: str) -> None:
    assert clean_text(text, BOT_USER) == plain


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
FIELDS = ["type", "user", "text", "ts", "channel", "thread_ts", "subtype", "bot_id", "channel_type"]
VALUES = st.sampled_from(["app_mention", "message", "im", "U1", "1.1"]) | JSON


@given(
    st.dictionaries(st.sampled_from(FIELDS), VALUES) | JSON,
    st.dictionaries(st.sampled_from(["team_id", "authorizations", "is_ext_shared_channel"]), JSON),
)
def test_an_event_of_any_shape_is_a_question_or_none(body: Any, outer: dict[str, Any]) -> None:
    whole = event(body, **outer) if isinstance(body, Mapping) else {"event": body, **outer}
    question = read_question(whole)
    assert question is None or (question.channel and question.ts and question.user)


@given(st.text(), st.sampled_from(["", BOT_USER]))
def test_cleaning_never_fails(text: str, own_user: str) -> None:
    assert len(clean_text(text, own_user)) <= 40_000
