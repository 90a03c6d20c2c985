from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import SecretStr

from supportbot.answering.answerer import Answerer, AnswererSettings
from supportbot.answering.model import Finished
from supportbot.answering.reasoning import Delta
from supportbot.budgets import Budget, Caps
from supportbot.config import BotSettings, SlackSettings, WidgetSettings
from supportbot.conversation import Answer, Outcome, Question, Usage
from supportbot.database import Database
from supportbot.errors import StateUnavailable
from supportbot.threads import SqlThreads
from tests.fakes import FakeModel, FakeRetriever, MemoryThreads
from tests.supportbot.answering.passages import CHUNKS

SECONDS = 5.0
COST = 0.01
REPLY = [
    Delta("Refunds take 14 days after we receive the parcel. [1]"),
    0.01,  # so that many are in flight at once
    Finished("m", Usage(cost_usd=COST)),
]


class RestlessThreads(MemoryThreads):
    """State that can be taken down."""

    is_down = False

    async def spent_today(self, workspace: str = "") -> float:
        if self.is_down:
            raise StateUnavailable("down")
        return await super().spent_today(workspace)


async def keep(threads: MemoryThreads | SqlThreads, workspace: str, cost: float) -> None:
    question = Question("q", workspace=workspace)
    usage = Usage(cost_usd=cost)
    answer = Answer("q", question.conversation_id, Outcome.ANSWERED, "a", usage=usage)
    await threads.record(question, answer)


def test_a_cap_is_that_of_the_workspace_itself_or_of_its_kind_beside_the_whole() -> None:
    caps = Caps(9.0, {"slack": 2.0, "slack:T1": 1.0, "widget:a": 0.0})
    assert caps.of("slack:T1") == {"slack:T1": 1.0, "": 9.0}
    assert caps.of("slack:T2") == {"slack:T2": 2.0, "": 9.0}
    assert caps.of("widget:a") == {"widget:a": 0.0, "": 9.0}
    assert caps.of("widget:b") == {"": 9.0}
    assert caps.of("") == {"": 9.0}
    assert Caps().of("slack:T1") == {}


async def test_one_workspace_that_spends_leaves_the_others_theirs(database: Database) -> None:
    threads = SqlThreads(database)
    budget = Budget(Caps(10.0, {"slack": 1.0}), threads)
    await keep(threads, "slack:T1", 1.0)
    assert await budget.is_spent("slack:T1", SECONDS)
    assert not await budget.is_spent("slack:T2", SECONDS)
    assert not await budget.is_spent("", SECONDS)


async def test_the_whole_installation_has_a_cap_whoever_spends(database: Database) -> None:
    threads = SqlThreads(database)
    budget = Budget(Caps(1.0, {"slack": 5.0}), threads)
    await keep(threads, "widget:a", 1.0)
    assert await budget.is_spent("slack:T1", SECONDS)


async def test_what_was_known_counts_while_the_state_is_down() -> None:
    threads = RestlessThreads()
    budget = Budget(Caps(None, {"slack": 1.0}), threads)
    await keep(threads, "slack:T1", 0.75)
    assert not await budget.is_spent("slack:T1", SECONDS)
    threads.is_down = True
    budget.add("slack:T1", 0.25, is_kept=False)
    assert await budget.is_spent("slack:T1", SECONDS)
    assert not await budget.is_spent("slack:T2", SECONDS)


async def test_what_the_database_never_kept_still_counts_when_it_is_back() -> None:
    threads = RestlessThreads()
    budget = Budget(Caps(1.0), threads)
    budget.add("", 1.0, is_kept=False)
    assert await budget.is_spent("", SECONDS)


def test_the_settings_give_each_widget_and_slack_workspace_its_cap() -> None:
    widget = WidgetSettings(
        key=SecretStr("w" * 16), origins=("https://a.example",), daily_budget_usd=2.0
    )
    free = WidgetSettings(key=SecretStr("f" * 16), origins=("https://a.example",))
    settings = BotSettings(
        widgets=(widget, free), slack=SlackSettings(daily_budget_usd=3.0), daily_budget_usd=9.0
    )
    assert settings.caps == Caps(9.0, {widget.workspace: 2.0, "slack": 3.0})
    assert widget.workspace != free.workspace
    assert "w" * 16 not in widget.workspace


@asynccontextmanager
async def bots(path: Path, count: int) -> AsyncIterator[tuple[Sequence[Answerer], FakeModel]]:
    """Bots with connections of their own to one database, as processes have them."""
    databases = [await Database.open(f"sqlite:///{path}") for _ in range(count)]
    model = FakeModel(REPLY)
    settings = AnswererSettings(60.0, Caps(None, {"slack": 20 * COST}))
    yield (
        [
            Answerer(
                retriever=FakeRetriever(*CHUNKS),
                model=model,
                threads=SqlThreads(database),
                settings=settings,
            )
            for database in databases
        ],
        model,
    )
    for database in databases:
        await database.close()


async def test_a_flood_at_two_bots_spends_the_cap_and_what_was_in_flight_at_most(
    tmp_path: Path,
) -> None:
    at_once, calls_of_the_cap = 50, 20
    room = asyncio.Semaphore(at_once)

    async def ask(bot: Answerer) -> Answer:
        async with room:
            return await bot.answer(Question("How long do refunds take?", workspace="slack:T1"))

    async with bots(tmp_path / "state.db", 2) as (answerers, model):
        answers = await asyncio.gather(*(ask(answerers[n % 2]) for n in range(200)))
        assert calls_of_the_cap <= len(model.requests) <= calls_of_the_cap + at_once
        assert {answer.outcome for answer in answers} == {Outcome.ANSWERED, Outcome.QUOTED}
        quoted = [answer for answer in answers if answer.outcome is Outcome.QUOTED]
        assert all(answer.cause == "budget" and answer.citations for answer in quoted)
    async with bots(tmp_path / "state.db", 1) as ((restarted,), model):
        assert (await ask(restarted)).cause == "budget"
        assert model.requests == []
