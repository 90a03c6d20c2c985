"""PDF: the words of each page in reading order, as Markdown, with the page's number as address.

PDFium (pypdfium2) reads the file; `layout` makes sense of where the words stand, and `ocr` reads
pages that are pictures.
"""

from __future__ import annotations

import ctypes
import math
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

import pypdfium2 as pdfium
import pypdfium2.raw as raw_pdfium

from ingest.errors import DocumentEmpty, ParseFailed
from ingest.parsers import layout, ocr
from ingest.parsers.base import Parsed
from ingest.parsers.characters import clean
from ingest.parsers.layout import Block, Page, Style, Word
from ingest.sources.base import RawDocument

_MAX_PAGES = 5_000
_MAX_CHARACTERS = 20_000_000
_MAX_PAGE_CHARACTERS = 500_000
_MAX_OBJECTS = 20_000  # of a page, that are looked at for pictures

_DPI = 200  # of a page given to OCR
_MAX_PIXELS = 25_000_000  # of a page given to OCR; a giant page is read more coarsely
_PAGE_SECONDS = 60.0
_OCR_SECONDS = 600.0  # of a document

_FEW_LETTERS = 20  # a page with a picture and no more text than its number or stamp is scanned
_LEAST_SIZE = 1.5  # points; nobody reads smaller letters
_BOLD = 600
_FIXED_PITCH = 1  # of the flags of a font (ISO 32000, 9.8.2)
_BOLD_NAME = re.compile(r"bold|black|heavy|semibd|demi|\bCMBX|SFBX", re.I)
_MONO_NAME = re.compile(r"mono|courier|consol|typewriter|CMTT|SFTT|CMSLTT|menlo|inconsolata", re.I)
# A word, with the mark that PDFium leaves for a hyphen at the end of a line.
_WORD = re.compile("[^\\s\x00\x02\ufffe]+[\x02\ufffe]?")
_HYPHENS = ("\x02", "\ufffe", "\xad")
_LINE_BREAKS = ("\r", "\n", *_HYPHENS)
_DATE = re.compile(r"D?:?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:(Z)|([+-])(\d\d)'?(\d\d)?)?")
_NO_TITLE = re.compile(
    r"(?i)(microsoft \w+|powerpoint presentation|untitled|document\d*|slide \d+|title)(\W|$)|"
    r"\S+\.(docx?|pdf|pptx?|xlsx?|indd|tex|dvi|odt|rtf|txt|html?|qxd|fm|md)\W*$|[\W\d_]*$"
)


def parse(raw: RawDocument) -> Parsed:
    """Return the document's text; `page=N` is the address of what stands on its page N.

    Raises:
        ParseFailed: it is encrypted or broken, or its pages are pictures that cannot be read.
    """
    try:
        with closing(pdfium.PdfDocument(raw.data)) as document:
            return _parse(document)
    except pdfium.PdfiumError as error:
        raise ParseFailed(_reason(error)) from error


def _reason(error: pdfium.PdfiumError) -> str:
    if error.err_code == raw_pdfium.FPDF_ERR_PASSWORD:
        return "encrypted; save without a password"
    if error.err_code == raw_pdfium.FPDF_ERR_SECURITY:
        return "encrypted in a way that cannot be read; save without a password"
    return "not a PDF file, or a broken one"


@dataclass(slots=True)
class _Reading:
    """What has been read of a document so far."""

    pages: list[Page] = field(default_factory=list)
    pictures: list[int] = field(default_factory=list)  # numbers of the pages that are such
    broken: list[int] = field(default_factory=list)
    hidden: list[int] = field(default_factory=list)  # numbers of pages with words nobody sees
    recognised: dict[int, list[Block]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def _parse(document: pdfium.PdfDocument) -> Parsed:
    count = len(document)
    if count > _MAX_PAGES:
        raise ParseFailed(f"more than {_MAX_PAGES:,} pages")
    reading = _Reading()
    characters = 0
    for number in range(1, count + 1):
        reading.pages.append(_page(document, number, reading))
        characters += sum(len(word.text) for word in reading.pages[-1].words)
        if characters > _MAX_CHARACTERS:
            raise ParseFailed(f"more than {_MAX_CHARACTERS:,} characters of text")
    _recognise(document, reading)
    pages = _cleaned(reading)
    if not any(pages):
        raise _nothing(reading, count)
    title, pages = layout.without_title(pages, _title(document))
    text, anchors = _joined(pages)
    return Parsed(
        text=text or title,
        title=title,
        language=_language(document),
        modified_at=_modified_at(document),
        anchors=anchors,
        notes=_notes(reading),
    )


def _nothing(reading: _Reading, count: int) -> ParseFailed:
    if reading.notes:
        return ParseFailed("; ".join(reading.notes))
    if reading.broken:
        return ParseFailed(f"{_named(reading.broken)} cannot be read: the file is broken")
    if reading.pictures:
        return ParseFailed(f"{_named(reading.pictures)}: pictures without text that OCR can read")
    return DocumentEmpty(f"there is no text on its {count} pages")


def _notes(reading: _Reading) -> tuple[str, ...]:
    notes = list(reading.notes)
    if reading.broken:
        notes.append(f"{_named(reading.broken)} cannot be read: the file is broken there")
    if reading.hidden:
        notes.append(f"text that no reader sees was left out on {_named(reading.hidden)}")
    return tuple(notes)


def _named(pages: list[int]) -> str:
    """Return "page 3" or "pages 1-3, 7"."""
    spans: list[list[int]] = []
    for number in pages:
        if spans and number == spans[-1][-1] + 1:
            spans[-1][1:] = [number]
        else:
            spans.append([number])
    shown = ", ".join("-".join(map(str, span)) for span in spans)
    return f"{'page' if len(pages) == 1 else 'pages'} {shown}"


# Words


def _page(document: pdfium.PdfDocument, number: int, reading: _Reading) -> Page:
    """Read the words of one page; what is out of order with it is noted in `reading`."""
    try:
        page = document[number - 1]
        with closing(page), closing(page.get_textpage()) as text:
            glyphs = _Glyphs(page, text, number, reading)
            words = tuple(glyphs.words())
            if sum(len(word.text) for word in words) < _FEW_LETTERS and _has_picture(page):
                reading.pictures.append(number)
            return Page(glyphs.height, words)
    except pdfium.PdfiumError:
        reading.broken.append(number)
        return Page(1.0, ())


def _has_picture(page: pdfium.PdfPage) -> bool:
    """Tell whether a picture, or drawings in place of letters, fill a fair part of the page."""
    width, height = page.get_size()
    paths = 0
    for count, item in enumerate(page.get_objects(max_depth=3)):
        if count > _MAX_OBJECTS:
            return False  # a drawing, and slow to render
        if item.type == raw_pdfium.FPDF_PAGEOBJ_IMAGE:
            left, bottom, right, top = item.get_bounds()
            if (right - left) * (top - bottom) > 0.1 * width * height:
                return True
        paths += item.type == raw_pdfium.FPDF_PAGEOBJ_PATH
    return paths > 300  # letters as outlines


@dataclass(frozen=True, slots=True)
class _Look:
    """How the words of one text object are shown."""

    style: Style
    angle: int  # degrees, counter-clockwise
    is_seen: bool


class _Glyphs:
    """The words of one page of PDFium's, turned upright."""

    def __init__(
        self, page: pdfium.PdfPage, text: pdfium.PdfTextPage, number: int, reading: _Reading
    ) -> None:
        self._page = page
        self._text = text
        self._number = number
        self._reading = reading
        self.height = 0.0  # of the page turned upright, once its words are read
        self._looks: dict[int, _Look] = {}
        self._fonts: dict[int, tuple[bool, bool]] = {}
        self._is_plain: bool | None = None
        self._x, self._y = ctypes.c_double(), ctypes.c_double()
        self._box = raw_pdfium.FS_RECTF()

    def words(self) -> Iterator[Word]:
        """Yield the words that a reader sees and that are not set askew."""
        count = self._text.count_chars()
        if count > _MAX_PAGE_CHARACTERS:
            raise ParseFailed(f"more than {_MAX_PAGE_CHARACTERS:,} characters on one page")
        text = self._characters(count)
        found = []
        for match in _WORD.finditer(text):
            look = self._look(match.start())
            if look.is_seen:
                found.append((match, look))
            elif self._number not in self._reading.hidden:
                self._reading.hidden.append(self._number)
        angles = Counter(look.angle for _, look in found)
        angle = angles.most_common(1)[0][0] if angles else 0
        frame = _frame(self._page, angle)
        self.height = frame.top - frame.bottom
        for match, look in found:
            if look.angle == angle:
                word = self._word(text, match, look, frame)
                if word:
                    yield word

    def _characters(self, count: int) -> str:
        text = self._text.get_text_range() if count else ""
        if len(text) == count:
            return text
        # PDFium leaves out or adds some characters there; one by one they keep their places.
        codes = (raw_pdfium.FPDFText_GetUnicode(self._text, place) for place in range(count))
        return "".join(chr(code) if code < 0x110000 else "\ufffd" for code in codes)

    def _look(self, place: int) -> _Look:
        item = raw_pdfium.FPDFText_GetTextObject(self._text, place)
        key = ctypes.cast(item, ctypes.c_void_p).value or 0
        if key not in self._looks:
            self._looks[key] = self._looked(item, place) if key else _PLAIN
        return self._looks[key]

    def _looked(self, item: object, place: int) -> _Look:
        matrix = raw_pdfium.FS_MATRIX()
        raw_pdfium.FPDFText_GetMatrix(self._text, place, matrix)
        height = math.hypot(matrix.c, matrix.d) or 1.0
        size = raw_pdfium.FPDFText_GetFontSize(self._text, place) * height
        size = round(min(abs(size), 1000.0), 1)
        angle = round(math.degrees(math.atan2(matrix.b, matrix.a)) / 10) * 10 % 360
        is_bold, is_mono = self._font(item)
        mode = raw_pdfium.FPDFTextObj_GetTextRenderMode(item)
        is_ghost = mode in _UNSEEN_MODES or self._is_white(place)
        is_seen = size >= _LEAST_SIZE and not (is_ghost and self._is_on_paper())
        return _Look(Style(size, is_bold, is_mono), angle, is_seen)

    def _font(self, item: object) -> tuple[bool, bool]:
        """Return whether the font of a text object is bold, and whether of fixed width."""
        font = raw_pdfium.FPDFTextObj_GetFont(item)
        key = ctypes.cast(font, ctypes.c_void_p).value or 0
        if key not in self._fonts:
            name = ctypes.create_string_buffer(200)
            raw_pdfium.FPDFFont_GetBaseFontName(font, name, len(name))
            named = name.value.decode("latin-1")
            flags = raw_pdfium.FPDFFont_GetFlags(font)
            is_bold = raw_pdfium.FPDFFont_GetWeight(font) >= _BOLD or _BOLD_NAME.search(named)
            is_mono = (flags > 0 and flags & _FIXED_PITCH) or _MONO_NAME.search(named)
            self._fonts[key] = (bool(is_bold), bool(is_mono))
        return self._fonts[key]

    def _is_white(self, place: int) -> bool:
        red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
        if not raw_pdfium.FPDFText_GetFillColor(self._text, place, red, green, blue, alpha):
            return False
        return min(red.value, green.value, blue.value) >= _WHITE or alpha.value == 0

    def _is_on_paper(self) -> bool:
        """Tell whether nothing but paper is behind the text: no picture, no filled shape."""
        if self._is_plain is None:
            kinds = (raw_pdfium.FPDF_PAGEOBJ_TEXT, raw_pdfium.FPDF_PAGEOBJ_FORM)
            self._is_plain = all(
                count < _MAX_OBJECTS and item.type in kinds
                for count, item in enumerate(self._page.get_objects(max_depth=3))
            )
        return self._is_plain

    def _word(self, text: str, match: re.Match[str], look: _Look, frame: _Frame) -> Word | None:
        """Return a word at its place; None where that is not on the page."""
        start, end = match.span()
        word = match[0]
        is_broken = word.endswith(_HYPHENS)
        x, y, box = self._x, self._y, self._box
        raw_pdfium.FPDFText_GetCharOrigin(self._text, start, x, y)
        raw_pdfium.FPDFText_GetLooseCharBox(self._text, max(end - 1 - is_broken, start), box)
        if look.angle:
            left, base = _upright(x.value, y.value, look.angle)
            corners = (box.left, box.bottom), (box.right, box.top)
            right = max(_upright(*corner, look.angle)[0] for corner in corners)
        else:
            left, base, right = x.value, y.value, box.right
        # Comparisons are false for what is no number.
        if not (frame.left - 1 < left < frame.right and frame.bottom < base < frame.top):
            return None
        right = right if left <= right < frame.right + 100 else left
        shown = word[:-1] + "-" if is_broken else word
        begins = start == 0 or text[start - 1] in _LINE_BREAKS
        return Word(shown, left, right, frame.top - base, look.style, begins)


@dataclass(frozen=True, slots=True)
class _Frame:
    """The edges of a page in its own coordinates, turned so that its text is upright."""

    left: float
    bottom: float
    right: float
    top: float


def _frame(page: pdfium.PdfPage, angle: int) -> _Frame:
    left, bottom, right, top = page.get_bbox()
    corners = [_upright(x, y, angle) for x in (left, right) for y in (bottom, top)]
    across, up = zip(*corners, strict=True)
    return _Frame(min(across), min(up), max(across), max(up))


_PLAIN = _Look(Style(10.0), 0, True)
_WHITE = 250
_UNSEEN_MODES = (
    raw_pdfium.FPDF_TEXTRENDERMODE_INVISIBLE,
    raw_pdfium.FPDF_TEXTRENDERMODE_CLIP,
)


def _upright(x: float, y: float, angle: int) -> tuple[float, float]:
    """Return a place as it is once text of this angle is turned upright."""
    if angle == 0:
        return x, y
    turn = math.radians(-angle)
    return (
        x * math.cos(turn) - y * math.sin(turn),
        x * math.sin(turn) + y * math.cos(turn),
    )


# Pictures


def _recognise(document: pdfium.PdfDocument, reading: _Reading) -> None:
    """Read the pages that are pictures by OCR; note those that cannot be read."""
    if not reading.pictures:
        return
    if not ocr.is_installed():
        reading.notes.append(
            f"{_named(reading.pictures)}: scanned, and tesseract is not installed to read them"
        )
        return
    ends = time.monotonic() + _OCR_SECONDS
    unread = []
    for number in reading.pictures:
        left = min(_PAGE_SECONDS, ends - time.monotonic())
        try:
            if left <= 0:
                raise ParseFailed(f"OCR of the document took longer than {_OCR_SECONDS:.0f} s")
            reading.recognised[number] = _ocr_blocks(document, number, left)
        except ParseFailed as error:
            unread.append(number)
            reason = str(error)
    if unread:
        reading.notes.append(f"{_named(unread)}: scanned, and not read ({reason})")


def _ocr_blocks(document: pdfium.PdfDocument, number: int, seconds: float) -> list[Block]:
    try:
        picture, dpi = _picture(document, number)
    except pdfium.PdfiumError as error:
        raise ParseFailed("the picture is broken") from error
    text = ocr.text_of(picture, dpi, seconds)
    paragraphs = [part.splitlines() for part in re.split(r"\n\s*\n", text)]
    return [
        Block(layout.PARAGRAPH, layout.joined(line.strip() for line in lines), Style(10.0))
        for lines in paragraphs
        if any(re.search(r"\w", line) for line in lines)
    ]


def _picture(document: pdfium.PdfDocument, number: int) -> tuple[bytes, int]:
    """Return a page as a grey picture (PGM), and its dots per inch."""
    with closing(document[number - 1]) as page:
        width, height = page.get_size()
        scale = _DPI / 72
        scale *= min(1.0, math.sqrt(_MAX_PIXELS / max(width * height * scale**2, 1.0)))
        with closing(page.render(scale=scale, grayscale=True)) as bitmap:
            head = f"P5 {bitmap.width} {bitmap.height} 255\n".encode()
            rows = memoryview(bitmap.buffer).cast("B")
            step, wide = bitmap.stride, bitmap.width
            body = b"".join(rows[row * step : row * step + wide] for row in range(bitmap.height))
    return head + body, max(round(scale * 72), 70)


# Text


def _cleaned(reading: _Reading) -> list[list[Block]]:
    """Return the blocks of each page in clean characters; pictures as OCR reads them."""
    pages = layout.read(reading.pages)
    for number, blocks in reading.recognised.items():
        pages[number - 1] = blocks or pages[number - 1]
    made = []
    for blocks in pages:
        texts = ((block, clean(block.text).strip("\n")) for block in blocks)
        made.append([layout.cleaned(block, text) for block, text in texts if text.strip()])
    return made


def _joined(pages: list[list[Block]]) -> tuple[str, tuple[tuple[int, str], ...]]:
    """Return the text of all pages, and where each page begins in it."""
    parts: list[str] = []
    anchors = []
    place = 0
    above: Block | None = None
    for number, (text, blocks) in enumerate(zip(layout.write(pages), pages, strict=True), 1):
        if not text:
            continue
        if above:
            glue = " " if layout.continues(above, blocks[0]) else "\n\n"
            if glue == " " and re.search(r"[^\W\d_]-$", parts[-1]):
                parts[-1], glue = parts[-1][:-1], ""
                place -= 1
            parts.append(glue)
            place += len(glue)
        anchors.append((place, f"page={number}"))
        parts.append(text)
        place += len(text)
        above = blocks[-1]
    return "".join(parts), tuple(anchors)


# What it says about itself


def _title(document: pdfium.PdfDocument) -> str:
    title = " ".join(clean(document.get_metadata_value("Title")).split())
    return "" if _NO_TITLE.match(title) or len(title) > 200 else title


def _modified_at(document: pdfium.PdfDocument) -> str:
    for key in ("ModDate", "CreationDate"):
        match = _DATE.match(document.get_metadata_value(key))
        if match and (moment := _moment(match)):
            return moment
    return ""


def _moment(match: re.Match[str]) -> str:
    """Return a date of a PDF (ISO 32000, 7.9.4) as ISO 8601, "" where there is no such day."""
    year, month, day = int(match[1]), int(match[2] or 1), int(match[3] or 1)
    hour, minute, second = (int(part or 0) for part in match.groups()[3:6])
    try:
        zone = None if match[8] is None else _zone(match[8], int(match[9]), int(match[10] or 0))
        zone = UTC if match[7] else zone
        return datetime(year, month, day, hour, minute, second, tzinfo=zone).isoformat()
    except ValueError:
        return ""


def _zone(sign: str, hours: int, minutes: int) -> timezone:
    away = timedelta(hours=hours, minutes=minutes)
    return timezone(away if sign == "+" else -away)


def _language(document: pdfium.PdfDocument) -> str:
    size = raw_pdfium.FPDFCatalog_GetLanguage(document, None, 0)
    if not 2 < size < 200:
        return ""
    buffer = (ctypes.c_ushort * (size // 2))()
    raw_pdfium.FPDFCatalog_GetLanguage(document, buffer, size)
    name = bytes(buffer).decode("utf-16-le", "ignore").strip("\0 ")
    return name if re.fullmatch(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", name) else ""
