"""Numbers and dates of spreadsheets as their readers see them.

Format codes are those of ECMA-376, part 1, 18.8.30 and 18.8.31. What depends on the reader's own
settings is written in one way: `.` before decimals, `,` between thousands, English names of months,
and dates without a form of their own as YYYY-MM-DD.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

GENERAL = "General"
_DAY = "yyyy-mm-dd"
_HUNDREDTHS = "#,##0.00;(#,##0.00)"
BUILT_IN = {
    1: "0",
    2: "0.00",
    3: "#,##0",
    4: "#,##0.00",
    9: "0%",
    10: "0.00%",
    11: "0.00E+00",
    14: _DAY,
    15: "d-mmm-yy",
    16: "d-mmm",
    17: "mmm-yy",
    18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM",
    20: "h:mm",
    21: "h:mm:ss",
    22: f"{_DAY} h:mm",
    **dict.fromkeys((*range(27, 37), *range(50, 59)), _DAY),  # of East Asian calendars
    **dict.fromkeys((37, 38), "#,##0;(#,##0)"),
    **dict.fromkeys((39, 40), _HUNDREDTHS),
    45: "mm:ss",
    46: "[h]:mm:ss",
    47: "mm:ss.0",
    48: "##0.0E+0",
    49: "@",
}
_MOST_DAYS = 2_958_466  # the first day after 9999-12-31
_MOST_DECIMALS = 15
_LARGE = 1e15  # from here on, floats have no decimals to be shown

_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|[_*].|\[(?P<bracket>[^\]]*)\]'
    r"|(?P<half>AM/PM|A/P)|(?P<exponent>E[+-]0+)|(?P<date>y+|m+|d+|h+|s+(?:\.0+)?)"
    r"|(?P<digits>[0#?][0#?,]*(?:\.[0#?]*,*)?|\.[0#?]+,*)|(?P<percent>%)|(?P<literal>.)",
    re.IGNORECASE | re.DOTALL,
)
_SECTION = re.compile(r'(?:"[^"]*"|\\.|\[[^\]]*\]|[^;])+|(?<=;)(?=;|$)|^(?=;)', re.DOTALL)
_CONDITION = re.compile(r"\[(<=|>=|<>|<|>|=)(-?[\d.]+)\]")
_FIELDS = ("date", "elapsed")
_ELAPSED = re.compile(r"h+|m+|s+", re.IGNORECASE)

_Token = tuple[str, str]  # kind and text


def shown(value: float, code: str, is_1904: bool = False) -> str:
    """Return a number in a format; `is_1904`: its days are counted from 1904."""
    if code in ("", "@") or GENERAL.lower() in code.lower():
        return general(value)
    section, is_negative = _section(value, code)
    tokens = _tokens(section)
    if any(kind in ("date", "elapsed") for kind, _ in tokens):
        return _date(value, tokens, is_1904)
    if "/" in section and any(kind == "digits" for kind, _ in tokens):  # a fraction
        return general(value)
    sign = "-" if value < 0 and not is_negative else ""
    text = _number(abs(value), tokens)
    is_zero = not any(digit in text for digit in "123456789")
    return " ".join(f"{'' if is_zero else sign}{text}".split())


def general(value: float) -> str:
    """Return a number as a cell without a format shows it."""
    if value == int(value) and abs(value) < _LARGE:
        return str(int(value))
    return f"{value:.10g}"


def _section(value: float, code: str) -> tuple[str, bool]:
    """Return the part of the code for a value, and whether that part says `negative` itself."""
    sections = _SECTION.findall(code)[:3] or [code]
    for section in sections:
        if condition := _CONDITION.search(section):
            if _holds(value, condition[1], float(condition[2])):
                return section, False
        elif len(sections) > 1 and _CONDITION.search(code):
            return section, False
    if value < 0 and len(sections) > 1:
        return sections[1], True
    return (sections[2], False) if value == 0 and len(sections) > 2 else (sections[0], False)


def _holds(value: float, operator: str, limit: float) -> bool:
    is_less, is_more = value < limit, value > limit
    return {
        "<": is_less,
        ">": is_more,
        "<=": not is_more,
        ">=": not is_less,
        "=": value == limit,
        "<>": value != limit,
    }[operator]


@lru_cache(maxsize=1000)
def _tokens(section: str) -> tuple[_Token, ...]:
    tokens: list[_Token] = []
    for match in _TOKEN.finditer(section):
        kind, text = match.lastgroup or "", match[match.lastgroup] if match.lastgroup else ""
        if kind == "bracket":
            kind, text = _bracket(text)
        elif kind in ("quoted", "escaped"):
            kind = "literal"
        if kind:
            tokens.append((kind, text))
    return tuple(tokens)


def _bracket(text: str) -> _Token:
    if text.startswith("$"):  # a currency, and a locale after the hyphen
        return "literal", text[1:].partition("-")[0]
    return ("elapsed", text.lower()) if _ELAPSED.fullmatch(text) else ("", "")


def _number(value: float, tokens: Sequence[_Token]) -> str:
    percents = sum(kind == "percent" for kind, _ in tokens)
    groups = [text for kind, text in tokens if kind == "digits"]
    exponent = next((text for kind, text in tokens if kind == "exponent"), "")
    amount = Decimal(repr(value)) * 100**percents
    written = iter(_digits(amount, groups, exponent))
    texts = []
    for kind, text in tokens:
        if kind == "digits":
            texts.append(next(written))
        elif kind == "percent":
            texts.append("%")
        elif kind == "literal":
            texts.append(text)
    return "".join(texts)


def _digits(amount: Decimal, groups: Sequence[str], exponent: str) -> list[str]:
    """Return what stands in the place of each group of digits, such as the two of `000-0000`."""
    if exponent and groups:
        number, _, power = f"{amount:.{len(groups[0].partition('.')[2])}E}".partition("E")
        power = f"{power[0]}{power[1:].zfill(len(exponent) - 2)}"
        return [f"{number}E{power}", *("" for _ in groups[1:])]
    if len(groups) < 2:
        return [_grouped(amount, group) for group in groups]
    left = str(amount.quantize(Decimal(1), ROUND_HALF_UP)).zfill(sum(map(len, groups)))
    written = []
    for group in reversed(groups[1:]):
        written.append(left[-len(group) :])
        left = left[: -len(group)]
    return [left, *reversed(written)]


def _grouped(amount: Decimal, group: str) -> str:
    scaled = group.rstrip(",")  # each comma at the end stands for a thousand
    amount /= 1000 ** (len(group) - len(scaled))
    whole, _, decimals = scaled.partition(".")
    most = min(len(decimals), _MOST_DECIMALS)
    least = min(len(decimals.rstrip("#?")), most)
    text = f"{amount.quantize(Decimal(1).scaleb(-most), ROUND_HALF_UP):f}"
    number, _, fraction = text.partition(".")
    number = number.zfill(whole.count("0")) if number.strip("0") else "0" * whole.count("0")
    if "," in whole:
        number = f"{int(number or 0):,}"
    fraction = fraction[:least] + fraction[least:].rstrip("0")
    return f"{number}.{fraction}" if fraction else number


def _date(value: float, tokens: Sequence[_Token], is_1904: bool) -> str:
    if not 0 <= value < _MOST_DAYS:
        return general(value)
    has_fraction = any(kind == "date" and "." in text for kind, text in tokens)
    seconds = round(value * 86_400, 3 if has_fraction else 0)
    start = datetime(1904, 1, 1) if is_1904 else datetime(1899, 12, 30)
    moment = start + timedelta(seconds=seconds)
    has_half = any(kind == "half" for kind, _ in tokens)
    texts = []
    for place, (kind, text) in enumerate(tokens):
        if kind == "date":
            is_minute = text[0] in "mM" and len(text) < 3 and _is_of_time(tokens, place)
            texts.append(_field(moment, text.lower(), is_minute, has_half))
        elif kind == "elapsed":
            unit = {"h": 3600, "m": 60, "s": 1}[text[0]]
            texts.append(str(int(seconds // unit)).zfill(len(text)))
        elif kind == "half":
            texts.append("AM" if moment.hour < 12 else "PM")
        else:
            texts.append(text)
    return " ".join("".join(texts).split())


def _is_of_time(tokens: Sequence[_Token], place: int) -> bool:
    """Tell whether an `m` means minutes: it stands after hours or before seconds."""
    fields = [(n, text[0].lower()) for n, (kind, text) in enumerate(tokens) if kind in _FIELDS]
    before = [letter for n, letter in fields if n < place]
    after = [letter for n, letter in fields if n > place]
    return before[-1:] == ["h"] or after[:1] == ["s"]


def _field(moment: datetime, code: str, is_minute: bool, has_half: bool) -> str:
    letter, width = code[0], len(code)
    if letter == "y":
        return f"{moment:%Y}" if width > 2 else f"{moment:%y}"
    if letter == "d" and width > 2:
        return f"{moment:%A}" if width > 3 else f"{moment:%a}"
    if letter == "m" and width > 2:
        return {3: f"{moment:%b}", 5: f"{moment:%b}"[0]}.get(width, f"{moment:%B}")
    if letter == "s" and "." in code:
        digits = len(code.partition(".")[2])
        return f"{moment.second:02}.{moment.microsecond:06}"[: 3 + digits]
    hour = (moment.hour % 12 or 12) if has_half else moment.hour
    month = moment.minute if is_minute else moment.month
    return f"{ {'d': moment.day, 'm': month, 'h': hour, 's': moment.second}[letter]:0{width}}"
