"""The real command on a website and on a repository, from the first sync to a removed page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.forking import ForkedCommands
from tests.servers.repository import Repository
from tests.servers.site import Page, Site, redirect
from tests.servers.tiny_model import save_tiny_model

HERE = ("--allow-private", "127.0.0.0/8")


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[ForkedCommands]:
    save_tiny_model(tmp_path / "model")
    environment = {
        "SUPPORTBOT_HOME": str(tmp_path / "home"),
        "SUPPORTBOT_EMBEDDER": str(tmp_path / "model"),
    }
    with ForkedCommands(tmp_path, environment) as commands:
        yield commands


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as site:
        for name in ("refunds", "shipping", "returns"):
            page = Page(
                f"<title>{name.title()}</title><main><h1>{name.title()}</h1><p>All of {name}."
            )
            site.pages[f"/{name}"] = page
        write_sitemap(site, "refunds", "shipping", "returns")
        yield site


def write_sitemap(site: Site, *names: str) -> None:
    urls = "".join(f"<url><loc>{site.url}{name}</loc></url>" for name in names)
    site.pages["/sitemap.xml"] = Page(f"<urlset>{urls}</urlset>", "application/xml")


def test_a_website_is_kept_in_step(commands: ForkedCommands, site: Site) -> None:
    words = ("sync", f"{site.url}sitemap.xml", *HERE, "--json")
    code, report = commands.run(*words)
    assert (code, report["documents"]["added"]) == (0, 3)
    code, report = commands.run(*words)
    assert (code, report["promoted"], report["documents"]["unchanged"]) == (0, False, 3)

    _, found = commands.run("search", "refunds", "--json")
    assert found["hits"][0]["uri"] == f"{site.url}refunds"

    site.pages["/refunds"] = Page("<h1>Refunds</h1><p>Thirty days now.")
    site.pages["/shipping"] = Page("busy", status=503)
    del site.pages["/returns"]
    code, report = commands.run(*words)
    assert code == 3
    assert report["documents"] | {"changed": 1, "removed": 0, "failed": 2} == report["documents"]
    code, report = commands.run(*words)
    assert report["documents"] | {"removed": 1, "failed": 1} == report["documents"]
    _, found = commands.run("search", "shipping", "--json")
    assert any(hit["uri"] == f"{site.url}shipping" for hit in found["hits"])


def test_nothing_private_is_fetched_unless_it_is_named(
    commands: ForkedCommands, site: Site
) -> None:
    code, report = commands.run("sync", f"{site.url}refunds", "--json")
    assert (code, site.requests) == (2, [])
    assert "no public address" in report["error"]
    code, report = commands.run(
        "sync", f"{site.url}refunds", "--allow-private", "0.0.0.0/0", "--json"
    )
    assert (code, site.requests) == (2, [])


def test_a_hostile_page_is_a_failure_and_the_run_goes_on(
    commands: ForkedCommands, site: Site
) -> None:
    site.pages["/shipping"] = redirect("http://169.254.169.254/latest/meta-data")
    code, report = commands.run("sync", f"{site.url}sitemap.xml", *HERE, "--json")
    assert code == 3
    assert (report["documents"]["added"], report["promoted"]) == (2, True)
    assert f"{site.url}shipping" in [failure["uri"] for failure in report["failures"]]


def test_a_repository_is_kept_in_step(commands: ForkedCommands, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "handbook.git")
    repository.write("guide/start.md", "# Start\n\nPress the button.\n")
    repository.write("guide/stop.md", "# Stop\n\nPull the plug.\n")
    words = ("sync", str(repository.folder), "--base-url", "https://handbook.example.com", "--json")
    code, report = commands.run(*words)
    assert (code, report["documents"]["added"]) == (0, 2)
    repository.git("mv", "guide/stop.md", "guide/halt.md")
    repository.commit()
    code, report = commands.run(*words)
    assert (code, report["chunks"]["embedded"]) == (0, 0)
    _, found = commands.run("search", "plug", "--json")
    assert found["hits"][0]["uri"] == "https://handbook.example.com/guide/halt"
