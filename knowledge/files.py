"""Files that are whole after a crash, and what a failing disk means."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from knowledge.errors import StoreUnavailable

_TRIES = 50
_PAUSE_SECONDS = 0.02


def write_whole(path: Path, text: str) -> None:
    """Replace a file in one step, so that no crash or power cut leaves half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    sync(fresh)
    fresh.replace(path)
    sync(path.parent)


def remove_folder(folder: Path) -> None:
    """Remove a folder with all in it, also while somebody writes a last file there.

    Raises:
        OSError: it cannot be removed, or somebody goes on writing.
    """
    for tries_left in reversed(range(_TRIES)):
        try:
            shutil.rmtree(folder)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or not tries_left:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def sync(path: Path) -> None:
    """Have a file or a folder written to the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system says of this file into a `StoreUnavailable`."""
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"{error.filename or path}: {error.strerror or error}; nothing was promoted and the"
            " current release stays; free or mend the disk, then run it again"
        ) from error
