"""`supportbot serve` as its operator sees it: starts, new releases, stops, and wrong starts."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.servers.bot import RunningBot, environment, ingest
from tests.servers.model import Exchange, ScriptedModel, says

QUESTION = "Within how many days can I return a product?"
FOLLOWS_WITHIN = 5.0  # seconds, promised for a new release


def ask(url: str, question: str = QUESTION) -> dict[str, Any]:
    reply = httpx2.post(f"{url}/v1/answers", json={"question": question}, timeout=60)
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


@pytest.fixture(autouse=True)
def _healthy_model(model: ScriptedModel) -> None:
    model.reset()


def test_sigterm_finishes_the_http_answers_under_way(
    shop_home: Path, shop_settings: dict[str, str], model: ScriptedModel
) -> None:
    under_way = threading.Semaphore(0)

    async def slow(exchange: Exchange) -> None:
        under_way.release()
        await says("You can return a product within 30 days of delivery. [1]", pieces=4, pause=0.1)(
            exchange
        )

    model.script(slow)
    answers: list[dict[str, Any]] = []
    env = environment(shop_home, **{**shop_settings, "SUPPORTBOT_DEADLINE_SECONDS": "20"})
    with RunningBot(env) as bot:
        askers = [threading.Thread(target=lambda: answers.append(ask(bot.url))) for _ in range(5)]
        for asker in askers:
            asker.start()
        for _ in askers:
            assert under_way.acquire(timeout=30)
        code = bot.stop()
        for asker in askers:
            asker.join()
    assert code == 0
    assert [answer["outcome"] for answer in answers] == ["answered"] * 5


def test_a_running_bot_follows_a_new_release_and_never_says_again_what_left(
    tmp_path: Path, shop_settings: dict[str, str], model: ScriptedModel
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "returns.md").write_text("# Returns\n\nYou can return a product within 45 days.\n")
    (docs / "canary.md").write_text("# Canary\n\nReturning a product needs code CANARY-7781.\n")
    env = environment(tmp_path / "home", **shop_settings)
    ingest("sync", str(docs), env=env)
    with RunningBot(env) as bot:
        assert "45 days" in ask(bot.url)["text"]
        with _asking_in_a_loop(bot.url) as outcomes:
            (docs / "returns.md").write_text(
                "# Returns\n\nYou can return a product within 14 days.\n"
            )
            (docs / "canary.md").unlink()
            report = ingest("sync", str(docs), env=env)
            time.sleep(FOLLOWS_WITHIN)
        assert set(outcomes) == {"answered"}
        before = len(model.requests)
        answers = [ask(bot.url), ask(bot.url, "Which code does returning a product need?")]
        prompts = "".join(request.prompt for request in model.requests[before:])
    assert {answer["release"] for answer in answers} == {report["release"]}
    assert "14 days" in answers[0]["text"]
    assert "45 days" not in prompts
    assert "CANARY" not in prompts + str(answers)


class _asking_in_a_loop:  # noqa: N801 - reads as a with-statement
    """Ask all the time until the block is left; gives the outcomes."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._ending = threading.Event()
        self.outcomes: list[str] = []

    def __enter__(self) -> list[str]:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self.outcomes

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self.outcomes.append(ask(self._url)["outcome"])
            except (AssertionError, httpx2.HTTPError) as error:
                self.outcomes.append(repr(error))


def test_an_empty_knowledge_base_is_told_by_readiness_and_never_an_error(
    tmp_path: Path, shop_settings: dict[str, str], shop_docs: Path
) -> None:
    patient = {**shop_settings, "SUPPORTBOT_DEADLINE_SECONDS": "30"}
    env = environment(tmp_path / "home", **patient)
    with RunningBot(env, is_ready=False) as bot:
        assert httpx2.get(f"{bot.url}/healthz", timeout=30).status_code == 200
        assert httpx2.get(f"{bot.url}/readyz", timeout=30).status_code == 503
        assert ask(bot.url)["outcome"] == "unavailable"
        ingest("sync", str(shop_docs), env=env)
        assert ask(bot.url)["outcome"] == "answered", "".join(bot.log)
        assert httpx2.get(f"{bot.url}/readyz", timeout=30).status_code == 200


@pytest.mark.parametrize(
    ("settings", "arguments", "expected"),
    [
        ({}, ("--host", "0.0.0.0"), "without a widget key"),
        ({}, ("--port", "99999"), "a port is a number"),
        ({"SLACK_BOT_TOKEN": "xoxb-1"}, (), "set SLACK_APP_TOKEN"),
        ({"SLACK_APP_TOKEN": "xapp-1"}, (), "set SLACK_BOT_TOKEN"),
        ({"SUPPORTBOT_DATABASE_URL": "mysql://a/b"}, (), "SUPPORTBOT_DATABASE_URL"),
        ({"SUPPORTBOT_DEADLINE_SECONDS": "soon"}, (), "SUPPORTBOT_DEADLINE_SECONDS"),
    ],
)
def test_a_wrong_start_is_refused_in_one_line(
    tmp_path: Path, settings: dict[str, str], arguments: tuple[str, ...], expected: str
) -> None:
    done = _serve(tmp_path, *arguments, **settings)
    assert done.returncode == 2
    assert expected in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_home_that_cannot_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    done = _serve(tmp_path / "file" / "home")
    assert done.returncode == 2
    assert "SUPPORTBOT_HOME" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = _serve(tmp_path, "--port", str(port))
    assert done.returncode == 2
    assert f"--port {port}: cannot listen there" in done.stderr


def _serve(home: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "supportbot.cli", "serve", *arguments]
    env = environment(home, **settings)
    return subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_visitor_behind_a_trusted_proxy_is_told_apart_by_its_own_address(
    tmp_path: Path, shop_home: Path, shop_settings: dict[str, str]
) -> None:
    key = "wk_0123456789abcdef"
    config = tmp_path / "supportbot.toml"
    config.write_text(f'[[widgets]]\nkey = "{key}"\norigins = ["https://shop.example"]\n')
    env = environment(
        shop_home,
        SUPPORTBOT_CONFIG=str(config),
        SUPPORTBOT_TRUSTED_PROXIES="127.0.0.1",
        **shop_settings,
    )

    def status(visitor: str) -> int:
        headers = {"X-Widget-Key": key, "X-Forwarded-For": visitor}
        body = {"question": "hello"}
        return httpx2.post(
            f"{bot.url}/v1/answers", json=body, headers=headers, timeout=60
        ).status_code

    with RunningBot(env) as bot:
        assert [status("203.0.113.1") for _ in range(21)] == [200] * 20 + [429]
        assert status("203.0.113.2") == 200
        # What a visitor claims stands left of what the proxy adds, and does not count.
        assert status("198.51.100.7, 203.0.113.1") == 429
