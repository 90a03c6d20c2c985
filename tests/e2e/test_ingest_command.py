from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers.forking import ForkedCommands
from tests.servers.tiny_model import save_tiny_model

PATIENCE = 120  # seconds for a command that loads torch on a busy machine
ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "sentence_transformers", "transformers", "chromadb", "openai", "fastapi")


@dataclass(frozen=True)
class Shop:
    """A home, a folder of documents, and the real command on them."""

    folder: Path
    environment: dict[str, str]
    commands: ForkedCommands

    @property
    def docs(self) -> Path:
        return self.folder / "docs"

    def popen(self, *words: str, program: tuple[str, ...] = ("-m", "ingest.cli")) -> Any:
        return subprocess.Popen(
            [sys.executable, *program, *words],
            cwd=self.folder,
            env={**os.environ, **self.environment, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> tuple[int, dict[str, Any]]:
        return self.commands.run(*words)


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shop, dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("shop")
    save_tiny_model(folder / "model")
    environment = {
        "SUPPORTBOT_HOME": str(folder / "home"),
        "SUPPORTBOT_EMBEDDER": str(folder / "model"),
    }
    with ForkedCommands(folder, environment) as commands:
        shop = Shop(folder, environment, commands)
        yield shop, _fill(shop)


def _fill(shop: Shop) -> dict[str, Any]:
    (shop.docs / "guide").mkdir(parents=True)
    (shop.docs / "guide" / "reset.md").write_text(
        "# Reset your password\n\n## By mail\n\nOpen the page and press the button E-4012.\n"
    )
    (shop.docs / "ship.html").write_text(
        "<title>Shipping</title><nav>Menu</nav><main><h1>Shipping</h1><p>We ship to Spain."
    )
    (shop.docs / "staff.md").write_text("---\naudience: staff\n---\n# Refunds\n\nAsk the boss.\n")
    (shop.docs / "broken.md").write_bytes(b"\0\1\2\3\xff")
    code, report = shop.run("sync", "docs", "--base-url", "https://help.example/kb")
    assert code == 3
    return report


@pytest.fixture
def shop(synced: tuple[Shop, dict[str, Any]]) -> Shop:
    return synced[0]


def test_a_sync_reports_what_it_did(synced: tuple[Shop, dict[str, Any]]) -> None:
    _, report = synced
    assert set(report) == {
        *("release", "promoted", "documents", "chunks", "failures", "seconds"),
    }
    assert report["promoted"] is True
    assert report["documents"] == {
        "added": 3,
        "changed": 0,
        "removed": 0,
        "unchanged": 0,
        "failed": 1,
    }
    assert report["chunks"] == {"total": 3, "embedded": 3, "reused": 0}
    (failure,) = report["failures"]
    assert failure["uri"] == "broken.md"
    assert "not a text file" in failure["reason"]


def test_a_search_finds_what_was_synced(shop: Shop) -> None:
    code, found = shop.run("search", "E-4012", "-k", "2")
    assert code == 0
    assert (found["query"], found["release"]) == ("E-4012", shop.run("status")[1]["release"])
    best = found["hits"][0]
    assert set(best) == {"rank", "document_id", "title", "uri", "heading", "text", "score"}
    assert (best["rank"], best["document_id"]) == (1, "guide/reset.md")
    assert (best["title"], best["heading"]) == ("Reset your password", "By mail")
    assert best["uri"] == "https://help.example/kb/guide/reset"
    assert best["text"] == "Open the page and press the button E-4012."


def test_a_search_sees_what_its_audience_may_see(shop: Shop) -> None:
    for words, is_seen in (((), False), (("--audience", "staff"), True)):
        _, found = shop.run("search", "refunds boss", *words)
        assert ("staff.md" in [hit["document_id"] for hit in found["hits"]]) is is_seen


def test_a_sync_without_changes_is_fast_and_loads_no_model(shop: Shop) -> None:
    (shop.docs / "broken.md").unlink(missing_ok=True)
    script = (
        "import json, sys\nfrom ingest.cli import main\ncode = main(sys.argv[1:])\n"
        f"print(json.dumps([code, [name for name in {HEAVY} if name in sys.modules]]))"
    )
    before = shop.run("status")[1]["release"]
    words = ("sync", "docs", "--base-url", "https://help.example/kb", "--json")
    with shop.popen(*words, program=("-c", script)) as process:
        out, _ = process.communicate(timeout=PATIENCE)
    report, (code, heavy) = (json.loads(line) for line in out.splitlines())
    assert (code, heavy) == (0, [])
    assert (report["promoted"], report["release"]) == (False, before)
    assert report["documents"]["unchanged"] == 3


def test_help_loads_nothing(shop: Shop) -> None:
    script = (
        "import sys\nfrom ingest.cli import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit:\n"
        "    print([name for name in ('pydantic', 'numpy', 'bs4') if name in sys.modules])"
    )
    with shop.popen(program=("-c", script)) as process:
        out, _ = process.communicate(timeout=PATIENCE)
    assert out.splitlines()[-1] == "[]"


def test_two_syncs_at_once_are_never_both(shop: Shop, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for n in range(30):
        (other / f"{n}.md").write_text(f"# Page {n}\n\nText {n}.\n")
    words = ("sync", str(other), "--home", str(tmp_path / "home"), "--json")
    processes = [shop.popen(*words) for _ in range(2)]
    ends = [(*process.communicate(timeout=PATIENCE), process.returncode) for process in processes]
    codes = sorted(code for *_, code in ends)
    reports = [json.loads(out) for out, *_ in ends]
    assert codes in ([0, 0], [0, 1])
    assert sum(report.get("promoted", False) for report in reports) == 1
    for report in reports:
        assert "syncing the knowledge base" in report.get("error", "syncing the knowledge base")
    _, state = shop.run("status", "--home", str(tmp_path / "home"))
    assert (state["documents"], state["releases"]) == (30, 1)


def test_watching_syncs_on_each_change_and_ends_cleanly(shop: Shop, tmp_path: Path) -> None:
    watched = tmp_path / "watched"
    watched.mkdir()
    (watched / "a.md").write_text("# A\n\nOne.\n")
    words = ("watch", str(watched), "--home", str(tmp_path / "home"), "--json", "--quiet")
    with shop.popen(*words) as process:
        first = json.loads(process.stdout.readline())
        (watched / "b.md").write_text("# B\n\nTwo.\n")
        second = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (first["documents"]["added"], second["documents"]["added"]) == (1, 1)
    assert (process.returncode, out, err) == (0, "", "stopped watching\n")


def test_an_interrupted_sync_says_what_holds(shop: Shop, tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    for n in range(200):
        (many / f"{n}.md").write_text(f"# Page {n}\n\n" + f"Text {n} of it. " * 400)
    before = shop.run("status")[1]["release"]
    with shop.popen("sync", str(many)) as process:
        assert "200 documents" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == (
        f"supportbot-ingest: stopped; release {before} is current, and running the command again"
        " finishes the work"
    )
    assert "Traceback" not in err
    assert shop.run("status")[1]["release"] == before
