"""From docutils' document tree to Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import count

from docutils import nodes

from ingest.parsers.blocks import (
    Blocks,
    admonition,
    code_block,
    code_span,
    heading,
    item,
    items,
    quote,
    table,
)

_BROKEN_ROLE = re.compile(r":[\w:+.-]+:`(.*)`|`([^`]*)`:[\w:+.-]+:", re.DOTALL)
_WEB = ("http://", "https://", "mailto:")


class Writer:
    """Writes one document; `title` is what docutils takes for that, or its first heading."""

    def __init__(self, tree: nodes.document) -> None:
        self._tree = tree
        self._labels = _labels(tree)
        first = next((node for node in tree.children if isinstance(node, _TITLED)), None)
        title = first if isinstance(first, nodes.title) else _title_of(first)
        self.title = " ".join(title.astext().split()) if title else ""

    def write(self, blocks: Blocks, info: Sequence[tuple[str, str]] = ()) -> None:
        """Write all of the document but its title, after what its docinfo leaves to be read."""
        blocks.add(items([item("-", f"**{name}:** {value}") for name, value in info]))
        self._write_all(blocks, self._tree.children, 2 if _has_title(self._tree) else 1)

    def _write_all(self, blocks: Blocks, children: Iterable[nodes.Node], level: int) -> None:
        for node in children:
            if isinstance(node, nodes.section):
                blocks.anchor(next(iter(node["ids"]), ""))
                blocks.add(heading(level, self.inline(_title_of(node))))
                self._write_all(blocks, node.children, level + 1)
            elif isinstance(node, nodes.subtitle):
                blocks.add(heading(level, self.inline(node)))
            else:
                blocks.add(*self.blocks([node]))

    def blocks(self, children: Iterable[nodes.Node]) -> list[str]:
        """Return Markdown of nodes that are blocks."""
        made: list[str] = []
        for node in children:
            write = _BLOCKS.get(type(node).__name__)
            if write and isinstance(node, nodes.Element):
                made += [block for block in write(self, node) if block.strip()]
        return made

    def inline(self, node: nodes.Node | None) -> str:
        """Return Markdown of what stands within a line."""
        return "".join(map(self._inline, node.children)) if node else ""

    def _inline(self, node: nodes.Node) -> str:
        if isinstance(node, nodes.Text):
            return node.astext()
        write = _INLINES.get(type(node).__name__)
        if write and isinstance(node, nodes.Element):
            return write(self, node)
        return self.inline(node)

    # Blocks ------------------------------------------------------------------------------------

    def _section(self, node: nodes.Element) -> list[str]:
        return [heading(4, self.inline(_title_of(node))), *self.blocks(node.children)]

    def _paragraph(self, node: nodes.Element) -> list[str]:
        return [self.inline(node).strip()]

    def _children(self, node: nodes.Element) -> list[str]:
        return self.blocks(node.children)

    def _list(self, node: nodes.Element) -> list[str]:
        numbers = count(node.get("start", 1))
        is_numbered = isinstance(node, nodes.enumerated_list)
        return [
            items(
                [
                    item(f"{next(numbers)}." if is_numbered else "-", *self.blocks(child.children))
                    for child in node.children
                ]
            )
        ]

    def _definitions(self, node: nodes.Element) -> list[str]:
        made = []
        for entry in node.children:
            terms = [self.inline(c) for c in entry.children if isinstance(c, nodes.term)]
            kinds = [self.inline(c) for c in entry.children if isinstance(c, nodes.classifier)]
            inside = [c for c in entry.children if isinstance(c, nodes.definition)]
            head = " ".join([", ".join(f"**{term}**" for term in terms), *kinds])
            made.append(_headed(head, self.blocks(inside)))
        return [items(made)]

    def _fields(self, node: nodes.Element) -> list[str]:
        made = []
        for field in node.children:
            name, *body = field.children
            first, *rest = self.blocks(body) or [""]
            made.append(item("-", f"**{self.inline(name)}:** {first}".rstrip(), *rest))
        return [items(made)]

    def _options(self, node: nodes.Element) -> list[str]:
        made = []
        for entry in node.children:
            group, *description = entry.children
            names = ", ".join(code_span(option.astext()) for option in group.children)
            made.append(_headed(names, self.blocks(description)))
        return [items(made)]

    def _code(self, node: nodes.Element) -> list[str]:
        known = [name for name in node["classes"] if name and name != "code"]
        language = known[0] if known and re.fullmatch(r"[\w+#.-]{1,30}", known[0]) else ""
        return [code_block(node.astext(), language)]

    def _lines(self, node: nodes.Element) -> list[str]:
        lines = [self.inline(line) for line in node.findall(nodes.line)]
        return ["\n".join(filter(str.strip, lines))]

    def _quote(self, node: nodes.Element) -> list[str]:
        return [quote(*self.blocks(node.children))]

    def _attribution(self, node: nodes.Element) -> list[str]:
        return [f"— {self.inline(node)}"]

    def _admonition(self, node: nodes.Element) -> list[str]:
        name = type(node).__name__.capitalize()
        title = self.inline(_title_of(node))
        if isinstance(node, nodes.admonition):
            name, title = ("See also" if "seealso" in node["classes"] else "Note"), title
        return [admonition(name, title, self.blocks(node.children))]

    def _topic(self, node: nodes.Element) -> list[str]:
        if "contents" in node["classes"]:
            return []
        title = self.inline(_title_of(node))
        return [f"**{title}**" if title else "", *self.blocks(node.children)]

    def _rubric(self, node: nodes.Element) -> list[str]:
        return [f"**{self.inline(node)}**"]

    def _footnote(self, node: nodes.Element) -> list[str]:
        label, *rest = node.children
        return [" ".join([f"[{label.astext()}]", *self.blocks(rest)[:1]]), *self.blocks(rest)[1:]]

    def _math(self, node: nodes.Element) -> list[str]:
        return [code_block(node.astext(), "math")]

    def _table(self, node: nodes.Element) -> list[str]:
        rows: list[list[str]] = []
        filled: set[tuple[int, int]] = set()
        for place, row in enumerate(node.findall(nodes.row)):
            cells: list[str] = []
            for entry in row.children:
                while (place, len(cells)) in filled:
                    cells.append("")
                across, down = entry.get("morecols", 0), entry.get("morerows", 0)  # type: ignore[attr-defined]
                start = len(cells)
                filled |= {
                    (place + below, start + beside)
                    for below in range(1, min(down, 1000) + 1)
                    for beside in range(min(across, 100) + 1)
                }
                cells += [" ".join(self.blocks(entry.children)), *[""] * min(across, 100)]
            rows.append(cells)
        title = self.inline(_title_of(node))
        return [f"**{title}**" if title else "", table(rows)]

    # Within a line -----------------------------------------------------------------------------

    def _emphasis(self, node: nodes.Element) -> str:
        return _marked("*", self.inline(node))

    def _strong(self, node: nodes.Element) -> str:
        return _marked("**", self.inline(node))

    def _literal(self, node: nodes.Element) -> str:
        return code_span(node.astext())

    def _reference(self, node: nodes.Element) -> str:
        words, address = self.inline(node), str(node.get("refuri", ""))
        if not address.startswith(_WEB) or not words.strip():
            return words
        return (
            words
            if words in (address, address.removeprefix("mailto:"))
            else (f"[{words}]({address})")
        )

    def _note_mark(self, node: nodes.Element) -> str:
        return f"[{node.astext()}]"

    def _labelled(self, node: nodes.Element) -> str:
        return self._labels.get(node.get("label", ""), "") or self.inline(node)

    def _problematic(self, node: nodes.Element) -> str:
        text = node.astext()
        match = _BROKEN_ROLE.fullmatch(text)
        return (match[1] or match[2] or "") if match else text

    def _nothing(self, node: nodes.Element) -> str:
        return ""


_TITLED = (nodes.title, nodes.section)
_ADMONITIONS = (
    *("attention", "caution", "danger", "error", "hint", "important", "note", "tip", "warning"),
    "admonition",
)
_BLOCKS: dict[str, Callable[[Writer, nodes.Element], list[str]]] = {
    "section": Writer._section,
    "paragraph": Writer._paragraph,
    "caption": Writer._paragraph,
    "bullet_list": Writer._list,
    "enumerated_list": Writer._list,
    "definition_list": Writer._definitions,
    "field_list": Writer._fields,
    "option_list": Writer._options,
    "literal_block": Writer._code,
    "doctest_block": Writer._code,
    "line_block": Writer._lines,
    "block_quote": Writer._quote,
    "attribution": Writer._attribution,
    "table": Writer._table,
    "topic": Writer._topic,
    "sidebar": Writer._topic,
    "rubric": Writer._rubric,
    "footnote": Writer._footnote,
    "citation": Writer._footnote,
    "math_block": Writer._math,
    "abstract": Writer._topic,
    **dict.fromkeys(
        (
            *("container", "compound", "figure", "legend", "definition", "field_body"),
            *("description", "list_item", "entry", "header", "footer", "decoration"),
        ),
        Writer._children,
    ),
    **dict.fromkeys(_ADMONITIONS, Writer._admonition),
}
_INLINES: dict[str, Callable[[Writer, nodes.Element], str]] = {
    "emphasis": Writer._emphasis,
    "strong": Writer._strong,
    "literal": Writer._literal,
    "reference": Writer._reference,
    "footnote_reference": Writer._note_mark,
    "citation_reference": Writer._note_mark,
    "inline": Writer._labelled,
    "problematic": Writer._problematic,
    **dict.fromkeys(("image", "raw", "system_message", "comment"), Writer._nothing),
}


def _labels(tree: nodes.document) -> dict[str, str]:
    """Return the titles of sections by the names that lead to them."""
    return {
        name: title.astext()
        for section in (tree, *tree.findall(nodes.section))
        if (title := _title_of(section))
        for name in section["names"]
    }


def _title_of(node: nodes.Node | None) -> nodes.Element | None:
    children = node.children if node else []
    return next((c for c in children if isinstance(c, nodes.title)), None)


def _has_title(tree: nodes.document) -> bool:
    return _title_of(tree) is not None


def _headed(head: str, blocks: Sequence[str]) -> str:
    """Return a list item whose first line stands close above what belongs to it."""
    first, *rest = blocks or ("",)
    return item("-", f"{head}\n{first}".rstrip(), *rest)


def _marked(mark: str, text: str) -> str:
    return f"{mark}{text}{mark}" if text.strip() else text
