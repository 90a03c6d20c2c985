"""Measures retrieval, refusal and answers on a labelled dataset.

The corpus is built into a temporary home by the `supportbot-ingest` command, as a process of its
own, so that neither the knowledge base nor the database in use is touched.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from knowledge.documents import Scope
from knowledge.embedder import load_embedder
from knowledge.releases import OpenRelease, ReleaseStore
from knowledge.reranker import load_reranker
from knowledge.retriever import Mode, Retriever
from knowledge.sufficiency import Calibration, load_calibration, sufficiency
from supportbot.answering import followups
from supportbot.answering.grounding import Passage, check
from supportbot.answering.sentences import split
from supportbot.config import BotSettings
from supportbot.conversation import Answer, Citation, Outcome, Question, Turn
from supportbot.dataset import LabelledQuestion, corpus_folder, read_questions
from supportbot.errors import EvaluationFailed
from supportbot.measures import (
    RiskPoint,
    Searched,
    auroc,
    percentile,
    rank_measures,
    risk_coverage,
    trec_run,
)
from supportbot.refusal import RefusalReport, judge_refusal
from supportbot.trials import GroundingReport, try_out

Ask = Callable[[Question], Awaitable[Answer]]

_RANKED_DOCUMENTS = 100
_RANKED_CHUNKS = 400  # all that both arms of the retriever bring
_ASKED_AT_ONCE = 4
_PROMOTED = (0, 3)  # exit codes of a sync: all documents, all but some


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """What to measure.

    Args:
        dataset: the folder.
        retriever: both arms, or one alone.
        run: where to write a TREC run.
        answers: also ask the configured model.
        home: a home that holds the corpus already; None: build it into a temporary one.
        history: search follow-ups together with what was asked before; False: each alone.
        html: where the report is to be written as a page; it is seen beforehand that it can be.
        grounding: also try the check of citations on right and wrong sentences.
    """

    dataset: Path
    retriever: Mode = "hybrid"
    run: Path | None = None
    answers: bool = False
    home: Path | None = None
    history: bool = True
    html: Path | None = None
    grounding: bool = False


@dataclass(frozen=True, slots=True)
class AnswersReport:
    """What came of asking the model every question."""

    answerable: Mapping[str, int]  # outcome to number
    unanswerable: Mapping[str, int]
    citations: int
    valid_citations: float | None  # share whose quote stands word for word in the cited document
    supported: float | None  # share of sentences that need a source and that the cited ones hold
    cites_relevant: float | None  # share of answers with citations that cite a relevant document
    cost_usd: float


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """All figures of one run; None where the dataset has nothing to measure it on."""

    dataset: str
    retriever: str
    documents: int
    failed_documents: tuple[str, ...]
    answerable: int
    unanswerable: int
    ranking: Mapping[str, float]
    auroc: float | None
    risk_coverage: tuple[RiskPoint, ...]
    retrieval_ms: Mapping[str, float]
    answers: AnswersReport | None = None
    refusal: RefusalReport | None = None
    grounding: GroundingReport | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the public form."""
        return {
            "dataset": self.dataset,
            "retriever": self.retriever,
            "documents": self.documents,
            "failed_documents": list(self.failed_documents),
            "questions": {"answerable": self.answerable, "unanswerable": self.unanswerable},
            **self.ranking,
            "AUROC": self.auroc,
            "risk_coverage": [asdict(point) for point in self.risk_coverage],
            "retrieval_ms": dict(self.retrieval_ms),
            "answers": asdict(self.answers) if self.answers else None,
            "refusal": self.refusal.to_json() if self.refusal else None,
            "grounding": self.grounding.to_json() if self.grounding else None,
        }

    def render(self) -> str:
        """Return the report as a table to read."""
        failed = f", {len(self.failed_documents)} failed" if self.failed_documents else ""
        lines = [
            f"{self.dataset} · {self.retriever} · {self.documents} documents{failed}",
            f"{self.answerable} answerable questions, {self.unanswerable} unanswerable",
            "",
            *(f"{name:<14}{value:.3f}" for name, value in self.ranking.items()),
            *(f"{f'{name} retrieval':<14}{ms:.0f} ms" for name, ms in self.retrieval_ms.items()),
        ]
        if self.auroc is not None:
            lines += [f"{'AUROC':<14}{self.auroc:.3f}", "", *_render_curve(self.risk_coverage)]
        if self.refusal:
            lines += ["", *self.refusal.render()]
        if self.answers:
            lines += ["", *_render_answers(self.answers)]
        if self.grounding:
            lines += ["", *self.grounding.render()]
        return "\n".join(lines)


async def evaluate(
    options: EvaluationOptions, settings: BotSettings, ask: Ask | None = None
) -> EvaluationReport:
    """Measure a dataset.

    Args:
        options: what to measure.
        settings: model and embedder; the home, the database and the vector server in it are not
            touched.
        ask: answers a question, for `options.answers`; None: the configured answerer.

    Raises:
        EvaluationFailed: a file of the dataset is missing or malformed, or the build failed.
        KnowledgeError: the corpus cannot be searched.
    """
    questions = await asyncio.to_thread(_prepare, options)
    async with _built(options, settings) as corpus:
        searched, documents = await asyncio.to_thread(
            _search_all, questions, corpus, options.retriever
        )
        if options.run:
            await asyncio.to_thread(options.run.write_text, trec_run(searched), encoding="utf-8")
        answers = await _ask_all(questions, corpus, ask) if options.answers else None
        tried = await asyncio.to_thread(_try_out, questions, corpus) if options.grounding else None
    report = _report(options, searched, documents, corpus.failed, answers)
    return replace(report, grounding=tried)


async def search(options: EvaluationOptions, settings: BotSettings) -> list[Searched]:
    """Return what is found for every question of a dataset; raises what `evaluate` raises."""
    questions = await asyncio.to_thread(_prepare, options)
    async with _built(options, settings) as corpus:
        searched, _ = await asyncio.to_thread(_search_all, questions, corpus, options.retriever)
    return searched


def _report(
    options: EvaluationOptions,
    searched: Sequence[Searched],
    documents: int,
    failed: tuple[str, ...],
    answers: AnswersReport | None,
) -> EvaluationReport:
    scores = [one.sufficiency for one in searched if one.question.is_answerable]
    others = [one.sufficiency for one in searched if not one.question.is_answerable]
    times = [one.milliseconds for one in searched]
    return EvaluationReport(
        dataset=options.dataset.resolve().name,
        retriever=options.retriever,
        documents=documents,
        failed_documents=failed,
        answerable=len(scores),
        unanswerable=len(others),
        ranking=rank_measures(searched),
        auroc=auroc(scores, others),
        risk_coverage=risk_coverage(scores, others),
        retrieval_ms={"p50": percentile(times, 0.5), "p95": percentile(times, 0.95)},
        answers=answers,
        refusal=judge_refusal(searched),
    )


def _prepare(options: EvaluationOptions) -> list[LabelledQuestion]:
    """Read the questions, and see that run and page can be written before the work is done."""
    for name, path in (("run", options.run), ("page", options.html)):
        try:
            if path:
                path.touch()
        except OSError as error:
            raise EvaluationFailed(f"the {name} cannot be written: {error}") from error
    questions = read_questions(options.dataset)
    if options.history:
        return questions
    return [replace(question, history=()) for question in questions]


def _search_all(
    questions: Sequence[LabelledQuestion], corpus: _Corpus, mode: Mode
) -> tuple[list[Searched], int]:
    settings = corpus.settings
    store = ReleaseStore(settings.home)
    retriever = Retriever(
        store,
        load_embedder(settings.embedder),
        load_reranker(settings.reranker),
        mode,
        calibration=corpus.calibration,
    )
    release = store.current()
    documents = list(release.documents) if release else []
    with closing(retriever):
        retriever.ping()  # loads the model, so that it is not timed
        searched = [_search(question, retriever, corpus, documents) for question in questions]
    return searched, len(documents)


def _search(
    question: LabelledQuestion, retriever: Retriever, corpus: _Corpus, documents: Iterable[str]
) -> Searched:
    context = context_of(question)
    evidence = retriever.retrieve(question.text, Scope(), context=context)
    deep = retriever.retrieve(question.text, Scope(), _RANKED_CHUNKS, context)
    best: dict[str, float] = {}
    for hit in deep.hits:
        best.setdefault(corpus.dataset_id(hit.chunk.document_id), hit.score)
    gold = {name for name in documents if corpus.dataset_id(name) in question.relevant}
    is_asked_again = question.is_answerable and gold
    return Searched(
        question,
        tuple(best.items())[:_RANKED_DOCUMENTS],
        sufficiency(evidence),
        evidence.timings_ms["total"],
        evidence,
        retriever.retrieve(question.text, Scope(), context=context, without=gold)
        if is_asked_again
        else None,
    )


def context_of(question: LabelledQuestion) -> str:
    """Return what a question is searched together with, as in a conversation."""
    turns: list[Turn] = []
    for text in question.history:
        turns.append(Turn(text, "", Outcome.ANSWERED, followups.standalone(text, turns)))
    return followups.context(turns)


@dataclass(frozen=True, slots=True)
class _Corpus:
    """A home that holds the corpus, and how its document ids read in the dataset."""

    settings: BotSettings
    ids: Mapping[str, str] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
    calibration: Calibration | None = None  # of the home in use

    def dataset_id(self, document_id: str) -> str:
        return self.ids.get(document_id) or PurePosixPath(document_id).stem


@asynccontextmanager
async def _built(options: EvaluationOptions, settings: BotSettings) -> AsyncIterator[_Corpus]:
    with tempfile.TemporaryDirectory(prefix="supportbot-evaluation-") as folder:
        home = options.home or Path(folder) / "home"
        own = settings.model_copy(update={"home": home, "database_url": None, "chroma_url": None})
        source, ids = corpus_folder(options.dataset, Path(folder) / "corpus")
        failed = () if options.home else await _sync(source, own)
        fingerprint = load_embedder(settings.embedder).fingerprint
        yield _Corpus(own, ids, failed, load_calibration(settings.home, fingerprint))


async def _sync(source: Path, settings: BotSettings) -> tuple[str, ...]:
    """Build a folder into the settings' home and return the documents that failed."""
    environment = {
        **os.environ,
        "SUPPORTBOT_CONFIG": os.devnull,
        "SUPPORTBOT_HOME": str(settings.home),
        "SUPPORTBOT_EMBEDDER": settings.embedder or "",
        "SUPPORTBOT_CHROMA_URL": "",
    }
    command = (sys.executable, "-m", "ingest.cli", "sync", str(source), "--json")
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, env=environment
    )
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    result = _parsed(output)
    if process.returncode not in _PROMOTED:
        reason = result.get("error") or f"exit {process.returncode}, the lines above say why"
        raise EvaluationFailed(f"{source} could not be built into a knowledge base: {reason}")
    return tuple(f"{failure['uri']}: {failure['reason']}" for failure in result["failures"])


def _parsed(output: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(output))
    except ValueError:
        return {}


async def _ask_all(
    questions: Sequence[LabelledQuestion], corpus: _Corpus, ask: Ask | None
) -> AnswersReport:
    if ask is not None:
        return await _ask_each(questions, corpus, ask)
    from supportbot.bootstrap import build_services

    async with build_services(corpus.settings) as services:
        return await _ask_each(questions, corpus, services.answerer.answer)


async def _ask_each(
    questions: Sequence[LabelledQuestion], corpus: _Corpus, ask: Ask
) -> AnswersReport:
    turns = asyncio.Semaphore(_ASKED_AT_ONCE)

    async def ask_one(question: LabelledQuestion) -> Answer:
        async with turns:
            return await ask(Question(question.text))

    answers = await asyncio.gather(*(ask_one(question) for question in questions))
    asked = list(zip(questions, answers, strict=True))
    store = ReleaseStore(corpus.settings.home)
    quoted, held = await asyncio.to_thread(_judge, answers, store)
    return AnswersReport(
        answerable=_outcomes(answer for question, answer in asked if question.is_answerable),
        unanswerable=_outcomes(answer for question, answer in asked if not question.is_answerable),
        citations=len(quoted),
        valid_citations=_share(quoted),
        supported=_share(held),
        cites_relevant=_share(
            [
                any(
                    corpus.dataset_id(cited.document_id) in question.relevant for cited in citations
                )
                for question, answer in asked
                if question.relevant and (citations := answer.citations)
            ]
        ),
        cost_usd=round(sum(answer.usage.cost_usd for answer in answers), 6),
    )


def _outcomes(answers: Iterable[Answer]) -> dict[str, int]:
    return dict(sorted(Counter(str(answer.outcome) for answer in answers).items()))


def _judge(answers: Iterable[Answer], store: ReleaseStore) -> tuple[list[bool], list[bool]]:
    """Tell of every citation whether its document holds the quote, and of every sentence that
    needs a source whether the cited passages hold it.
    """
    with closing(store.open()) as opened:
        quoted: list[bool] = []
        held: list[bool] = []
        for answer in answers:
            quoted += [_is_quoted(citation, opened) for citation in answer.citations]
            if answer.outcome is Outcome.ANSWERED:
                held += _held_sentences(answer, opened)
        return quoted, held


def _is_quoted(citation: Citation, opened: OpenRelease) -> bool:
    document = opened.release.documents.get(citation.document_id)
    chunks = opened.vectors.get(document.chunk_ids) if document else {}
    return bool(citation.quote) and any(citation.quote in chunk.text for chunk in chunks.values())


def _held_sentences(answer: Answer, opened: OpenRelease) -> list[bool]:
    chunks = opened.vectors.get([citation.chunk_id for citation in answer.citations])
    passages = [
        Passage.of(citation.number, chunks[citation.chunk_id])
        for citation in answer.citations
        if citation.chunk_id in chunks
    ]
    verdicts = [check(unit, passages) for unit in split(answer.text)]
    return [verdict.is_held for verdict in verdicts if verdict.needs_source]


def _try_out(questions: Sequence[LabelledQuestion], corpus: _Corpus) -> GroundingReport:
    store = ReleaseStore(corpus.settings.home)
    with closing(store.open()) as opened:
        documents = opened.release.documents
        held = opened.vectors.get([id_ for one in documents.values() for id_ in one.chunk_ids])
        chunks = {
            corpus.dataset_id(name): [held[id_] for id_ in documents[name].chunk_ids]
            for name in sorted(documents)
        }
    return try_out(questions, chunks)


def _share(verdicts: Sequence[bool]) -> float | None:
    return round(sum(verdicts) / len(verdicts), 4) if verdicts else None


def _render_curve(points: Iterable[RiskPoint]) -> list[str]:
    return [
        "sufficiency  answered  of these unanswerable  answerable kept  unanswerable answered",
        *(
            f"{point.threshold:>11.3f}{point.coverage:>10.1%}{point.risk:>23.1%}"
            f"{point.answerable:>17.1%}{point.unanswerable:>23.1%}"
            for point in points
        ),
    ]


def _render_answers(answers: AnswersReport) -> list[str]:
    def outcomes(counts: Mapping[str, int]) -> str:
        return ", ".join(f"{number} {outcome}" for outcome, number in counts.items()) or "none"

    def share(value: float | None) -> str:
        return "none to judge" if value is None else f"{value:.1%}"

    return [
        f"answerable questions: {outcomes(answers.answerable)}",
        f"unanswerable questions: {outcomes(answers.unanswerable)}",
        f"citations: {answers.citations}",
        f"citations whose quote stands in the document: {share(answers.valid_citations)}",
        f"sentences that the cited passages hold: {share(answers.supported)}",
        f"answers that cite a relevant document: {share(answers.cites_relevant)}",
        f"cost: ${answers.cost_usd:.4f}",
    ]
