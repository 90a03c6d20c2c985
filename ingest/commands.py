"""What each command of `supportbot-ingest` does: it prints its result and returns its exit code."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ingest.config import IngestSettings, with_tokens
from ingest.errors import GoldenWrong, IngestError
from ingest.findings.kept import KINDS, Findings, read_findings
from ingest.findings.kept import summary as findings_summary
from ingest.gate import RECORDED, Gate, read_record
from ingest.pipeline import Pipeline
from ingest.plan import Plan, Work
from ingest.report import Report, failure_json
from ingest.sources.base import Source
from ingest.sources.given import open_sources, settings_of
from ingest.sources.state import forget_strangers, strangers
from ingest.terminal import Quiet, fail, plain, print_json, progress_on
from ingest.watching import FILES_SECONDS, Watcher, watched_of
from knowledge.config import load
from knowledge.documents import FLAGGED, HIDDEN, MASKED, Evidence, Scope
from knowledge.embedder import load_embedder
from knowledge.errors import KnowledgeError, StoreUnavailable
from knowledge.failures import Failure
from knowledge.lease import Writer
from knowledge.releases import Release, ReleaseStore
from knowledge.reranker import load_reranker
from knowledge.retriever import Retriever

_LOCK_SECONDS = 10.0
_SNIPPET = 240  # characters
_SHOWN = 20  # document ids a plan lists for a person


def sync(args: argparse.Namespace) -> int:
    """Make the knowledge base hold exactly what the sources hold."""
    settings = _settings(args)
    sources = _sources(args, settings)
    pipeline = _pipeline(settings, args)
    report = pipeline.sync(sources, args.allow_loss, retries=args.retry_failed)
    _forget_others(settings, sources, report)
    return _show(report, args)


def add(args: argparse.Namespace) -> int:
    """Add or update documents, and leave the rest."""
    settings = _settings(args)
    return _show(_pipeline(settings, args).add(_sources(args, settings)), args)


def remove(args: argparse.Namespace) -> int:
    """Remove documents, and leave the rest."""
    return _show(_pipeline(_settings(args), args).remove(args.document_id), args)


def plan(args: argparse.Namespace) -> int:
    """Show what `sync` would do."""
    settings = _settings(args)
    if args.gate is not None:
        return _plan_gate(args, settings)
    pipeline = _pipeline(settings, args)
    plan = pipeline.plan(_sources(args, settings), args.retry_failed)
    work = pipeline.weigh(plan)
    if args.json:
        return print_json(_plan_json(plan, work, _store(settings).current_id()))
    moved = {name for names in plan.moved for name in names}
    _print_ids("add", [item.id for item in plan.added if item.id not in moved])
    _print_ids("change", [item.id for item in plan.changed])
    _print_ids("move", [f"{old} -> {new}" for old, new in plan.moved])
    _print_ids("remove", [name for name in plan.removed if name not in moved])
    print(f"leave: {len(plan.unchanged):,}")
    print(
        f"passages: {work.added:,} to add, {work.removed:,} to remove, {work.unchanged:,} to leave;"
        f" {work.to_embed:,} to embed"
    )
    _print_failures(_failures_of(plan, work))
    return 0


def _plan_gate(args: argparse.Namespace, settings: IngestSettings) -> int:
    """Show which answers to golden questions `sync` would change."""
    if not (args.gate or settings.gate):
        raise GoldenWrong(
            'no golden questions: give --gate FILE, or write gate = "golden.yaml" into'
            " supportbot.toml"
        )
    verdict = _pipeline(settings, args).rehearse(_sources(args, settings))
    if args.json:
        changed = [one.to_json() for one in verdict.compared if one.is_change]
        print_json({"gate": {**verdict.to_json(), "changed": changed}})
    else:
        print("\n".join(map(plain, [*verdict.changes(), verdict.summary])))
    return 1 if verdict.blocks else 0


def status(args: argparse.Namespace) -> int:
    """Show the current release, who syncs now, and the last failures."""
    settings = _settings(args)
    store = _store(settings)
    state = _status_json(store.current(), store, settings)
    if args.json:
        return print_json(state)
    if state["release"] is None:
        print("the knowledge base is empty; run `supportbot-ingest sync SOURCE` to fill it")
    for name in ("release", "documents", "chunks", "created_at", "embedder", "sources", "home"):
        value = state[name]
        if value:
            print(f"{name:10} {', '.join(value) if isinstance(value, list) else value}")
    if state["syncing"]:
        print(f"{'syncing':10} {Writer(**state['syncing'])}")
    if state["gate"]:
        print(f"{'gate':10} {_gate_line(state['gate'])}")
    for line in _editors_lines(state):
        print(plain(line))
    print(f"{'disk':10} {state['disk_bytes'] / 1e6:.1f} MB in {state['releases']} releases")
    _print_notes(store.notes())
    _print_failures(store.failures())
    return 0


def releases(args: argparse.Namespace) -> int:
    """List the releases."""
    settings = _settings(args)
    store = _store(settings)
    current = store.current_id()
    releases = store.releases()
    gates = {release.id: _gate_json(settings, release.id) for release in releases}
    if args.json:
        rows = [{**_release_json(r, current), "gate": gates[r.id]} for r in releases]
        return print_json({"current": current, "releases": rows})
    for release in releases:
        mark = "*" if release.id == current else " "
        size = f"{len(release.documents):,} documents, {release.chunk_count:,} passages"
        print(f"{mark} {release.id}  {release.created_at:%Y-%m-%d %H:%M} UTC  {size}")
        if gate := gates[release.id]:
            print(f"    {_gate_line(gate)}")
    if not releases:
        print("there is no release yet; run `supportbot-ingest sync SOURCE`")
    return 0


def rollback(args: argparse.Namespace) -> int:
    """Make an earlier release current again."""
    store = _store(_settings(args))
    with store.lock(_LOCK_SECONDS):
        before = store.current_id()
        release = store.rollback(args.release)
    if args.json:
        return print_json({"release": release.id, "before": before})
    print(f"release {release.id} is current; before it was {before}")
    return 0


def search(args: argparse.Namespace) -> int:
    """Show what retrieval finds for a question."""
    settings = _settings(args)
    embedder, reranker = load_embedder(settings.embedder), load_reranker(settings.reranker)
    with closing(Retriever(_store(settings), embedder, reranker)) as retriever:
        evidence = retriever.retrieve(args.query, Scope.of(args.audience), args.k)
    if args.json:
        return print_json(_evidence_json(evidence))
    for rank, hit in enumerate(evidence.hits, 1):
        chunk = hit.chunk
        where = " › ".join(part for part in (chunk.title, chunk.heading) if part)
        print(plain(f"{rank}. {where}  ({hit.score:.3f})"))
        print(plain(f"   {chunk.uri}"), plain(f"   {_snippet(chunk.text)}"), sep="\n")
    if evidence.is_empty:
        print("nothing found")
    return 0


def watch(args: argparse.Namespace) -> int:
    """Sync, and again on each change, until it is interrupted."""
    settings = _settings(args)
    sources = _sources(args, settings)
    pipeline = _pipeline(settings, args)
    watched = watched_of(sources, settings_of(args.source, settings.sources))
    watcher = Watcher(watched, _store(settings).failures)
    try:
        while True:
            due = watcher.due()
            if due and not _sync_once(pipeline, settings, sources, due, args):
                watcher.forget(due)
            time.sleep(FILES_SECONDS)
    except KeyboardInterrupt:
        print("stopped watching", file=sys.stderr, flush=True)
        return 0


def _forget_others(settings: IngestSettings, sources: Sequence[Source], report: Report) -> None:
    """Remove what sources remember that are none of these: their documents left too."""
    if report.is_blocked:
        return
    kept = {source.memory.name for source in sources if source.memory}
    if strangers(settings.home, kept):
        with suppress(StoreUnavailable), _store(settings).lock():  # the next sync does it
            forget_strangers(settings.home, kept)


def what_holds(args: argparse.Namespace) -> str:
    """Return what a person who interrupted a command wants to know."""
    try:
        current = _store(_settings(args)).current_id()
    except KnowledgeError:
        current = None
    holds = f"release {current} is current" if current else "no release is current"
    return f"stopped; {holds}, and running the command again finishes the work"


def _sync_once(
    pipeline: Pipeline,
    settings: IngestSettings,
    sources: Sequence[Source],
    due: Collection[str],
    args: argparse.Namespace,
) -> bool:
    """Sync, and tell whether to wait for the next change (not so if the store was away)."""
    try:
        report = pipeline.sync(sources, args.allow_loss, due, args.retry_failed)
        _forget_others(settings, sources, report)
        _show(report, args)
    except (IngestError, KnowledgeError) as error:
        fail(str(error), 1, args.json)
        return not isinstance(error, StoreUnavailable)
    return True


def _settings(args: argparse.Namespace) -> IngestSettings:
    return load(IngestSettings, {"home": args.home})


def _store(settings: IngestSettings) -> ReleaseStore:
    return ReleaseStore(settings.home, settings.chroma_address)


def _sources(args: argparse.Namespace, settings: IngestSettings) -> list[Source]:
    configured = with_tokens(settings.sources, os.environ)
    return open_sources(
        args.source, configured, settings.home, args.base_url or "", args.allow_private
    )


def _pipeline(settings: IngestSettings, args: argparse.Namespace) -> Pipeline:
    store, embedder = _store(settings), load_embedder(settings.embedder)
    progress = Quiet() if args.quiet else progress_on(sys.stderr)
    file = args.gate or settings.gate
    gate = None
    if file:
        from ingest.golden import read_golden

        gate = Gate(
            settings.home,
            store,
            embedder,
            read_golden(Path(file)),
            reranker=load_reranker(settings.reranker),
            is_forced=getattr(args, "force", False),
            progress=progress,
        )

    def look_over(release: Release) -> Findings:
        from ingest.findings.look import look

        progress.note("looking the release over")
        return look(settings.home, store, release, embedder)

    return Pipeline(store, embedder, progress, _LOCK_SECONDS, gate, look_over)


def _show(report: Report, args: argparse.Namespace) -> int:
    if args.json:
        print_json(report.to_json())
    else:
        _print_notes(report.notes)
        _print_failures(report.failures)
        for line in report.verdict.lines() if report.verdict else ():
            print(plain(line), file=sys.stderr, flush=True)
        if not args.quiet or report.is_blocked:
            print(report.summary, flush=True)
            found = findings_summary(report.findings.counts) if report.findings else ""
            if found and not args.quiet:
                print(f"{found}; see `supportbot-ingest status`", flush=True)
    return report.exit_code


def _print_ids(what: str, names: Sequence[str]) -> None:
    print(f"{what}: {len(names):,}")
    for name in names[:_SHOWN]:
        print(f"  {plain(name)}")
    if len(names) > _SHOWN:
        print(f"  … and {len(names) - _SHOWN:,} more")


def _print_failures(failures: Sequence[Failure]) -> None:
    for failure in failures:
        line = f"failed: {failure.uri}: {failure.reason}{_history(failure)}"
        print(plain(line), file=sys.stderr, flush=True)


def _history(failure: Failure) -> str:
    """Return since when a document fails and when it is tried again, where that says something."""
    if failure.tries < 2 and not failure.retry_at:
        return ""
    since = f"since {_minute(failure.since)}"
    again = f"; tried again after {_minute(failure.retry_at)}" if failure.retry_at else ""
    return f" ({since}{again})"


def _minute(moment: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _print_notes(notes: Mapping[str, Sequence[str]]) -> None:
    for uri, texts in notes.items():
        for text in texts:
            print(plain(f"note: {uri}: {text}"), file=sys.stderr, flush=True)


def _failures_of(plan: Plan, work: Work) -> list[Failure]:
    return sorted((*plan.failures, *plan.failing, *work.failures), key=lambda failure: failure.uri)


def _plan_json(plan: Plan, work: Work, current: str | None) -> dict[str, Any]:
    ids = {
        "added": [item.id for item in plan.added],
        "changed": [item.id for item in plan.changed],
        "removed": list(plan.removed),
    }
    counts = {name: len(of_kind) for name, of_kind in ids.items()}
    failures = [failure_json(failure) for failure in _failures_of(plan, work)]
    counts |= {"unchanged": len(plan.unchanged), "failed": len(failures)}
    chunks = {
        "added": work.added,
        "removed": work.removed,
        "unchanged": work.unchanged,
        "to_embed": work.to_embed,
    }
    moved = [{"from": old, "to": new} for old, new in plan.moved]
    return {
        "release": current,
        "documents": counts,
        **ids,
        "moved": moved,
        "chunks": chunks,
        "failures": failures,
    }


def _status_json(
    current: Release | None, store: ReleaseStore, settings: IngestSettings
) -> dict[str, Any]:
    writer = store.writer()
    age = (datetime.now(UTC) - current.created_at).total_seconds() if current else None
    files = [path for path in settings.home.rglob("*") if path.is_file()]
    found = read_findings(settings.home)
    return {
        "release": current.id if current else None,
        "documents": len(current.documents) if current else 0,
        "chunks": current.chunk_count if current else 0,
        "created_at": current.created_at.isoformat() if current else None,
        "age_seconds": round(age) if age is not None else None,
        "embedder": current.embedder if current else None,
        "chunker": current.chunker if current else None,
        "sources": list(current.sources) if current else [],
        "releases": len(store.ids()),
        "syncing": asdict(writer) if writer else None,
        "home": str(settings.home),
        "disk_bytes": sum(path.stat().st_size for path in files),
        "failures": [failure_json(failure) for failure in store.failures()],
        "notes": [{"uri": uri, "notes": list(notes)} for uri, notes in store.notes().items()],
        "gate": _gate_json(settings, current.id) if current else None,
        **{kind: found[kind] for kind in KINDS},
        "flagged": _notes_json(current, FLAGGED, HIDDEN),
        "masked": _notes_json(current, MASKED),
    }


def _notes_json(current: Release | None, *kinds: str) -> list[dict[str, Any]]:
    """Return what was noticed of documents of the current release when they were taken in."""
    documents = current.documents.values() if current else ()
    return [
        {
            "document": document.id,
            "rule": note.rule,
            "place": note.place,
            "text": note.words,
            "hidden": note.kind == HIDDEN,
        }
        for document in documents
        for note in document.notes
        if note.kind in kinds
    ]


def _editors_lines(state: Mapping[str, Any]) -> Iterator[str]:
    """Yield what an editor should look at, the first of each kind."""
    for what, name in (("contradiction", "contradictions"), ("copy", "copies")):
        for row in state[name][:_SHOWN]:
            said = " / ".join(f"{p['document']}: {_snippet(p['text'])}" for p in row["passages"])
            yield f"{what}: {said}"
    for row in state["dead_links"][:_SHOWN]:
        yield f"dead link: {row['document']}: {row['target']}"
    for row in state["unreachable"][:_SHOWN]:
        yield f"no search finds: {row['document']} ({row['title']})"
    for row in state["flagged"][:_SHOWN]:
        where = "where no reader sees it" if row["hidden"] else row["place"]
        yield f"speaks to a model: {row['document']}, {where}: {row['text']} ({row['rule']})"
    for row in state["masked"][:_SHOWN]:
        yield f"key masked: {row['document']}, {row['place']}: {row['rule']}, {row['text']}"
    for name in (*KINDS, "flagged", "masked"):
        if len(state[name]) > _SHOWN:
            yield f"… {len(state[name]):,} {name.replace('_', ' ')} in all (--json)"


def _gate_json(settings: IngestSettings, release_id: str) -> dict[str, Any] | None:
    """Return what the gate said of a release when it was promoted."""
    record = read_record(settings.home, release_id)
    return {name: record[name] for name in RECORDED} if record else None


def _gate_line(gate: Mapping[str, Any]) -> str:
    forced = f"; forced although {len(gate['dropped'])} passed before" if gate["forced"] else ""
    return f"{gate['passed']} of {gate['questions']} golden questions passed{forced}"


def _release_json(release: Release, current: str | None) -> dict[str, Any]:
    return {
        "release": release.id,
        "current": release.id == current,
        "parent": release.parent,
        "created_at": release.created_at.isoformat(),
        "documents": len(release.documents),
        "chunks": release.chunk_count,
        "sources": list(release.sources),
    }


def _evidence_json(evidence: Evidence) -> dict[str, Any]:
    hits = [
        {
            "rank": rank,
            "document_id": hit.chunk.document_id,
            "title": hit.chunk.title,
            "uri": hit.chunk.uri,
            "heading": hit.chunk.heading,
            "text": hit.chunk.text,
            "score": round(hit.score, 6),
        }
        for rank, hit in enumerate(evidence.hits, 1)
    ]
    return {"query": evidence.query, "release": evidence.release, "hits": hits}


def _snippet(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SNIPPET else line[: _SNIPPET - 1].rstrip() + "…"


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "sync": sync,
    "add": add,
    "remove": remove,
    "plan": plan,
    "status": status,
    "releases": releases,
    "rollback": rollback,
    "search": search,
    "watch": watch,
}
