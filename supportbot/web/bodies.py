"""What goes in and out as JSON: the request bodies, and the shapes that /openapi.json describes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from supportbot.conversation import MAX_QUESTION_CHARACTERS, Outcome

Id = Annotated[str, StringConstraints(min_length=1, max_length=128)]
QuestionText = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_QUESTION_CHARACTERS),
]


class AnswerRequest(BaseModel):
    """A question. Leave `conversation_id` out to open a conversation; the answer names it."""

    question: QuestionText = Field(examples=["How do I connect Slack?"])
    conversation_id: Id | None = None


class FeedbackRequest(BaseModel):
    """What somebody thinks of an answer."""

    answer_id: Id
    rating: Literal["up", "down"]
    reason: Annotated[str, StringConstraints(max_length=200)] = Field(
        "", description="in a word or two; `reported` reports the answer to the operator"
    )
    comment: Annotated[str, StringConstraints(max_length=2_000)] = ""


class CitationBody(BaseModel):
    """A numbered source. `quote` stands word for word in the document."""

    number: int
    document_id: str
    title: str
    uri: str
    heading: str
    quote: str
    link: str = Field(description="`uri` with a text fragment on the quote, where it is a page")


class UsageBody(BaseModel):
    """Tokens and dollars that the model took."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    cost_usd: float


class TimingsBody(BaseModel):
    """Milliseconds from the question's arrival."""

    retrieval_ms: int | None
    first_text_ms: int | None
    total_ms: int


class AnswerBody(BaseModel):
    """The one final answer to a question."""

    id: str
    conversation_id: str
    question: str
    outcome: Outcome
    text: str = Field(description="Markdown with [1] marks")
    html: str = Field(description="the same, sanitised")
    citations: list[CitationBody]
    model: str | None
    release: str | None
    usage: UsageBody
    timings: TimingsBody


class ConversationBody(BaseModel):
    """The answers of a conversation, oldest first, each with its question."""

    conversation_id: str
    turns: list[AnswerBody]


class ProblemBody(BaseModel):
    """Problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
