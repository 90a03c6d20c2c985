from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import DocumentEmpty, ParseFailed
from ingest.parsers import ocr
from ingest.parsers.base import Parsed
from ingest.parsers.characters import clean
from tests.ingest.pdfs import lines, pdf
from tests.ingest.raw import parsed

FOLDER = Path(__file__).parents[1] / "data" / "documents"


def read(name: str) -> Parsed:
    return parsed(name, (FOLDER / name).read_bytes())


def page_texts(document: Parsed) -> Iterator[tuple[str, str]]:
    ends = [place for place, _ in document.anchors[1:]] + [len(document.text)]
    for (start, fragment), end in zip(document.anchors, ends, strict=True):
        yield fragment, document.text[start:end].strip()


def test_a_manual_keeps_its_headings_lists_table_and_code() -> None:
    text = read("manual.pdf").text
    assert text.startswith("## Before you start\n\nThe router needs a power outlet and a broadband")
    assert "### What is in the box\n\n- the router with two antennas\n- a power adapter" in text
    assert "1. Plug the network cable into the port that is marked WAN.\n2. Plug in" in text
    assert "| Light | Meaning | Seconds |\n| --- | --- | --- |\n| green | The router" in text
    assert "```\nacme reset --all\n  --keep-logs\n```" in text


def test_it_says_its_title_language_and_last_change() -> None:
    manual = read("manual.pdf")
    assert manual.title == "Acme Router Manual"
    assert manual.language == "en-GB"
    assert manual.modified_at == "2000-01-01T00:00:00+00:00"


def test_running_heads_and_page_numbers_are_left_out() -> None:
    text = read("manual.pdf").text
    assert "Confidential draft" not in text
    assert "Page 2" not in text


def test_words_broken_at_the_end_of_a_line_are_whole_again() -> None:
    assert "the modem could not synchronise." in read("manual.pdf").text


def test_every_page_has_its_address() -> None:
    pages = dict(page_texts(read("manual.pdf")))
    assert list(pages) == ["page=1", "page=2", "page=3"]
    assert pages["page=2"].startswith("## Lights and limits")
    assert pages["page=3"].startswith("## Reset to factory settings")


def test_pages_are_counted_in_the_text_as_it_is_after_cleaning() -> None:
    document = parsed("a.pdf", pdf(lines("e\\264\\264 first"), lines("a\xadb second.")))
    assert clean(document.text) == document.text
    assert dict(page_texts(document))["page=2"].endswith("second.")


def test_two_columns_are_read_one_after_the_other() -> None:
    columns = read("columns.pdf")
    left, right, below = columns.text.split("\n\n")
    assert left.startswith("The first column tells how to begin with it. You open")
    assert left.endswith("click in its place.")
    assert right.startswith("The second column tells what to do at the end of it.")
    assert right.endswith("way as before.")
    assert below.startswith("This line below goes across")


def test_a_file_name_is_no_title() -> None:
    assert read("columns.pdf").title == "Two columns across one page"


def test_a_sentence_goes_on_over_the_end_of_a_page() -> None:
    document = parsed("a.pdf", pdf(lines("It ends on"), lines("the next page.")))
    assert document.text == "It ends on the next page."
    assert document.anchors == ((0, "page=1"), (11, "page=2"))


def test_a_page_on_its_side_is_read_along_its_lines() -> None:
    turned = b"q 0 1 -1 0 595 0 cm " + lines("First line.", "Second line.", top=500) + b"Q"
    assert parsed("a.pdf", pdf(turned)).text == "First line. Second line."


def test_a_contents_page_is_left_out() -> None:
    contents = [f"Chapter {number} . . . . . . . . . . {number}" for number in range(1, 12)]
    document = parsed("a.pdf", pdf(lines(*contents), lines("Text.")))
    assert document.text == "Text."
    assert document.anchors == ((0, "page=2"),)


def test_bold_lines_are_headings_below_larger_ones() -> None:
    head = lines("Manual", font="F2", size=20) + lines("Large", font="F2", size=16, top=730)
    small = lines("Small", top=700, font="F2") + lines("Body of it, to the end.", top=680)
    more = lines("Large too", font="F2", size=16, top=650) + lines("Small too", font="F2", top=620)
    made = parsed("a.pdf", pdf(head + small + more + lines("More.", top=600)))
    assert made.title == "Manual"
    assert made.text == (
        "## Large\n\n### Small\n\nBody of it, to the end.\n\n## Large too\n\n### Small too\n\nMore."
    )


def test_text_that_no_reader_sees_is_left_out_and_noted() -> None:
    hidden = read("hidden.pdf")
    assert hidden.text == "What everybody sees stays in the text."
    assert hidden.notes == ("text that no reader sees was left out on page 1",)


def test_white_letters_on_a_dark_bar_are_read() -> None:
    bar = b"0 0 0 rg 60 750 300 30 re f 1 1 1 rg "
    assert parsed("a.pdf", pdf(bar + lines("White on black"))).text == "White on black"


def test_an_encrypted_file_says_what_to_do() -> None:
    with pytest.raises(ParseFailed, match="encrypted; save without a password"):
        read("encrypted.pdf")


def test_a_file_that_needs_no_password_to_be_read_is_read() -> None:
    assert read("owner-locked.pdf").text.startswith("Anybody may read this text")


@pytest.mark.skipif(not ocr.is_installed(), reason="tesseract is not installed")
def test_scanned_pages_are_read_by_tesseract() -> None:
    scanned = read("scanned.pdf")
    assert dict(page_texts(scanned)) == {
        "page=1": "Return the router within 30 days to get your money back.",
        "page=2": "Send it to the address on the invoice.",
    }
    assert scanned.notes == ()


def test_scanned_pages_without_tesseract_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ParseFailed, match=r"pages 1-2: scanned, and tesseract is not installed"):
        read("scanned.pdf")
    part = read("part-scanned.pdf")
    assert part.text == "This page is text that can be read without any OCR at all."
    assert part.notes == ("page 2: scanned, and tesseract is not installed to read them",)


def test_a_tesseract_that_fails_is_named_with_what_it_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command = tmp_path / "tesseract"
    command.write_text("#!/bin/sh\necho no data for eng >&2\nexit 1\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(ParseFailed, match="no data for eng"):
        read("scanned.pdf")


def test_pages_without_anything_are_empty() -> None:
    with pytest.raises(DocumentEmpty, match="no text on its 2 pages"):
        parsed("a.pdf", pdf(b"", b""))


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (b"%PDF-1.7 and nothing more", "not a PDF file"),
        (b"PK\x03\x04 this is no PDF", "not a PDF file"),
        (pdf(*[b""] * 5_001), "more than 5,000 pages"),
        (pdf(lines(*["abcdefghij" * 300] * 200)), "characters on one page"),
    ],
)
def test_what_cannot_be_read_has_a_reason(made: bytes, reason: str) -> None:
    with pytest.raises(ParseFailed, match=reason):
        parsed("a.pdf", made)


def test_a_giant_page_is_read_like_any_other() -> None:
    assert parsed("a.pdf", pdf(lines("Here."), box="0 0 14000000 14000000")).text == "Here."


def test_words_scattered_by_the_thousand_are_read_in_time() -> None:
    places = ((step * 7919 % 3000, step * 104729 % 3000) for step in range(4_000))
    page = b"".join(lines("aa", top=top, left=left) for top, left in places)
    assert "aa" in parsed("a.pdf", pdf(page, box="0 0 3000 3000")).text


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99])
def test_a_cut_file_is_read_or_refused_with_a_reason(share: float) -> None:
    data = (FOLDER / "manual.pdf").read_bytes()
    try:
        assert parsed("a.pdf", data[: int(len(data) * share)]).text
    except ParseFailed as error:
        assert "parser failed" not in str(error)  # noqa: PT017


@settings(max_examples=80)
@given(st.binary(max_size=400))
def test_any_bytes_behind_the_mark_of_a_pdf_are_refused_or_read(data: bytes) -> None:
    try:
        parsed("a.pdf", b"%PDF-1.7\n" + data)
    except ParseFailed as error:
        assert "parser failed" not in str(error)  # noqa: PT017


@settings(max_examples=80)
@given(st.lists(st.tuples(st.integers(0, 4_000), st.integers(0, 255)), min_size=1, max_size=30))
def test_a_file_with_wrong_bytes_is_refused_or_read(changes: list[tuple[int, int]]) -> None:
    data = bytearray((FOLDER / "manual.pdf").read_bytes())
    for place, value in changes:
        data[place] = value
    try:
        document = parsed("a.pdf", bytes(data))
    except ParseFailed as error:
        assert "parser failed" not in str(error)  # noqa: PT017
    else:
        assert all(0 <= place <= len(document.text) for place, _ in document.anchors)
