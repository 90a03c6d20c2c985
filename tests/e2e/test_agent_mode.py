"""The agent mode through the real commands, on a knowledge base with more than fits a prompt."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.servers.bot import environment, ingest
from tests.servers.model import Exchange, ScriptedModel, calls, says

QUESTION = "Within how many days can I return a product?"
RETURNED = "You can return chairs of series 3 within 33 days of delivery."
EXPIRES = "A gift card expires 5 years after its purchase."
CANARY = "CANARY-OF-THE-STAFF"
COLOURS = ("red", "blue", "green", "white", "black", "brown", "grey", "pink", "gold", "silver")


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory, shop_settings: dict[str, str]) -> dict[str, str]:
    docs = tmp_path_factory.mktemp("docs")
    for number, colour in enumerate(COLOURS):
        text = f"# Return {colour} chairs\n\n{RETURNED.replace('chairs', f'{colour} chairs')}\n"
        (docs / f"return-{number}.md").write_text(text.replace("3", str(number)))
    (docs / "gift-cards.md").write_text(f"# Gift cards\n\n{EXPIRES}\n")
    staff = (
        f"---\naudience: staff\n---\n\n# Gift card codes\n\nGift cards are made with {CANARY}.\n"
    )
    (docs / "codes.md").write_text(staff)
    env = environment(tmp_path_factory.mktemp("agent"), SUPPORTBOT_AGENT="true", **shop_settings)
    ingest("sync", str(docs), env=env)
    return env


def run(env: dict[str, str], *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "supportbot.cli", *arguments, "--json"]
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_the_model_finds_what_the_first_search_left_out(
    env: dict[str, str], model: ScriptedModel
) -> None:
    before = len(model.requests)
    search = json.dumps({"query": f"when do gift cards expire, and {CANARY[:6].lower()} codes"})

    async def cites_it(exchange: Exchange) -> None:
        result = exchange.request.body["messages"][-1]["content"]
        number = result.split("Gift cards")[0].rsplit('id="', 1)[1].split('"')[0]
        await says(f"{EXPIRES} {number}")(exchange)

    model.script(calls(("search_knowledge", search)), cites_it)
    answer = run(env, "ask", QUESTION)
    assert answer["text"] == f"{EXPIRES} [1]"
    assert [one["document_id"] for one in answer["citations"]] == ["gift-cards.md"]
    first, second = model.requests[before:]
    assert EXPIRES not in first.prompt
    assert EXPIRES in second.prompt
    assert CANARY not in first.prompt + second.prompt
    explained = run(env, "explain", answer["id"])
    cited = [one for one in explained["passages"] if one["is_cited"]]
    assert [(one["document_id"], one["rank"] > 8) for one in cited] == [("gift-cards.md", True)]
    assert explained["replay"]["is_same"]


def test_the_model_hands_over_to_the_contact(
    env: dict[str, str], model: ScriptedModel, tmp_path: Path
) -> None:
    file = tmp_path / "supportbot.toml"
    file.write_text('[handoff]\ncontact = "help@shop.example"\n')
    model.script(calls(("hand_off", '{"reason": "REASON-OF-THE-MODEL"}')))
    answer = run({**env, "SUPPORTBOT_CONFIG": str(file)}, "ask", QUESTION)
    assert answer["outcome"] == "handed_off"
    assert "help@shop.example" in answer["text"]
    assert "REASON" not in json.dumps(answer)
