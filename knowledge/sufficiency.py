"""Whether the evidence that was found suffices to try an answer."""

from __future__ import annotations

from knowledge.documents import Evidence

# Fitted on mtrag-govt with the hybrid retriever and MiniLM: of the weights 0, 0.3, 0.5, 0.7 and 1
# equal ones separate answerable from unanswerable best (AUROC 0.811; similarity alone 0.733).
SIMILARITY_WEIGHT = 0.5
COVERAGE_WEIGHT = 0.5
# Below this nothing is answered and no model is asked. All but 1 in 200 answerable questions reach
# 0.32, and 19 in 20 questions of another field stay below 0.29. Low on purpose: a model that finds
# no answer says so, and what it says is checked, while a question refused here is lost.
SUFFICIENT = 0.3


def sufficiency(evidence: Evidence) -> float:
    """Return how well the evidence covers the question, 0 to 1."""
    similarity = min(1.0, max(0.0, evidence.top_similarity))
    return SIMILARITY_WEIGHT * similarity + COVERAGE_WEIGHT * evidence.keyword_coverage


def is_sufficient(evidence: Evidence) -> bool:
    """Tell whether an answer may be tried."""
    return not evidence.is_empty and sufficiency(evidence) >= SUFFICIENT
