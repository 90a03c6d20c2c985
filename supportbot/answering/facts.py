"""The hard facts of a text: what must stand in the source literally, or not be said."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from urllib.parse import urlsplit

from knowledge.keywords import tokenize

_QUOTES = str.maketrans("“”„«»‟‘’‚‐‑‒–—−\u00a0\u202f", '""""""\'\'\'------  ')
_SIGNS = re.compile("[™®©\u2060\u200b\u00ad]")  # beside a name they are no part of it
_URL = re.compile(r"(?:\b[a-z][a-z0-9+.-]{1,20}://|//)[^\s<>\"'`|)\]]+", re.I)
_SCHEME = re.compile(r"\b(?:javascript|vbscript|data|file|mailto|tel|blob):[^\s<>\"'`|)\]]+", re.I)
_TARGET = re.compile(r"\]\s*\(\s*<?([^\s<>)]+)|^\s*\[[^\]]+\]:\s*<?(\S+)", re.M)
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.{1,4000}?)(?<!`)\1(?!`)", re.S)
_STRONG = re.compile(r"(?:\*\*|__)([^*_\n:]{2,60})(?:\*\*|__)(?!:)")  # with a colon it is a lead-in
_QUOTED = re.compile(r"(?<!\w)\"([^\"\n]{2,200})\"(?!\w)")
_TOKEN = re.compile(r"[^\s\"'`*|()\[\]{}<>,;!?“”„«»，。！？、；（）]+")
_HOST = re.compile(r"\w\.[^\W\d_]{2,}")  # also with a slash or a port behind it
_WIDE_STOP = re.compile("(?<=[a-zA-Z0-9])[。｡](?=[a-zA-Z]{2})")  # a full stop to a browser
_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,:]\d+)*(?![\w]*\d)")
_WORD = re.compile(r"[^\W\d_]+(?:'[a-z]+)?|[$€£¥%]")
_PLAIN_NUMBER = re.compile(
    r"[$€£¥]?\d+(?:[.,:]\d+)*(?:st|nd|rd|th|s|am|pm|h|k|kb|mb|gb|tb|km|m|cm|mm|kg|mg|ml|g|l|€|%)?"
    r"(?:[-/–](?:\d+|[^\W\d_]+))*[.%]?",
    re.I,
)
_UNIT_NAMES = """
day days tag tage tagen jour jours día días dia dias giorno giorni dag dagen
week weeks woche wochen semaine semaines semana semanas settimana settimane weken
month months monat monate monaten mois mes meses mese mesi maand maanden
year years jahr jahre jahren ans année années año años ano anos anno anni jaar
hour hours hr hrs h stunde stunden heure heures hora horas ora ore uur
minute minutes min mins minuten minuto minutos minuti minuut
second seconds sec secs s sekunde sekunden seconde secondes segundo segundos secondo secondi
millisecond milliseconds ms millisekunde millisekunden
dollar $ dollars usd
euro € euros eur
sterling £ gbp
yen ¥ jpy
rupee ₹ rupees inr
chf franc francs franken
percent % percentage prozent pourcent
tb terabyte terabytes
gb gigabyte gigabytes gib
mb megabyte megabytes mib
kb kilobyte kilobytes kib
gbps
mbps
kbps
ghz gigahertz
mhz megahertz
khz kilohertz
hz hertz
km kilometer kilometers kilometre kilometres
m meter meters metre metres
cm centimeter centimeters centimetre centimetres
mm millimeter millimeters millimetre millimetres
mile miles mi
foot feet ft
inch inches
yard yards
acre acres
hectare hectares
kg kilogram kilograms kilo kilos
mg milligram milligrams
g gram grams gramm
pound pounds lb lbs
ounce ounces oz
ton tons tonne tonnes
l liter liters litre litres
ml milliliter milliliters millilitre millilitres
gallon gallons
w watt watts
kw kilowatt kilowatts
kwh
v volt volts
mah
px pixel pixels
point points
degree ° degrees grad
fahrenheit
celsius
hundred
thousand tausend
million millions mio millionen
billion billions milliarde milliarden
am
pm
"""
_UNITS = {
    name: line.split()[0] for line in _UNIT_NAMES.strip().splitlines() for name in line.split()
}
_NUMBER_NAMES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)
_NUMBER_WORDS = {name: str(value) for value, name in enumerate(_NUMBER_NAMES.split())} | {
    "a": "1", "an": "1", "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60",
    "seventy": "70", "eighty": "80", "ninety": "90",
}  # fmt: skip
_MONTHS = """
january february march april may june july august september october november december
monday tuesday wednesday thursday friday saturday sunday
"""
_CALENDAR = frozenset(_MONTHS.split()) - {"may", "march"}
_DENYING = """
not no never none nor neither cannot cant dont without nobody nothing unable impossible prohibited
forbidden ineligible unavailable except unless nicht kein keine keinen keiner keinem keines nie ohne
weder niemals pas jamais sans aucun aucune ningún ninguna nunca sin non mai senza não sem niet geen
nooit zonder
"""
_DENIALS = frozenset(_DENYING.split())
_OPPOSITE_NAMES = """
before|after; enable|disable; enables|disables; enabled|disabled; minimum|maximum; at least|at most;
more than|less than; increase|decrease; increases|decreases; increased|decreased; required|optional;
allowed|forbidden; higher|lower; earlier|later; above|below; inside|outside; internal|external;
fewer|more; free|paid; public|private; left|right; top|bottom; add|remove; adds|removes; start|stop;
turn on|turn off; turned on|turned off; turns on|turns off; switch on|switch off; sign in|sign out;
log in|log out; upload|download; import|export; install|uninstall; lock|unlock; mute|unmute;
upgrade|downgrade; incoming|outgoing; online|offline; manually|automatically; older|newer;
oldest|newest; shorter|longer; accept|reject; accepts|rejects; encrypt|decrypt; show|hide
"""
_PAIRS = [pair.strip().split("|") for pair in _OPPOSITE_NAMES.split(";")]
_OPPOSITES = {one: other for a, b in _PAIRS for one, other in ((a, b), (b, a))}
_SIDE = re.compile(rf"\b(?:{'|'.join(sorted(_OPPOSITES, key=len, reverse=True))})\b")
_FUNCTION = """
a an the to of for in on at by be been is are was were do does did will would can could may might
must should have has had any it its this that you your we our they or and
"""
_FUNCTION_WORDS = frozenset(_FUNCTION.split())
_CLAUSE = re.compile(r"[.,;:!?()\n。，；：！？]| - ")
_CJK_DENIAL = re.compile("[不无無没未]|ない|ません")
_NEAR = 5  # words on each side of a number, one of which its passage must hold beside it
_PLACE_SHARE = 0.6  # of the words around a number that stand together anywhere
_TITLE_SHARE = 0.6  # of capitalised words
_NAME_PAIR = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+ [A-Z][a-z]+\b")
_TACIT_UNITS = frozenset(("year", "dollar"))
_CURRENCIES = frozenset("$€£¥₹")
_TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_ONES = "one|two|three|four|five|six|seven|eight|nine"
_FIGURE = re.compile(rf"\d+(?:[.,:]\d+)*|\b(?:{_TENS})-(?:{_ONES})\b|[^\W\d_]+")
_HALF_OF_DAY = re.compile(r"\b([ap])\.\s?m\b\.?")
_RANGE_END = re.compile(
    r"^\s?(?:-|to|and|or|bis|und|oder|à|et|ou|a|y|o)\s?"
    rf"(?:\d+(?:[.,:]\d+)*|(?:{'|'.join(_NUMBER_WORDS)})\b)"
)
_UNIT_WORDS = re.compile(r"[\s-]*([^\W\d_]+|[$€£¥₹%°])\.?(?:[ -]?([^\W\d_]+))?")
_RUN_ON = re.compile(r"(?<=[a-z\d)])\.(?=(?:The|This|These|It|If|For|You|In|We|When|A|To)\b)")
_DEGREES = re.compile(r"°\s?[CF]\b")
EXACT_WORDS = frozenset(_NUMBER_WORDS) | frozenset(_UNITS)  # compared as numbers, not as words
_SCOPE = 3  # content words after a negation that it governs


@dataclass(frozen=True, slots=True)
class Number:
    """A number with its units, such as $ and million, and the stems around it."""

    value: str
    units: frozenset[str]
    around: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return " ".join([self.value, *sorted(self.units)])


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a sentence claims literally."""

    literals: tuple[str, ...] = ()  # codes, paths, commands, quoted words: normalised
    names: tuple[str, ...] = ()
    numbers: tuple[Number, ...] = ()
    urls: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()  # in strong emphasis, such as the names of buttons

    @property
    def translated(self) -> Claimed:
        """Return the same for a passage in another language: labels and contexts differ."""
        numbers = tuple(replace(number, around=frozenset()) for number in self.numbers)
        return replace(self, numbers=numbers, labels=())


@dataclass(frozen=True, slots=True)
class Held:
    """What a passage holds literally."""

    text: str
    words: frozenset[str]
    terms: frozenset[str]
    numbers: tuple[Number, ...]  # `around` is the whole sentence, item or row
    parts: tuple[frozenset[str], ...]  # the stems of the title and headings, of each sentence …
    urls: frozenset[str]


@dataclass(frozen=True, slots=True)
class Denials:
    """The stems that stand under a negation, those that do not, and what each one governs."""

    denied: frozenset[str] = frozenset()
    affirmed: frozenset[str] = frozenset()
    governed: tuple[tuple[str, frozenset[str]], ...] = ()  # the first stem, all of up to three
    has_any: bool = False
    sides: frozenset[str] = frozenset()  # words that have an opposite: before, enable, at least


def normalised(text: str) -> str:
    """Return a text for comparison: NFKC, casefolded, plain quotes and dashes, single spaces."""
    folded = _folded(text).translate(_QUOTES).casefold()
    return " ".join(folded.replace("*", "").replace("`", "").split())


def _folded(text: str) -> str:
    """Return a text with the letters and full stops that a browser reads an address with."""
    return unicodedata.normalize("NFKC", _WIDE_STOP.sub(".", _SIGNS.sub("", text)))


def held(context: str, segments: Iterable[str], uri: str = "") -> Held:
    """Return what a passage holds: its title and headings, then its sentences, items and rows.

    `uri` is the address it is cited under.
    """
    parts = [context, *segments]
    whole = "\n".join(parts)
    urls = {_address(url) for url in _urls(whole)} | ({_address(uri)} if "://" in uri else set())
    stems = [frozenset(tokenize(part)) for part in parts]
    numbers = [
        Number(number.value, number.units, around)
        for part, around in zip(parts, stems, strict=True)
        for number in _numbers(normalised(part))
    ]
    terms = frozenset[str]().union(*stems)
    text = normalised(whole)
    words = frozenset(re.findall(r"[^\W\d_]+", text))
    return Held(text, words, terms, tuple(numbers), tuple(stems), frozenset(urls))


def claimed(text: str) -> Claimed:
    """Return what a sentence claims that must stand in its source literally."""
    urls = _urls(text)
    rest = text
    for url in urls:
        rest = rest.replace(url, " ")
    rest = _RUN_ON.sub(". ", rest)
    straight = rest.translate(_QUOTES)
    whole = text.translate(_QUOTES)
    spans = [*(code for _, code in _CODE_SPAN.findall(whole)), *_QUOTED.findall(whole)]
    codes = [token for token in _tokens(_folded(rest)) if _is_code(token)]
    mails = [url[len("mailto:") :] for url in urls if url.casefold().startswith("mailto:")]
    literals = [normalised(span).strip(" .,:;") for span in (*spans, *codes, *mails)]
    addresses = [_address(url) for url in urls if not url.casefold().startswith("mailto:")]
    return Claimed(
        tuple(literal for literal in literals if literal),
        tuple(_names(_DEGREES.sub("°", straight))),
        tuple(_numbers(normalised(rest), is_claim=True)),
        tuple(addresses),
        tuple(_STRONG.findall(rest)),
    )


def missing(claim: Claimed, passages: Sequence[Held]) -> str:
    """Return the first claimed fact that stands in none of the passages, "" if all do."""
    tests: tuple[tuple[Sequence[str], Callable[[str, Held], bool]], ...] = (
        (claim.urls, _is_linked),
        (claim.literals, _is_written),
        (claim.names, _is_named),
        (claim.labels, _is_labelled),
    )
    for told, stands in tests:
        for fact in told:
            if not any(stands(fact, passage) for passage in passages):
                return fact
    return next((str(number) for number in claim.numbers if not _is_held(number, passages)), "")


def _is_linked(url: str, passage: Held) -> bool:
    return url in passage.urls


def _is_written(literal: str, passage: Held) -> bool:
    return _stands(literal, passage.text)


def _is_named(name: str, passage: Held) -> bool:
    """Tell whether a name stands in a passage, with or without an s of the plural or genitive."""
    if " " in name:
        return name.casefold() in passage.text
    word = name.casefold()
    return any(form in passage.words for form in (word, f"{word}s", word.removesuffix("s")))


def _is_labelled(label: str, passage: Held) -> bool:
    words = [word for word in normalised(label).split() if word not in _FUNCTION_WORDS]
    stems = {stem for stem in _stems(words) if not stem[0].isdigit()}
    return stems - _exact_stems() <= passage.terms


@cache
def _exact_stems() -> frozenset[str]:
    return _stems(sorted(EXACT_WORDS))


def _is_held(claim: Number, passages: Sequence[Held]) -> bool:
    """Tell whether a number stands in a passage: its value, its unit, and its place.

    Its place is a sentence that holds the words around it nearly as well as the best one does.
    """
    best = max((len(claim.around & part) for one in passages for part in one.parts), default=0)
    if claim.around and not best:
        return False
    return any(
        _is_same(claim, number) and len(claim.around & number.around) >= best * _PLACE_SHARE
        for passage in passages
        for number in passage.numbers
    )


def _is_same(claim: Number, held: Number) -> bool:
    """Tell whether two numbers agree.

    Where the passage names no unit next to it the units must stand in the same sentence; ages and
    prices do without.
    """
    if claim.value != held.value:
        return False
    if claim.units <= held.units:
        return True
    return not held.units and _stems(sorted(claim.units - _TACIT_UNITS)) <= held.around


def denials(text: str) -> Denials:
    """Return which stems of a text stand under a negation, which do not, clause by clause."""
    has_any = bool(_CJK_DENIAL.search(text))
    governed: list[list[str]] = []
    denied: list[str] = []
    affirmed: list[str] = []
    plain = normalised(text)
    for clause in _CLAUSE.split(plain):
        left = 0
        for word in _WORD.findall(clause):
            if word in _DENIALS or word.endswith("n't"):
                left, has_any = _SCOPE, True
            elif word not in _FUNCTION_WORDS:
                if left == _SCOPE:
                    governed.append([])
                if left:
                    governed[-1].append(word)
                (denied if left else affirmed).append(word)
                left = max(0, left - 1)
    sides = frozenset(_SIDE.findall(plain))
    groups = tuple((stem, _stems(group)) for group in governed for stem in _stems(group[:1]))
    return Denials(_stems(denied), _stems(affirmed), groups, has_any, sides)


def _stems(words: Sequence[str]) -> frozenset[str]:
    return frozenset(tokenize(" ".join(words))) if words else frozenset()


def contradiction(
    claim: Denials, terms: frozenset[str], near: Sequence[tuple[Denials, frozenset[str]]]
) -> str:
    """Return what the claim denies and the close segments affirm, or the reverse; "" if nothing.

    `near` are the segments of the passage that hold most of the claim, with their stems.
    """
    close = frozenset[str]().union(*(held for _, held in near))
    denied_here = claim.denied & terms & close
    if denied_here and not any(segment.denied & denied_here for segment, _ in near):
        return "not " + " ".join(sorted(denied_here))
    for head, _ in claim.governed:
        if head in terms & close and not any(head in segment.denied for segment, _ in near):
            return f"not {head}"
    segments = [segment for segment, _ in near]
    return _dropped(claim, segments) or _opposed(claim, segments)


def _dropped(claim: Denials, near: Sequence[Denials]) -> str:
    """Return what each of the close segments denies and the claim affirms; "" if nothing."""
    affirmed = claim.affirmed - claim.denied
    for head, group in {pair for segment in near for pair in segment.governed}:
        if (
            head in affirmed
            and len(group & affirmed) >= min(2, len(group))
            and all(head in seg.denied for seg in near if head in seg.denied | seg.affirmed)
        ):
            return head
    return ""


def _opposed(claim: Denials, near: Sequence[Denials]) -> str:
    """Return a word of the claim whose opposite stands in its place; "" where negations meddle."""
    there = frozenset[str]().union(*(segment.sides for segment in near))
    if claim.has_any or any(segment.has_any for segment in near):
        return ""
    return next((s for s in sorted(claim.sides - there) if _OPPOSITES[s] in there), "")


def _urls(text: str) -> list[str]:
    found = [*_URL.findall(text), *_SCHEME.findall(text)]
    found += [one or other for one, other in _TARGET.findall(text)]
    return list(dict.fromkeys(url.rstrip(".,;:!?*_") for url in found))


def _address(url: str) -> str:
    """Return a web address in one form: scheme and host in lower case, no closing slash."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if parts.scheme.lower() not in ("http", "https"):
        return url
    rest = f"{parts.path.rstrip('/')}{'?' + parts.query if parts.query else ''}"
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    return f"{parts.scheme.lower()}://{parts.netloc.lower()}{rest}{fragment}"


def _tokens(text: str) -> list[str]:
    return [token.strip(".:…") for token in _TOKEN.findall(text)]


def _is_code(token: str) -> bool:
    """Tell whether a token is a code, version, path, flag, file name or address."""
    if not token or _PLAIN_NUMBER.fullmatch(token):
        return False
    has_letter = any(map(str.isalpha, token))
    if has_letter and any(map(str.isdigit, token)) and token.isascii():
        return True
    if token.startswith(("--", "/", "./", "~/")) and has_letter:
        return True
    if re.search(r"\w[@\\_=]\w", token) or _HOST.search(token):
        return True
    parts = re.split(r"[./:]", token)
    is_dotted = len(parts) > 1 and "." in token and all(parts)
    return is_dotted and has_letter and max(map(len, parts)) > 1


def _stands(literal: str, text: str) -> bool:
    start = r"(?<!\w)" if literal[0].isalnum() else ""
    end = r"(?!\w)" if literal[-1].isalnum() else ""
    return bool(re.search(start + re.escape(literal) + end, text))


def _names(text: str) -> Iterable[str]:
    """Yield capitalised words that begin no sentence, and the calendar's words anywhere.

    In a text where most words are capitalised (a title, German) capitals name nothing.
    """
    words = list(re.finditer(r"[^\W\d_]+", text))
    capitals = sum(word.group()[0].isupper() for word in words)
    is_telling = capitals <= max(3, len(words) * _TITLE_SHARE) and not _looks_german(text)
    for word in words:
        before = text[: word.start()].rstrip(" *_(\"'[`#")
        begins = not before or before[-1] in ".!?:\n-•|…>;" or re.search(r"\d[.)]$", before)
        is_name = word.group()[0].isupper() and is_telling and not begins
        if word.group().casefold() in _CALENDAR or (is_name and word.group() != "I"):
            yield word.group()
    if is_telling:
        yield from _NAME_PAIR.findall(text)


def _looks_german(text: str) -> bool:
    return bool(re.search(r"\b(?:der|die|das|und|ist|nicht|ein|eine|den|mit|für|Sie)\b", text))


def _numbers(text: str, is_claim: bool = False) -> list[Number]:
    """Return the numbers of a normalised text, with their units and the stems around them.

    `one` and `a` count where a unit follows them, in a passage only: elsewhere they are no numbers.
    """
    text = _HALF_OF_DAY.sub(r"\1m", re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text))
    text = text.replace("°c", "° celsius").replace("°f", "° fahrenheit")
    found = []
    for match in _FIGURE.finditer(text):
        value = match.group()
        if not (value[0].isdigit() or _in_digits(value)):
            continue
        before, after = text[: match.start()], text[match.end() :]
        units = _units(before[-1:], after[:60])
        if value in ("a", "an", "one") and (is_claim or not units):
            continue
        around = _around(before, after) if is_claim else frozenset[str]()
        found.append(Number(_canonical(_in_digits(value) or value), units, around))
    return found


def _in_digits(words: str) -> str:
    """Return a number in words, such as `twenty-four`, in digits; "" where it is none."""
    tens, _, ones = words.partition("-")
    value = _NUMBER_WORDS.get(tens, "")
    return value[0] + _NUMBER_WORDS[ones] if ones else value


def _around(before: str, after: str) -> frozenset[str]:
    words = [*re.findall(r"[^\W\d_]{2,}", before)[-_NEAR:]]
    words += re.findall(r"[^\W\d_]{2,}", after)[:_NEAR]
    return _stems([word for word in words if word not in _FUNCTION_WORDS and word not in _UNITS])


def _units(before: str, after: str) -> frozenset[str]:
    """Return the units of a number: its currency, and what follows it.

    One word may part a unit from it, `10 business days`, two units may follow, `4 million acres`,
    and the unit of a range stands after its end: `3 to 5 days`.
    """
    found = {_UNITS[before]} if before in _CURRENCIES else set()
    words = _UNIT_WORDS.match(_RANGE_END.sub("", after))
    if words:
        found |= {_UNITS[word] for word in words.groups() if word in _UNITS}
    return frozenset(found)


def _canonical(number: str) -> str:
    number = re.sub(r"(?:[.,]0+|:00)$", "", number)
    return number.lstrip("0") or "0"
