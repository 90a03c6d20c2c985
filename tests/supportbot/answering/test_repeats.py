"""An answer is said again to the same question, and to no other.

Run `pytest -s -k near_duplicates` to see the hit rate by kind.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.documents import Chunk, Scope
from supportbot.answering.answerer import Answerer, AnswererSettings
from supportbot.answering.repeats import normalised
from supportbot.conversation import Answer, Outcome, Question, Text, Usage
from supportbot.database import Database
from supportbot.errors import FailureKind, ModelError, StateUnavailable
from supportbot.threads import SqlThreads
from tests.fakes import FakeModel, FakeRetriever, says
from tests.supportbot.answering.passages import CHUNKS, ORDERS, REFUNDS

GROUNDED = "Refunds take 14 days after we receive the parcel. [1]"
ASKED = "How long do refunds take?"
PAIRS = Path(__file__).parents[2] / "data" / "near-duplicates"


def pairs(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (PAIRS / name).read_text().splitlines()]


def test_near_duplicates_are_recognised_as_often_as_the_readme_says() -> None:
    hits, all_of = Counter[str](), Counter[str]()
    for pair in pairs("pairs.jsonl"):
        all_of[pair["kind"]] += 1
        hits[pair["kind"]] += normalised(pair["first"]) == normalised(pair["second"])
    for kind, count in all_of.items():
        print(f"{kind}: {hits[kind]} of {count}")
    assert hits == {
        "case and punctuation": 19,
        "greeting and thanks": 20,
        "courtesy": 15,
        "spelling and space": 13,
        "reworded": 0,
    }


def test_no_two_questions_that_only_look_alike_share_an_answer() -> None:
    alike = [
        pair
        for pair in pairs("look-alikes.jsonl")
        if normalised(pair["first"]) == normalised(pair["second"])
    ]
    assert alike == []


@given(st.text(max_size=200))
def test_a_normalised_question_stays_as_it_is_and_keeps_its_words(text: str) -> None:
    once = normalised(text)
    assert normalised(once) == once
    assert bool(once) == bool(text.split())


@pytest.mark.parametrize("text", ["please", "thanks", "?", "hi", "Hello, thanks!", "please?!"])
def test_a_courtesy_alone_is_not_cut_to_nothing(text: str) -> None:
    assert normalised(text)


class Bot:
    """An answerer with a cache, a scripted model and a real database."""

    def __init__(self, database: Database, *chunks: Chunk, hours: float = 24) -> None:
        self.threads = SqlThreads(database)
        self.model = FakeModel(says(GROUNDED))
        self.retriever = FakeRetriever(*(chunks or CHUNKS))
        self.hours = hours

    async def ask(self, text: str = ASKED, **more: object) -> Answer:
        bot = Answerer(
            retriever=self.retriever,
            model=self.model,
            threads=self.threads,
            settings=AnswererSettings(repeat_hours=self.hours),
        )
        events = [event async for event in bot.stream(Question(text, **more))]
        answer = events[-1]
        assert isinstance(answer, Answer)
        assert answer.text == "".join(one.delta for one in events if isinstance(one, Text))
        return answer

    @property
    def asked(self) -> int:
        return len(self.model.requests)


async def test_the_same_question_is_answered_again_without_the_model(database: Database) -> None:
    bot = Bot(database)
    bot.model.calls = [[*says(GROUNDED)[:-1], replace(says(GROUNDED)[-1], usage=Usage(9, 9))]]
    first = await bot.ask()
    again = await bot.ask("hi, how long do refunds take?? Thanks!")
    assert bot.asked == 1
    assert (again.text, again.html, again.citations) == (first.text, first.html, first.citations)
    assert (again.model, again.request_id) == (first.model, first.request_id)
    assert (first.usage, again.usage) == (Usage(9, 9), Usage())
    assert again.id != first.id
    kept = await bot.threads.kept(again.id)
    assert kept is not None
    assert kept.answer.citations == first.citations
    assert kept.trace.copy_of == first.id


async def test_another_replica_and_a_restart_know_the_answer(database: Database) -> None:
    await Bot(database).ask()
    replica = Bot(database)
    await replica.ask()
    assert replica.asked == 0


async def test_a_courtesy_that_makes_the_search_unsure_does_no_harm(database: Database) -> None:
    bot = Bot(database)
    await bot.ask()
    bot.retriever.similarity = 0.05
    again = await bot.ask(f"Good morning all, could you please tell me {ASKED.lower()} Thank you")
    assert again.outcome is Outcome.ANSWERED


async def test_without_the_setting_the_model_is_asked_each_time(database: Database) -> None:
    bot = Bot(database, hours=0)
    await bot.ask()
    await bot.ask()
    assert bot.asked == 2


async def test_an_answer_is_never_said_to_another_audience(database: Database) -> None:
    bot = Bot(database)
    await bot.ask(scope=Scope.of("staff"))
    await bot.ask()
    await bot.ask(scope=Scope.of("partners"))
    assert bot.asked == 3


async def test_a_follow_up_shares_no_answer_with_the_bare_question(database: Database) -> None:
    bot = Bot(database)
    await bot.ask()
    await bot.ask("Can I cancel an order?", conversation_id="c")
    await bot.ask(conversation_id="c")
    assert bot.asked == 3


async def test_the_same_follow_up_after_the_same_questions_is_the_same(database: Database) -> None:
    bot = Bot(database)
    for conversation in ("c", "d"):
        await bot.ask("Can I cancel an order?", conversation_id=conversation)
        await bot.ask("And how long do refunds take?", conversation_id=conversation)
    assert bot.asked == 2


async def test_what_is_no_longer_found_is_not_said_again(database: Database) -> None:
    bot = Bot(database)
    await bot.ask()
    bot.retriever.chunks = (replace(REFUNDS, text=f"{REFUNDS.text} New."), ORDERS)
    await bot.ask()
    bot.retriever.chunks = (replace(REFUNDS, id="c9"), ORDERS)
    await bot.ask()
    assert bot.asked == 3


@pytest.mark.parametrize(
    "ending",
    [
        says("NO_ANSWER"),
        [*says(GROUNDED)[:-1], ModelError(FailureKind.CUT)],
        [ModelError(FailureKind.UNAUTHORISED)],
    ],
    ids=["not found", "cut", "quoted"],
)
async def test_only_whole_answers_are_said_again(database: Database, ending: Sequence) -> None:
    bot = Bot(database)
    bot.model.calls = [ending, says(GROUNDED)]
    first = await bot.ask()
    assert first.outcome is not Outcome.ANSWERED or first.cause
    assert (await bot.ask()).outcome is Outcome.ANSWERED
    assert bot.asked == 2


async def test_an_answer_of_a_fallback_is_not_said_again(database: Database) -> None:
    bot = Bot(database)
    bot.model.calls = [[*says(GROUNDED)[:-1], replace(says(GROUNDED)[-1], model="a-fallback")]]
    await bot.ask()
    await bot.ask()
    assert bot.asked == 2


async def test_an_answer_that_anybody_reported_is_not_said_again(database: Database) -> None:
    bot = Bot(database)
    await bot.ask()
    copy = await bot.ask()
    assert bot.asked == 1
    await bot.threads.rate(copy.id, "down", "reported")
    await bot.ask()
    assert bot.asked == 2


async def test_an_erased_conversation_is_erased_from_the_cache(database: Database) -> None:
    bot = Bot(database)
    await bot.ask(conversation_id="c")
    copy = await bot.ask()
    assert copy.trace is not None
    await bot.threads.forget("c")
    await bot.ask()
    assert bot.asked == 2


async def test_no_answer_is_said_again_after_its_time(database: Database) -> None:
    bot = Bot(database)
    answer = await bot.ask()
    assert answer.trace is not None
    assert await bot.threads.known(answer.trace.cache_key, since=0) is not None
    assert await bot.threads.known(answer.trace.cache_key, since=4_000_000_000) is None


async def test_a_cache_that_cannot_be_read_only_costs_a_call(database: Database) -> None:
    class Broken(SqlThreads):
        async def known(self, cache_key: str, since: float) -> Answer | None:
            raise StateUnavailable("down")

    bot = Bot(database)
    bot.threads = Broken(database)
    assert (await bot.ask()).outcome is Outcome.ANSWERED
    assert (await bot.ask()).outcome is Outcome.ANSWERED
    assert bot.asked == 2


async def test_a_long_question_is_said_to_be_long_once(database: Database) -> None:
    bot = Bot(database)
    first, again = [await bot.ask(f"{ASKED} {'log line ' * 2_000}") for _ in range(2)]
    assert bot.asked == 1
    assert again.text == first.text
