"""The manifest of a release: what it holds and how it was made, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from knowledge.documents import Document, Note, content_hash
from knowledge.errors import StoreDamaged

# 4: its documents have no questions; 3: nor notes; 2: nor `valid_until` and the like; 1: it has no
# `unreached`
VERSION = 5
# What stands around the release: its bytes are what the checksum is of.
_BEFORE, _AFTER, _VERSION = '{"release": ', ', "sha256": "', '", "version": '


@dataclass(frozen=True, slots=True)
class Release:
    """What an immutable release of the knowledge base holds and how it was made."""

    id: str
    parent: str | None
    created_at: datetime
    embedder: str  # fingerprint
    chunker: str  # version
    sources: tuple[str, ...]
    documents: Mapping[str, Document]
    chunk_count: int
    rebuilt: bool  # its indexes were built anew, not as a copy of its parent's and the difference
    churn: int = 0  # chunks removed from its indexes since they were last built anew
    unreached: tuple[str, ...] = ()  # chunks that its index of vectors does not lead to

    @property
    def chunk_ids(self) -> set[str]:
        """Return the ids of all its chunks."""
        return {id_ for document in self.documents.values() for id_ in document.chunk_ids}

    @property
    def audience_sets(self) -> frozenset[frozenset[str]]:
        """Return the different sets of audiences that its documents have."""
        return frozenset(document.audiences for document in self.documents.values())


def to_json(release: Release) -> str:
    """Return the manifest as JSON with sorted keys and a checksum of its own."""
    body = json.dumps(release, sort_keys=True, default=_plain)
    return f"{_BEFORE}{body}{_AFTER}{content_hash(body)}{_VERSION}{VERSION}}}"


def from_json(text: str, where: str) -> Release:
    """Return the release of a manifest.

    Args:
        text: what `to_json` returned.
        where: the file, for the error's message.

    Raises:
        StoreDamaged: it is cut or changed, or of a newer version than this one.
    """
    try:
        body, digest, version = _parts(text)
        if version > VERSION:
            raise StoreDamaged(
                f"{where} was written by a newer version of supportbot (manifest {version}, known"
                f" is {VERSION}); update supportbot"
            )
        if digest != content_hash(body):
            raise ValueError("its checksum does not fit")
        return _release(json.loads(body))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreDamaged(
            f"{where} is damaged ({error!r}); roll back to another release, or run"
            " `supportbot-ingest sync`, which builds the knowledge base anew"
        ) from error


def _release(body: dict[str, Any]) -> Release:
    documents = {id_: _document(row) for id_, row in body["documents"].items()}
    changed = {
        "created_at": datetime.fromisoformat(body["created_at"]),
        "sources": tuple(body["sources"]),
        "documents": documents,
        "unreached": tuple(body.get("unreached", ())),
    }
    return Release(**{**body, **changed})


def _document(row: dict[str, Any]) -> Document:
    changed = {
        "audiences": frozenset(row["audiences"]),
        "chunk_ids": tuple(row["chunk_ids"]),
        "tags": tuple(row.get("tags", ())),
        "questions": tuple(row.get("questions", ())),
        "notes": tuple(Note(**note) for note in row.get("notes", ())),
    }
    return Document(**{**row, **changed})


def _parts(text: str) -> tuple[str, str, int]:
    """Return the release as it is written, its checksum, and the version of the manifest."""
    end = text.rindex(_AFTER)
    digest, _, version = text[end + len(_AFTER) :].partition(_VERSION)
    return text[len(_BEFORE) : end], digest, int(version.removesuffix("}"))


def _plain(value: Any) -> Any:
    """Return what JSON can hold of a value that it cannot."""
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return {field.name: getattr(value, field.name) for field in fields(value)}
