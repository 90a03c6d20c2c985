"""Whether there is anything to answer, and why not: for the asker and for an operator."""

from __future__ import annotations

import re
from collections.abc import Iterable

from knowledge.documents import STAFF, Document, Evidence, Scope
from knowledge.sufficiency import is_far_off, is_sufficient
from supportbot.conversation import Cause

_GREETING = re.compile(
    r"(?:hi|hello|hey|hallo|guten (?:tag|morgen|abend)|good (?:morning|afternoon|evening)|moin|"
    r"bonjour|salut|hola|buenos días|buenas tardes|ciao|buongiorno|olá|bom dia|hoi|goedendag|"
    r"你好|您好|こんにちは)(?: (?:there|all|bot|zusammen|tous))?",
    re.I,
)
_THANKS = re.compile(
    r"(?:(?:many )?thanks?(?: you)?(?: (?:so|very) much)?(?: a lot)?|thx|ok(?:ay)? thanks?|"
    r"danke(?: (?:schön|sehr|dir|ihnen))?|vielen dank|merci(?: beaucoup)?|(?:muchas )?gracias|"
    r"grazie(?: mille)?|obrigad[oa]|dank (?:je|u)(?: wel)?|bedankt|谢谢|ありがとう(?:ございます)?)",
    re.I,
)


def is_greeting(question: str) -> bool:
    """Tell whether the question is a greeting and nothing else."""
    return bool(_GREETING.fullmatch(question.strip(" \n.!,?！。")))


def is_thanks(question: str) -> bool:
    """Tell whether the question is thanks and nothing else."""
    return bool(_THANKS.fullmatch(question.strip(" \n.!,?！。")))


def why_not(evidence: Evidence) -> Cause:
    """Return why evidence that does not suffice gives no answer.

    It knows nothing but what the asker may see: what is forbidden looks like what does not exist.
    """
    return Cause.OUT_OF_SCOPE if is_far_off(evidence) else Cause.NO_DOCUMENT


def everything(documents: Iterable[Document]) -> Scope:
    """Return the scope of an operator, who may see all of these documents."""
    return Scope(frozenset({STAFF}).union(*(document.audiences for document in documents)))


def why_not_for_operator(cause: str, shown: Evidence, held: Evidence) -> str:
    """Return why there was no answer, for whoever may know that a forbidden one exists.

    Never for the asker, nor in the time that they wait.

    Args:
        cause: of the answer.
        shown: what was found within the asker's scope.
        held: what is found for the same question in the same release within `everything`.
    """
    if cause not in _NOTHING_FOUND or not is_sufficient(held):
        return cause
    is_forbidden = held.chunks[0].id not in {chunk.id for chunk in shown.chunks}
    return Cause.NOT_PERMITTED if is_forbidden else cause


_NOTHING_FOUND = frozenset(
    {Cause.NO_DOCUMENT, Cause.OUT_OF_SCOPE, Cause.DECLINED, Cause.UNGROUNDED}
)
