"""Which past answers stand on which documents, and which of these have since changed. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import groupby
from typing import Any

from knowledge.manifest import Release
from supportbot.records import ReceiptRow


class Standing(StrEnum):
    """What became of a passage that an answer stands on."""

    SAME = "same"  # it stands in the current release, word for word
    CHANGED = "changed"  # its document does, the passage does not
    GONE = "gone"  # its document left


@dataclass(frozen=True, slots=True)
class Receipt:
    """One passage of a past answer, and what became of it."""

    document_id: str
    standing: Standing
    answer_id: str
    question: str
    quote: str
    release: str | None
    answered_at: str  # ISO 8601, UTC

    def to_json(self) -> dict[str, Any]:
        """Return the public form."""
        return asdict(self)


def compare(rows: Sequence[ReceiptRow], release: Release | None) -> list[Receipt]:
    """Compare what answers stand on with the current release; passages have stable ids."""
    return [
        Receipt(
            row.document_id,
            _standing(row, release),
            row.answer_id,
            row.question,
            row.quote,
            row.release,
            datetime.fromtimestamp(row.answered_at, UTC).isoformat(timespec="seconds"),
        )
        for row in rows
    ]


def render(receipts: Sequence[Receipt]) -> str:
    """Return one block a document: how many answers, and each one whose passage changed."""
    if not receipts:
        return "No answer stands on that."
    lines = []
    for document_id, group in groupby(receipts, key=lambda one: one.document_id):
        found = list(group)
        counts = Counter(one.standing for one in found)
        told = ", ".join(f"{counts[one]} {one}" for one in Standing if counts[one])
        lines.append(f"{document_id}: {told}")
        lines += [
            f"  {one.standing:<8}{one.answered_at[:10]}  {one.answer_id}  {one.question}"
            for one in found
            if one.standing is not Standing.SAME
        ]
    return "\n".join(lines)


def _standing(row: ReceiptRow, release: Release | None) -> Standing:
    document = release.documents.get(row.document_id) if release else None
    if document is None:
        return Standing.GONE
    return Standing.SAME if row.chunk_id in document.chunk_ids else Standing.CHANGED
