"""The product's own help articles as HTML; the starter knowledge base cites these pages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

import knowledge

FOLDER = Path(knowledge.__file__).parent / "articles"
FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Article:
    """One help article, rendered."""

    slug: str
    title: str
    html: str
    summary: str


def read_articles(folder: Path = FOLDER) -> dict[str, Article]:
    """Return all help articles by their slug, in order of their titles."""
    found = [read_article(path) for path in folder.glob("*.md")]
    return {article.slug: article for article in sorted(found, key=lambda one: one.title)}


def read_article(path: Path) -> Article:
    """Read a help article: Markdown with a `title` in its front matter."""
    text = path.read_text(encoding="utf-8")
    match = FRONT_MATTER.match(text)
    fields = yaml.safe_load(match[1]) if match else None
    title = str(fields["title"]) if isinstance(fields, Mapping) and "title" in fields else path.stem
    html = render(text[match.end() :] if match else text)
    first = re.search(r"<p>(.*?)</p>", html, re.DOTALL)
    summary = re.sub(r"<[^>]*>", "", first[1]) if first else ""
    return Article(path.stem, title, html, summary)


def render(markdown: str) -> str:
    """Render a help article as HTML: headings get anchors, links to `page.md` lead to its page."""
    import nh3
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(markdown)
    for at, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", _anchor(tokens[at + 1].content))
        for child in token.children or ():
            if child.type == "link_open":
                child.attrSet("href", _page_of(str(child.attrGet("href") or "")))
    html = parser.renderer.render(tokens, parser.options, {})
    attributes = {**nh3.ALLOWED_ATTRIBUTES, **{f"h{level}": {"id"} for level in range(1, 7)}}
    return nh3.clean(html, attributes=attributes, url_schemes={"http", "https", "mailto"})


def _page_of(href: str) -> str:
    parts = urlsplit(href)
    if parts.scheme or parts.netloc or not parts.path.endswith(".md"):
        return href
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    return f"/help/{Path(parts.path).stem}{fragment}"


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w]+", "-", heading.casefold()).strip("-")
