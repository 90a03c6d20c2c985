"""Markdown with marks becomes sanitised HTML.

Method: markdown-it with raw HTML, images and automatic links off, then nh3 with an allow-list of
elements. Marks become links to their sources.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from supportbot.answering.links import is_web
from supportbot.conversation import Citation

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_MARK = re.compile(r"\[(\d{1,3})\](?!\()")
_TAG_NAMES = """
a blockquote br code em h1 h2 h3 h4 h5 h6 hr li ol p pre strong table tbody td th thead tr ul
"""
_ATTRIBUTES = {"a": {"href", "title", "class"}, "ol": {"start"}}


def render(text: str, citations: Iterable[Citation] = ()) -> str:
    """Return sanitised HTML; `[n]` links to the nth citation where that is a web page."""
    import nh3

    by_number = {str(citation.number): citation for citation in citations}
    markup = _markdown().render(text, {"citations": by_number})
    return nh3.clean(
        markup,
        tags=set(_TAG_NAMES.split()),
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https"},
        link_rel="noopener noreferrer nofollow",
    )


@cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    markdown.inline.ruler.before("link", "mark", _parse_mark)
    markdown.add_render_rule("mark", _render_mark)
    return markdown


def _parse_mark(state: Any, silent: bool) -> bool:
    match = _MARK.match(state.src, state.pos)
    if match is None or match[1] not in state.env.get("citations", {}):
        return False
    if not silent:
        token = state.push("mark", "", 0)
        token.content = match[1]
    state.pos = match.end()
    return True


def _render_mark(_: Any, tokens: Any, index: int, __: Any, env: Mapping[str, Any]) -> str:
    from markdown_it.common.utils import escapeHtml

    citation: Citation = env["citations"][tokens[index].content]
    label = f"[{citation.number}]"
    if not is_web(citation.link):
        return label
    href, title = escapeHtml(citation.link), escapeHtml(citation.title)
    return f'<a class="citation" href="{href}" title="{title}">{label}</a>'
