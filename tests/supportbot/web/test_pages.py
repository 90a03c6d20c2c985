from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.web.articles import FOLDER, read_article, render
from tests.servers.web import WebServer

PAGES = ("/demo", "/help/", "/docs", "/help/install")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_runs_and_loads_nothing_but_our_own_files(http: httpx2.Client, path: str) -> None:
    response = http.get(path)
    assert response.status_code == 200
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "same-origin"
    loaded = re.findall(r'<(?:script|img|link)[^>]*?(?:src|href)="([^"]*)"', response.text)
    assert loaded
    assert all(address.startswith("/") and not address.startswith("//") for address in loaded)
    assert "<style" not in response.text
    assert " style=" not in response.text
    assert not re.search(r"<script(?![^>]*\bsrc=)", response.text)


def test_every_asset_of_the_pages_exists(http: httpx2.Client) -> None:
    for path in ("/widget.js", "/assets/page.css", "/assets/icon.svg"):
        response = http.get(path)
        assert response.status_code == 200
        again = http.get(path, headers={"If-None-Match": response.headers["etag"]})
        assert again.status_code == 304
        assert not again.content


def test_the_widget_may_be_loaded_by_any_site(http: httpx2.Client) -> None:
    response = http.get("/widget.js")
    assert response.headers["content-type"].startswith("text/javascript")
    assert response.headers["cross-origin-resource-policy"] == "cross-origin"


def test_every_help_article_has_its_page(http: httpx2.Client) -> None:
    overview = http.get("/help/").text
    slugs = [path.stem for path in FOLDER.glob("*.md")]
    assert slugs
    for slug in slugs:
        assert f'href="/help/{slug}"' in overview
        response = http.get(f"/help/{slug}")
        assert response.status_code == 200
        assert read_article(FOLDER / f"{slug}.md").title


def test_links_between_articles_lead_to_pages(http: httpx2.Client) -> None:
    for path in FOLDER.glob("*.md"):
        for target in re.findall(r'href="(/help/[^"#]*)', read_article(path).html):
            assert http.get(target).status_code == 200, f"{path.name} links to {target}"


def test_an_article_is_rendered_with_anchors_and_without_its_front_matter(tmp_path: Path) -> None:
    path = tmp_path / "install.md"
    path.write_text(
        "---\ntitle: Install & run\n---\n# Install\n\nSee [settings](settings.md#home).\n\n"
        "## On Debian 12\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
        encoding="utf-8",
    )
    article = read_article(path)
    assert article.title == "Install & run"
    assert article.summary == "See settings."
    assert '<h2 id="on-debian-12">On Debian 12</h2>' in article.html
    assert 'href="/help/settings#home"' in article.html
    assert "<td>1</td>" in article.html
    assert "title:" not in article.html


class Harm(HTMLParser):
    """Collects what could run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "iframe", "object", "embed", "form", "style"}:
            self.found.append(tag)
        for name, value in attrs:
            if name.startswith("on") or (value or "").startswith("javascript:"):
                self.found.append(f"{name}={value}")


PIECES = [
    *("<script>", "<img src=x onerror=a()>", "[a](javascript:a)", "![a](javascript:a)", "<a>"),
    *("# ", "\n", "\n\n", "`", "*", "[", "](", ")", "<", ">", '"', "&lt;", "| a |", "x"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_no_markdown_of_an_article_becomes_something_that_runs(markdown: str) -> None:
    assert not Harm(render(markdown)).found


def test_health_says_nothing_about_our_insides(http: httpx2.Client, server: WebServer) -> None:
    assert http.get("/healthz").json() == {"status": "alive"}
    assert http.get("/readyz").json()["status"] == "ready"
    server.services.parts = {"database": "", "knowledge": "/srv/secret/releases is damaged"}
    response = http.get("/readyz")
    assert response.status_code == 503
    assert response.json()["parts"] == {"database": "ok", "knowledge": "failing"}
    assert "secret" not in response.text
    assert "server" not in response.headers or "uvicorn" in response.headers["server"]


def test_slack_events_are_taken_at_their_exact_address() -> None:
    async def slack(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ack"})

    with WebServer(slack=slack) as server:
        address = f"{server.url}/slack/events"
        response = httpx2.post(address, content=b"x", headers={"Host": "bot.example.com"})
        assert response.text == "ack"
        assert httpx2.get(address).status_code == 405


def test_slack_is_not_there_unless_it_is_configured(http: httpx2.Client) -> None:
    assert http.post("/slack/events", content=b"x").status_code == 404
