"""The way of documents into the knowledge base.

List the sources → plan → read → parse → cut → build a release → verify → promote. A document that
cannot be read never stops a run: it is named with a reason, and its last good version stays.
"""

from __future__ import annotations

import difflib
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from ingest.chunker import CHUNKER, cut
from ingest.describing import describe
from ingest.errors import (
    DocumentEmpty,
    DocumentUnknown,
    FetchFailed,
    ParseFailed,
    SourceUnreachable,
    SourceUnusable,
    SyncRefused,
)
from ingest.findings.kept import Findings
from ingest.gate import Gate, Verdict
from ingest.guard import losses
from ingest.parsers import ENDINGS
from ingest.parsers.base import Parsed
from ingest.plan import Plan, Work, diff, shaped_hash
from ingest.report import Counts, Report
from ingest.sources.base import Listed, Listing, RawDocument, Source
from ingest.terminal import Progress, Quiet
from ingest.workers import Outcome, Workers
from knowledge.documents import Chunk, Document, content_hash
from knowledge.embedder import Embedder
from knowledge.errors import KnowledgeError, StoreBusy, StoreDamaged
from knowledge.failures import Failure
from knowledge.releases import Release, ReleaseBuilder, ReleaseStore

log = logging.getLogger(__name__)

# What data of another system may raise where nobody foresaw its form.
_UNFORESEEN = (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class _Order:
    """What a sync is asked for."""

    sources: Sequence[Source]
    began: float
    allows_loss: bool = False
    due: Collection[str] | None = None  # names of the sources to list; None: all
    needs_all: bool = False  # of those, not one may be missing


@dataclass(frozen=True, slots=True)
class _Found:
    """What the sources of a run list, and what keeps some of them from being listed."""

    listed: tuple[tuple[Source, Listing], ...]
    unlisted: frozenset[str] = frozenset()  # names of those that failed, or were not asked
    failures: tuple[Failure, ...] = ()

    @property
    def replaced(self) -> frozenset[str] | None:
        """Return the names of the sources whose documents may go; None: any document may."""
        names = frozenset(source.name for source, _ in self.listed)
        return names if self.unlisted else None

    @property
    def is_empty(self) -> bool:
        """Tell whether there is no document, nor a sign of one."""
        return not any(listing.items or listing.failures for _, listing in self.listed)


@dataclass(frozen=True, slots=True)
class _Task:
    """One run: what is to be done, to which release."""

    plan: Plan
    current: Release | None
    sources: tuple[str, ...]
    began: float
    keeps_rest: bool = False
    unlisted: frozenset[str] = frozenset()  # names of sources whose documents stay as they are
    overrides: tuple[str, ...] = ()
    may_empty: bool = False  # go on although no document is left


@dataclass(slots=True)
class _Tally:
    """What a build has done so far."""

    put: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    failures: list[Failure] = field(default_factory=list)
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def leaves_nothing(self, current: Release | None) -> bool:
        """Tell whether there were documents, and none is left."""
        held = _documents(current)
        return bool(held) and not self.put and self.removed.issuperset(held)


@dataclass(frozen=True, slots=True)
class _Built:
    """A whole release that is not current yet, and what it took."""

    release: Release
    embedded: int
    reused: int


class Pipeline:
    """Brings documents into a store; one run at a time, in all processes.

    Args:
        store: where releases are built and promoted.
        embedder: what turns passages into vectors.
        progress: is told how far a run is.
        patience: seconds to wait for another run to end.
        gate: what a new release must pass before it is promoted.
        look: looks a release over that was just promoted, for what an editor should mend.

    Every method that writes may raise errors of `knowledge.errors`; then nothing was promoted.
    """

    def __init__(
        self,
        store: ReleaseStore,
        embedder: Embedder,
        progress: Progress | None = None,
        patience: float = 10.0,
        gate: Gate | None = None,
        look: Callable[[Release], Findings] | None = None,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._progress = progress or Quiet()
        self._patience = patience
        self._gate = gate
        self._look = look

    def plan(self, sources: Sequence[Source], retries: bool = False) -> Plan:
        """Return what `sync` would do, and do nothing.

        Raises:
            SourceUnusable: not one source can be listed.
        """
        _leave_no_trace(sources)
        return self._plan(self._list(_Order(sources, 0)), self._current(), retries)

    def rehearse(self, sources: Sequence[Source]) -> Verdict:
        """Return what `sync` would make of golden questions, and promote nothing.

        The release is built, asked and dropped; the vectors that it took are kept for a `sync`.

        Raises:
            SourceUnusable: not one source can be listed.
        """
        gate = self._gate
        if gate is None:
            raise RuntimeError("rehearse() needs a gate")
        _leave_no_trace(sources)
        with self._alone() as began:
            current = self._current()
            found = self._list(_Order(sources, began))
            names = tuple(source.name for source in sources)
            plan = self._plan(found, current, retries=False)
            task = _Task(plan, current, names, began, unlisted=found.unlisted)
            built = self._build(task, _Tally()) if not task.plan.is_empty else None
            if built is None:
                return Verdict(()) if current is None else gate.compare(current, current)
            try:
                return gate.compare(built.release, current)
            finally:
                self._store.discard(built.release.id)

    def weigh(self, plan: Plan) -> Work:
        """Read, parse and cut what a plan puts, and return what that means in passages."""
        held, work = _documents(self._current()), Work()
        for document_id in plan.removed:
            work.remove(held[document_id].chunk_ids)
        unread = set(held).difference(plan.removed)
        with Workers() as workers:
            for done, (item, outcome) in enumerate(workers.parsed(plan.outdated)):
                self._progress.step("documents", done, len(plan.outdated), item.id)
                try:
                    _, chunks = self._shape(item, *outcome())
                except (ParseFailed, ValueError) as error:
                    work.failures.append(_failure_of(item, error))
                    continue
                unread.discard(item.id)
                old = held[item.id].chunk_ids if item.id in held else ()
                hashes = [content_hash(chunk.indexed_text) for chunk in chunks]
                known = self._store.embedded(self._embedder.fingerprint, hashes)
                work.put(old, [chunk.id for chunk in chunks], set(hashes) - known)
        self._progress.step("documents", len(plan.outdated), len(plan.outdated))
        work.unchanged += sum(len(held[document_id].chunk_ids) for document_id in unread)
        return work

    def sync(
        self,
        sources: Sequence[Source],
        allow_loss: bool = False,
        due: Collection[str] | None = None,
        retries: bool = False,
    ) -> Report:
        """Make the knowledge base hold exactly what the sources hold.

        The documents of a source that cannot be listed stay as they are.

        Args:
            sources: all of them, in the order in which the first one has an id.
            allow_loss: go on although a source lists far less than before.
            due: the names of those to look at now; the documents of others stay. None: all.
            retries: try all documents again that failed before.

        Raises:
            SourceUnusable: not one source can be listed.
            SyncRefused: a source lists far less than before, or there is no document anywhere.
        """
        with self._alone() as began:
            order = _Order(sources, began, allow_loss, due)
            try:
                current = self._whole()
            except StoreDamaged as error:
                return self._sync_anew(order, error)
            try:
                return self._sync(order, current, retries)
            except StoreDamaged as error:
                if current is None:
                    raise
                return self._sync_anew(order, error)

    def add(self, sources: Sequence[Source]) -> Report:
        """Add or update what the sources hold, and leave the rest.

        Raises:
            SourceUnusable: a source cannot be listed.
            SyncRefused: there is no document.
            StoreDamaged: the rest cannot be kept.
        """
        with self._alone() as began:
            current = self._whole()
            found = self._list(_Order(sources, began, needs_all=True))
            if found.is_empty:
                raise _nothing_found(sources, {})
            listings = [listing for _, listing in found.listed]
            held, fingerprint = _documents(current), self._embedder.fingerprint
            plan = replace(diff(listings, held, fingerprint, listed_sources=()), kept=0)
            known = current.sources if current else ()
            names = dict.fromkeys([*known, *(source.name for source in sources)])
            return self._carry_out(_Task(plan, current, tuple(names), began, keeps_rest=True))

    def remove(self, document_ids: Sequence[str]) -> Report:
        """Remove documents, and leave the rest.

        Raises:
            DocumentUnknown: there is no such document; nothing is removed.
            StoreDamaged: the rest cannot be kept.
        """
        with self._alone() as began:
            current = self._whole()
            held = _documents(current)
            for document_id in document_ids:
                if document_id not in held:
                    raise DocumentUnknown(_unknown(document_id, list(held)))
            plan = Plan(removed=tuple(dict.fromkeys(document_ids)))
            names = current.sources if current else ()
            return self._carry_out(_Task(plan, current, names, began, keeps_rest=True))

    @contextmanager
    def _alone(self) -> Iterator[float]:
        """Hold the store's lock; yield when the work began."""
        with ExitStack() as stack:
            try:
                stack.enter_context(self._store.lock())
            except StoreBusy:
                self._progress.note(f"another sync is running; waiting {self._patience:g} s for it")
                stack.enter_context(self._store.lock(self._patience))
            yield time.monotonic()

    def _current(self) -> Release | None:
        """Return the current release; None where it cannot be read, so that all is built anew."""
        try:
            return self._whole()
        except StoreDamaged as error:
            self._note_damage(error)
            return None

    def _note_damage(self, error: StoreDamaged) -> None:
        self._progress.note(f"{error}; now everything is built anew")

    def _sync(self, order: _Order, current: Release | None, retries: bool) -> Report:
        found, held = self._list(order), _documents(current)
        everything = tuple(source.name for source in order.sources)
        overrides = losses(found.listed, held)
        if overrides and not order.allows_loss:
            raise _refusal(overrides)
        if found.is_empty and not found.unlisted and not order.allows_loss:
            raise _nothing_found(order.sources, held)
        for override in overrides:
            self._progress.note(f"{override}; they are removed, as --allow-loss is given")
        plan = self._plan(found, current, retries)
        return self._carry_out(
            _Task(
                plan,
                current,
                everything,
                order.began,
                unlisted=found.unlisted,
                overrides=overrides,
                may_empty=order.allows_loss,
            )
        )

    def _sync_anew(self, order: _Order, error: StoreDamaged) -> Report:
        """Sync to nothing; a source that cannot be listed now would lose its documents."""
        self._note_damage(error)
        return self._sync(replace(order, due=None, needs_all=True), None, retries=False)

    def _plan(self, found: _Found, current: Release | None, retries: bool) -> Plan:
        plan = diff(
            [listing for _, listing in found.listed],
            _documents(current),
            self._embedder.fingerprint,
            earlier=() if retries else self._store.failures(),
            listed_sources=found.replaced,
        )
        return replace(plan, failures=plan.failures + found.failures)

    def _whole(self) -> Release | None:
        current = self._store.current()
        if current:
            self._store.check_files(current.id)
        return current

    def _list(self, order: _Order) -> _Found:
        listed: list[tuple[Source, Listing]] = []
        failures: list[Failure] = []
        is_away = False
        for source in order.sources:
            if order.due is not None and source.name not in order.due:
                continue
            try:
                listing = _listing(source)
            except SourceUnusable as error:
                if order.needs_all or len(order.sources) == 1:
                    raise type(error)(f"{error}. Nothing was changed") from error
                failures.append(_failure_of_source(source, error))
                is_away = is_away or isinstance(error, SourceUnreachable)
                continue
            self._note_listing(source, listing)
            named = [replace(failure, source=source.name) for failure in listing.failures]
            listed.append((source, replace(listing, failures=tuple(named))))
        if failures and not listed:
            kind = SourceUnreachable if is_away else SourceUnusable
            told = "; ".join(f"{f.uri}: {f.reason}" for f in failures)
            raise kind(f"{told}. Nothing was changed")
        unlisted = {source.name for source in order.sources} - {of.name for of, _ in listed}
        return _Found(tuple(listed), frozenset(unlisted), tuple(failures))

    def _note_listing(self, source: Source, listing: Listing) -> None:
        skipped = ", ".join(f"{count} {why}" for why, count in listing.skipped)
        passed_over = f"; passed over: {skipped}" if skipped else ""
        self._progress.note(f"{source.name}: {len(listing.items)} documents{passed_over}")

    def _carry_out(self, task: _Task) -> Report:
        tally = _Tally(failures=list(task.plan.failures))
        built = None if task.plan.is_empty else self._build(task, tally)
        if built is None:
            self._record(task, tally, _documents(task.current))
            return self._report(task, tally, None)
        self._store.check_files(built.release.id)
        verdict = self._gate.judge(built.release, task.current) if self._gate else None
        if verdict and verdict.blocks:
            self._store.discard(built.release.id)
            self._record(task, tally, _documents(task.current))
            return self._report(task, tally, None, verdict)
        # Before the promotion, so that a full disk cannot fail a run that has promoted.
        self._record(task, tally, built.release.documents)
        if self._gate and verdict:
            self._gate.record(built.release, verdict)
        self._store.promote(built.release.id)
        if self._gate:
            self._gate.forget_removed()
        report = self._report(task, tally, built, verdict)
        return replace(report, findings=self._looked(built.release))

    def _looked(self, release: Release) -> Findings | None:
        """Look a release over; it is current already, so that nothing may fail it any more."""
        try:
            return self._look(release) if self._look else None
        except KnowledgeError as error:
            self._progress.note(f"the release could not be looked over: {error}")
            return None

    def _build(self, task: _Task, tally: _Tally) -> _Built | None:
        """Build the release; None: no document came of it, and none has gone."""
        with Workers() as workers:
            outcomes = workers.parsed(task.plan.outdated)  # they begin while the indexes open
            with self._store.begin(
                embedder=self._embedder,
                chunker=CHUNKER,
                sources=task.sources,
                is_empty=task.current is None,
            ) as builder:
                for document_id in task.plan.removed:
                    builder.remove(document_id)
                    tally.removed.add(document_id)
                self._put_all(builder, outcomes, len(task.plan.outdated), tally)
                workers.close()
                if not (tally.put or tally.removed):
                    return None
                if not task.may_empty and tally.failures and tally.leaves_nothing(task.current):
                    raise _nothing_read(tally.failures)
                self._progress.note("writing the indexes")
                return _Built(builder.finish(), builder.embedded, builder.reused)

    def _put_all(
        self,
        builder: ReleaseBuilder,
        outcomes: Iterable[tuple[Listed, Outcome]],
        count: int,
        tally: _Tally,
    ) -> None:
        held = builder.parent.documents if builder.parent else {}
        items = {}
        for done, (item, outcome) in enumerate(outcomes):
            self._progress.step("documents", done, count, item.id)
            items[item.id] = item
            try:
                raw, parsed = outcome()
                builder.put(*self._shape(item, raw, parsed))
                tally.put.add(item.id)
                tally.notes[item.id] = parsed.notes
            except DocumentEmpty as error:
                if item.id in held:
                    builder.remove(item.id)
                    tally.removed.add(item.id)
                tally.failures.append(replace(self._failure(item, error), is_empty=True))
            except (ParseFailed, ValueError) as error:  # ValueError: of a parser or tokenizer
                tally.failures.append(self._failure(item, error))
        for document_id, reason in builder.embed().items():
            tally.put.discard(document_id)
            source = items[document_id].source.name
            tally.failures.append(Failure(document_id, reason, source=source))
        self._progress.step("documents", count, count)

    def _failure(self, item: Listed, error: Exception) -> Failure:
        shape = shaped_hash(item.stamp, item.labels, self._embedder.fingerprint)
        return replace(_failure_of(item, error), shape=shape)

    def _shape(
        self, item: Listed, raw: RawDocument, parsed: Parsed
    ) -> tuple[Document, list[Chunk]]:
        """Describe and cut one document."""
        shape = shaped_hash(raw.stamp, raw.labels, self._embedder.fingerprint)
        document = replace(describe(raw, parsed, shape), notes=parsed.remarks)
        if document.is_expired(datetime.now(UTC).date()):
            return document, []  # it stays listed, so that it is not read at each sync
        chunks = cut(document, parsed.text, self._embedder, parsed.anchors)
        if not chunks:
            raise ParseFailed("it holds no text that could be found")
        return replace(document, chunk_ids=tuple(chunk.id for chunk in chunks)), chunks

    def _record(self, task: _Task, tally: _Tally, documents: Collection[str]) -> None:
        """Keep failures and notes for `status`; those of what this run left alone stay."""
        earlier = self._store.failures()
        before = {failure.uri: failure for failure in earlier}
        now = datetime.now(UTC)
        fresh = {
            (failure.uri, failure.reason): failure.after(before.get(failure.uri), now)
            for failure in tally.failures
        }
        known = sorted([*fresh.values(), *task.plan.failing], key=lambda failure: failure.uri)
        tally.failures = known
        touched = task.plan.touched
        others = [
            failure
            for failure in earlier
            if failure.uri not in touched
            and (failure.uri, failure.reason) not in fresh
            and (task.keeps_rest or failure.source in task.unlisted)
        ]
        self._store.record_failures([*others, *known])
        notes = {**self._store.notes(), **tally.notes}
        self._store.record_notes({id_: n for id_, n in notes.items() if n and id_ in documents})

    def _report(
        self,
        task: _Task,
        tally: _Tally,
        built: _Built | None,
        verdict: Verdict | None = None,
    ) -> Report:
        release = built.release if built else task.current
        total = release.chunk_count if release else 0
        plan = task.plan
        return Report(
            release=release.id if release else None,
            promoted=built is not None,
            documents=Counts(
                added=sum(item.id in tally.put for item in plan.added),
                changed=sum(item.id in tally.put for item in plan.changed),
                removed=len(tally.removed),
                unchanged=len(plan.unchanged) + plan.kept,
                failed=len(tally.failures),
            ),
            chunks=total,
            embedded=built.embedded if built else 0,
            reused=built.reused if built else total,
            failures=tuple(tally.failures),
            notes={id_: notes for id_, notes in tally.notes.items() if notes},
            moved=plan.moved,
            overrides=task.overrides,
            seconds=time.monotonic() - task.began,
            verdict=verdict,
        )


def _leave_no_trace(sources: Sequence[Source]) -> None:
    """Have the next listing begin where this one does, as a page is removed that two find gone."""
    for source in sources:
        if source.memory:
            source.memory.freeze()


def _listing(source: Source) -> Listing:
    """List a source.

    Raises:
        SourceUnusable: it cannot be listed, for whatever reason.
    """
    try:
        return source.list()
    except _UNFORESEEN as error:
        log.exception("%s cannot be listed", source.name)
        reason = f"unexpected {type(error).__name__}; the log tells more of it"
        raise SourceUnreachable(f"{source.name}: {reason}") from error


def _documents(release: Release | None) -> Mapping[str, Document]:
    return release.documents if release else {}


def _failure_of(item: Listed, error: Exception) -> Failure:
    is_transient = isinstance(error, ParseFailed) and error.is_transient
    return Failure(item.id, str(error), is_transient, source=item.source.name, wait=_wish(error))


def _failure_of_source(source: Source, error: SourceUnusable) -> Failure:
    reason = str(error).removeprefix(f"{source.name}: ")
    return Failure(
        source.name,
        f"cannot be listed: {reason}",
        is_transient=True,
        source=source.name,
        wait=_wish(error.__cause__),
    )


def _wish(error: BaseException | None) -> float:
    """Return the seconds that a server asks to wait before another try, 0 if it does not."""
    return (error.retry_after or 0.0) if isinstance(error, FetchFailed) else 0.0


def _refusal(signs: Sequence[str]) -> SyncRefused:
    return SyncRefused(
        f"{'; '.join(signs)}; look whether it is the right place, or give --allow-loss to remove"
        " what is gone. Nothing was changed"
    )


def _nothing_found(sources: Sequence[Source], held: Mapping[str, Document]) -> SyncRefused:
    held_too = f", and the current release holds {len(held)}" if held else ""
    return SyncRefused(
        f"no document found in {', '.join(source.name for source in sources)}{held_too};"
        f" files that are read end with {', '.join(sorted(ENDINGS))}"
        " (--allow-loss makes an empty sync). Nothing was changed"
    )


def _nothing_read(failures: Sequence[Failure]) -> SyncRefused:
    first = failures[0]
    return SyncRefused(
        f"none of the {len(failures)} documents that are there could be read, the first being"
        f" {first.uri}: {first.reason}; look whether it is the right place, or give --allow-loss to"
        " remove all others. Nothing was changed"
    )


def _unknown(document_id: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(document_id, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else "`search` shows ids that exist."
    return f"the current release holds no document {document_id!r}; {hint} Nothing was changed"
