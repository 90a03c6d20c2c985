"""What was found when a release was looked over, as it is kept in the home."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = "findings.json"


@dataclass(slots=True)
class Findings:
    """What is to be mended in a release."""

    release: str
    contradictions: list[dict[str, Any]] = field(default_factory=list)
    copies: list[dict[str, Any]] = field(default_factory=list)
    dead_links: list[dict[str, Any]] = field(default_factory=list)
    unreachable: list[dict[str, Any]] = field(default_factory=list)
    flagged: int = 0  # places that speak to a model
    masked: int = 0  # kinds of keys that were masked, of all documents
    is_complete: bool = True  # False: time ran out before all was looked at
    seconds: float = 0.0

    @property
    def counts(self) -> dict[str, int]:
        """Return how many there are of each kind."""
        lists = {name: len(getattr(self, name)) for name in KINDS}
        return {**lists, "flagged": self.flagged, "masked": self.masked}

    def to_json(self) -> dict[str, Any]:
        """Return the public form."""
        rest = {"complete": self.is_complete, "seconds": round(self.seconds, 3)}
        return {"release": self.release, **{k: getattr(self, k) for k in KINDS}, **rest}


KINDS = ("contradictions", "copies", "dead_links", "unreachable")
_NAMES = {
    "contradictions": ("contradiction", "contradictions"),
    "copies": ("copied passage", "copied passages"),
    "dead_links": ("dead link", "dead links"),
    "unreachable": ("document that no search finds", "documents that no search finds"),
    "flagged": ("place that speaks to a model", "places that speak to a model"),
    "masked": ("kind of key masked", "kinds of keys masked"),
}


def summary(counts: Mapping[str, int]) -> str:
    """Return one line for a person, "" where there is nothing to mend."""
    parts = [f"{n:,} {_NAMES[kind][n != 1]}" for kind in _NAMES if (n := counts.get(kind, 0))]
    return ", ".join(parts)


def read_findings(home: Path) -> dict[str, Any]:
    """Return what the last look found, with every kind; nothing where there was none."""
    empty: dict[str, Any] = {"release": None, **{kind: [] for kind in KINDS}, "complete": True}
    try:
        found = json.loads((home / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # the next sync that promotes writes it anew
        return empty
    return {**empty, **found} if isinstance(found, dict) else empty
