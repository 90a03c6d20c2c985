"""`supportbot serve` keeps its knowledge base up to date: by schedules, and when it is asked to."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest

from knowledge.releases import ReleaseStore
from tests.servers.bot import RunningBot, environment
from tests.servers.chroma import ChromaProcess

TOKEN = "admin-token-0123456789"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
QUESTION = "Within how many days can I return a product?"
SOON = 60.0  # seconds: a look every two, a sync, and a busy machine
Seen = TypeVar("Seen")


def page(days: int) -> str:
    return f"# Returns\n\nYou can return a product within {days} days of delivery.\n"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "returns.md").write_text(page(30))
    return folder


@pytest.fixture
def settings(tmp_path: Path, tiny_model: Path) -> dict[str, str]:
    """No model: the bot quotes."""
    config = tmp_path / "supportbot.toml"
    config.touch()
    return environment(
        tmp_path / "home",
        SUPPORTBOT_EMBEDDER=str(tiny_model),
        SUPPORTBOT_CONFIG=str(config),
        SUPPORTBOT_ADMIN_TOKEN=TOKEN,
    )


def configure(settings: dict[str, str], *lines: str) -> None:
    Path(settings["SUPPORTBOT_CONFIG"]).write_text("\n".join(["[[sources]]", *lines]))


def scheduled(settings: dict[str, str], docs: Path) -> None:
    configure(settings, f'path = "{docs}"', 'schedule = "every 2 seconds"')


def until(look: Callable[[], Seen], seconds: float = 60.0) -> Seen:
    """Return what a look gives once it gives something."""
    end = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)
    return seen


def is_answered(bot: RunningBot, text: str) -> bool:
    reply = httpx2.post(f"{bot.url}/v1/answers", json={"question": QUESTION}, timeout=60)
    return text in reply.json()["text"]


def children(of: int) -> set[int]:
    """Return the processes that descend from one."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found: set[int] = set()
    while more := {pid for pid, parent in parents.items() if parent in found | {of}} - found:
        found |= more
    return found


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}


def watch_of(bot: RunningBot) -> set[int]:
    return until(lambda: children(bot.process.pid))


def start(bot: RunningBot) -> httpx2.Response:
    return httpx2.post(f"{bot.url}/admin/sync", headers=ADMIN, timeout=30)


def last(bot: RunningBot) -> dict[str, Any]:
    reply = httpx2.get(f"{bot.url}/admin/sync", headers=ADMIN, timeout=30)
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def ended(bot: RunningBot) -> dict[str, Any]:
    return until(lambda: (run := last(bot))["state"] != "running" and run)  # type: ignore[return-value]


def test_a_changed_file_of_a_source_with_a_schedule_is_answered_from_soon(
    settings: dict[str, str], docs: Path
) -> None:
    scheduled(settings, docs)
    with RunningBot(settings) as bot:  # it is ready as soon as the first sync is done
        assert is_answered(bot, "30 days")
        (docs / "returns.md").write_text(page(14))
        until(lambda: is_answered(bot, "14 days"), SOON)
    logged = [json.loads(line) for line in bot.log if line.startswith("{")]
    assert any("is current" in line["message"] for line in logged)


def test_sigterm_stops_the_watch_too(settings: dict[str, str], docs: Path) -> None:
    scheduled(settings, docs)
    with RunningBot(settings) as bot:
        pids = watch_of(bot)
        assert bot.stop() == 0
        assert not alive(pids)
    assert not any("did not stop" in line for line in bot.log)


@pytest.mark.parametrize("is_settled", [True, False], ids=["watching", "starting"])
def test_a_bot_that_is_killed_leaves_no_child(
    settings: dict[str, str], docs: Path, is_settled: bool
) -> None:
    scheduled(settings, docs)
    with RunningBot(settings, is_ready=is_settled) as bot:
        pids = watch_of(bot)
        bot.stop(signal.SIGKILL)
        until(lambda: not alive(pids), SOON)


def test_two_replicas_with_one_home_both_follow_and_disturb_each_other_in_nothing(
    settings: dict[str, str], docs: Path
) -> None:
    scheduled(settings, docs)
    with RunningBot(settings) as one, RunningBot(settings) as other:
        watch_of(other)
        (docs / "returns.md").write_text(page(14))
        for bot in (one, other):
            until(lambda bot=bot: is_answered(bot, "14 days"))  # type: ignore[misc]
        log = [*one.log, *other.log]
    assert not [line for line in log if "unexpected" in line or "starts again" in line]


def test_a_watch_that_dies_is_started_again(settings: dict[str, str], docs: Path) -> None:
    scheduled(settings, docs)
    with RunningBot(settings) as bot:
        (pid,) = watch_of(bot)
        os.kill(pid, signal.SIGKILL)
        (docs / "returns.md").write_text(page(14))
        until(lambda: is_answered(bot, "14 days"))
    assert any("starts again in 1 s" in line for line in bot.log)


def test_a_watch_that_cannot_start_is_tried_ever_more_seldom(settings: dict[str, str]) -> None:
    configure(settings, 'path = "nowhere"', 'schedule = "soon"')
    with RunningBot(settings, is_ready=False) as bot:
        until(lambda: any("starts again in 2 s" in line for line in bot.log))
        assert httpx2.get(f"{bot.url}/healthz", timeout=30).status_code == 200
    assert any("every 30 minutes" in line for line in bot.log)  # what would be a schedule


def test_without_a_schedule_there_is_no_child_until_a_sync_is_asked_for(
    settings: dict[str, str], docs: Path
) -> None:
    configure(settings, f'path = "{docs}"')
    with RunningBot(settings, is_ready=False) as bot:
        time.sleep(1)
        assert not children(bot.process.pid)
        none_yet = httpx2.get(f"{bot.url}/admin/sync", headers=ADMIN, timeout=30)
        assert none_yet.status_code == 404
        started = start(bot)
        assert started.status_code == 202
        assert started.json() == {"sync_id": last(bot)["sync_id"], "state": "running"}
        again = start(bot)
        assert again.status_code == 409
        assert again.headers["content-type"] == "application/problem+json"
        run = ended(bot)
        assert (run["state"], run["exit_code"]) == ("done", 0)
        assert run["report"]["documents"]["added"] == 1
        assert is_answered(bot, "30 days")
        assert not children(bot.process.pid)
        assert start(bot).status_code == 202
        bot.stop()


def test_a_sync_under_way_is_stopped_with_the_bot(settings: dict[str, str], docs: Path) -> None:
    configure(settings, f'path = "{docs}"')
    with RunningBot(settings, is_ready=False) as bot:
        start(bot)
        pids = watch_of(bot)
        assert bot.stop() == 0
        assert not alive(pids)


def test_a_failed_sync_tells_the_commands_message_and_no_secret(
    settings: dict[str, str], tmp_path: Path
) -> None:
    token = "a-source-token-of-some-length"
    missing = tmp_path / f"missing-{token}"
    configure(settings, f'path = "{missing}"', f'token = "{token}"')
    with RunningBot(settings, is_ready=False) as bot:
        start(bot)
        run = ended(bot)
    assert (run["state"], run["exit_code"]) == ("failed", 2)
    assert "missing-***" in run["report"]["error"]
    assert token not in json.dumps(run) + "".join(bot.log)


def test_a_sync_that_is_asked_for_tells_which_other_machine_is_syncing(
    settings: dict[str, str], docs: Path, tmp_path: Path
) -> None:
    configure(settings, f'path = "{docs}"')
    server = ChromaProcess(tmp_path / "chroma")
    server.start()
    try:
        shared = {**settings, "SUPPORTBOT_CHROMA_URL": server.url}
        with (
            closing(ReleaseStore(tmp_path / "other", server.url)) as elsewhere,
            RunningBot(shared, is_ready=False) as bot,
        ):
            with elsewhere.lock():
                start(bot)
                run = ended(bot)
            assert (run["state"], run["exit_code"]) == ("failed", 1)
            who = f"process {os.getpid()} on {socket.gethostname()} since "
            assert who in run["report"]["error"]
            start(bot)
            assert ended(bot)["state"] == "done"
    finally:
        server.kill()
