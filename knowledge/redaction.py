"""Personal data and keys in a text, found by their shape and check digits, and put out of sight.

Pure: text in, text out. What is found is precise rather than complete; names and postal addresses
are not looked for.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

EMAIL, PHONE, CARD, IBAN, KEY = "[email]", "[phone]", "[card]", "[iban]", "[key]"
_LONGEST_KEY = 20_000  # characters of a private key
_PASSES = 8  # what one pass leaves beside a placeholder is looked at again


@dataclass(frozen=True, slots=True)
class Found:
    """A part of a text that is to be replaced."""

    start: int
    end: int
    rule: str
    placeholder: str


Finder = Callable[[str], Iterable[Found]]


def redact(text: str) -> str:
    """Return the text with placeholders for personal data and keys; doing it twice changes nothing.

    Mail addresses, phone numbers in international and usual national forms, card numbers (Luhn),
    IBANs (checksum) and keys (see `keys`).
    """
    return masked(text, everything)[0]


def masked(
    text: str, find: Finder, places: Sequence[int] = ()
) -> tuple[str, tuple[int, ...], list[Found]]:
    """Return the text without what `find` finds, where its places are now, and what was found.

    The places of what was found are those in the text as it was when it was found.
    """
    everything_found: list[Found] = []
    moved = tuple(places)
    for _ in range(_PASSES):
        found = _apart(find(text))
        if not found:
            break
        everything_found += found
        moved = tuple(_moved(place, found) for place in moved)
        text = _replaced(text, found)
    return text, moved, everything_found


def everything(text: str) -> Iterator[Found]:
    """Yield keys and personal data, the surest first."""
    yield from keys(text)
    yield from _ibans(text)
    yield from _cards(text)
    yield from _mails(text)
    yield from _phones(text)


def _apart(found: Iterable[Found]) -> list[Found]:
    """Return those that do not overlap an earlier one, by their places."""
    kept: list[Found] = []
    for one in found:
        at = bisect_left(kept, one.start, key=lambda other: other.start)
        is_after = at == 0 or kept[at - 1].end <= one.start
        if is_after and (at == len(kept) or one.end <= kept[at].start):
            kept.insert(at, one)
    return kept


def _replaced(text: str, found: Sequence[Found]) -> str:
    parts, at = [], 0
    for one in found:
        parts += [text[at : one.start], one.placeholder]
        at = one.end
    return "".join([*parts, text[at:]])


def _moved(place: int, found: Sequence[Found]) -> int:
    shift = 0
    for one in found:
        if one.start >= place:
            break
        shift += len(one.placeholder) - (min(one.end, place) - one.start)
    return place + shift


# Keys --------------------------------------------------------------------------------------------

_WORD_END = r"(?![A-Za-z0-9])"
_HAS_DIGIT = r"(?=[\w./+=~-]{0,500}\d)"
# Rule, a text without which it cannot match, and its pattern; of a group only that is masked.
_KEY_SHAPES = tuple(
    (rule, hint, re.compile(pattern))
    for rule, hint, pattern in (
        ("aws-access-key", "A", r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}" + _WORD_END),
        ("github-token", "gh", r"(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9]{36,255}" + _WORD_END),
        ("github-token", "github_pat_", r"github_pat_[A-Za-z0-9_]{22,255}"),
        ("gitlab-token", "glpat-", r"glpat-" + _HAS_DIGIT + r"[\w-]{20,}"),
        ("slack-token", "xox", r"(?<![A-Za-z0-9])xox[a-z]-" + _HAS_DIGIT + r"[A-Za-z0-9-]{10,}"),
        ("slack-token", "xapp-", r"xapp-\d-[A-Za-z0-9-]{10,}"),
        ("slack-webhook", "hooks.slack.com", r"hooks\.slack\.com/services/([\w/-]{20,})"),
        ("discord-webhook", "/api/webhooks/", r"/api/webhooks/(\d{15,}/[\w-]{40,})"),
        ("stripe-key", "k_", r"(?<![A-Za-z0-9])[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
        ("stripe-key", "whsec_", r"whsec_[A-Za-z0-9+/=]{24,}"),
        ("model-key", "sk-", r"(?<![A-Za-z0-9-])sk-" + _HAS_DIGIT + r"[A-Za-z0-9_-]{20,}"),
        ("google-key", "AIza", r"AIza[0-9A-Za-z_-]{35}"),
        ("google-token", "ya29.", r"ya29\.[0-9A-Za-z_-]{20,}"),
        ("google-secret", "GOCSPX-", r"GOCSPX-[0-9A-Za-z_-]{20,}"),
        ("jwt", "eyJ", r"eyJ[\w-]{8,1000}\.eyJ[\w-]{8,}\.[\w-]*"),
        ("sendgrid-key", "SG.", r"(?<!\w)SG\.[\w-]{16,32}\.[\w-]{30,64}"),
        ("mailgun-key", "key-", r"(?<![\w-])key-[0-9a-f]{32}" + _WORD_END),
        ("twilio-key", "SK", r"(?<!\w)SK[0-9a-f]{32}" + _WORD_END),
        ("npm-token", "npm_", r"(?<!\w)npm_[A-Za-z0-9]{36}" + _WORD_END),
        ("pypi-token", "pypi-", r"pypi-[A-Za-z0-9_-]{50,}"),
        ("huggingface-token", "hf_", r"(?<!\w)hf_[A-Za-z0-9]{30,}"),
        ("digitalocean-token", "do", r"do[opr]_v1_[0-9a-f]{64}"),
        ("shopify-token", "shp", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
        ("databricks-token", "dapi", r"(?<!\w)dapi[0-9a-f]{32}"),
        ("notion-token", "ntn_", r"(?<!\w)ntn_[A-Za-z0-9]{40,}"),
        ("notion-token", "secret_", r"(?<!\w)secret_[A-Za-z0-9]{43}" + _WORD_END),
        ("linear-key", "lin_api_", r"lin_api_[A-Za-z0-9]{32,}"),
        ("docker-token", "dckr_pat_", r"dckr_pat_[\w-]{20,}"),
        ("vault-token", "hv", r"(?<!\w)hv[sb]\.[\w-]{24,}"),
        ("atlassian-token", "ATATT3", r"ATATT3[\w=-]{60,}"),
        ("age-key", "AGE-SECRET-KEY-", r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
        ("azure-key", "AccountKey=", r"AccountKey=([A-Za-z0-9+/]{40,}={0,2})"),
        ("telegram-token", ":", r"(?<!\d)\d{8,10}:AA[\w-]{33}(?!\w)"),
        ("bearer-token", "earer ", r"[Bb]earer " + _HAS_DIGIT + r"([\w.~+/-]{20,}=*)"),
        ("address-password", "://", r"://[^\s/:@<>{}$]+:(?=[^\s/@]*\d)([^\s/@<>{}$*]{6,})@"),
    )
)
_ASSIGNED = re.compile(
    r"(?:api[_-]?key|secret(?:[_-]?(?:access)?[_-]?key)?|access[_-]?token|auth[_-]?token|"
    r"client[_-]?secret|private[_-]?key|passw(?:or)?d|pwd|token)[\"']?\s{0,3}(?:=|:|=>)\s{0,3}"
    r"[\"']?(?=[A-Za-z0-9+/_.-]*\d)(?=[A-Za-z0-9+/_.-]*[A-Za-z])([A-Za-z0-9+/_.-]{20,}={0,2})",
    re.I,
)
_MOST_OF_ONE = 0.3  # share of its most frequent character up to which a value looks random
_BEGINS = re.compile(r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_ENDS = re.compile(r"-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_KEY_BODY = re.compile(r"(?:\s|\\n|[A-Za-z0-9+/=]{16,})*")


def keys(text: str) -> Iterator[Found]:
    """Yield what is shaped like a key, token or password of a known kind, or is called one."""
    yield from _private_keys(text)
    for rule, hint, pattern in _KEY_SHAPES:
        if hint in text:
            for match in pattern.finditer(text):
                yield Found(*match.span(pattern.groups), rule, KEY)
    for match in _ASSIGNED.finditer(text):
        if _looks_random(match[1]):
            yield Found(*match.span(1), "assigned-secret", KEY)


def _private_keys(text: str) -> Iterator[Found]:
    for match in _BEGINS.finditer(text):
        closed = _ENDS.search(text, match.end(), match.end() + _LONGEST_KEY)
        body = _KEY_BODY.match(text, match.end())
        end = closed.end() if closed else body.end() if body else match.end()
        yield Found(match.start(), end, "private-key", KEY)


def _looks_random(value: str) -> bool:
    """Tell a key from a path, a name or a placeholder: digits among letters, nothing repeated."""
    most = max(value.count(character) for character in set(value))
    parts = re.split(r"[./_-]", value)
    return most <= _MOST_OF_ONE * len(value) and any(
        len(part) >= 12 and re.search(r"\d", part) and re.search(r"[A-Za-z]", part)
        for part in parts
    )


# Personal data -----------------------------------------------------------------------------------

_MAIL = re.compile(
    r"(?<![\w.%+@/-])[\w.%+'-]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w@])"
)
_FILE_ENDINGS = frozenset(("png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "css", "js", "json"))
_GIT = re.compile(r"git@[\w.-]+$")
_LOGIN = re.compile(r"://[^\s/]{1,80}\Z")  # before an address's password

_CARD = re.compile(r"(?<![\w.,-])\d(?:[ -]?\d){12,18}(?![\w-]|[.,]\d)")
_BRANDS = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:2[2-9]|[3-6]\d|7[01])\d{13}|2720\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[68]\d)\d{11}|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}"
    r"|62\d{14,17}|(?:50|5[6-9]|6[37])\d{10,17}"
)

_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}")
_IBAN_LENGTHS = {
    country: int(length)
    for length, countries in (
        line.split(":")
        for line in """15:NO
16:BE
18:DK FI FO GL NL
19:MK SI
20:AT BA EE KZ LT LU XK
21:CH CR HR LI LV
22:BG BH DE GB GE IE ME RS
23:AE GI IL
24:AD CZ ES MD PK RO SA SE SK TN VG
25:PT
26:IS TR
27:FR GR IT MC SM
28:AL AZ CY DO HU LB PL
29:BR PS QA UA
30:JO KW MU
31:MT""".splitlines()
    )
    for country in countries.split()
}

_INTERNATIONAL = re.compile(
    r"(?<![\w+.,/=-])\+\d{1,3}(?:[ .\-/]{0,3}\(?\d{1,5}\)?){2,7}(?![\w%]|[.,]\d)"
    r"|(?<![\w+.,/=-])(?<!\d )00[1-9]\d{0,2}(?:[ \-/]\(?\d{1,8}\)?){2,7}(?![\w%]|[.,]\d)"
)
_AMERICAN = re.compile(
    r"(?<![\w+.,/#=-])(?:1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-])[2-9]\d{2}[ .-]\d{4}"
    r"(?![\w-]|[.,]\d)"
)
_NATIONAL = re.compile(  # with its trunk zero
    r"(?<![\w+.,/#:=-])(?<!\d )\(?0[1-9]\d{0,3}\)?(?:[ /-]{1,3}\d{2,8}){1,5}(?![\w%:-]|[.,]\d)"
)
_SAID = re.compile(  # after a word that says what it is
    r"(?<!\w)(?:tel(?:ephone|efono|éfono|efone|efon|efoon|éphone)?|phone|mobile|mobil|handy|cell|fax|"
    r"call(?: us)?(?: at)?|whatsapp|móvil|cellulare|portable|gsm|hotline|ruf(?:nummer)?)"
    r"(?: ?(?:number|no|nr|nummer|num))?[.:]{0,2} {0,2}(?:\*\*|is )?"
    r"(\(?\d{1,5}\)?(?:[ .\-/]?\(?\d{1,6}\)?){1,7})(?![\w%:-]|[.,]\d)",
    re.I,
)
_DATE = re.compile(
    r"(?<!\d)(?:\d{1,2}[./ -]\d{1,2}[./ -](?:19|20)\d\d"
    r"|(?:19|20)\d\d[./-]\d{1,2}[./-]\d{1,2})(?!\d)"
)
_ADDRESS = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")


def _mails(text: str) -> Iterator[Found]:
    if "@" not in text:
        return
    for match in _MAIL.finditer(text):
        is_file = match[0].rpartition(".")[2].casefold() in _FILE_ENDINGS
        is_clone = _GIT.match(match[0]) and text[match.end() : match.end() + 1] in (":", "/")
        is_login = _LOGIN.search(text, max(0, match.start() - 90), match.start())
        if not (is_file or is_clone or is_login):
            yield Found(*match.span(), "email", EMAIL)


def _cards(text: str) -> Iterator[Found]:
    for match in _CARD.finditer(text):
        digits = _digits(match[0])
        if _BRANDS.fullmatch(digits) and _is_luhn(digits) and len(set(digits)) > 1:
            yield Found(*match.span(), "card", CARD)


def _is_luhn(digits: str) -> bool:
    """Tell whether the check digit of ISO/IEC 7812-1 fits."""
    doubled = (int(digit) * (1 + at % 2) for at, digit in enumerate(reversed(digits)))
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


def _ibans(text: str) -> Iterator[Found]:
    for match in _IBAN.finditer(text):
        length = _IBAN_LENGTHS.get(match[0][:2], 0)
        taken = 0
        for at, character in enumerate(match[0]):
            taken += character != " "
            if length and taken == length:
                end = match.start() + at + 1
                is_whole = not text[end : end + 1].isalnum()
                if is_whole and _is_iban(match[0][: at + 1].replace(" ", "")):
                    yield Found(match.start(), end, "iban", IBAN)
                break


def _is_iban(compact: str) -> bool:
    """Tell whether the check digits of ISO 13616 fit."""
    return int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1


def _phones(text: str) -> Iterator[Found]:
    for pattern, least in ((_INTERNATIONAL, 8), (_AMERICAN, 10), (_NATIONAL, 9), (_SAID, 6)):
        for match in pattern.finditer(text):
            number = match[pattern.groups]
            if least <= len(_digits(number)) <= 15 and not _is_other(number):
                yield Found(*match.span(pattern.groups), "phone", PHONE)


def _is_other(number: str) -> bool:
    """Tell a date or an IP address from a phone number."""
    return bool(_DATE.search(number) or _ADDRESS.search(number))


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)
