"""Whether there is anything to answer, and why not: for the asker and for an operator."""

from __future__ import annotations

import re
from collections.abc import Iterable

from knowledge.documents import STAFF, Document, Evidence, Scope
from knowledge.sufficiency import is_far_off
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
