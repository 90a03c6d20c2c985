"""From words at places on pages to Markdown: columns, tables, headings, lists, paragraphs.

Places are in points from the upper left corner of the page as it is read. Nothing here knows where
the words come from.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

_COLUMN_GAP = 0.8  # of a letter's size; what lies further apart is not one run of words
_BROKEN_GAP = 0.45  # the same where the page itself begins a new line of text there
_SAME_LINE = 0.4  # of a letter's size; superscripts are raised by about a third
_NARROWEST_GUTTER = 4.0  # points
_ALIGNED = 0.6  # share of a column's lines beside a line of its neighbour: a table has more
_FEWEST_LINES = 8  # of a column whose lines do not tell otherwise
_MOST_COLUMNS = 40  # of a table; rows of more runs are drawings or spread letters
_PROSE_WORDS = 4  # words in the middle line of a column of text; cells of tables have fewer
_NEW_PARAGRAPH = 1.3  # of the usual distance of lines
_INDENTED = 0.8  # of a letter's size
_LARGE = 1.12  # of the body's size: a heading
_LONGEST_HEADING = 200  # characters
_LONGEST_BOLD_HEADING = 100
_MARGIN = 0.13  # of the page's height, above and below, where running heads stand
_SPREAD = 3  # pages that a running head is on, at least (of a document of two, both)
_MARGIN_ROWS = 3
_LEVELS = 5  # `##` to `######`; the title has `#`
_FIXED_WIDTH = 0.6  # width of a letter of fixed width, of its size

_BULLET = re.compile(r"[•◦▪▫‣⁃∙●○■□➢➤✓–*\uf0b7\uf0a7\uf0d8-](?:\s+|$)|[•●▪◦‣\uf0b7](?=\S)")
_NUMBER = re.compile(r"\(?(\d{1,3}|[a-zA-Z]|[ivx]{1,5})[.)](?=\s|$)")
_SECTION = re.compile(r"(\d{1,3}|[A-Z])(\.\d{1,3})*\.?")
_LEADERS = re.compile(r"(?:\s?[.·…_]){4,}\s*[\divxlc-]*\s*$")
_PAGE_NUMBER = re.compile(
    r"[^\w]*(?:page|seite|p\.?)?\s*(?:#|[ivxlc]+)(?:\s*(?:of|/|von|-)\s*#)?\W*"
)
_SENTENCE_END = re.compile(r"[.!?:。！？]['\"”’)\]]*$")
_WIDE_SCRIPT = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uff00-\uffef]")
_RTL = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_LETTERS = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Style:
    """How a word is set: its size in points as it is seen."""

    size: float
    is_bold: bool = False
    is_mono: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """One word at its place; `baseline` counts from the page's top."""

    text: str
    left: float
    right: float
    baseline: float
    style: Style
    begins: bool = False  # the page begins a line of text with it


@dataclass(frozen=True, slots=True)
class Page:
    """The words of one page, in any order."""

    height: float
    words: tuple[Word, ...]


@dataclass(frozen=True)
class _Run:
    """Words side by side: a line of a column, or a cell of a table."""

    words: tuple[Word, ...]

    @cached_property
    def left(self) -> float:
        return self.words[0].left

    @cached_property
    def right(self) -> float:
        return max(word.right for word in self.words)

    @cached_property
    def baseline(self) -> float:
        return max(self.words, key=lambda word: word.style.size).baseline

    @cached_property
    def style(self) -> Style:
        """Return the style of most of its letters; bold and mono only if nearly all are so."""
        sizes: Counter[float] = Counter()
        for word in self.words:
            sizes[word.style.size] += len(word.text)
        most = 0.9 * sizes.total()
        return Style(
            sizes.most_common(1)[0][0],
            sum(len(word.text) for word in self.words if word.style.is_bold) >= most,
            sum(len(word.text) for word in self.words if word.style.is_mono) >= most,
        )

    @cached_property
    def text(self) -> str:
        if self.style.is_mono:
            return _spaced(self.words, self.style.size)
        texts = [word.text for word in self.words]
        if sum(bool(_RTL.search(text)) for text in texts) * 2 > len(texts):
            texts.reverse()
        return " ".join(texts)


_Row = tuple[_Run, ...]  # what stands on one line across the page, left to right


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, heading, list item, code block or table, as plain text."""

    kind: str  # PARAGRAPH …
    text: str
    style: Style
    depth: int = 0  # of a list item in its list


PARAGRAPH, HEADING, ITEM, CODE, TABLE = "paragraph", "heading", "item", "code", "table"


@dataclass(frozen=True, slots=True)
class _Type:
    """What is usual in a document: the size of its letters, and the distance of lines to that."""

    size: float
    leading: float
    is_bold: bool
    vocabulary: frozenset[str]  # its words in lower case, to tell what a hyphen at an end is for


def read(pages: Sequence[Page]) -> list[list[Block]]:
    """Return the blocks of each page in reading order, without running heads and page numbers."""
    rows = [_rows(page.words) for page in pages]
    furniture = _furniture(pages, rows)
    kept = [
        _without_contents(
            [row for place, row in enumerate(page_rows) if (number, place) not in furniture]
        )
        for number, page_rows in enumerate(rows)
    ]
    kind = _usual(kept)
    return [list(_blocks(page_rows, kind)) for page_rows in kept]


def write(pages: Sequence[Sequence[Block]]) -> list[str]:
    """Return the Markdown of each page; headings start at level 2, as the title has level 1."""
    looks = Counter(
        _look(block.style) for blocks in pages for block in blocks if block.kind == HEADING
    )
    # What is set like nothing else, such as lines of a title page, is no level of its own.
    levels = [look for look, count in looks.items() if count > 1] or list(looks)
    ranks = {look: sum(other > look for other in levels) for look in looks}
    return [_page_text(blocks, ranks) for blocks in pages]


def joined(lines: Iterable[str], vocabulary: frozenset[str] = frozenset()) -> str:
    """Return lines as one paragraph, with the hyphens of broken words taken out."""
    parts: list[str] = []
    for line in lines:
        if parts:
            parts[-1], glue = _glue(parts[-1], line, vocabulary)
            parts.append(glue)
        parts.append(line)
    return "".join(parts)


def words_of(texts: Iterable[str]) -> frozenset[str]:
    """Return the words of the texts in lower case, for `joined`."""
    return frozenset(word.lower() for text in texts for word in re.findall(r"[\w-]+", text))


def continues(above: Block, below: Block) -> bool:
    """Tell whether a paragraph goes on in the first block of the next page."""
    return (
        above.kind in (PARAGRAPH, ITEM)
        and below.kind == PARAGRAPH
        and not _SENTENCE_END.search(above.text)
        and below.text[:1].islower()
    )


# Rows


def _rows(words: Iterable[Word]) -> list[_Row]:
    """Return what stands on each line of the page, top to bottom, apart where a gap is wide."""
    rows: list[list[Word]] = []
    base = size = 0.0
    for word in sorted(words, key=lambda word: (word.baseline, word.left)):
        if rows and word.baseline - base < _SAME_LINE * max(size, word.style.size):
            rows[-1].append(word)
        else:
            rows.append([word])
            base, size = word.baseline, word.style.size
    return [tuple(_runs(sorted(row, key=lambda word: word.left))) for row in rows]


def _runs(row: Sequence[Word]) -> Iterator[_Run]:
    words = [row[0]]
    for before, word in pairwise(row):
        size = max(before.style.size, word.style.size)
        widest = (_BROKEN_GAP if word.begins else _COLUMN_GAP) * size
        is_marker = len(words) == 1 and _is_marker(before)
        if word.left - before.right > widest and not (is_marker and _near(before, word)):
            yield _Run(tuple(words))
            words = []
        words.append(word)
    yield _Run(tuple(words))


def _is_marker(word: Word) -> bool:
    """Tell whether a word is the sign of a list item, or the number of a heading."""
    match = _BULLET.match(word.text) or _NUMBER.match(word.text)
    if match:
        return match.end() == len(word.text)
    return word.style.is_bold and bool(_SECTION.fullmatch(word.text))


def _near(marker: Word, word: Word) -> bool:
    return word.left - marker.right < 4 * word.style.size


def _spaced(words: Sequence[Word], size: float) -> str:
    """Return words of fixed width with as many spaces between them as there is room for."""
    parts = [words[0].text]
    for before, word in pairwise(words):
        gap = round((word.left - before.right) / (_FIXED_WIDTH * size))
        parts.append(" " * min(max(gap, 1), 80) + word.text)
    return "".join(parts)


# Running heads


def _furniture(pages: Sequence[Page], rows: Sequence[Sequence[_Row]]) -> set[tuple[int, int]]:
    """Return (page, row) of what repeats at one height in the margins of several pages."""
    least = max(min(_SPREAD, len(pages)), 2)
    seen: dict[tuple[str, int], set[int]] = defaultdict(set)
    places: dict[tuple[int, int], list[tuple[str, int]]] = {}
    for number, (page, page_rows) in enumerate(zip(pages, rows, strict=True)):
        for place in _margin_rows(page, page_rows):
            row = page_rows[place]
            text = " ".join(run.text for run in row)
            height = round(row[0].baseline / 6)
            keys = [(_pattern(text), height), *((away, height) for away in _away(text, number))]
            places[number, place] = keys
            for key in keys:
                seen[key].add(number)
    return {
        place
        for place, keys in places.items()
        if any(_spread(seen, text, height) >= least for text, height in keys)
    }


def _spread(seen: dict[tuple[str, int], set[int]], text: str, height: int) -> int:
    near = (height - 1, height, height + 1)
    return len(set().union(*(seen.get((text, other), set()) for other in near)))


def _away(text: str, number: int) -> Iterator[str]:
    """Yield how far the numbers at the ends of a line are from the page's own."""
    for found in re.findall(r"^\d{1,4}\b|\b\d{1,4}$", text):
        yield f"{int(found) - number} pages away"


def _without_contents(rows: Sequence[_Row]) -> list[_Row]:
    """Leave out lines of a table of contents; they say nothing, and sound like the answer."""
    kept = [row for row in rows if not _LEADERS.search(" ".join(run.text for run in row))]
    return [] if len(kept) < 0.5 * len(rows) and len(rows) > 6 else kept


def _margin_rows(page: Page, rows: Sequence[_Row]) -> Iterator[int]:
    depth = _MARGIN * page.height
    count = len(rows)
    for place in dict.fromkeys(
        [*range(min(_MARGIN_ROWS, count)), *range(max(count - _MARGIN_ROWS, 0), count)]
    ):
        if not depth <= rows[place][0].baseline <= page.height - depth:
            yield place


def _pattern(text: str) -> str:
    """Return what stays the same of a running head from page to page."""
    text = re.sub(r"\d+", "#", " ".join(text.lower().split()))
    return "#" if _PAGE_NUMBER.fullmatch(text) else text


# Reading order


def _usual(pages: Sequence[Sequence[_Row]]) -> _Type:
    looks: Counter[tuple[float, bool]] = Counter()
    leadings: Counter[float] = Counter()
    for rows in pages:
        for row in rows:
            for run in row:
                looks[round(run.style.size, 1), run.style.is_bold] += len(run.text)
        for above, below in pairwise(rows):
            size = below[0].style.size
            distance = round((below[0].baseline - above[0].baseline) / max(size, 1), 1)
            if 0.9 <= distance <= 2.2:
                leadings[distance] += 1
    size, is_bold = looks.most_common(1)[0][0] if looks else (10.0, False)
    leading = leadings.most_common(1)[0][0] if leadings else 1.2
    texts = (run.text for rows in pages for row in rows for run in row)
    return _Type(size, leading, is_bold, words_of(texts))


def _blocks(rows: Sequence[_Row], kind: _Type) -> Iterator[Block]:
    """Yield the blocks of a part of a page, each column by itself."""
    flow: list[_Run] = []
    for band, gutters in _bands(rows):
        # A right column that begins higher than the left one is not read first.
        while gutters and flow and flow[-1].left >= gutters[0][1] - 1:
            band.insert(0, (flow.pop(),))
        columns = _text_gutters(band, gutters)
        if not (columns or gutters):
            flow.extend(_one_line(row) for row in band)
            continue
        first, last = _table_rows(band) if not columns else (0, len(band))
        flow.extend(_one_line(row) for row in band[:first])
        yield from _flow(flow, kind)
        flow = [_one_line(row) for row in band[last:]]
        if columns:
            for column in _split(band, columns):
                yield from _blocks(column, kind)
        else:
            yield _table(band[first:last], gutters, kind)
    yield from _flow(flow, kind)


def _one_line(row: _Row) -> _Run:
    return _Run(tuple(word for run in row for word in run.words))


_Gap = tuple[float, float]


def _bands(rows: Sequence[_Row]) -> Iterator[tuple[list[_Row], list[_Gap]]]:
    """Yield rows that keep the same vertical gaps free, with the gaps that have text on both sides.

    Rows without such a gap are a band of their own.
    """
    if not rows:
        return
    extent = (min(row[0].left for row in rows), max(row[-1].right for row in rows))
    band: list[_Row] = []
    free: list[_Gap] = []  # by all rows of the band, at its sides too
    parting: list[_Gap] = []  # those of them with text on both sides
    for row in rows:
        gaps = _gaps(row, extent)
        inner = [gap for gap in gaps if row[0].right <= gap[0] and gap[1] <= row[-1].left]
        kept = sorted({*_meet(parting, gaps), *_meet(free, inner)})
        if kept and max(len(kept), len(free)) <= _MOST_COLUMNS + 2:
            band.append(row)
            free, parting = _meet(free, gaps), kept
            continue
        if band:
            yield band, _twice(band, free)
        band, free, parting = [row], gaps, inner
        if not inner:
            yield band, []
            band = []
    if band:
        yield band, _twice(band, free)


def _gaps(row: _Row, extent: _Gap) -> list[_Gap]:
    """Return where a row leaves room; rows of code are whole, however wide the room in them."""
    if len(row) > _MOST_COLUMNS or (len(row) > 1 and all(run.style.is_mono for run in row)):
        return []
    edges = [(extent[0] - 1, extent[0] - 1), *((run.left, run.right) for run in row)]
    gaps = []
    reach = edges[0][1]
    for left, right in [*edges[1:], (extent[1] + 1, extent[1] + 1)]:
        if left - reach >= _NARROWEST_GUTTER:
            gaps.append((reach, left))
        reach = max(reach, right)
    return gaps


def _meet(some: Sequence[_Gap], others: Sequence[_Gap]) -> list[_Gap]:
    """Return what is free in both; gaps of one list ascend and do not overlap."""
    met = []
    one = two = 0
    while one < len(some) and two < len(others):
        left = max(some[one][0], others[two][0])
        right = min(some[one][1], others[two][1])
        if right - left >= _NARROWEST_GUTTER:
            met.append((left, right))
        if some[one][1] < others[two][1]:
            one += 1
        else:
            two += 1
    return met


def _twice(band: Sequence[_Row], gaps: Sequence[_Gap]) -> list[_Gap]:
    """Return the gaps that at least two rows have text on both sides of."""
    if len(gaps) > _MOST_COLUMNS:
        return []
    return [gap for gap in gaps if sum(_is_beside(row, gap) for row in band) > 1]


def _is_beside(row: _Row, gap: _Gap) -> bool:
    return row[0].right <= gap[0] + 1 and row[-1].left >= gap[1] - 1


def _text_gutters(band: Sequence[_Row], gutters: Sequence[_Gap]) -> list[_Gap]:
    """Return the gaps that part columns of text rather than of a table."""
    are_prose = [_is_prose(column) for column in _split(band, gutters)] if gutters else []
    return [
        gutter
        for place, gutter in enumerate(gutters)
        if (are_prose[place] and are_prose[place + 1]) or _are_apart(band, gutter)
    ]


def _are_apart(band: Sequence[_Row], gutter: _Gap) -> bool:
    """Tell whether most lines on the shorter side of a gap have none beside them."""
    shorter = min(map(len, _split(band, [gutter])))
    beside = sum(_is_beside(row, gutter) for row in band)
    return shorter >= _FEWEST_LINES and beside < _ALIGNED * shorter


def _is_prose(column: Sequence[_Row]) -> bool:
    if len(column) < 3:
        return False
    lines = [_one_line(row) for row in column]
    width = max(line.right for line in lines) - min(line.left for line in lines)
    words = sorted(len(line.words) for line in lines)
    full = sum(line.right - line.left > 0.6 * width for line in lines)
    return words[len(words) // 2] >= _PROSE_WORDS and full >= 0.5 * len(lines)


def _split(band: Sequence[_Row], gutters: Sequence[_Gap]) -> list[list[_Row]]:
    columns: list[list[_Row]] = [[] for _ in range(len(gutters) + 1)]
    for row in band:
        for column, cells in zip(columns, _cells(row, gutters), strict=True):
            if cells:
                column.append(cells)
    return columns


def _cells(row: _Row, gutters: Sequence[_Gap]) -> list[_Row]:
    """Return the runs of a row by column."""
    cells: list[list[_Run]] = [[] for _ in range(len(gutters) + 1)]
    for run in row:
        cells[bisect_right(gutters, ((run.left + run.right) / 2, 0.0))].append(run)
    return [tuple(cell) for cell in cells]


# Tables


def _table_rows(band: Sequence[_Row]) -> tuple[int, int]:
    """Return from where to where a band is the table: lines above and below may only be short."""
    wide = [place for place, row in enumerate(band) if len(row) > 1]
    last = wide[-1] + 1
    while last < len(band) and _distance(band[last - 1], band[last]) < 1.35:
        last += 1
    return wide[0], last


def _distance(above: _Row, below: _Row) -> float:
    return (below[0].baseline - above[0].baseline) / max(below[0].style.size, 1)


def _table(band: Sequence[_Row], gutters: Sequence[_Gap], kind: _Type) -> Block:
    distances = [_distance(above, below) for above, below in pairwise(band)]
    nearest = min(distances, default=0)
    is_loose = max(distances, default=0) > 1.25 * nearest
    lines: list[list[list[str]]] = []
    for place, row in enumerate(band):
        cells = [" ".join(run.text for run in cell) for cell in _cells(row, gutters)]
        is_near = place > 0 and is_loose and distances[place - 1] < 1.1 * nearest and not all(cells)
        if lines and (is_near or not cells[0]):
            for cell, text in zip(lines[-1], cells, strict=True):
                cell.extend([text] if text else [])
        else:
            lines.append([[text] if text else [] for text in cells])
    table = [[joined(cell, kind.vocabulary).replace("|", "\\|") for cell in row] for row in lines]
    table.insert(1, ["---"] * len(table[0]))
    text = "\n".join(f"| {' | '.join(row)} |" for row in table)
    return Block(TABLE, text, band[0][0].style)


# Paragraphs


def _flow(lines: Sequence[_Run], kind: _Type) -> Iterator[Block]:
    """Yield the blocks of lines that stand below one another."""
    group: list[_Run] = []
    edge = min((line.left for line in lines), default=0.0)
    right = max((line.right for line in lines), default=0.0)
    for line in lines:
        if group and _begins(group, line, right, kind):
            yield _block(group, edge, kind, line)
            group = []
        group.append(line)
    if group:
        yield _block(group, edge, kind, None)


def _begins(group: Sequence[_Run], line: _Run, right: float, kind: _Type) -> bool:
    """Tell whether a line begins a new block."""
    above = group[-1]
    size = max(line.style.size, 1)
    distance = (line.baseline - above.baseline) / size / kind.leading
    if above.style.is_mono and line.style.is_mono:
        return not 0 < distance < 2.5
    if line.style.is_mono != above.style.is_mono or abs(above.style.size - size) > 0.08 * size:
        return True
    if not 0 < distance < _NEW_PARAGRAPH or _marker(line.text):
        return True
    if size >= _LARGE * kind.size and not _is_aligned(above, line):
        return True
    if line.style.is_bold != above.style.is_bold and _is_heading(group, kind):
        return True
    if _marker(group[0].text):
        return line.left < group[0].left - 0.3 * size
    starts_in = line.left - above.left > _INDENTED * size
    ends_short = above.right < right - 5 * size and bool(_SENTENCE_END.search(above.text))
    return (starts_in and len(group) > 1) or ends_short


def _is_aligned(above: _Run, below: _Run) -> bool:
    middle = abs(above.left + above.right - below.left - below.right) / 2
    return min(middle, abs(above.left - below.left)) < 3


def _marker(text: str) -> str:
    match = _BULLET.match(text) or _NUMBER.match(text)
    return match[0] if match and re.search(r"\w", text[match.end() :]) else ""


def _block(group: Sequence[_Run], edge: float, kind: _Type, below: _Run | None) -> Block:
    style = group[0].style
    if style.is_mono:
        return Block(CODE, _code(group), style)
    text = joined((line.text for line in group), kind.vocabulary)
    if _is_heading(group, kind) and not _is_term(group[-1], below, kind):
        return Block(HEADING, text, style)
    marker = _marker(text)
    if not marker:
        return Block(PARAGRAPH, text, style)
    rest = text[len(marker) :].strip()
    sign = "-" if _BULLET.match(text) else marker.strip().strip("()").rstrip(".)") + "."
    depth = int((group[0].left - edge) / (1.5 * max(style.size, 1)))
    return Block(ITEM, f"{sign} {rest}", style, min(depth, 4))


def _is_heading(group: Sequence[_Run], kind: _Type) -> bool:
    style = group[0].style
    letters = sum(len(line.text) for line in group)
    if not any(_LETTERS.search(line.text) for line in group) or letters > _LONGEST_HEADING:
        return False
    if style.size >= _LARGE * kind.size:
        return len(group) <= 3
    is_bold = style.is_bold and not kind.is_bold and style.size >= 0.95 * kind.size
    ends_open = not re.search(r"[.,;:]$", group[-1].text)
    is_item = bool(_BULLET.match(group[0].text))
    return is_bold and ends_open and not is_item and letters <= _LONGEST_BOLD_HEADING


def _is_term(line: _Run, below: _Run | None, kind: _Type) -> bool:
    """Tell whether a bold line is a term with its definition indented right below it."""
    if below is None or line.style.size >= _LARGE * kind.size:
        return False
    size = max(line.style.size, 1)
    is_close = 0 < below.baseline - line.baseline < _NEW_PARAGRAPH * kind.leading * size
    return is_close and below.left - line.left > _INDENTED * size


def _code(lines: Sequence[_Run]) -> str:
    edge = min(line.left for line in lines)
    return "\n".join(
        " " * min(round((line.left - edge) / (_FIXED_WIDTH * max(line.style.size, 1))), 80)
        + line.text
        for line in lines
    )


# Text


def _glue(above: str, below: str, vocabulary: frozenset[str]) -> tuple[str, str]:
    """Return the line without the hyphen of a broken word, and what comes before the next."""
    if _WIDE_SCRIPT.match(above[-1:]) and _WIDE_SCRIPT.match(below[:1]):
        return above, ""
    if not re.search(r"[^\W\d_]-$", above):
        return above, " "
    head = re.split(r"[\s(/]", above[:-1])[-1].lower()
    tail = re.match(r"\w*", below)
    rest = tail[0] if tail else ""
    if not rest[:1].islower():
        return above, "" if rest else " "
    whole = f"{head}{rest}".lower()
    if f"{head}-{rest}".lower() in vocabulary and whole not in vocabulary:
        return above, ""
    return above[:-1], ""


def _look(style: Style) -> tuple[float, bool]:
    return round(style.size * 2) / 2, style.is_bold


def _page_text(blocks: Sequence[Block], ranks: dict[tuple[float, bool], int]) -> str:
    parts: list[str] = []
    for before, block in pairwise([None, *blocks]):
        if block is None:
            continue
        is_list = before is not None and before.kind == block.kind == ITEM
        parts.append(("\n" if is_list else "\n\n") if parts else "")
        parts.append(_markdown(block, ranks))
    return "".join(parts)


def _markdown(block: Block, ranks: dict[tuple[float, bool], int]) -> str:
    if block.kind == HEADING:
        return f"{'#' * (2 + min(ranks[_look(block.style)], _LEVELS - 1))} {block.text}"
    if block.kind == CODE:
        fence = "```" if "```" not in block.text else "~~~~"
        return f"{fence}\n{block.text}\n{fence}"
    if block.kind == ITEM:
        return "  " * block.depth + block.text
    return block.text


def without_title(pages: Sequence[Sequence[Block]], known: str) -> tuple[str, list[list[Block]]]:
    """Return the title, and the pages without its heading.

    It is `known`, or else the document's largest heading if that is at the top of the first page.
    """
    made = [list(blocks) for blocks in pages]
    top = [block for block in made[0] if block.kind == HEADING][:6] if made else []
    if known:
        top = [block for block in top if _same(block.text, known)]
    if not top:
        return known, made
    title = max(top, key=lambda block: block.style.size)
    sizes = (block.style.size for blocks in made for block in blocks if block.kind == HEADING)
    if not known and title.style.size < max(sizes) - 0.1:
        return "", made
    made[0].remove(title)
    return known or title.text, made


def _same(some: str, other: str) -> bool:
    return re.findall(r"\w+", some.lower()) == re.findall(r"\w+", other.lower())


def cleaned(block: Block, text: str) -> Block:
    """Return the block with other text."""
    return replace(block, text=text)
