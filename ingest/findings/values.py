"""What a sentence says of something in figures: prices, limits, periods, versions, dates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from knowledge.keywords import tokenize

DATE, YEAR, VERSION, CLOCK = "date", "year", "version", "clock"
_MOST_VALUES = 6
_MOST_STEMS = 40
_FEWEST_STEMS = 2
_FEWEST_DATED = 3  # where a day or year is all that is said: less is a label
_MOST_CLAIMS = 40  # of a passage

_SENTENCE = re.compile(r"\n+|(?<=[.!?:;])\s+(?=[\"“(*\[]*[A-ZÄÖÜ0-9])")
_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)")
_MARKS = re.compile(r"[*_`]+|^\s*(?:[-*+•>#]+|\d{1,3}[.)])\s+", re.M)
_MONTHS_LIST = """
january february march april may june july august september october november december januar
februar märz april mai juni juli august september oktober november dezember
"""
_MONTHS = _MONTHS_LIST.split()
_MONTH = {name: number % 12 + 1 for number, name in enumerate(_MONTHS)} | {
    name[:3]: number % 12 + 1 for number, name in enumerate(_MONTHS[:12])
}
_MONTH_NAMES = "|".join(sorted(_MONTH, key=len, reverse=True))
_NUMBER_NAMES_LIST = """
two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen twenty
"""
_NUMBER_NAMES = _NUMBER_NAMES_LIST.split()
_NAMED = {name: number for number, name in enumerate(_NUMBER_NAMES, 2)} | {
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "ninety": 90, "hundred": 100,
}  # fmt: skip
# Unit, its size in the first one of its line, and its names.
_UNITS = {
    name: (unit, float(size))
    for unit, size, names in (
        ("time", 1, "s sec secs second seconds sekunde sekunden"),
        ("time", 60, "min mins minute minutes minuten"),
        ("time", 3600, "h hr hrs hour hours stunde stunden"),
        ("time", 86_400, "day days tag tage tagen"),
        ("time", 604_800, "week weeks woche wochen"),
        ("months", 1, "month months monat monate monaten"),
        ("months", 12, "year years jahr jahre jahren"),
        ("bytes", 1, "byte bytes"),
        ("bytes", 1e3, "kb kilobyte kilobytes"),
        ("bytes", 1e6, "mb megabyte megabytes"),
        ("bytes", 1e9, "gb gigabyte gigabytes"),
        ("bytes", 1e12, "tb terabyte terabytes"),
        ("$", 1, "$ usd dollar dollars"),
        ("€", 1, "€ eur euro euros"),
        ("£", 1, "£ gbp pound pounds"),
        ("%", 1, "% percent percentage prozent pct"),
        ("m", 1, "meter meters metre metres"),
        ("m", 1000, "km kilometer kilometers kilometre kilometres"),
        ("g", 1000, "kg kilogram kilograms"),
        ("g", 1, "gram grams"),
    )
    for name in names.split()
}
_TIMES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "k": 1e3, "m": 1e6, "bn": 1e9}
# A number after one of these names something and measures nothing.
_NAMING_LIST = """
form section sec chapter title page part item figure fig table no nr number rule article art step
act room suite route highway code line question appendix schedule exhibit class level phase region
district bill resolution public usc cfr § rfc iso port error volume vol line tel phone fax ext
extension box building floor unit apt street avenue version formular abschnitt kapitel seite teil
schritt zeile
"""
_NAMING = frozenset(_NAMING_LIST.split())
# After these a bare number is a limit or a count.
_LIMITING_LIST = """
is are be of to than most least exceed exceeds maximum minimum limit under over within equals
costs cost only about up
"""
_LIMITING = frozenset(_LIMITING_LIST.split())
_STOP_LIST = """
updated last published posted reviewed modified effective page
a an the and or if that this these those there it its i me my we us our you your he she they them
is are was were be been do does did has have had can could will would shall should may might must
of for to from by at with about as in on up so than then not no any all also more most least over
under within per each every der die das und ist ein eine den mit für
"""
_STOP = frozenset(_STOP_LIST.split())

_VALUE = re.compile(
    rf"(?P<iso>\b(?:19|20)\d\d-\d\d-\d\d\b)"
    rf"|(?P<dmy>\b\d{{1,2}}\.? (?:of )?(?:{_MONTH_NAMES})\b\.?,? (?:19|20)\d\d\b)"
    rf"|(?P<mdy>\b(?:{_MONTH_NAMES})\b\.? \d{{1,2}}(?:st|nd|rd|th)?,? (?:19|20)\d\d\b)"
    rf"|(?P<dm>\b\d{{1,2}}\.? (?:of )?(?:{_MONTH_NAMES})\b)"
    rf"|(?P<md>\b(?:{_MONTH_NAMES})\b\.? \d{{1,2}}(?:st|nd|rd|th)?\b(?! ?(?:days|hours|%)))"
    r"|(?P<slash>\b\d{1,2}/\d{1,2}/(?:19|20)?\d\d\b)"
    r"|(?P<version>\bv\d+(?:\.\d+)*\b|\b\d+\.\d+\.\d+(?:\.\d+)*\b|(?<=\bversion )\d+(?:\.\d+)*\b)"
    r"|(?P<clock>\b\d{1,2}(?::\d\d)? ?(?:am|pm|a\.m\.|p\.m\.|uhr)(?!\w)|\b\d{1,2}:\d\d\b)"
    r"|(?P<money>[$€£] ?\d[\d,.]*)"
    r"|(?P<number>(?<![\w.,:/-])\d[\d,.]*(?![\w:/]|-\w*\d))"
    r"|(?P<glued>(?<![\w.,:/-])\d[\d,.]*(?:gb|mb|kb|tb|km|kg|h|s|min|%|€|k)(?!\w))"
    rf"|(?P<named>\b(?:{'|'.join(_NAMED)})\b)",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Claim:
    """What one sentence says in figures of what its words speak of."""

    text: str
    stems: frozenset[str]  # what it speaks of
    names: frozenset[str]  # of them, names and numbers that name something
    values: tuple[tuple[str, str], ...]  # (unit, value), in order


def claims(text: str) -> Iterator[Claim]:
    """Yield what the sentences, items and table rows of a passage say in figures."""
    plain = _MARKS.sub("", _LINK.sub(r"\1", text))
    found = 0
    for sentence in _SENTENCE.split(plain):
        claim = _claim(" ".join(sentence.replace("|", " ").split()))
        if claim is not None:
            yield claim
            found += 1
            if found == _MOST_CLAIMS:
                return


def disagree(one: Claim, other: Claim) -> bool:
    """Tell whether two sentences on the same thing differ in a value.

    Both have the same kinds of values, most of which agree. What is said of another day or year
    is no contradiction, unless the day is all that is said.
    """
    if sorted(unit for unit, _ in one.values) != sorted(unit for unit, _ in other.values):
        return False
    here, there = sorted(one.values, key=_unit), sorted(other.values, key=_unit)
    differing = [a[0] for a, b in zip(here, there, strict=True) if _differ(a, b)]
    if not differing or len(differing) > max(1, len(here) // 2):
        return False
    return len(here) == 1 or not {DATE, YEAR}.intersection(differing)


def _unit(value: tuple[str, str]) -> str:
    return value[0]


def _differ(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Tell whether two values of one unit differ; `4` and `4pm` may be the same hour."""
    if one[0] == CLOCK and (one[1].startswith(other[1]) or other[1].startswith(one[1])):
        return False
    return one[1] != other[1]


def _claim(sentence: str) -> Claim | None:
    if len(sentence) > 1_000 or (not any(map(str.isdigit, sentence)) and not _has_named(sentence)):
        return None
    values: list[tuple[str, str]] = []
    words: list[str] = []
    names: list[str] = []
    at = 0
    for match in _VALUE.finditer(sentence):
        if match.start() < at:
            continue
        words.append(sentence[at : match.start()])
        value, end = _value(match, sentence)
        if value is not None:
            values.append(value)
        else:
            names.append(f"#{match[0].casefold()}")
        at = end
    words.append(sentence[at:])
    if not values or len(values) > _MOST_VALUES:
        return None
    rest = " ".join(words)
    stems = _stems(rest) | set(names)
    least = _FEWEST_DATED if {unit for unit, _ in values} <= {DATE, YEAR} else _FEWEST_STEMS
    if not least <= len(stems) <= _MOST_STEMS or sentence.endswith(":"):
        return None
    return Claim(sentence, frozenset(stems), frozenset(names) | _capitalised(rest), tuple(values))


def _value(match: re.Match[str], sentence: str) -> tuple[tuple[str, str] | None, int]:
    """Return unit and value, None where the number only names something, and where it ends."""
    kind, text = str(match.lastgroup), match[0].casefold()
    if kind in ("iso", "dmy", "mdy", "dm", "md", "slash"):
        return (DATE, _date(text)), match.end()
    if kind == "version":
        return (VERSION, text.lstrip("v")), match.end()
    if kind == "clock":
        return (CLOCK, re.sub(r"[\s.]|:00", "", text).removesuffix("uhr")), match.end()
    before = re.findall(r"[^\W\d_]+|§|#", sentence[max(0, match.start() - 30) : match.start()])
    last = before[-1].casefold() if before else ""
    number = float(_NAMED[text]) if kind == "named" else _number(re.sub(r"[^\d.,]", "", text))
    unit = re.sub(r"[\d.,\s]", "", text) if kind in ("money", "glued") else ""
    return _measured(number, unit, last, sentence, match)


def _measured(
    number: float, unit: str, last: str, sentence: str, match: re.Match[str]
) -> tuple[tuple[str, str] | None, int]:
    end = match.end()
    after = re.match(r"[\s-]{0,2}([^\W\d_]+|%|€|\$|£)", sentence[end:])
    word = after[1].casefold() if after else ""
    if word in _TIMES and len(word) > 1 and after:
        number, end = number * _TIMES[word], end + after.end()
        after = re.match(r"[\s-]{0,2}([^\W\d_]+|%|€|\$|£)", sentence[end:])
        word = after[1].casefold() if after else ""
    name, size = _UNITS.get(unit, ("", 1.0)) if unit else _UNITS.get(word, ("", 1.0))
    if name:
        taken = 0 if unit or not after else after.end()
        return (name, f"{number * size:g}"), end + taken
    if last in _NAMING or match.lastgroup == "named":
        return None, end
    if 1900 <= number <= 2100 and number == int(number) and "," not in match[0]:
        return (YEAR, f"{number:g}"), end
    if len(word) >= 3 and word not in _STOP:
        return (f"~{_stem(word)}", f"{number:g}"), end
    return (("number", f"{number:g}"), end) if last in _LIMITING else (None, end)


def _number(text: str) -> float:
    text = text.rstrip(".,")
    if re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", text):
        return float(re.sub(r"[.,]", "", text))
    text = re.sub(r",(?=\d{3}(?:\D|$))", "", text).replace(",", ".")
    whole, _, rest = text.partition(".")
    return float(f"{whole}.{rest.replace('.', '') or '0'}")


def _date(text: str) -> str:
    numbers = re.findall(r"\d+", text)
    month = next((_MONTH[w] for w in re.findall(r"[^\W\d_]+", text) if w in _MONTH), None)
    if month is None:
        return "-".join(number.zfill(2) for number in numbers)
    year = next((number for number in numbers if len(number) == 4), "")
    day = next((number for number in numbers if len(number) < 4), "")
    return f"{year}-{month:02}-{day.zfill(2)}"


def _has_named(sentence: str) -> bool:
    return any(word in _NAMED for word in sentence.casefold().split())


def _stems(text: str) -> set[str]:
    return {stem for stem in tokenize(text) if stem not in _stop_stems() and not stem.isdigit()}


def stems(text: str) -> frozenset[str]:
    """Return what a title or heading speaks of."""
    return frozenset(_stems(text))


@cache
def _stop_stems() -> frozenset[str]:
    return frozenset(tokenize(" ".join(_STOP)))


@cache
def _stem(word: str) -> str:
    return tokenize(word)[0] if tokenize(word) else word


def _capitalised(text: str) -> frozenset[str]:
    """Return the stems of words that are capitalised inside the sentence."""
    names = re.findall(r"(?<=[a-z,)] )[A-Z][\w-]+", text)
    return frozenset(tokenize(" ".join(names)))
