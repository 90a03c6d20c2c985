"""The answer as it grows: model text goes in, checked text with our own numbering comes out."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Sequence

from knowledge.documents import Chunk
from knowledge.languages import language_of
from supportbot.answering.cleaning import harmless, visible
from supportbot.answering.grounding import Passage, Source, Verdict, check, marks_of
from supportbot.answering.prompts import NO_ANSWER, RULES_RUNS, runs
from supportbot.answering.quotes import cite
from supportbot.answering.sentences import MARK, Unit, UnitSplitter, split
from supportbot.conversation import Citation

HOPELESS = 50  # dropped units in a row
MAX_FAILED = 10  # sentences that the model is asked to mend
MAX_FAILED_CHARACTERS = 300  # of each
_SAID_CHARACTERS = 200  # of what the model said last: more than a run of words of the rules has
_MARK = re.compile(rf"[ \t]*\n?[ \t]*(?P<mark>{MARK})")
_LINKED_MARK = re.compile(rf"\[({MARK})\]\([^)\n]*\)|({MARK})\([^)\n]*\)")
_SOURCE_LINE = re.compile(rf"\s*(?:[-*+•]\s+|\d{{1,3}}[.)]\s+)?{MARK}[:\s]")
_SEPARATOR_ROW = re.compile(r"\s*\|[\s:|-]+$")
_log = logging.getLogger(__name__)


class Draft:
    """Decides unit by unit what is shown; what was shown is never taken back.

    Nothing is shown before a sentence with a mark of its own has been checked: a heading or lead-in
    waits for what it announces, and text that may still turn out to be thinking waits for a sign.

    Args:
        passages: what the model was given.
        language: of the question, "" where it cannot be told.
    """

    def __init__(self, passages: Sequence[Passage], language: str = "") -> None:
        self._passages = passages
        self._language = language
        self._said = ""  # by the model last, shown or not
        self._splitter = UnitSplitter()
        self._held: list[Unit] = []  # while this may be thinking
        self._is_trusted = False  # this is the answer, not thinking
        self._is_judged = False  # the first unit was looked at for a sign of that
        self._leads: list[Unit] = []
        self._gap = ""  # white space since the last shown unit
        self._last_kind = ""
        self._in_table = False
        self._numbers: dict[int, int] = {}  # passage -> citation
        self._citations: list[Citation] = []
        self.text = ""
        self.dropped: Counter[str] = Counter()  # units, by the kind of reason
        self._dropped_in_a_row = 0
        self.declined = False  # the model said that the passages do not answer
        self._failed: list[str] = []
        self._shown_before: frozenset[str] = frozenset()  # of an earlier reply

    @property
    def failed(self) -> tuple[str, ...]:
        """Return the dropped sentences that are worth a second try.

        These are those with a mark, or all where nothing is shown.
        """
        worth = [text for text in self._failed if marks_of(text) or not self.text]
        return tuple(text[:MAX_FAILED_CHARACTERS] for text in worth[:MAX_FAILED])

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Return what the shown text cites, numbered by first use."""
        return tuple(self._citations)

    @property
    def is_hopeless(self) -> bool:
        """Tell whether so much in a row was dropped that the rest will be too."""
        return self._dropped_in_a_row >= HOPELESS

    def add(self, text: str, is_settled: bool) -> str:
        """Take model text and return what may be shown now."""
        return self._take(self._splitter.feed(text), is_settled)

    def finish(self, is_complete: bool = True) -> str:
        """Return what may be shown of the rest; where the text was cut, without its last piece."""
        return self._take(self._splitter.finish() if is_complete else [], is_settled=True)

    def discard(self) -> None:
        """Forget what was not shown."""
        self._splitter = UnitSplitter()
        self._held.clear()
        self._leads.clear()
        self._is_trusted = self._is_judged = self.declined = False
        self._dropped_in_a_row = 0

    def resume(self, passages: Sequence[Passage] = ()) -> None:
        """Make ready for a second reply, in a paragraph of its own, to which these are at hand."""
        self.discard()
        self._passages = [*self._passages, *passages]
        self._gap = "\n\n"
        self._in_table = False
        self._last_kind = ""
        self._shown_before = frozenset(_words(unit) for unit in split(self.text))

    def _take(self, units: list[Unit], is_settled: bool) -> str:
        waiting, self._held = [*self._held, *units], []
        self._is_trusted = self._is_trusted or is_settled
        if waiting and not self._is_trusted and not self._is_judged:
            self._is_judged = True
            self._is_trusted = self._opens_an_answer(waiting[0])
        if not self._is_trusted:
            self._held = waiting
            return ""
        before = len(self.text)
        for unit in waiting:
            if not self.is_hopeless:
                self._consider(unit)
        return self.text[before:]

    def _opens_an_answer(self, unit: Unit) -> bool:
        """Tell whether a first unit is no thinking: it carries a mark that holds."""
        verdict = check(unit, self._passages)
        cited = {source.number for source in verdict.sources} & set(marks_of(unit.text))
        return verdict.is_held and bool(cited)

    def _consider(self, unit: Unit) -> None:
        """Show the unit, drop it, or keep it until what it announces is shown."""
        unit = _cleaned(unit)
        is_first_row = unit.kind == "row" and not self._in_table
        self._in_table = unit.kind == "row"
        if _words(unit) in self._shown_before:
            return
        verdict = self._verdict(Unit(unit.text, "heading") if is_first_row else unit)
        if is_first_row or _SEPARATOR_ROW.match(unit.text):
            self._wait(unit if verdict.is_held else _blank(unit))
        elif not verdict.is_held or not unit.text.strip():
            self._drop(unit, verdict)
        elif not verdict.needs_source:
            self._wait(unit)
        else:
            for lead in self._leads:
                if lead.kind != "row" or unit.kind == "row":
                    self._place(lead, _MARK.sub("", lead.text).strip())
            self._leads.clear()
            self._place(unit, self._numbered(unit, verdict.sources))

    def _verdict(self, unit: Unit) -> Verdict:
        if NO_ANSWER in unit.text:
            self.declined = True
            return Verdict(reason="the model found no answer")
        if _SOURCE_LINE.match(unit.text):
            return Verdict(reason="a list of sources")
        if self._recites(unit):
            return Verdict(reason="words of the rules")
        verdict = check(unit, self._passages)
        if verdict.is_held and self._is_foreign(unit, verdict):
            return Verdict(reason="a language that is neither asked in nor written in")
        return verdict

    def _recites(self, unit: Unit) -> bool:
        """Tell whether the unit goes on with words of the rules that stand in no passage."""
        said = f"{self._said} {unit.text}"
        self._said = said[-_SAID_CHARACTERS:]
        found = RULES_RUNS & runs(said)
        supplied = (runs(one.chunk.text) for one in self._passages)
        return bool(found) and not found <= set().union(*supplied)

    def _is_foreign(self, unit: Unit, verdict: Verdict) -> bool:
        """Tell whether a unit could be compared with no passage, and the asker's language is known.

        Only an answer in the language of the question may be in another than its passage.
        """
        language = language_of(unit.text)
        if unit.kind == "code" or not self._language or language in ("", self._language):
            return False
        used = {source.number for source in verdict.sources} or range(1, len(self._passages) + 1)
        return all(self._passages[number - 1].language not in ("", language) for number in used)

    def _drop(self, unit: Unit, verdict: Verdict) -> None:
        self._gap += "\n" * _edge_breaks(unit.text)
        if unit.text.strip():
            self.dropped[_kind(verdict.reason)] += 1
            if verdict.needs_source and not self.declined:
                self._failed.append(unit.text.strip())
            self._dropped_in_a_row += 1
            _log.debug("dropped a %s: %s", unit.kind, _kind(verdict.reason))

    def _wait(self, unit: Unit) -> None:
        """Keep a heading, lead-in or table head until something under it is shown."""
        if unit.kind == "heading":
            level = _level(unit)
            self._leads = [
                one for one in self._leads if one.kind == "heading" and _level(one) < level
            ]
        elif unit.kind != "row":
            self._leads = [one for one in self._leads if one.kind == "heading"]
        self._leads.append(unit)

    def _place(self, unit: Unit, body: str) -> None:
        """Add a body to the text, parted from what was shown before as the model parted it."""
        start = len(unit.text) - len(unit.text.lstrip())
        gap = self._gap + unit.text[:start]
        breaks = min(2, gap.count("\n"))
        if unit.kind in ("item", "row") and unit.kind == self._last_kind:
            breaks = 1
        indent = re.search(r"[ \t]*$", unit.text[:start])
        if not self.text:
            separator = ""
        elif breaks or unit.kind != "sentence":
            separator = "\n" * max(1, breaks)
            separator += indent.group() if indent and unit.kind == "item" else ""
        else:
            separator = " " if gap else ""
        self.text += separator + body
        self._dropped_in_a_row = 0
        self._gap = unit.text[len(unit.text.rstrip()) :]
        self._last_kind = unit.kind

    def _numbered(self, unit: Unit, sources: Sequence[Source]) -> str:
        """Return the unit with the marks that hold, in the answer's own numbering."""
        quotes = {source.number: source.quote for source in sources}
        written: list[int] = []

        def renumbered(match: re.Match[str]) -> str:
            kept = [n for n in marks_of(match["mark"]) if n in quotes and n not in written]
            written.extend(kept)
            space = " " if match.group()[0].isspace() else ""
            marks = "".join(f"[{self._number(n, quotes[n])}]" for n in kept)
            return f"{space}{marks}" if marks else ""

        body = (
            _MARK.sub(renumbered, unit.text.strip()) if unit.kind != "code" else unit.text.strip()
        )
        rest = "".join(f"[{self._number(n, quotes[n])}]" for n in quotes if n not in written)
        return _with_marks(body, unit.kind, rest) if rest and not written else body

    def _number(self, passage: int, words: str) -> int:
        """Return the citation number of a passage; a new one on its first use."""
        if passage not in self._numbers:
            number = self._numbers[passage] = len(self._numbers) + 1
            chunk = self._passages[passage - 1].chunk
            supplied = [one.chunk for one in self._passages]
            self._citations.append(cite(number, chunk, words, supplied))
        return self._numbers[passage]


def prepared(chunks: Sequence[Chunk], first: int = 1) -> list[Passage]:
    """Return the passages of a prompt, numbered from `first` on and ready for checking."""
    return [Passage.of(number, chunk) for number, chunk in enumerate(chunks, start=first)]


def _kind(reason: str) -> str:
    """Return a reason without words or figures of the text."""
    return re.sub(r"^\d+ ?%", "too few", reason.split(":")[0])


def _cleaned(unit: Unit) -> Unit:
    if unit.kind == "code":
        return Unit(visible(unit.text), "code")
    text = _LINKED_MARK.sub(lambda found: found[1] or found[2], unit.text)
    return Unit(harmless(visible(text)), unit.kind)


def _blank(row: Unit) -> Unit:
    """Return a table's head without its words: a table needs one."""
    return Unit(re.sub(r"[^|\n]+", " ", row.text), "row")


def _with_marks(body: str, kind: str, marks: str) -> str:
    if kind == "row" and body.endswith("|"):
        return f"{body[:-1].rstrip()} {marks} |"
    return f"{body}\n\n{marks}" if kind == "code" else f"{body} {marks}"


def _edge_breaks(text: str) -> int:
    return text.count("\n") - text.strip().count("\n")


def _words(unit: Unit) -> str:
    return " ".join(_MARK.sub(" ", unit.text).split())


def _level(heading: Unit) -> int:
    hashes = len(re.match(r"\s*(#*)", heading.text)[1])  # type: ignore[index]
    return hashes or 7
