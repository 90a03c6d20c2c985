"""What stands within a line of AsciiDoc, as Markdown.

https://docs.asciidoctor.org/asciidoc/latest/text/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from ingest.parsers.blocks import code_span

_MAX_DEPTH = 8
_WORD_BEFORE = r"(?<![\w\\])"
_ADDRESS = r"(?:https?|ftp|irc|mailto):[^\s\[\]<>]{1,2000}"
_LABEL = r"\[(?P<{}>(?:[^\]\\]|\\.){{0,1000}})\]"
# One alternative a kind of mark; what comes first in the line wins, so code is never looked into.
_MARKS = re.compile(
    r"\\(?P<escape>\*\*|__|``|[*_`#^~+<\[(\"'-]|\w{2,20}:)"
    r"|(?P<pass>\+\+\+(?P<passed3>.{1,2000}?)\+\+\+|pass:[a-z,]*\[(?P<passed>[^\]]{0,2000})\])"
    r"|``(?P<code2>[^\n]{1,1000}?)``"
    rf"|{_WORD_BEFORE}`(?P<code>[^`\n]{{1,1000}})`(?!\w)"
    rf"|{_WORD_BEFORE}\+(?P<plain>[^\s+](?:[^+\n]{{0,1000}}[^\s+])?)\+(?!\w)"
    r"|(?P<index>\(\(\([^()]{0,500}\)\)\)|indexterm:\[[^\]]{0,500}\])"
    r"|\(\((?P<term>[^()]{1,500})\)\)"
    r"|(?P<anchor>\[\[[\w:][^\]\[]{0,200}\]\]|anchor:[\w-]{1,200}\[[^\]]{0,200}\])"
    r"|<<(?P<ref>[^<>,]{1,500})(?:,\s*(?P<ref_label>[^<>]{0,500}))?>>"
    rf"|xref:(?P<xref>[^\s\[\]]{{1,500}}){_LABEL.format('xref_label')}"
    rf"|link:(?P<link>[^\s\[\]]{{1,2000}}){_LABEL.format('link_label')}"
    rf"|{_WORD_BEFORE}(?P<url>{_ADDRESS}){_LABEL.format('url_label')}"
    r"|(?P<image>(?:image|icon):[^\s\[\]:][^\s\[\]]{0,500}\[[^\]]{0,500}\])"
    rf"|(?P<note>footnote(?:ref)?:[\w-]{{0,100}}){_LABEL.format('note_label')}"
    rf"|(?P<key>kbd|btn):{_LABEL.format('key_label')}"
    rf"|menu:(?P<menu>[^\s\[\]]{{1,200}}){_LABEL.format('menu_label')}"
    rf"|(?:stem|latexmath|asciimath):[a-z,]*{_LABEL.format('math')}"
    r"|(?:\[[\w.#%,= -]{0,100}\])?(?:"
    r"\*\*(?P<strong2>[^\n]{1,2000}?)\*\*"
    r"|__(?P<emphasis2>[^\n]{1,2000}?)__"
    r"|##(?P<mark2>[^\n]{1,2000}?)##"
    rf"|{_WORD_BEFORE}\*(?P<strong>[^\s*](?:[^*]{{0,2000}}[^\s*])?)\*(?!\w)"
    rf"|{_WORD_BEFORE}_(?P<emphasis>[^\s_](?:[^_]{{0,2000}}[^\s_])?)_(?!\w)"
    rf"|{_WORD_BEFORE}\#(?P<mark>[^\s#](?:[^#]{{0,2000}}[^\s#])?)\#(?!\w))"
    r"|\^(?P<raised>[^\s^]{1,200})\^|~(?P<lowered>[^\s~]{1,200})~"
    r"|\"`(?P<double>[^\n]{1,1000}?)`\"|'`(?P<single>[^\n]{1,1000}?)`'"
    r"|(?P<sign>\((?:C|R|TM)\)|(?<=\s)--(?=\s)|(?<=\w)--(?=\w)|\.\.\.|->|=>|<-|<=(?!=)|(?<=\w)'(?=\w))",
    re.DOTALL,
)
_SIGNS = {
    "(C)": "©",
    "(R)": "®",
    "(TM)": "™",
    "--": "—",
    "...": "…",
    "->": "→",
    "=>": "⇒",
    "<-": "←",
    "<=": "⇐",
    "'": "’",
}
_WEB = ("http://", "https://", "mailto:")


class Inline:
    """Writes lines; `titles` are those of sections by the ids that lead to them."""

    def __init__(self, titles: Mapping[str, str]) -> None:
        self._titles = titles

    def write(self, text: str, depth: int = 0) -> str:
        """Return the line as Markdown."""
        if depth > _MAX_DEPTH:
            return text
        return _MARKS.sub(lambda match: self._replaced(match, depth + 1), text)

    def _replaced(self, match: re.Match[str], depth: int) -> str:
        for name, value in match.groupdict().items():
            if value is not None and name in _WRITERS:
                return _WRITERS[name](self, match, depth)
        return match[0]

    def _escaped(self, match: re.Match[str], depth: int) -> str:
        return match["escape"]

    def _verbatim(self, match: re.Match[str], depth: int) -> str:
        return next(filter(None, (match["passed3"], match["passed"], match["plain"])), "")

    def _nothing(self, match: re.Match[str], depth: int) -> str:
        return ""

    def _code(self, match: re.Match[str], depth: int) -> str:
        code = match["code2"] or match["code"]
        plain = code[1:-1] if len(code) > 2 and code[0] == code[-1] == "+" else code
        return code_span(plain)

    def _text(self, match: re.Match[str], depth: int) -> str:
        names = ("term", "mark2", "mark", "raised", "lowered", "math")
        return self.write(next(match[name] for name in names if match[name] is not None), depth)

    def _strong(self, match: re.Match[str], depth: int) -> str:
        return f"**{self.write(match['strong2'] or match['strong'], depth)}**"

    def _emphasis(self, match: re.Match[str], depth: int) -> str:
        return f"*{self.write(match['emphasis2'] or match['emphasis'], depth)}*"

    def _quoted(self, match: re.Match[str], depth: int) -> str:
        if match["double"]:
            return f"“{self.write(match['double'], depth)}”"
        return f"‘{self.write(match['single'], depth)}’"

    def _reference(self, match: re.Match[str], depth: int) -> str:
        target, label = match["ref"] or match["xref"], match["ref_label"] or match["xref_label"]
        if label and label.strip():
            return self.write(_label(label), depth)
        path, _, fragment = target.rpartition("#")
        name = fragment or path or target
        return self._titles.get(name, "") or name.rpartition("/")[2].removesuffix(".adoc")

    def _link(self, match: re.Match[str], depth: int) -> str:
        address, label = match["link"] or match["url"], match["link_label"] or match["url_label"]
        address = address.removeprefix("++").removesuffix("++")
        words = self.write(_label(label or ""), depth)
        if not address.startswith(_WEB):
            return words or address
        return f"[{words}]({address})" if words else address.removeprefix("mailto:")

    def _footnote(self, match: re.Match[str], depth: int) -> str:
        words = match["note_label"]
        return f" ({self.write(words, depth)})" if words else ""

    def _key(self, match: re.Match[str], depth: int) -> str:
        return match["key_label"]

    def _menu(self, match: re.Match[str], depth: int) -> str:
        parts = [match["menu"], *match["menu_label"].split(">")]
        return " › ".join(part.strip() for part in parts if part.strip())

    def _sign(self, match: re.Match[str], depth: int) -> str:
        return _SIGNS[match["sign"]]


def _label(text: str) -> str:
    """Return the words of a link without its settings, such as `,window=_blank` and a last `^`."""
    text = re.sub(r",\s*\w+=.*", "", text.replace("\\]", "]"), flags=re.DOTALL)
    text = text.strip().removesuffix("^")
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


_WRITERS: dict[str, Callable[[Inline, re.Match[str], int], str]] = {
    "escape": Inline._escaped,
    **dict.fromkeys(("index", "anchor", "image"), Inline._nothing),
    **dict.fromkeys(("pass", "plain"), Inline._verbatim),
    **dict.fromkeys(("code2", "code"), Inline._code),
    **dict.fromkeys(("term", "mark2", "mark", "raised", "lowered", "math"), Inline._text),
    **dict.fromkeys(("strong2", "strong"), Inline._strong),
    **dict.fromkeys(("emphasis2", "emphasis"), Inline._emphasis),
    **dict.fromkeys(("double", "single"), Inline._quoted),
    **dict.fromkeys(("ref", "xref"), Inline._reference),
    **dict.fromkeys(("link", "url"), Inline._link),
    "note": Inline._footnote,
    "key": Inline._key,
    "menu": Inline._menu,
    "sign": Inline._sign,
}
