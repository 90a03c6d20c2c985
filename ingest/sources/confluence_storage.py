"""Confluence's storage format as the HTML that a reader sees.

It is XHTML with elements of its own for macros, tasks, links and layouts:
https://confluence.atlassian.com/doc/confluence-storage-format-790796544.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html.entities import html5
from typing import Any
from urllib.parse import quote, quote_plus

from lxml import etree

from ingest.errors import ParseFailed

_MAX_CHARACTERS = 5_000_000
_CDATA = re.compile(r"(<!\[CDATA\[.*?\]\]>)", re.DOTALL)
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
_XML_ENTITIES = ("amp", "lt", "gt", "quot", "apos")


_AC, _RI = "{ac}", "{ri}"
_NOTES = {
    "info": "Info",
    "note": "Note",
    "tip": "Tip",
    "warning": "Warning",
    "success": "Success",
    "error": "Error",
    "panel": "",
}
_INLINE = ("link-body", "inline-comment-marker", "task-body")
# These are read by what they are of, and dropped in the end.
_PARTS = ("parameter", "plain-text-body", "plain-text-link-body", "task-id", "task-status")
# Hints of templates, pictures, and an editor's own form of what stands in `adf-fallback` too.
_UNREAD = ("placeholder", "image", "emoticon", "adf-node")

_Element = Any  # of lxml


@dataclass(frozen=True, slots=True)
class Wiki:
    """Where a page is, for its links."""

    address: str  # with which those of its pages begin
    space: str  # the key of the space, in which links without one lead


def to_html(storage: str, wiki: Wiki) -> str:
    """Return a page's body as HTML.

    Raises:
        ParseFailed: it is too large, or not well-formed.
    """
    root = _read(storage)
    # From the end, so that what is in a macro is done before the macro.
    for element in reversed(list(root.iter())):
        if not isinstance(element.tag, str):
            _remove(element)  # comments and processing instructions
        elif element.tag.startswith(_AC):
            _convert(element, wiki)
        elif element.tag == "time":
            element.text = element.get("datetime", "")
    for element in [each for each in root.iter() if each.tag.startswith((_AC, _RI))]:
        _remove(element)
    root.tag = "div"
    etree.cleanup_namespaces(root)
    return str(etree.tostring(root, method="html", encoding="unicode"))


def _read(storage: str) -> _Element:
    if len(storage) > _MAX_CHARACTERS:
        raise ParseFailed(f"its body has more than {_MAX_CHARACTERS:,} characters; split the page")
    text = f'<root xmlns:ac="ac" xmlns:ri="ri">{_without_entities(storage)}</root>'
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        return etree.fromstring(text.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError as error:
        raise ParseFailed(f"its storage format is not well-formed: {error.msg}") from error


def _without_entities(storage: str) -> str:
    """Return the text with HTML's named characters as such, which XML does not know."""

    def character(match: re.Match[str]) -> str:
        return match[0] if match[1] in _XML_ENTITIES else html5.get(f"{match[1]};", match[1])

    parts = _CDATA.split(storage)
    return "".join(
        part if part.startswith("<![CDATA[") else _ENTITY.sub(character, part) for part in parts
    )


def _convert(element: _Element, wiki: Wiki) -> None:
    name = etree.QName(element).localname
    if name in ("structured-macro", "macro"):
        _macro(element)
    elif name == "link":
        _link(element, wiki)
    elif name == "task":
        _task(element)
    elif name in _UNREAD:
        _remove(element)
    elif name not in _PARTS:
        _become(element, "ul" if name == "task-list" else "span" if name in _INLINE else "div")


def _macro(macro: _Element) -> None:
    name = macro.get(f"{_AC}name", "")
    told = {
        each.get(f"{_AC}name", ""): "".join(each.itertext()).strip()
        for each in macro.findall(f"{_AC}parameter")
    }
    if name == "excerpt" and told.get("hidden") == "true":
        _remove(macro)
    elif name in _NOTES:
        _become(macro, "blockquote")
        _lead(macro, told.get("title") or _NOTES[name])
    elif name in _MACROS:
        _MACROS[name](macro, told)
    elif macro.find("div") is not None:  # its body
        _become(macro, "div")
    else:
        _remove(macro)  # it works out what it shows, such as a table of contents


def _code(macro: _Element, told: Mapping[str, str]) -> None:
    text = "".join(macro.itertext(f"{_AC}plain-text-body"))
    _become(macro, "div", "")
    code = etree.SubElement(etree.SubElement(macro, "pre"), "code")
    code.text = text
    if told.get("language"):
        code.set("class", f"language-{told['language']}")
    _lead(macro, told.get("title", ""))


def _status(macro: _Element, told: Mapping[str, str]) -> None:
    _become(macro, "span", told.get("title", ""))


def _expand(macro: _Element, told: Mapping[str, str]) -> None:
    _become(macro, "div")
    _lead(macro, told.get("title", ""))


_MACROS: Mapping[str, Callable[[_Element, Mapping[str, str]], None]] = {
    "code": _code,
    "noformat": _code,
    "status": _status,
    "expand": _expand,
}


def _link(link: _Element, wiki: Wiki) -> None:
    page = link.find(f"{_RI}page")
    attachment = link.find(f"{_RI}attachment")
    title = page.get(f"{_RI}content-title", "") if page is not None else ""
    file = attachment.get(f"{_RI}filename", "") if attachment is not None else ""
    text = "".join(link.itertext()).strip() or title or file
    space = page.get(f"{_RI}space-key", wiki.space) if page is not None else ""
    _become(link, "a" if title else "span", text)
    if title:
        link.set("href", f"{wiki.address}/display/{quote(space)}/{quote_plus(title)}")


def _task(task: _Element) -> None:
    is_done = (task.findtext(f"{_AC}task-status") or "").strip() == "complete"
    _become(task, "li")
    task.text = "[x] " if is_done else "[ ] "


def _become(element: _Element, tag: str, text: str | None = None) -> None:
    """Make it an HTML element, with this text in the place of all that it holds."""
    element.tag = tag
    for name in list(element.attrib):
        del element.attrib[name]
    if text is not None:
        del element[:]
        element.text = text


def _lead(element: _Element, title: str) -> None:
    """Put a title before what it holds."""
    if title:
        line = etree.Element("p")
        etree.SubElement(line, "strong").text = title
        element.insert(0, line)


def _remove(element: _Element) -> None:
    """Take it out, and leave what stands behind it."""
    parent, before, tail = element.getparent(), element.getprevious(), element.tail or ""
    if before is not None:
        before.tail = (before.tail or "") + tail
    else:
        parent.text = (parent.text or "") + tail
    parent.remove(element)
