"""What one run of the pipeline did, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ingest.findings.kept import Findings
from ingest.gate import Verdict
from knowledge.failures import Failure


@dataclass(frozen=True, slots=True)
class Counts:
    """Documents of one run, by what became of them."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """What one run did."""

    release: str | None  # current afterwards; None: nothing was ever promoted
    promoted: bool
    documents: Counts
    chunks: int = 0  # of the current release
    embedded: int = 0
    reused: int = 0
    failures: tuple[Failure, ...] = ()
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by document id
    moved: tuple[tuple[str, str], ...] = ()  # old and new id of some added and removed ones
    overrides: tuple[str, ...] = ()  # what was suspicious, and went on all the same
    seconds: float = 0.0
    verdict: Verdict | None = None  # of the gate; None: it was not asked
    findings: Findings | None = None  # None: nothing was promoted, or it was not looked over

    @property
    def exit_code(self) -> int:
        """Return 0 if all is well, 3 if some documents failed, 1 if nothing may be promoted."""
        if self.is_blocked:
            return 1
        if not self.failures:
            return 0
        return 3 if self.release else 1

    @property
    def is_blocked(self) -> bool:
        """Tell whether the gate kept the new release from being promoted."""
        return self.verdict is not None and self.verdict.blocks

    @property
    def summary(self) -> str:
        """Return one line for a person."""
        if self.verdict and self.is_blocked:
            return (
                f"nothing was promoted: {self.verdict.summary}; release {self.release} stays"
                " current. Mend the documents or the questions, or give --force"
            )
        counts = ", ".join(f"{count:,} {name}" for name, count in asdict(self.documents).items())
        if self.moved:
            counts += f" ({len(self.moved):,} of them only moved)"
        what = f"release {self.release} is current" if self.release else "nothing was promoted"
        news = "" if self.promoted or not self.release else ", as before"
        return (
            f"{what}{news}: {counts}; {self.chunks:,} passages ({self.embedded:,} embedded now);"
            f" {self.seconds:.1f} s"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the public form; what is rare is in it where there is some."""
        notes = [{"uri": uri, "notes": list(notes)} for uri, notes in self.notes.items()]
        rare: dict[str, Any] = {"notes": notes, "overrides": list(self.overrides)}
        if self.verdict:
            rare["gate"] = self.verdict.to_json()
        if self.findings and any(self.findings.counts.values()):
            rare["findings"] = self.findings.counts
        return {
            "release": self.release,
            "promoted": self.promoted,
            "documents": asdict(self.documents),
            "chunks": {"total": self.chunks, "embedded": self.embedded, "reused": self.reused},
            "failures": [{"uri": f.uri, "reason": f.reason} for f in self.failures],
            "seconds": round(self.seconds, 3),
            **{name: rows for name, rows in rare.items() if rows},
        }


def failure_json(failure: Failure) -> dict[str, Any]:
    """Return the public form of a failure."""
    return {
        "uri": failure.uri,
        "reason": failure.reason,
        "transient": failure.is_transient,
        "since": failure.since or None,
        "tries": failure.tries,
        "retry_at": failure.retry_at or None,
    }
