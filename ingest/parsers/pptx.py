"""PowerPoint files: each slide that is shown, as a section of Markdown.

Speaker notes are left out, as they are written for the speaker and not for the audience.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ingest.parsers.base import Parsed
from ingest.parsers.characters import clean
from ingest.parsers.office import Element, Package, Part, chosen
from ingest.parsers.writing import Block, link, markdown, one_line, table
from ingest.sources.base import RawDocument

_LONGEST_REPEATED = 300  # characters of a merged cell that each of its rows says again
_TITLES = ("title", "ctrTitle")
_FURNITURE = ("dt", "ftr", "hdr", "sldNum", "sldImg")
_BULLETED = ("body", "obj", "")  # placeholders whose paragraphs have bullets unless they say not
_NUMBERS = ("slidenum", "datetime")  # kinds of fields that say nothing about the slide


def parse(raw: RawDocument) -> Parsed:
    """Return the slides in their order, each below its title."""
    package = Package(raw.data)
    main = package.main("presentation", "a PowerPoint presentation")
    slides = [slide for slide in _slides(package, main) if slide.root.tag == "sld"]
    shown = [slide for slide in slides if slide.root.get("show") not in ("0", "false")]
    properties = package.properties()
    title = _title(shown[0]) if shown else ""
    named = "" if "powerpoint" in properties.title.lower() else properties.title
    blocks: list[Block] = []
    for number, slide in enumerate(slides, 1):
        if slide in shown:
            blocks += _section(package, slide, number)
    if title and blocks:
        blocks = blocks[1:]  # the first slide's heading is the title of the document
    hidden = len(slides) - len(shown)
    return Parsed(
        text=clean(markdown(blocks)),
        title=clean(title or named),
        language=properties.language or _language(shown),
        modified_at=properties.modified_at,
        tags=properties.tags,
        notes=(f"hidden slides were left out ({hidden})",) if hidden else (),
    )


def _section(package: Package, slide: Part, number: int) -> list[Block]:
    body = list(_Slide(package, slide).blocks())
    heading = _title(slide) or (f"Slide {number}" if body else "")
    return [Block("heading", heading, 2), *body]


def _slides(package: Package, main: Part) -> Iterator[Part]:
    names = (main.target(entry) for entry in main.root.iterfind("sldIdLst/sldId"))
    for name in dict.fromkeys(names):
        slide = package.part(name)
        if slide is not None:
            yield slide


def _title(slide: Part) -> str:
    for shape in slide.root.iter("sp"):
        if _placeholder(shape) in _TITLES and not _is_hidden(shape):
            texts = (text.text or "" for text in shape.iterfind(".//t"))
            return one_line(" ".join(texts))
    return ""


def _language(slides: list[Part]) -> str:
    """Return the language that most runs of text are marked with."""
    runs = (run for slide in slides for run in slide.root.iter("rPr"))
    languages = Counter(run.get("lang", "") for run in runs if run.get("lang"))
    return next((name for name, _ in languages.most_common(1)), "")


class _Slide:
    """Reads one slide, shape by shape in the order in which screen readers do."""

    def __init__(self, package: Package, part: Part) -> None:
        self._package = package
        self._part = part
        self._diagrams: set[str] = set()  # that were read

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks of all shapes but the title."""
        for tree in self._part.root.iterfind("cSld/spTree"):
            yield from self._shapes(tree)

    def _shapes(self, parent: Element) -> Iterator[Block]:
        for child in parent:
            if child.tag == "AlternateContent":
                if (form := chosen(child)) is not None:
                    yield from self._shapes(form)
            elif _is_hidden(child):
                continue
            elif child.tag == "grpSp":
                yield from self._shapes(child)
            elif child.tag == "sp":
                yield from self._shape(child)
            elif child.tag == "graphicFrame":
                yield from self._frame(child)

    def _shape(self, shape: Element) -> Iterator[Block]:
        kind = _placeholder(shape)
        if kind in _TITLES or kind in _FURNITURE:
            return
        paragraphs = shape.findall("txBody/p")
        is_list = kind in _BULLETED and sum(bool(self._text(p)) for p in paragraphs) > 1
        counts: dict[int, int] = {}
        for paragraph in paragraphs:
            text = self._text(paragraph)
            if text:
                yield self._block(paragraph, text, is_list, counts)

    def _block(self, paragraph: Element, text: str, is_list: bool, counts: dict[int, int]) -> Block:
        properties = paragraph.find("pPr")
        marks = [] if properties is None else [child.tag for child in properties]
        level = int(properties.get("lvl", "0")) if properties is not None else 0
        for deeper in [other for other in counts if other > level]:
            del counts[deeper]
        if "buAutoNum" in marks:
            first = int(properties.find("buAutoNum").get("startAt", "1"))
            counts[level] = counts.get(level, first - 1) + 1
            return Block("item", text, level, counts[level])
        counts.pop(level, None)
        is_item = ("buChar" in marks or "buBlip" in marks) or (is_list and "buNone" not in marks)
        return Block("item", text, level) if is_item else Block("text", text)

    def _frame(self, frame: Element) -> Iterator[Block]:
        for found in frame.iterfind("graphic/graphicData/tbl"):
            yield Block("table", table(self._rows(found)))
        for diagram in frame.iterfind("graphic/graphicData/relIds"):
            name = self._part.target(diagram, "r.dm")
            data = None if name in self._diagrams else self._package.part(name)
            self._diagrams.add(name)
            for point in () if data is None else data.root.iterfind("ptLst/pt"):
                for paragraph in point.iterfind("t/p"):
                    if text := self._text(paragraph):
                        yield Block("item", text)

    def _rows(self, element: Element) -> Iterator[list[str]]:
        above: list[str] = []
        for row in element.iterfind("tr"):
            texts = []
            for n, cell in enumerate(row.iterfind("tc")):
                is_below = cell.get("vMerge") in ("1", "true") and n < len(above)
                paragraphs = (self._text(p) for p in cell.iterfind("txBody/p"))
                text = " ".join(filter(None, paragraphs))
                texts.append(above[n][:_LONGEST_REPEATED] if is_below else text)
            yield texts
            above = texts

    def _text(self, paragraph: Element) -> str:
        texts = []
        for child in paragraph:
            text = child.findtext("t") or ""
            if child.tag == "br":
                texts.append(" ")
            elif child.tag in ("r", "fld") and not child.get("type", "").startswith(_NUMBERS):
                click = child.find("rPr/hlinkClick")
                address = "" if click is None else self._part.target(click)
                texts.append(link(text, address) if address else text)
            elif child.tag in ("m", "AlternateContent"):
                texts += [found.text or "" for found in child.iter("t")]
        return one_line("".join(texts))


def _placeholder(shape: Element) -> str | None:
    """Return the kind of placeholder that a shape is, "" for an unnamed one; None for none."""
    found = shape.find("nvSpPr/nvPr/ph")
    return None if found is None else str(found.get("type", ""))


def _is_hidden(shape: Element) -> bool:
    return any(
        properties.get("hidden") in ("1", "true")
        for holder in shape
        for properties in holder.iterfind("cNvPr")
    )
