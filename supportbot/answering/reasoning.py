"""Takes the model's thinking out of its text while it streams.

Thinking arrives in many shapes: between `<think>`, `<thinking>` or `<mm:think>` tags inside the
text, closed without having been opened, opened and never closed, with a literal tag inside it, in a
field of its own, or in both places. Tags may be split anywhere. None of it may be shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TAG = re.compile(r"<(?P<close>/?)(?:(?:mm:)?think(?:ing)?|(?P<call>minimax:tool_call))\s*>", re.I)
_TAG_NAMES = ("think>", "thinking>", "mm:think>", "mm:thinking>", "minimax:tool_call>")
_TAG_STARTS = tuple(f"<{slash}{name}" for slash in ("", "/") for name in _TAG_NAMES)
_LONGEST_TAG = max(map(len, _TAG_STARTS))


@dataclass(frozen=True, slots=True)
class Delta:
    """New visible text.

    While `is_settled` is false the text may yet turn out to be thinking that was never opened by a
    tag; a `Discard` tells so.
    """

    text: str
    is_settled: bool = True


@dataclass(frozen=True, slots=True)
class Discard:
    """The visible text so far was thinking: what was not shown yet must not be shown."""


class DeltaJoiner:
    """Gives the new text of each piece, whether pieces are increments or snapshots of the whole.

    Most endpoints send increments, some relays send the whole text so far each time. One piece that
    repeats all before it is no proof, two are. Emoji halves split over two pieces are joined.
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._held = ""  # the second piece, while it may be a snapshot
        self._is_cumulative: bool | None = None  # None: not known yet
        self._half = ""  # the first half of a surrogate pair

    def feed(self, piece: str) -> str:
        """Return the text that this piece adds."""
        return self._mended(self._new(piece))

    def finish(self) -> str:
        """Return what was held back."""
        held, self._held = self._held, ""
        return self._mended(self._kept(held[self._length :] if self._length > 3 else held))

    def _new(self, piece: str) -> str:
        if self._held:
            return self._decide(piece)
        if not self._parts or not self._repeats(piece):
            if self._parts and self._is_cumulative is None:
                self._is_cumulative = False
            return self._kept(piece)
        if self._is_cumulative or self._length >= 16:
            return self._kept(piece[self._length :])
        if self._is_cumulative is None and len(piece) > self._length:
            self._held = piece
            return ""
        return self._kept(piece)

    def _decide(self, piece: str) -> str:
        held, self._held = self._held, ""
        self._is_cumulative = len(piece) > len(held) and piece.startswith(held)
        return self._kept(piece[self._length :] if self._is_cumulative else held + piece)

    def _repeats(self, piece: str) -> bool:
        """Tell whether the piece starts with all the text so far."""
        if len(piece) < self._length or not piece.startswith(self._parts[0]):
            return False
        self._parts = ["".join(self._parts)]
        return piece.startswith(self._parts[0])

    def _kept(self, text: str) -> str:
        if text:
            self._parts.append(text)
            self._length += len(text)
        return text

    def _mended(self, text: str) -> str:
        if text.isascii() and not self._half:
            return text
        text, self._half = self._half + text, ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "ignore")


class ReasoningFilter:
    """Passes on only the visible part of a streamed text, however it is split."""

    def __init__(self) -> None:
        self._pending = ""
        self._inside = ""  # "thought" or "call": what hides the text right now
        self.has_call = False  # a tool call stood in the text, outside of thinking
        self._open = 0  # opening tags that no closing tag has met
        self._is_settled = False

    @property
    def ends_inside(self) -> bool:
        """Tell whether the text ended inside thinking or a tool call."""
        return bool(self._inside)

    def settle(self) -> None:
        """Note that thinking arrives in a field of its own, so the text is the answer."""
        self._is_settled = self._is_settled or not self._open

    def feed(self, text: str) -> list[Delta | Discard]:
        """Return what the next piece of text makes visible."""
        self._pending += text
        out: list[Delta | Discard] = []
        while tag := _TAG.search(self._pending):
            out += self._shown(self._pending[: tag.start()])
            self._pending = self._pending[tag.end() :]
            out += self._call(tag) if tag["call"] else self._thought(tag)
        safe = self._safe_length()
        out += self._shown(self._pending[:safe])
        self._pending = self._pending[safe:]
        return out

    def finish(self) -> list[Delta | Discard]:
        """Return what was held back as a possible tag."""
        text, self._pending = self._pending, ""
        return self._shown(text)

    def _shown(self, text: str) -> list[Delta | Discard]:
        return [Delta(text, self._is_settled)] if text and not self._inside else []

    def _thought(self, tag: re.Match[str]) -> list[Delta | Discard]:
        if not tag["close"]:
            self._open += 1
            self._inside = "thought"
            return []
        was_visible = not self._inside
        self._inside = ""
        self._open = max(0, self._open - 1)
        self._is_settled = not self._open
        return [Discard()] if was_visible else []

    def _call(self, tag: re.Match[str]) -> list[Delta | Discard]:
        if tag["close"]:
            self._inside = "" if self._inside == "call" else self._inside
        else:
            self.has_call = self.has_call or not self._inside
            self._inside = self._inside or "call"
        return []

    def _safe_length(self) -> int:
        """Return how much of the pending text can be no part of a tag that is still arriving."""
        start = self._pending.rfind("<", max(0, len(self._pending) - _LONGEST_TAG - 8))
        if start < 0:
            return len(self._pending)
        tail = self._pending[start:].lower()
        arriving = any(name.startswith(tail) or self._padded(tail, name) for name in _TAG_STARTS)
        return start if arriving else len(self._pending)

    @staticmethod
    def _padded(tail: str, name: str) -> bool:
        return tail.startswith(name[:-1]) and not tail[len(name) - 1 :].strip()
