"""HTML: what a reader sees of the page's own content, as Markdown.

The main part of a page is found by its markup (`main`, `article`, landmark roles), not by a guess
at where its text is dense: such guesses drop short answers, tables and lists of help pages.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from urllib.parse import urljoin, urlsplit

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString, PreformattedString
from markdownify import MarkdownConverter

from ingest.errors import ParseFailed
from ingest.parsers.base import Parsed
from ingest.parsers.characters import clean, decode
from ingest.parsers.confluence import strip_export
from ingest.parsers.tables import flatten_tables
from ingest.parsers.visibility import hidden_parts
from ingest.sources.base import RawDocument

_MAX_TAGS = 200_000
_MAX_DEPTH = 150  # the Markdown writer takes four Python frames a level
_MAX_LINK = 300  # characters; longer ones are trackers, and fill a passage

_UNREAD = (
    *("script", "style", "noscript", "template", "iframe", "object", "embed", "svg", "canvas"),
    *("audio", "video", "img", "picture", "map"),
)
_CONTROLS = "button,input,select,textarea,label:has(input,select,textarea),datalist"
_ROLES = ("navigation", "banner", "contentinfo", "search", "complementary", "dialog", "alertdialog")
_FURNITURE = "nav,footer,aside,dialog," + ",".join(f"[role={role}]" for role in _ROLES)
# What a heading's link to itself shows; the last is a chain in the icon font of Sphinx and MkDocs.
_ANCHOR_MARKS = ("", "#", "¶", "§", "🔗", "\uf0c1")
_MARKED = re.compile(f"\\s+[{''.join(_ANCHOR_MARKS)}]$")
_HEADINGS = "h1,h2,h3,h4,h5,h6"
# Class names of page furniture, as the writers of help centres and documentation give them.
_FURNITURE_CLASSES = (
    *("breadcrumb", "breadcrumbs", "navbar", "navheader", "navfooter", "nav-panel", "nav-wrapper"),
    *("nav-wide-wrapper", "navigation", "sidebar", "sphinxsidebar", "pagination", "pager"),
    *("skip-link", "skip-to-content", "cookie-banner", "cookie-notice", "article-votes"),
    *("footer", "navigationbar", "nav"),
    *("article-relatives", "related-articles", "social-share", "share-links", "print-only"),
)
_FURNITURE_IDS = ("footer", "ft", "hd", "page-header", "sidebar")
_CONTENTS = ".toc,.table-of-contents,#toc,#table-of-contents"
_MODIFIED = ("article:modified_time", "og:updated_time", "last-modified", "dcterms.modified")
_MAX_JSON = 200_000  # characters of one JSON-LD block
# Private characters around the number of an anchor, while the page is turned into Markdown.
_OPEN, _CLOSE = "\U0010fffc", "\U0010fffd"
_NO_HTML = re.compile(rf"\A\s*<\?xml[^>]*>|[{_OPEN}{_CLOSE}]")
_MARK = re.compile(f"{_OPEN}(\\d+){_CLOSE}")
_LONGEST_ID = 200
_NEAR = 20  # parts of a page after an empty anchor, among which its text must be
_PIPE = "\\|"  # in a cell of a table


def parse(raw: RawDocument) -> Parsed:
    """Return the page's main content as Markdown, with title, canonical address and language."""
    if raw.data.count(b"<") > _MAX_TAGS:
        raise ParseFailed(f"more than {_MAX_TAGS:,} HTML tags")
    page = BeautifulSoup(_NO_HTML.sub("", decode(raw.data)), "lxml")
    if _is_deeper(page, _MAX_DEPTH):
        raise ParseFailed(f"HTML nested deeper than {_MAX_DEPTH} levels")
    url = _canonical(page)
    name, language, modified_at = _text_of(page.title), _language(page), _modified_at(page)
    notes = _strip_unseen(page)
    exported = strip_export(page)
    main = _main(page)
    heading = main.find("h1") or _heading_above(page, name)
    title = exported.title or _MARKED.sub("", _text_of(heading)) or name
    _strip_furniture(main)
    if isinstance(heading, Tag):
        heading.extract()
    ids = _mark(main)
    _mend_links(main, raw.about.url or url or raw.labels.base_url)
    flatten_tables(page, main)
    text, anchors = _unmarked(clean(_to_markdown(main)), ids)
    return Parsed(
        text=text,
        title=clean(title),
        url=url,
        language=language,
        modified_at=exported.modified_at or modified_at,
        anchors=anchors,
        notes=notes,
    )


class _Writer(MarkdownConverter):
    """Writes text as it reads: nothing is escaped, so that quotes stay exact."""

    class Options:
        heading_style = "atx"
        bullets = "-"
        autolinks = False
        escape_asterisks = False
        escape_underscores = False
        escape_misc = False
        table_infer_header = True

    def __init__(self) -> None:
        super().__init__(code_language_callback=_code_language)
        self._counts: Counter[int] = Counter()  # list items so far, by the id() of their list

    def convert_li(self, el: Tag, text: str, parent_tags: object) -> str:
        text = text.strip()
        if not text:
            return "\n"
        sign = "- "
        if el.parent is not None and el.parent.name == "ol":
            start = str(el.parent.get("start", "1"))
            sign = f"{self._counts[id(el.parent)] + int(start if start.isdecimal() else 1)}. "
            self._counts[id(el.parent)] += 1
        lines = text.split("\n")
        rest = (" " * len(sign) + line if line.strip() else "" for line in lines[1:])
        return "\n".join([sign + lines[0], *rest]) + "\n"

    def convert_td(self, el: Tag, text: str, parent_tags: object) -> str:
        return f" {' '.join(text.split()).replace('|', _PIPE)} |"

    convert_th = convert_td

    def convert_dt(self, el: Tag, text: str, parent_tags: object) -> str:
        term = " ".join(text.split())
        return f"\n\n**{term}**\n\n" if _MARK.sub("", term) else term

    def convert_dd(self, el: Tag, text: str, parent_tags: object) -> str:
        return f"\n\n{text.strip()}\n\n"

    def convert_details(self, el: Tag, text: str, parent_tags: object) -> str:
        return f"\n\n{text.strip()}\n\n"

    def convert_summary(self, el: Tag, text: str, parent_tags: object) -> str:
        return f"\n\n**{text.strip()}**\n\n" if text.strip() else ""


def _to_markdown(main: Tag) -> str:
    return re.sub(r"\n{3,}", "\n\n", str(_Writer().convert_soup(main))).strip()


def _code_language(pre: Tag) -> str:
    for tag in (pre, *pre.find_all("code", limit=1)):
        for name in tag.get_attribute_list("class"):
            if name and name.startswith(("language-", "lang-")):
                return str(name).partition("-")[2]
    return ""


def _is_deeper(page: Tag, limit: int) -> bool:
    level: list[Tag] = [page]
    for _ in range(limit + 1):
        level = [child for tag in level for child in tag.children if isinstance(child, Tag)]
        if not level:
            return False
    return True


def _strip_unseen(page: BeautifulSoup) -> tuple[str, ...]:
    """Take out what no reader sees; return what is to be said of that."""
    hidden = hidden_parts(page)
    main = _main(page)
    unseen, white = (
        sum(len(tag.get_text(" ").split()) for tag in tags if main in tag.parents)
        for tags in (_shown_elsewhere(hidden.certain), hidden.doubtful)
    )
    for comment in page.find_all(string=lambda text: isinstance(text, PreformattedString)):
        comment.extract()
    for tag in [*page.find_all(_UNREAD), *hidden.certain, *hidden.doubtful]:
        tag.extract()
    notes = []
    if unseen:
        notes.append(f"text that no reader sees was left out ({unseen} words)")
    if white:
        notes.append(f"white text on no background was left out as hidden ({white} words)")
    return tuple(notes)


def _shown_elsewhere(tags: Iterable[Tag]) -> list[Tag]:
    """Leave out what is hidden by custom, such as icons, templates and scripts."""
    return [tag for tag in tags if tag.get("aria-hidden") is None and tag.name not in _UNREAD]


def _main(page: BeautifulSoup) -> Tag:
    """Return the one part that holds the content: `main`, a lone `article`, else the body."""
    for selector in ("main,[role=main]", "article"):
        found = page.select(selector)
        if len(found) == 1 and found[0].get_text(strip=True):
            return found[0]
    return page.body or page


def _heading_above(page: BeautifulSoup, name: str) -> Tag | None:
    """Return the first heading of the page, unless it is the site's that ends the page's name."""
    heading = page.find("h1")
    said = _text_of(heading)
    is_site = name != said and name.endswith(said)
    return heading if isinstance(heading, Tag) and not is_site else None


def _strip_furniture(main: Tag) -> None:
    for tag in main.select(_FURNITURE):
        tag.extract()
    for tag in [*main.find_all(class_=_FURNITURE_CLASSES), *main.find_all(id=_FURNITURE_IDS)]:
        if not tag.find("h1"):
            tag.extract()
    _strip_contents(main)
    is_page = main.name not in ("main", "article") and main.get("role") != "main"
    for header in main.select("header"):
        inside = header.find_parent(["main", "article"])
        if (is_page and not inside) or not header.select_one(_HEADINGS):
            header.extract()
    for form in main.select("form"):
        # Some frameworks put the whole page into one form.
        if not form.select_one(f"{_HEADINGS},p,table,main,article"):
            form.extract()
    for tag in main.select(_CONTROLS):
        tag.extract()


def _strip_contents(main: Tag) -> None:
    """Take out tables of contents, which repeat headings; of a book's first page they are all."""
    for contents in main.select(_CONTENTS):
        if 2 * len(_text_of(contents)) < len(_text_of(main)):
            contents.extract()


def _mend_links(main: Tag, url: str) -> None:
    """Make addresses whole, and leave only the text of links that lead nowhere on the web."""
    for link in list(main.select("a")):
        if link.find_parent(_HEADINGS.split(",")) and link.get_text(strip=True) in _ANCHOR_MARKS:
            link.extract()
            continue
        target = str(link.get("href", "")).strip()
        address = _web_address(target, url) if not target.startswith("#") else ""
        if not link.get_text(strip=True) or not address or len(address) > _MAX_LINK:
            link.unwrap()
        else:
            link.attrs = {"href": address}


def _web_address(target: str, base: str) -> str:
    try:
        address = urljoin(base, target)
        parts = urlsplit(address)
    except ValueError:
        return ""
    if parts.scheme == "mailto":
        return address
    return address if parts.scheme in ("http", "https") and parts.netloc else ""


def _mark(main: Tag) -> list[str]:
    """Put the number of its anchor into each heading, term and named place; return the anchors."""
    ids: list[str] = []
    first_headings: dict[int, Tag] = {}  # by the id() of the part of the page
    for tag in main.select(f"{_HEADINGS},dt,summary,a[name]:not([href]),a[id]:not([href])"):
        name = _anchor(tag, first_headings)
        if not name or (ids and name == ids[-1]):
            continue
        mark = NavigableString(f"{_OPEN}{len(ids)}{_CLOSE}")
        if tag.get_text(strip=True):
            tag.insert(0, mark)
        elif text := _next_text(tag):
            text.insert_before(mark)  # an empty place is that of the text after it
        else:
            continue
        ids.append(name)
    return ids


def _next_text(tag: Tag) -> NavigableString | None:
    for part in islice(tag.next_elements, _NEAR):
        if isinstance(part, NavigableString) and part.strip():
            return part
    return None


def _anchor(tag: Tag, first_headings: dict[int, Tag]) -> str:
    """Return the fragment that leads to a heading, a term or a named place; "" where none does."""
    if tag.name in ("a", "dt"):
        return _id_of(tag)
    if not tag.get_text(strip=True):
        return ""
    inner = (_id_of(inside) for inside in tag.find_all(["a", "span"], limit=5))
    name = _id_of(tag) or next(filter(None, inner), "")
    if name or tag.name == "summary":
        return name or _id_of(tag.parent)
    section = tag.find_parent(["section", "div", "article", "details", "li"], id=True)
    is_first = section is not None and first_headings.setdefault(id(section), tag) is tag
    return _id_of(section) if is_first else ""


def _id_of(tag: Tag | None) -> str:
    name = str((tag.get("id") or tag.get("name") or "") if tag is not None else "")
    return name if 0 < len(name) <= _LONGEST_ID and not re.search(r"\s", name) else ""


def _unmarked(text: str, ids: Sequence[str]) -> tuple[str, tuple[tuple[int, str], ...]]:
    """Return the text without its marks, and where each anchor is in it."""
    parts = _MARK.split(text)
    place = 0
    anchors = []
    for part, number in zip(parts[::2], [*parts[1::2], ""], strict=True):
        place += len(part)
        if number:
            anchors.append((place, ids[int(number)]))
    return "".join(parts[::2]), tuple(anchors)


def _modified_at(page: BeautifulSoup) -> str:
    said = {
        str(meta.get("property") or meta.get("name") or meta.get("http-equiv")).lower(): meta
        for meta in page.find_all("meta", content=True)
    }
    dates = [str(said[name]["content"]) for name in _MODIFIED if name in said]
    dates += [str(tag.get("datetime", "")) for tag in page.find_all(itemprop="dateModified")]
    for script in page.find_all("script", type="application/ld+json", limit=20):
        dates.append(_date_in(script.get_text()))
    return next(filter(None, map(_moment, dates)), "")


def _date_in(block: str) -> str:
    """Return the first `dateModified` of a JSON-LD block."""
    if len(block) > _MAX_JSON or "dateModified" not in block:
        return ""
    try:
        waiting = [json.loads(block)]
    except (ValueError, RecursionError):
        return ""
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict) and isinstance(value.get("dateModified"), str):
            return str(value["dateModified"])
        waiting.extend(value.values() if isinstance(value, dict) else ())
        waiting.extend(value if isinstance(value, list) else ())
    return ""


def _moment(said: str) -> str:
    """Return an ISO 8601 or an HTTP date as ISO 8601, "" where it is neither."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            return read(said.strip()).isoformat()
        except ValueError:
            continue
    return ""


def _canonical(page: BeautifulSoup) -> str:
    link = page.find("link", rel="canonical", href=True)
    return str(link["href"]).strip() if isinstance(link, Tag) else ""


def _language(page: BeautifulSoup) -> str:
    return str(page.html.get("lang", "")).strip() if page.html else ""


def _text_of(tag: object) -> str:
    return " ".join(tag.get_text(" ").split()) if isinstance(tag, Tag) else ""
