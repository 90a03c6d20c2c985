"""What a message is that asks nothing: small talk, a wish for a person, an insult, too little.

A message is told by its whole text, never by a word in it: one that holds anything else is a
question, and goes its way to the documents. No model is called for it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from knowledge.documents import Evidence
from knowledge.sufficiency import is_sufficient
from supportbot.answering.cleaning import harmless, visible
from supportbot.answering.phrases import (
    AROUND,
    AROUND_UNSPACED,
    INSULTS,
    INSULTS_UNSPACED,
    MILD,
    PHRASES,
    PICKS,
    WISHES,
    WISHES_ALONE,
)
from supportbot.answering.texts import TEXTS, Texts
from supportbot.conversation import Cause, Outcome, Turn

Kind = Literal[
    "greeting", "thanks", "goodbye", "about", "human", "insult", "empty", "vague", "unclear"
]

_LONGEST = 300  # characters; what is longer says something
_MOST_INSULT_WORDS = 12
_MOST_TOPICS = 3
_SENTENCES = re.compile(r"[^.!?\n。！？]+[.!?\n。！？]*")
_CLAUSES = re.compile("[,;:、，；：]")
_ASKING = re.compile(
    r"(?:how|what|where|when|which|why|who|whose|does|do|did|if|wie|wo|was|wann|welche\w*|warum"
    r"|wer|comment|ou|quand|quels?|quelles?|pourquoi|como|donde|cuando|que|cual|come|dove|quando"
    r"|quale|onde|qual|hoe|waar|wanneer|wat|welke?)\b"
)
_QUESTIONS = re.compile("[?？¿]")
_SHORTCODE = re.compile(r":([a-z0-9_+-]{2,30}):", re.I)  # of an emoji, as Slack writes it
_EMOJI = {"wave": "👋", "pray": "🙏", "+1": "👍", "thumbsup": "👍", "heart": "❤", "tada": "🎉"}
_SKIN = re.compile("[\U0001f3fb-\U0001f3ff]")
_ACCENT = re.compile("(?<=[a-z])[\u0300-\u036f]+")
_SYMBOL = re.compile(r"[^\w ]")
_REPEATED = re.compile(r"([^\W\d])\1{2,}")
_WIDE = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
# Before a wish for a person these may stand.
_LEADING = re.compile(
    r"^(?:(?:please|pls|just|hi|hello|hey|ok|okay|no|so|then|now|sorry|well|but|and|bitte|hallo"
    r"|nein|bonjour|non|hola|por favor|ciao|ola|nee|hoi|yes|still) )+"
)


@dataclass(frozen=True, slots=True)
class Route:
    """A message that asks nothing, and its language where its phrases tell that."""

    kind: Kind
    language: str = ""

    @property
    def may_be_meant(self) -> bool:
        """Tell whether it may be worth a search, for an answer that a person wrote to it."""
        return self.kind in ("about", "vague", "unclear")

    def asks_nothing(self, context: str) -> bool:
        """Tell whether it is no question after what was asked before ("": nothing) either."""
        return self.kind != "unclear" or not context


def route(message: str) -> Route | None:
    """Return what the message is; None: a question.

    `unclear` is what may be understood after something else was said, such as "Why?".
    """
    if len(message) > _LONGEST:
        return None
    text = folded(message)
    if not any(map(str.isalnum, text)):
        return _of_emoji(text)
    text = " ".join(_SYMBOL.sub(" ", text).split())
    if language := _wants_person(message):
        return Route("human", language)
    if not _QUESTIONS.search(message) and _is_insult(text):
        return Route("insult")
    return _of_phrases(text)


def reply(route: Route, texts: Texts, contact: str) -> tuple[Outcome, str, Cause]:
    """Return outcome, text and cause of the answer to a message that asks nothing.

    Args:
        contact: whom to turn to, an e-mail or web address, "" where none is configured.
    """
    if route.kind == "human":
        shown = f"<{contact}>" if contact.startswith("http") else contact
        text = texts.contact.format(contact=shown) if contact else texts.no_contact
        return Outcome.HANDED_OFF, text, Cause.HUMAN_WANTED
    if route.kind == "insult":
        return Outcome.CLARIFY, texts.purpose, Cause.INSULT
    small_talk = {
        "greeting": texts.greeting,
        "thanks": texts.thanks,
        "goodbye": texts.goodbye,
        "about": texts.purpose,
    }
    if route.kind in small_talk:
        return Outcome.CLARIFY, small_talk[route.kind], Cause.SMALL_TALK
    return Outcome.CLARIFY, texts.vague, Cause.UNCLEAR


def chosen(message: str, history: Sequence[Turn]) -> tuple[str, Texts] | None:
    """Return the topic that a message picks by its place among those that were just asked back.

    With the texts of their language. None: the message picks none, or nothing was asked back.
    """
    asked, *topics = history[-1].answer.split("\n- ") if history else [""]
    texts = next((one for one in TEXTS.values() if asked.strip() == one.which), None)
    picked = next((n for n, pattern in enumerate(PICKS) if _picks(message, pattern)), None)
    if texts is None or picked is None or not topics[picked : picked + 1]:
        return None
    return re.sub(r"\\([\\`*_\[\]<>#|])", r"\1", topics[picked]).strip(), texts


def _picks(message: str, pattern: str) -> bool:
    return len(message) <= _LONGEST and bool(_compiled(pattern).fullmatch(folded(message)))


def reply_to_found(route: Route, texts: Texts, evidence: Evidence) -> tuple[Outcome, str, Cause]:
    """Return outcome, text and cause of the answer to what was searched and asks nothing."""
    if route.kind == "about":
        return reply(route, texts, "")
    return Outcome.CLARIFY, asked_back(evidence, texts), Cause.UNCLEAR


def asked_back(evidence: Evidence, texts: Texts) -> str:
    """Return one question back: which of the topics that were found, if some were."""
    found = evidence.chunks if is_sufficient(evidence) else ()
    titles = (" ".join(harmless(visible(chunk.title)).split()) for chunk in found)
    topics = [title for title in dict.fromkeys(titles) if title][:_MOST_TOPICS]
    if len(topics) < 2:
        return texts.vague
    return "\n".join([texts.which, "", *(f"- {_plain(topic)}" for topic in topics)])


def folded(message: str) -> str:
    """Return a message in lower case, without accents, punctuation and doubled letters."""
    text = _SHORTCODE.sub(lambda code: _EMOJI.get(code[1].lower(), " "), message)
    text = unicodedata.normalize("NFKD", text.replace("ß", "ss")).casefold()
    text = unicodedata.normalize("NFC", _ACCENT.sub("", text))
    kept = (c if c.isalnum() or unicodedata.category(c) == "So" else " " for c in text)
    return _REPEATED.sub(r"\1", _SKIN.sub("", " ".join("".join(kept).split())))


def _of_phrases(text: str) -> Route | None:
    """Return the kind of a text that consists of known phrases and of nothing else."""
    phrases, pattern = _phrases()
    found: list[tuple[Kind | Literal["filler"], str]] = []
    place = 0
    while place < len(text):
        match = pattern.match(text, place)
        if match is None:
            return None
        found.append(phrases[match[1] or match[2]])
        place = match.end()
    kinds = {kind for kind, _ in found}
    order: Sequence[Kind] = ("about", "vague", "unclear", "goodbye", "thanks", "greeting")
    kind: Kind = next((kind for kind in order if kind in kinds), "unclear")
    return Route(kind, _language(language for _, language in found))


def _of_emoji(text: str) -> Route:
    """Return the kind of a text without letters by the first symbol that says one."""
    known = _phrases()[0]
    kinds = (known[symbol][0] for symbol in text if symbol in known)
    kind: Kind = next((kind for kind in kinds if kind != "filler"), "empty")
    return Route(kind)


def _language(languages: Iterable[str]) -> str:
    """Return the language of most phrases; English is borrowed by all others."""
    told = [language for language in languages if language]
    foreign = [language for language in told if language != "en"]
    return max(foreign, key=foreign.count) if foreign else "".join(told[:1])


def _wants_person(message: str) -> str:
    """Return the language in which a message wishes for a person, "" where it does not.

    A sentence may say so beside others, but where another one asks something, that is answered.
    """
    if language := _wish(message, WISHES_ALONE):
        return language
    sentences = _SENTENCES.findall(message)
    wishes = [_wish_in(sentence) for sentence in sentences]
    asks = (bool(_QUESTIONS.search(sentence)) for sentence in sentences)
    if any(is_asked and not wish for is_asked, wish in zip(asks, wishes, strict=True)):
        return ""
    return next(filter(None, wishes), "")


def _wish_in(sentence: str) -> str:
    clauses = _CLAUSES.split(sentence)
    asking = clauses if _QUESTIONS.search(sentence) else clauses[:1]
    if any(_ASKING.match(folded(clause)) for clause in asking):
        return ""
    return next(filter(None, (_wish(clause, WISHES) for clause in clauses)), "")


def _wish(words: str, wishes: Mapping[str, Sequence[str]]) -> str:
    """Return the language whose wish the words are from beginning to end."""
    text = _LEADING.sub("", folded(words), count=1)
    text = text.replace(" ", "") if _WIDE.search(text) else text
    languages = (
        language
        for language, patterns in wishes.items()
        if any(_compiled(pattern).fullmatch(text) for pattern in patterns)
    )
    return next(languages, "") if text else ""


def _is_insult(text: str) -> bool:
    if _WIDE.search(text):
        return bool(_unspaced_insult().fullmatch(text.replace(" ", "")))
    words = text.split()
    if len(words) == 1:
        return words[0] in INSULTS - MILD
    is_short = len(words) <= _MOST_INSULT_WORDS
    return is_short and not INSULTS.isdisjoint(words) and set(words) <= INSULTS | AROUND


def _plain(topic: str) -> str:
    """Return a title as Markdown shows it, whatever is in it."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", topic)


@cache
def _phrases() -> tuple[dict[str, tuple[Kind | Literal["filler"], str]], re.Pattern[str]]:
    """Return kind and language of each phrase, and what finds the longest one at a place."""
    known: dict[str, tuple[Kind | Literal["filler"], str]] = {}
    for language, kinds in PHRASES.items():
        for kind, phrases in kinds.items():
            for phrase in phrases.split("|"):
                known.setdefault(folded(phrase), (kind, language))
    longest_first = sorted(known, key=len, reverse=True)
    wide = "|".join(re.escape(one) for one in longest_first if _WIDE.search(one))
    spaced = "|".join(re.escape(one) for one in longest_first if not _WIDE.search(one))
    return known, re.compile(rf"({wide}) ?|({spaced})(?: |$)")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@cache
def _unspaced_insult() -> re.Pattern[str]:
    return re.compile(
        f"(?:{AROUND_UNSPACED})*(?:{INSULTS_UNSPACED})(?:{AROUND_UNSPACED}|{INSULTS_UNSPACED})*"
    )
