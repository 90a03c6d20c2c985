from __future__ import annotations

import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from ingest.config import SourceSettings
from ingest.errors import SourceUnusable
from ingest.networks import Address
from ingest.sources.base import Labels, Listing
from ingest.sources.git import GitSource
from tests.servers.repository import Repository
from tests.servers.site import Handler, Site


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = Repository(tmp_path / "repository")
    repository.write("readme.md", "# Read me", date="2026-01-01T00:00:00+00:00")
    repository.write("docs/a.md", "# A", date="2026-02-01T00:00:00+01:00")
    return repository


def source(repository: Repository, tmp_path: Path, **more: Any) -> GitSource:
    settings = SourceSettings.model_validate(
        {"path": str(repository.folder), "kind": "git", **more}
    )
    return GitSource(settings, Labels(), tmp_path / "home")


def ids(listing: Listing) -> Any:
    return [item.id for item in listing.items]


def test_the_documents_of_a_branch_or_a_folder_of_it_are_listed(
    repository: Repository, tmp_path: Path
) -> None:
    repository.git("switch", "--quiet", "--create", "next")
    repository.write("docs/b/new.md", "# New")
    assert ids(source(repository, tmp_path, branch="main").list()) == ["docs/a.md", "readme.md"]
    assert ids(source(repository, tmp_path, branch="next", folder="/docs/").list()) == [
        *("a.md", "b/new.md"),
    ]
    assert len(source(repository, tmp_path).list().items) == 3


def test_what_is_not_committed_is_not_read(repository: Repository, tmp_path: Path) -> None:
    (repository.folder / "docs" / "a.md").write_text("changed")
    (repository.folder / "draft.md").write_text("draft")
    read_from = source(repository, tmp_path)
    items = read_from.list().items
    assert [read_from.read(item).data for item in items] == [b"# A", b"# Read me"]


def test_a_document_knows_when_it_was_changed_last(repository: Repository, tmp_path: Path) -> None:
    repository.write("readme.md", "# Read this", date="2026-03-01T00:00:00+00:00")
    read_from = source(repository, tmp_path)
    told = [read_from.read(item).about.modified_at for item in read_from.list().items]
    assert told == ["2026-02-01T00:00:00+01:00", "2026-03-01T00:00:00+00:00"]
    inside = source(repository, tmp_path, folder="docs")
    (item,) = inside.list().items
    assert inside.read(item).about.modified_at == "2026-02-01T00:00:00+01:00"


def test_a_change_that_is_older_than_what_is_fetched_has_no_date(
    repository: Repository, tmp_path: Path
) -> None:
    for _ in range(200):
        repository.commit()
    read_from = source(repository, tmp_path)
    told = [read_from.read(item).about.modified_at for item in read_from.list().items]
    assert told == ["", ""]


def test_links_submodules_hidden_and_dependency_files_are_passed_over(
    repository: Repository, tmp_path: Path
) -> None:
    (repository.folder / "passwords.md").symlink_to("/etc/passwd")
    for path in (".github/a.md", "node_modules/x/a.md", "docs/.hidden.md", "key.pem", "a.exe"):
        repository.write(path, "x")
    other = Repository(tmp_path / "other")
    other.write("x.md", "x")
    repository.git(
        *("-c", "protocol.file.allow=always", "submodule", "--quiet", "add"),
        *(str(other.folder), "module"),
    )
    repository.commit()
    listing = source(repository, tmp_path).list()
    assert ids(listing) == ["docs/a.md", "readme.md"]
    assert dict(listing.skipped) == {
        "links and submodules": 2,
        "hidden": 3,
        "node_modules folders": 1,
        "private keys": 1,
        ".exe files": 1,
    }


def test_odd_names_are_listed_and_read(repository: Repository, tmp_path: Path) -> None:
    for name in ("ü.md", "a b\tc.md", 'quo"te.md', "-x.md"):
        repository.write(f"odd/{name}", f"text of {name}")
    read_from = source(repository, tmp_path, folder="odd")
    listing = read_from.list()
    assert ids(listing) == ["-x.md", "a b%09c.md", 'quo"te.md', "ü.md"]
    raws = [read_from.read(item) for item in listing.items]
    assert raws[3].data.decode() == "text of ü.md"
    assert all(raw.about.modified_at for raw in raws)


def test_history_that_was_rewritten_is_followed(repository: Repository, tmp_path: Path) -> None:
    source(repository, tmp_path).list()
    repository.git("checkout", "--quiet", "--orphan", "fresh")
    repository.git("rm", "-rfq", ".")
    repository.write("only.md", "# Only")
    repository.git("branch", "--force", "main", "fresh")
    assert ids(source(repository, tmp_path, branch="main").list()) == ["only.md"]


@pytest.mark.parametrize("was_killed", [False, True])
def test_a_text_that_was_taken_out_of_history_is_gone_from_what_was_fetched(
    repository: Repository, tmp_path: Path, was_killed: bool
) -> None:
    repository.write("docs/secret.md", "# The password is 1234")
    listed = {item.id: item.stamp for item in source(repository, tmp_path).list().items}
    (fetched,) = (tmp_path / "home" / "sources").glob("*.git")

    def holds(blob: str) -> bool:
        words = ["git", "--git-dir", str(fetched), "cat-file", "-e", blob]
        return subprocess.run(words, capture_output=True).returncode == 0

    assert holds(listed["docs/secret.md"])
    (repository.folder / "docs" / "secret.md").unlink()
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "--amend", "-m", "change", "--allow-empty")
    if was_killed:  # between the fetch and what follows it
        place = f"file://{repository.folder}"
        head = "+refs/heads/main:refs/supportbot/head"
        repository.git("--git-dir", str(fetched), "fetch", "--quiet", place, head)
        assert holds(listed["docs/secret.md"])
    source(repository, tmp_path).list()
    assert not holds(listed["docs/secret.md"])
    assert holds(listed["docs/a.md"])


def test_a_repository_that_is_away_keeps_what_there_was(
    repository: Repository, tmp_path: Path
) -> None:
    read_from = source(repository, tmp_path)
    before = read_from.list()
    away = repository.folder.rename(tmp_path / "away")
    listing = read_from.list()
    assert ids(listing) == ids(before)
    assert "stay as they were" in listing.failures[0].reason
    away.rename(repository.folder)
    assert read_from.list() == before


def test_what_a_killed_fetch_leaves_behind_does_no_harm(
    repository: Repository, tmp_path: Path
) -> None:
    read_from = source(repository, tmp_path)
    before = read_from.list()
    (fetched,) = (tmp_path / "home" / "sources").glob("*.git")
    for name in ("shallow.lock", "refs/supportbot/head.lock", "packed-refs.lock"):
        (fetched / name).touch()
    repository.write("docs/b.md", "# B")
    assert len(read_from.list().items) == len(before.items) + 1


def test_a_repository_that_was_damaged_is_fetched_anew(
    repository: Repository, tmp_path: Path
) -> None:
    read_from = source(repository, tmp_path)
    read_from.list()
    (fetched,) = (tmp_path / "home" / "sources").glob("*.git")
    for path in (fetched / "objects").rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            path.write_bytes(b"")
    repository.write("docs/b.md", "# B")
    listing = read_from.list()
    assert listing.failures == ()
    assert [read_from.read(item).data for item in listing.items] == [b"# A", b"# B", b"# Read me"]


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ({"branch": "no-such"}, "no-such"),
        ({"folder": "no/such"}, "no folder"),
        ({"branch": "--upload-pack=touch /tmp/x"}, "no name of a branch"),
        ({"branch": "a..b"}, "no name of a branch"),
        ({"path": "/nonexistent/repository"}, "no such repository"),
        ({"path": "git@git.example.com:team/docs.git"}, "such as https://host/name.git"),
        ({"path": "/usr"}, "does not appear to be a git repository"),
    ],
)
def test_a_setting_that_makes_no_sense_is_said(
    repository: Repository, tmp_path: Path, setting: dict[str, str], reason: str
) -> None:
    with pytest.raises(SourceUnusable, match=reason):
        source(repository, tmp_path, **setting).list()


@pytest.mark.parametrize(
    "address",
    [
        *("http://example.com/a.git", "https://127.0.0.1/a.git", "https://[::1]/a.git"),
        *("https://10.0.0.1/a.git", "https://user:secret@example.com/a.git"),
        *("https://example.com:22/a.git", "http://user:secret@example.com/a.git"),
    ],
)
def test_an_address_that_may_not_be_fetched_is_no_source(address: str, tmp_path: Path) -> None:
    settings = SourceSettings.model_validate({"url": address, "kind": "git"})
    with pytest.raises(SourceUnusable) as caught:
        GitSource(settings, Labels(), tmp_path)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "place",
    [
        {"path": "ssh://user:secret@git.example.com/docs.git"},
        {"url": "https://user:secret@git.example.com/docs.git", "branch": "a..b"},
    ],
)
def test_no_message_shows_a_login(place: dict[str, str], tmp_path: Path) -> None:
    settings = SourceSettings.model_validate({**place, "kind": "git"})
    with pytest.raises(SourceUnusable, match=r"//…@git\.example\.com") as caught:
        GitSource(settings, Labels(), tmp_path)
    assert "secret" not in str(caught.value)


def test_hooks_and_settings_of_a_repository_and_a_user_take_no_part(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tmp_path / "trace"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\necho ran >> {trace}\ncat\n")
    script.chmod(0o755)
    for hook in ("post-checkout", "reference-transaction", "post-merge", "pre-auto-gc"):
        shutil.copy(script, repository.folder / ".git" / "hooks" / hook)
    repository.git("config", "uploadpack.packObjectsHook", str(script))
    repository.git("config", "core.fsmonitor", str(script))
    config = tmp_path / "gitconfig"
    hooks = f"[core]\n\thooksPath = {repository.folder}/.git/hooks\n"
    config.write_text(f'{hooks}[url "ext::{script}"]\n\tinsteadOf = file://\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(script))
    trace.unlink(missing_ok=True)
    assert len(source(repository, tmp_path).list().items) == 2
    assert not trace.exists()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", str(key), "-out", str(certificate), "-subj", "/CN=git.example.com"),
            *("-addext", "subjectAltName=DNS:git.example.com"),
        ],
        check=True,
        capture_output=True,
    )
    return key, certificate


@pytest.fixture
def host(certificate: tuple[Path, Path], tmp_path: Path) -> Iterator[Site]:
    """Serve all repositories below the folder over https, by git's own program for that."""
    key, public = certificate
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(public, key)

    def serve(handler: Handler) -> None:
        path, _, query = handler.path.partition("?")
        asked = handler.site.requests[-1]
        env = os.environ | {
            "GIT_PROJECT_ROOT": str(tmp_path),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": handler.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": asked.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(asked.body)),
            "GIT_PROTOCOL": asked.headers.get("git-protocol", ""),
            "HTTP_CONTENT_ENCODING": asked.headers.get("content-encoding", ""),
        }
        ran = subprocess.run(
            ["git", "http-backend"], input=asked.body, env=env, capture_output=True, check=True
        )
        head, _, body = ran.stdout.partition(b"\r\n\r\n")
        told = dict(line.split(": ", 1) for line in head.decode().splitlines())
        status = int(told.pop("Status", "200").split()[0])
        named = {name.replace("-", "_"): value for name, value in told.items()}
        handler.head(status, **named, Content_Length=str(len(body)))
        handler.wfile.write(body)

    with Site(tls=tls) as site:
        for path in ("/info/refs", "/git-upload-pack"):
            site.pages[f"/repository/.git{path}"] = serve
        yield site


def test_a_repository_is_fetched_over_https_from_the_address_that_was_checked(
    repository: Repository, host: Site, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    asked: list[str] = []

    def resolver(name: str) -> list[Address]:
        asked.append(name)
        return [ip_address("127.0.0.1")]

    settings = SourceSettings.model_validate(
        {
            "url": f"https://git.example.com:{host.port}/repository/.git",
            "kind": "git",
            "allow_private": ["127.0.0.0/8"],
            "user": "me",
            "token": "secret",
        }
    )
    fetched = GitSource(settings, Labels(), tmp_path / "home", resolver, str(certificate[1]))
    listing = fetched.list()
    assert ids(listing) == ["docs/a.md", "readme.md"]
    assert fetched.read(listing.items[0]).data == b"# A"
    assert asked == ["git.example.com"]
    told = host.requests[0].headers
    assert (told["host"], told["authorization"]) == (
        f"git.example.com:{host.port}",
        "Basic bWU6c2VjcmV0",
    )
    kept = "".join(path.read_text(errors="replace") for path in _files(tmp_path / "home"))
    assert "bWU6c2VjcmV0" not in kept
    stranger = GitSource(settings, Labels(), tmp_path / "second", resolver)
    with pytest.raises(SourceUnusable, match="certificate"):
        stranger.list()


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_host_at_a_private_address_is_not_fetched_from(host: Site, tmp_path: Path) -> None:
    settings = SourceSettings.model_validate(
        {"url": "https://git.example.com/repository/.git", "kind": "git"}
    )
    fetched = GitSource(settings, Labels(), tmp_path, lambda _: [ip_address("127.0.0.1")])
    with pytest.raises(SourceUnusable, match="no public address"):
        fetched.list()
    assert host.requests == []
