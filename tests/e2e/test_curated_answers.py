"""What a person wrote is given word for word, with a key and without, until it is removed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx2
import pytest

from tests.e2e.test_articles import run
from tests.e2e.test_three_doors import final_message, fresh_ts
from tests.servers.bot import RunningBot, environment, ingest
from tests.servers.model import ScriptedModel
from tests.servers.slack import LoopbackSlack, deliver, direct_message

QUESTION = "How do I cancel my subscription?"
ANSWER = """Open **Billing** and choose *Cancel*. It ends with the month.

1. Sign in.
2. Open **Billing**."""
PAGE = f"""---
questions:
- {QUESTION}
- Can I leave at any time?
---
{ANSWER}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "docs"
    made.mkdir()
    (made / "cancel.md").write_text(PAGE)
    (made / "refunds.md").write_text("# Refunds\n\nA subscription is paid back within 14 days.\n")
    return made


def test_a_curated_answer_is_given_over_http_with_a_key_and_no_call_until_it_is_removed(
    tmp_path: Path, folder: Path, shop_settings: dict[str, str], model: ScriptedModel
) -> None:
    config = tmp_path / "supportbot.toml"
    config.write_text('[handoff]\ncontact = "help@shop.example"\n')
    env = environment(tmp_path / "home", SUPPORTBOT_CONFIG=str(config), **shop_settings)
    ingest("sync", str(folder), "--base-url", "https://shop.example", env=env)
    before = len(model.requests)
    with RunningBot(env) as bot:

        def ask(question: str) -> dict[str, object]:
            body = {"question": question}
            return dict(httpx2.post(f"{bot.url}/v1/answers", json=body, timeout=60).json())

        answer = ask("Can I leave at any time?")
        assert (answer["outcome"], answer["model"]) == ("answered", None)
        assert answer["text"] == f"{ANSWER} [1]"
        [citation] = answer["citations"]
        assert citation["document_id"] == "cancel.md"
        assert citation["quote"] in PAGE
        assert answer["usage"]["cost_usd"] == answer["usage"]["input_tokens"] == 0
        wish = ask("Can I talk to a human?")
        assert wish["outcome"] == "handed_off"
        assert "help@shop.example" in str(wish["text"])
        assert len(model.requests) == before
        (folder / "cancel.md").unlink()
        ingest("sync", str(folder), "--base-url", "https://shop.example", env=env)
        assert ANSWER not in str(ask("Can I leave at any time?")["text"])


def test_a_curated_answer_is_given_in_the_terminal_without_a_key(
    tmp_path: Path, folder: Path
) -> None:
    run(["ingest.cli", "sync", str(folder), "--json"], tmp_path)
    answer = json.loads(
        run(["supportbot.cli", "ask", "How can I cancel my subscription?", "--json"], tmp_path)
    )
    assert (answer["outcome"], answer["text"]) == ("answered", f"{ANSWER} [1]")
    other = json.loads(run(["supportbot.cli", "ask", "How do I pause it?", "--json"], tmp_path))
    assert other["outcome"] in ("quoted", "not_found")


def test_who_wants_a_person_is_told_in_slack_that_a_bot_cannot_bring_one(
    bot: RunningBot, model: ScriptedModel, slack: LoopbackSlack
) -> None:
    before, ts = len(model.requests), fresh_ts()
    message = direct_message("Connect me with support", ts, "D9")
    assert asyncio.run(deliver(f"{bot.url}/slack/events", message)) == 200
    assert "I am a bot" in final_message(slack, "D9", ts).shown
    assert len(model.requests) == before
