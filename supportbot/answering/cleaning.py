"""Takes out of a text what nobody sees, pings or loads: the allow-list of what goes out."""

from __future__ import annotations

import re

# Controls, bidirectional overrides, tags, fillers and all variation selectors but the emoji one.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e"
    "\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff9-\ufffb"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Joiners stay where scripts and emoji need them: between characters beyond Latin.
_LONE_JOINER = re.compile(
    r"(?<![\u0600-\u0dff\u200d\ufe0f\u2190-\u2bff\U0001f000-\U0001faff])[\u200c\u200d]"
    r"|[\u200c\u200d](?![\u0600-\u0dff\u2190-\u2bff\U0001f000-\U0001faff])"
)
_LONE_SELECTOR = re.compile(
    r"(?<![\d#*©®\u2000-\u3300\U0001f000-\U0001faff])\ufe0f+|(?<=\ufe0f)\ufe0f+"
)
_COMBINING = "[\u0300-\u036f\u1ab0-\u1aff\u20d0-\u20ff]"
_STACKED = re.compile(f"({_COMBINING}{{3}}){_COMBINING}+")
_NO_MARK = r"(?!\[\^?\d{1,3}\])"  # "14 days![1]" is no image
_IMAGE = re.compile(rf"(?<!!)!+{_NO_MARK}\[([^\]\n]*)\](?:\([^)\n]*\)|\[[^\]\n]*\])?")
_TAG = re.compile(r"</?[a-z][a-z0-9-]*(?:\s[^<>]*)?/?>|<!--.*?-->", re.I | re.S)
_SLACK = re.compile(r"<(?:[!@#][^<>\n]{0,80})>")
_AT = "[@\uff20\ufe6b]"
_MENTION = re.compile(  # in `me@here.com` it is none
    rf"(?<!{_AT})(?:(?<=[\w.])({_AT}){_AT}*|{_AT}+)"
    r"(?=(?:channel|here|everyone|all|group|subteam)\b)",
    re.I,
)
# What is left, or put together, where a tag or an image was taken out of another one.
_OPENING = re.compile(r"<(?!(?:https?://|[\w.+-]{1,64}@)[^\s<>]*>)(?=[a-z/!?@#])", re.I)
_BANG = re.compile(rf"(?<!!)!+{_NO_MARK}(?=\[)")
_HTML_NAMES = """
a abbr audio b base big body br button canvas center code dd del details div dl dt em embed font
footer form frame h1 h2 h3 h4 h5 h6 head header hr html i iframe img input ins kbd label li link
main mark math meta nav object ol option p param pre s script section select small source span
strike strong style sub summary sup svg table tbody td textarea tfoot th thead title tr track tt u
ul var video wbr
"""
_HTML = frozenset(_HTML_NAMES.split())
_CODE = re.compile(r"(?<![`\\])(`+)(?!`).+?(?<!`)\1(?!`)", re.S)


def visible(text: str) -> str:
    """Return the text without invisible characters; emoji and joined scripts stay whole."""
    text = _INVISIBLE.sub("", text.replace("\r\n", "\n"))
    text = _LONE_SELECTOR.sub("", _LONE_JOINER.sub("", text))
    return _STACKED.sub(r"\1", text)


def harmless(text: str) -> str:
    """Return Markdown without images, raw HTML and mass mentions; code stays as it is."""
    parts, start = [], 0
    for code in _CODE.finditer(text):
        parts += [_plain(text[start : code.start()]), code.group()]
        start = code.end()
    return "".join([*parts, _plain(text[start:])])


def _plain(text: str) -> str:
    text = _IMAGE.sub(r"\1", text)
    text = _SLACK.sub("", text)
    text = _TAG.sub(_placeholder, text)
    text = _MENTION.sub(r"\1", _BANG.sub("", text))
    return _OPENING.sub("‹", text)


def _placeholder(tag: re.Match[str]) -> str:
    """Keep what reads as a placeholder, such as `<name>` or `<your key>`, in other brackets."""
    inside = tag.group()[1:-1]
    is_placeholder = re.fullmatch(r"[a-z][\w-]*(?: [\w-]+){0,3}", inside, re.I)
    return f"‹{inside}›" if is_placeholder and inside.lower() not in _HTML else ""
