"""The gate: what a new release must still find before it takes the place of the current one.

Golden questions are asked of the new release. One that fails there, and passes in the current
release, blocks the promotion. It is judged by what is found, which needs no language model.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.terminal import Progress, Quiet
from knowledge.documents import Chunk, Document, Evidence, Scope, content_hash
from knowledge.embedder import Embedder
from knowledge.errors import EmbedderMismatch, ReleaseNotFound, StoreDamaged
from knowledge.files import disk_errors, write_whole
from knowledge.releases import Release, ReleaseStore
from knowledge.reranker import Reranker
from knowledge.retriever import Retriever
from knowledge.sufficiency import is_sufficient, load_calibration, sufficiency, threshold

if TYPE_CHECKING:
    from ingest.golden import Golden

# Of a verdict's public form, what is shown of a release again later.
RECORDED = ("questions", "passed", "forced", "dropped", "failing")
_SHOWN = 3  # documents that are named of what was found
_TOLD = 20  # questions that are told to a person in full


@dataclass(frozen=True, slots=True)
class Judged:
    """What one release finds for a golden question."""

    documents: tuple[str, ...]  # ids, best first
    reasons: tuple[str, ...] = ()  # why it fails

    @property
    def passed(self) -> bool:
        """Tell whether all that is wanted is found."""
        return not self.reasons

    def to_json(self) -> dict[str, Any]:
        """Return the public form."""
        return {
            "passed": self.passed,
            "documents": list(self.documents),
            "reasons": list(self.reasons),
        }


@dataclass(frozen=True, slots=True)
class Compared:
    """A golden question in the new release and in the current one."""

    golden: Golden
    now: Judged
    before: Judged | None = None  # None: it was not asked, or there is no release that can be asked
    news: tuple[str, ...] = ()  # what became of the documents that were found before

    @property
    def is_drop(self) -> bool:
        """Tell whether it passed and no longer does."""
        return self.before is not None and self.before.passed and not self.now.passed

    @property
    def state(self) -> str:
        """Return in words whether it passes, beside what was before."""
        if self.before is None:
            return "passes" if self.now.passed else "fails"
        if self.is_drop:
            return "no longer passes"
        if self.now.passed:
            return "still passes" if self.before.passed else "passes now"
        return "still fails"

    @property
    def is_change(self) -> bool:
        """Tell whether it passes or fails now unlike before, or finds other documents first."""
        before = self.before or Judged(())
        is_other = before.documents[:_SHOWN] != self.now.documents[:_SHOWN]
        return before.passed != self.now.passed or (is_other and not self.golden.refuse)

    def to_json(self) -> dict[str, Any]:
        """Return the public form."""
        return {
            "question": self.golden.question,
            "audience": self.golden.audience or None,
            "before": self.before.to_json() if self.before else None,
            "now": self.now.to_json(),
            "news": list(self.news),
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says of a release."""

    compared: tuple[Compared, ...]
    is_forced: bool = False  # it may be promoted although it finds less

    @property
    def drops(self) -> tuple[Compared, ...]:
        """Return the questions that passed and now fail."""
        return tuple(one for one in self.compared if one.is_drop)

    @property
    def failing(self) -> tuple[Compared, ...]:
        """Return the questions that fail, and of which nobody knows that they ever passed."""
        return tuple(one for one in self.compared if not (one.now.passed or one.is_drop))

    @property
    def blocks(self) -> bool:
        """Tell whether the release must not be promoted."""
        return bool(self.drops) and not self.is_forced

    @property
    def summary(self) -> str:
        """Return one line for a person."""
        total, drops, failing = len(self.compared), len(self.drops), len(self.failing)
        parts = [f"{total - drops - failing:,} of {total:,} golden questions pass"]
        if drops:
            parts.append(f"{drops:,} passed before and {'fails' if drops == 1 else 'fail'} now")
        if failing:
            is_known = any(one.before for one in self.failing)
            known = "failed before too" if is_known else "fail, with nothing to compare with"
            parts.append(f"{failing:,} {known}")
        return ", ".join(parts) + (" (forced)" if drops and self.is_forced else "")

    def lines(self) -> list[str]:
        """Return the questions that fail, each with what was found before and what is found now."""
        told: list[str] = []
        for some in (self.drops, self.failing):
            for one in some[:_TOLD]:
                told += _told(one)
            if len(some) > _TOLD:
                told.append(f"… and {len(some) - _TOLD:,} more")
        return told

    def changes(self) -> list[str]:
        """Return the questions whose answers would change, for a person."""
        changed = [one for one in self.compared if one.is_change]
        told = [f"answers that change: {len(changed):,} of {len(self.compared):,}"]
        for one in changed[:_TOLD]:
            told += _told(one)
        if len(changed) > _TOLD:
            told.append(f"… and {len(changed) - _TOLD:,} more")
        return told

    def to_json(self) -> dict[str, Any]:
        """Return the public form; of what is as it was only the number."""
        return {
            "questions": len(self.compared),
            "passed": sum(one.now.passed for one in self.compared),
            "blocked": self.blocks,
            "forced": self.is_forced and bool(self.drops),
            "dropped": [one.to_json() for one in self.drops],
            "failing": [one.to_json() for one in self.failing],
        }


class Gate:
    """Asks golden questions of releases.

    Args:
        home: where it keeps what each release answered.
        store: where the releases are.
        embedder: must be the one of the new release.
        questions: what to ask.
        reranker: as the bot uses it.
        is_forced: lets a release pass that finds less, and keeps that this was so.
        progress: is told how far it is.
    """

    def __init__(
        self,
        home: Path,
        store: ReleaseStore,
        embedder: Embedder,
        questions: Sequence[Golden],
        *,
        reranker: Reranker | None = None,
        is_forced: bool = False,
        progress: Progress | None = None,
    ) -> None:
        self._home = home
        self._store = store
        self._embedder = embedder
        self._reranker = reranker
        self._questions = questions
        self._is_forced = is_forced
        self._progress = progress or Quiet()

    def judge(self, release: Release, current: Release | None) -> Verdict:
        """Ask all of the new release, and of the current one what fails there."""
        now = self._ask(release, self._questions)
        failing = [golden for golden in self._questions if not now[golden].passed]
        before = self._before(current, failing)
        return self._verdict(now, before, release, current)

    def compare(self, release: Release, current: Release | None) -> Verdict:
        """Ask all of both."""
        now = self._ask(release, self._questions)
        return self._verdict(now, self._before(current, self._questions), release, current)

    def record(self, release: Release, verdict: Verdict) -> None:
        """Keep what a release answered that is about to be promoted."""
        path = _record_path(self._home, release.id)
        with disk_errors(path):
            answers = {_key(one.golden): one.now.to_json() for one in verdict.compared}
            write_whole(path, json.dumps({**verdict.to_json(), "answers": answers}))

    def forget_removed(self) -> None:
        """Forget what releases answered that are gone; what cannot be removed now goes later."""
        kept = self._store.ids()
        for path in _record_path(self._home, "*").parent.glob("*.json"):
            if path.stem not in kept:
                with suppress(OSError):
                    path.unlink()

    def _verdict(
        self,
        now: Mapping[Golden, Judged],
        before: Mapping[Golden, Judged],
        release: Release,
        current: Release | None,
    ) -> Verdict:
        held = current.documents if current else {}
        compared = []
        for golden in self._questions:
            was = before.get(golden)
            sought = [*_wanted(golden, held), *(was.documents[:_SHOWN] if was else ())]
            news = tuple(_news(dict.fromkeys(sought), held, release.documents))
            compared.append(Compared(golden, now[golden], was, news))
        return Verdict(tuple(compared), self._is_forced)

    def _before(
        self, current: Release | None, questions: Sequence[Golden]
    ) -> Mapping[Golden, Judged]:
        """Return what the current release finds, or found when it was promoted."""
        if current is None or not questions:
            return {}
        try:
            return self._ask(current, questions)
        except (EmbedderMismatch, StoreDamaged, ReleaseNotFound):
            answers = (read_record(self._home, current.id) or {}).get("answers", {})
            known = ((golden, answers.get(_key(golden))) for golden in questions)
            return {golden: _judged(answer) for golden, answer in known if answer}

    def _ask(self, release: Release, questions: Sequence[Golden]) -> dict[Golden, Judged]:
        if release.embedder != self._embedder.fingerprint:
            raise EmbedderMismatch(f"release {release.id} was built with another embedding model")
        judged = {}
        with closing(
            Retriever(
                self._store,
                self._embedder,
                self._reranker,
                release_id=release.id,
                calibration=load_calibration(self._home, self._embedder.fingerprint),
            )
        ) as retriever:
            for done, golden in enumerate(questions):
                self._progress.step("golden questions", done, len(questions))
                scope = Scope.of(golden.audience or None)
                judged[golden] = judge(golden, retriever.retrieve(golden.question, scope))
        self._progress.step("golden questions", len(questions), len(questions))
        return judged


def judge(golden: Golden, evidence: Evidence) -> Judged:
    """Return whether what was found is what a golden question wants."""
    documents = tuple(dict.fromkeys(chunk.document_id for chunk in evidence.chunks))
    return Judged(documents, tuple(_reasons(golden, evidence)))


def read_record(home: Path, release_id: str) -> dict[str, Any] | None:
    """Return what the gate said of a release when it was promoted; None: it was not asked."""
    try:
        record = json.loads(_record_path(home, release_id).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # it is a note; what holds is decided anew at each sync
        return None
    is_whole = isinstance(record, dict) and {*RECORDED, "answers"} <= record.keys()
    return record if is_whole else None


def _reasons(golden: Golden, evidence: Evidence) -> Iterable[str]:
    if golden.refuse:
        if is_sufficient(evidence):
            found = f"{sufficiency(evidence):.2f}, and {threshold(evidence):.2f} suffices"
            yield f"it must be refused, and there is evidence enough ({found})"
    elif not is_sufficient(evidence):
        yield "the evidence is too thin, so that the bot would refuse"
    if golden.expect and not any(_is_of(c, golden.expect) for c in evidence.chunks):
        yield f"{' or '.join(golden.expect)} is not among the passages found"
    texts = {chunk.id: _plain(chunk.indexed_text) for chunk in evidence.chunks}
    for text in golden.must_say:
        if not any(_plain(text) in said for said in texts.values()):
            yield f"no passage found says {text!r}"
    for text in golden.must_not_say:
        saying = [c.document_id for c in evidence.chunks if _plain(text) in texts[c.id]]
        if saying:
            yield f"{saying[0]} says {text!r}"


def _is_of(chunk: Chunk, expect: Collection[str]) -> bool:
    return not {chunk.document_id, chunk.uri, chunk.uri.partition("#")[0]}.isdisjoint(expect)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _wanted(golden: Golden, held: Mapping[str, Document]) -> list[str]:
    """Return the ids of the documents that are expected."""
    by_address = {document.uri: id_ for id_, document in held.items()} if golden.expect else {}
    return [by_address.get(name, name) for name in golden.expect]


def _news(
    sought: Iterable[str], held: Mapping[str, Document], documents: Mapping[str, Document]
) -> Iterable[str]:
    """Tell of documents that moved, vanished or changed."""
    for id_ in sought:
        old, new = held.get(id_), documents.get(id_)
        if old is None:
            continue
        if new is None:
            same = (d.id for d in documents.values() if d.content_hash == old.content_hash)
            place = next(same, "")
            yield f"{id_} moved to {place}" if place else f"{id_} is no longer there"
        elif new.content_hash != old.content_hash:
            yield f"{id_} changed"


def _told(one: Compared) -> list[str]:
    lines = [f"{one.state}: {one.golden.question}"]
    lines += [f"  {reason}" for reason in (*one.now.reasons, *one.news)]
    if one.before:
        lines.append(f"  found before: {_list(one.before.documents)}")
    lines.append(f"  found now: {_list(one.now.documents)}")
    return lines


def _list(documents: Sequence[str]) -> str:
    more = f", and {len(documents) - _SHOWN} more" if len(documents) > _SHOWN else ""
    return (", ".join(documents[:_SHOWN]) or "nothing") + more


def _key(golden: Golden) -> str:
    return content_hash(json.dumps(golden.to_json(), sort_keys=True))


def _judged(answer: Any) -> Judged:
    return Judged(tuple(answer["documents"]), tuple(answer["reasons"]))


def _record_path(home: Path, release_id: str) -> Path:
    return home / "gate" / f"{release_id}.json"
