"""Word files: what a reader sees of the text, as Markdown.

`mammoth` and `python-docx` were compared with reading the XML by `lxml`: neither of them knows
hidden text, outline levels or the numbers of lists, and both read a file before its size is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby

from ingest.parsers.base import Parsed
from ingest.parsers.characters import clean
from ingest.parsers.markdown import plain
from ingest.parsers.office import Element, Package, Part, chosen, is_on
from ingest.parsers.wordstyles import Lists, Styles
from ingest.parsers.writing import Block, link, markdown, one_line, table
from ingest.sources.base import RawDocument

_MOST_SPANNED = 63  # columns, as many as Word has
_LONGEST_REPEATED = 300  # characters of a merged cell that each of its rows says again
_SPACES = re.compile(r"[ \t\xa0]+")
_ADDRESS = re.compile(r'HYPERLINK\s+"([^"]+)"')
# Not part of what a reader sees of the text as it is now: what was deleted or moved away,
# properties, and the reading aid above characters.
_UNREAD = {"del", "moveFrom", "rt", "pPr", "rPr", "sdtPr", "sdtEndPr", "instrText", "delText"}
_SIGNS = {"tab": "\t", "ptab": " ", "cr": "\n", "noBreakHyphen": "-"}
_NOTES = {"footnoteReference": "footnotes", "endnoteReference": "endnotes"}


def parse(raw: RawDocument) -> Parsed:
    """Return the body of the document, with the title and the properties that it has."""
    package = Package(raw.data)
    body = _Body(package, package.main("document", "a Word document"))
    title, blocks = _split_title(list(body.blocks()))
    properties = package.properties()
    return Parsed(
        text=clean(markdown(blocks)),
        title=clean(title or properties.title),
        language=properties.language or body.styles.language,
        modified_at=properties.modified_at,
        tags=properties.tags,
        notes=tuple(body.notes()),
    )


def _split_title(blocks: list[Block]) -> tuple[str, list[Block]]:
    """Take the title off the blocks: a paragraph of that style, else a lone first heading."""
    first = next((n for n, block in enumerate(blocks) if block.kind != "table"), 0)
    if not blocks or blocks[first].kind not in ("title", "heading"):
        return "", _as_headings(blocks)
    block = blocks[first]
    peers = sum(other.kind == "heading" and other.level <= block.level for other in blocks)
    if block.kind == "heading" and (peers > 1 or first):
        return "", _as_headings(blocks)
    title = block.text if block.kind == "title" else plain(block.text)
    return one_line(title), _as_headings(blocks[:first] + blocks[first + 1 :])


def _as_headings(blocks: list[Block]) -> list[Block]:
    return [
        replace(block, kind="heading", level=1) if block.kind == "title" else block
        for block in blocks
    ]


@dataclass(frozen=True, slots=True)
class _Span:
    """A run of text of one look."""

    text: str
    is_code: bool = False
    target: str = ""


@dataclass(slots=True)
class _Line:
    """A paragraph as it is read: its text, and the text boxes that hang on it."""

    paragraph: Element
    style: str
    is_shaded: bool
    spans: list[_Span] = field(default_factory=list)
    boxes: list[Element] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)  # instructions of fields that are open
    shown: list[bool] = field(default_factory=list)  # of each: has its result begun?

    def add(self, text: str, is_code: bool, target: str) -> None:
        """Add text, unless it belongs to the instruction of a field."""
        if not all(self.shown):
            return
        if self.fields and not target:
            addresses = (_ADDRESS.search(instruction) for instruction in self.fields)
            target = next((match[1] for match in addresses if match), "")
        self.spans.append(_Span(text, is_code, target))

    def mark_field(self, kind: str) -> None:
        """Note that a field begins, shows its result, or ends."""
        if kind == "begin":
            self.fields.append("")
            self.shown.append(False)
        elif kind == "separate" and self.shown:
            self.shown[-1] = True
        elif kind == "end" and self.shown:
            self.fields.pop()
            self.shown.pop()

    @property
    def is_code(self) -> bool:
        """Tell whether all of its text is code."""
        seen = [span for span in self.spans if span.text.strip()]
        return bool(seen) and all(span.is_code for span in seen)

    @property
    def plain(self) -> str:
        """Return the text with its spaces, as code is read."""
        return "".join(span.text for span in self.spans).replace("\t", "    ")

    def written(self) -> str:
        """Return the text with its links and code as Markdown."""
        runs = groupby(self.spans, key=lambda span: (span.is_code, span.target))
        texts = (_written("".join(span.text for span in run), *look) for look, run in runs)
        return _SPACES.sub(" ", "".join(texts)).strip()


class _Body:
    """Reads the body of one document from its first to its last block."""

    def __init__(self, package: Package, part: Part) -> None:
        self._part = part
        self._notes = {
            kind: _by_id(package.related(part, kind)) for kind in ("footnotes", "endnotes")
        }
        self.styles = Styles(package.related(part, "styles"))
        self._lists = Lists(package.related(part, "numbering"))
        self._hidden = 0  # characters
        self._parts_outside = 0

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks of the document; those of the title's style are of kind `title`."""
        body = self._part.root.find("body")
        if body is not None:
            yield from self._blocks(body, is_page=True)

    def notes(self) -> Iterator[str]:
        """Yield what was left out; all blocks must have been read before."""
        if self._hidden:
            yield f"hidden text was left out ({self._hidden} characters)"
        if self._parts_outside:
            yield "documents that it embeds were left out"

    def _blocks(self, parent: Element, is_page: bool) -> Iterator[Block]:
        for child in parent:
            if child.tag == "p":
                yield from self._paragraph(child, is_page)
            elif child.tag == "tbl":
                yield from self._table(child)
            elif child.tag == "AlternateContent":
                if (form := chosen(child)) is not None:
                    yield from self._blocks(form, is_page)
            elif child.tag == "altChunk":
                self._parts_outside += 1
            elif not _is_unread(child):
                yield from self._blocks(child, is_page)

    def _paragraph(self, paragraph: Element, is_page: bool) -> Iterator[Block]:
        if self.styles.is_contents(paragraph):
            return
        line = self._line(paragraph, is_page)
        yield from self._as_block(line)
        for box in line.boxes:
            yield from self._blocks(box, is_page=False)

    def _as_block(self, line: _Line) -> Iterator[Block]:
        place = self._lists.place(line.paragraph, self.styles) if line.spans else None
        level = self.styles.level(line.paragraph)
        if self.styles.is_title(line.paragraph):
            yield Block("title", line.plain) if line.plain.strip() else Block("text", "")
        elif level and line.plain.strip():
            yield Block("heading", line.written(), level)
        elif self.styles.is_code(line.paragraph) or line.is_code:
            yield from (Block("code", text) for text in line.plain.split("\n"))
        elif place and line.plain.strip():
            yield Block("item", line.written(), *place)
        elif line.plain.strip():
            yield Block("text", line.written())

    def _line(self, paragraph: Element, is_page: bool) -> _Line:
        is_shaded = paragraph.find("pPr/shd") is not None
        line = _Line(paragraph, self.styles.name(paragraph), is_shaded)
        self._read(paragraph, line, "", is_page)
        return line

    def _read(self, parent: Element, line: _Line, target: str, is_page: bool) -> None:
        for child in parent:
            if child.tag == "r":
                self._read_run(child, line, target, is_page)
            elif child.tag == "hyperlink":
                self._read(child, line, self._part.target(child) or target, is_page)
            elif child.tag == "fldSimple":
                address = _ADDRESS.search(child.get("instr", ""))
                self._read(child, line, address[1] if address else target, is_page)
            elif child.tag == "AlternateContent":
                if (form := chosen(child)) is not None:
                    self._read(form, line, target, is_page)
            elif child.tag == "txbxContent":
                line.boxes.append(child)
            elif not _is_unread(child):
                self._read(child, line, target, is_page)

    def _read_run(self, run: Element, line: _Line, target: str, is_page: bool) -> None:
        look = self.styles.look(run, line.style)
        if look.is_hidden or (look.is_white and is_page and not line.is_shaded):
            self._hidden += sum(len(text.text or "") for text in run.iterfind("t"))
            return
        for child in run:
            if child.tag == "instrText" and line.fields:
                line.fields[-1] += child.text or ""
            elif child.tag == "fldChar":
                line.mark_field(child.get("fldCharType", ""))
            elif (text := self._text_of(child)) is not None:
                line.add(text, look.is_code, target)
            elif child.tag not in _UNREAD:
                self._read_in_run(child, line, target, is_page)

    def _read_in_run(self, child: Element, line: _Line, target: str, is_page: bool) -> None:
        form = chosen(child) if child.tag == "AlternateContent" else child
        if form is not None:
            self._read(form, line, target, is_page)

    def _text_of(self, child: Element) -> str | None:
        """Return the text that a child of a run stands for; None where it is none itself."""
        if child.tag == "t":
            return child.text or ""
        if child.tag == "br":
            return "\n" if child.get("type", "textWrapping") == "textWrapping" else " "
        if child.tag in _NOTES:
            # Each is said once, however often a hostile file refers to it.
            note = self._notes[_NOTES[child.tag]].pop(child.get("id", ""), None)
            text = "" if note is None else self._flat(note)
            return f" ({text})" if text else ""
        return _SIGNS.get(child.tag)

    def _table(self, element: Element) -> Iterator[Block]:
        rows = [self._row(row) for row in _children(element, "tr") if row.find("trPr/del") is None]
        filled: list[list[str]] = []
        for row in rows:
            above = dict(enumerate(filled[-1] if filled else []))
            filled.append(
                [
                    above.get(n, "")[:_LONGEST_REPEATED] if text is None else text
                    for n, text in enumerate(row)
                ]
            )
        yield Block("table", table(filled))

    def _row(self, row: Element) -> list[str | None]:
        """Return the texts of the cells of a row; None: it is one with the cell above."""
        cells: list[str | None] = []
        for cell in _children(row, "tc"):
            merged = cell.find("tcPr/vMerge")
            span = cell.find("tcPr/gridSpan")
            is_below = merged is not None and merged.get("val", "continue") == "continue"
            cells.append(None if is_below else self._flat(cell))
            wide = span.get("val", "1") if span is not None else "1"
            cells += [""] * (min(int(wide), _MOST_SPANNED) - 1 if wide.isdecimal() else 0)
        return cells

    def _flat(self, parent: Element) -> str:
        """Return all that stands in a cell or a note as one line."""
        texts: list[str] = []
        for paragraph in _paragraphs(parent):
            line = self._line(paragraph, is_page=False)
            texts += [line.written(), *map(self._flat, line.boxes)]
        return one_line(" ".join(texts))


def _written(text: str, is_code: bool, target: str) -> str:
    """Return text of one look; the spaces around it are not part of code or link."""
    words = text.strip()
    if not words or not (is_code or target):
        return text
    start = text.index(words)
    marked = f"`{words}`" if is_code and not set(words) & set("`\n") else words
    marked = link(marked, target) if target else marked
    return f"{text[:start]}{marked}{text[start + len(words) :]}"


def _by_id(root: Element | None) -> dict[str, Element]:
    notes = () if root is None else root
    return {note.get("id", ""): note for note in notes if note.get("type", "normal") == "normal"}


def _children(parent: Element, tag: str) -> Iterator[Element]:
    """Yield rows or cells, also those inside content controls."""
    for child in parent:
        if child.tag == tag:
            yield child
        elif child.tag in ("sdt", "sdtContent", "customXml", "ins"):
            yield from _children(child, tag)


def _paragraphs(parent: Element) -> Iterator[Element]:
    for child in parent:
        if child.tag == "p":
            yield child
        elif not _is_unread(child):
            yield from _paragraphs(child)


def _is_unread(element: Element) -> bool:
    """Tell whether nothing below an element is text of the document.

    A table of contents that Word keeps itself is not, nor is the prompt of an empty form field.
    """
    if element.tag in _UNREAD:
        return True
    gallery = element.find("sdtPr/docPartObj/docPartGallery")
    is_contents = gallery is not None and gallery.get("val", "") == "Table of Contents"
    return is_contents or is_on(element.find("sdtPr/showingPlcHdr"))
