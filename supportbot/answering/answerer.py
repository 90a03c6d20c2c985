"""The way of a question: history, search, model, checks, one final answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from knowledge.disputes import Disputes
from knowledge.documents import Evidence, Scope
from knowledge.errors import KnowledgeError, ReleaseNotFound
from knowledge.languages import language_of
from knowledge.sufficiency import is_sufficient
from supportbot.answering import followups, lengths, policy, prompts, quotes, repeats, routing
from supportbot.answering.agent import FUNCTION_TOKENS, Agent, LookedUp, ReplyEvent, Task
from supportbot.answering.disputed import opposing
from supportbot.answering.draft import Draft, prepared
from supportbot.answering.grounding import Passage
from supportbot.answering.model import Finished, Message, Model, Retrying
from supportbot.answering.reasoning import Delta, Discard
from supportbot.answering.repair import repaired
from supportbot.answering.texts import TEXTS, Texts, texts_for
from supportbot.budgets import Budget, Caps
from supportbot.conversation import (
    Answer,
    AnswerEvent,
    Cause,
    Citation,
    Outcome,
    Question,
    Status,
    Text,
    Timings,
    Turn,
    Usage,
    new_id,
)
from supportbot.errors import FailureKind, ModelError, RetrievalFailed, StateUnavailable
from supportbot.rendering import render
from supportbot.traces import Trace

if TYPE_CHECKING:
    from supportbot.threads import Threads

PASSAGES = 8
STATE_SECONDS = 2.0  # the longest that the state database may hold an answer up, each time
RETRIEVAL_SHARE = 0.4  # of the deadline
MARGIN_SHARE = 0.1  # of the deadline, kept for what follows the model
MARGIN_SECONDS = 2.0  # at most
_log = logging.getLogger(__name__)


_Ask = Callable[[Sequence[str]], AsyncGenerator[ReplyEvent, None]]  # with sentences to be mended


class Retrieves(Protocol):
    """What answering needs of the knowledge base; it is called in a thread."""

    def retrieve(self, query: str, scope: Scope, limit: int = 8, context: str = "") -> Evidence:
        """Return the best passages; raises KnowledgeError."""
        ...


@dataclass(frozen=True, slots=True)
class AnswererSettings:
    """Bounds of answering."""

    deadline_seconds: float = 45.0
    caps: Caps = field(default_factory=Caps)
    repeat_hours: float = 0.0  # how long an answer is said again to the same question
    contact: str = ""  # whom a customer can turn to: an e-mail or web address
    agent: bool = False  # the model may search and hand over itself


class Answerer:
    """Turns questions into answers; any number at once.

    Args:
        retriever: searches the knowledge base.
        model: writes; None: answers are quotes.
        threads: remembers; while it fails, answers go out all the same.
        settings: deadline and budgets.
        disputes: what is known to be said differently elsewhere; None: nothing.
    """

    def __init__(
        self,
        *,
        retriever: Retrieves,
        model: Model | None,
        threads: Threads,
        settings: AnswererSettings,
        disputes: Disputes | None = None,
    ) -> None:
        self._retriever = retriever
        self._model = model
        self._threads = threads
        self._settings = settings
        self._disputes = disputes
        self._budget = Budget(settings.caps, threads)

    async def answer(self, question: Question) -> Answer:
        """Return the final answer."""
        async with aclosing(self.stream(question)) as events:
            async for event in events:
                if isinstance(event, Answer):
                    return event
        raise AssertionError("a stream of answer events ended without an answer")

    async def stream(self, question: Question) -> AsyncGenerator[AnswerEvent, None]:
        """Yield what happens, and last of all exactly one `Answer`, within the deadline.

        It raises nothing but the cancellation of its caller, which also ends the model's call.
        """
        run = _Run(question, self._settings)
        try:
            async with aclosing(self._tell(run)) as events:
                async for event in events:
                    if not isinstance(event, Text) or event.delta:
                        yield run.noted(event)
            if note := await self._dispute(run):
                yield run.noted(note)
            if run.is_cut and not run.trace.copy_of:  # a copy says so itself
                yield run.noted(Text(f"\n\n*{run.texts.long}*"))
        except (KnowledgeError, RetrievalFailed) as error:
            if apology := run.sorry(_cause(error), error):
                yield apology
        except Exception as error:  # noqa: BLE001 - whatever fails, the asker gets one final answer
            if apology := run.sorry(Cause.INTERNAL, error):
                yield apology
        await self._record(run)
        yield run.final()

    async def _tell(self, run: _Run) -> AsyncGenerator[AnswerEvent, None]:
        """Yield all events but the final one; how it ended is left in `run`."""
        route = routing.route(run.question.text)
        if route and not route.may_be_meant:
            yield run.close(
                *routing.reply(route, run.speak(route.language), self._settings.contact)
            )
            return
        yield Status("searching")
        history = await self._history(run)
        run.choose(routing.chosen(run.question.text, history))
        run.standalone = followups.standalone(run.question.text, history)
        context = followups.context(history)
        evidence, passages = await self._retrieve(run, context)
        run.release, run.evidence = evidence.release, evidence
        run.trace = run.trace.searched(evidence, context)
        if ending := _ending_of(run, route, evidence, context):
            yield ending
            return
        if known := await self._known(run, evidence, history):
            yield run.repeat(known)
            return
        if not is_sufficient(evidence):
            yield run.close(Outcome.NOT_FOUND, run.texts.not_found, policy.why_not(evidence))
            return
        yield Status("reading", f"{len(passages)} passages")
        if self._model is None or await self._is_spent(run):
            yield run.quote(evidence, Cause.BUDGET if self._model else Cause.NO_KEY)
            return
        yield Status("writing")
        ask = self._asking(run, self._model, evidence, history)
        draft = Draft(passages, language_of(run.question.text))
        async with aclosing(self._write(run, evidence, draft, ask)) as events:
            async for event in events:
                yield event

    def _asking(self, run: _Run, model: Model, evidence: Evidence, history: Sequence[Turn]) -> _Ask:
        """Return what asks the model: for an answer, or to mend the sentences that failed."""

        def ask(failed: Sequence[str]) -> AsyncGenerator[ReplyEvent, None]:
            beside = FUNCTION_TOKENS if self._settings.agent else 0
            request = prompts.messages(run.question.text, evidence.chunks, history, failed, beside)
            if failed:
                return model.stream(request, run.model_deadline, run.answer_id)
            run.trace = run.trace.asked(request)  # the request whose id is kept
            return self._replies(run, model, evidence, request)

        return ask

    def _replies(
        self, run: _Run, model: Model, evidence: Evidence, request: Sequence[Message]
    ) -> AsyncGenerator[ReplyEvent, None]:
        """Return the replies to a request; a model that may call is asked until it answers."""
        if not self._settings.agent:
            return model.stream(request, run.model_deadline, run.answer_id)

        def search(query: str) -> Evidence:
            return self._retriever.retrieve(query, run.question.scope, PASSAGES)

        task = Task(evidence, request, search)
        return Agent(model, task, run.model_deadline, run.answer_id).stream()

    async def _write(
        self,
        run: _Run,
        evidence: Evidence,
        draft: Draft,
        ask: _Ask,
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Stream the model's text through the checks; what fails may be mended once."""
        run.draft = draft
        finished, failure = None, None
        started, calls = run.elapsed_ms(), 1
        try:
            async with aclosing(ask(())) as replies:
                async for event in replies:
                    if isinstance(event, Delta):
                        if shown := draft.add(event.text, event.is_settled):
                            yield Text(shown)
                        if draft.is_hopeless:
                            break
                    elif isinstance(event, Finished):
                        finished = event
                    elif isinstance(event, Retrying) and draft.text:
                        failure = event.error
                        break
                    else:
                        calls += _goes_on(run, draft, event)
        except ModelError as error:
            failure = error
        if failure:
            run.trace = run.trace.failed(failure.kind)
            _log.warning("the model failed", extra={**run.tags, "failure": str(failure)})
        run.finished = finished
        took = (run.elapsed_ms() - started) / 1000
        async with aclosing(self._complete(run, draft, ask, took if calls == 1 else None)) as more:
            async for piece in more:
                yield piece
        yield run.close_draft(draft, evidence, failure)

    async def _complete(
        self, run: _Run, draft: Draft, ask: _Ask, seconds: float | None
    ) -> AsyncGenerator[Text, None]:
        """Show the rest of a whole reply, and let the model mend once what failed.

        `seconds` is what the reply took, and what the deadline must leave for another one; None: no
        call is left.
        """
        if run.finished is None:
            return
        yield Text(draft.finish(run.finished.is_complete))
        if run.finished.calls or not (run.finished.is_complete and draft.failed):
            return
        if seconds is None or run.at_most(seconds) < seconds:
            return
        async with aclosing(repaired(draft, ask(draft.failed))) as pieces:
            async for piece in pieces:
                if isinstance(piece, Finished):
                    usage = run.finished.usage + piece.usage
                    run.finished = replace(run.finished, usage=usage)
                else:
                    yield piece

    async def _history(self, run: _Run) -> tuple[Turn, ...]:
        try:
            async with asyncio.timeout(run.at_most(STATE_SECONDS)):
                return await self._threads.history(run.question.conversation_id)
        except (StateUnavailable, TimeoutError) as error:
            _log.warning("no history", extra={**run.tags, "failure": repr(error)})
            return ()

    async def _known(self, run: _Run, evidence: Evidence, history: Sequence[Turn]) -> Answer | None:
        """Return an answer that was given to this question and may be said again."""
        hours = self._settings.repeat_hours
        if self._model is None or not hours:
            return None
        key = repeats.key(run.question, history, evidence.release, self._model.id)
        run.trace = replace(run.trace, cache_key=key)
        try:
            async with asyncio.timeout(run.at_most(STATE_SECONDS)):
                known = await self._threads.known(key, time.time() - hours * 3600)
        except (StateUnavailable, TimeoutError) as error:
            _log.warning("no earlier answer", extra={**run.tags, "failure": repr(error)})
            return None
        is_fit = known and known.model == self._model.id and repeats.still_holds(known, evidence)
        return known if is_fit else None

    async def _retrieve(self, run: _Run, context: str) -> tuple[Evidence, list[Passage]]:
        """Search in a thread. One that takes too long is abandoned: threads cannot be stopped."""
        share = self._settings.deadline_seconds * RETRIEVAL_SHARE

        def search() -> tuple[Evidence, list[Passage]]:
            asked = run.question
            query = lengths.asking_first(asked.text)
            found = self._retriever.retrieve(query, asked.scope, PASSAGES, context)
            return found, prepared(found.chunks) if is_sufficient(found) else []

        try:
            found = await asyncio.wait_for(asyncio.to_thread(search), run.at_most(share))
        except TimeoutError:
            raise RetrievalFailed(f"no result within {share:g} s") from None
        run.retrieval_ms = run.elapsed_ms()
        return found

    async def _dispute(self, run: _Run) -> Text | None:
        """Return a note where the answer stands on what other passages found say differently."""
        if self._disputes is None or run.evidence is None or not run.citations:
            return None
        search = asyncio.to_thread(self._disputes.among, run.evidence.chunks)
        try:
            found = await asyncio.wait_for(search, min(STATE_SECONDS, run.seconds_left / 2))
        except TimeoutError:
            _log.warning("what documents disagree on is unknown", extra=run.tags)
            return None
        against = opposing(run.citations, found)
        return run.dispute(against) if against else None

    async def _is_spent(self, run: _Run) -> bool:
        """Tell whether a budget of the day that holds for the asker is used up."""
        return await self._budget.is_spent(run.question.workspace, run.at_most(STATE_SECONDS))

    async def _record(self, run: _Run) -> None:
        answer = run.final()
        is_kept = False
        try:
            async with asyncio.timeout(min(STATE_SECONDS, max(0.1, run.seconds_left))):
                await self._threads.record(run.question, answer)
                is_kept = True
        except (StateUnavailable, TimeoutError) as error:
            _log.error("a turn was not kept", extra={**run.tags, "failure": repr(error)})
        self._budget.add(run.question.workspace, answer.usage.cost_usd, is_kept=is_kept)


class _Run:
    """One question on its way."""

    def __init__(self, question: Question, settings: AnswererSettings) -> None:
        seconds = settings.deadline_seconds
        self._contact = settings.contact
        self._clock = asyncio.get_running_loop().time
        self._started = self._clock()
        self.deadline = self._started + seconds
        self.model_deadline = self.deadline - min(MARGIN_SECONDS, seconds * MARGIN_SHARE)
        self.question = replace(question, text=lengths.readable(question.text))
        self.is_cut = self.question.text != question.text.strip()
        self.standalone = self.question.text
        self.answer_id = new_id("ans")
        self.texts: Texts = texts_for(self.question.text)
        self.trace = Trace(tuple(sorted(question.scope.audiences)))
        self.release: str | None = None
        self.evidence: Evidence | None = None
        self.draft: Draft | None = None
        self.finished: Finished | None = None  # the model's reply, where it came to its end
        self.retrieval_ms: int | None = None
        self._spent = Usage()  # for replies that others followed
        self._first_text_ms: int | None = None
        self._shown = ""
        self._ending = Answer(question.text, question.conversation_id, Outcome.UNAVAILABLE, "")
        self._is_closed = False

    @property
    def tags(self) -> dict[str, str]:
        """Return what a log line needs to be found by the reference that the asker has."""
        return {"answer": self.answer_id}

    @property
    def seconds_left(self) -> float:
        """Return the seconds until the deadline."""
        return self.deadline - self._clock()

    def elapsed_ms(self) -> int:
        """Return the milliseconds since the question arrived."""
        return round((self._clock() - self._started) * 1000)

    def at_most(self, seconds: float) -> float:
        """Return so many seconds, or what is left before the deadline's margin."""
        return max(0.0, min(seconds, self.model_deadline - self._clock()))

    def speak(self, language: str) -> Texts:
        """Choose the fixed texts of a language; "" keeps those of the question."""
        self.texts = TEXTS.get(language, self.texts)
        return self.texts

    def choose(self, picked: tuple[str, Texts] | None) -> None:
        """Take a reply that picks a topic by its place for a question about this topic."""
        if picked:
            topic, self.texts = picked
            self.question = replace(self.question, text=topic)

    def noted(self, event: AnswerEvent) -> AnswerEvent:
        """Keep in mind what is shown."""
        if isinstance(event, Text):
            self._shown += event.delta
            if self._first_text_ms is None:
                self._first_text_ms = self.elapsed_ms()
        return event

    def close(
        self, outcome: Outcome, text: str, cause: str = "", citations: Sequence[Citation] = ()
    ) -> Text:
        """End with this text, after what was shown."""
        self._is_closed = True
        self._ending = Answer(
            question=self.question.text,
            conversation_id=self.question.conversation_id,
            outcome=outcome,
            text="",
            citations=tuple(citations),
            release=self.release,
            id=self.answer_id,
            standalone=self.standalone,
            usage=self._spent,
            cause=cause,
        )
        return Text(text)

    def looked_up(self, event: LookedUp) -> None:
        """Keep in mind what the model searched for, and what that cost."""
        self._spent += event.usage
        self.trace = self.trace.looked_up_too(event.hits)
        if self.evidence:
            self.evidence = replace(self.evidence, hits=(*self.evidence.hits, *event.hits))

    def quote(self, evidence: Evidence, cause: str) -> Text:
        """End with quotes, and say why."""
        told = {str(Cause.NO_KEY): self.texts.no_key, str(Cause.BUDGET): self.texts.budget}
        why = told.get(cause, self.texts.down)
        body, citations = quotes.quote(self.standalone, evidence.chunks)
        text = f"{self.texts.quoted.format(why=why)}\n\n{body}"
        return self.close(Outcome.QUOTED, text, cause, citations)

    def repeat(self, known: Answer) -> Text:
        """End with an earlier answer, which cost what it cost then."""
        event = self.close(known.outcome, known.text, citations=known.citations)
        self._ending = replace(self._ending, model=known.model, request_id=known.request_id)
        self.trace = replace(self.trace, copy_of=known.id)
        return event

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Return what the ending cites."""
        return self._ending.citations

    def dispute(self, against: Sequence[Citation]) -> Text:
        """Say that other passages say something else, and cite them."""
        cause = self._ending.cause or Cause.CONFLICT
        citations = (*self.citations, *(one for one in against if one not in self.citations))
        self._ending = replace(self._ending, citations=citations, cause=cause)
        marks = " ".join(f"[{citation.number}]" for citation in against)
        return Text(f"\n\n{self.texts.conflict.format(marks=marks)}")

    def close_draft(
        self,
        draft: Draft,
        evidence: Evidence,
        failure: ModelError | None,
    ) -> Text:
        """End with what the draft holds; the end of a cut answer says that it is one."""
        finished = self.finished
        is_whole = finished is not None and finished.is_complete
        kind = str(failure.kind if failure else FailureKind.CUT)
        if finished and finished.calls:
            event = self._hand_over(draft)
        elif draft.text:
            note = "" if is_whole else self._cut_note
            event = self.close(Outcome.ANSWERED, note, "" if is_whole else kind, draft.citations)
        elif draft.declined and finished:
            event = self.close(Outcome.NOT_FOUND, self.texts.not_found, Cause.DECLINED)
        elif is_whole:
            event = self.close(Outcome.NOT_FOUND, self.texts.not_found, Cause.UNGROUNDED)
        else:
            event = self.quote(evidence, kind)
        if finished:
            self._ending = replace(
                self._ending,
                model=finished.model,
                usage=self._spent + finished.usage,
                request_id=finished.request_id,
            )
        return event

    def _hand_over(self, draft: Draft) -> Text:
        """End as where the asker wants a person, after what was shown."""
        human = routing.Route("human")
        outcome, text, cause = routing.reply(human, self.texts, self._contact)
        return self.close(outcome, f"\n\n{text}" if draft.text else text, cause, draft.citations)

    def sorry(self, cause: str, error: Exception) -> Text | None:
        """End with an apology and a reference or, after shown text, with a note."""
        is_ours = cause == Cause.INTERNAL
        level = logging.ERROR if is_ours else logging.WARNING
        reason = {**self.tags, "failure": str(error)}
        _log.log(level, "no whole answer: %s", cause, extra=reason, exc_info=is_ours and error)
        if self._is_closed:
            return None
        if self.draft is not None and self._shown:
            event = self.close(Outcome.ANSWERED, self._cut_note, cause, self.draft.citations)
        else:
            text = self.texts.unavailable.format(reference=self.answer_id)
            event = self.close(Outcome.UNAVAILABLE, text, cause)
        self.noted(event)
        return event

    def final(self) -> Answer:
        """Return the one final answer."""
        timings = Timings(self.retrieval_ms, self._first_text_ms, self.elapsed_ms())
        html = render(self._shown, self._ending.citations)
        trace = self.trace.without(self.draft.dropped) if self.draft else self.trace
        return replace(self._ending, text=self._shown, html=html, timings=timings, trace=trace)

    @property
    def _cut_note(self) -> str:
        return f"\n\n*{self.texts.cut}*"


def _ending_of(
    run: _Run, route: routing.Route | None, evidence: Evidence, context: str
) -> Text | None:
    """End with a person's own answer, or the reply to what asks nothing; None: it is a question."""
    if evidence.curated:
        text, citations = quotes.curated(evidence.curated)
        return run.close(Outcome.ANSWERED, text, Cause.CURATED, citations)
    if route and route.asks_nothing(context):
        texts = run.speak(route.language)
        return run.close(*routing.reply_to_found(route, texts, evidence))
    return None


def _cause(error: Exception) -> Cause:
    return Cause.EMPTY_KNOWLEDGE_BASE if isinstance(error, ReleaseNotFound) else Cause.RETRIEVAL


def _goes_on(run: _Run, draft: Draft, event: Discard | Retrying | LookedUp) -> bool:
    """Make ready for the text that follows, and tell whether it takes another request."""
    if isinstance(event, LookedUp):
        run.looked_up(event)
        draft.resume(event.passages)
        return True
    draft.discard()
    if isinstance(event, Retrying):
        run.trace = run.trace.failed(event.error.kind)
        _log.info("another try", extra={**run.tags, "failure": str(event.error)})
    return isinstance(event, Retrying)
