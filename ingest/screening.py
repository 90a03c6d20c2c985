"""What a document says to a model instead of a reader, and what of it must not be kept.

Text that speaks to a model is flagged and stays: it may be a page about prompts. What only the
source of a page says, and a reader never sees, is flagged as hidden; its parser left it out. Keys
are masked in every document, personal data where a source asks for that.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from ingest.errors import ParseFailed
from ingest.parsers.base import Parsed
from ingest.parsers.characters import clean, decode, line
from ingest.sources.base import Labels, RawDocument
from knowledge.documents import FLAGGED, HIDDEN, MASKED, Note
from knowledge.redaction import Finder, Found, everything, keys, masked

_MOST = 20  # notes of one kind a document
_LONGEST = 120  # characters that are shown of a flagged passage
_READABLE = 2_000_000  # bytes of a page's source that are looked through
# Whose source is text, part of which a reader may not see.
_SOURCES = frozenset(
    (".html", ".htm", ".xhtml", ".md", ".markdown", ".mdx", ".rst", ".adoc", ".asciidoc", ".eml")
)
# The rules know quotes as they are typed: sets of characters beyond Latin take long to compile.
_TYPED = (("“", '"'), ("”", '"'), ("‘", "'"), ("’", "'"))
_TAG = re.compile(r"<!--|-->|</?[a-zA-Z][^<>]{0,2000}>")
_HEADING = re.compile(r"^#{1,6}[ \t]+(.{1,200}?)[ \t#]*$", re.M)


@dataclass(frozen=True, slots=True)
class Flag:
    """A place that speaks to a model."""

    rule: str
    start: int
    words: str


def screened(raw: RawDocument, parsed: Parsed) -> Parsed:
    """Return what was parsed with remarks on what was found, its text without what must not stay.

    The title, which may come from elsewhere, is looked at here and masked where it is chosen.
    """
    title = line(raw.about.title) or line(parsed.title)
    flags = list(screen(f"{title}\n{parsed.text}"))
    notes = [
        Note(FLAGGED, flag.rule, _place(parsed, flag.start - len(title) - 1), flag.words)
        for flag in flags
    ]
    notes += [Note(HIDDEN, flag.rule, "", flag.words) for flag in _hidden(raw, flags)]
    find = finder(raw.labels)
    _, _, in_title = masked(title, find)
    places = [place for place, _ in parsed.anchors]
    text, moved, in_text = masked(parsed.text, find, places)
    anchors = tuple(zip(moved, (name for _, name in parsed.anchors), strict=True))
    notes += _masks(parsed, [*in_title, *in_text])
    return replace(parsed, text=text, anchors=anchors, remarks=tuple(notes))


def finder(labels: Labels) -> Finder:
    """Return what finds in a text that must not be kept of a source's documents."""
    return everything if labels.redacts else keys


def screen(text: str) -> Iterator[Flag]:
    """Yield the places of a text that speak to a model, at most some of them."""
    folded = unicodedata.normalize("NFKC", text)
    plain = text = folded if len(folded) == len(text) else text
    for quote, typed in _TYPED:
        plain = plain.replace(quote, typed)
    found = (
        Flag(rule, match.start(), _shortened(text[match.start() : match.end()]))
        for rule, pattern in _compiled()
        for match in pattern.finditer(plain)
    )
    for _, flag in zip(range(_MOST), found, strict=False):
        yield flag


def _hidden(raw: RawDocument, seen: list[Flag]) -> Iterator[Flag]:
    """Yield what the source of a page says to a model, and the parsed page does not."""
    if raw.ending not in _SOURCES:
        return
    try:
        source = html.unescape(clean(decode(raw.data[:_READABLE])))
    except ParseFailed:
        return
    left = Counter(flag.rule for flag in seen)
    bare = _TAG.sub(" ", source)
    for text in (bare, *(tag for tag in _TAG.findall(source) if len(tag) > len("<!-->"))):
        for flag in screen(text):
            left[flag.rule] -= 1
            if left[flag.rule] < 0:
                yield flag


def _masks(parsed: Parsed, found: list[Found]) -> list[Note]:
    """Return a note for each kind of key that was masked, never with the key itself."""
    kinds = Counter(one.rule for one in found if one.placeholder == "[key]")
    first = {one.rule: one.start for one in reversed(found)}
    return [
        Note(MASKED, rule, _place(parsed, first[rule]), f"{count} masked")
        for rule, count in kinds.items()
    ]


def _place(parsed: Parsed, at: int) -> str:
    """Return where a character of the text stands, in words."""
    if at < 0:
        return "title"
    anchor = next((name for place, name in reversed(parsed.anchors) if place <= at), "")
    headings = _HEADING.findall(parsed.text, 0, at)
    page = [anchor.replace("=", " ")] if anchor.startswith("page=") else []
    below = [f"below {headings[-1]!r}"] if headings else []
    return ", ".join([*page, *below]) or "before the first heading"


def _shortened(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1].rstrip() + "…"


# Rules -------------------------------------------------------------------------------------------

_S = r"(?:[\s*_\"'`,:()\[\]>#-]{1,4})"  # between two words, which Markdown may set off
_W = rf"(?:[\w']+{_S})"  # a word in between


def _rule(name: str, *patterns: str) -> tuple[str, str]:
    joined = "|".join(f"(?:{pattern.replace(' ', _S)})" for pattern in patterns)
    return name, rf"(?<!\w)(?:{joined})"


@cache
def _compiled() -> list[tuple[str, re.Pattern[str]]]:
    """Return the rules; to compile them takes as long as all else where nothing has changed."""
    return [(name, re.compile(pattern, re.I)) for name, pattern in _RULES]


_OLD = "previous|prior|above|earlier|preceding|foregoing|past|existing|original|initial|former"
_EN_ORDERS = r"(?:instructions?|prompts?|directives?|directions|guidelines|commands|programming)"
_ELSEWHERE = r"(?! (?:in|on|from|of|by|printed) (?:the|this|that|an?|your|such|any)\b(?! system))"
_MODEL = (
    r"(?:AIs?|LLMs?|GPT|ChatGPT|Claude|Gemini|(?:large )?language models?|chat ?bots?"
    r"|AI (?:assistants?|agents?|models?|systems?|crawlers?|bots?|tools?))"
)
_PROMPT = (
    r"(?:system prompts?|system instructions?|initial (?:prompt|instructions)"
    r"|hidden (?:prompt|instructions)|(?:secret|developer) (?:prompt|instructions))"
)
_RULES = (
    _rule(
        "ignore-instructions",
        r"(?:ignor(?:e|ing)|disregard(?:ing)?|forget|override|bypass|discard|neglect|overrule"
        r"|(?:do not|don't|stop|never) (?:follow(?:ing)?|obey(?:ing)?)|pay no attention to) "
        rf"{_W}{{0,3}}?(?:(?:{_OLD}) {_W}{{0,2}}?{_EN_ORDERS}"
        rf"|(?:all|your|any|every|these) (?:of )?{_W}{{0,2}}?{_EN_ORDERS})\b{_ELSEWHERE}",
        r"(?:ignore|disregard|forget) (?:all |everything )?(?:your|previous|prior) "
        r"(?:rules|training|safety|context|policies|guardrails|restrictions)\b",
        r"(?:forget|ignore|disregard) everything (?:you|that was|above|before|prior|i|we)\b",
        rf"(?:ignorier(?:e|en sie|t)|vergiss|vergessen sie|missachte(?:n sie)?) {_W}{{0,2}}?"
        r"(?:vorherigen?|bisherigen?|obigen?|früheren?|vorangehenden?|vorstehenden?|alle[rn]?"
        rf"|deine[rn]?|sämtliche[rn]?) {_W}{{0,2}}?(?:anweisungen?|instruktionen?|befehle?"
        r"|vorgaben|prompts?|system-?prompts?)\b(?! (?:in|aus|auf|von|der|des) (?:de|eine|diese))",
        rf"(?:ignore[zr]?|oublie[zr]?|ne (?:tiens|tenez) pas compte d\w+) {_W}{{0,3}}?"
        rf"(?:instructions|consignes|directives|prompts?) {_W}{{0,1}}?(?:précédente?s?"
        r"|antérieure?s?|ci-dessus|préalables|initiales|système|d'origine)\b",
        r"(?:ignora[r]?|ignore|olvida[r]?|olvide|descarta|omite|no (?:sigas|hagas caso a)) "
        rf"{_W}{{0,3}}?(?:instrucciones|indicaciones|órdenes|prompts?) {_W}{{0,2}}?"
        r"(?:anteriores|previas|arriba|originales|iniciales|sistema)\b",
        rf"(?:ignora(?:re|te)?|dimentica(?:re|te)?|trascura) {_W}{{0,3}}?(?:istruzioni"
        rf"|indicazioni|direttive|prompt) {_W}{{0,2}}?(?:precedenti|sopra|originali|iniziali"
        r"|sistema)\b",
        rf"(?:ignore|ignora[r]?|esqueça|esquece|desconsidere) {_W}{{0,3}}?(?:instruções|ordens"
        rf"|comandos|prompts?) {_W}{{0,2}}?(?:anteriores|prévias|acima|originais|sistema)\b",
        rf"(?:negeer|vergeet) {_W}{{0,2}}?(?:vorige|eerdere|bovenstaande|voorgaande|alle|je) "
        rf"{_W}{{0,2}}?(?:instructies|opdrachten|aanwijzingen|prompts?)\b(?! (?:in|op|van) de)",
        rf"(?:zignoruj|ignoruj|zapomnij) {_W}{{0,2}}?(?:poprzedni\w+|wcześniejsz\w+|powyższ\w+"
        rf"|wszystki\w+) {_W}{{0,2}}?(?:instrukcj\w+|polece\w+|prompt\w*)",
    ),
    _rule(
        "other-role",
        r"(?:you are now|you're now|now you are|you will now be) (?:DAN\b|an? (?:\w+ )?"
        r"(?:unrestricted|uncensored|unfiltered|evil|jailbroken|different AI|hacker|pirate"
        r"|AI\b|assistant|language model|chat ?bot|bot)|free (?:from|of) (?:all|any|your) "
        r"|no longer bound|operating without|the system\b|acting as|going to (?:act|pretend))",
        r"(?:act|behave|respond|answer|pose) as (?:if you (?:are|were) )?(?:an? )?"
        r"(?:unrestricted|uncensored|unfiltered|jailbroken|evil|DAN\b)",
        r"pretend (?:to be|you are|that you are|you're) (?:an? )?(?:\w+ )?(?:AI\b|unrestricted"
        r"|assistant|language model|chat ?bot|not an? AI)",
        r"do anything now|DAN mode|jailbreak mode|developer mode (?:enabled|output)",
        r"from now on (?:you (?:will |must |shall |should )?(?:only |always )?(?:act|respond"
        r"|answer|reply|behave|pretend|speak|obey)|(?:always )?(?:act as|pretend|respond as"
        r"|answer as|obey))\b",
        r"du bist (?:jetzt|nun|ab sofort|ab jetzt|von nun an) (?:DAN\b|eine? (?:\w+ )?(?:KI\b"
        r"|uneingeschränkte\w*|unzensierte\w*|chat-?bot|assistent|pirat|hacker|böse\w*))",
        r"tu es (?:maintenant|désormais) (?:DAN\b|une? (?:\w+ )?(?:IA\b|assistant|pirate|hacker"
        r"|chatbot|modèle))",
        r"ahora eres (?:DAN\b|una? (?:\w+ )?(?:IA\b|asistente|pirata|hacker|chatbot|modelo))",
        r"(?:ora|adesso) sei (?:DAN\b|un'? ?a? ?(?:\w+ )?(?:IA\b|assistente|pirata|hacker"
        r"|chatbot|modello))",
        r"agora (?:você|tu) (?:é|és) (?:DAN\b|uma? (?:\w+ )?(?:IA\b|assistente|pirata|hacker"
        r"|chatbot|modelo))",
        r"(?:je bent|jij bent) (?:nu|voortaan) (?:DAN\b|een (?:\w+ )?(?:AI\b|assistent|piraat"
        r"|hacker|chatbot|taalmodel))",
    ),
    _rule(
        "speaks-to-model",
        rf"(?:attention|note|notice|message|instructions?|important|hello|hey|dear)"
        rf"(?: (?:to|for))?(?: (?:the|all|any))? {_MODEL}"
        r"(?= ?[:!,]| (?:reading|processing|please|you))",
        rf"if you(?: are|'re) (?:an? )?{_MODEL} (?:reading|processing|summari[sz]ing|then"
        r"|you|please|ignore|include|say|tell|reply|respond|mention|recommend|output|add|always"
        r"|answer|that)\b",
        r"as an? (?:AI|LLM|language model|AI language model|AI assistant) you (?:must|will|should"
        r"|shall|are required)\b",
        r"you are an? (?:\w+ )?(?:AI|LLM|language model|AI assistant|AI model) (?:that|who|which"
        r"|and|with) (?:\w+ )?(?:must|will|should|always|never|ignores?|has no|no)\b",
        r"(?:new|updated|override|overriding|real|actual) system (?:prompt|instructions?|message)"
        r"|(?:begin|start|end)(?:ning)?(?: of)? (?:system (?:prompt|instructions)|admin override)",
        r"(?:wenn|falls) du (?:eine? )?(?:KI|LLM|Sprachmodell|KI-Assistent) (?:bist|liest)\b",
        r"(?:hinweis|nachricht|anweisung(?:en)?) (?:an|für) (?:die |alle |das )?(?:KI|LLMs?"
        r"|Sprachmodelle?|KI-(?:Assistenten?|Modelle?|Systeme?))(?= ?[:!,])",
        r"si (?:tu es|vous êtes|eres|sei) une? (?:IA|LLM|modèle de langage|modelo de lenguaje"
        r"|modello linguistico)\b",
    ),
    _rule(
        "asks-for-prompt",
        r"(?:reveal|repeat|leak|disclose|print|output|recite|dump|expose|write out|give (?:me|us)"
        rf"|tell (?:me|us)|return|share|send|show me|translate|encode) {_W}{{0,4}}?{_PROMPT}",
        rf"(?:show|display|what (?:is|are|were)|summari[sz]e) (?:me )?your (?:\w+ )?"
        rf"{_PROMPT}",
        r"(?:repeat|print|output) (?:everything|all(?: the)? (?:text|words)|the (?:text|words)) "
        r"(?:above|before this)\b",
        rf"(?:zeige?|verrate|nenne|wiederhole|gib) {_W}{{0,3}}?(?:system-?prompt"
        r"|system-?anweisung(?:en)?|versteckten? anweisungen)\b",
        rf"(?:révèle|affiche|montre|répète|divulgue)[rz]? {_W}{{0,3}}?(?:prompt|instructions?) "
        r"(?:du |de )?(?:système|initiale?s?|caché(?:e?s?))\b",
        rf"(?:revela|muestra|repite|imprime|dime) {_W}{{0,3}}?(?:prompt|instrucciones) "
        r"(?:del? )?(?:sistema|ocultas|iniciales)\b",
        rf"(?:rivela|mostra(?:mi)?|ripeti|stampa) {_W}{{0,3}}?(?:prompt|istruzioni) "
        r"(?:di )?(?:sistema|nascoste|iniziali)\b",
        rf"(?:revele|mostre|repita|imprima) {_W}{{0,3}}?(?:prompt|instruções) (?:do )?(?:sistema"
        r"|ocultas|iniciais)\b",
        rf"(?:onthul|toon|herhaal|geef) {_W}{{0,3}}?(?:systeemprompt|systeeminstructies)\b",
    ),
    _rule(
        "conceals",
        r"(?:do not|don't|never|without) (?:ever )?(?:tell(?:ing)?|inform(?:ing)?|alert(?:ing)?"
        r"|let(?:ting)?|reveal(?:ing)? (?:this|that|these \w+|it) to|mention(?:ing)? (?:this|that"
        r"|these \w+|it) to|disclos(?:e|ing) (?:this|that|these \w+|it) to) (?:the|this) user\b"
        r"(?!'s)(?! (?:interface|name|account|group|id)\b)",
        r"(?:do not|don't|never) (?:mention|reveal|disclose|show|tell|quote) (?:\w+ )?(?:these"
        r"|this) (?:\w+ )?(?:instructions?|prompt|directives?)\b",
        r"(?:keep|hide) (?:this|these (?:\w+ )?instructions?) (?:\w+ )?(?:secret |hidden )?from "
        r"(?:the|this) user\b",
        r"(?:sag(?:e)?|verrate?|erzähle?) (?:dem|der) (?:nutzer|benutzer|nutzerin) (?:davon )?"
        r"(?:nichts|nicht)\b",
        r"ne (?:dis|dites|révèle|révélez|mentionne|parle) (?:rien|pas) "
        r"(?:de )?(?:ceci |cela |ça )?à l'utilisateur",
        r"no (?:le |se lo )?(?:digas|informes|menciones|reveles) (?:nada |esto )?(?:de esto )?"
        r"al usuario",
        r"non (?:dire|rivelare|menzionare|informare) (?:nulla |niente |questo )?(?:di questo )?"
        r"(?:all'|l')utente",
        r"não (?:diga|conte|informe|mencione|revele) (?:nada |isto |isso )?(?:disso )?(?:ao|o) "
        r"(?:usuário|utilizador)",
        r"vertel (?:dit |de gebruiker )(?:niet|niets|hier niets)",
    ),
    _rule(
        "sends-away",
        r"(?:send|post|append|encode|exfiltrate|forward|upload|leak|insert|embed) "
        rf"{_W}{{0,4}}?(?:conversation|chat history|chat log|system prompt|user'?s? (?:data"
        r"|messages?|question|e-?mail|password|input)|credentials|secrets|api keys?|passwords?) "
        rf"{_W}{{0,6}}?(?:to|in|into|as|at) {_W}{{0,4}}?(?:https?|urls?|link|image|webhook)\b",
    ),
    (
        "sends-away",
        (
            r"!\[[^\]\n]{0,200}\]\(https?://[^)\s]{0,300}?(?:\{|%7B|\[|<|\$)[^)\s]{0,20}"
            r"(?:conversation|chat|history|prompt|secret|password|data|context|message|answer"
            r"|summary|question|e-?mail|token)"
            r"|https?://[^\s)\"'<>]{1,200}[?&/=](?:\{\{?|%7B|\[|<|\$\{?)\s{0,2}(?:the_|all_|full_)?"
            r"(?:conversation|chat_?history|chat_?log|history|system_?prompt|prompt|user_?data"
            r"|user_?input|secrets?|password|exfil\w*|base64\w*|stolen\w*)\s{0,2}(?:\}|%7D|\]|>)"
        ),
    ),
    (
        "chat-template",
        (
            r"(?m)<\|(?:im_(?:start|end|sep)|system|user|assistant|endoftext|eot_id|eom_id"
            r"|(?:start|end)_header_id|begin_of_text|end_of_text|endofprompt|fim_\w{3,6}"
            r"|channel|message|return|call|start|end|tool_call)\|>"
            r"|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|</?(?:minimax:)?tool_call>"
            r"|</?(?:system_prompt|system-prompt|system_instructions?|assistant_response)>"
            r"|\]~b\]|\[e~\["
            r"|^[ \t>*#]*(?:system|assistant)[ \t*]*(?:prompt|message|override)?[ \t*]*:[ \t*]*"
            r"(?=(?:you (?:are|must|will|should)|ignore|disregard|forget|from now on|the user)\b)"
            r"|^###[ \t]*(?:instruction|system):[ \t]*$"
        ),
    ),
)
