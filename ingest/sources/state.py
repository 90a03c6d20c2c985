"""What a source remembers from one listing to the next, such as cursors and validators.

It is a cache: a source that has lost it lists everything anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from knowledge.documents import content_hash
from knowledge.files import disk_errors, write_whole


class SourceState:
    """One JSON object in a file of its own; what cannot be read counts as nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def of(cls, home: Path, source: str) -> SourceState:
        """Return the state of a source by its name."""
        return cls(home / "sources" / f"{content_hash(source)[:24]}.json")

    def load(self) -> dict[str, Any]:
        """Return what was saved last."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def save(self, value: Mapping[str, Any]) -> None:
        """Keep a JSON object in the place of the last one.

        Raises:
            StoreUnavailable: the disk is full or not writable.
        """
        with disk_errors(self._path):
            write_whole(self._path, json.dumps(value, ensure_ascii=False))
