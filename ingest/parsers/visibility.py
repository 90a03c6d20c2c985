"""What of an HTML page no reader sees, as far as its own markup and style rules tell."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bs4 import Tag

_MAX_RULES = 5_000
_SIMPLE = re.compile(r"([a-z][a-z0-9]*)?([.#][\w-]+)?")
_COMMENT = re.compile(r"/\*.*?(?:\*/|$)", re.S)
_BRACE = re.compile(r"[{};]")
_ZERO = re.compile(r"0*(\.0*)?(px|em|rem|pt|%|vw|vh)?|[01](\.\d+)?px|0?\.0\d*(em|rem)?")
_NOTHING = re.compile(r"0+(\.0*)?(px|em|rem|pt|%|vw|vh)?")
_AWAY = re.compile(
    r"-(\d{4,}(\.\d+)?(px|pt)?|[5-9]\d\d(\.\d+)?(px|pt)|\d{2,}(\.\d+)?(em|rem)|\d{3,}(%|vw|vh))"
)
_MOVED = re.compile(r"translate(x|y|3d)?\(-(\d{4,}px|[1-9]\d{2,}(%|vw|vh|em))|scale(x|y)?\(0\)")
_CLIPPED = re.compile(r"rect\((0|1px),?(0|1px)|inset\((50|100)%")
_HEX = re.compile(r"#([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})$")
_RGB = re.compile(r"rgba?\((\d+)[, ](\d+)[, ](\d+)(?:[,/]([\d.]+%?))?\)")
_NAMED = {"white": (255, 255, 255), "black": (0, 0, 0), "snow": (255, 250, 250)}
_NEAR = 8  # steps of 255 by which colours differ that nobody tells apart
_WHITE = 247  # of 255, each channel

Declarations = dict[str, str]
_Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Hidden:
    """The parts of a page that are not seen; `doubtful` is white text without any background."""

    certain: tuple[Tag, ...]
    doubtful: tuple[Tag, ...]


def hidden_parts(page: Tag) -> Hidden:
    """Return the outermost parts that no reader sees, nor can open by a control of the page."""
    rules = _rules(page)
    opened = _opened(page)
    certain: list[Tag] = []
    doubtful: list[Tag] = []
    backgrounds: dict[int, _Colour | None] = {}  # by the tag's id(): what is behind its text
    waiting = [page]
    while waiting:
        tag = waiting.pop()
        style = _declared(tag, rules)
        behind = _background(tag, style, backgrounds.get(id(tag.parent)))
        backgrounds[id(tag)] = behind
        if _is_hidden(tag, style, opened) or _is_same(style, behind):
            certain.append(tag)
        elif behind is None and _is_white(style):
            doubtful.append(tag)
        else:
            waiting.extend(child for child in reversed(tag.contents) if isinstance(child, Tag))
    return Hidden(tuple(certain), tuple(doubtful))


# Rules


def _rules(page: Tag) -> Mapping[str, Declarations]:
    """Return what the page's own style sheets say of tags, classes and ids by themselves."""
    rules: dict[str, Declarations] = defaultdict(dict)
    for sheet in page.find_all("style"):
        if str(sheet.get("media", "")).strip().lower() in ("print", "speech"):
            continue
        for selectors, block in _blocks(_COMMENT.sub("", sheet.get_text())):
            for selector in selectors.lower().split(","):
                if _SIMPLE.fullmatch(selector.strip()):
                    rules[selector.strip()].update(_declarations(block))
            if len(rules) > _MAX_RULES:
                return rules
    return rules


def _blocks(sheet: str) -> Iterator[tuple[str, str]]:
    """Yield selectors and declarations, less `@media` and the like: they hold only at times."""
    depth = start = 0
    selectors = ""
    for brace in _BRACE.finditer(sheet):
        if brace[0] == "{":
            if depth == 0:
                selectors = sheet[start : brace.start()].strip()
                start = brace.end()
            depth += 1
        elif brace[0] == "}":
            depth = max(depth - 1, 0)
            if depth == 0:
                if not selectors.startswith("@"):
                    yield selectors, sheet[start : brace.start()]
                start = brace.end()
        elif depth == 0:  # the end of an `@import`
            start = brace.end()


def _declarations(block: str) -> Declarations:
    pairs = (part.partition(":") for part in block.lower().split(";"))
    return {
        name.strip(): re.sub(r"\s*!\s*important$", "", value.strip())
        for name, colon, value in pairs
        if colon
    }


def _declared(tag: Tag, rules: Mapping[str, Declarations]) -> Declarations:
    """Return what holds for a tag: rules for its name, classes and id, then its own style."""
    style: Declarations = {}
    if rules:
        name = tag.name.lower()
        marks = [f".{mark}".lower() for mark in tag.get_attribute_list("class") if mark]
        if tag.get("id"):
            marks.append(f"#{tag['id']}".lower())
        for selector in [name, *(part for mark in marks for part in (mark, name + mark))]:
            style.update(rules.get(selector, {}))
    own = tag.get("style")
    if own:
        style.update(_declarations(str(own)))
    return style


# Hidden


def _opened(page: Tag) -> frozenset[str]:
    """Return the ids of what a reader opens by a control, such as the answers of an accordion."""
    names: set[str] = set()
    for control in page.select("button,a,summary,[role=tab],[role=button]"):
        targets = str(control.get("aria-controls", "")).split()
        for name in ("data-target", "data-bs-target", "href"):
            target = str(control.get(name, ""))
            if target.startswith("#") and (name != "href" or _toggles(control)):
                targets.append(target[1:])
        names.update(targets)
    return frozenset(names)


def _toggles(link: Tag) -> bool:
    return any(link.has_attr(name) for name in ("data-toggle", "data-bs-toggle", "aria-expanded"))


def _is_hidden(tag: Tag, style: Declarations, opened: frozenset[str]) -> bool:
    if tag.has_attr("hidden") or str(tag.get("aria-hidden", "")).lower() == "true":
        return tag.get("id") not in opened
    if not style:
        return False
    if style.get("display") == "none":
        return tag.get("id") not in opened
    return _is_out_of_sight(style)


def _is_out_of_sight(style: Declarations) -> bool:
    said = {name: re.sub(r"\s+", "", value) for name, value in style.items()}
    sizes = ("opacity", "max-height", "max-width", "height", "width")
    places = ("left", "top", "right", "bottom", "text-indent", "margin-left", "margin-top")
    return (
        said.get("visibility") in ("hidden", "collapse")
        or bool(_ZERO.fullmatch(said.get("font-size", "") or "x"))
        or any(_NOTHING.fullmatch(said.get(name, "")) for name in sizes)
        or any(_AWAY.fullmatch(said.get(name, "")) for name in places)
        or bool(_MOVED.search(said.get("transform", "")))
        or any(_CLIPPED.match(said.get(name, "")) for name in ("clip", "clip-path"))
        or _is_clear(said.get("color", ""))
    )


# Colours


def _is_clear(value: str) -> bool:
    rgb = _RGB.match(value)
    alpha = rgb[4] if rgb else None
    is_none = alpha is not None and float(alpha.rstrip("%") or 1) == 0
    return value == "transparent" or is_none


def _colour(value: str) -> _Colour | None:
    value = re.sub(r"\s*([,/()])\s*", r"\1", value.strip())
    if value in _NAMED:
        return _NAMED[value]
    digits = _HEX.match(value)
    if digits:
        short = len(digits[1]) < 5
        parts = [c * 2 for c in digits[1]] if short else re.findall("..", digits[1])
        return int(parts[0], 16), int(parts[1], 16), int(parts[2], 16)
    rgb = _RGB.match(value)
    return (int(rgb[1]), int(rgb[2]), int(rgb[3])) if rgb else None


_OTHER = (-1, -1, -1)  # a background that is there, but of a colour that is not told


def _background(tag: Tag, style: Declarations, above: _Colour | None) -> _Colour | None:
    """Return the colour behind a tag's text; None where nothing says any."""
    said = str(tag.get("bgcolor", "")).lower()
    said = style.get("background-color") or style.get("background") or said
    if not said or said in ("none", "transparent", "inherit", "initial", "unset"):
        return above
    return _colour(said) or _colour(said.split()[0]) or _OTHER


def _is_same(style: Declarations, behind: _Colour | None) -> bool:
    colour = _colour(style.get("color", ""))
    if colour is None or behind is None:
        return False
    return all(abs(one - two) <= _NEAR for one, two in zip(colour, behind, strict=True))


def _is_white(style: Declarations) -> bool:
    colour = _colour(style.get("color", ""))
    return colour is not None and min(colour) >= _WHITE
