"""What the styles and lists of a Word document mean: heading, code, hidden, numbered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from ingest.parsers.office import Element, is_on, is_on_by

_MOST_STYLES = 20  # in a chain of styles that are based on each other
_DEEPEST_LEVEL = 8  # of a list, from 0
_NO_OUTLINE = 9  # an outline level that stands for body text

# Word keeps English names for its own styles in any language; other programs do not.
_HEADING = re.compile(
    r"(?:heading|überschrift|titre|título|titulo|titolo|kop|rubrik|overskrift|otsikko|nagłówek|"
    r"nadpis|заголовок|başlık|标题|標題|見出し|제목)\s*([1-9])"
)
_TITLES = ("title", "titel", "titre", "título", "titolo", "标题", "標題", "表題", "제목")
_DEEPER_LIST = re.compile(r"list (?:bullet|number) ([2-5])")
_CODE = re.compile(r"\b(?:code|source|quelltext|listing|preformatted|verbatim|macro text)\b|^html ")
_CONTENTS = re.compile(r"(?:toc|contents|verzeichnis|inhaltsverzeichnis|index) ?\d|toc heading")
_MONOSPACED = re.compile(
    r"courier|consol|menlo|monaco|lucida console|cascadia|inconsolata|\bmono\b|\bcode\b",
    re.IGNORECASE,
)
_UNSEEN_HALF_POINTS = 4  # a font of two points or less


@dataclass(frozen=True, slots=True)
class Look:
    """How a run of text looks."""

    is_hidden: bool  # nobody sees it
    is_white: bool  # with nothing behind it that its run or its styles say
    is_code: bool


class Styles:
    """The styles of a document, each with those that it is based on."""

    def __init__(self, root: Element | None) -> None:
        found = [] if root is None else root.findall("style")
        self._styles = {style.get("styleId", ""): style for style in found}
        defaults = [style for style in found if is_on_by(style, "default")]
        self._default = next(
            (style.get("styleId", "") for style in defaults if style.get("type") == "paragraph"), ""
        )
        self._found: dict[tuple[str, str], Element | None] = {}
        self._looks: dict[tuple[str, bytes], Look] = {}
        self._named: dict[str, tuple[str, ...]] = {}
        self.language = "" if root is None else _value(root, "docDefaults/rPrDefault/rPr/lang")

    def level(self, paragraph: Element) -> int:
        """Return the level of the heading that a paragraph is, from 1; 0 for none."""
        for name in self._names(paragraph):
            if match := _HEADING.fullmatch(name):
                return int(match[1])
        outline = self.of_paragraph(paragraph, "pPr/outlineLvl")
        value = _number(outline, _NO_OUTLINE)
        return value + 1 if 0 <= value < _NO_OUTLINE else 0

    def is_title(self, paragraph: Element) -> bool:
        """Tell whether a paragraph is the title of the document."""
        return any(name in _TITLES for name in self._names(paragraph))

    def is_contents(self, paragraph: Element) -> bool:
        """Tell whether a paragraph is a line of a table of contents."""
        return any(_CONTENTS.match(name) for name in self._names(paragraph))

    def list_level(self, paragraph: Element) -> int:
        """Return the level that a paragraph's style alone gives to a list item, from 0."""
        matches = (_DEEPER_LIST.fullmatch(name) for name in self._names(paragraph))
        return next((int(match[1]) - 1 for match in matches if match), 0)

    def is_code(self, paragraph: Element) -> bool:
        """Tell whether a paragraph is code by its style."""
        fonts = self._inherited(paragraph, "rPr/rFonts")
        return any(_CODE.search(name) for name in self._names(paragraph)) or _is_monospaced(fonts)

    def name(self, paragraph: Element) -> str:
        """Return the id of a paragraph's style."""
        return _value(paragraph, "pPr/pStyle") or self._default

    def look(self, run: Element, style: str) -> Look:
        """Return how a run looks, by itself and by its styles; `style` is its paragraph's."""
        properties = run.find("rPr")
        own = b"" if properties is None else etree.tostring(properties, with_tail=False)
        key = style, own
        if key not in self._looks:  # most runs of a document look like one of a few
            self._looks[key] = Look(
                is_hidden=self._is_hidden(run, style),
                is_white=self._is_white(run, style),
                is_code=self._is_code_run(run),
            )
        return self._looks[key]

    def _is_code_run(self, run: Element) -> bool:
        fonts = run.find("rPr/rFonts")
        if fonts is not None:
            return _is_monospaced(fonts)
        own = _value(run, "rPr/rStyle")
        if any(_CODE.search(name) for name in self._names_of(own)):
            return True
        return _is_monospaced(self._of_style(own, "rPr/rFonts"))

    def _is_hidden(self, run: Element, style: str) -> bool:
        vanish = self._of_run(run, style, "vanish")
        size = _number(self._of_run(run, style, "sz"), _UNSEEN_HALF_POINTS + 1)
        return is_on(vanish) or size <= _UNSEEN_HALF_POINTS

    def _is_white(self, run: Element, style: str) -> bool:
        colour = self._of_run(run, style, "color")
        if colour is None or colour.get("val", "").upper() != "FFFFFF":
            return False
        behind = [self._of_run(run, style, tag) for tag in ("shd", "highlight")]
        behind.append(self._of_style(style, "pPr/shd"))
        return all(element is None for element in behind)

    def of_paragraph(self, paragraph: Element, path: str) -> Element | None:
        """Return a property of a paragraph: its own, else that of its style."""
        own = paragraph.find(path)
        return self._inherited(paragraph, path) if own is None else own

    def _of_run(self, run: Element, style: str, tag: str) -> Element | None:
        own = run.find(f"rPr/{tag}")
        if own is not None:
            return own
        found = self._of_style(_value(run, "rPr/rStyle"), f"rPr/{tag}")
        return self._of_style(style, f"rPr/{tag}") if found is None else found

    def _inherited(self, paragraph: Element, path: str) -> Element | None:
        return self._of_style(self.name(paragraph), path)

    def _names(self, paragraph: Element) -> tuple[str, ...]:
        return self._names_of(self.name(paragraph))

    def _of_style(self, style_id: str, path: str) -> Element | None:
        """Return the property of the first style of a chain that has it."""
        if (style_id, path) not in self._found:
            found = (style.find(path) for style in self._chain(style_id))
            first = next((element for element in found if element is not None), None)
            self._found[style_id, path] = first
        return self._found[style_id, path]

    def _names_of(self, style_id: str) -> tuple[str, ...]:
        if style_id not in self._named:
            names = (_value(style, "name") for style in self._chain(style_id))
            self._named[style_id] = tuple(name.strip().lower() for name in names)
        return self._named[style_id]

    def _chain(self, style_id: str) -> Iterator[Element]:
        for _ in range(_MOST_STYLES):
            style = self._styles.get(style_id)
            if style is None:
                return
            yield style
            style_id = _value(style, "basedOn")


@dataclass(frozen=True, slots=True)
class _Form:
    """How the items of one level of a list look."""

    family: str  # lists of one family count on from each other
    numbers: str  # the kind of their numbers
    start: int


class Lists:
    """Counts the items of the document's lists, as a reader sees their numbers."""

    def __init__(self, root: Element | None) -> None:
        self._lists = _by(root, "num", "numId")
        self._families = _by(root, "abstractNum", "abstractNumId")
        self._forms: dict[tuple[str, int], _Form | None] = {}
        self._counts: dict[str, dict[int, int]] = {}

    def place(self, paragraph: Element, styles: Styles) -> tuple[int, int] | None:
        """Return the level of a list item, from 0, and its number, 0 for a bullet; None for none.

        The items of a document must be asked for in their order.
        """
        properties = styles.of_paragraph(paragraph, "pPr/numPr")
        if properties is None:
            return None
        level = min(_number(properties.find("ilvl"), 0), _DEEPEST_LEVEL)
        form = self._form(_value(properties, "numId"), level)
        if form is None or form.numbers == "none":
            return None
        number = 0 if form.numbers == "bullet" else self._next(form, level)
        return max(level, styles.list_level(paragraph)), number

    def _form(self, number_id: str, level: int) -> _Form | None:
        if (number_id, level) not in self._forms:
            self._forms[number_id, level] = self._defined(number_id, level)
        return self._forms[number_id, level]

    def _defined(self, number_id: str, level: int) -> _Form | None:
        own = self._lists.get(number_id)
        family = "" if own is None else _value(own, "abstractNumId")
        common = self._families.get(family)
        if own is None or common is None:
            return None
        form = common.find(f"lvl[@ilvl='{level}']")
        if form is None:
            return None
        anew = own.find(f"lvlOverride[@ilvl='{level}']/startOverride")
        start = form.find("start") if anew is None else anew
        name = f"abstract {family}" if anew is None else number_id
        return _Form(name, _value(form, "numFmt"), _number(start, 1))

    def _next(self, form: _Form, level: int) -> int:
        counts = self._counts.setdefault(form.family, {})
        counts[level] = counts.get(level, form.start - 1) + 1
        for deeper in [other for other in counts if other > level]:
            del counts[deeper]
        return max(counts[level], 1)


def _by(root: Element | None, tag: str, attribute: str) -> dict[str, Element]:
    found = () if root is None else root.iterfind(tag)
    return {element.get(attribute, ""): element for element in found}


def _value(element: Element, path: str) -> str:
    found = element.find(path)
    return "" if found is None else str(found.get("val", ""))


def _number(element: Element | None, otherwise: int) -> int:
    text = "" if element is None else str(element.get("val", ""))
    return int(text) if text.isdecimal() and len(text) < 7 else otherwise


def _is_monospaced(fonts: Element | None) -> bool:
    return fonts is not None and bool(_MONOSPACED.search(fonts.get("ascii", "")))
