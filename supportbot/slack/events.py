"""What Slack sends, and which of it is a question for the bot. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from knowledge.documents import Scope
from supportbot.conversation import MAX_MESSAGE_CHARACTERS, Question

# A person's own words also come with these; every other subtype is a notice, an edit or a bot.
SUBTYPES_OF_PEOPLE = frozenset({None, "file_share", "thread_broadcast"})
BOT_MARKS = ("bot_id", "bot_profile", "edited", "hidden")
ENTITY = re.compile(r"<([^<>|]*)(?:\|([^<>]*))?>")
ESCAPES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


@dataclass(frozen=True, slots=True)
class SlackQuestion:
    """A question that somebody asked in Slack."""

    team: str
    channel: str
    ts: str  # of the message, unique in its channel
    thread_ts: str  # of the thread that the answer belongs into
    user: str
    text: str  # without the mention and Slack's markup; "" for a bare mention
    is_shared: bool  # the channel is shared with another organisation

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> SlackQuestion:
        """Return the question that `payload` keeps."""
        return cls(**payload)

    @property
    def payload(self) -> dict[str, Any]:
        """Return the question as the inbox keeps it."""
        return asdict(self)

    @property
    def key(self) -> str:
        """Return what is the same in every delivery of this message, whatever the event's type."""
        return f"slack:{self.team}:{self.channel}:{self.ts}"

    def to_question(self, audience: str) -> Question:
        """Return what the answerer is asked; strangers in a shared channel see the public part."""
        return Question(
            text=self.text,
            id=self.key,
            conversation_id=f"slack:{self.team}:{self.channel}:{self.thread_ts}",
            scope=Scope.of(None if self.is_shared else audience),
            door="slack",
            user=f"{self.team}:{self.user}",
            workspace=f"slack:{self.team}",
        )


@dataclass(frozen=True, slots=True)
class SlackReport:
    """A press of the button that reports an answer."""

    answer_id: str
    channel: str
    ts: str  # of the message that the button stands in
    thread_ts: str
    text: str  # of that message
    blocks: tuple[dict[str, Any], ...]

    def is_about(self, conversation_id: str) -> bool:
        """Tell whether the button stands in the thread of this conversation."""
        door, _, place = conversation_id.partition(":")
        return door == "slack" and place.partition(":")[2] == f"{self.channel}:{self.thread_ts}"


def read_report(body: Mapping[str, Any]) -> SlackReport | None:
    """Return the report that an interaction of whatever shape holds; None where it holds none."""
    actions = body.get("actions")
    action = _mapping(actions[0] if isinstance(actions, list) and actions else None)
    message, channel = _mapping(body.get("message")), _mapping(body.get("channel"))
    blocks = message.get("blocks")
    report = SlackReport(
        answer_id=_string(action.get("value")),
        channel=_string(channel.get("id")),
        ts=_string(message.get("ts")),
        thread_ts=_string(message.get("thread_ts")),
        text=_string(message.get("text")),
        blocks=tuple(blocks) if isinstance(blocks, list) else (),
    )
    is_whole = report.answer_id and report.channel and report.ts and report.thread_ts
    return report if is_whole and all(isinstance(one, dict) for one in report.blocks) else None


def read_question(body: Mapping[str, Any], own_user: str = "") -> SlackQuestion | None:
    """Return the question that an event holds; None for all that is no question for the bot.

    A question is a person's message that mentions the bot, or that is written to it directly.

    Args:
        body: the outer event, of whatever shape.
        own_user: the bot's user id, "" while it is unknown.
    """
    event = body.get("event")
    if not isinstance(event, Mapping) or not _is_for_us(event):
        return None
    own_user = own_user or _authorised_user(body)
    names = ("channel", "ts", "user")
    channel, ts, user = (_string(event.get(name)) for name in names)
    team = _string(body.get("team_id")) or _string(event.get("team"))
    text = clean_text(_string(event.get("text")), own_user)
    if not (channel and ts and user and team) or user in (own_user, "USLACKBOT"):
        return None
    if not text and event.get("type") == "message":
        return None
    return SlackQuestion(
        team=team,
        channel=channel,
        ts=ts,
        thread_ts=_string(event.get("thread_ts")) or ts,
        user=user,
        text=text,
        is_shared=body.get("is_ext_shared_channel") is True,
    )


def clean_text(text: str, own_user: str = "") -> str:
    """Return a message's text as its writer typed it, without the mention of the bot."""
    if own_user:
        text = re.sub(rf"[ \t]*<@{re.escape(own_user)}(\|[^<>]*)?>[ \t]*", " ", text)
    text = ENTITY.sub(_plain_entity, text)
    for escaped, plain in ESCAPES:
        text = text.replace(escaped, plain)
    return text.strip()[:MAX_MESSAGE_CHARACTERS]


def _is_for_us(event: Mapping[str, Any]) -> bool:
    subtype = event.get("subtype")
    if not (subtype is None or isinstance(subtype, str)) or subtype not in SUBTYPES_OF_PEOPLE:
        return False
    if any(event.get(mark) for mark in BOT_MARKS):
        return False
    kind = event.get("type")
    return kind == "app_mention" or (kind == "message" and event.get("channel_type") == "im")


def _authorised_user(body: Mapping[str, Any]) -> str:
    """Return the bot's user id as the event names it, "" where it does not."""
    authorizations = body.get("authorizations")
    first = authorizations[0] if isinstance(authorizations, list) and authorizations else None
    if isinstance(first, Mapping) and first.get("is_bot") is not False:
        return _string(first.get("user_id"))
    return ""


def _plain_entity(match: re.Match[str]) -> str:
    """Return a reader's form of `<@U1|ann>`, `<#C1|general>`, `<!here>`, `<https://a.b|label>`."""
    target, label = match.group(1), match.group(2) or ""
    if target.startswith("@"):
        return f"@{label}" if label else " "
    if target.startswith("#"):
        return f"#{label or target[1:]}"
    if target.startswith("!"):
        return label or f"@{target[1:].partition('^')[0]}"
    address = target.removeprefix("mailto:")
    return address if not label or label in address else f"{label} ({address})"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""
