"""From what a person typed, or wrote into `supportbot.toml`, to sources."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import cast

from ingest.addresses import without_login
from ingest.config import SourceSettings
from ingest.errors import SourceUnusable
from ingest.sources.base import Labels, Source, SourceOpener

_WEB_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
# The module of `ingest.sources` that reads a kind of source; its `open_source` is a `SourceOpener`.
# It is imported when the first such source is opened.
_SOURCES: Mapping[str, str] = {
    "files": "files",
    "page": "pages",
    "sitemap": "sitemap",
    "crawl": "crawl",
    "git": "git",
    "zendesk": "zendesk",
    "confluence": "confluence",
    "intercom": "intercom",
    "notion": "notion",
    "github": "github",
    "feed": "feed",
}
_SITES = ("page", "sitemap", "crawl")
_SYSTEMS = ("zendesk", "confluence", "intercom", "notion", "github", "feed")
# The kinds of source that take a setting which others do not.
_TAKEN_BY: Mapping[str, Sequence[str]] = {
    "branch": ("git",),
    "folder": ("git",),
    "include": ("sitemap", "crawl"),
    "exclude": ("sitemap", "crawl"),
    "max_pages": ("sitemap", "crawl"),
    "max_depth": ("crawl",),
    "allow_hosts": _SITES,
    "user": ("git", *_SYSTEMS),
    "token_variable": ("git", *_SYSTEMS),
    "token": ("git", *_SYSTEMS),
}


def open_sources(
    given: Sequence[str],
    configured: Sequence[SourceSettings],
    home: Path,
    base_url: str = "",
    allow_private: Sequence[IPv4Network | IPv6Network] = (),
) -> list[Source]:
    """Return the given sources, or the configured ones where none is given.

    `base_url` wins over the configured one, and `allow_private` is added to it. `home` is where
    sources keep what they remember.

    Raises:
        SourceUnusable: one of them does not exist or is of no known kind, or there is none at all.
    """
    settings = settings_of(given, configured)
    return [_open(_allowing(source, allow_private), base_url, home) for source in settings]


def settings_of(given: Sequence[str], configured: Sequence[SourceSettings]) -> list[SourceSettings]:
    """Return the settings of the sources that `open_sources` opens, in its order.

    A given path that is a configured source, or lies in one, takes its labels, so that naming a
    staff folder by hand never publishes it; so does a given address that is a configured one.

    Raises:
        SourceUnusable: there is none, or one is no address.
    """
    names = dict.fromkeys(given or [source.place for source in configured])
    if not names:
        raise SourceUnusable(
            "no SOURCE given, and none in supportbot.toml; name a file, a folder or an address, or"
            ' add [[sources]] with path = "docs" to the file'
        )
    return [_settings_of(name, configured) for name in names]


def kind_of(source: SourceSettings) -> str:
    """Return the kind of a source, as it is set or as its path or address tells."""
    return source.kind or _kind_of(source.place)


def _allowing(
    source: SourceSettings, networks: Sequence[IPv4Network | IPv6Network]
) -> SourceSettings:
    return source.model_copy(update={"allow_private": (*source.allow_private, *networks)})


def _open(source: SourceSettings, base_url: str, home: Path) -> Source:
    kind = kind_of(source)
    module = _SOURCES.get(kind)
    if module is None:
        raise SourceUnusable(f"{source.place}: sources of kind {kind!r} cannot be read")
    _check_keys(source, kind)
    opener = cast(SourceOpener, import_module(f"ingest.sources.{module}").open_source)
    settings = source.model_copy(update={"kind": kind})
    return opener(settings, _labels(source, base_url), home)


def _check_keys(source: SourceSettings, kind: str) -> None:
    """Refuse a setting that this kind of source would pass over in silence.

    Raises:
        SourceUnusable: there is one.
    """
    for key, kinds in _TAKEN_BY.items():
        if key in source.model_fields_set and kind not in kinds:
            raise SourceUnusable(
                f"{without_login(source.place)}: a source of kind {kind} takes no `{key}`; it is"
                f" for {' and '.join(kinds)}. Remove it, or set the `kind` that is meant"
            )


def _kind_of(place: str) -> str:
    """Return the kind of source that a bare path or address is."""
    if place.rstrip("/").endswith(".git"):
        return "git"
    if not _WEB_ADDRESS.match(place):
        return "files"
    return "sitemap" if place.partition("?")[0].endswith((".xml", ".xml.gz")) else "page"


def _settings_of(name: str, configured: Sequence[SourceSettings]) -> SourceSettings:
    """Return the settings of a source by its path or address."""
    same = next((source for source in configured if source.place == name), None)
    if same is not None:
        return same
    if _WEB_ADDRESS.match(name):
        return _settings_of_address(name)
    path = _absolute(name)
    holding = [
        source
        for source in configured
        if source.path and path.is_relative_to(_absolute(source.path))
    ]
    if not holding:
        return SourceSettings(path=name)
    nearest = max(holding, key=lambda source: len(_absolute(source.path).parts))
    is_same = path == _absolute(nearest.path)
    changes = {"path": name, "base_url": nearest.base_url if is_same else None}
    return nearest.model_copy(update=changes)


def _settings_of_address(address: str) -> SourceSettings:
    try:
        return SourceSettings.model_validate({"url": address})
    except ValueError:
        raise SourceUnusable(
            f"{without_login(address)}: not an address that can be fetched; it takes"
            " http(s)://host/path"
        ) from None


def _labels(source: SourceSettings, base_url: str) -> Labels:
    return Labels(
        audience=source.audience,
        base_url=base_url or (str(source.base_url) if source.base_url else ""),
        tags=source.tags,
        owner=source.owner,
        version=source.version,
        valid_until=source.valid_until.isoformat() if source.valid_until else "",
        redacts=source.redact,
    )


def _absolute(name: str) -> Path:
    return Path(name).expanduser().absolute().resolve()
