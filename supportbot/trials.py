"""Tries the check of citations: sentences made wrong must fail, true ones must pass.

The material is a labelled dataset. For each question the passages of its relevant documents are
supplied as they would be to a model, among passages of other documents. Sentences of these
passages, and the people's answers that pass, are made wrong in one place each (`mutations`); what
the check lets through is a miss. The same sentences as they stand, reworded by fixed rules, and in
the people's wording must pass; what fails is a false alarm. The same seed gives the same trials.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from knowledge.documents import Chunk
from supportbot.answering.grounding import Passage, check
from supportbot.answering.sentences import Kind, Unit, split
from supportbot.dataset import LabelledQuestion
from supportbot.mutations import MUTATIONS, Foreign, reworded

SEED = 7
GOLD_PASSAGES = 4  # of the relevant documents, those nearest to the answer
OTHER_PASSAGES = 4
SENTENCES = 4  # taken from each question's relevant passages
EXAMPLES = 5  # of what went wrong, kept for each kind
CLOSE_WORDING = 0.5  # share of a sentence's pairs of words that stand in the relevant documents
SWAPPED_CITATION = "swapped citation"
SOFT = ("flipped opposite", "invented step", "merged sources")  # no single hard fact is wrong
VERBATIM = "word for word"
REWORDED = "reworded by rules"
CLOSE = "people's, near the page's wording"
FREE = "people's, in other words"
TRUE = (VERBATIM, REWORDED, CLOSE, FREE)
JUDGED = (VERBATIM, REWORDED, CLOSE)  # what counts as a false alarm
_NEVER = re.compile(r"(?!)")
_STATEMENT: Mapping[Kind, re.Pattern[str]] = {
    "sentence": re.compile(r"^[\w\"“'*`(].*[.!]\W{0,3}$", re.S),
    "item": re.compile(r"\w"),
    "row": re.compile(r"\w"),
    "heading": _NEVER,
    "code": _NEVER,
    "fragment": _NEVER,
}


@dataclass(frozen=True, slots=True)
class Trial:
    """One sentence as a model would write it, with its mark."""

    kind: str
    unit: Unit
    passages: Sequence[Passage]
    wrong: int | None = None  # the mark that must not be shown; None: the sentence must not be

    def passes(self) -> bool:
        """Tell whether the sentence would be shown; where a mark is wrong, with that mark."""
        verdict = check(self.unit, self.passages)
        if self.wrong is None:
            return verdict.is_held
        return self.wrong in {source.number for source in verdict.sources}


@dataclass(frozen=True, slots=True)
class Count:
    """How many sentences of one kind were tried, and how many of them did not pass."""

    kind: str
    tried: int
    stopped: int
    examples: tuple[str, ...] = ()  # of wrong ones that passed, of true ones that did not

    @property
    def is_true(self) -> bool:
        """Tell whether the sentences are true, so that each one stopped is a false alarm."""
        return self.kind in TRUE

    @property
    def share(self) -> float | None:
        """Return the share of them that did not pass, None where none was tried."""
        return _share([self])


@dataclass(frozen=True, slots=True)
class GroundingReport:
    """The figures of the check, kind by kind."""

    counts: tuple[Count, ...]
    seed: int = SEED

    @property
    def hard_facts(self) -> float | None:
        """Return the share of wrong hard facts that were caught."""
        return _share(one for one in self.counts if not one.is_true and one.kind not in SOFT)

    @property
    def false_alarms(self) -> float | None:
        """Return the share of true sentences, worded like the page, that were stopped."""
        return _share(one for one in self.counts if one.kind in JUDGED)

    def to_json(self) -> dict[str, Any]:
        """Return the public form."""

        def rows(is_true: bool) -> dict[str, Any]:
            return {
                one.kind: {
                    "tried": one.tried,
                    "refused" if is_true else "caught": one.stopped,
                    "share": one.share,
                    "examples": list(one.examples),
                }
                for one in self.counts
                if one.is_true == is_true
            }

        return {
            "seed": self.seed,
            "wrong": rows(is_true=False),
            "true": rows(is_true=True),
            "hard_facts_caught": self.hard_facts,
            "false_alarms": self.false_alarms,
        }

    def render(self) -> list[str]:
        """Return the lines of a table to read."""
        wrong = [one for one in self.counts if not one.is_true]
        true = [one for one in self.counts if one.is_true]
        return [
            f"{'sentences made wrong':<36}{'tried':>6}{'caught':>9}{'share':>8}",
            *(_row(one, "" if one.kind in SOFT else "*") for one in wrong),
            f"{'all with * (hard facts)':<51}{_percent(self.hard_facts)}",
            f"{'true sentences':<36}{'tried':>6}{'refused':>9}{'share':>8}",
            *(_row(one, "*" if one.kind in JUDGED else "") for one in true),
            f"{'all with * (false alarms)':<51}{_percent(self.false_alarms)}",
        ]


def try_out(
    questions: Iterable[LabelledQuestion], chunks: Mapping[str, Sequence[Chunk]], seed: int = SEED
) -> GroundingReport:
    """Return what the check does with right and wrong sentences.

    Args:
        questions: those with relevant documents are used, with their answers if they have any.
        chunks: the passages of every document of the corpus, by the dataset's document ids.
        seed: of all choices.
    """
    tried: dict[str, list[tuple[bool, str]]] = defaultdict(list)
    for trial in _trials(questions, chunks, seed):
        passed = trial.passes()
        tried[trial.kind].append((passed, trial.unit.text.strip()))
    kinds = [SWAPPED_CITATION, *MUTATIONS, *TRUE]
    return GroundingReport(tuple(_count(kind, tried[kind]) for kind in kinds), seed)


def _count(kind: str, tried: Sequence[tuple[bool, str]]) -> Count:
    wrongly = [text for passed, text in tried if passed != (kind in TRUE)]
    stopped = sum(not passed for passed, _ in tried)
    return Count(kind, len(tried), stopped, tuple(wrongly[:EXAMPLES]))


def _trials(
    questions: Iterable[LabelledQuestion], chunks: Mapping[str, Sequence[Chunk]], seed: int
) -> Iterator[Trial]:
    prepared = {
        document: [Passage.of(0, chunk) for chunk in own] for document, own in chunks.items()
    }
    for question in questions:
        gold = [one for document in question.relevant for one in prepared.get(document, ())]
        others = [document for document in prepared if document not in question.relevant]
        if gold and others:
            rng = random.Random(f"{seed} {question.id}")  # noqa: S311 - nothing secret
            yield from _Material(question, gold, prepared, others, rng).trials()


class _Material:
    """What one question gives to try."""

    def __init__(
        self,
        question: LabelledQuestion,
        gold: Sequence[Passage],
        prepared: Mapping[str, Sequence[Passage]],
        others: Sequence[str],
        rng: random.Random,
    ) -> None:
        self._rng = rng
        self._answer = question.answer
        wanted = set(_words(f"{question.text} {question.answer}"))
        order = sorted(gold, key=lambda one: -len(wanted & set(_words(one.chunk.text))))
        foreign = [
            one for name in rng.sample(others, min(12, len(others))) for one in prepared[name]
        ]
        foreign = rng.sample(foreign, min(24, len(foreign)))
        supplied = [*order[:GOLD_PASSAGES], *foreign[:OTHER_PASSAGES]]
        self._passages = [replace(one, number=n) for n, one in enumerate(supplied, start=1)]
        self._gold = self._passages[: min(GOLD_PASSAGES, len(order))]
        self._page = _words(" ".join(one.chunk.text for one in self._gold))
        self._foreign = self._other_text(foreign[OTHER_PASSAGES:])

    def _other_text(self, others: Sequence[Passage]) -> Foreign:
        """Return what stands in passages that are not supplied."""
        text = "\n".join(
            f"{one.chunk.title} {one.chunk.heading} {one.chunk.uri} {one.chunk.text}"
            for one in self._passages
        ).casefold()
        sentences = [unit.text.strip() for one in others for unit in _statements(one)]
        prose = " ".join(sentences)
        names = re.findall(r"(?<=[a-z,] )[A-Z][a-z]{2,}(?: [A-Z][a-z]{2,})*\b", prose)
        words = [word for word in re.findall(r"\b[a-z]{5,12}\b", prose) if word not in text]
        return Foreign(
            text,
            sorted(set(names)),
            [sentence for sentence in sentences if sentence.casefold() not in text],
            sorted(set(words)) or ["zeppelin"],
        )

    def trials(self) -> Iterator[Trial]:
        """Yield all sentences to try."""
        true = [*self._of_passages(), *self._of_people()]
        yield from true
        for trial in true:
            if trial.kind in (VERBATIM, CLOSE) and trial.passes():
                yield from self._wrong(trial)

    def _of_passages(self) -> Iterator[Trial]:
        found = [(one.number, unit) for one in self._gold for unit in _statements(one)]
        for number, unit in self._rng.sample(found, min(SENTENCES, len(found))):
            text = unit.text.strip()
            yield self._trial(VERBATIM, text, unit.kind, number)
            if unit.kind != "row" and (other := reworded(text, self._rng)):
                yield self._trial(REWORDED, other, unit.kind, number)

    def _of_people(self) -> Iterator[Trial]:
        """Yield the sentences of the people's answer, each citing all relevant passages."""
        numbers = [one.number for one in self._gold]
        pairs, digits = set(pairwise(self._page)), {word for word in self._page if word.isdigit()}
        for unit in split(self._answer):
            words = _words(unit.text)
            if unit.kind not in ("sentence", "item") or len(words) < 5:
                continue
            known = sum(pair in pairs for pair in pairwise(words))
            is_close = known >= CLOSE_WORDING * (len(words) - 1)
            is_close = is_close and digits.issuperset(word for word in words if word.isdigit())
            yield self._trial(CLOSE if is_close else FREE, unit.text.strip(), unit.kind, *numbers)

    def _wrong(self, right: Trial) -> Iterator[Trial]:
        text = _bare(right.unit.text)
        marks = re.findall(r"\[(\d)\]", right.unit.text)
        for kind, mutate in MUTATIONS.items():
            changed = mutate(text, self._foreign, self._rng)
            if changed and changed != text:
                yield self._trial(kind, changed, right.unit.kind, *map(int, marks))
        wrong = self._rng.choice(
            [one for one in self._passages if str(one.number) not in marks] or [None]
        )
        if wrong and _plain(text) not in _plain(wrong.chunk.text):
            trial = self._trial(SWAPPED_CITATION, text, right.unit.kind, wrong.number)
            yield replace(trial, wrong=wrong.number)

    def _trial(self, kind: str, text: str, form: Kind, *numbers: int) -> Trial:
        return Trial(kind, _marked(text, form, numbers), self._passages)


def _statements(passage: Passage) -> list[Unit]:
    """Return the sentences, items and rows of a passage that say something on their own."""
    return [
        unit
        for unit in split(passage.chunk.text)
        if _STATEMENT[unit.kind].search(unit.text.strip())
        and 6 <= len(_words(unit.text)) <= 60
        and "\n\n" not in unit.text.strip()
        and not unit.text.strip().endswith(("?", ":"))
    ]


def _marked(text: str, kind: Kind, numbers: Sequence[int]) -> Unit:
    marks = "".join(f"[{number}]" for number in numbers)
    if kind == "row" and text.endswith("|"):
        return Unit(f"{text[:-1].rstrip()} {marks} |\n", kind)
    return Unit(f"{text} {marks}", kind)


def _bare(text: str) -> str:
    return re.sub(r" ?(?:\[\d\])+( \|)?\s*$", r"\1", text)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _plain(text: str) -> str:
    return " ".join(_words(text))


def _share(counts: Iterable[Count]) -> float | None:
    taken = list(counts)
    tried = sum(one.tried for one in taken)
    return round(sum(one.stopped for one in taken) / tried, 4) if tried else None


def _percent(share: float | None) -> str:
    return f"{'none' if share is None else f'{share:.1%}':>8}"


def _row(count: Count, mark: str) -> str:
    name = f"{count.kind} {mark}".strip()
    return f"{name:<36}{count.tried:>6}{count.stopped:>9}{_percent(count.share)}"
