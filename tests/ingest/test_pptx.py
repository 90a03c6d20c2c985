from __future__ import annotations

import io
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pptx import Presentation
from pptx.oxml import parse_xml
from pptx.util import Inches

from ingest.errors import ParseFailed
from ingest.parsers.base import Parsed
from tests.ingest.office import ENCRYPTED, archive, members
from tests.ingest.raw import parsed

TITLE, CONTENT, BLANK = 0, 1, 6  # layouts of python-pptx's template
DRAWING = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'


def saved(deck: Any) -> bytes:
    file = io.BytesIO()
    deck.save(file)
    return file.getvalue()


def slide(deck: Any, title: str, *lines: str, layout: int = CONTENT) -> Any:
    """Add a slide; a line that begins with spaces is a level deeper for each."""
    made = deck.slides.add_slide(deck.slide_layouts[layout])
    if title:
        made.shapes.title.text = title
    for number, line in enumerate(lines):
        frame = made.placeholders[1].text_frame
        paragraph = frame.paragraphs[0] if number == 0 else frame.add_paragraph()
        paragraph.text = line.lstrip()
        paragraph.level = len(line) - len(line.lstrip())
    return made


def read(deck: Any) -> Parsed:
    return parsed("a.pptx", saved(deck))


def box(made: Any, text: str) -> Any:
    shape = made.shapes.add_textbox(0, 0, Inches(2), Inches(1))
    shape.text_frame.text = text
    return shape


def test_each_slide_is_a_section_below_its_title() -> None:
    deck = Presentation()
    slide(deck, "Onboarding", "For new customers", layout=TITLE)
    slide(deck, "Plans", "Free", " 5 users", "Pro")
    slide(deck, "Support", "By mail only")
    page = read(deck)
    assert page.title == "Onboarding"
    assert page.text == (
        "For new customers\n\n## Plans\n\n- Free\n  - 5 users\n- Pro\n\n## Support\n\nBy mail only"
    )


def test_a_slide_without_a_title_has_its_number() -> None:
    deck = Presentation()
    slide(deck, "", layout=BLANK)
    box(slide(deck, "", layout=BLANK), "# Text")
    page = read(deck)
    assert (page.title, page.text) == ("", "## Slide 2\n\n\\# Text")


def test_the_title_that_powerpoint_gives_to_any_file_is_none() -> None:
    deck = Presentation()
    box(slide(deck, "", layout=BLANK), "Text")
    for given_title, title in [("PowerPoint-Präsentation", ""), ("Plans", "Plans")]:
        deck.core_properties.title = given_title
        assert read(deck).title == title


def test_numbered_lines_count() -> None:
    deck = Presentation()
    made = slide(deck, "T", "one", "two", " deep", "three")
    for paragraph in made.placeholders[1].text_frame.paragraphs:
        numbers = f'<a:buAutoNum {DRAWING} type="arabicPeriod" startAt="2"/>'
        paragraph._p.get_or_add_pPr().append(parse_xml(numbers))
    assert read(deck).text == "\n".join(["2. one", "3. two", "", "   2. deep", "4. three"])


def test_a_table_is_a_table() -> None:
    deck = Presentation()
    made = slide(deck, "T", layout=5)
    table = made.shapes.add_table(3, 2, 0, 0, Inches(2), Inches(2)).table
    for number, words in enumerate(["Plan", "Price", "Pro", "5", "", "50"]):
        table.cell(number // 2, number % 2).text = words
    table.cell(1, 0).merge(table.cell(2, 0))
    assert read(deck).text == "| Plan | Price |\n| - | - |\n| Pro | 5 |\n| Pro | 50 |"


def test_links_and_grouped_shapes_are_read() -> None:
    deck = Presentation()
    made = slide(deck, "T", layout=5)
    run = box(made, "See ").text_frame.paragraphs[0].add_run()
    run.text, run.hyperlink.address = "the page", "https://x.example/a"
    group = made.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, 9, 9).text_frame.text = "Grouped"
    assert read(deck).text == "See [the page](https://x.example/a)\n\nGrouped"


def test_what_the_audience_does_not_see_is_left_out() -> None:
    deck = Presentation()
    shown = slide(deck, "Shown", "Body")
    shown.notes_slide.notes_text_frame.text = "SECRET notes"
    box(shown, "SECRET shape")._element.nvSpPr.cNvPr.set("hidden", "1")
    slide(deck, "SECRET", "SECRET")._element.set("show", "0")
    page = read(deck)
    assert page.text == "Body"
    assert page.notes == ("hidden slides were left out (1)",)


def test_an_encrypted_file_says_so() -> None:
    with pytest.raises(ParseFailed, match="encrypted; save it without a password"):
        parsed("a.pptx", ENCRYPTED)


def _whole() -> bytes:
    deck = Presentation()
    slide(deck, "T", "a", " b")
    return saved(deck)


WHOLE = _whole()


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.binary(max_size=30))
def test_a_damaged_file_is_read_or_fails(place: int, noise: bytes) -> None:
    parts = members(WHOLE)
    for name in ("ppt/slides/slide1.xml", "ppt/presentation.xml"):
        xml = parts[name]
        damaged = xml[: place % len(xml)] + noise + xml[place % len(xml) :]
        with suppress(ParseFailed):
            parsed("a.pptx", archive({**parts, name: damaged}))
    with suppress(ParseFailed):
        parsed("a.pptx", WHOLE[:place])
