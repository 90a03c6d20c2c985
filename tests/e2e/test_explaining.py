"""`supportbot explain` and `supportbot bundle`, for answers that people got over HTTP."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.e2e.conftest import REFUNDS, SHIPPING
from tests.servers.bot import RunningBot, environment, ingest
from tests.servers.model import ScriptedModel, says

QUESTION = "Within how many days can I return a product?"
GROUNDED = "You can return a product within 30 days of delivery. [1]"
STAFF_ONLY = """---
audience: staff
---

# Warehouse

The warehouse alarm code is written on the green card beside the loading ramp door.
"""
HIDDEN_QUESTION = "Where is the warehouse alarm code written?"
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def docs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    (folder / "refunds.md").write_text(REFUNDS)
    (folder / "shipping.md").write_text(SHIPPING)
    (folder / "warehouse.md").write_text(STAFF_ONLY)
    return folder


@pytest.fixture(scope="module")
def env(
    tmp_path_factory: pytest.TempPathFactory, docs: Path, shop_settings: dict[str, str]
) -> dict[str, str]:
    home = tmp_path_factory.mktemp("explained")
    env = environment(home, SUPPORTBOT_ANSWER_CACHE="24", **shop_settings)
    ingest("sync", str(docs), env=env)
    return env


@pytest.fixture(scope="module")
def service(env: dict[str, str]) -> Iterator[RunningBot]:
    with RunningBot(env) as running:
        yield running


@pytest.fixture
def supportbot(env: dict[str, str]) -> Command:
    """Run `supportbot …` as a program."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "supportbot.cli", *arguments]
        return subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=120, check=False
        )

    return run


def ask(bot: RunningBot, question: str, conversation: str | None = None) -> dict[str, Any]:
    body = {"question": question, "conversation_id": conversation}
    reply = httpx2.post(f"{bot.url}/v1/answers", json=body, timeout=30)
    assert reply.status_code == 200
    return dict(reply.json())


def explained(supportbot: Command, answer_id: str) -> dict[str, Any]:
    done = supportbot("explain", answer_id, "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_an_answer_is_explained_and_its_search_repeated(
    service: RunningBot, supportbot: Command, model: ScriptedModel
) -> None:
    model.script(says(f"{GROUNDED} It costs 99 euros. [1]"))
    answer = ask(service, QUESTION)
    found = explained(supportbot, answer["id"])
    assert (found["question"], found["release"]) == (QUESTION, answer["release"])
    assert found["replay"]["is_same"]
    cited = [one["document_id"] for one in found["passages"] if one["is_cited"]]
    assert cited == ["refunds.md"]
    assert found["dropped"] == {"not in the passage": 2}  # in the reply and in its repair
    assert len(found["prompt_hash"]) == 64
    done = supportbot("explain", answer["id"])
    assert done.returncode == 0
    for words in (QUESTION, "the same passages in the same order", "refunds.md", "2 × ", "[1]"):
        assert words in done.stdout
    assert all(len(line) < 200 for line in done.stdout.splitlines())


def test_a_follow_up_is_repeated_with_the_question_before_it(
    service: RunningBot, supportbot: Command, model: ScriptedModel
) -> None:
    model.script(says(GROUNDED))
    first = ask(service, "How do I return a product in 30 days?")
    follow_up = ask(service, "And within how many days?", first["conversation_id"])
    found = explained(supportbot, follow_up["id"])
    assert found["context"] == "How do I return a product in 30 days?"
    assert found["replay"]["is_same"]


def test_a_cached_answer_costs_nothing_and_names_where_it_was_said(
    service: RunningBot, supportbot: Command, model: ScriptedModel
) -> None:
    model.script(says(GROUNDED))
    first = ask(service, "How many days do I have to return a product?")
    calls = len(model.requests)
    again = ask(service, "Hi, how many days do I have to return a product?! Thanks")
    assert len(model.requests) == calls
    assert (again["text"], again["citations"]) == (first["text"], first["citations"])
    assert again["usage"]["cost_usd"] == 0
    assert again["conversation_id"] != first["conversation_id"]
    assert explained(supportbot, again["id"])["copy_of"] == first["id"]


def test_the_operator_learns_what_the_asker_may_not_see(
    service: RunningBot, supportbot: Command
) -> None:
    answer = ask(service, HIDDEN_QUESTION)
    assert answer["outcome"] == "not_found"
    assert "warehouse.md" not in json.dumps(answer)
    found = explained(supportbot, answer["id"])
    assert found["cause"] == "not_permitted"
    assert found["replay"]["not_permitted"] == ["warehouse.md (for staff)"]
    assert "warehouse.md (for staff)" in supportbot("explain", answer["id"]).stdout


def test_a_reported_answer_is_listed_without_a_word_of_anybody(
    service: RunningBot, supportbot: Command, model: ScriptedModel
) -> None:
    model.script(says(GROUNDED))
    answer = ask(service, "Within how many days can Ann return a product?")
    report = {"answer_id": answer["id"], "rating": "down", "reason": "reported"}
    report["comment"] = "Call me: +49 170 1234567"
    reply = httpx2.post(f"{service.url}/v1/feedback", json=report, timeout=30)
    assert reply.status_code == 204
    [line] = supportbot("bundle").stdout.splitlines()
    assert line == supportbot("bundle", answer["id"]).stdout.strip()
    bundle = json.loads(line)
    assert bundle["answer_id"] == answer["id"]
    assert bundle["model"] == "MiniMax-M2"
    assert bundle["reported_at"]
    assert bundle["request_id"]
    assert bundle["passages"][0]["text_hash"]
    assert bundle["timings"]["retrieval_ms"] == answer["timings"]["retrieval_ms"]
    for words in ("Ann", "lee.example", "170", answer["conversation_id"], "return", "delivery"):
        assert words not in line


def test_a_strangers_question_does_not_steer_the_operators_terminal(
    service: RunningBot, supportbot: Command
) -> None:
    answer = ask(service, "Zorgblatt \x1b]0;owned\x07\x1b[2J fnord?")
    assert answer["outcome"] == "not_found"
    for command in (("explain", answer["id"]), ("report",)):
        done = supportbot(*command)
        assert "Zorgblatt" in done.stdout
        assert "\x1b" not in done.stdout
        assert "\x07" not in done.stdout


def test_an_unknown_answer_is_said_to_be_unknown(supportbot: Command) -> None:
    for command in ("explain", "bundle"):
        done = supportbot(command, "ans_unknown")
        assert done.returncode == 1
        assert "no answer of this id" in done.stderr
        assert done.stdout == ""


def test_a_release_that_is_gone_cannot_be_searched_again(
    service: RunningBot,
    supportbot: Command,
    model: ScriptedModel,
    env: dict[str, str],
    docs: Path,
) -> None:
    model.script(says(GROUNDED))
    answer = ask(service, QUESTION)
    (docs / "shipping.md").write_text(f"{SHIPPING}\nParcels to Peru take 9 working days.\n")
    ingest("sync", str(docs), env=env)
    assert explained(supportbot, answer["id"])["replay"]["is_same"]
    [folder] = Path(env["SUPPORTBOT_HOME"]).glob(f"**/{answer['release']}")
    shutil.rmtree(folder)
    assert "is gone" in explained(supportbot, answer["id"])["replay"]["problem"]
