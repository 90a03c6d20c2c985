"""Answers that a person wrote win where they are asked for, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from knowledge import curated
from knowledge.documents import FAQ, STAFF, Chunk, Document, Scope
from knowledge.embedder import Embedder, load_embedder
from knowledge.releases import ReleaseStore
from knowledge.retriever import Retriever
from tests.fakes import HashEmbedder
from tests.knowledge.corpus import Shaped, build, document

DATA = Path(__file__).parents[1] / "data" / "curated"
CANCEL = "How do I cancel my subscription?"


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text().splitlines()]


def written(
    name: str, questions: Sequence[str], *texts: str, audiences: Sequence[str] = ("public",)
) -> Shaped:
    """Return a curated answer as a sync puts it."""
    page, chunks = document(name, *texts, audiences=audiences)
    chunks = [replace(chunk, heading_path=(questions[0],)) for chunk in chunks]
    return replace(page, kind=FAQ, questions=tuple(questions)), chunks


def retriever_of(
    home: Path, *shaped: Shaped, embedder: Embedder | None = None, **options: Any
) -> Retriever:
    embedder = embedder or HashEmbedder()
    store = ReleaseStore(home)
    build(store, embedder, [(with_chunks(page, chunks), chunks) for page, chunks in shaped])
    return Retriever(store, embedder, **options)


def with_chunks(page: Document, chunks: Sequence[Chunk]) -> Document:
    return replace(page, chunk_ids=tuple(chunk.id for chunk in chunks))


def answer_to(retriever: Retriever, question: str, scope: Scope | None = None) -> str:
    found = retriever.retrieve(question, scope or Scope()).curated
    return "" if found is None else found.chunks[0].document_id


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retriever]:
    answers = [
        written(
            f"{row['id']}", row["questions"], f"This is what we say of it: {row['questions'][0]}"
        )
        for row in rows("answers.jsonl")
    ]
    articles = [
        document(f"page-{row['near']}-{n}.md", f"{row['asked']} This page tells it at length.")
        for n, row in enumerate(rows("asked.jsonl"))
        if row["answer"] is None
    ]
    home = tmp_path_factory.mktemp("curated")
    opened = retriever_of(home, *answers, *articles, embedder=load_embedder(None))
    yield opened
    opened.close()


@pytest.mark.parametrize(("split", "recall"), [("fit", 0.8), ("test", 0.7)])
def test_most_paraphrases_get_their_answer_and_no_look_alike_does(
    shop: Retriever, split: str, recall: float
) -> None:
    asked = [row for row in rows("asked.jsonl") if row["split"] == split]
    given = [(row, answer_to(shop, row["asked"])) for row in asked]
    wrong = [(row["asked"], got) for row, got in given if got not in ("", str(row["answer"]))]
    meant = [got for row, got in given if row["answer"]]
    print(split, "recall", sum(map(bool, meant)) / len(meant), "wrong", wrong)
    assert wrong == []
    assert sum(map(bool, meant)) / len(meant) >= recall


def test_the_written_question_itself_gets_the_answer_however_it_is_typed(tmp_path: Path) -> None:
    retriever = retriever_of(tmp_path, written("a.md", [CANCEL, "Can I leave?"], "Press Cancel."))
    for question in (CANCEL, "how do i CANCEL my subscription", "Can I leave?"):
        assert answer_to(retriever, question) == "a.md"
    retriever.close()


def test_with_keywords_alone_equal_words_get_the_answer(tmp_path: Path) -> None:
    shaped = written("a.md", [CANCEL], "Press Cancel.")
    retriever = retriever_of(tmp_path, shaped, mode="bm25")
    assert answer_to(retriever, "cancel my subscription please") == "a.md"
    assert answer_to(retriever, "cancel my order") == ""
    retriever.close()


def test_a_row_of_an_faq_sheet_is_such_an_answer_and_a_heading_of_an_article_is_none(
    tmp_path: Path,
) -> None:
    page, chunks = document("faq.csv", "Press Cancel.", "5 euros.")
    headed = [
        replace(chunk, heading_path=("Billing", question))
        for chunk, question in zip(chunks, (CANCEL, "What does it cost?"), strict=True)
    ]
    faq, article = (replace(page, kind=FAQ), headed), (page, headed)
    first, second = (
        retriever_of(tmp_path / name, shaped) for name, shaped in (("f", faq), ("a", article))
    )
    found = first.retrieve(CANCEL, Scope()).curated
    assert found is not None
    assert [chunk.text for chunk in found.chunks] == ["Press Cancel."]
    assert answer_to(second, CANCEL) == ""
    first.close()
    second.close()


def test_an_answer_in_several_passages_is_given_whole_and_in_order(tmp_path: Path) -> None:
    texts = [f"Step {number} cancels a part of it." for number in range(4)]
    other = written("b.md", ["What is new?"], "Nothing.")
    retriever = retriever_of(tmp_path, written("a.md", [CANCEL], *texts), other)
    found = retriever.retrieve(CANCEL, Scope()).curated
    assert found is not None
    assert [chunk.text for chunk in found.chunks] == texts
    retriever.close()


def test_an_answer_is_never_given_across_audiences(tmp_path: Path) -> None:
    retriever = retriever_of(
        tmp_path, written("a.md", [CANCEL], "Say no.", audiences=[STAFF]), document("b.md", "Else.")
    )
    assert answer_to(retriever, CANCEL) == ""
    assert answer_to(retriever, CANCEL, Scope.of(STAFF)) == "a.md"
    retriever.close()


def test_an_answer_that_holds_no_more_is_not_given(tmp_path: Path) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    page, chunks = written("a.md", [CANCEL], "Press Cancel.")
    retriever = retriever_of(
        tmp_path, (replace(page, valid_until=yesterday), chunks), document("b.md", "Else.")
    )
    assert answer_to(retriever, CANCEL) == ""
    retriever.close()


def test_a_removed_answer_is_given_no_more(tmp_path: Path) -> None:
    store, embedder = ReleaseStore(tmp_path), HashEmbedder()
    page, chunks = written("a.md", [CANCEL], "Press Cancel.")
    build(store, embedder, [(with_chunks(page, chunks), chunks), document("b.md", "Else.")])
    retriever = Retriever(store, embedder)
    assert answer_to(retriever, CANCEL) == "a.md"
    build(store, embedder, remove=["a.md"])
    assert answer_to(retriever, CANCEL) == ""
    retriever.close()


@pytest.mark.parametrize(
    ("query", "question"),
    [
        ("What does error E-402 mean?", "What does error E-401 mean?"),
        ("How do I not delete my account?", "How do I delete my account?"),
        ("I can't log in", "I can log in"),
        ("How do I turn off alerts?", "How do I turn alerts on?"),
        ("Wie kündige ich mein Abo?", "How do I cancel my Abo?"),
    ],
)
def test_another_number_denial_or_language_is_another_question(query: str, question: str) -> None:
    shaped = written("a.md", [question], "Yes.")
    assert curated.asked(query, shaped[1], {"a.md": shaped[0]}) == []
