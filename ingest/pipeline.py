"""The way of documents into the knowledge base.

List the sources → plan → read → parse → cut → build a release → verify → promote. A document that
cannot be read never stops a run: it is named with a reason, and its last good version stays.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from ingest.chunker import CHUNKER, cut
from ingest.describing import describe
from ingest.errors import DocumentEmpty, DocumentUnknown, ParseFailed, SyncRefused
from ingest.parsers import parse
from ingest.plan import Plan, diff, shaped_hash
from ingest.report import Counts, Report
from ingest.sources.base import Listed, Listing, Source
from ingest.terminal import Progress, Quiet
from knowledge.documents import Chunk, Document, content_hash
from knowledge.embedder import Embedder
from knowledge.errors import StoreBusy, StoreDamaged
from knowledge.releases import Failure, Release, ReleaseBuilder, ReleaseStore


@dataclass(frozen=True, slots=True)
class _Task:
    """One run: what is to be done, to which release."""

    plan: Plan
    current: Release | None
    sources: tuple[str, ...]
    began: float
    keeps_rest: bool = False


@dataclass(slots=True)
class _Tally:
    """What a build has done so far."""

    put: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    failures: list[Failure] = field(default_factory=list)


class Pipeline:
    """Brings documents into a store; one run at a time, in all processes.

    Args:
        store: where releases are built and promoted.
        embedder: what turns passages into vectors.
        progress: is told how far a run is.
        patience: seconds to wait for another run to end.

    Every method that writes may raise errors of `knowledge.errors`; then nothing was promoted.
    """

    def __init__(
        self,
        store: ReleaseStore,
        embedder: Embedder,
        progress: Progress | None = None,
        patience: float = 10.0,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._progress = progress or Quiet()
        self._patience = patience

    def plan(self, sources: Sequence[Source]) -> Plan:
        """Return what `sync` would do, and do nothing.

        Raises:
            SourceUnusable: a source cannot be listed.
        """
        return diff(self._list(sources), _documents(self._current()), self._embedder.fingerprint)

    def sync(self, sources: Sequence[Source], allow_empty: bool = False) -> Report:
        """Make the knowledge base hold exactly what the sources hold.

        Raises:
            SourceUnusable: a source cannot be listed.
            SyncRefused: a source that had documents has none now, or there is none anywhere.
        """
        with self._alone() as began:
            current = self._current()
            listings = self._list(sources)
            if not allow_empty:
                _refuse_loss(sources, listings, _documents(current))
            names = tuple(source.name for source in sources)
            try:
                return self._carry_out(self._task(listings, current, names, began))
            except StoreDamaged as error:
                if current is None:
                    raise
                self._note_damage(error)
                return self._carry_out(self._task(listings, None, names, began))

    def add(self, sources: Sequence[Source]) -> Report:
        """Add or update what the sources hold, and leave the rest.

        Raises:
            SourceUnusable: a source cannot be listed.
            SyncRefused: there is no document.
            StoreDamaged: the rest cannot be kept.
        """
        with self._alone() as began:
            current = self._whole()
            listings = self._list(sources)
            _refuse_loss(sources, listings, {})
            plan = diff(listings, _documents(current), self._embedder.fingerprint, keeps_rest=True)
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

    def _task(
        self,
        listings: Sequence[Listing],
        current: Release | None,
        names: tuple[str, ...],
        began: float,
    ) -> _Task:
        plan = diff(listings, _documents(current), self._embedder.fingerprint)
        return _Task(plan, current, names, began)

    def _whole(self) -> Release | None:
        current = self._store.current()
        if current:
            self._store.check_files(current.id)
        return current

    def _list(self, sources: Sequence[Source]) -> list[Listing]:
        listings = []
        for source in sources:
            listing = source.list()
            listings.append(listing)
            skipped = ", ".join(f"{count} {why}" for why, count in listing.skipped)
            passed_over = f"; passed over: {skipped}" if skipped else ""
            self._progress.note(f"{source.name}: {len(listing.items)} documents{passed_over}")
        return listings

    def _carry_out(self, task: _Task) -> Report:
        tally = _Tally(failures=list(task.plan.failures))
        if task.plan.is_empty:
            return self._end_unpromoted(task, tally)
        with self._store.begin(
            embedder=self._embedder,
            chunker=CHUNKER,
            sources=task.sources,
            is_empty=task.current is None,
        ) as builder:
            for document_id in task.plan.removed:
                builder.remove(document_id)
                tally.removed.add(document_id)
            self._put_all(builder, task.plan.outdated, tally)
            if not (tally.put or tally.removed):
                return self._end_unpromoted(task, tally)
            self._progress.note("writing the indexes")
            release = builder.finish()
        self._store.verify(release.id, self._embedder)
        # Before the promotion, so that a full disk cannot fail a run that has promoted.
        self._record_failures(task, tally)
        self._store.promote(release.id)
        return self._report(task, tally, release, builder.embedded, builder.reused)

    def _put_all(self, builder: ReleaseBuilder, items: Sequence[Listed], tally: _Tally) -> None:
        held = builder.parent.documents if builder.parent else {}
        for done, item in enumerate(items):
            self._progress.step("documents", done, len(items))
            try:
                builder.put(*self._shape(item))
                tally.put.add(item.id)
            except DocumentEmpty as error:
                if item.id in held:
                    builder.remove(item.id)
                    tally.removed.add(item.id)
                tally.failures.append(Failure(item.id, str(error)))
            except (ParseFailed, ValueError) as error:  # ValueError: of a parser or tokenizer
                tally.failures.append(Failure(item.id, str(error)))
        for document_id, reason in builder.embed().items():
            tally.put.discard(document_id)
            tally.failures.append(Failure(document_id, reason))
        self._progress.step("documents", len(items), len(items))

    def _shape(self, item: Listed) -> tuple[Document, list[Chunk]]:
        """Read, parse and cut one document."""
        raw = item.source.read(item)
        parsed = parse(raw)
        stamp = raw.stamp or content_hash(raw.data)
        shape = shaped_hash(stamp, raw.labels, self._embedder.fingerprint)
        document = describe(raw, parsed, shape)
        if document.is_expired(datetime.now(UTC).date()):
            return document, []  # it stays listed, so that it is not read at each sync
        chunks = cut(document, parsed.text, self._embedder, parsed.anchors)
        if not chunks:
            raise ParseFailed("it holds no text that could be found")
        return replace(document, chunk_ids=tuple(chunk.id for chunk in chunks)), chunks

    def _end_unpromoted(self, task: _Task, tally: _Tally) -> Report:
        self._record_failures(task, tally)
        return self._report(task, tally, None)

    def _record_failures(self, task: _Task, tally: _Tally) -> None:
        """Keep the failures for `status`; those of documents that this run left alone stay."""
        touched = {item.id for item in task.plan.listed} | set(task.plan.removed)
        earlier = self._store.failures() if task.keeps_rest else []
        others = [failure for failure in earlier if failure.uri not in touched]
        self._store.record_failures([*others, *tally.failures])

    def _report(
        self,
        task: _Task,
        tally: _Tally,
        promoted: Release | None,
        embedded: int = 0,
        reused: int | None = None,
    ) -> Report:
        release = promoted or task.current
        total = release.chunk_count if release else 0
        plan = task.plan
        return Report(
            release=release.id if release else None,
            promoted=promoted is not None,
            documents=Counts(
                added=sum(item.id in tally.put for item in plan.added),
                changed=sum(item.id in tally.put for item in plan.changed),
                removed=len(tally.removed),
                unchanged=len(plan.unchanged),
                failed=len(tally.failures),
            ),
            chunks=total,
            embedded=embedded,
            reused=total if reused is None else reused,
            failures=tuple(tally.failures),
            seconds=time.monotonic() - task.began,
        )


def _documents(release: Release | None) -> Mapping[str, Document]:
    return release.documents if release else {}


def _refuse_loss(
    sources: Sequence[Source], listings: Sequence[Listing], held: Mapping[str, Document]
) -> None:
    """Refuse to go on if a source that had documents lists none, or if no source lists any.

    Raises:
        SyncRefused: the message says what to do.
    """
    for source, listing in zip(sources, listings, strict=True):
        lost = sum(document.source == source.name for document in held.values())
        if lost and not listing.items and not listing.failures:
            raise SyncRefused(
                f"{source.name} lists no document any more, and {lost} of the current release are"
                " from there; look whether it is the right place, or give --allow-empty to remove"
                " them. Nothing was changed"
            )
    if not any(listing.items or listing.failures for listing in listings):
        held_too = f", and the current release holds {len(held)}" if held else ""
        raise SyncRefused(
            f"no document found in {', '.join(source.name for source in sources)}{held_too};"
            " Markdown, HTML and plain text are read (--allow-empty makes an empty sync)."
            " Nothing was changed"
        )


def _unknown(document_id: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(document_id, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else "`search` shows ids that exist."
    return f"the current release holds no document {document_id!r}; {hint} Nothing was changed"
