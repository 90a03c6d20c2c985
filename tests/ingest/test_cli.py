from __future__ import annotations

import json
from pathlib import Path

import pytest

from ingest.cli import main
from ingest.pipeline import Pipeline
from ingest.sources.base import Labels
from ingest.sources.files import FileSource
from knowledge.releases import ReleaseStore
from tests.fakes import HashEmbedder

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("CONFIG", "CHROMA_URL", "EMBEDDER", "RERANKER"):
        monkeypatch.delenv(f"SUPPORTBOT_{name}", raising=False)
    monkeypatch.setenv("SUPPORTBOT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def releases(home: Path, tmp_path: Path) -> list[str]:
    """Two releases, the second without `b.md` and with a failure."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("# A\n\nText.")
    (docs / "b.md").write_text("# B\n\nText.")
    pipeline = Pipeline(ReleaseStore(home), HashEmbedder())
    first = pipeline.sync([FileSource("docs", Labels())])
    (docs / "b.md").unlink()
    (docs / "bad.md").write_bytes(b"\0\1\2\3\xff")
    second = pipeline.sync([FileSource("docs", Labels())])
    return [str(first.release), str(second.release)]


def run(*words: str, capsys: Captured) -> tuple[int, str, str]:
    code = main(words)
    out, err = capsys.readouterr()
    return code, out, err


def test_help_names_every_command_and_the_exit_codes(capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    out, _ = capsys.readouterr()
    assert ended.value.code == 0
    for word in ("sync", "add", "remove", "plan", "status", "releases", "rollback", "search"):
        assert word in out


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["snyc"], "did you mean `sync`?"),
        ([], "COMMAND"),
        (["sync", "--nope"], "--nope"),
        (["remove"], "DOCUMENT_ID"),
        (["search", "x", "-k", "0"], "1 to 100"),
        (["search", " "], "characters"),
        (["sync", "docs", "--base-url", "ftp://x"], "http(s)"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_right(
    home: Path, words: list[str], hint: str, capsys: Captured
) -> None:
    code, out, err = run(*words, capsys=capsys)
    assert (code, out) == (2, "")
    assert hint in err
    code, out, err = run(*words, "--json", capsys=capsys)
    assert (code, err) == (2, "")
    assert hint in json.loads(out)["error"]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["sync", "missing"], "no such file or folder"),
        (["sync", "ftp://example.com/help"], "http(s)://host/path"),
        (["sync"], "supportbot.toml"),
        (["add", "picture.png"], "known: ."),
    ],
)
def test_sources_that_cannot_be_used_end_with_2(
    home: Path, tmp_path: Path, words: list[str], hint: str, capsys: Captured
) -> None:
    (tmp_path / "picture.png").write_bytes(b"x")
    code, _, err = run(*words, capsys=capsys)
    assert code == 2
    assert hint in err
    assert len(err.splitlines()) == 1
    assert not home.exists()


def test_a_wrong_setting_ends_with_2_in_one_line(
    home: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "supportbot.toml").write_text("[[sources]]\npath = 'docs'\naudience = ''\n")
    code, _, err = run("status", capsys=capsys)
    assert code == 2
    assert "sources" in err
    assert len(err.splitlines()) == 1


def test_an_empty_folder_ends_with_1(home: Path, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "docs").mkdir()
    code, out, _ = run("sync", "docs", "--json", capsys=capsys)
    assert code == 1
    assert "no document found in docs" in json.loads(out)["error"]


def test_the_status_of_an_empty_home_says_what_to_do(home: Path, capsys: Captured) -> None:
    code, out, _ = run("status", capsys=capsys)
    assert code == 0
    assert "supportbot-ingest sync SOURCE" in out
    assert json.loads(run("status", "--json", capsys=capsys)[1])["release"] is None


def test_the_status_tells_release_counts_sources_and_failures(
    home: Path, releases: list[str], capsys: Captured
) -> None:
    code, out, _ = run("status", "--json", capsys=capsys)
    status = json.loads(out)
    assert code == 0
    assert status["release"] == releases[1]
    assert (status["documents"], status["chunks"], status["releases"]) == (1, 1, 2)
    assert status["sources"] == ["docs"]
    assert status["disk_bytes"] > 1000
    assert [failure["uri"] for failure in status["failures"]] == ["bad.md"]
    _, out, err = run("status", capsys=capsys)
    assert releases[1] in out
    assert "failed: bad.md: not a text file" in err


def test_releases_are_listed_and_rolled_back(
    home: Path, releases: list[str], capsys: Captured
) -> None:
    listed = json.loads(run("releases", "--json", capsys=capsys)[1])
    assert listed["current"] == releases[1]
    assert [row["release"] for row in listed["releases"]] == releases[::-1]
    code, out, _ = run("rollback", "--json", capsys=capsys)
    assert (code, json.loads(out)) == (0, {"release": releases[0], "before": releases[1]})
    assert ReleaseStore(home).current_id() == releases[0]
    code, _, err = run("rollback", "nonsense", capsys=capsys)
    assert code == 1
    assert "no release 'nonsense'" in err


def test_an_unknown_document_ends_with_1(home: Path, releases: list[str], capsys: Captured) -> None:
    code, out, _ = run("remove", "aa.md", "--json", capsys=capsys)
    assert code == 1
    assert "did you mean a.md?" in json.loads(out)["error"]


def test_a_missing_embedder_ends_with_1(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("SUPPORTBOT_EMBEDDER", str(tmp_path / "nowhere"))
    (tmp_path / "a.md").write_text("Text.")
    code, _, err = run("sync", "a.md", capsys=capsys)
    assert code == 1
    assert "SUPPORTBOT_EMBEDDER" in err
    assert len(err.splitlines()) == 1


def test_a_plan_shows_what_a_sync_would_do(home: Path, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "a.md").write_text("Text.")
    code, out, _ = run("plan", "a.md", "--json", capsys=capsys)
    assert code == 0
    plan = json.loads(out)
    assert plan["release"] is None
    assert plan["added"] == ["a.md"]
    assert plan["documents"] == {
        "added": 1,
        "changed": 0,
        "removed": 0,
        "unchanged": 0,
        "failed": 0,
    }
    assert "add: 1\n  a.md" in run("plan", "a.md", capsys=capsys)[1]


def test_an_unexpected_error_is_one_line_with_a_reference(home: Path, capsys: Captured) -> None:
    home.write_text("a file where the folder should be")
    (home.parent / "a.md").write_text("Text.")
    code, _, err = run("sync", "a.md", "--quiet", capsys=capsys)
    assert code == 1
    assert len(err.splitlines()) == 1
