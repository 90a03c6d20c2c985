"""The tool calls of a streamed reply, and the reply put together so that it can go back.

A model that thinks between calls needs its own reply again in the next request, with all of its
thinking, wherever that stood (vendor: MiniMax-M2 README, "interleaved thinking"). One thing is
changed on the way: arguments that are no JSON object go back as `{}`, for endpoints refuse the
whole request over them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from supportbot.answering.reasoning import DeltaJoiner
from supportbot.errors import FailureKind, ModelError

MAX_CALLS = 8  # in one reply
MAX_ARGUMENT_CHARACTERS = 4_000


@dataclass(frozen=True, slots=True)
class Tools:
    """The functions that a request describes, in OpenAI's form, and whether they may be called.

    The last request of a conversation with calls describes them still: they stand in front of
    everything in the provider's prefix cache, and some relays want them beside earlier calls.
    """

    functions: Sequence[Mapping[str, Any]]
    may_be_called: bool = True


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call that the model wants made; nothing in it has been checked."""

    id: str
    name: str
    arguments: str

    def to_json(self) -> dict[str, Any]:
        """Return the form in which it goes back to the endpoint."""
        function = {"name": self.name, "arguments": _object(self.arguments)}
        return {"id": self.id, "type": "function", "function": function}


class _Growing:
    """A part of the reply that arrives in pieces: its text, and the fields beside the text."""

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self._joiner = DeltaJoiner()
        self._text: list[str] = []

    def add(self, piece: object) -> int:
        """Add a piece of text, and return how long it is."""
        text = piece if isinstance(piece, str) else ""
        if isinstance(piece, Mapping):
            text = json.dumps(piece)  # arguments as an object
        if text:
            self._text.append(self._joiner.feed(text))
        return len(text)

    def keep(self, fields: Mapping[str, Any]) -> None:
        """Keep what was told first of each field."""
        for name, value in fields.items():
            if value not in (None, ""):
                self.fields.setdefault(name, value)

    def text(self) -> str:
        """Return the whole text."""
        self._text = ["".join(self._text) + self._joiner.finish()]
        return self._text[0]


class WholeReply:
    """Gathers the deltas of one reply."""

    def __init__(self) -> None:
        self._calls: dict[int | str, _Growing] = {}
        self._last: int | str = 0
        self._content: list[str] = []
        self._thoughts = {name: _Growing() for name in ("reasoning_content", "reasoning")}
        self._details: dict[int | None, _Growing] = {}

    def take(self, delta: Mapping[str, Any], content: str) -> int:
        """Add one delta, its text already joined; return the characters of calls in it.

        Raises:
            ModelError: there are too many calls.
        """
        self._content.append(content)
        for name, thought in self._thoughts.items():
            thought.add(delta.get(name))
        for part in _mappings(delta.get("reasoning_details")):
            detail = self._details.setdefault(_number(part.get("index")), _Growing())
            detail.keep({name: value for name, value in part.items() if name != "text"})
            detail.add(part.get("text"))
        return sum(map(self._take_call, _mappings(delta.get("tool_calls"))))

    @property
    def content(self) -> str:
        """Return the text as it came, thinking included."""
        return "".join(self._content)

    def calls(self) -> tuple[ToolCall, ...]:
        """Return the calls, each with an id of its own."""
        calls: dict[str, ToolCall] = {}
        for number, one in enumerate(self._calls.values(), start=1):
            told = one.fields.get("id", "")
            id = told if told and told not in calls else f"call_{number}"
            name = one.fields.get("name")
            calls[id] = ToolCall(id, name if isinstance(name, str) else "", one.text())
        return tuple(calls.values())

    def fields(self) -> dict[str, Any]:
        """Return what stands beside the text in the message that goes back."""
        thoughts = {name: text for name, one in self._thoughts.items() if (text := one.text())}
        details = [
            {**one.fields, **({"text": text} if (text := one.text()) else {})}
            for one in self._details.values()
        ]
        return {
            "tool_calls": [call.to_json() for call in self.calls()],
            **thoughts,
            **({"reasoning_details": details} if details else {}),
        }

    def _take_call(self, part: Mapping[str, Any]) -> int:
        """Add a piece of a call: of the one with its index or, without an index, of the last."""
        id = part["id"] if isinstance(part.get("id"), str) else ""
        number = _number(part.get("index"))
        index = (id or self._last) if number is None else number
        if index not in self._calls and len(self._calls) == MAX_CALLS:
            raise ModelError(FailureKind.MALFORMED, "too many tool calls in one reply")
        self._last = index
        call = self._calls.setdefault(index, _Growing())
        function = part.get("function")
        function = function if isinstance(function, Mapping) else {}
        call.keep({"id": id, "name": function.get("name")})
        return call.add(function.get("arguments"))


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _object(arguments: str) -> str:
    """Return the arguments if they are a JSON object of a bearable size, else an empty one."""
    try:
        is_object = isinstance(json.loads(arguments[: MAX_ARGUMENT_CHARACTERS + 1]), dict)
    except (ValueError, RecursionError):
        is_object = False
    return arguments if is_object and len(arguments) <= MAX_ARGUMENT_CHARACTERS else "{}"
