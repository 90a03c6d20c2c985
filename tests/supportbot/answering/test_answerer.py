from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from knowledge.documents import Curated, Evidence, Scope
from knowledge.errors import ReleaseNotFound, StoreUnavailable
from supportbot.answering.answerer import Answerer, AnswererSettings
from supportbot.answering.model import Finished, Retrying
from supportbot.answering.reasoning import Delta, Discard
from supportbot.answering.texts import TEXTS
from supportbot.budgets import Caps
from supportbot.conversation import Answer, AnswerEvent, Outcome, Question, Status, Text, Usage
from supportbot.errors import FailureKind, ModelError, StateUnavailable
from tests.fakes import FakeModel, FakeRetriever, MemoryThreads, says
from tests.supportbot.answering.passages import CHUNKS

EN = TEXTS["en"]
FAILED = ModelError(FailureKind.OVERLOADED, "HTTP 500: SECRET-OF-A-PROVIDER")
GROUNDED = "Refunds take 14 days after we receive the parcel. [1]"


class BrokenThreads(MemoryThreads):
    """State that is down."""

    async def history(self, conversation_id: str, limit: int = 6):
        raise StateUnavailable("down")

    async def record(self, question: Question, answer: Answer) -> None:
        raise StateUnavailable("down")

    async def spent_today(self, workspace: str = "") -> float:
        raise StateUnavailable("down")


def answerer(
    model: FakeModel | None = None,
    retriever: FakeRetriever | None = None,
    threads: MemoryThreads | None = None,
    **settings: Any,
) -> Answerer:
    return Answerer(
        retriever=retriever or FakeRetriever(*CHUNKS),
        model=model,
        threads=threads or MemoryThreads(),
        settings=AnswererSettings(**settings),
    )


def question(text: str = "How long do refunds take?", **more: object) -> Question:
    return Question(text, **more)


async def events_of(bot: Answerer, asked: Question | None = None) -> Sequence[AnswerEvent]:
    async with aclosing(bot.stream(asked or question())) as stream:
        events = [event async for event in stream]
    final = events[-1]
    assert isinstance(final, Answer)
    assert sum(isinstance(event, Answer) for event in events) == 1
    assert final.text == "".join(event.delta for event in events if isinstance(event, Text))
    return events


async def final(bot: Answerer, asked: Question | None = None) -> Answer:
    answer = (await events_of(bot, asked))[-1]
    assert isinstance(answer, Answer)
    return answer


async def test_a_grounded_answer_is_streamed_checked_and_cited() -> None:
    model = FakeModel([*(Delta(letter) for letter in GROUNDED), Finished("m", Usage(9, 9))])
    threads = MemoryThreads()
    events = await events_of(answerer(model, threads=threads))
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert answer.outcome is Outcome.ANSWERED
    assert answer.text == GROUNDED
    assert answer.citations[0].quote == "Refunds take 14 days after we receive the parcel."
    assert ">[1]</a>" in answer.html
    assert (answer.model, answer.release, answer.usage) == ("m", "r1", Usage(9, 9))
    assert answer.timings.total_ms >= (answer.timings.first_text_ms or 0) >= 0
    stages = [event.stage for event in events if isinstance(event, Status)]
    assert stages == ["searching", "reading", "writing"]
    assert [kept.text for _, kept in threads.recorded] == [GROUNDED]


async def test_a_sentence_is_shown_before_the_model_goes_on() -> None:
    model = FakeModel([Delta(f"{GROUNDED} Ship"), 60.0])
    async with aclosing(answerer(model).stream(question())) as stream:
        async for event in stream:
            if isinstance(event, Text):
                assert event.delta == GROUNDED
                break
    assert model.closed == 1


async def test_what_no_passage_holds_is_not_found() -> None:
    answer = await final(answerer(FakeModel(says("Members get free pizza on Mondays. [1]"))))
    assert (answer.outcome, answer.cause) == (Outcome.NOT_FOUND, "ungrounded")
    assert answer.text == EN.not_found
    assert answer.citations == ()


WRONG = "Refunds take 99 days after we receive the parcel. [1]"


async def test_what_failed_is_mended_once_and_appended() -> None:
    first = [Delta(f"{WRONG} Shipping costs are not refunded. [1]"), Finished("m", Usage(9, 9))]
    model = FakeModel(first, [Delta(GROUNDED), Finished("m", Usage(5, 2))])
    answer = await final(answerer(model))
    assert answer.text == f"Shipping costs are not refunded. [1]\n\n{GROUNDED}"
    assert (answer.outcome, answer.cause, answer.usage) == (Outcome.ANSWERED, "", Usage(14, 11))
    assert len(answer.citations) == 1
    repair = model.requests[1][-1].content
    assert f"<deleted_sentences>\n- {WRONG}\n</deleted_sentences>" in repair
    assert "Shipping costs are not refunded. [1]" not in repair
    assert repair.startswith(model.requests[0][-1].content)


async def test_an_answer_with_nothing_left_is_mended() -> None:
    answer = await final(answerer(FakeModel(says(WRONG), says(GROUNDED))))
    assert (answer.outcome, answer.text) == (Outcome.ANSWERED, GROUNDED)


async def test_a_mended_answer_says_nothing_twice_and_only_what_holds() -> None:
    second = f"{GROUNDED} {WRONG} Shipping costs are not refunded. [1]"
    answer = await final(answerer(FakeModel(says(f"{GROUNDED} {WRONG}"), says(second))))
    assert answer.text == f"{GROUNDED}\n\nShipping costs are not refunded. [1]"


@pytest.mark.parametrize(
    "second",
    [
        [FAILED],
        [Delta("Shipping"), FAILED],
        [Retrying(FAILED), *says("Shipping costs are not refunded. [1]")],
        says("NO_ANSWER"),
        says(WRONG),
        [60.0],
    ],
    ids=["refused", "cut", "tried again", "declined", "wrong again", "hangs"],
)
async def test_a_repair_that_fails_changes_nothing(second: list) -> None:
    class Bounded(FakeModel):
        async def stream(self, messages, deadline, reference=""):
            try:
                async with (
                    asyncio.timeout_at(deadline),
                    aclosing(super().stream(messages, deadline)) as s,
                ):
                    async for event in s:
                        yield event
            except TimeoutError:
                raise FAILED from None

    first = [Delta(f"{GROUNDED} {WRONG}"), Finished("m", Usage(9, 9))]
    model = Bounded(first, second)
    answer = await final(answerer(model, deadline_seconds=2.0))
    assert (answer.outcome, answer.cause, answer.text) == (Outcome.ANSWERED, "", GROUNDED)
    assert answer.usage.input_tokens == 9
    assert len(model.requests) == 2
    assert answer.timings.total_ms < 2_500


@pytest.mark.parametrize(
    "first",
    [
        says(f"{GROUNDED} Members get free pizza on Mondays."),
        says("NO_ANSWER"),
        says(GROUNDED),
        [Retrying(FAILED), *says(f"{GROUNDED} {WRONG}")],
        [Delta(f"{GROUNDED} {WRONG}"), Finished("m", is_complete=False)],
        [1.2, *says(f"{GROUNDED} {WRONG}")],
    ],
    ids=["without a mark", "declined", "nothing failed", "tried twice", "cut", "late"],
)
async def test_no_second_reply_is_asked_for_without_need_or_room(first: list) -> None:
    model = FakeModel(first)
    await final(answerer(model, deadline_seconds=2.0))
    assert len(model.requests) == 1


async def test_a_model_that_goes_on_without_a_source_is_stopped() -> None:
    model = FakeModel([Delta("Members get free pizza on Mondays. [1] ")] * 100 + [60.0])
    assert (await final(answerer(model))).outcome is Outcome.QUOTED
    assert model.closed == 1


async def test_the_models_refusal_is_not_found() -> None:
    answer = await final(answerer(FakeModel(says("NO_", "ANSWER"))))
    assert (answer.outcome, answer.cause) == (Outcome.NOT_FOUND, "declined")


async def test_without_evidence_no_model_is_asked() -> None:
    model = FakeModel(says(GROUNDED))
    retriever = FakeRetriever(*CHUNKS, similarity=0.05)
    answer = await final(answerer(model, retriever), question("Wer wird Weltmeister im Fußball?"))
    assert (answer.outcome, answer.cause) == (Outcome.NOT_FOUND, "out_of_scope")
    assert answer.text == TEXTS["de"].not_found
    assert model.requests == []


async def test_without_a_model_the_best_passages_are_quoted_and_it_says_why() -> None:
    answer = await final(answerer())
    assert (answer.outcome, answer.cause, answer.model) == (Outcome.QUOTED, "no_key", None)
    assert EN.no_key in answer.text
    assert answer.citations[0].quote in CHUNKS[0].text
    assert answer.text.endswith("[1]")


async def test_a_spent_budget_ends_in_quotes() -> None:
    threads = MemoryThreads()
    threads.spent = 5.0
    model = FakeModel(says(GROUNDED))
    answer = await final(answerer(model, threads=threads, caps=Caps(5.0)))
    assert (answer.outcome, answer.cause) == (Outcome.QUOTED, "budget")
    assert EN.budget in answer.text
    assert model.requests == []


async def test_the_budget_holds_while_the_state_is_down() -> None:
    reply = [Delta(GROUNDED), Finished("m", Usage(cost_usd=0.6))]
    bot = answerer(FakeModel(reply), threads=BrokenThreads(), caps=Caps(1.0))
    outcomes = [(await final(bot)).outcome for _ in range(3)]
    assert outcomes == [Outcome.ANSWERED, Outcome.ANSWERED, Outcome.QUOTED]


async def test_a_failing_model_ends_in_quotes_that_hide_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = await final(answerer(FakeModel([FAILED])))
    assert (answer.outcome, answer.cause) == (Outcome.QUOTED, "overloaded")
    assert "SECRET-OF-A-PROVIDER" not in str(answer)
    assert EN.down in answer.text
    assert any("SECRET" in str(vars(record)) for record in caplog.records)


async def test_a_cut_answer_keeps_what_was_shown_and_says_so() -> None:
    answer = await final(answerer(FakeModel([Delta(f"{GROUNDED} But refunds"), FAILED])))
    assert (answer.outcome, answer.cause) == (Outcome.ANSWERED, "overloaded")
    assert answer.text == f"{GROUNDED}\n\n*{EN.cut}*"
    assert len(answer.citations) == 1


async def test_an_answer_at_the_output_limit_is_marked_cut() -> None:
    reply = [Delta(f"{GROUNDED} Refunds take 14 days"), Finished("m", is_complete=False)]
    assert (await final(answerer(FakeModel(reply)))).text == f"{GROUNDED}\n\n*{EN.cut}*"


async def test_a_second_try_replaces_what_was_not_shown() -> None:
    reply = [Delta("Shipping costs are not"), Retrying(FAILED), *says(GROUNDED)]
    assert (await final(answerer(FakeModel(reply)))).text == GROUNDED


async def test_nothing_is_tried_again_once_text_was_shown() -> None:
    reply = [
        Delta(f"{GROUNDED} But"),
        Retrying(FAILED),
        *says("Shipping costs are not refunded. [1]"),
    ]
    model = FakeModel(reply)
    assert (await final(answerer(model))).text == f"{GROUNDED}\n\n*{EN.cut}*"
    assert model.closed == 1


async def test_thinking_without_an_opening_tag_is_never_shown() -> None:
    thought = Delta("The user asks. Refunds take 14 days. [1] I answer.", is_settled=False)
    reply = [thought, Discard(), *says("Shipping costs are not refunded. [1]")]
    assert (await final(answerer(FakeModel(reply)))).text == "Shipping costs are not refunded. [1]"


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (StoreUnavailable("the store is down"), "retrieval"),
        (ReleaseNotFound("none"), "empty_knowledge_base"),
        (RuntimeError("a bug"), "internal"),
    ],
)
async def test_a_search_that_fails_ends_in_an_apology_with_a_reference(
    error: Exception, cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await final(answerer(retriever=FakeRetriever(error=error)))
    assert (answer.outcome, answer.cause) == (Outcome.UNAVAILABLE, cause)
    assert answer.id in answer.text
    assert str(error) not in answer.text
    assert any(vars(record).get("answer") == answer.id for record in caplog.records)


async def test_a_search_that_hangs_is_left_behind() -> None:
    retriever = FakeRetriever(*CHUNKS, seconds=1.5)
    answer = await final(answerer(retriever=retriever, deadline_seconds=1.0))
    assert (answer.outcome, answer.cause) == (Outcome.UNAVAILABLE, "retrieval")
    assert answer.timings.total_ms < 1_400


async def test_a_bug_after_shown_text_ends_in_a_note() -> None:
    class Buggy(FakeModel):
        async def stream(self, messages, deadline, reference=""):
            yield Delta(f"{GROUNDED} So")
            raise RuntimeError("a bug")

    answer = await final(answerer(Buggy()))
    assert (answer.outcome, answer.cause) == (Outcome.ANSWERED, "internal")
    assert answer.text == f"{GROUNDED}\n\n*{EN.cut}*"
    assert len(answer.citations) == 1


async def test_an_answer_is_not_lost_while_the_state_is_down(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = await final(answerer(FakeModel(says(GROUNDED)), threads=BrokenThreads()))
    assert answer.text == GROUNDED
    assert any(record.levelno == logging.ERROR for record in caplog.records)


async def test_a_follow_up_is_searched_with_the_question_before_it() -> None:
    retriever, threads = FakeRetriever(*CHUNKS), MemoryThreads()
    model = FakeModel(says(GROUNDED))
    bot = answerer(model, retriever, threads)
    await final(bot, question("What is your refund policy?", conversation_id="c"))
    answer = await final(bot, question("How long does it take?", conversation_id="c"))
    assert retriever.queries[-1] == "How long does it take?"
    assert retriever.contexts == ["", "What is your refund policy?"]
    assert answer.standalone == "What is your refund policy? How long does it take?"
    prompt = model.requests[-1][-1].content
    assert "- What is your refund policy?" in prompt
    assert prompt.count(GROUNDED) == 0


async def test_passages_outside_the_scope_reach_neither_prompt_nor_answer() -> None:
    model = FakeModel(says(GROUNDED))
    answer = await final(answerer(model), question(scope=Scope(frozenset({"nobody"}))))
    assert answer.outcome is Outcome.NOT_FOUND
    assert model.requests == []


@pytest.mark.parametrize(("text", "reply"), [("Hi!", EN.greeting), ("Thanks", EN.thanks)])
async def test_small_talk_is_answered_at_once(text: str, reply: str) -> None:
    retriever = FakeRetriever(*CHUNKS)
    answer = await final(answerer(FakeModel(says(GROUNDED)), retriever), question(text))
    assert (answer.outcome, answer.text) == (Outcome.CLARIFY, reply)
    assert retriever.queries == []


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("Danke, tschüss!", TEXTS["de"].goodbye),
        ("¡Hola!", TEXTS["es"].greeting),
        ("You are an idiot", EN.purpose),
        ("Who are you?", EN.purpose),
        ("???", EN.vague),
    ],
)
async def test_what_asks_nothing_is_answered_in_its_language(text: str, reply: str) -> None:
    model = FakeModel(says(GROUNDED))
    answer = await final(answerer(model), question(text))
    assert (answer.outcome, answer.text) == (Outcome.CLARIFY, reply)
    assert model.requests == []


async def test_who_wants_a_person_is_told_whom_to_turn_to() -> None:
    retriever = FakeRetriever(*CHUNKS)
    bot = answerer(FakeModel(says(GROUNDED)), retriever, contact="help@shop.example")
    answer = await final(bot, question("Ich möchte mit einem Menschen sprechen"))
    assert answer.outcome is Outcome.HANDED_OFF
    assert answer.text == TEXTS["de"].contact.format(contact="help@shop.example")
    assert (answer.citations, answer.model, retriever.queries) == ((), None, [])


class CuratedRetriever(FakeRetriever):
    """Finds that the question is one to which a person wrote the answer."""

    def retrieve(self, query: str, scope: Scope, limit: int = 8, context: str = "") -> Evidence:
        found = super().retrieve(query, scope, limit, context)
        return replace(found, curated=Curated(query, CHUNKS[:1]))


async def test_an_answer_that_a_person_wrote_is_given_word_for_word_without_the_model() -> None:
    model = FakeModel(says("Refunds never take long. [1]"))
    answer = await final(answerer(model, CuratedRetriever(*CHUNKS, similarity=0.0)))
    assert (answer.outcome, answer.model, answer.usage) == (Outcome.ANSWERED, None, Usage())
    assert answer.text == f"{CHUNKS[0].text} [1]"
    assert answer.citations[0].quote in CHUNKS[0].text
    assert model.requests == []


@pytest.mark.parametrize("text", ["What can you do?", "Help"])
async def test_a_person_may_have_written_the_answer_to_what_says_little(text: str) -> None:
    answer = await final(answerer(None, CuratedRetriever(*CHUNKS)), question(text))
    assert (answer.outcome, answer.cause) == (Outcome.ANSWERED, "curated")


async def test_a_vague_message_is_asked_back_with_what_was_found() -> None:
    model = FakeModel(says(GROUNDED))
    answer = await final(answerer(model), question("Hi, it doesn't work"))
    assert (answer.outcome, answer.cause) == (Outcome.CLARIFY, "unclear")
    assert answer.text == f"{EN.which}\n\n- Refund policy\n- Orders"
    assert model.requests == []


async def test_what_is_vague_alone_is_a_follow_up_after_an_answer() -> None:
    model = FakeModel(says(GROUNDED))
    bot = answerer(model)
    for text in ("How long do refunds take?", "Why?"):
        answer = await final(bot, question(text, conversation_id="c1"))
        assert answer.outcome is Outcome.ANSWERED
    assert len(model.requests) == 2


async def test_a_pasted_log_is_answered_and_its_asker_told_what_was_read() -> None:
    model = FakeModel(says(GROUNDED))
    text = "How long do refunds take?\n" + "log line\n" * 2_000 + "Please answer."
    answer = await final(answerer(model), question(text))
    assert answer.outcome is Outcome.ANSWERED
    assert answer.text == f"{GROUNDED}\n\n*{EN.long}*"
    assert answer.question.endswith("Please answer.")


async def test_a_caller_who_leaves_ends_the_models_call() -> None:
    model = FakeModel([Delta(GROUNDED), 60.0])
    task = asyncio.create_task(answerer(model).answer(question()))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert model.closed == 1


async def test_many_questions_at_once_do_not_mix() -> None:
    bot = answerer(FakeModel(says(GROUNDED)))
    asked = [question(f"How long do refunds number {n} take?") for n in range(20)]
    answers = await asyncio.gather(*(bot.answer(one) for one in asked))
    assert [answer.question for answer in answers] == [one.text for one in asked]
    assert len({answer.id for answer in answers}) == 20


async def asked_back(message: str, *before: str) -> tuple[Answer, FakeRetriever]:
    """Return the answer to a message of a conversation, and what was searched."""
    threads, retriever = MemoryThreads(), FakeRetriever(*CHUNKS)
    bot = answerer(retriever=retriever, threads=threads)
    for text in (*before, message):
        answer = await final(bot, question(text, conversation_id="c"))
    return answer, retriever


@pytest.mark.parametrize("reply", ["2", "The second one!", "#2", "option 2", "das zweite"])
async def test_a_topic_that_was_asked_back_can_be_picked_by_its_place(reply: str) -> None:
    listed, _ = await asked_back("help")
    topic = listed.text.split("\n- ")[2]
    answer, retriever = await asked_back(reply, "help")
    assert (answer.question, retriever.queries[-1]) == (topic, topic)
    assert answer.outcome is Outcome.QUOTED


async def test_a_place_in_no_list_is_searched_as_it_stands() -> None:
    for before in (("help", "How long do refunds take?"), ()):
        _, retriever = await asked_back("2", *before)
        assert retriever.queries[-1] == "2"
    _, retriever = await asked_back("the third one", "help", "the first one")
    assert retriever.queries[-1] == "the third one"


async def test_more_is_told_of_what_was_asked_before() -> None:
    answer, retriever = await asked_back("Tell me more", "How long do refunds take?")
    assert answer.outcome is Outcome.QUOTED
    assert retriever.contexts[-1] == "How long do refunds take?"


@pytest.mark.parametrize("reply", ["Yes", "Why?", "It does not work"])
async def test_a_reply_to_nothing_that_was_asked_is_asked_back(reply: str) -> None:
    answer, _ = await asked_back(reply, "Hello!")
    assert answer.outcome is Outcome.CLARIFY
