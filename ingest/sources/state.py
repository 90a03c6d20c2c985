"""What a source remembers from one listing to the next, such as cursors and validators.

It is a cache: a source that has lost it lists everything anew.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from knowledge.documents import content_hash
from knowledge.files import disk_errors, write_whole


class SourceState:
    """One JSON object in a file of its own; what cannot be read counts as nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_frozen = False

    @property
    def name(self) -> str:
        """Return the name of its file without the ending; others like it are of the same source."""
        return _stem(self._path)

    def freeze(self) -> None:
        """Have `save` do nothing from now on, so that a look leaves no trace."""
        self._is_frozen = True

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
        if self._is_frozen:
            return
        with disk_errors(self._path):
            write_whole(self._path, json.dumps(value, ensure_ascii=False))


def strangers(home: Path, kept: Collection[str]) -> list[Path]:
    """Return what sources of other names than these keep in a home."""
    folder = home / "sources"
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in found if _stem(path) not in kept)


def forget_strangers(home: Path, kept: Collection[str]) -> None:
    """Remove what sources of other names than these keep; call it under the lock of the store.

    Raises:
        StoreUnavailable: the disk is not writable.
    """
    for path in strangers(home, kept):
        with disk_errors(path):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _stem(path: Path) -> str:
    return path.name.lstrip(".").partition(".")[0]
