"""From what a person typed to sources."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ingest.config import SourceSettings
from ingest.errors import SourceUnusable
from ingest.sources.base import Labels, Source
from ingest.sources.files import FileSource

_WEB_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def open_sources(
    given: Sequence[str], configured: Sequence[SourceSettings], base_url: str = ""
) -> list[Source]:
    """Return the given sources, or the configured ones where none is given.

    A given path that is a configured source, or lies in one, takes its audience, so that naming a
    staff folder by hand never publishes it. `base_url` wins over the configured one.

    Raises:
        SourceUnusable: one of them does not exist or is of no known kind, or there is none at all.
    """
    names = dict.fromkeys(given or [source.path for source in configured])
    if not names:
        raise SourceUnusable(
            "no SOURCE given, and none in supportbot.toml; name a file or folder, or add"
            ' [[sources]] with path = "docs" to the file'
        )
    for name in names:
        if _WEB_ADDRESS.match(name):
            raise SourceUnusable(
                f"{name}: web addresses cannot be read in this version; save the pages as files"
            )
    return [FileSource(name, _labels(name, configured, base_url)) for name in names]


def _labels(name: str, configured: Sequence[SourceSettings], base_url: str) -> Labels:
    path = _absolute(name)
    holding = [source for source in configured if path.is_relative_to(_absolute(source.path))]
    if not holding:
        return Labels(base_url=base_url)
    nearest = max(holding, key=lambda source: len(_absolute(source.path).parts))
    is_same = path == _absolute(nearest.path)
    configured_url = str(nearest.base_url) if nearest.base_url and is_same else ""
    return Labels(nearest.audience, base_url or configured_url)


def _absolute(name: str) -> Path:
    return Path(name).expanduser().absolute().resolve()
