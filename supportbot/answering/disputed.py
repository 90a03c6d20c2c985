"""Which of the passages at hand contradict what an answer cites."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from knowledge.disputes import Dispute, Side, plain
from supportbot.answering.quotes import cite
from supportbot.answering.sentences import split
from supportbot.conversation import Citation

_MOST = 3  # that are cited against an answer


def opposing(cited: Sequence[Citation], disputes: Iterable[Dispute]) -> list[Citation]:
    """Return citations of what contradicts the cited words, those that are new numbered on."""
    against: list[Citation] = []
    for one, other in disputes:
        for said, contrary in ((one, other), (other, one)):
            if len(against) < _MOST and any(_says(citation, said) for citation in cited):
                known = next((c for c in (*cited, *against) if _says(c, contrary)), None)
                new = known or _citation(_next([*cited, *against]), contrary)
                if new and new not in against:
                    against.append(new)
    return against


def _next(citations: Sequence[Citation]) -> int:
    return max(citation.number for citation in citations) + 1


def _says(citation: Citation, side: Side) -> bool:
    """Tell whether the quote holds what is disputed; a part of its sentence may be quoted."""
    quote = plain(citation.quote)
    is_there = citation.chunk_id == side.chunk.id and bool(quote)
    return is_there and (side.words in quote or quote in side.words)


def _citation(number: int, side: Side) -> Citation | None:
    """Return the citation of the sentences that say it; None: they are no whole sentences."""
    units = [unit.text for unit in split(side.chunk.text)]
    for unit in units:
        if side.words in plain(unit):
            return cite(number, side.chunk, unit.strip())
    return None
