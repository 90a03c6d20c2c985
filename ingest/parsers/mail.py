"""Mail: what its writer says, without addresses, quoted history and signature.

Mail is personal data: who sent it and who got it is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import Message
from email.utils import parsedate_to_datetime

from ingest.errors import DocumentEmpty, ParseFailed
from ingest.parsers.base import Parsed
from ingest.parsers.characters import clean, decode
from ingest.sources.base import RawDocument

_MAX_PARTS = 1_000
_HEADERS = re.compile(
    rb"^(?:from|to|subject|date|received|mime-version|content-type)[ \t]*:", re.I | re.M
)
_REPLY = re.compile(r"\s*(?:re|aw|fw|fwd|wg|sv|tr|rv|antw)(?:\[\d+\])?:\s*", re.IGNORECASE)
# A line above what is quoted, as programs write it in some languages; it may go over two lines.
_SAID = (
    r"(?:On|Am|Le|El|Em|Il|Op|Den)\b[^\n]{4,200}(?:\n[^\n]{0,120})?"
    r"(?:wrote|a écrit|escribió|escreveu|ha scritto|(?:schrieb|schreef|skrev)[^\n:]{0,80})\s?:"
)
_SAID_LAST = re.compile(rf"^{_SAID}\s*\Z", re.M)
_ATTRIBUTION = re.compile(rf"^{_SAID}[ \t]*\n(?=\n?[ \t]*>)", re.M)
_FORWARD = re.compile(
    r"^(?:-{2,} ?(?:Original Message|Original-Nachricht|Ursprüngliche Nachricht|Message d'origine"
    r"|Mensaje original|Forwarded message|Weitergeleitete Nachricht) ?-{2,}"
    r"|_{10,}\n(?=(?:From|Von|De):)"
    r"|(?:From|Von|De): [^\n]*\n(?:Sent|Gesendet|Date|Datum|Envoyé|Enviado): [^\n]*\n)",
    re.M,
)
_SIGNATURE = re.compile(r"^-- ?\n(?:[^\n]*\n?){0,20}\Z", re.M)
_SENT_FROM = re.compile(
    r"\n+(?:Sent from my|Von meinem|Envoyé de mon|Get Outlook for)[^\n]{0,60}\s*\Z"
)


def parse(raw: RawDocument) -> Parsed:
    """Return the words of one mail under its subject, with its date as that of its last change."""
    if not _HEADERS.search(raw.data[:100_000]):
        raise ParseFailed("not a mail: it has no headers")
    try:
        message = message_from_bytes(raw.data, policy=policy.default)
        parts = list(_parts(message))
        text = _text(parts)
    except MessageError as error:
        raise ParseFailed(f"not a legible mail ({error})") from error
    attached = [f"Attached, not read: {name}" for part in parts if (name := _attachment(part))]
    subject = _REPLY.sub("", _header(message, "subject")).strip()
    if not text.strip():
        raise DocumentEmpty("a mail without text")
    return Parsed(
        text="\n\n".join([text.strip(), *attached]) + "\n",
        title=clean(subject),
        modified_at=_date(message),
        language=_header(message, "content-language").partition(",")[0].strip(),
    )


def _parts(message: Message) -> Iterator[Message]:
    """Yield what is no container, in order; mails in the mail are none of its own words."""
    waiting = [message]
    for _ in range(_MAX_PARTS):
        if not waiting:
            return
        part = waiting.pop(0)
        inside = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(inside, list):
            waiting[:0] = [one for one in inside if isinstance(one, Message)]
        else:
            yield part
    raise ParseFailed(f"more than {_MAX_PARTS:,} parts")


def _text(parts: list[Message]) -> str:
    """Return the words of the first plain text, else of the first HTML."""
    shown = [part for part in parts if not _attachment(part)]
    for part in shown:
        if part.get_content_type() == "text/plain" and (text := _plain(part)).strip():
            return _trimmed(text)
    for part in shown:
        if part.get_content_type() == "text/html" and (text := _from_html(part)).strip():
            return _trimmed(text)
    return ""


def _plain(part: Message) -> str:
    text = clean(_decoded(part))
    if str(part.get_param("format") or "").lower() != "flowed":
        return text
    # A line that ends in a space goes on (RFC 3676, section 4.1).
    return re.sub(r"(?m)(?<!^--) \n(?![> \n])", " ", text)


def _from_html(part: Message) -> str:
    from ingest.parsers.html import parse as parse_html

    page = f"<!doctype html><main>{_decoded(part)}</main>".encode("utf-8", "replace")
    return parse_html(RawDocument("mail.html", "", ".html", page)).text


def _decoded(part: Message) -> str:
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return ""
    try:
        return data.decode(part.get_content_charset() or "utf-8")
    except (LookupError, ValueError):  # an encoding that does not exist, or is not that of the text
        return decode(data) if data else ""


def _trimmed(text: str) -> str:
    """Return the text without the mails below it, what it answers and its signature."""
    forward = _FORWARD.search(text)
    if forward and text[: forward.start()].strip():
        text = text[: forward.start()]
    text = _SIGNATURE.sub("", _without_last_quote(text).rstrip() + "\n")
    return _SENT_FROM.sub("", _ATTRIBUTION.sub("", text))


def _without_last_quote(text: str) -> str:
    """Return the text without the quotation at its end; what is answered line by line stays."""
    lines = text.rstrip().split("\n")
    while lines and (not lines[-1].strip() or lines[-1].lstrip().startswith(">")):
        lines.pop()
    kept = "\n".join(lines)
    start = max(len(kept) - 500, 0)  # where the line above the quotation may begin
    return kept[:start] + _SAID_LAST.sub("", kept[start:])


def _attachment(part: Message) -> str:
    """Return the name of what is attached, "" of what is shown."""
    try:
        name = part.get_filename() or ""
        is_attached = part.get_content_disposition() == "attachment"
    except (ValueError, LookupError, TypeError, AttributeError):
        return "a file"
    if part.get_content_type() == "message/rfc822":
        return name or "a mail"
    words = " ".join(clean(str(name)).split())
    return (words or "a file") if is_attached else ""


def _header(message: Message, name: str) -> str:
    """Return a header as one line, "" where it is broken beyond the parser's own mending."""
    try:
        return " ".join(clean(str(message[name] or "")).split())
    except (ValueError, LookupError, TypeError, AttributeError, MessageError):
        return ""


def _date(message: Message) -> str:
    try:
        return parsedate_to_datetime(_header(message, "date")).isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return ""
