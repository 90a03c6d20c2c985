"""What site generators read in Markdown and readers never see as it stands there.

Components of MDX, HTML tags and comments, shortcodes of Hugo, Jekyll and GitBook, admonitions of
Docusaurus, MkDocs and GitHub, link definitions and ids of headings. Code is left as it is.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence

from ingest.parsers.blocks import admonition

_FENCE = re.compile(r"[ \t>]*(`{3,}|~{3,})")
# Elements whose content no reader sees, and the signs that an element is hidden.
_UNSEEN = r"script|style|template|noscript|iframe|object|svg|head"
_HIDDEN = (
    r"hidden(?=[\s/>=])|aria-hidden=[\"']?true"
    r"|style=[\"{'][^\"'<>]{0,200}(?:display:\s*[\"']?none|visibility:\s*[\"']?hidden|font-size:\s*0)"
)
_ELEMENTS = (
    "a|abbr|address|article|aside|b|bdi|big|blockquote|br|button|caption|center|cite|code|col"
    "|colgroup|dd|del|details|dfn|dialog|div|dl|dt|em|figcaption|figure|font|footer|form|h[1-6]"
    "|header|hr|i|img|input|ins|kbd|label|li|link|main|mark|meta|nav|ol|option|p|picture|pre|q|s"
    "|samp|section|select|small|source|span|strike|strong|sub|summary|sup|table|tbody|td|textarea"
    "|tfoot|th|thead|time|tr|tt|u|ul|var|video|audio|wbr"
)
_ATTRIBUTES = r"(?:\s+(?:[^<>\"'{}]|\"[^\"<]{0,2000}\"|'[^'<]{0,2000}'|\{[^<>]{0,500}?\})*)?"
# What comes first in the text wins, so code is never looked into.
_MARKS = re.compile(
    r"(?P<code>(?<!`)(?P<ticks>`{1,10})(?!`)(?:[^`]|(?!(?P=ticks)(?!`))`){1,5000}?(?<!`)(?P=ticks)(?!`))"
    r"|(?P<comment><!--.*?(?:-->|\Z)|\{/\*.{0,5000}?\*/\}|\{%-?\s*comment\s*-?%\}.{0,5000}?\{%-?\s*endcomment\s*-?%\})"
    rf"|(?P<unseen><(?P<unseen_name>{_UNSEEN})\b[^<>]{{0,2000}}(?:/>|>.*?(?:</(?P=unseen_name)\s*>|\Z)))"
    rf"|(?P<hidden><(?P<hidden_name>\w{{1,20}})\b[^<>]{{0,1000}}?\s(?:{_HIDDEN})[^<>]{{0,1000}}(?:/>|>.{{0,5000}}?</(?P=hidden_name)\s*>))"
    r"|(?P<shortcode>\{\{[<%].{0,1000}?[%>]\}\}|\{%-?.{0,1000}?-?%\})"
    rf"|(?P<component></?(?:(?-i:[A-Z])[\w.]{{0,60}}(?P<attributes>{_ATTRIBUTES})\s*/?)>|</?>)"
    rf"|(?P<tag></?(?P<tag_name>{_ELEMENTS})\b{_ATTRIBUTES}\s*/?>)"
    r"|(?P<spacing>\{\s*[\"'] [\"']\s*\})"
    r"|(?P<link>(?<![\\!])\[(?P<words>[^\[\]\n]{1,500})\](?:\[(?P<target>[^\[\]\n]{0,200})\])?(?![(:\[]))",
    re.DOTALL | re.IGNORECASE,
)
_LABEL = re.compile(
    r"\b(?:label|title|summary|heading)=(?:\"([^\"]{1,200})\"|'([^']{1,200})'|\{\"([^\"]{1,200})\"\})"
)
_DEFINITION = re.compile(
    r"^ {0,3}\[(?!\^)([^\[\]\n]{1,200})\]:[ \t]*<?([^\s<>]{1,2000})>?"
    r"(?:[ \t]+(?:\"[^\"\n]*\"|'[^'\n]*'|\([^()\n]*\)))?[ \t]*$\n?",
    re.MULTILINE,
)
_IMPORT = re.compile(r"import\s(?:[^\n;]{0,500}\sfrom\s)?\s*[\"'][^\"'\n]{1,300}[\"'];?\s*")
_ESM = re.compile(r"(?:import\s|export\s+(?:default|const|let|var|function|async|class|\{|\*))")
_COMPONENT_LINE = re.compile(rf"[ \t]*</?(?:[A-Z][\w.]{{0,60}}{_ATTRIBUTES}\s*/?)?>[ \t]*")
_DIRECTIVE = re.compile(
    r"[ \t]*(:{3,})[ \t]*([\w-]{1,40})?[ \t]*(?:\[([^\]\n]*)\]|(?:\{[^}\n]*\})?[ \t]*(.*))"
)
_INDENTED = re.compile(
    r"([ \t]*)(?:!!!|\?\?\?\+?)[ \t]+([\w-]{1,40})(?:[ \t][\w -]*)?(?:[ \t]*\"([^\"\n]*)\")?[ \t]*"
)
_TAB = re.compile(r"([ \t]*)===!?\+?[ \t]+\"([^\"\n]{1,200})\"[ \t]*")
_ALERT = re.compile(r"([ \t]*)>[ \t]*\[!([A-Za-z]{2,20})\][+-]?[ \t]*(.*)")
_HEADING_ID = re.compile(
    r"^( {0,3}#{1,6}[ \t][^\n]*?)[ \t]*\{#([\w:.-]{1,200})[^}\n]{0,200}\}[ \t]*#*[ \t]*$", re.M
)
_NAMES = {"abstract": "Summary", "caution": "Caution", "danger": "Danger", "details": ""}
_LONGEST_BLOCK = 2_000  # lines
_TRIGGERS = ("<", "{", ":::", "!!!", "???", "===", "[!", "import ", "export ", "]:")


def without_leftovers(text: str, is_mdx: bool = False) -> str:
    """Return the Markdown that a reader sees; ids of headings stay for `split_heading_ids`."""
    if not any(trigger in text for trigger in _TRIGGERS):
        return text
    lines = _statements(text.split("\n"), is_mdx)
    text = "\n".join(_blocks(_dedented(lines) if is_mdx else lines))
    definitions: dict[str, str] = {}
    pieces = _pieces(text, is_mdx)
    made = [
        piece if is_code else _without_definitions(piece, definitions) for piece, is_code in pieces
    ]
    if not any(mark in text for mark in ("<", "{", "[")):
        return "".join(made)
    return "".join(
        piece if is_code else _MARKS.sub(lambda match: _replaced(match, definitions), piece)
        for piece, (_, is_code) in zip(made, pieces, strict=True)
    )


def split_heading_ids(text: str) -> tuple[str, tuple[tuple[int, str], ...]]:
    """Return the text without `{#id}` behind its headings, and each id with its place."""
    if "{#" not in text:
        return text, ()
    made, anchors = "", []
    for piece, is_code in _pieces(text):
        end = 0
        for match in () if is_code else _HEADING_ID.finditer(piece):
            made += piece[end : match.start()]
            anchors.append((len(made), match[2]))
            made, end = made + match[1], match.end()
        made += piece[end:]
    return made, tuple(anchors)


def _pieces(text: str, is_mdx: bool = False) -> list[tuple[str, bool]]:
    """Return the text in pieces, each with whether it is a block of code."""
    from markdown_it import MarkdownIt

    kinds = ("fence",) if is_mdx else ("fence", "code_block")
    lines = text.splitlines(keepends=True)
    pieces, done = [], 0
    for token in MarkdownIt("commonmark").disable("inline").parse(text):
        if token.type in kinds and token.map and token.map[0] >= done:
            start, end = token.map
            pieces += [("".join(lines[done:start]), False), ("".join(lines[start:end]), True)]
            done = end
    return [*pieces, ("".join(lines[done:]), False)]


# Lines -----------------------------------------------------------------------------------------


def _statements(lines: Sequence[str], is_mdx: bool) -> list[str]:
    """Return the lines without imports and exports, which in MDX end at an empty line."""
    kept: list[str] = []
    fence, is_inside = "", False
    for line in lines:
        fence = _fence_after(line, fence)
        if fence or not line.strip():
            is_inside = False
        elif _IMPORT.fullmatch(line):
            continue
        elif is_mdx and _ESM.match(line) and not (kept and kept[-1].strip()):
            is_inside = True
        if not is_inside:
            kept.append(line)
    return kept


def _dedented(lines: Sequence[str]) -> list[str]:
    """Return the lines of MDX less the indentation that components give to what is in them."""
    made: list[str] = []
    run: list[str] = []
    depth, fence = 0, ""
    for line in lines:
        fence = _fence_after(line, fence)
        if fence or not _COMPONENT_LINE.fullmatch(line):
            run.append(line)
            continue
        made += textwrap.dedent("\n".join(run)).split("\n") if depth else run
        made.append(line.strip())
        run = []
        depth += -1 if line.lstrip().startswith("</") else 0 if "/>" in line else 1
    return [*made, *run]


def _fence_after(line: str, fence: str) -> str:
    """Return the fence that is open after this line, "" if none is."""
    match = _FENCE.match(line)
    if not match:
        return fence
    if not fence:
        return match[1]
    closes = match[1].startswith(fence) and not line[match.end() :].strip()
    return "" if closes else fence


def _blocks(lines: Sequence[str]) -> list[str]:
    """Return the lines with admonitions as quotations, and tabs under their names."""
    made: list[str] = []
    place, fence = 0, ""
    while place < len(lines):
        line = lines[place]
        was_open, fence = bool(fence), _fence_after(line, fence)
        read = None if was_open or fence else _reader_of(line)
        if read is None:
            made.append(line)
            place += 1
            continue
        block, place = read(lines, place)
        made += block
    return made


_Read = Callable[[Sequence[str], int], tuple[list[str], int]]


def _reader_of(line: str) -> _Read | None:
    start = line.lstrip()
    if start.startswith(":::") and _DIRECTIVE.fullmatch(line):
        return _directive
    if start.startswith(("!!!", "???")) and _INDENTED.fullmatch(line):
        return _indented
    if start.startswith("===") and _TAB.fullmatch(line):
        return _tab
    return _alert if start.startswith(">") and _ALERT.fullmatch(line) else None


def _directive(lines: Sequence[str], place: int) -> tuple[list[str], int]:
    """Read `:::note Title` up to its `:::`."""
    match = _DIRECTIVE.fullmatch(lines[place])
    if not match or not match[2]:  # the end of a block that never began
        return [], place + 1
    end, depth, fence = place + 1, 1, ""
    last = min(len(lines), end + _LONGEST_BLOCK)
    while end < last:
        fence = _fence_after(lines[end], fence)
        inner = None if fence else _DIRECTIVE.fullmatch(lines[end])
        depth += 0 if inner is None else 1 if inner[2] else -1
        if not depth:
            break
        end += 1
    if depth:  # it never ends
        return [lines[place]], place + 1
    title = match[3] if match[3] is not None else match[4] or ""
    return _noted(match[2], title, lines[place + 1 : end]), end + 1


def _indented(lines: Sequence[str], place: int) -> tuple[list[str], int]:
    """Read `!!! note "Title"` with the lines that are indented below it."""
    match = _INDENTED.fullmatch(lines[place])
    body, end = _below(lines, place)
    return _noted(match[2], match[3] or "", body) if match else body, end


def _tab(lines: Sequence[str], place: int) -> tuple[list[str], int]:
    match = _TAB.fullmatch(lines[place])
    body, end = _below(lines, place)
    return ["", f"**{match[2] if match else ''}**", "", *_blocks(body), ""], end


def _alert(lines: Sequence[str], place: int) -> tuple[list[str], int]:
    """Read `> [!NOTE]` with the quotation that it begins."""
    match = _ALERT.fullmatch(lines[place])
    end = place + 1
    while end < len(lines) and lines[end].lstrip().startswith(">"):
        end += 1
    body = [re.sub(r"^[ \t]*> ?", "", line) for line in lines[place + 1 : end]]
    return _noted(match[2], match[3], body) if match else body, end


def _below(lines: Sequence[str], place: int) -> tuple[list[str], int]:
    """Return the lines that are indented deeper than this one, and the place after them."""
    indent = len(lines[place]) - len(lines[place].lstrip())
    end = place + 1
    while end < len(lines):
        line = lines[end]
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        end += 1
    body = textwrap.dedent("\n".join(lines[place + 1 : end])).strip("\n")
    return [*body.split("\n"), ""], end


def _noted(kind: str, title: str, body: Sequence[str]) -> list[str]:
    name = _NAMES.get(kind.lower(), kind.replace("-", " ").capitalize())
    inside = re.sub(r"\n{3,}", "\n\n", textwrap.dedent("\n".join(_blocks(body)))).strip()
    if not name:
        return ["", f"**{title.strip()}**" if title.strip() else "", "", inside, ""]
    made = admonition(name, title.strip().strip('"'), [inside] if inside else [])
    return ["", made, ""]


# Within lines ----------------------------------------------------------------------------------


def _without_definitions(piece: str, definitions: dict[str, str]) -> str:
    def note(match: re.Match[str]) -> str:
        definitions.setdefault(_key(match[1]), match[2])
        return ""

    return _DEFINITION.sub(note, piece) if "]:" in piece else piece


def _key(name: str) -> str:
    return " ".join(name.split()).casefold()


def _replaced(match: re.Match[str], definitions: dict[str, str]) -> str:
    if match["code"]:
        return match[0]
    if match["link"]:
        address = definitions.get(_key(match["target"] or match["words"]))
        return f"[{match['words']}]({address})" if address else match[0]
    if match["component"]:
        return _component(match)
    if match["tag"]:
        name = match["tag_name"].lower()
        is_apart = name in ("br", "td", "th", "dd", "p", "div", "li", "option")
        return " " if is_apart else _heading_mark(match[0], name)
    return " " if match["spacing"] else ""


def _component(match: re.Match[str]) -> str:
    """Return what a reader sees of a component's tag: its label."""
    found = _LABEL.search(match["attributes"] or "")
    return f"\n\n**{next(filter(None, found.groups()))}**\n\n" if found else ""


def _heading_mark(tag: str, name: str) -> str:
    if name == "summary":
        return "**" if not tag.startswith("</") else "**\n"
    return ""
