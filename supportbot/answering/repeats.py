"""Which questions may share an answer, and when one that was given may be said again.

The answers that were given are the cache: nothing is stored twice, all replicas see it, a restart
keeps it, and an erased conversation is erased from it. Wrong reuse costs more than a model's call,
so only the form of a question is looked through, never its meaning: two questions share an answer
if they differ in white space, in the case of plain words, in closing punctuation and in courtesies
around a question. And the search is made all the same: an answer is said again only if all that it
cites was found again, which what expired, changed or is for others is not.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence

from knowledge.documents import Evidence, content_hash
from supportbot.answering.prompts import RULES
from supportbot.conversation import Answer, Question, Turn

_BEGINNINGS = """
how what when where why who whom whose which can could may do does did is are was were will would
should has have am i we my our there if please
"""
# What follows a courtesy must be a question, so that "Hello World tutorial" stays as it is.
_BEFORE_QUESTION = rf"(?=(?:{'|'.join(_BEGINNINGS.split())})\b)"
_GREETING = r"(?:hi|hello|hey|good (?:morning|afternoon|evening|day))(?: there| all| team)?"
_OPENING = re.compile(
    rf"\A(?:{_GREETING}\s*[,.!:;–-]*\s+|please\s*,?\s+){_BEFORE_QUESTION}"
    r"|\A(?:(?:(?:can|could|would) you (?:please )?|please )tell me,?|i(?: would|'d) like to know)"
    r"\s+(?=(?:how|what|when|where|why|who|whose|which|if|whether)\b)",
    re.I,
)
_CLOSING = re.compile(
    r"(?<=[,.!?;])\s*(?:please|thanks|thank you|thx|many thanks|thanks in advance|"
    r"thank you (?:very much|in advance))$",
    re.I,
)
_ENDS = " ?!.,;…？！。"
_PLAIN_WORD = re.compile(r"[^\W\d_]{2,}(?:['-][^\W\d_]+)*|[IA]")
# In capitals these are names: US, IT, WHO.
_NAMES_TOO = frozenset({"am", "in", "it", "me", "or", "us", "who"})


def normalised(question: str) -> str:
    """Return what is left of a question without what does not change its answer.

    What is quoted, codes, options and single letters keep their case: `-r` is another option than
    `-R`. Courtesies are looked through in English only.
    """
    text = " ".join(unicodedata.normalize("NFC", question).replace("’", "'").split())
    before = None
    while before != text:
        before = text
        text = _CLOSING.sub("", _OPENING.sub("", text)).strip()
        text = text.rstrip(_ENDS) or text
    return " ".join(map(_folded, text.split(" ")))


def key(question: Question, history: Sequence[Turn], release: str, model: str) -> str:
    """Return the hash that questions with the same answer share.

    Of the release, the asker's audiences, the question, all that was asked before it, the model,
    and the rules that the model is given.
    """
    earlier = [(normalised(turn.question), normalised(turn.standalone)) for turn in history]
    asked = normalised(question.text)
    parts = [release, sorted(question.scope.audiences), asked, earlier, model, content_hash(RULES)]
    return content_hash(json.dumps(parts, ensure_ascii=False))


def still_holds(answer: Answer, evidence: Evidence) -> bool:
    """Tell whether all that an answer cites was found just now, word for word."""
    found = {(chunk.id, chunk.text_hash) for chunk in evidence.chunks}
    return all((cited.chunk_id, cited.text_hash) in found for cited in answer.citations)


def _folded(word: str) -> str:
    core = word.strip(",.!?;:()")
    is_name = core.isupper() and core.casefold() in _NAMES_TOO
    return word.casefold() if _PLAIN_WORD.fullmatch(core) and not is_name else word
