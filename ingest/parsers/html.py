"""HTML: what a reader sees of the page's own content, as Markdown.

The main part of a page is found by its markup (`main`, `article`, landmark roles), not by a guess
at where its text is dense: such guesses drop short answers, tables and lists of help pages.
"""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

from bs4 import BeautifulSoup, Comment, Tag
from markdownify import MarkdownConverter

from ingest.errors import ParseFailed
from ingest.parsers.base import Parsed
from ingest.parsers.characters import clean, decode
from ingest.parsers.confluence import strip_export
from ingest.sources.base import RawDocument

_MAX_TAGS = 200_000
_MAX_DEPTH = 150  # the Markdown writer takes four Python frames a level
_MAX_LINK = 300  # characters; longer ones are trackers, and fill a passage

_UNREAD = (
    "script,style,noscript,template,iframe,object,embed,svg,canvas,audio,video,img,picture,map"
)
_CONTROLS = "button,input,select,textarea,label:has(input,select,textarea),datalist"
_ROLES = ("navigation", "banner", "contentinfo", "search", "complementary", "dialog", "alertdialog")
_FURNITURE = "nav,footer,aside,dialog," + ",".join(f"[role={role}]" for role in _ROLES)
_ANCHOR_MARKS = ("", "#", "¶", "§", "🔗")
_HEADINGS = "h1,h2,h3,h4,h5,h6"
_NOTHING = r"0+(\.0*)?(px|em|rem|pt|%)?"
_HIDDEN_STYLE = re.compile(
    r"display:none|visibility:(hidden|collapse)"
    rf"|(^|;)(font-size|opacity|max-height|max-width|height|width):{_NOTHING}(;|!|$)"
    r"|(^|;)(left|top|right|text-indent|margin-left):-\d{4,}(\.\d+)?(px|em|rem|pt)"
    r"|(^|;)left:-\d{3}(em|rem)|clip:rect\(0|clip-path:inset\((50|100)%"
)
_COLOUR = re.compile(r"(?:^|;)color:([^;!]+)")
_BACKGROUND = re.compile(r"(?:^|;)background(?:-color)?:([^;!]+)")


def parse(raw: RawDocument) -> Parsed:
    """Return the page's main content as Markdown, with title, canonical address and language."""
    if raw.data.count(b"<") > _MAX_TAGS:
        raise ParseFailed(f"more than {_MAX_TAGS:,} HTML tags")
    page = BeautifulSoup(decode(raw.data), "lxml")
    if _is_deeper(page, _MAX_DEPTH):
        raise ParseFailed(f"HTML nested deeper than {_MAX_DEPTH} levels")
    url = raw.about.url or _canonical(page) or raw.labels.base_url
    name, language = _text_of(page.title), _language(page)
    for tag in [*page.select(_UNREAD), *page.find_all(string=lambda s: isinstance(s, Comment))]:
        tag.extract()
    for tag in [tag for tag in page.find_all(True) if _is_hidden(tag)]:
        tag.extract()
    exported = strip_export(page)
    main = _main(page)
    heading = main.find("h1") or page.find("h1")
    title = exported.title or _text_of(heading) or name
    _strip_furniture(main)
    if isinstance(heading, Tag):
        heading.extract()
    _mend_links(main, url)
    return Parsed(
        text=clean(_to_markdown(main)),
        title=clean(title),
        url=_canonical(page),
        language=language,
        modified_at=exported.modified_at,
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


def _is_hidden(tag: Tag) -> bool:
    if tag.has_attr("hidden") or str(tag.get("aria-hidden", "")).lower() == "true":
        return True
    style = re.sub(r"\s+", "", str(tag.get("style", ""))).lower()
    if not style:
        return False
    colour, background = _COLOUR.search(style), _BACKGROUND.search(style)
    if colour and background and colour[1] == background[1]:
        return True
    return bool(_HIDDEN_STYLE.search(style))


def _main(page: BeautifulSoup) -> Tag:
    """Return the one part that holds the content: `main`, a lone `article`, else the body."""
    for selector in ("main,[role=main]", "article"):
        found = page.select(selector)
        if len(found) == 1 and found[0].get_text(strip=True):
            return found[0]
    return page.body or page


def _strip_furniture(main: Tag) -> None:
    for tag in main.select(_FURNITURE):
        tag.extract()
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


def _canonical(page: BeautifulSoup) -> str:
    link = page.select_one('link[rel~="canonical"][href]')
    return str(link["href"]).strip() if link else ""


def _language(page: BeautifulSoup) -> str:
    return str(page.html.get("lang", "")).strip() if page.html else ""


def _text_of(tag: object) -> str:
    return " ".join(tag.get_text(" ").split()) if isinstance(tag, Tag) else ""
