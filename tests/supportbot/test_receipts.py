from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from knowledge.documents import Document
from knowledge.manifest import Release
from supportbot.conversation import Question
from supportbot.database import Database
from supportbot.receipts import Standing, compare, render
from supportbot.records import SqlRecords
from supportbot.threads import SqlThreads
from tests.supportbot.test_threads import CITATION, answered


def release(**chunk_ids: tuple[str, ...]) -> Release:
    documents = {
        f"{name}.md": Document(f"{name}.md", name, name, "docs", "0" * 64, chunk_ids=ids)
        for name, ids in chunk_ids.items()
    }
    now = datetime(2026, 11, 28, tzinfo=UTC)
    return Release("r2", None, now, "e", "1", ("docs",), documents, 1, rebuilt=False)


async def kept(database: Database, *document_ids: str) -> SqlRecords:
    threads = SqlThreads(database)
    for document_id in document_ids:
        question = Question("How long?")
        citation = replace(CITATION, document_id=document_id)
        await threads.record(question, replace(answered(question), citations=(citation,)))
    return SqlRecords(database)


async def test_each_passage_stands_has_changed_or_is_gone(database: Database) -> None:
    records = await kept(database, "refunds.md", "orders.md", "old.md")
    current = release(refunds=("c0", "c1"), orders=("c2",))
    found = compare(await records.receipts(), current)
    assert {one.document_id: one.standing for one in found} == {
        "refunds.md": Standing.SAME,
        "orders.md": Standing.CHANGED,
        "old.md": Standing.GONE,
    }
    assert json.dumps([one.to_json() for one in found])
    text = render(found)
    assert "refunds.md: 1 same" in text
    assert "orders.md: 1 changed" in text
    assert text.count("How long?") == 2  # what still stands needs no look


async def test_one_document_is_looked_at_alone(database: Database) -> None:
    records = await kept(database, "refunds.md", "refunds.md", "orders.md")
    rows = await records.receipts("refunds.md")
    assert [row.document_id for row in rows] == ["refunds.md"] * 2
    assert await records.receipts("nothing.md") == ()
    assert render(compare((), None)) == "No answer stands on that."


async def test_without_a_release_everything_is_gone(database: Database) -> None:
    records = await kept(database, "refunds.md")
    assert [one.standing for one in compare(await records.receipts(), None)] == [Standing.GONE]
