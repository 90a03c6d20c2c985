from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import HttpUrl, SecretStr

from supportbot.config import BotSettings
from supportbot.conversation import Answer, Citation, Outcome, Question, Usage
from supportbot.dataset import read_questions
from supportbot.errors import EvaluationFailed
from supportbot.evaluation import EvaluationOptions, evaluate
from tests.servers.model import ScriptedModel
from tests.servers.tiny_model import save_tiny_model

ROOT = Path(__file__).parents[2]
PAGES = {
    "password": "# Passwords\n\nReset your password on the account page.",
    "refund": "# Refunds\n\nRefunds take five days.",
    "error": "# Errors\n\nError E-4012 means that the disk is full.",
}
QUERIES = [
    {"id": "q1", "question": "How do I reset my password?", "answerable": True},
    {"id": "q2", "question": "How long do refunds take?", "answerable": True},
    {"id": "q3", "question": "What is E-4012?", "answerable": True},
    {"id": "q4", "question": "Quo vadis zeppelin?", "answerable": False},
    {"id": "q5", "question": "Hello!", "answerable": None},
]
QRELS = "q1\tpassword\t1\nq2\trefund\t1\nq3\terror\t2\nq3\tpassword\t0\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def settings(tmp_path: Path, model: Path) -> BotSettings:
    return BotSettings(home=tmp_path / "in-use", embedder=str(model))


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset"
    (folder / "corpus").mkdir(parents=True)
    for name, text in PAGES.items():
        (folder / "corpus" / f"{name}.md").write_text(text)
    (folder / "queries.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in QUERIES))
    (folder / "qrels.tsv").write_text(QRELS)
    return folder


async def test_a_dataset_is_built_aside_and_measured(
    dataset: Path, settings: BotSettings, tmp_path: Path
) -> None:
    run = tmp_path / "run.txt"
    report = await evaluate(EvaluationOptions(dataset, "bm25", run), settings)
    figures = report.to_json()
    assert json.loads(json.dumps(figures)) == figures
    assert figures["questions"] == {"answerable": 3, "unanswerable": 1}
    assert (figures["documents"], figures["retriever"]) == (3, "bm25")
    assert [figures[name] for name in ("recall@5", "recall@10", "nDCG@10", "MRR@10")] == [1.0] * 4
    assert figures["AUROC"] == 1.0
    assert set(figures["retrieval_ms"]) == {"p50", "p95"}
    assert figures["risk_coverage"][-1]["coverage"] == 1.0
    assert figures["answers"] is None
    assert set(figures["refusal"]["tried"]) == {"answerable", "deleted", "unanswerable"}
    assert figures["refusal"]["AUROC"]["deleted"]["value"] == 1.0, "its page gone, less is found"
    firsts = [line.split() for line in run.read_text().splitlines() if line.split()[3] == "1"]
    assert [(line[0], line[2]) for line in firsts] == [
        ("q1", "password"),
        ("q2", "refund"),
        ("q3", "error"),
    ]
    assert "nDCG@10       1.000" in report.render()
    assert not settings.home.exists(), "the knowledge base in use is not touched"


async def test_ids_of_a_jsonl_corpus_may_be_anything(
    dataset: Path, settings: BotSettings, tmp_path: Path
) -> None:
    odd = {"password": "a/b c", "refund": "../ü:*?", "error": "E-4012.v2.html"}
    rows = [
        {
            "id": odd[name],
            "title": f'"{name}": yes',
            "text": text,
            "url": f"https://a.example/{name}",
        }
        for name, text in PAGES.items()
    ]
    for file in (dataset / "corpus").iterdir():
        file.unlink()
    (dataset / "corpus").rmdir()
    (dataset / "corpus.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    qrels = "".join(f"{q}\t{odd[d]}\t1\n" for q, d in (("q1", "password"), ("q2", "refund")))
    (dataset / "qrels.tsv").write_text(
        f"query\tdocument\trelevance\n{qrels}q3\t{odd['error']}\t1\n"
    )
    report = await evaluate(EvaluationOptions(dataset, "bm25"), settings)
    assert (report.documents, report.failed_documents) == (3, ())
    assert report.ranking["MRR@10"] == 1.0


async def test_the_check_of_citations_is_tried_on_the_dataset(
    dataset: Path, settings: BotSettings
) -> None:
    pages = (
        "Reset your password on the account page with the link that we send to you.",
        "Refunds take five days after the parcel arrived, and you cannot return gift cards.",
        "Error E-4012 means that the disk is full; free 20 GB before you try again.",
    )
    for name, text in zip(PAGES, pages, strict=True):
        (dataset / "corpus" / f"{name}.md").write_text(f"# {name}\n\n{text}")
    report = await evaluate(EvaluationOptions(dataset, "bm25", grounding=True), settings)
    grounding = report.to_json()["grounding"]
    assert grounding["true"]["word for word"] == {
        "tried": 3, "refused": 0, "share": 0.0, "examples": [],
    }  # fmt: skip
    assert grounding["wrong"]["changed code"]["caught"] == 1
    assert grounding["hard_facts_caught"] == 1.0
    assert "changed number *" in report.render()


async def test_answers_are_judged_by_outcome_citation_and_cost(
    dataset: Path, settings: BotSettings
) -> None:
    asked: list[str] = []

    async def ask(question: Question) -> Answer:
        asked.append(question.text)
        if "zeppelin" in question.text:
            return answer(question, Outcome.NOT_FOUND)
        if "E-4012" in question.text:
            return answer(question, Outcome.ANSWERED, cite("error.md", "the disk is empty"))
        if "refunds" in question.text:
            return answer(question, Outcome.ANSWERED, cite("gone.md", "Refunds take five days."))
        return answer(question, Outcome.ANSWERED, cite("password.md", "on the account page"))

    report = await evaluate(EvaluationOptions(dataset, answers=True), settings, ask)
    assert report.answers is not None
    assert report.answers.answerable == {"answered": 3}
    assert report.answers.unanswerable == {"not_found": 1}
    assert (report.answers.citations, report.answers.valid_citations) == (3, 0.3333)
    assert report.answers.cites_relevant == 0.6667
    assert report.answers.cost_usd == 0.02
    assert sorted(asked) == sorted(row["question"] for row in QUERIES[:4])
    assert "cost: $0.0200" in report.render()


async def test_the_configured_model_is_asked_and_its_sentences_are_checked(
    dataset: Path, settings: BotSettings
) -> None:
    with ScriptedModel() as model:
        keyed = settings.model_copy(
            update={"runapi_key": SecretStr("test-key"), "model_url": HttpUrl(model.url)}
        )
        report = await evaluate(EvaluationOptions(dataset, answers=True), keyed)
        assert len(model.requests) >= 3
    assert report.answers is not None
    assert report.answers.answerable == {"answered": 3}
    assert report.answers.unanswerable == {"not_found": 1}
    assert (report.answers.valid_citations, report.answers.supported) == (1.0, 1.0)
    assert report.answers.cites_relevant == 1.0
    assert report.answers.cost_usd > 0
    assert not settings.home.exists(), "the database in use is not touched"


def answer(question: Question, outcome: Outcome, *citations: Citation) -> Answer:
    return Answer(
        question=question.text,
        conversation_id=question.conversation_id,
        outcome=outcome,
        text="",
        citations=citations,
        usage=Usage(cost_usd=0.005),
    )


def cite(document_id: str, quote: str) -> Citation:
    return Citation(1, document_id, "", "", "", quote, "")


async def test_documents_that_cannot_be_read_are_named_and_the_rest_is_measured(
    dataset: Path, settings: BotSettings
) -> None:
    (dataset / "corpus" / "broken.md").write_text("---\ntitle: [\n---\n\ntext")
    report = await evaluate(EvaluationOptions(dataset, "bm25"), settings)
    assert len(report.failed_documents) == 1
    assert "broken.md" in report.failed_documents[0]
    assert report.documents == 3
    assert "1 failed" in report.render()


async def test_a_corpus_that_is_missing_or_empty_is_a_clear_error(
    dataset: Path, settings: BotSettings
) -> None:
    for file in (dataset / "corpus").iterdir():
        file.unlink()
    with pytest.raises(EvaluationFailed, match="corpus"):
        await evaluate(EvaluationOptions(dataset), settings)
    (dataset / "corpus").rmdir()
    with pytest.raises(EvaluationFailed, match=r"corpus\.jsonl"):
        await evaluate(EvaluationOptions(dataset), settings)


async def test_a_run_that_cannot_be_written_is_told_before_the_work(
    dataset: Path, settings: BotSettings, tmp_path: Path
) -> None:
    with pytest.raises(EvaluationFailed, match="cannot be written"):
        await evaluate(EvaluationOptions(dataset, run=tmp_path / "no" / "run.txt"), settings)
    with pytest.raises(EvaluationFailed, match="page cannot be written"):
        await evaluate(EvaluationOptions(dataset, html=tmp_path / "no" / "page.html"), settings)


def test_the_command_writes_the_page(dataset: Path, model: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    embedder = {**os.environ, "SUPPORTBOT_EMBEDDER": str(model), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "supportbot.cli", "evaluate", str(dataset), "--json"]
    home = ["--home", str(tmp_path / "in-use"), "--html", str(page)]
    done = subprocess.run(
        [*command, *home], env=embedder, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["dataset"] == "dataset"
    assert "<svg" in page.read_text()


@pytest.mark.skipif(not Path("/proc").exists(), reason="children are read from /proc")
async def test_a_cancelled_evaluation_leaves_no_build_behind(
    dataset: Path, settings: BotSettings
) -> None:
    others = running_children()
    task = asyncio.create_task(evaluate(EvaluationOptions(dataset), settings))
    while not (children := running_children() - others):  # noqa: ASYNC110 - the system sends no event
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def running_children() -> set[str]:
    return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("queries.jsonl", "{", "line 1"),
        ("queries.jsonl", '{"id": "q"}\n', "id, question"),
        ("queries.jsonl", "[]\n", "line 1"),
        ("queries.jsonl", "\xff", "queries.jsonl"),
        ("qrels.tsv", "q\td\t1\nq d 1\n", "line 2"),
        ("qrels.tsv", "q\td\t1\nq\td\tyes\n", "line 2"),
    ],
)
def test_a_malformed_line_is_named(dataset: Path, file: str, text: str, told: str) -> None:
    (dataset / file).write_text(text, encoding="latin-1")
    with pytest.raises(EvaluationFailed, match=told):
        read_questions(dataset)


def test_a_missing_file_says_what_a_dataset_is(tmp_path: Path) -> None:
    with pytest.raises(EvaluationFailed, match=r"queries\.jsonl and qrels\.tsv"):
        read_questions(tmp_path)


def test_questions_that_are_neither_are_left_out(dataset: Path) -> None:
    questions = read_questions(dataset)
    assert [question.id for question in questions] == ["q1", "q2", "q3", "q4"]
    assert questions[2].relevant == {"error": 2}
    assert not questions[3].is_answerable
