"""The manifest of a release: what it holds and how it was made, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from knowledge.documents import Document, Note, content_hash
from knowledge.errors import StoreDamaged

# 3: its documents have no notes; 2: nor `valid_until` and the like; 1: it has no `unreached`
VERSION = 4


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
    body = asdict(release)
    body["created_at"] = release.created_at.isoformat()
    for document in body["documents"].values():
        document["audiences"] = sorted(document["audiences"])
    return json.dumps(
        {"version": VERSION, "sha256": _digest(body), "release": body}, sort_keys=True
    )


def from_json(text: str, where: str) -> Release:
    """Return the release of a manifest.

    Args:
        text: what `to_json` returned.
        where: the file, for the error's message.

    Raises:
        StoreDamaged: it is cut or changed, or of a newer version than this one.
    """
    try:
        content = json.loads(text)
        version, body = content["version"], content["release"]
        if version > VERSION:
            raise StoreDamaged(
                f"{where} was written by a newer version of supportbot (manifest {version}, known"
                f" is {VERSION}); update supportbot"
            )
        if content["sha256"] != _digest(body):
            raise ValueError("its checksum does not fit")
        return _release(body)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreDamaged(
            f"{where} is damaged ({error!r}); roll back to another release, or run"
            " `supportbot-ingest sync`, which builds the knowledge base anew"
        ) from error


def _release(body: dict[str, Any]) -> Release:
    documents = {id_: _document(fields) for id_, fields in body["documents"].items()}
    changed = {
        "created_at": datetime.fromisoformat(body["created_at"]),
        "sources": tuple(body["sources"]),
        "documents": documents,
        "unreached": tuple(body.get("unreached", ())),
    }
    return Release(**{**body, **changed})


def _document(fields: dict[str, Any]) -> Document:
    changed = {
        "audiences": frozenset(fields["audiences"]),
        "chunk_ids": tuple(fields["chunk_ids"]),
        "tags": tuple(fields.get("tags", ())),
        "notes": tuple(Note(**note) for note in fields.get("notes", ())),
    }
    return Document(**{**fields, **changed})


def _digest(body: dict[str, Any]) -> str:
    return content_hash(json.dumps(body, sort_keys=True))
