"""Whether to answer: is there evidence, and is it a question at all?"""

from __future__ import annotations

import re

from knowledge.documents import Evidence

# Fitted on mtrag-govt with the hybrid retriever and MiniLM: of the weights 0, 0.3, 0.5, 0.7 and 1
# equal ones separate answerable from unanswerable best (AUROC 0.816; similarity alone 0.736).
SIMILARITY_WEIGHT = 0.5
COVERAGE_WEIGHT = 0.5
# Below this nothing is answered and no model is asked. All but 1 in 200 answerable questions reach
# 0.32, and 19 in 20 questions of another field stay below 0.29. Low on purpose: a model that finds
# no answer says so, and what it says is checked, while a question refused here is lost.
SUFFICIENT = 0.3

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


def sufficiency(evidence: Evidence) -> float:
    """Return how well the evidence covers the question, 0 to 1."""
    similarity = min(1.0, max(0.0, evidence.top_similarity))
    return SIMILARITY_WEIGHT * similarity + COVERAGE_WEIGHT * evidence.keyword_coverage


def is_sufficient(evidence: Evidence) -> bool:
    """Tell whether an answer may be tried."""
    return not evidence.is_empty and sufficiency(evidence) >= SUFFICIENT


def is_greeting(question: str) -> bool:
    """Tell whether the question is a greeting and nothing else."""
    return bool(_GREETING.fullmatch(question.strip(" \n.!,?！。")))


def is_thanks(question: str) -> bool:
    """Tell whether the question is thanks and nothing else."""
    return bool(_THANKS.fullmatch(question.strip(" \n.!,?！。")))
