"""Links to sources."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from supportbot.answering.grounding import plain

_WHOLE_WORDS = 10  # a longer quote is linked by its first and last words
_EDGE_WORDS = 4
_BLOCK_START = re.compile(r"^\s*(?:#{1,6}|[-*+•>]|\d{1,3}[.)])\s+")


def is_web(uri: str) -> bool:
    """Tell whether an address opens in a browser: http or https, with a host."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    return parts.scheme.lower() in ("http", "https") and bool(parts.hostname)


def link_to(uri: str, words: str) -> str:
    """Return the address with a text fragment on these words; other addresses as they are.

    Method: WICG, "URL Fragment Text Directives": `#:~:text=start,end`, with `-`, `,` and `&` inside
    the words percent-encoded.
    """
    line = next((line for line in words.splitlines() if line.strip()), "")
    spoken = plain(_BLOCK_START.sub("", line)).split()
    if not is_web(uri) or not spoken:
        return uri
    parts = [spoken]
    if len(spoken) > _WHOLE_WORDS:
        parts = [spoken[:_EDGE_WORDS], spoken[-_EDGE_WORDS:]]
    encoded = (quote(" ".join(part), safe="").replace("-", "%2D") for part in parts)
    directive = f":~:text={','.join(encoded)}"
    return f"{uri}{directive}" if "#" in uri else f"{uri}#{directive}"
