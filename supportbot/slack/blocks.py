"""An Answer as Slack messages: sections of checked text, then its numbered sources. Pure.

Limits: a section takes 3,000 characters, a message 50 blocks and about 13,000 characters of them
(`msg_blocks_too_long`), and `chat.update` at most 4,000 bytes of escaped `text` (`msg_too_long`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from supportbot.answering.texts import texts_for
from supportbot.conversation import Answer, Citation, Outcome
from supportbot.slack.client import Message
from supportbot.slack.rendering import (
    LABEL_CHARACTERS,
    Links,
    Piece,
    cut,
    escape,
    link,
    shorten,
    to_pieces,
)

SECTION_CHARACTERS = 1_900  # two of them fill a message; a longer code block has its own
MESSAGE_CHARACTERS = 3_850
MESSAGE_BLOCKS = 40
TEXT_BYTES = 3_900

SEARCHING = Message("_Searching the help articles…_")
REPORT = "report_answer"  # the action of the button
REPORTED = "_Reported. Thank you._"
REPORTABLE = frozenset({Outcome.ANSWERED, Outcome.QUOTED, Outcome.NOT_FOUND})
EMPTY = Message("_The answer was empty._")
HELP = Message(
    "Hello! Mention me with a question, or write to me directly, and I look it up in the help "
    "articles. Every sentence of my answer names its source. Ask further in the thread and I "
    "know what was said before."
)


def apology(reference: str, question: str) -> Message:
    """Return the message for a question that nothing could be done about, in its language."""
    return Message(escape(texts_for(question).unavailable.format(reference=reference)))


def to_messages(answer: Answer) -> list[Message]:
    """Return the messages that show an answer, one for all but very long ones."""
    shown = to_pieces(answer.text, Links(answer.citations))
    blocks = [_section(text) for text in _packed(shown)]
    if blocks and answer.outcome in REPORTABLE:
        blocks[-1]["accessory"] = _report_button(answer.id)
    blocks += [_context(text) for text in _packed(_sources(answer.citations))]
    return [_message(group) for group in _grouped(blocks)] or [EMPTY]


def reported(text: str, blocks: Sequence[dict[str, Any]]) -> Message:
    """Return a message as it stands, with thanks in place of the button."""
    kept = [{name: value for name, value in one.items() if name != "accessory"} for one in blocks]
    return Message(text, [*kept, _context(REPORTED)])


def _report_button(answer_id: str) -> dict[str, Any]:
    label = {"type": "plain_text", "text": "Report this answer"}
    return {"type": "button", "action_id": REPORT, "value": answer_id, "text": label}


def _sources(citations: Sequence[Citation]) -> list[Piece]:
    lines = [
        f"[{citation.number}] {link(citation.link, _name(citation))}"
        for citation in sorted(citations, key=lambda citation: citation.number)
    ]
    return [Piece(line, "\n") for line in lines]


def _name(citation: Citation) -> str:
    title = citation.title or citation.document_id
    heading = citation.heading if citation.heading != title else ""
    return shorten(" › ".join(part for part in (title, heading) if part), LABEL_CHARACTERS)


def _packed(pieces: Iterable[Piece]) -> list[str]:
    """Return the pieces joined into as few texts as fit into a block each."""
    texts: list[str] = []
    for piece in pieces:
        if texts and len(texts[-1]) + len(piece.gap) + len(piece.text) <= SECTION_CHARACTERS:
            texts[-1] += piece.gap + piece.text
        elif piece.text.strip():
            texts.append(piece.text)
    return texts


def _grouped(blocks: Iterable[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    groups: list[list[dict[str, Any]]] = []
    size = 0
    for block in blocks:
        length = len(_words(block))
        if not groups or size + length > MESSAGE_CHARACTERS or len(groups[-1]) >= MESSAGE_BLOCKS:
            groups.append([])
            size = 0
        groups[-1].append(block)
        size += length
    return groups


def _message(blocks: list[dict[str, Any]]) -> Message:
    text = "\n\n".join(_words(block) for block in blocks)
    return Message(_within_bytes(text), blocks)


def _within_bytes(text: str) -> str:
    """Return the text that stands for the blocks in notifications, cut where Slack would refuse."""
    if len(text.encode()) <= TEXT_BYTES:
        return text
    at = len(text.encode()[:TEXT_BYTES].decode(errors="ignore"))
    return text[: cut(text, at)].rstrip() + "…"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "expand": True, "text": _mrkdwn(text)}


def _context(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [_mrkdwn(text)]}


def _mrkdwn(text: str) -> dict[str, Any]:
    """Return a text object; `verbatim` keeps Slack from making links and mentions by itself."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _words(block: dict[str, Any]) -> str:
    element = block["text"] if "text" in block else block["elements"][0]
    return str(element["text"])
