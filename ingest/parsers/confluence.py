"""Pages of a Confluence space that was exported as HTML: what they say, and their furniture.

https://support.atlassian.com/confluence-cloud/docs/export-content-to-word-pdf-html-and-xml/
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ingest.parsers import fields
from ingest.sources.base import About

if TYPE_CHECKING:
    from bs4 import BeautifulSoup

_FURNITURE = (
    "#breadcrumb-section,#footer,.page-metadata,.pageSection:has(#attachments),"
    ".pageSection:has(#comments),#likes-and-labels-container,.toc-macro"
)
_MODIFIED = re.compile(r"\bon (\w{3,9} \d{1,2}, \d{4})\s*$")


def strip_export(page: BeautifulSoup) -> About:
    """Take the furniture of an exported page out, and return its title and last change.

    Any other page is left as it is.
    """
    content, metadata = page.select_one("#main-content"), page.select_one(".page-metadata")
    heading = page.select_one("h1#title-heading")
    if not content or not metadata or not heading:
        return About()
    space = page.select_one("#breadcrumbs li")
    words = " ".join(heading.get_text(" ").split())
    name = " ".join(space.get_text(" ").split()) if space else ""
    changed = _MODIFIED.search(" ".join(metadata.get_text(" ").split()))
    for tag in page.select(_FURNITURE):
        tag.extract()
    title = words.removeprefix(f"{name} : ") if name else words.partition(" : ")[2] or words
    date = fields.moment({"date": changed[1]}, "date") if changed else ""
    return About(title=title, modified_at=date)
