"""From bytes to clean characters: encodings, line ends, and what is there but cannot be seen."""

from __future__ import annotations

import codecs
import re
import unicodedata

from ingest.errors import ParseFailed

_MARKS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
WIDE_MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SAMPLE_BYTES = 100_000  # enough to tell an encoding by
# Where several encodings fit a short text alike, the one that more files are in is meant.
_COMMON = ("cp1252", "cp1251", "gb18030", "cp932", "big5", "cp949", "cp1250", "cp1253", "cp1254")
_SLACK = 0.05  # of charset-normalizer's mess ratio, 0 to 1
_WIDE_ZEROS = 0.2  # share of zero bytes in UTF-16 of any language with spaces, and elsewhere none
_WIDE = ("utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_32_le", "utf_32_be")

_SHIFT_JAPANESE = re.compile(rb"\x1b\$[@B]|\x1b\(J")  # ISO-2022-JP, which is plain ASCII beside
_KANA = re.compile("[\u3041-\u30ff]")
_HALF_KANA = re.compile("[\uff61-\uff9f]")
_OTHER = re.compile(r"[^\x00-\x7f]")
_CYRILLIC = re.compile("[\u0400-\u04ff«»„“”’–—…№\u00a0]")
_CYRILLIC_WORD = re.compile("[\u0400-\u04ff]+")
_CYRILLIC_VOWEL = re.compile("[аеиоуыэюяёіїє]", re.IGNORECASE)
_MIXED_WORD = re.compile(
    "[a-zA-Z][\u0400-\u04ff\u05d0-\u05ea]|[\u0400-\u04ff\u05d0-\u05ea][a-zA-Z]"
)
_HEBREW = re.compile("[\u05d0-\u05ea]")
_HEBREW_WORDS = 8  # so many Russian words without any capital or of ы, ь, э, ю, я are none
_LATER_RUSSIAN = re.compile(rb"[\xc0-\xdf\xfb-\xff]")

_LINE_ENDS = re.compile("\r\n|[\r\f\v\x85\u2028\u2029]")
_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n){2,}")
_ANSI = re.compile("\x1b\\[[0-9;?]*[ -/]*[@-~]")
# Controls but tab and newline, DEL and C1, soft hyphen, Bidi_Control and zero-width characters but
# ZWNJ and ZWJ, invisible operators and fillers, interlinear annotation, noncharacters.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e"
    "\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffb"
    "\ufffe\uffff]"
)
# Tags are seen only as the flag of a part of a country: black flag, tags, cancel tag.
_TAGS = re.compile("(\U0001f3f4[\U000e0020-\U000e007e]{1,8}\U000e007f)|[\U000e0000-\U000e007f]+")
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
# Of a run, one selector and one joiner are seen (a heart on fire is heart, selector, joiner, fire).
_RUNS = re.compile(
    f"(?=[{_SELECTORS}\u200c\u200d]{{2}})"
    f"([{_SELECTORS}]?)[{_SELECTORS}]*([\u200c\u200d]?)[{_SELECTORS}\u200c\u200d]*"
)


def decode(data: bytes) -> str:
    """Return the text of the bytes: by byte-order mark, as UTF-8, else by charset-normalizer.

    Raises:
        ParseFailed: the bytes are no text.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decode_as(data, encoding)
    if b"\0" in data:
        return _decode_as(data, _wide(data) or _guess(data))
    if _SHIFT_JAPANESE.search(data, 0, _SAMPLE_BYTES):
        return _decode_as(data, "iso2022_jp_2")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _decode_as(data, _by_script(data[:_SAMPLE_BYTES]) or _guess(data))


def clean(text: str) -> str:
    """Return the text in NFC with plain line ends, without what no reader sees.

    Joiners that shape what is seen stay: ZWJ and variation selectors in emoji, ZWNJ in Persian.
    """
    text = _LINE_ENDS.sub("\n", text)
    text = _UNSEEN.sub("", _ANSI.sub("", text))
    text = _TAGS.sub(lambda match: match[1] or "", text)
    text = _BLANK_LINES.sub("\n\n", text)
    return unicodedata.normalize("NFC", _RUNS.sub(r"\1\2", text))


def line(text: str) -> str:
    """Return what another system says of a document as one clean line, "?" for half characters."""
    return " ".join(clean(text.encode("utf-8", "replace").decode()).split())


def _wide(data: bytes) -> str:
    """Return which UTF-16 this is without a mark: the one in which all is text, with spaces."""
    sample = data[: _SAMPLE_BYTES // 2 * 2]
    if len(data) % 2:
        return ""
    spaces = {
        "utf-16-le": sum(map(sample.count, (b" \0", b"\n\0"))),
        "utf-16-be": sum(map(sample.count, (b"\0 ", b"\0\n"))),
    }
    for encoding in sorted(spaces, key=lambda name: -spaces[name]):
        kinds = {unicodedata.category(c) for c in _sampled(sample, encoding) if c not in "\r\n\t"}
        if kinds and spaces[encoding] and not kinds & {"Cc", "Cn", "Co", "Cs"}:
            return encoding
    return ""


def _by_script(data: bytes) -> str:
    """Return the encoding of Japanese, Russian and Hebrew by what their writing always shows.

    In short texts, statistics take these for others that share their bytes.
    """
    for encoding in ("cp932", "euc_jp"):
        text = _sampled(data, encoding)
        kana, half, other = (len(form.findall(text)) for form in (_KANA, _HALF_KANA, _OTHER))
        if kana > other / 10 and half < other / 20:
            return encoding
    if not _LATER_RUSSIAN.search(data):
        text = _sampled(data, "cp1255")
        is_hebrew = len(_HEBREW.findall(text)) > 0.9 * len(_OTHER.findall(text))
        if is_hebrew and not _MIXED_WORD.search(text) and len(text.split()) > _HEBREW_WORDS:
            return "cp1255"
    cyrillic = ("cp1251", "koi8_u", "cp866")
    return next((name for name in cyrillic if _is_russian(_sampled(data, name))), "")


def _is_russian(text: str) -> bool:
    """Tell whether all that is not ASCII is Cyrillic as it is written: in words, with vowels."""
    others = len(_OTHER.findall(text))
    if not others or len(_CYRILLIC.findall(text)) < others or _MIXED_WORD.search(text):
        return False
    words = _CYRILLIC_WORD.findall(text)
    letters = "".join(words)
    written = sum(word[1:].islower() or len(word) == 1 for word in words)
    vowels = len(_CYRILLIC_VOWEL.findall(letters))
    is_cased = written > 0.8 * len(words) and any(map(str.islower, letters))
    return is_cased and 0.28 < vowels / max(len(letters), 1) < 0.6


def _sampled(data: bytes, encoding: str) -> str:
    """Return the text that the bytes are in an encoding; "" where they are none, to the end."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        return decoder.decode(data)
    except UnicodeDecodeError:
        return ""


def _guess(data: bytes) -> str:
    from charset_normalizer import from_bytes

    matches = from_bytes(data[:_SAMPLE_BYTES])
    best = matches.best()
    zeros = data.count(0) / len(data)
    if zeros and (best is None or best.encoding not in _WIDE or zeros < _WIDE_ZEROS):
        best = None
    if best is None:
        raise ParseFailed("not a text file (binary content, or an unknown encoding)")
    fitting = {match.encoding for match in matches if match.chaos <= best.chaos + _SLACK}
    return next((name for name in _COMMON if name in fitting), best.encoding)


def _decode_as(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ParseFailed(
            f"not valid {encoding} text (byte {error.start}); save it as UTF-8"
        ) from error
