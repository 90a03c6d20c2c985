"""Does the cited passage hold the sentence?

What can be checked exactly is checked exactly: numbers with their units, dates, versions, codes,
paths, commands, addresses, quoted words and names must stand in a cited passage (its title and
headings included), and what the passage denies must not be affirmed, or the other way round. Of the
other content words enough must stand there, as stems. A sentence whose marks do not hold, or that
has none, gets the mark of the passage that holds it most fully, if one does: models tend to put
one mark at the end of a paragraph, and a true sentence should not be lost for that.

Where sentence and passage are in different languages words cannot be compared; there the exact
checks alone decide, and a mark is never added.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby

from knowledge.documents import Chunk
from knowledge.keywords import tokenize
from knowledge.languages import language_of
from supportbot.answering import facts
from supportbot.answering.sentences import MARK, Unit, split

# Fitted on mtrag-govt and held to its figures by `supportbot evaluate --grounding`; the README says
# how much is caught and how many true sentences are refused.
SUPPORT = 0.6  # share of the content stems that must stand in the cited passages together
SUPPORT_UNMARKED = 0.75  # in one passage, for a mark to be added
MIN_UNMARKED_TERMS = 2  # a claim of fewer content words is not looked up
FOREIGN_RUN = 3  # content words in a row that stand nowhere in the passages: another's half
LOCAL_SUPPORT = 0.3  # share that must stand close together in one passage
MARK_SUPPORT = 0.3  # share below which a passage is no source of the sentence, and its mark goes
CLOSE = 0.6  # of the best share: one of these sentences must deny something if the claim does
CLOSEST = 0.9  # of the best share: the sentences whose negations are compared word by word
MAX_QUOTE_CHARACTERS = 300
_MARK = re.compile(MARK)
_BULLET = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)])\s+")
_FENCE = re.compile(r"(?:`{3,}|~{3,}) ?[\w+#-]{0,20}")  # with the name of a language
_LEAD_IN_WORDS = 25
_OPENING = re.compile(
    r"^\W*(?:according to (?:the|our|your|this) [\w ]{3,40},|(?:please )?note that|in short,"
    r"|in summary,|in other words,|yes,)\s*",
    re.I,
)
_STOP = """
a an the and or but if then than so that this these those there here it its i me my we us our you
your he she they them their is are was were am be been being do does did has have had can could
will would shall should may might must how what when where who whom whose which why to of for from
by at with about as on in into also such any all each other more most some very just only via
per please yes
"""


@dataclass(frozen=True, slots=True)
class Source:
    """A passage that holds a sentence, and its words that do so best, verbatim."""

    number: int
    quote: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a unit may be shown, on what it stands, or why not."""

    sources: tuple[Source, ...] = ()
    needs_source: bool = True
    reason: str = ""

    @property
    def is_held(self) -> bool:
        """Tell whether the unit may be shown."""
        return not self.reason


@dataclass(frozen=True, slots=True)
class Segment:
    """A sentence, item, row or line of a passage."""

    text: str  # verbatim
    terms: frozenset[str]
    denials: facts.Denials


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage as it is checked against: supplied to the model under this number."""

    number: int
    chunk: Chunk
    terms: frozenset[str]
    context: frozenset[str]  # stems of its title and headings
    held: facts.Held
    segments: tuple[Segment, ...] = field(repr=False)
    language: str = ""

    @classmethod
    def of(cls, number: int, chunk: Chunk) -> Passage:
        """Prepare a passage for checking."""
        segments = [_segment(text) for unit in split(chunk.text) if (text := unit.text.strip())]
        context = " › ".join((chunk.title, *chunk.heading_path))
        held = facts.held(context, (segment.text for segment in segments), chunk.uri)
        return cls(
            number,
            chunk,
            held.terms,
            held.parts[0],
            held,
            tuple(segments),
            language_of(chunk.text),
        )


def marks_of(text: str) -> list[int]:
    """Return the passage numbers that a text cites, in order, each once."""
    numbers: list[int] = []
    for mark in _MARK.findall(text):
        parts = [int(part) for part in re.findall(r"\d+", mark)]
        is_range = len(parts) == 2 and re.search(r"\d\s*[–-]\s*\d", mark)
        numbers += range(parts[0], parts[1] + 1) if is_range else parts
    return list(dict.fromkeys(numbers))


def check(unit: Unit, passages: Sequence[Passage]) -> Verdict:
    """Check one unit against the passages that it cites, or find the one that holds it."""
    bare = _MARK.sub(" ", unit.text)
    if unit.kind == "fragment":
        return Verdict(reason="a sentence without end")
    if unit.kind == "code":
        return _check_code(unit.text, passages)
    if unit.kind == "item" and not re.search(r"\w", _BULLET.sub("", bare)):
        return Verdict(needs_source=False, reason="an item without words")
    if not re.search(r"\w", bare):
        return Verdict(needs_source=False)
    cited = [passage for passage in passages if passage.number in marks_of(unit.text)]
    claim = Claim.of(bare, unit.kind)
    if unit.kind == "heading" or (not cited and claim.is_lead_in):
        return _check_lead_in(claim, passages)
    verdict = _check_claim(claim, cited, SUPPORT) if cited else Verdict(reason="no mark")
    return verdict if verdict.is_held else _repaired(claim, passages, verdict)


@dataclass(frozen=True, slots=True)
class Claim:
    """A unit without its marks, taken apart."""

    text: str
    stems: tuple[str, ...]  # of its content words, in order
    terms: frozenset[str]
    claimed: facts.Claimed
    denials: facts.Denials
    language: str

    @classmethod
    def of(cls, text: str, kind: str = "sentence") -> Claim:
        """Take a text apart."""
        body = _BULLET.sub("", text) if kind == "item" else text
        body = _OPENING.sub("", body)
        stop = _stop_terms()
        stems = [one for one in tokenize(plain(body)) if one not in stop and not one[0].isdigit()]
        return cls(
            body,
            tuple(stems),
            frozenset(stems),
            facts.claimed(body),
            facts.denials(body),
            language_of(body),
        )

    @property
    def is_lead_in(self) -> bool:
        """Tell whether it only announces what follows."""
        ending = self.text.rstrip(" \n*_")
        return ending.endswith((":", "：")) and len(self.text.split()) <= _LEAD_IN_WORDS


def plain(text: str) -> str:
    """Return Markdown as its words: emphasis, code marks and link targets left out."""
    text = re.sub(r"\]\([^)\n]*\)", "]", text)
    return re.sub(r"[*`\[\]]|(?<!\w)_|_(?!\w)", "", text).replace("|", " ")


def _segment(text: str) -> Segment:
    return Segment(text, frozenset(tokenize(plain(text))) - _stop_terms(), facts.denials(text))


@cache
def _stop_terms() -> frozenset[str]:
    return frozenset(tokenize(" ".join([_STOP, *facts.EXACT_WORDS])))


def _check_claim(claim: Claim, cited: Sequence[Passage], support: float) -> Verdict:
    """Check a claim against these passages taken together."""
    alike = [passage for passage in cited if _is_comparable(claim, passage)]
    claimed = claim.claimed if alike else claim.claimed.translated
    if missing := facts.missing(claimed, [passage.held for passage in cited]):
        return Verdict(reason=f"not in the passage: {missing}")
    if not alike:
        return Verdict(tuple(Source(one.number, _quote(claim, one)) for one in cited))
    held = frozenset[str]().union(*(passage.terms for passage in alike))
    if _share(claim.terms, held) < support:
        return Verdict(reason=f"{_share(claim.terms, held):.0%} of its words stand in the passage")
    if _longest_run(stem not in held for stem in claim.stems) >= FOREIGN_RUN:
        return Verdict(reason="a part of it stands nowhere in the passage")
    best = max(_share(claim.terms, part | one.context) for one in alike for part in one.held.parts)
    if best < LOCAL_SUPPORT:
        return Verdict(reason=f"{best:.0%} of its words stand together")
    if contradiction := _contradiction(claim, alike):
        return Verdict(reason=f"denied or affirmed: {contradiction}")
    sources = [one for one in alike if _share(claim.terms, one.terms) >= MARK_SUPPORT]
    return Verdict(tuple(Source(one.number, _quote(claim, one)) for one in sources or alike[:1]))


def _repaired(claim: Claim, passages: Sequence[Passage], failed: Verdict) -> Verdict:
    """Return the verdict of the one passage that holds the claim most fully, if any does."""
    if len(claim.terms) < MIN_UNMARKED_TERMS:
        return failed
    order = sorted(passages, key=lambda one: -_share(claim.terms, one.terms))
    for passage in order:
        if _is_comparable(claim, passage):
            verdict = _check_claim(claim, [passage], SUPPORT_UNMARKED)
            if verdict.is_held:
                return verdict
    return failed


def _check_lead_in(claim: Claim, passages: Sequence[Passage]) -> Verdict:
    """Check a heading or lead-in: it needs no mark, and may hold no fact of its own."""
    if missing := facts.missing(claim.claimed, [passage.held for passage in passages]):
        return Verdict(reason=f"in no passage: {missing}")
    held = frozenset[str]().union(*(passage.terms for passage in passages), _lead_in_terms())
    alike = any(_is_comparable(claim, passage) for passage in passages)
    if alike and _share(claim.terms, held) < SUPPORT:
        return Verdict(reason="a heading of its own")
    return Verdict(needs_source=False)


@cache
def _lead_in_terms() -> frozenset[str]:
    return frozenset(
        tokenize(
            "follow following steps step here note summary overview answer do list name value "
            "description feature option setting default example action detail meaning"
        )
    )


def _check_code(text: str, passages: Sequence[Passage]) -> Verdict:
    """Check a code block: each of its lines must stand in one passage, but for its fences."""
    lines = [" ".join(line.split()) for line in text.strip().splitlines()]
    edges = (0, len(lines) - 1)
    lines = [
        line
        for place, line in enumerate(lines)
        if line and not (place in edges and _FENCE.fullmatch(line))
    ]
    for passage in passages:
        body = " ".join(passage.chunk.text.split())
        if lines and all(line in body for line in lines):
            own = passage.chunk.text.splitlines()
            quote = next((one for one in own if lines[0] in " ".join(one.split())), own[0])
            return Verdict((Source(passage.number, quote.strip()[:MAX_QUOTE_CHARACTERS]),))
    return Verdict(reason="code that stands in no passage")


def _contradiction(claim: Claim, passages: Iterable[Passage]) -> str:
    """Return what the closest segments deny and the claim affirms, or the reverse."""
    ranked = [(_share(claim.terms, seg.terms), seg) for one in passages for seg in one.segments]
    top = max((share for share, _ in ranked), default=0.0)
    near = [segment for share, segment in ranked if share >= top * CLOSEST]
    around = [segment for share, segment in ranked if share >= top * CLOSE]
    if claim.denials.has_any and not any(segment.denials.has_any for segment in around):
        return "not"
    return facts.contradiction(claim.denials, claim.terms, [(s.denials, s.terms) for s in near])


def _quote(claim: Claim, passage: Passage) -> str:
    """Return the segment of the passage that holds most of the claim, verbatim."""
    if not passage.segments:
        return passage.chunk.text.strip()[:MAX_QUOTE_CHARACTERS]
    digits = set(re.findall(r"\d+", claim.text))

    def closeness(segment: Segment) -> tuple[float, int]:
        numbers = len(digits & set(re.findall(r"\d+", segment.text)))
        return _share(claim.terms, segment.terms) + 0.2 * numbers, -len(segment.text)

    best = max(passage.segments, key=closeness).text
    return (
        best if len(best) <= MAX_QUOTE_CHARACTERS else best[:MAX_QUOTE_CHARACTERS].rsplit(" ", 1)[0]
    )


def _longest_run(flags: Iterable[bool]) -> int:
    return max((sum(run) for _, run in groupby(flags)), default=0)


def _is_comparable(claim: Claim, passage: Passage) -> bool:
    return not (claim.language and passage.language) or claim.language == passage.language


def _share(terms: frozenset[str], held: frozenset[str]) -> float:
    return len(terms & held) / len(terms) if terms else 1.0
