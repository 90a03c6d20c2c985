"""Sentences made wrong on purpose in one place, and sentences reworded without a change of sense.

Each function takes a sentence without marks and returns another, or None where the sentence offers
no place for it. What is put in stands nowhere in the passages that are supplied.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Foreign:
    """What other documents say, to be put into a sentence, and what must not be: the passages."""

    supplied: str  # the passages' text, casefolded
    names: Sequence[str]
    sentences: Sequence[str]
    words: Sequence[str]

    def is_new(self, words: str) -> bool:
        """Tell whether these words stand in none of the passages."""
        return not re.search(rf"(?<!\w){re.escape(words.casefold())}(?!\w)", self.supplied)


Mutation = Callable[[str, Foreign, random.Random], str | None]

_NUMBER = re.compile(
    r"(?<![\w.,:/-])\d{1,3}(?:,\d{3})+(?![\w,])|(?<![\w.,:/-])\d+(?:\.\d+)?(?![\w/:]|[.,-]\d)"
)
_COUNT_NAMES = """
two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty sixty
seventy eighty ninety
"""
_COUNTS = _COUNT_NAMES.split()
_COUNT = re.compile(rf"\b(?:{'|'.join(_COUNTS)})\b", re.I)
_UNITS = [
    "seconds minutes hours days weeks months years",
    "second minute hour day week month year",
    "KB MB GB TB",
    "km miles metres feet inches acres",
    "mm cm m km",
    "mg g kg pounds ounces",
    "percent degrees",
    "thousand million billion",
    "am pm",
    "a.m. p.m.",
    "Fahrenheit Celsius",
]
_OTHER_UNITS = {
    unit: [u for u in row.split() if u != unit] for row in _UNITS for unit in row.split()
}
_UNIT = re.compile(
    rf"(?<=\d)(?P<gap>[ -]?)(?P<unit>{'|'.join(map(re.escape, _OTHER_UNITS))})(?![\w])"
)
_CURRENCY = {"$": "€", "€": "$", "£": "$"}
_MONTH_NAMES = """
January February March April June July August September October November December
"""
_MONTHS = _MONTH_NAMES.split()
_DAY_NAMES = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
_DAYS = _DAY_NAMES.split()
_DATE = re.compile(rf"\b(?:{'|'.join(_MONTHS + _DAYS)})\b")
_CODE = re.compile(
    r"(?<![\w/.-])(?:v?\d+(?:\.\d+){2,}|v\d+(?:\.\d+)*|[A-Za-z]+[-_]?\d[\w-]*|--?[a-z][\w-]{2,}"
    r"|[\w-]+(?:/[\w.-]+){2,}|/[\w-]+(?:/[\w.-]+)+|\w+(?:_\w+)+|[\w-]+\.(?:md|txt|ya?ml|json|pdf|sh"
    r"|conf|toml|exe|py|js|html|org|com|gov))(?![\w/])"
)
_LABEL = re.compile(r"\*\*([^*\n]{2,60})\*\*|(?<!\w)[\"“]([^\"”\n]{2,60})[\"”]|`([^`\n]{2,60})`")
_NAME = re.compile(r"(?<=[a-z,] )(?:[A-Z][a-z]{2,}|[A-Z]{3,})(?: (?:[A-Z][a-z]{2,}|[A-Z]{3,}))*\b")
_URL = re.compile(r"https?://[^\s<>\"')\]]*[\w/]")
_DENIALS = [
    (r"\bcannot\b", "can"),
    (r"\bcan't\b|\bcan’t\b", "can"),
    (r"\b(do|does|did|is|are|was|were|has|have|had|could|would|should)n['’]t\b", r"\1"),
    (r"\bwon['’]t\b", "will"),
    (r"\b(?:do|did) not ", ""),
    (r"\bno longer (?!than\b)", ""),
    (r"\bnot only ", "only "),
    (r"\bnot (?!only\b)", ""),
    (r"\bnever\b", "always"),
    (r"\bwithout\b", "with"),
    (r"\bunless\b", "if"),
    (r"\bexcept(?: for)?\b", "including"),
    (r"\bunable\b", "able"),
]
_DENIABLE = re.compile(
    r"\b(?P<verb>is|are|was|were|can|will|must|should|may|could|would)\b(?! (?:not|no|never)\b|n't)"
)
_OPPOSITES = [
    "before after",
    "enable disable",
    "enabled disabled",
    "minimum maximum",
    "increase decrease",
    "increases decreases",
    "always never",
    "allowed prohibited",
    "required optional",
    "higher lower",
    "earlier later",
    "above below",
    "first last",
    "inside outside",
    "more fewer",
    "free paid",
    "public private",
    "left right",
    "open close",
    "add remove",
]
_OPPOSITE = {
    one: other for row in _OPPOSITES for one, other in (row.split(), reversed(row.split()))
}
_OPPOSED = re.compile(rf"\b(?:{'|'.join(_OPPOSITE)}|at least|at most|more than|less than)\b")
_BOUNDS = {
    "at least": "at most",
    "at most": "at least",
    "more than": "less than",
    "less than": "more than",
}


def changed_number(text: str, foreign: Foreign, rng: random.Random) -> str | None:
    """Change one number, in digits or in words."""
    own = re.match(r"\s*\d{1,3}[.)]", text)  # a list item's own number states nothing
    start = own.end() if own else 0
    found = [*_NUMBER.finditer(text, start), *_COUNT.finditer(text, start)]
    rng.shuffle(found)
    for match in found:
        for value in _other_numbers(match.group(), rng):
            if foreign.is_new(value):
                return _put(text, match.span(), value)
    return None


def _other_numbers(old: str, rng: random.Random) -> list[str]:
    if old.casefold() in _COUNTS:
        return rng.sample([count for count in _COUNTS if count != old.casefold()], 6)
    value = float(old.replace(",", ""))
    others = [value + 1, value * 2, value * 10, value + rng.randint(2, 9), max(1, value - 1)]
    rng.shuffle(others)
    form = ",.0f" if "," in old else ".0f" if "." not in old else f".{len(old.split('.')[1])}f"
    return [new for other in others if (new := format(other, form)) != old]


def changed_unit(text: str, foreign: Foreign, rng: random.Random) -> str | None:
    """Change the unit of a number, a currency, a month or a day of the week."""
    found = [*_UNIT.finditer(text), *_DATE.finditer(text), *re.finditer(r"[$€£](?=\d)", text)]
    rng.shuffle(found)
    for match in found:
        old = match.group()
        if old in _CURRENCY:
            return _put(text, match.span(), _CURRENCY[old])
        if match.re is _DATE:
            others = [date for date in (_MONTHS if old in _MONTHS else _DAYS) if date != old]
        else:
            others = _OTHER_UNITS[match["unit"]]
        new = rng.choice(others)
        if match.re is _DATE and not foreign.is_new(new):
            continue
        return _put(text, match.span(), new if match.re is _DATE else f"{match['gap']}{new}")
    return None


def changed_code(text: str, foreign: Foreign, rng: random.Random) -> str | None:
    """Change one character of a code, version, path, option or file name."""
    found = [match for match in _CODE.finditer(text) if "://" not in text[: match.start()][-9:]]
    rng.shuffle(found)
    for match in found:
        old = match.group()
        places = [place for place, char in enumerate(old) if char.isalnum()]
        place = rng.choice(places[1:] or places)
        pool = "123456789" if old[place].isdigit() else "bdfgklmprst"
        new = old[:place] + rng.choice([char for char in pool if char != old[place]])
        new += old[place + 1 :]
        if foreign.is_new(new):
            return _put(text, match.span(), new)
    return None


def changed_label(text: str, foreign: Foreign, rng: random.Random) -> str | None:
    """Change a word inside quotation marks, emphasis or code."""
    found = list(_LABEL.finditer(text))
    rng.shuffle(found)
    for match in found:
        words = list(re.finditer(r"[^\W\d_]{3,}", match.group()))
        if not words:
            continue
        word = rng.choice(words)
        new = rng.choice(foreign.words)
        new = new.title() if word.group().istitle() else new
        start = match.start()
        changed = _put(text, (start + word.start(), start + word.end()), new)
        if foreign.is_new(new):
            return changed
    return None


def flipped_negation(text: str, foreign: Foreign, rng: random.Random) -> str | None:
    """Take a negation out, or put one in where there is none."""
    for pattern, new in _DENIALS:
        if re.search(pattern, text):
            return re.sub(pattern, new, text, count=1)
    if re.search(r"\b(?:no|none|neither|nor|nothing|nobody)\b", text, re.I):
        return None
    found = list(_DENIABLE.finditer(text))
    if not found:
        return None
    match = rng.choice(found)
    verb = match["verb"]
    return _put(text, match.span(), "cannot" if verb == "can" else f"{verb} not")


def flipped_opposite(text: str, foreign: Foreign, rng: random.Random) -> str | None:
    """Turn a word into its opposite: before, enable, at least."""
    found = list(_OPPOSED.finditer(text))
    if not found:
        return None
    match = rng.choice(found)
    old = match.group()
    return _put(text, match.span(), _BOUNDS.get(old) or _OPPOSITE[old])


def swapped_entity(text: str, foreign: Foreign, rng: random.Random) -> str | None:
    """Put the name of somebody or something else in the place of a name."""
    found = [match for match in _NAME.finditer(text) if match.group() not in (*_MONTHS, *_DAYS)]
    if not found or not foreign.names:
        return None
    match = rng.choice(found)
    for name in rng.sample(foreign.names, min(20, len(foreign.names))):
        if foreign.is_new(name):
            return _put(text, match.span(), name)
    return None


def invented_url(text: str, foreign: Foreign, rng: random.Random) -> str | None:
    """Change an address, or add one that nobody wrote."""
    word = rng.choice(foreign.words)
    if match := _URL.search(text):
        return _put(text, match.span(), f"{match.group().rstrip('/')}/{word}")
    site = rng.choice(["https://help.example.com/", "www.example.org/", "support.example.net/"])
    ending = text[-1] if text[-1] in ".!?" else ""
    return f"{text.removesuffix(ending)}, see {site}{word}{ending}"


def invented_step(text: str, foreign: Foreign, rng: random.Random) -> str | None:
    """Return a statement of another document."""
    return rng.choice(foreign.sentences) if foreign.sentences else None


def merged_sources(text: str, foreign: Foreign, rng: random.Random) -> str | None:
    """Go on, after half of the sentence, with half of a sentence of another document."""
    if not foreign.sentences or len(text.split()) < 8:
        return None
    words, others = text.split(), rng.choice(foreign.sentences).split()
    return " ".join([*words[: len(words) // 2], *others[len(others) // 2 :]])


MUTATIONS: Mapping[str, Mutation] = {
    "changed number": changed_number,
    "changed unit or date": changed_unit,
    "changed code": changed_code,
    "changed label": changed_label,
    "flipped negation": flipped_negation,
    "swapped entity": swapped_entity,
    "invented URL": invented_url,
    "flipped opposite": flipped_opposite,
    "invented step": invented_step,
    "merged sources": merged_sources,
}

_REWORDINGS = [
    (r"\b([Cc])annot\b", r"\1an't"),
    (r"\b([Dd]o|[Dd]oes|[Dd]id|[Ii]s|[Aa]re|[Ww]as|[Ww]ere|[Ss]hould) not\b", r"\1n't"),
    (r"\b([Cc])an['’]t\b", r"\1annot"),
    (r"\b([Dd]o|[Dd]oes|[Dd]id|[Ii]s|[Aa]re|[Ww]as|[Ww]ere)n['’]t\b", r"\1 not"),
    (r"\b([Yy])ou will\b", r"\1ou'll"),
    (r"\b([Ii])t is\b", r"\1t's"),
    (r"\bin order to\b", "to"),
    (r"\bsuch as\b", "like"),
    (r"\bprior to\b", "before"),
    (r"\bapproximately\b", "about"),
    (r"\b([Yy]ou|[Ww]e|[Tt]hey) must\b(?! not)", r"\1 have to"),
    (r"\bneed to\b", "have to"),
    (r"(?<!no )(?<!not )\bmore than\b", "over"),
    (r"\bat least\b", "a minimum of"),
    (r"\bup to\b", "at most"),
    (r"\bbecause\b", "since"),
    (r"\balso\b ", ""),
    (r"\bhowever, ", ""),
    (r"\bpercent\b", "%"),
    (r"(?<=\d)%", " percent"),
    (r"(?<=\d),(?=\d{3}\b)", ""),
    (r"\bif you want to\b", "to"),
    (r"\bevery\b", "each"),
    (r"\ballows you to\b", "lets you"),
]
_VALUES = dict(zip(_COUNTS[:11], range(2, 13), strict=True)) | {
    count: (place + 2) * 10 for place, count in enumerate(_COUNTS[-8:])
}
_IN_WORDS = {str(value): word for word, value in _VALUES.items()}
_PLAIN = "The A An You Your If When This These There It To All Each We Most"
_PLAIN_OPENERS = frozenset(_PLAIN.split())
_OPENINGS = ("Yes, ", "According to the documentation, ", "Please note that ", "In short, ")
_CONDITION = re.compile(
    r"(?P<when>(?:If|When|After|Before|Once) [^,]{8,80}), (?P<then>[^,]{8,200})\.$"
)


def reworded(text: str, rng: random.Random) -> str | None:
    """Return the sentence in other words of the same sense, None where no rule fits.

    The rules: contractions made and undone, function words for their synonyms, numbers in words or
    in digits, the condition after the main clause, a phrase that opens it.
    """
    new = _replaced(text)
    if match := _CONDITION.match(new):
        new = f"{_upper(match['then'])} {_lower(match['when'])}."
    for match in _COUNT.finditer(new):
        if value := _VALUES.get(match.group()):
            new = new.replace(match.group(), str(value), 1)
            break
    else:
        new = re.sub(r"(?<![\w.,:/-])\d{1,2}(?= [a-z])", _in_words, new, count=1)
    if new != text and rng.random() < 0.5 and new.split()[0] in _PLAIN_OPENERS:
        new = rng.choice(_OPENINGS) + _lower(new)
    return new if new != text else None


def _replaced(text: str) -> str:
    """Apply each rule to the text as it was, so that none undoes another."""
    places = [
        (match.start(), match.end(), match.expand(words))
        for pattern, words in _REWORDINGS
        for match in re.finditer(pattern, text)
    ]
    new, end = "", 0
    for start, stop, words in sorted(places):
        if start >= end:
            new, end = new + text[end:start] + words, stop
    return new + text[end:]


def _in_words(match: re.Match[str]) -> str:
    return _IN_WORDS.get(match.group(), match.group())


def _put(text: str, span: tuple[int, int], new: str) -> str:
    return text[: span[0]] + new + text[span[1] :]


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
