"""What the styles and lists of a Word document mean: heading, code, hidden, numbered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ingest.parsers.office import Element, is_on, is_on_by

_MOST_STYLES = 20  # in a chain of styles that are based on each other
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


class Styles:
    """The styles of a document, each with those that it is based on."""

    def __init__(self, root: Element | None) -> None:
        found = [] if root is None else root.findall("style")
        self._styles = {style.get("styleId", ""): style for style in found}
        defaults = [style for style in found if is_on_by(style, "default")]
        self._default = next(
            (style.get("styleId", "") for style in defaults if style.get("type") == "paragraph"), ""
        )
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

    def is_code_run(self, run: Element) -> bool:
        """Tell whether a run of text looks like code by itself."""
        fonts = run.find("rPr/rFonts")
        if fonts is not None:
            return _is_monospaced(fonts)
        chain = list(self._chain(_value(run, "rPr/rStyle")))
        if any(_CODE.search(_value(style, "name").lower()) for style in chain):
            return True
        return any(_is_monospaced(style.find("rPr/rFonts")) for style in chain)

    def is_hidden(self, run: Element, paragraph: Element) -> bool:
        """Tell whether no reader sees a run of text."""
        vanish = self._of_run(run, paragraph, "vanish")
        size = _number(self._of_run(run, paragraph, "sz"), _UNSEEN_HALF_POINTS + 1)
        return is_on(vanish) or size <= _UNSEEN_HALF_POINTS

    def is_white(self, run: Element, paragraph: Element) -> bool:
        """Tell whether a run is white, with nothing dark behind it that it says itself."""
        colour = self._of_run(run, paragraph, "color")
        if colour is None or colour.get("val", "").upper() != "FFFFFF":
            return False
        behind = [self._of_run(run, paragraph, tag) for tag in ("shd", "highlight")]
        behind.append(self.of_paragraph(paragraph, "pPr/shd"))
        return all(element is None for element in behind)

    def of_paragraph(self, paragraph: Element, path: str) -> Element | None:
        """Return a property of a paragraph: its own, else that of its style."""
        own = paragraph.find(path)
        return self._inherited(paragraph, path) if own is None else own

    def _of_run(self, run: Element, paragraph: Element, tag: str) -> Element | None:
        own = run.find(f"rPr/{tag}")
        if own is not None:
            return own
        for style in self._chain(_value(run, "rPr/rStyle")):
            if (found := style.find(f"rPr/{tag}")) is not None:
                return found
        return self._inherited(paragraph, f"rPr/{tag}")

    def _inherited(self, paragraph: Element, path: str) -> Element | None:
        found = (style.find(path) for style in self._paragraph_chain(paragraph))
        return next((element for element in found if element is not None), None)

    def _names(self, paragraph: Element) -> Iterator[str]:
        for style in self._paragraph_chain(paragraph):
            yield _value(style, "name").strip().lower()

    def _paragraph_chain(self, paragraph: Element) -> Iterator[Element]:
        return self._chain(_value(paragraph, "pPr/pStyle") or self._default)

    def _chain(self, style_id: str) -> Iterator[Element]:
        for _ in range(_MOST_STYLES):
            style = self._styles.get(style_id)
            if style is None:
                return
            yield style
            style_id = _value(style, "basedOn")


@dataclass(slots=True)
class Lists:
    """Counts the items of the document's lists, as a reader sees their numbers."""

    root: Element | None
    _counts: dict[tuple[str, int], int] = field(default_factory=dict)

    def place(self, paragraph: Element, styles: Styles) -> tuple[int, int] | None:
        """Return the level of a list item, from 0, and its number, 0 for a bullet; None for none.

        The items of a document must be asked for in their order.
        """
        properties = styles.of_paragraph(paragraph, "pPr/numPr")
        if properties is None or self.root is None:
            return None
        number_id = _value(properties, "numId")
        level = _number(properties.find("ilvl"), 0)
        definition = self._definition(number_id)
        form = None if definition is None else definition.find(f"lvl[@ilvl='{level}']")
        if form is None or _value(form, "numFmt") == "none":
            return None
        shown = max(level, styles.list_level(paragraph))
        if _value(form, "numFmt") == "bullet":
            return shown, 0
        return shown, self._next(number_id, definition, level, form)

    def _definition(self, number_id: str) -> Element | None:
        if self.root is None or not number_id.isdecimal():
            return None
        abstract = self.root.find(f"num[@numId='{number_id}']/abstractNumId")
        name = "" if abstract is None else abstract.get("val", "")
        return self.root.find(f"abstractNum[@abstractNumId='{name}']") if name.isdecimal() else None

    def _next(self, number_id: str, definition: Element, level: int, form: Element) -> int:
        restarts = self.root is not None and self.root.find(
            f"num[@numId='{number_id}']/lvlOverride[@ilvl='{level}']/startOverride"
        )
        # Lists of one definition count on from each other, but for those that start anew.
        is_own = restarts is not None and restarts is not False
        name = f"num {number_id}" if is_own else definition.get("abstractNumId", "")
        start = _number(restarts if is_own else form.find("start"), 1)
        count = self._counts.get((name, level), start - 1) + 1
        self._counts[name, level] = count
        for other, deeper in list(self._counts):
            if other == name and deeper > level:
                del self._counts[other, deeper]
        return max(count, 1)


def _value(element: Element, path: str) -> str:
    found = element.find(path)
    return "" if found is None else str(found.get("val", ""))


def _number(element: Element | None, otherwise: int) -> int:
    text = "" if element is None else str(element.get("val", ""))
    return int(text) if text.isdecimal() and len(text) < 7 else otherwise


def _is_monospaced(fonts: Element | None) -> bool:
    return fonts is not None and bool(_MONOSPACED.search(fonts.get("ascii", "")))
