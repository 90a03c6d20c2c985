"""Lets the model look for more passages itself, or hand over to a person, before it answers.

A question asks the model at most three times here, where it otherwise does so twice at most: the
model may ask for passages, once more for what those left open, and must then answer. All that
a search finds is the asker's to see, and becomes a passage like the others: numbered, delimited,
declared to be data, and what sentences are checked against.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from knowledge.documents import Evidence, Hit
from knowledge.errors import KnowledgeError
from supportbot.answering import prompts
from supportbot.answering.draft import prepared
from supportbot.answering.grounding import Passage
from supportbot.answering.model import Finished, Message, Model, ModelEvent, Retrying
from supportbot.answering.toolcalls import ToolCall, Tools
from supportbot.conversation import Usage
from supportbot.errors import FailureKind, ModelError

MAX_REQUESTS = 3  # a question, tries that failed included: two rounds of calls and the answer
MAX_SEARCHES = 3  # in one reply
SEARCH_SHARE = 0.3  # of the time left, for the searches of one reply
_RESULT_TOKENS = 100  # the words around passages
_INVALID = "This call is invalid and was not made. Answer from the passages you have."
_FAILED = "The search failed. Answer from the passages you have."
_TOO_MANY = "Too many calls at once; this one was not made."
_NOTHING_NEW = "Nothing that you do not have already. Answer from the passages you have."
_log = logging.getLogger(__name__)


class SearchKnowledge(BaseModel):
    """The arguments of a search."""

    model_config = ConfigDict(extra="forbid", strict=True, str_strip_whitespace=True)

    query: str = Field(
        description="one aspect in plain words, understandable without the conversation",
        min_length=2,
        max_length=300,
    )


class HandOff(BaseModel):
    """The arguments of handing over."""

    model_config = ConfigDict(extra="forbid", strict=True, str_strip_whitespace=True)

    reason: str = Field(description="why, in one sentence", min_length=2, max_length=200)


CALLABLE: dict[str, type[SearchKnowledge | HandOff]] = {
    "search_knowledge": SearchKnowledge,
    "hand_off": HandOff,
}


def _function(name: str, description: str) -> dict[str, object]:
    schema = CALLABLE[name].model_json_schema()
    del schema["description"]
    for one in (schema, *schema["properties"].values()):
        del one["title"]
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": schema},
    }


FUNCTIONS = (
    _function("search_knowledge", prompts.SEARCH),
    _function("hand_off", prompts.HAND_OFF),
)
FUNCTION_TOKENS = prompts.estimated_tokens(json.dumps(FUNCTIONS))


@dataclass(frozen=True, slots=True)
class Task:
    """A question as the loop needs it.

    Args:
        evidence: what the first search found.
        request: what the model is asked with it.
        search: searches within the asker's scope; called in a thread; raises KnowledgeError.
    """

    evidence: Evidence
    request: Sequence[Message]
    search: Callable[[str], Evidence]


@dataclass(frozen=True, slots=True)
class LookedUp:
    """The calls of one reply were answered, and another reply follows."""

    hits: tuple[Hit, ...]  # new ones only
    passages: tuple[Passage, ...]  # the same, numbered on
    usage: Usage  # of the reply


ReplyEvent = ModelEvent | LookedUp


class Agent:
    """One question's loop of replies and calls."""

    def __init__(self, model: Model, task: Task, deadline: float, reference: str) -> None:
        self._model = model
        self._task = task
        self._deadline = deadline
        self._reference = reference
        self._hits = list(task.evidence.hits)
        self._messages = list(task.request)
        self._requests = 0
        self._may_call = True

    async def stream(self) -> AsyncGenerator[ReplyEvent, None]:
        """Stream all replies; `Finished` comes last, and has calls only where it hands over.

        Raises:
            ModelError: a reply failed, or the model wants to call where it may no more.
        """
        finished = None
        while finished is None or (finished.calls and not is_hand_over(finished)):
            if finished:
                yield await self._looked_up(finished)
            async with aclosing(self._reply()) as events:
                async for event in events:
                    if isinstance(event, Finished):
                        finished = event
                    else:
                        yield event
        yield finished

    async def _reply(self) -> AsyncGenerator[ModelEvent, None]:
        """Stream one reply; an endpoint that does not take the results is asked without them."""
        try:
            async with aclosing(self._tries()) as events:
                async for event in events:
                    yield event
            return
        except ModelError as error:
            if error.kind is not FailureKind.BAD_REQUEST or self._is_at_start:
                raise
            failure = error
        yield Retrying(failure)
        self._start_over()
        async with aclosing(self._tries()) as events:
            async for event in events:
                yield event

    @property
    def _is_at_start(self) -> bool:
        return len(self._messages) == len(self._task.request)

    def _start_over(self) -> None:
        """Make ready to ask as at first, for the answer."""
        self._messages, self._may_call = list(self._task.request), False

    async def _tries(self) -> AsyncGenerator[ModelEvent, None]:
        """Stream the model's reply; each try counts as a request."""
        if self._requests >= MAX_REQUESTS:
            raise ModelError(FailureKind.MALFORMED, "tool calls without an end")
        self._requests += 1
        tools = Tools(FUNCTIONS, self._may_call and self._requests < MAX_REQUESTS)
        replies = self._model.stream(self._messages, self._deadline, self._reference, tools)
        async with aclosing(replies):
            async for event in replies:
                if isinstance(event, Retrying):
                    if self._requests >= MAX_REQUESTS:
                        raise event.error
                    self._requests += 1
                yield event

    async def _looked_up(self, finished: Finished) -> LookedUp:
        """Answer each call of a reply, so that the next request can tell of it."""
        first = len(self._hits)
        known = [*self._messages, finished.message or Message("assistant", "")]
        room = prompts.MAX_PROMPT_TOKENS - FUNCTION_TOKENS - sum(map(_tokens, known))
        until = self._clock() + (self._deadline - self._clock()) * SEARCH_SHARE
        results: list[Message] = []
        for number, call in enumerate(finished.calls):
            before = len(self._hits)
            trouble = await self._make(call, until) if number < MAX_SEARCHES else _TOO_MANY
            text = trouble or self._told(before, room)
            results.append(Message("tool", text, {"tool_call_id": call.id}))
            room -= _tokens(results[-1])
        self._messages = [*known, *results]
        if room < 0:  # such as after very long thinking
            self._start_over()
            del self._hits[first:]
        new = tuple(self._hits[first:])
        passages = await asyncio.to_thread(prepared, [hit.chunk for hit in new], first + 1)
        return LookedUp(new, tuple(passages), finished.usage)

    async def _make(self, call: ToolCall, until: float) -> str:
        """Make a call, and return what was wrong with it, "" where nothing was.

        What cannot be done is told once: the next reply must be the answer.
        """
        arguments = parsed(call)
        if not isinstance(arguments, SearchKnowledge):
            self._may_call = False
            return _INVALID
        try:
            async with asyncio.timeout_at(until):
                found = await asyncio.to_thread(self._task.search, arguments.query)
        except (KnowledgeError, TimeoutError) as error:
            _log.warning("a search of the model failed", extra={"failure": repr(error)})
            self._may_call = False
            return _FAILED
        self._hits += self._new(found)
        return ""

    def _new(self, found: Evidence) -> list[Hit]:
        """Return what was not there yet; an answer stands on one release alone."""
        if found.release != self._task.evidence.release:
            return []
        known = {hit.chunk.text for hit in self._hits}
        return [hit for hit in found.hits if hit.chunk.text not in known]

    def _told(self, before: int, room: int) -> str:
        """Return the passages since that place as the result of a call."""
        new = [hit.chunk for hit in self._hits[before:]]
        return prompts.passages(new, room - _RESULT_TOKENS, before + 1) if new else _NOTHING_NEW

    @staticmethod
    def _clock() -> float:
        return asyncio.get_running_loop().time()


def parsed(call: ToolCall) -> SearchKnowledge | HandOff | None:
    """Return the arguments of a call, None where it is none of ours or they break the schema."""
    arguments = CALLABLE.get(call.name)
    try:
        return arguments.model_validate_json(call.arguments) if arguments else None
    except ValidationError:
        return None


def is_hand_over(finished: Finished) -> bool:
    """Tell whether a reply hands over to a person; then no other call of it is made."""
    return any(isinstance(parsed(call), HandOff) for call in finished.calls)


def _tokens(message: Message) -> int:
    more = json.dumps(message.more, ensure_ascii=False) if message.more else ""
    return prompts.estimated_tokens(message.content + more)
