"""Markdown, with YAML or TOML front matter, and as crawlers leave it."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from typing import TYPE_CHECKING, Any

from ingest.errors import ParseFailed
from ingest.parsers import fields
from ingest.parsers.base import Parsed
from ingest.parsers.characters import clean, decode
from ingest.parsers.leftovers import split_heading_ids, without_leftovers
from ingest.sources.base import RawDocument

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_MAX_FRONT_MATTER = 64_000
_FENCE = re.compile(r"\s*(---|\+\+\+)[ \t]*\n")
_ENDS = {
    "---": re.compile(r"^(---|\.\.\.)[ \t]*$", re.M),
    "+++": re.compile(r"^\+\+\+[ \t]*$", re.M),
}
_KEY_LINE = re.compile(r"\w[\w -]*[:=]")
_ATX_TITLE = re.compile(r"\s*^ {0,3}#[ \t]+([^\n]*?)(?:[ \t]+#+)?[ \t]*$\n?", re.M)
_SETEXT_TITLE = re.compile(r"\s*^ {0,3}(\S[^\n]*?)[ \t]*\n {0,3}=+[ \t]*$\n?", re.M)
_SOURCE_LINE = re.compile(r"\s*^Source:[ \t]*<?(https?://[^\s<>]+)>?[ \t]*$\n?", re.M)


def parse(raw: RawDocument) -> Parsed:
    """Return the Markdown without its front matter, title line and crawler's `Source:` line."""
    front, body = _split_front_matter(clean(decode(raw.data)))
    body = without_leftovers(body, is_mdx=raw.ending == ".mdx")
    heading, body = _split_title(body)
    source = _SOURCE_LINE.match(body)
    if source:
        body = body[source.end() :]
    text, anchors = split_heading_ids(clean(body))
    url = fields.first_text(front, "url", "source_url")
    parsed = Parsed(
        text=text,
        title=fields.first_text(front, "title") or plain(split_heading_ids(f"# {heading}")[0][2:]),
        url=url or (source[1] if source else ""),
        language=fields.first_text(front, "language", "lang"),
        modified_at=fields.moment(front, "last_modified", "modified", "updated", "lastmod", "date"),
        audiences=fields.audiences(front, "audience", "audiences"),
        tags=fields.tags(front, "tags"),
        owner=fields.first_text(front, "owner"),
        version=fields.first_text(front, "version"),
        valid_until=fields.last_day(front),
        anchors=anchors,
    )
    if front.keys() & {"question", "questions"}:
        from ingest.parsers.curated import curated

        return curated(front, parsed)
    return parsed


def plain(inline: str) -> str:
    """Return a line of Markdown as it reads, without its marks."""
    tokens = _inline_parser().parseInline(inline)
    children = [child for token in tokens for child in token.children or []]
    return " ".join("".join(child.content for child in children).split())


@cache
def _inline_parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"maxNesting": 20})


def _split_front_matter(text: str) -> tuple[dict[str, Any], str]:
    opened = _FENCE.match(text)
    if not opened:
        return {}, text
    kind = opened[1]
    closed = _ENDS[kind].search(text, opened.end(), opened.end() + _MAX_FRONT_MATTER)
    if not closed:
        # A page whose labels cannot be read must not be published without them.
        if _KEY_LINE.match(text, opened.end()):
            raise ParseFailed(f"its front matter is never closed with {kind}")
        return {}, text
    values = _read_front_matter(text[opened.end() : closed.start()], kind)
    if not isinstance(values, dict):  # two thematic breaks with text between
        return {}, text
    return {str(key).lower(): value for key, value in values.items()}, text[closed.end() :]


def _read_front_matter(block: str, kind: str) -> Any:
    import yaml

    try:
        return (yaml.safe_load(block) or {}) if kind == "---" else tomllib.loads(block)
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 2}" if error.problem_mark else ""
        raise ParseFailed(f"its front matter is not valid YAML{line}: {error.problem}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ParseFailed(f"its front matter cannot be read: {error}") from error


def _split_title(body: str) -> tuple[str, str]:
    for pattern in (_ATX_TITLE, _SETEXT_TITLE):
        match = pattern.match(body)
        if match:
            return match[1], body[match.end() :]
    return "", body
