"""Cuts streamed Markdown into the units that are checked and shown one at a time.

A unit is a sentence with the marks that follow it, a list item, a table row, a heading or a whole
code block. The units' texts, in order, are the streamed text, however it was split into pieces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

MAX_UNIT_CHARACTERS = 4_000  # a longer one is cut into fragments; code blocks are not
LOOKAHEAD = 8  # characters after a line break that decide what the next line is

Kind = Literal["sentence", "item", "row", "heading", "code", "fragment"]

MARK = r"(?:\[\^?\d{1,3}(?:\s{0,2}[,;–-]\s{0,2}\d{1,3}){0,20}\]|【\d{1,3}】)"
_BLOCK = re.compile(
    r"[ \t]{0,12}(?:(?P<code>```|~~~)|(?P<heading>#{1,6}[ \t])|(?P<row>\|)"
    r"|(?P<item>(?:[-*+•]|\d{1,3}[.)])[ \t])|(?P<rule>(?:-{3,}|\*{3,}|_{3,})[ \t]*(?:\n|$)))"
)
_BOLD_LINE = re.compile(r"[ \t]{0,3}(?:\*\*|__)[^*_\n]{1,200}(?:\*\*|__):?[ \t]*(?:\n|$)")
_END = re.compile(r"[.!?…]+[\"'”’»)\]*_`]*|[。！？]+[」』”’）\"*_]*|\n")
_MARKS = re.compile(rf"(?:[ \t]*\n?[ \t]*{MARK})+[.。]?")
_PART_OF_MARK = re.compile(r"[ \t]*\n?[ \t]*(?:\[\^?[\d,;– -]{0,80}|【\d{0,3})?")
_WORD_BEFORE = re.compile(r"(?:^|[\s(\[\"'“„«*_])((?:\w{1,3}\.){0,3}\w{1,12})$")
_ABBREVIATED = """
e.g i.e eg ie mr mrs ms dr prof vs no nr fig st approx ca cf incl resp p pp art sec sr sra mme av
z.b d.h u.a o.ä bzw inkl ggf vgl evtl sog abs p.ex p.ej m.a.w bijv
"""
_ABBREVIATIONS = frozenset(_ABBREVIATED.split())
_BEFORE_ORDINAL = re.compile(r"\b(?:am|dem|der|den|vom|zum|des|die|das|bis|ab|im) \d{1,2}$")


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of Markdown that is shown whole or not at all; white space around it included."""

    text: str
    kind: Kind


def split(text: str) -> list[Unit]:
    """Return the units of a whole text."""
    splitter = UnitSplitter()
    return splitter.feed(text) + splitter.finish()


class UnitSplitter:
    """Gives units as soon as their end is certain."""

    def __init__(self) -> None:
        self._pending = ""
        self._searched = 0  # no end stands before this place
        self._at_line_start = True

    def feed(self, text: str) -> list[Unit]:
        """Return the units that this piece of text completes."""
        self._pending += text
        return self._units(is_final=False)

    def finish(self) -> list[Unit]:
        """Return the rest."""
        return self._units(is_final=True)

    def discard(self) -> None:
        """Forget the text that makes no whole unit yet."""
        self.__init__()  # type: ignore[misc]

    def _units(self, is_final: bool) -> list[Unit]:
        units = []
        while found := self._first(is_final):
            end, kind = found
            text, self._pending = self._pending[:end], self._pending[end:]
            self._searched = 0
            self._at_line_start = text.endswith("\n")
            units.append(Unit(text, kind))
        return units

    def _first(self, is_final: bool) -> tuple[int, Kind] | None:
        """Return where the first pending unit ends and what it is, None while that is open."""
        text = self._pending
        start = len(text) - len(text.lstrip())
        if start == len(text):
            return (start, "sentence") if is_final and text else None
        line_start = text.rfind("\n", 0, start) + 1
        if not (self._at_line_start or line_start):
            return self._prose(start, is_final)
        if not is_final and len(text) - start < LOOKAHEAD and "\n" not in text[start:]:
            return None
        block = _BLOCK.match(text, line_start)
        if block is None:
            if _BOLD_LINE.match(text, line_start):
                return self._line(start, "heading", is_final)
            return self._prose(start, is_final)
        if block["code"]:
            return self._code(block, is_final)
        kinds: dict[str | None, Kind] = {"heading": "heading", "row": "row", "item": "item"}
        return self._line(start, kinds.get(block.lastgroup, "heading"), is_final)

    def _line(self, start: int, kind: Kind, is_final: bool) -> tuple[int, Kind] | None:
        end = self._pending.find("\n", start, start + MAX_UNIT_CHARACTERS)
        if end >= 0:
            return end + 1, kind
        return self._forced(start, kind, is_final)

    def _code(self, block: re.Match[str], is_final: bool) -> tuple[int, Kind] | None:
        fence = re.compile(rf"\n[ \t]{{0,12}}{re.escape(block['code'])}[`~]*[ \t]*(?:\n|$)")
        close = fence.search(self._pending, max(block.end(), self._searched))
        if close and (is_final or close.group().endswith("\n")):
            return close.end(), "code"
        if is_final:
            return len(self._pending), "code"
        self._searched = max(block.end(), self._pending.rfind("\n"))
        return None

    def _prose(self, start: int, is_final: bool) -> tuple[int, Kind] | None:
        for match in _END.finditer(self._pending, max(start, self._searched)):
            if match.start() > start + MAX_UNIT_CHARACTERS:
                break
            end = self._line_end(match, is_final) if match.group() == "\n" else 0
            end = end or self._sentence_end(match, is_final)
            if end is None:
                self._searched = match.start()
                return None
            if end:
                return end, "sentence"
        else:
            self._searched = max(start, len(self._pending) - LOOKAHEAD)
        return self._forced(start, "sentence", is_final)

    def _forced(self, start: int, kind: Kind, is_final: bool) -> tuple[int, Kind] | None:
        limit = start + MAX_UNIT_CHARACTERS
        if len(self._pending) <= limit + LOOKAHEAD:
            return (len(self._pending), kind) if is_final else None
        space = self._pending.rfind(" ", start + 1, limit)
        return (space + 1 if space > start else limit), "fragment"

    def _line_end(self, match: re.Match[str], is_final: bool) -> int | None:
        """Return the end if a new block follows this line break, 0 if not, None while open."""
        rest = self._pending[match.end() : match.end() + 200]
        if not is_final and len(rest) < LOOKAHEAD and "\n" not in rest:
            return None
        starts_block = not rest.strip(" \t") or rest.lstrip(" \t").startswith("\n")
        return match.end() if starts_block or _BLOCK.match(rest) else 0

    def _sentence_end(self, match: re.Match[str], is_final: bool) -> int | None:
        """Return where the sentence ends, 0 if it does not end here, None while that is open."""
        if match.group() == "\n":
            return 0
        text = self._pending
        marks = _MARKS.match(text, match.end())
        end = marks.end() if marks else match.end()
        part = _PART_OF_MARK.match(text, end)
        if not is_final and part and part.end() == len(text):
            return None
        following = text[end : end + 40]
        is_wide = match.group()[0] in "。！？"
        if following and not (following[0].isspace() or marks or is_wide):
            return 0
        goes_on = following.lstrip()[:1].islower() or (
            match.group() == "." and self._is_abbreviation(match.start())
        )
        if goes_on and not marks:
            return 0
        return end

    def _is_abbreviation(self, stop: int) -> bool:
        """Tell whether the full stop at this place belongs to an abbreviation or an ordinal."""
        before = self._pending[max(0, stop - 40) : stop]
        if _BEFORE_ORDINAL.search(before):
            return True
        word = _WORD_BEFORE.search(before)
        if not word:
            return False
        letters = word[1].casefold()
        is_initial = len(letters) == 1 and letters.isalpha()
        return is_initial or letters in _ABBREVIATIONS or "." in letters.strip(".")
