"""With the packaged model, no command loads torch: it costs seconds and hundreds of megabytes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.servers.bot import LISTENING, START_SECONDS, environment

HEAVY = ("torch", "transformers", "sentence_transformers")
SCRIPT = f"""
import json, sys
from {{module}} import {{function}} as command
code = command(sys.argv[1:])
print(json.dumps([code, [name for name in {HEAVY} if name in sys.modules]]))
"""
BOT, INGEST = ("supportbot.cli", "run"), ("ingest.cli", "main")


def popen(home: Path, program: tuple[str, str], *words: str) -> subprocess.Popen[str]:
    module, function = program
    script = SCRIPT.format(module=module, function=function)
    command = [sys.executable, "-c", script, *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment(home), stdout=pipe, stderr=pipe, text=True)


def last_line(process: subprocess.Popen[str]) -> list[object]:
    out, err = process.communicate(timeout=START_SECONDS)
    assert process.returncode == 0, err
    return list(json.loads(out.splitlines()[-1]))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, shop_docs: Path) -> Path:
    home = tmp_path_factory.mktemp("home")
    assert last_line(popen(home, INGEST, "sync", str(shop_docs))) == [0, []]
    return home


def test_a_sync_then_a_search_load_no_torch(home: Path) -> None:
    assert last_line(popen(home, INGEST, "search", "return a product")) == [0, []]


def test_ask_loads_no_torch(home: Path) -> None:
    assert last_line(popen(home, BOT, "ask", "How do I return a product?")) == [0, []]


def test_serve_loads_no_torch(home: Path) -> None:
    with popen(home, BOT, "serve", "--port", "0") as process:
        assert process.stderr
        found = next(match for line in process.stderr if (match := LISTENING.search(line)))
        question = {"question": "How do I return a product?"}
        reply = httpx2.post(f"{found[1]}/v1/answers", json=question, timeout=START_SECONDS)
        process.send_signal(signal.SIGTERM)
        assert last_line(process) == [0, []]
    assert "30 days" in reply.text
