"""Bodies that were fetched while listing, kept on disk until they are read."""

from __future__ import annotations

import tempfile
import weakref
from pathlib import Path

from knowledge.files import disk_errors


class Spool:
    """Bytes by a key, in one file that has no name, so that no crash leaves it behind."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `close`
        self._places: dict[str, tuple[int, int]] = {}
        self.close = weakref.finalize(self, self._file.close)

    def put(self, key: str, data: bytes) -> None:
        """Keep the bytes.

        Raises:
            StoreUnavailable: the disk is full or not writable.
        """
        with disk_errors(self._folder):
            place = self._file.seek(0, 2)
            self._file.write(data)
            self._file.flush()
        self._places[key] = (place, len(data))

    def get(self, key: str) -> bytes | None:
        """Return the bytes; None if there are none."""
        if key not in self._places:
            return None
        place, size = self._places[key]
        with disk_errors(self._folder):
            self._file.seek(place)
            return self._file.read(size)
