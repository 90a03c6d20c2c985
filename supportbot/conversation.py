"""The words of a conversation: Question, Turn, Answer, Citation, Outcome, Usage, AnswerEvent."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

from knowledge.documents import Scope
from supportbot.traces import Trace

MAX_QUESTION_CHARACTERS = 4_000  # that are read
MAX_MESSAGE_CHARACTERS = 40_000  # as Slack bounds one (docs: chat.postMessage, truncating content)


def new_id(prefix: str) -> str:
    """Return a fresh id, unguessable (128 bits), such as `ans_3q2-…`."""
    return f"{prefix}_{secrets.token_urlsafe(16)}"


class Outcome(StrEnum):
    """How a question ended."""

    ANSWERED = "answered"  # every factual sentence carries a checked mark
    QUOTED = "quoted"  # no model: the best passages word for word
    NOT_FOUND = "not_found"  # the knowledge base does not hold it
    CLARIFY = "clarify"  # one question back
    HANDED_OFF = "handed_off"  # a person takes over
    UNAVAILABLE = "unavailable"  # nothing could be done; an apology with a reference


class Cause(StrEnum):
    """Why there is no plain answer, where it was not the model that failed (`FailureKind`).

    It is kept and logged, and never shown to the asker.
    """

    NONE = ""
    NO_DOCUMENT = "no_document"  # what was found is too far from the question
    OUT_OF_SCOPE = "out_of_scope"  # it is nowhere near: another matter is asked for
    NOT_PERMITTED = "not_permitted"  # it is held for others; told to an operator only, afterwards
    CONFLICT = "conflict"  # documents that the answer stands on say different things
    UNCLEAR = "unclear"  # it cannot be told what is asked
    DECLINED = "declined"  # the model found no answer in the passages
    UNGROUNDED = "ungrounded"  # nothing that the model wrote was held by them
    SMALL_TALK = "small_talk"
    INSULT = "insult"  # and nothing else
    HUMAN_WANTED = "human_wanted"
    CURATED = "curated"  # none is needed: a person wrote the answer
    NO_KEY = "no_key"
    BUDGET = "budget"
    RETRIEVAL = "retrieval"
    EMPTY_KNOWLEDGE_BASE = "empty_knowledge_base"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asked, and who may see what."""

    text: str
    conversation_id: str = field(default_factory=lambda: new_id("conv"))
    id: str = field(default_factory=lambda: new_id("q"))
    scope: Scope = field(default_factory=Scope)
    door: Literal["terminal", "http", "slack"] = "terminal"
    user: str = ""  # opaque id of the asker in their door, "" where unknown
    workspace: str = ""  # whose budget it is: `slack:` and a team, `widget:` and a digest, or ""
    asked_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Turn:
    """One question of a conversation with its final answer."""

    question: str
    answer: str
    outcome: Outcome
    standalone: str = ""  # the question, follow-ups made whole


@dataclass(frozen=True, slots=True)
class Citation:
    """A numbered source of an answer. `quote` is verbatim from the passage."""

    number: int
    document_id: str
    title: str
    uri: str
    heading: str
    quote: str
    link: str  # `uri`, with a text fragment on the quote where it is a web page
    chunk_id: str = ""
    text_hash: str = ""  # of the whole passage: the receipt

    def to_json(self) -> dict[str, Any]:
        """Return the public form."""
        public = ("number", "document_id", "title", "uri", "heading", "quote", "link")
        return {name: getattr(self, name) for name in public}


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and dollars of the completed requests of one answer; failed ones cost nothing."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            round(self.cost_usd + other.cost_usd, 10),
        )


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds from the question's arrival, None where the stage was not reached."""

    retrieval_ms: int | None = None
    first_text_ms: int | None = None
    total_ms: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """The one final answer to a question, and the last event of its stream."""

    question: str
    conversation_id: str
    outcome: Outcome
    text: str  # Markdown with [1] marks: the sum of all Text deltas
    html: str = ""  # the same, sanitised
    citations: tuple[Citation, ...] = ()
    model: str | None = None
    release: str | None = None
    usage: Usage = Usage()
    timings: Timings = Timings()
    id: str = field(default_factory=lambda: new_id("ans"))
    standalone: str = ""
    cause: str = Cause.NONE  # a `Cause` or a `FailureKind`, for logs and reports
    request_id: str = ""  # the provider's id of the request, for reports of bad answers
    trace: Trace | None = field(default=None, compare=False)  # how it came about; kept, never shown

    def to_json(self) -> dict[str, Any]:
        """Return the public form, the same in the terminal, over HTTP and in the stream."""
        return {
            "id": self.id,
            "conversation_id": self.conversation_id,
            "question": self.question,
            "outcome": str(self.outcome),
            "text": self.text,
            "html": self.html,
            "citations": [citation.to_json() for citation in self.citations],
            "model": self.model,
            "release": self.release,
            "usage": asdict(self.usage),
            "timings": asdict(self.timings),
        }

    def after(self, timings: Timings) -> Answer:
        """Return the same answer with its timings."""
        return replace(self, timings=timings)


Stage = Literal["searching", "reading", "writing", "checking"]


@dataclass(frozen=True, slots=True)
class Status:
    """What the bot is doing right now."""

    stage: Stage
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of checked text; what was shown is never taken back."""

    delta: str


AnswerEvent = Status | Text | Answer
