"""A document to passages: cut at headings, bounded in tokens, with ids that last.

A passage is a slice of the parsed Markdown, so that quotes of it are exact. Headings are not part
of it: they are its context, which is embedded with it and counts against the model's window.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import TYPE_CHECKING
from urllib.parse import quote

from ingest.parsers.markdown import plain
from knowledge.documents import Chunk, Document, content_hash
from knowledge.embedder import Embedder

if TYPE_CHECKING:
    from markdown_it.token import Token

CHUNKER = "1"  # a new one makes the next sync cut every document anew

_TARGET = 180  # tokens of a passage, its context not counted
_STRETCH = 240  # up to here, the end of a paragraph is a better end than that of a sentence
_LEAST = 40  # a cut that leaves less is made only where there is no other
_MOST = 512  # a code block may grow so far where the window allows it
_SPECIAL_TOKENS = 2  # that encoders put around a text
# English has 4 to 5 characters a token; a "word" of thousands may be a single unknown token.
_CHARACTERS_A_TOKEN = 8
_READ = 50_000  # characters that are tokenised at a time
_LONGEST_HEADING = 200  # characters; a longer one is text that a page shows as a heading

_SENTENCE_END = re.compile(r"[.!?…][\"'”’)\]*_]*\s+(?=[^a-z])|[。！？｡][」』）]*|\n\s*(?=[^a-z\s])")
_SPACE = re.compile(r"\s+")


def cut(
    document: Document,
    text: str,
    embedder: Embedder,
    anchors: Sequence[tuple[int, str]] = (),
) -> list[Chunk]:
    """Return the passages of a document's Markdown, in order.

    `anchors` are as in `Parsed`: they make a passage's address that of its own place.

    The `indexed_text` of each fits the embedder's window. A passage keeps its id for as long as
    its document's id, its text and the number of equal passages before it stay the same.
    """
    chunks: list[Chunk] = []
    seen: Counter[str] = Counter()
    outline = _outline(text)
    context = embedder.window // 4  # tokens for the title, and as many for the headings
    title = _shortened(document.title, context, embedder)
    for section in outline.sections:
        headings = _innermost(section.headings, context, embedder)
        bare = Chunk("", document.id, title, document.uri, headings, "", 0, document.audiences)
        for start, passage in _Cutter(outline, section, bare, embedder).passages():
            chunk_id = content_hash(f"{document.id}\0{seen[passage]}\0{passage}")[:32]
            uri = _address(document.uri, anchors, start)
            made = replace(bare, id=chunk_id, uri=uri, text=passage, ordinal=len(chunks))
            chunks.append(made)
            seen[passage] += 1
    return chunks


def _address(uri: str, anchors: Sequence[tuple[int, str]], place: int) -> str:
    """Return the address of the last anchor up to a place of the text."""
    before = bisect_right(anchors, place, key=lambda anchor: anchor[0])
    fragment = anchors[before - 1][1] if before else ""
    return f"{uri.partition('#')[0]}#{quote(fragment, safe='=&')}" if fragment else uri


@dataclass(frozen=True, slots=True)
class _Section:
    """The text below one heading, as a slice, and the headings above it, outermost first."""

    headings: tuple[str, ...]
    start: int
    end: int
    is_bare: bool = False  # it is a heading itself, as there is nothing below that


@dataclass(frozen=True, slots=True)
class _Outline:
    """Where a Markdown text may be cut. All places are character offsets, ascending."""

    text: str
    sections: tuple[_Section, ...]
    blocks: list[int]  # starts of paragraphs, lists, tables, code blocks
    items: list[int]  # starts of list items, table rows, lines of code
    wholes: list[tuple[int, int]]  # code blocks and table rows: not cut inside if they fit


class _Cutter:
    """Cuts one section, each time at the best place that leaves a passage of a fair size."""

    def __init__(
        self, outline: _Outline, section: _Section, bare: Chunk, embedder: Embedder
    ) -> None:
        self._outline = outline
        self._section = section
        self._bare = bare
        self._embedder = embedder
        context = len(embedder.token_offsets(bare.indexed_text))
        self._ends: list[int] = []  # of the tokens from the last place read from, up to:
        self._read_to = 0
        self._sizes: dict[int, int] = {}  # tokens of code blocks and table rows, by their start
        self._room = max(embedder.window - _SPECIAL_TOKENS - context, 1)

    def passages(self) -> Iterator[tuple[int, str]]:
        """Yield where each passage starts, and its text."""
        start = self._after_space(self._section.start)
        while start < self._section.end:
            most = min(self._room, _MOST)
            end = self._end(start, most)
            # Few tokenizers count a text as the sum of its parts.
            while (excess := self._excess(start, end)) > 0 and most > 1:
                most = max(most - excess, 1)
                end = self._end(start, most)
            yield start, self._outline.text[start:end].rstrip()
            start = self._after_space(end)

    def _after_space(self, place: int) -> int:
        """Return where text goes on; a line's indentation is part of it."""
        space = _SPACE.match(self._outline.text, place, self._section.end)
        if not space or space.end() == self._section.end:
            return space.end() if space else place
        line = self._outline.text.rfind("\n", place, space.end()) + 1
        return line or space.end()

    def _end(self, start: int, most: int) -> int:
        """Return where the passage from `start` on ends, within `most` tokens."""
        ends, is_all = self._token_ends(start, most)
        if is_all and len(ends) <= min(most, _TARGET + _LEAST):
            return self._section.end
        return next(places[0] for places in self._choices(start, most, ends, is_all) if places)

    def _choices(
        self, start: int, most: int, ends: Sequence[int], is_all: bool
    ) -> Iterator[Sequence[int]]:
        """Yield where the passage may end, at best first; each as one place or none."""
        least, target, stretch, last = (
            ends[min(count, most, len(ends)) - 1] for count in (_LEAST, _TARGET, _STRETCH, most)
        )
        blocks = self._allowed(_between(self._outline.blocks, start, last), most)
        if is_all and len(ends) <= most:
            blocks.append(self._section.end)
        yield from (_between(blocks, least, target)[-1:], _between(blocks, target, stretch)[:1])
        items = self._allowed(_between(self._outline.items, start, last), most)
        yield _between(items, least, target)[-1:]
        sentences = self._allowed(self._matches(_SENTENCE_END, start, last), most)
        yield from (_between(sentences, least, target)[-1:], _between(blocks, target, last)[:1])
        words = self._allowed(self._matches(_SPACE, start, last), most)
        yield _between(words, least, target)[-1:]
        yield from (sorted(blocks + items + sentences)[-1:], words[-1:], [last])

    def _token_ends(self, start: int, most: int) -> tuple[list[int], bool]:
        """Return where the next tokens end, and whether no text of the section lies beyond."""
        section_end = self._section.end
        reach = min(section_end, start + (most + 1) * _CHARACTERS_A_TOKEN)
        if reach > self._read_to:
            self._read_to = min(section_end, start + _READ)
            offsets = self._embedder.token_offsets(self._outline.text[start : self._read_to])
            self._ends = [start + end for _, end in offsets if end]
        first = bisect_right(self._ends, start)
        ends = [end for end in self._ends[first : first + most + 1] if end <= reach]
        return ends or [reach], reach == section_end

    def _matches(self, pattern: re.Pattern[str], start: int, end: int) -> list[int]:
        found = (match.end() for match in pattern.finditer(self._outline.text, start, end))
        return [place for place in found if place > start]

    def _allowed(self, places: Sequence[int], most: int) -> list[int]:
        """Leave out the places inside a code block or table row that fits one passage."""
        return [place for place in places if not self._is_inside_whole(place, most)]

    def _is_inside_whole(self, place: int, most: int) -> bool:
        wholes = self._outline.wholes
        before = bisect_left(wholes, (place, 0)) - 1
        if before < 0 or place >= wholes[before][1]:
            return False
        start, end = wholes[before]
        if start not in self._sizes:
            self._sizes[start] = len(self._embedder.token_offsets(self._outline.text[start:end]))
        return self._sizes[start] <= most and end - start <= most * _CHARACTERS_A_TOKEN

    def _excess(self, start: int, end: int) -> int:
        text = self._outline.text[start:end].rstrip()
        indexed = replace(self._bare, text=text).indexed_text
        tokens = len(self._embedder.token_offsets(indexed)) + _SPECIAL_TOKENS
        return tokens - self._embedder.window


def _between(places: Sequence[int], low: int, high: int) -> list[int]:
    """Return the places above `low`, up to and with `high`; they ascend."""
    return list(places[bisect_right(places, low) : bisect_right(places, high)])


def _outline(text: str) -> _Outline:
    from markdown_it import MarkdownIt

    # Inline marks play no part in cutting, and parsing them takes most of the time.
    tokens = MarkdownIt("commonmark").enable("table").disable("inline").parse(text)
    lines = [0, *(match.end() for match in re.finditer("\n", text)), len(text)]
    spans = [
        (token, lines[token.map[0]], lines[min(token.map[1], len(lines) - 1)])
        for token in tokens
        if token.map and token.nesting >= 0
    ]
    items: set[int] = set()
    wholes: set[tuple[int, int]] = set()
    for token, start, end in spans:
        if token.level:
            items.add(start)
        if token.type in ("fence", "code_block", "tr_open"):
            wholes.add((start, end))
        if token.type in ("fence", "code_block", "html_block"):
            items.update(_between(lines, start, end))
    blocks = sorted({start for token, start, _ in spans if token.level == 0})
    sections = tuple(_joined(_sections(text, tokens, lines)))
    return _Outline(text, sections, blocks, sorted(items), sorted(wholes))


def _sections(text: str, tokens: Sequence[Token], lines: Sequence[int]) -> Iterator[_Section]:
    """Yield the text between headings; a heading with nothing below it is a section itself."""
    path: list[tuple[int, str]] = []
    start = line = 0  # `line` is where the last heading stands
    for level, heading, above, below in [*_headings(tokens, lines), (0, "", len(text), len(text))]:
        is_child = bool(path) and level > path[-1][0]
        if text[start:above].strip():
            yield _Section(tuple(name for _, name in path), start, above)
        elif path and not is_child:
            yield _Section(tuple(name for _, name in path[:-1]), line, start, is_bare=True)
        path = [(other, name) for other, name in path if other < level] + [(level, heading)]
        start, line = below, above


def _joined(sections: Iterable[_Section]) -> Iterator[_Section]:
    """Make one section of headings in a row that have nothing below them."""
    for (is_bare, _), run in groupby(sections, key=lambda s: (s.is_bare, s.headings)):
        alike = list(run)
        if is_bare:
            yield replace(alike[0], end=alike[-1].end)
        else:
            yield from alike


def _headings(tokens: Sequence[Token], lines: Sequence[int]) -> Iterator[tuple[int, str, int, int]]:
    """Yield level, words, start and end of each heading that structures the document."""
    for token, inline in pairwise(tokens):
        if token.type == "heading_open" and token.level == 0 and token.map:
            words = plain(inline.content)
            if 0 < len(words) <= _LONGEST_HEADING:
                yield int(token.tag[1]), words, lines[token.map[0]], lines[token.map[1]]


def _shortened(text: str, tokens: int, embedder: Embedder) -> str:
    ends = [end for _, end in embedder.token_offsets(text)]
    return text if len(ends) <= tokens else text[: ends[tokens - 2]].rstrip() + "…"


def _innermost(headings: Sequence[str], tokens: int, embedder: Embedder) -> tuple[str, ...]:
    """Return as many of the headings as fit, the innermost first to be kept."""
    kept: list[str] = []
    for heading in reversed(headings):
        left = tokens - sum(len(embedder.token_offsets(name)) + 1 for name in kept)
        if left < 8:  # too few to say anything
            break
        kept.insert(0, _shortened(heading, left - 1, embedder))
    return tuple(kept)
