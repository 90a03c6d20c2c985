"""Makes a follow-up question whole.

A guess whether a question is a follow-up is often wrong, so the search does without: it weighs the
question as it stands and together with what was asked before, and a question that needs nothing
from before loses nothing by that. No model is called for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from supportbot.conversation import Outcome, Turn

MAX_CHARACTERS = 600  # of the earlier question that is carried over
_SHORT_WORDS = 4
_NOTHING_ASKED = (Outcome.CLARIFY, Outcome.HANDED_OFF)
_POINTING = re.compile(
    r"\b(?:it|its|that|this|those|these|they|them|their|he|she|him|her|there|one|ones|same|else|"
    r"das|dies|diese[rsnm]?|dafür|damit|davon|dort|sie|ihn|ihm|es|"
    r"ça|cela|ceci|celui|celle|eso|esto|ello|quello|questo|isso|isto|dat|deze|die)\b",
    re.I,
)
_LEADING = re.compile(
    r"^(?:and|or|but|so|also|what about|how about|what if|why|und|oder|aber|was ist mit|warum|"
    r"wieso|et|ou|mais|pourquoi|y|o|pero|e|ma|mas|en|maar|那|それ)\b",
    re.I,
)
_WIDE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_WIDE_SHORT = 8  # characters


def standalone(question: str, history: Sequence[Turn]) -> str:
    """Return the question made whole: a follow-up with the question it leans on before it.

    A question leans on the one before if it points back (`it`, `that`), begins like a
    continuation (`and`, `what about`), or is a few words long.
    """
    previous = context(history)
    if not previous or not _leans(question):
        return question
    if question.casefold() in previous.casefold():
        return previous
    return f"{previous[-MAX_CHARACTERS:].strip()} {question}"


def context(history: Sequence[Turn]) -> str:
    """Return what a question is searched together with: the one before it, made whole.

    What asked nothing, such as a greeting, is passed over.
    """
    asked = (turn for turn in reversed(history) if turn.outcome not in _NOTHING_ASKED)
    return next((turn.standalone or turn.question for turn in asked), "")


def _leans(question: str) -> bool:
    text = question.strip()
    if len(_WIDE.findall(text)) > len(text) // 2:
        return len(text) <= _WIDE_SHORT or bool(_LEADING.match(text))
    is_short = len(text.split()) <= _SHORT_WORDS
    return is_short or bool(_LEADING.match(text) or _POINTING.search(text))
