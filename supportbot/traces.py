"""How an answer came about: kept beside it, for whoever has to explain it or repeat its search.

A trace holds ids, hashes and numbers. Words of a conversation stand in its turns alone, so that
what is erased there is gone.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from knowledge.documents import Evidence, Hit, content_hash
from knowledge.sufficiency import sufficiency, threshold

if TYPE_CHECKING:
    from supportbot.answering.model import Message

MAX_DOCUMENT_ID = 500  # characters; the whole id stands in the receipts of what was cited
MAX_FAILURES = 10
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage that was supplied, as the search saw it."""

    chunk_id: str
    document_id: str
    text_hash: str
    score: float
    similarity: float | None
    keyword_score: float | None

    @classmethod
    def of(cls, hit: Hit) -> FoundPassage:
        """Return what is kept of a hit."""
        return cls(
            chunk_id=hit.chunk.id,
            document_id=hit.chunk.document_id[:MAX_DOCUMENT_ID],
            text_hash=hit.chunk.text_hash,
            score=round(hit.score, _DIGITS),
            similarity=_rounded(hit.similarity),
            keyword_score=_rounded(hit.keyword_score),
        )


@dataclass(frozen=True, slots=True)
class Trace:
    """The steps of one answer. Passages are best first; [n] of the prompt is the nth."""

    audiences: tuple[str, ...] = ()
    context_hash: str = ""  # of the earlier question that was searched along; "": there was none
    passages: tuple[FoundPassage, ...] = ()
    sufficiency: float | None = None  # None: nothing was searched
    threshold: float = 0.0  # from which sufficiency on an answer was tried
    top_similarity: float = 0.0
    keyword_coverage: float = 0.0
    search_ms: Mapping[str, float] = field(default_factory=dict)  # by stage
    prompt_hash: str = ""  # SHA-256 of the request's messages; "": no model was asked
    failures: tuple[str, ...] = ()  # how tries at the model failed, in order
    dropped: Mapping[str, int] = field(default_factory=dict)  # units that did not hold, by reason
    cache_key: str = ""  # the same for questions that may share an answer
    copy_of: str = ""  # the answer that was said again
    looked_up: tuple[FoundPassage, ...] = ()  # what the model searched for itself; numbered on

    def searched(self, evidence: Evidence, context: str) -> Trace:
        """Return the trace after a search."""
        return replace(
            self,
            context_hash=content_hash(context) if context else "",
            passages=tuple(FoundPassage.of(hit) for hit in evidence.hits),
            sufficiency=round(sufficiency(evidence), _DIGITS),
            threshold=round(threshold(evidence), _DIGITS),
            top_similarity=round(evidence.top_similarity, _DIGITS),
            keyword_coverage=round(evidence.keyword_coverage, _DIGITS),
            search_ms={name: round(ms, 3) for name, ms in evidence.timings_ms.items()},
        )

    def asked(self, request: Sequence[Message]) -> Trace:
        """Return the trace after this request was sent to the model."""
        return replace(self, prompt_hash=prompt_hash(request))

    @property
    def supplied(self) -> tuple[FoundPassage, ...]:
        """Return all passages that the model was given, in the order of their numbers."""
        return (*self.passages, *self.looked_up)

    def looked_up_too(self, hits: Sequence[Hit]) -> Trace:
        """Return the trace after a search that the model asked for."""
        found = tuple(FoundPassage.of(hit) for hit in hits)
        return replace(self, looked_up=(*self.looked_up, *found))

    def failed(self, kind: str) -> Trace:
        """Return the trace after a try failed."""
        return replace(self, failures=(*self.failures, kind)[:MAX_FAILURES])

    def without(self, dropped: Counter[str]) -> Trace:
        """Return the trace of an answer that these units were dropped from."""
        return replace(self, dropped=dict(dropped))

    def to_json(self) -> dict[str, Any]:
        """Return the form that is stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Trace:
        """Return a stored trace."""
        found = {
            name: tuple(FoundPassage(**passage) for passage in data.get(name, ()))
            for name in ("passages", "looked_up")
        }
        lists = {name: tuple(data[name]) for name in ("audiences", "failures")}
        return cls(**{**data, **lists, **found})


def prompt_hash(request: Sequence[Message]) -> str:
    """Return the SHA-256 of a request's messages, as compact JSON in UTF-8, as 64 hex digits."""
    messages = [{"role": message.role, "content": message.content} for message in request]
    return content_hash(json.dumps(messages, ensure_ascii=False, separators=(",", ":")))


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, _DIGITS)
