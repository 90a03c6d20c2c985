"""Whether there is anything to answer: is it a question at all?"""

from __future__ import annotations

import re

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
