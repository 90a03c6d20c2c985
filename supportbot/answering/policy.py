"""Why there is no answer, and who may know."""

from __future__ import annotations

from collections.abc import Iterable

from knowledge.documents import STAFF, Document, Evidence, Scope
from knowledge.sufficiency import is_far_off
from supportbot.conversation import Cause


def why_not(evidence: Evidence) -> Cause:
    """Return why evidence that does not suffice gives no answer.

    It knows nothing but what the asker may see: what is forbidden looks like what does not exist.
    """
    return Cause.OUT_OF_SCOPE if is_far_off(evidence) else Cause.NO_DOCUMENT


def everything(documents: Iterable[Document]) -> Scope:
    """Return the scope of an operator, who may see all of these documents."""
    return Scope(frozenset({STAFF}).union(*(document.audiences for document in documents)))
