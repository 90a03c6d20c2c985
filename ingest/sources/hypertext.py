"""What an HTML page says to those who walk a site: its links, its canonical address, its wishes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from lxml import etree, html

from ingest.addresses import WebAddress
from ingest.fetching import USER_AGENT

_MAX_TAGS = 200_000
_MAX_LINKS = 5_000
_LONGEST_WAIT = 10  # seconds; a refresh after longer is a page that renews itself
_TRACKING = re.compile(
    r"utm_\w+|gclid|dclid|fbclid|msclkid|yclid|igshid|mc_[ce]id|_hs(enc|mi)"
    r"|phpsessid|jsessionid|aspsessionid\w*|sid|session_?id",
    re.IGNORECASE,
)
_SESSION_IN_PATH = re.compile(r";jsessionid=[^/;]*", re.IGNORECASE)
# Nothing is given back: a page of digits would be read again from each of them.
_REFRESH = re.compile(
    r"\s*+(\d++)[\d.]*+\s*+[;,]\s*+(?:url\s*+=\s*+)?[\"']?([^\"']+)", re.IGNORECASE
)
_FOR_ANY_ROBOT = ("robots", USER_AGENT)


@dataclass(frozen=True, slots=True)
class Outline:
    """What a page says beside its text."""

    links: tuple[str, ...] = ()  # whole addresses in plain form, each once, in the page's order
    canonical: str = ""  # "" where it names none
    refresh: str = ""  # where it leads by itself
    is_indexed: bool = True  # it does not ask to be left out


def outline(body: bytes, url: str, told: Mapping[str, str]) -> Outline:
    """Return what the HTML page at `url` says (b"": no such page), and the headers that it had."""
    page = _tree(body)
    wishes = {*_wishes(told.get("x-robots-tag", "")), *_meta_wishes(page)}
    base = _base(page, url)
    is_followed = wishes.isdisjoint({"nofollow", "none"})
    return Outline(
        tuple(_links(page, base)) if is_followed else (),
        _canonical(page, base),
        _refresh(page, base, url),
        wishes.isdisjoint({"noindex", "none"}),
    )


def _tree(body: bytes) -> Any:
    try:
        if body.count(b"<") <= _MAX_TAGS:
            return html.document_fromstring(body, parser=html.HTMLParser(huge_tree=False))
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        pass
    return html.Element("html")


def plain_link(href: str, base: str = "") -> WebAddress | None:
    """Return where a link leads, without what only tracks the visitor; None: nowhere on the web."""
    try:
        address = WebAddress.of(href.strip().replace(" ", "%20"), base)
    except ValueError:
        return None
    path = _SESSION_IN_PATH.sub("", address.path)
    kept = [part for part in address.query.split("&") if part and not _tracks(part)]
    return replace(address, path=path, query="&".join(kept))


def _tracks(part: str) -> bool:
    return any(_TRACKING.fullmatch(name) for name, _ in parse_qsl(part, keep_blank_values=True))


def _base(page: Any, url: str) -> str:
    """Return where links start from: the page's `<base>` counts only on its own site."""
    for tag in page.xpath("//base[@href]")[:1]:
        base, own = plain_link(tag.get("href"), url), plain_link(url)
        if base and own and base.origin == own.origin:
            return base.url
    return url


def _links(page: Any, base: str) -> Iterator[str]:
    seen: set[str] = set()
    for tag in page.iter("a", "area"):
        href = tag.get("href")
        if not href or href.lstrip().startswith("#") or "nofollow" in _words(tag.get("rel")):
            continue
        address = plain_link(href, base)
        if address and address.url not in seen:
            seen.add(address.url)
            yield address.url
        if len(seen) >= _MAX_LINKS:
            return


def _canonical(page: Any, base: str) -> str:
    for tag in page.xpath("//head//link[@rel][@href]"):
        is_canonical = "canonical" in _words(tag.get("rel"))
        if is_canonical and (address := plain_link(tag.get("href"), base)):
            return address.url
    return ""


def _refresh(page: Any, base: str, url: str) -> str:
    for tag in page.xpath("//meta[@http-equiv][@content][not(ancestor::noscript)]"):
        found = _REFRESH.match(tag.get("content"))
        if tag.get("http-equiv").strip().lower() != "refresh" or not found:
            continue
        if len(found[1]) > 2 or int(found[1]) > _LONGEST_WAIT:
            continue
        # An address that may not be fetched stays as it is written, for the fetcher to refuse.
        address = plain_link(found[2], base)
        target = address.url if address else found[2].strip()
        if target != url:
            return target
    return ""


def _meta_wishes(page: Any) -> Iterator[str]:
    for tag in page.xpath("//meta[@name][@content]"):
        if tag.get("name").strip().lower() in _FOR_ANY_ROBOT:
            yield from _wishes(tag.get("content"))


def _wishes(text: str) -> set[str]:
    """Return directives such as `noindex`; those for a robot by its name are left out."""
    return {word.strip().lower() for word in text.split(",")}


def _words(text: str | None) -> list[str]:
    return (text or "").lower().split()
