"""The pages: the widget and the page that shows it, the help articles, the description of the API.

All is made of our own files, so no page asks a third party for anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from supportbot.config import BotSettings
from supportbot.web.articles import Article, read_articles
from supportbot.web.problems import Problem
from supportbot.web.reference import describe

FILES = Path(__file__).parent / "widget"
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
QUESTIONS = ("How do I connect Slack?", "How do I add documents?", "What does it cost?")


class Pages:
    """Serves the widget's files and every page for people."""

    def __init__(self, settings: BotSettings, openapi: Callable[[], dict[str, Any]]) -> None:
        self._widgets = settings.widgets
        self._openapi = openapi

    def add_to(self, app: FastAPI) -> None:
        """Register the routes."""
        routes: dict[str, Callable[[Request], Any]] = {
            "/": self._root,
            "/widget.js": self._widget,
            "/assets/{name}": self._asset,
            "/demo": self._demo,
            "/docs": self._docs,
            "/help": self._help,
            "/help/": self._help,
            "/help/{slug}": self._article,
        }
        for path, endpoint in routes.items():
            app.add_route(path, endpoint, methods=["GET"], include_in_schema=False)

    @cached_property
    def _articles(self) -> dict[str, Article]:
        return read_articles()

    async def _root(self, request: Request) -> Response:
        return RedirectResponse("/demo")

    async def _widget(self, request: Request) -> Response:
        return _file(request, "widget.js", {"Cross-Origin-Resource-Policy": "cross-origin"})

    async def _asset(self, request: Request) -> Response:
        return _file(request, request.path_params["name"])

    async def _demo(self, request: Request) -> Response:
        cards = "".join(_card(article) for article in list(self._articles.values())[:6])
        body = (
            '<section class="hero"><h1>How can we help?</h1>'
            "<p>Ask in the chat at the bottom right: it answers from these articles, "
            "and shows where each sentence comes from.</p></section>"
            f'<section class="cards">{cards}</section>'
            f'<p class="more"><a href="/help/">All articles</a></p>'
        )
        return self._page("Help centre", body, opens=True)

    async def _help(self, request: Request) -> Response:
        cards = "".join(_card(article) for article in self._articles.values())
        body = f'<h1>Help</h1><section class="cards">{cards}</section>'
        return self._page("Help", body)

    async def _article(self, request: Request) -> Response:
        article = self._articles.get(request.path_params["slug"])
        if article is None:
            raise Problem(404, "There is no such article; /help/ lists them all.")
        body = (
            '<nav class="crumbs" aria-label="Breadcrumb"><a href="/help/">Help</a></nav>'
            f"<article>{article.html}</article>"
        )
        return self._page(article.title, body)

    async def _docs(self, request: Request) -> Response:
        schema = self._openapi()
        return self._page("HTTP API", describe(schema), has_widget=False)

    def _page(
        self, title: str, body: str, *, opens: bool = False, has_widget: bool = True
    ) -> Response:
        script = self._script(opens) if has_widget else ""
        kind = ' class="beside-chat"' if opens else ""
        return HTMLResponse(
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(title)} · supportbot</title>"
            '<link rel="icon" href="/assets/icon.svg">'
            '<link rel="stylesheet" href="/assets/page.css">'
            f'{script}</head><body{kind}><header class="top"><a class="brand" href="/help/">'
            '<img src="/assets/icon.svg" alt="" width="24" height="24">supportbot</a>'
            '<nav aria-label="Pages"><a href="/demo">Demo</a><a href="/help/">Help</a>'
            f'<a href="/docs">API</a></nav></header><main>{body}</main></body></html>'
        )

    def _script(self, opens: bool) -> str:
        """Return the tag that a customer would paste, for the first widget."""
        data = {"data-suggestions": "|".join(QUESTIONS)}
        if self._widgets:
            data["data-key"] = self._widgets[0].key.get_secret_value()
            data["data-title"] = self._widgets[0].title
        if opens:
            data["data-open"] = ""
        attributes = "".join(f' {name}="{escape(value)}"' for name, value in data.items())
        return f'<script src="/widget.js" defer{attributes}></script>'


def _card(article: Article) -> str:
    return (
        f'<a class="card" href="/help/{escape(article.slug)}"><h2>{escape(article.title)}</h2>'
        f"<p>{article.summary}</p></a>"
    )


def _file(request: Request, name: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return one of our own files; browsers ask each time whether it changed."""
    path = FILES / name
    if path.parent != FILES or path.suffix not in MEDIA_TYPES or not path.is_file():
        raise Problem(404, "There is no such file.")
    content = path.read_bytes()
    tag = f'"{sha256(content).hexdigest()[:16]}"'
    kept = {"ETag": tag, "Cache-Control": "no-cache", **(headers or {})}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=kept)
    return Response(content, headers=kept, media_type=MEDIA_TYPES[path.suffix])
