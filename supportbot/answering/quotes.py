"""An answer without a model: the best passages, quoted word for word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from knowledge.documents import Chunk, Curated
from knowledge.keywords import tokenize
from supportbot.answering.cleaning import harmless, visible
from supportbot.answering.links import link_to
from supportbot.answering.sentences import split
from supportbot.conversation import Citation

MAX_QUOTES = 3
MAX_CHARACTERS = 400  # of one quote
RELATIVE_SCORE = 0.5  # of the best quote's matching terms; what has less is left out
_GOES_ON = re.compile(r"\s*(?:[-*+•|]|\d{1,3}[.)]) ?")


@dataclass(frozen=True, slots=True)
class _Span:
    chunk: Chunk
    text: str  # verbatim
    score: float


def quote(question: str, chunks: Sequence[Chunk]) -> tuple[str, tuple[Citation, ...]]:
    """Return up to three quotes as Markdown with marks, and their citations.

    Chunks are best first; of each the sentences around the question's terms are quoted.
    """
    terms = frozenset(tokenize(question))
    spans = [span for chunk in chunks[:MAX_QUOTES] if (span := _best_span(chunk, terms))]
    best = max((span.score for span in spans), default=0.0)
    kept = [one for one in spans if one is spans[0] or one.score >= best * RELATIVE_SCORE]
    citations = tuple(
        cite(n, span.chunk, span.text, chunks) for n, span in enumerate(kept, start=1)
    )
    blocks = [_block(span.text, number) for number, span in enumerate(kept, start=1)]
    return "\n\n".join(blocks), citations


def curated(found: Curated) -> tuple[str, tuple[Citation, ...]]:
    """Return a hand-written answer word for word as Markdown with its mark, and its citation."""
    text = ""
    for chunk in found.chunks:
        text = f"{text}{_gap(text, chunk.text)}{chunk.text}" if text else chunk.text
    terms = frozenset(tokenize(found.question))
    first = found.chunks[0]
    span = _best_span(first, terms)
    words = span.text if span else first.text[:MAX_CHARACTERS].strip()
    return _marked(_shown(text), 1), (cite(1, first, words, found.chunks),)


def cite(number: int, chunk: Chunk, words: str, supplied: Iterable[Chunk] = ()) -> Citation:
    """Return the citation of a passage for these words of it.

    `supplied` may hold other passages of its page.
    """
    elsewhere = [
        one.text for one in supplied if one.document_id == chunk.document_id and one.id != chunk.id
    ]
    return Citation(
        number=number,
        document_id=chunk.document_id,
        title=chunk.title,
        uri=chunk.uri,
        heading=chunk.heading,
        quote=words,
        link=link_to(chunk.uri, words, chunk, elsewhere),
        chunk_id=chunk.id,
        text_hash=chunk.text_hash,
    )


def _best_span(chunk: Chunk, terms: frozenset[str]) -> _Span | None:
    """Return the run of sentences with the most of the terms, within the length of a quote."""
    units = [unit for unit in split(chunk.text) if harmless(visible(unit.text)).strip()]
    best: _Span | None = None
    for start in range(len(units)):
        if units[start].kind == "heading" and len(units) > 1:
            continue
        text, end = "", start
        while end < len(units) and len(text) + len(units[end].text) <= MAX_CHARACTERS:
            text, end = text + units[end].text, end + 1
        text = (text or units[start].text[:MAX_CHARACTERS]).strip()
        score = len(terms & frozenset(tokenize(text))) + 1 / (start + 2)
        if best is None or score > best.score:
            best = _Span(chunk, text, score)
    return best


def _block(text: str, number: int) -> str:
    """Return a quote as a Markdown block quote; its own brackets are no marks."""
    lines = [f"> {line}".rstrip() for line in _shown(text).splitlines()]
    lines[-1] += f"\n> [{number}]" if lines[-1].rstrip().endswith(("|", "```")) else f" [{number}]"
    return "\n".join(lines)


def _shown(text: str) -> str:
    """Return a passage as Markdown that is safe to show; its own brackets are no marks."""
    return re.sub(r"\[(\^?\d{1,3})\]", r"\\[\1\\]", harmless(visible(text))).strip()


def _marked(text: str, number: int) -> str:
    is_block = text.rstrip().endswith(("|", "```", "~~~"))
    return f"{text}\n\n[{number}]" if is_block else f"{text} [{number}]"


def _gap(before: str, after: str) -> str:
    """Return what stood between two passages of one text: lists, tables and code go on."""
    is_code = before.count("```") % 2 == 1
    return "\n" if is_code or _GOES_ON.match(after) else "\n\n"
