"""The bot is killed at any moment; after the next start every question has exactly one answer."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.slack import LoopbackSlack, mention

ROUNDS = 4
QUESTIONS = 4  # in each round


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


@contextmanager
def bot(slack: LoopbackSlack, file: Path) -> Iterator[None]:
    """Run the bot until it is killed."""
    connections = slack.connections
    command = [sys.executable, "-m", "tests.faults.slack_child", slack.api_url, str(file)]
    child = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    try:
        until(lambda: slack.connections > connections and slack.is_connected)
        yield
    finally:
        child.kill()
        child.wait()
        until(lambda: not slack.is_connected)


def ended(slack: LoopbackSlack) -> int:
    """Return how many questions have their answer, or an apology after many kills in a row."""
    return sum(message.shown.startswith(("About", "Sorry")) for message in slack.messages)


def test_a_kill_at_any_moment_loses_no_question_and_answers_none_twice(tmp_path: Path) -> None:
    moments = random.Random(7)
    with LoopbackSlack() as slack:
        for number in range(ROUNDS):
            with bot(slack, tmp_path / "state.db"):
                for n in range(QUESTIONS):
                    slack.send(mention("refunds?", f"{number}{n}.1", f"C{n}"))
                time.sleep(moments.uniform(0, 1.5))
        with bot(slack, tmp_path / "state.db"):
            slack.deliver_again()
            until(lambda: ended(slack) == ROUNDS * QUESTIONS)
        places = [(message.channel, message.thread_ts) for message in slack.messages]
        assert len(places) == len(set(places)) == ROUNDS * QUESTIONS
