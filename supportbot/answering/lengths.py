"""What is read of a message that is longer than a question, such as a pasted log.

The question stands before the log or after it, so both ends are kept.
"""

from __future__ import annotations

import re

from supportbot.conversation import MAX_QUESTION_CHARACTERS

_GAP = "\n[…]\n"
_TAIL = 1_000  # characters of the end that are kept
_LONG = 800  # an embedding model reads about so many characters
_ASKING = re.compile(r"[^.!?\n。！？]{3,300}[?？]")


def readable(message: str) -> str:
    """Return a message within the length of a question: its beginning and its end."""
    text = message.strip()
    if len(text) <= MAX_QUESTION_CHARACTERS:
        return text
    head = text[: MAX_QUESTION_CHARACTERS - _TAIL - len(_GAP)]
    return f"{head.rstrip()}{_GAP}{text[-_TAIL:].lstrip()}"


def asking_first(question: str) -> str:
    """Return a question as it is searched: in a long one, its sentences that ask come first."""
    if len(question) <= _LONG:
        return question
    asking = [match.group().strip() for match in _ASKING.finditer(question)]
    return "\n".join([*asking[-3:], question]) if asking else question
