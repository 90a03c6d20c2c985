"""Hand-written answers that win over generation: which of them was asked for, if any.

A question asks for such an answer if its meaning is that of one of the answer's questions, by the
vectors, and it says nothing that this one does not, by the words. Where that is not sure the
question goes the normal way, in which the answer is a passage like any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import islice, takewhile

import numpy as np
from numpy.typing import NDArray

from knowledge.documents import FAQ, Chunk, Document
from knowledge.keywords import asking_terms, tokenize
from knowledge.languages import is_other_language

# Chosen on the half of tests/data/curated that is for it.
SAME = 0.84  # cosine of a question that uses no word beyond those of the written one
ALIKE = 0.92  # of one that does
SHARED = 1 / 3  # share of its words that must stand in the written one even so
_MOST_CHUNKS = 8  # that are looked at
_MOST_QUESTIONS = 16
_MOST_PASSAGES = 12  # of one answer; a longer one is an article
_NUMBERS = re.compile(r"[\w-]*\d[\w.-]*")
_DENIALS = re.compile(
    r"\b(?:not|never|without|no|off|nicht|kein\w*|ohne|nie|pas|sans|jamais|sin|nunca|non|senza|mai"
    r"|não|sem|niet|geen|zonder|nooit)\b|n['’]t\b|[不没未无非]|ない|ません",
    re.I,
)

Asked = tuple[str, Chunk]  # a written question, and a passage of its answer
Embed = Callable[[str], NDArray[np.float32]]


def asked(query: str, chunks: Sequence[Chunk], documents: Mapping[str, Document]) -> list[Asked]:
    """Return the written questions among what was found that may be the query.

    Args:
        query: the question.
        chunks: what was found and may be shown, best first.
        documents: of the release, by id; those of all chunks among them.
    """
    terms = _terms(query)
    answers = (chunk for chunk in chunks if documents[chunk.document_id].kind == FAQ)
    pairs = (
        (question, chunk)
        for chunk in islice(answers, _MOST_CHUNKS)
        for question in _questions(chunk, documents[chunk.document_id])
    )
    alike = {
        question: chunk
        for question, chunk in reversed(list(pairs))  # so that the better passage stays
        if _share(terms, _terms(question)) >= SHARED and _may_be(query, question)
    }
    ranked = sorted(alike.items(), key=lambda pair: -_share(terms, _terms(pair[0])))
    return ranked[:_MOST_QUESTIONS]


def best(query: str, asked: Sequence[Asked], embed: Embed | None) -> Asked | None:
    """Return the written question that is surely the query, with its passage; None: there is none.

    Args:
        query: the question.
        asked: as from `asked`.
        embed: returns the vector of a question; None: only equal words will do.
    """
    terms = _terms(query)
    if embed is None:
        return next((pair for pair in asked if terms == _terms(pair[0])), None)
    vector = embed(query)
    scored = [(float(embed(pair[0]) @ vector), pair) for pair in asked]
    sure = [
        (cosine, pair)
        for cosine, pair in scored
        if cosine >= (SAME if terms <= _terms(pair[0]) else ALIKE)
    ]
    return max(sure, key=lambda found: found[0])[1] if sure else None


def around(chunk: Chunk, document: Document) -> list[str]:
    """Return the ids of the passages about a passage that may belong to its answer, in order."""
    place = document.chunk_ids.index(chunk.id) if chunk.id in document.chunk_ids else 0
    return list(document.chunk_ids[max(0, place - _MOST_PASSAGES) : place + _MOST_PASSAGES + 1])


def answer(chunk: Chunk, near: Sequence[Chunk]) -> tuple[Chunk, ...]:
    """Return the passages of the answer that a passage belongs to, in order.

    None where the answer is longer than one that is given word for word.
    """
    place = next((n for n, one in enumerate(near) if one.id == chunk.id), None)
    if place is None:
        return ()

    def is_same(one: Chunk) -> bool:
        return one.heading_path == chunk.heading_path

    before = list(takewhile(is_same, reversed(near[:place])))
    after = list(takewhile(is_same, near[place:]))
    passages = (*reversed(before), *after)
    return passages if len(passages) <= _MOST_PASSAGES else ()


def _questions(chunk: Chunk, document: Document) -> tuple[str, ...]:
    return document.questions or chunk.heading_path[-1:]


def _may_be(query: str, question: str) -> bool:
    """Tell whether numbers, codes and negations agree, and the language does not differ."""
    numbers = (set(_NUMBERS.findall(text.casefold())) for text in (query, question))
    denials = (bool(_DENIALS.search(text)) for text in (query, question))
    return (
        len(set(map(frozenset, numbers))) == 1
        and len(set(denials)) == 1
        and not is_other_language(query, question)
    )


def _share(terms: frozenset[str], others: frozenset[str]) -> float:
    return len(terms & others) / len(terms) if terms else 0.0


@cache
def _bare() -> frozenset[str]:
    return frozenset(tokenize("please pls hello hi hey thanks want like need possible just now"))


def _terms(text: str) -> frozenset[str]:
    """Return the words that say what a question is about; all, where none does."""
    terms = frozenset(tokenize(text[:1_000]))
    return terms - asking_terms() - _bare() or terms
