"""Markdown of an answer to Slack's mrkdwn. Pure.

Slack's markup has no escape for its own `*_~` and a message that is cut inside a code fence shows
the rest of the thread as code, so text is taken apart into pieces that may stand alone, and only a
piece that is too long by itself is cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from supportbot.conversation import Citation

if TYPE_CHECKING:
    from markdown_it.token import Token

PIECE_CHARACTERS = 2_900  # a section takes 3,000
LABEL_CHARACTERS = 150
URL_CHARACTERS = 2_000
FENCE = "```"
FENCE_CHARACTERS = 2 * len(f"{FENCE}\n")
BULLETS = ("•", "◦", "▪")
OPEN, CLOSE = "\x01", "\x02"  # edges of a styled run; no text holds them, see INVISIBLE
STYLES = {"strong": "*", "em": "_", "s": "~"}
# Control characters, bidirectional overrides and tag characters: what no reader sees.
INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]"
)
MASS_MENTION = re.compile(r"@(?=(?:here|channel|everyone|group)\b)", re.IGNORECASE)
MARK_OR_URL = re.compile(r"\[(\d{1,3})\]|(https?://[^\s<>\"'`|]+)")
LOOKS_LIKE_ADDRESS = re.compile(r"://|\bwww\.|\w\.[a-z]{2,}\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of mrkdwn that may stand alone, and the gap to the one before it."""

    text: str
    gap: str = "\n\n"


class Links:
    """Which addresses of an answer may be clicked: those of its sources, or quoted from them."""

    def __init__(self, citations: Sequence[Citation] = ()) -> None:
        self._by_number = {citation.number: citation.link for citation in citations}
        self._known = {
            address for citation in citations for address in (citation.uri, citation.link)
        }
        self._quotes = tuple(citation.quote for citation in citations)

    def allows(self, url: str) -> bool:
        """Tell whether an address comes from a source of the answer."""
        if not is_web_address(url):
            return False
        return url in self._known or any(url in quote for quote in self._quotes)

    def mark(self, number: int) -> str:
        """Return `[1]`, as a link to its source where that is a web page."""
        return link(self._by_number.get(number, ""), f"[{number}]")


def is_web_address(url: str) -> bool:
    """Tell whether a link to the address can be shown as one."""
    return url.startswith(("https://", "http://")) and len(url) <= URL_CHARACTERS


def escape(text: str) -> str:
    """Return text that Slack shows as it is and that calls nobody."""
    text = INVISIBLE.sub("", text.replace("\r\n", "\n"))
    text = MASS_MENTION.sub("@\u200b", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def link(url: str, label: str) -> str:
    """Return a link with a plain label; the label alone where the address is no web page."""
    label = escape(" ".join(label.split()))
    if not is_web_address(url):
        return label
    for character, encoded in (("|", "%7C"), ("<", "%3C"), (">", "%3E"), (" ", "%20")):
        url = url.replace(character, encoded)
    return f"<{escape(url)}|{label}>" if label else f"<{escape(url)}>"


def shorten(text: str, limit: int) -> str:
    """Return text of at most `limit` characters, its cut shown."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def to_pieces(markdown: str, links: Links, limit: int = PIECE_CHARACTERS) -> list[Piece]:
    """Return Markdown as mrkdwn, in order, each piece of at most `limit` characters."""
    from markdown_it import MarkdownIt

    # A reference definition in the text would turn every mark into a link of its choice.
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    tokens = parser.disable("reference").parse(INVISIBLE.sub("", markdown))
    return list(_Walk(links, limit).pieces(tokens))


def cut(text: str, limit: int) -> int:
    """Return where to cut text: at most at `limit`, never within a link or an entity.

    The place is after a space or a line's end where there is one in the second half.
    """
    if len(text) <= limit:
        return len(text)
    opened = text.rfind("<", 0, limit)
    if opened > 0 and text.find(">", opened, limit) < 0:
        limit = opened
    space = max(text.rfind(" ", limit // 2, limit), text.rfind("\n", limit // 2, limit))
    within = text.rfind("<", 0, space + 1)
    if space > 0 and text.find(">", within, space + 1) >= within:
        return space + 1
    entity = text.rfind("&", max(0, limit - 4), limit)
    return entity if entity > 0 and text.find(";", entity, limit) < 0 else limit


class _Walk:
    """One pass over the tokens of a text."""

    def __init__(self, links: Links, limit: int) -> None:
        self._links = links
        self._limit = limit
        self._lists: list[int | None] = []  # the next number of each open list; None: bullets
        self._bullet = ""  # of a list item whose first line is still to come
        self._quotes = 0
        self._rows: list[list[str]] = []
        self._is_heading = False
        self._was_list = False

    def pieces(self, tokens: Sequence[Token]) -> Iterator[Piece]:
        for token in tokens:
            if token.type == "inline":
                yield from self._paragraph(token.children or [])
            elif token.type in ("fence", "code_block"):
                yield from self._code(token.content)
            elif token.type == "hr":
                yield self._piece("———")
            elif token.type == "table_close":
                yield from self._code(_aligned(self._rows))
                self._rows = []
            else:
                self._enter(token)

    def _enter(self, token: Token) -> None:
        """Keep track of what the next text stands in."""
        kind = token.type
        if kind in ("bullet_list_open", "ordered_list_open"):
            start = int(token.attrGet("start") or 1)
            self._lists.append(start if kind.startswith("ordered") else None)
        elif kind in ("bullet_list_close", "ordered_list_close"):
            self._lists.pop()
        elif kind == "list_item_open":
            self._bullet = self._next_bullet()
        elif kind.startswith("blockquote"):
            self._quotes += token.nesting
        elif kind.startswith("heading"):
            self._is_heading = token.nesting > 0
        elif kind == "tr_open":
            self._rows.append([])

    def _next_bullet(self) -> str:
        number = self._lists[-1]
        if number is None:
            return BULLETS[min(len(self._lists), len(BULLETS)) - 1] + " "
        self._lists[-1] = number + 1
        return f"{number}. "

    def _paragraph(self, children: Sequence[Token]) -> Iterator[Piece]:
        if self._rows:
            self._rows[-1].append(_plain(children))
            return
        bullet, self._bullet = self._bullet, ""
        indent = "    " * max(0, len(self._lists) - 1)
        room = self._limit - len(indent) - len(bullet) - 2
        text = self._styled(children) if len(_plain(children)) < room else ""
        if not text or len(text) > room:
            text = _inline(children, self._links, styled=False)
        for part in _split(text, room // 2 if self._quotes else room):
            lines = f"{bullet}{part}".split("\n")
            quote = "> " if self._quotes else ""
            yield self._piece("\n".join(f"{quote}{indent}{line}" for line in lines))
            bullet = ""

    def _styled(self, children: Sequence[Token]) -> str:
        if not self._is_heading:
            return _inline(children, self._links)
        return f"*{_inline(children, self._links, styled=False)}*"

    def _code(self, code: str) -> Iterator[Piece]:
        text = escape(code.rstrip("\n")).replace(FENCE, "`\u200b`\u200b`")
        for part in _split(text, self._limit - FENCE_CHARACTERS, by=_cut_line):
            yield self._piece(f"{FENCE}\n{part}\n{FENCE}")

    def _piece(self, text: str) -> Piece:
        is_list = bool(self._lists)
        gap = "\n" if is_list and self._was_list else "\n\n"
        self._was_list = is_list
        return Piece(text, gap)


def _inline(children: Sequence[Token], links: Links, *, styled: bool = True) -> str:
    """Return inline tokens as mrkdwn; `styled=False` leaves marks of style out, and keeps links."""
    parts: list[str] = []
    linked: list[str] | None = None  # label of the link that is being read
    target = ""
    for token in children:
        if token.type == "link_open":
            linked, target = [], str(token.attrGet("href") or "")
        elif token.type == "link_close" and linked is not None:
            parts.append(_model_link(target, "".join(linked), links))
            linked = None
        elif linked is not None:
            linked.append(_plain([token]))
        else:
            parts.append(_atom(token, links, styled))
    return _settle_edges("".join(parts))


def _atom(token: Token, links: Links, styled: bool) -> str:
    if token.type == "code_inline":
        code = escape(token.content).replace("`", "ˋ")
        return f"`{code}`" if styled and code.strip() else code
    if token.type in ("softbreak", "hardbreak"):
        return "\n"
    style = STYLES.get(token.type.partition("_")[0])
    if style and token.type.endswith(("_open", "_close")):
        edge = f"{OPEN}{style}" if token.nesting > 0 else f"{style}{CLOSE}"
        return edge if styled else ""
    if token.type == "text":
        return _text(token.content, links)
    return escape(_plain([token]))


def _text(content: str, links: Links) -> str:
    """Return plain text with its marks, and the addresses of its sources, as links."""
    parts, end = [], 0
    for match in MARK_OR_URL.finditer(content):
        if match.group(1):
            shown, stop = links.mark(int(match.group(1))), match.end()
        else:
            url = match.group(2).rstrip(".,;:!?)]*_")
            shown = link(url, "") if links.allows(url) else escape(url)
            stop = match.start() + len(url)
        parts += [escape(content[end : match.start()]), shown]
        end = stop
    return "".join([*parts, escape(content[end:])])


def _model_link(url: str, label: str, links: Links) -> str:
    """Return a link of the text; one that is no source's is shown in full and cannot be clicked."""
    label = shorten(" ".join(label.split()), LABEL_CHARACTERS)
    if not links.allows(url):
        return escape(label if url in ("", label) else f"{label} ({url})")
    if LOOKS_LIKE_ADDRESS.search(label):  # a label must not pose as another address
        return link(url, "") if label in url else f"{escape(label)} ({link(url, '')})"
    return link(url, label)


def _plain(children: Sequence[Token]) -> str:
    """Return the words of inline tokens, without any markup."""
    parts = []
    for token in children:
        if token.type == "image":
            parts.append(_plain(token.children or []))
        elif token.type in ("softbreak", "hardbreak"):
            parts.append(" ")
        else:
            parts.append(token.content)
    return "".join(parts)


def _settle_edges(text: str) -> str:
    """Return text whose styled runs touch no word: Slack shows `a*b*` with its asterisks."""
    text = re.sub(rf"(?<=\w){OPEN}", "\u200b", text)
    text = re.sub(rf"{CLOSE}(?=\w)", "\u200b", text)
    return text.replace(OPEN, "").replace(CLOSE, "")


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return a table's rows as lines of equal columns."""
    cells = [[INVISIBLE.sub("", cell) for cell in row] for row in rows]
    widths = [
        min(40, max(len(row[column]) for row in cells if column < len(row)))
        for column in range(max(map(len, cells), default=0))
    ]
    lines = [
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
        for row in cells
    ]
    return "\n".join([*lines[:1], "-|-".join("-" * width for width in widths), *lines[1:]])


def _split(text: str, limit: int, by: Callable[[str, int], int] = cut) -> Iterator[str]:
    while len(text) > limit:
        at = by(text, limit)
        part, text = text[:at], text[at:]
        yield part.rstrip("\n") if by is _cut_line else part.rstrip()
    if text:
        yield text


def _cut_line(text: str, limit: int) -> int:
    """Return where to cut code: after a line's end if there is one, else never in an entity."""
    line = text.rfind("\n", 0, limit)
    if line > 0:
        return line + 1
    entity = text.rfind("&", limit - 4, limit)
    return entity if entity > 0 and text.find(";", entity, limit) < 0 else limit
