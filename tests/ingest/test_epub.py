from __future__ import annotations

import io
import re
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import DocumentEmpty, ParseFailed
from tests.ingest.raw import parsed

CONTAINER = """<?xml version="1.0"?>
<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
<rootfile full-path="book/content.opf"/></rootfiles></container>"""
PACKAGE = """<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>The router &amp; you</dc:title>
<dc:language>en-GB</dc:language><dc:date>2020-01-01</dc:date>
<meta property="dcterms:modified">2024-05-06T07:08:09Z</meta></metadata><manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="two" href="text/two%20b.xhtml" media-type="application/xhtml+xml"/>
<item id="one" href="text/one.xhtml" media-type="application/xhtml+xml"/>
<item id="out" href="../../../etc/passwd" media-type="application/xhtml+xml"/>
<item id="css" href="a.css" media-type="text/css"/></manifest>
<spine><itemref idref="nav"/><itemref idref="one"/><itemref idref="two"/>{more}</spine></package>"""
CHAPTER = """<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml"><body><h1>{0}</h1><h2>Steps</h2><p>Text {0}.</p></body>
</html>"""
MEMBERS = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": CONTAINER,
    "book/content.opf": PACKAGE.format(more=""),
    "book/nav.xhtml": "<html><body><nav>Contents</nav></body></html>",
    "book/text/one.xhtml": CHAPTER.format("One"),
    "book/text/two b.xhtml": CHAPTER.format("Two"),
}


def epub(**changes: str | bytes | None) -> bytes:
    """Return a book; a change is of the member that begins so."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in MEMBERS.items():
            changed = changes.get(re.split(r"[ .]", name.rpartition("/")[2])[0], content)
            if changed is not None:
                file.writestr(name, changed)
        if "encryption" in changes:
            file.writestr("META-INF/encryption.xml", changes["encryption"] or "")
    return made.getvalue()


def test_the_chapters_come_in_the_order_of_the_spine_under_their_titles() -> None:
    assert parsed("a.epub", epub()).text == (
        "## One\n\n### Steps\n\nText One.\n\n## Two\n\n### Steps\n\nText Two."
    )


def test_a_book_says_its_title_language_and_last_change() -> None:
    book = parsed("a.epub", epub())
    assert (book.title, book.language) == ("The router & you", "en-GB")
    assert book.modified_at == "2024-05-06T07:08:09+00:00"


def test_a_chapter_that_is_missing_is_noted_and_the_rest_read() -> None:
    book = parsed("a.epub", epub(one=None))
    assert book.text.startswith("## Two")
    assert book.notes == ("book/text/one.xhtml: book/text/one.xhtml is missing in the archive",)


def test_a_path_out_of_the_archive_reads_nothing() -> None:
    book = parsed("a.epub", epub(content=PACKAGE.format(more='<itemref idref="out"/>')))
    assert "root:" not in book.text
    assert book.notes[0].endswith("is missing in the archive")


def test_entities_are_not_expanded_nor_files_read() -> None:
    evil = (
        '<!DOCTYPE package [<!ENTITY f SYSTEM "file:///etc/passwd"><!ENTITY a "xxxxxxxxxx">'
        '<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    )
    package = PACKAGE.format(more="").replace("?>", f"?>{evil}", 1).replace("&amp;", "&f;&b;")
    book = parsed("a.epub", epub(content=package))
    assert "root:" not in book.title
    assert "xxx" not in book.title


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"no archive", "not an EPUB file"),
        (epub(container=None), "META-INF/container.xml is missing"),
        (epub(container="<x/>"), "names no book"),
        (epub(content=""), "not valid XML"),
        (epub(one=b"<p>" + b" " * 3_000_000, two=None), "unpacks to more than is allowed"),
        (
            epub(encryption='<e><EncryptionMethod Algorithm="http://ns.adobe.com/adept"/></e>'),
            "protected against copying",
        ),
        (epub()[:-40], "not an EPUB file"),
    ],
)
def test_what_cannot_be_read_has_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(ParseFailed, match=reason):
        parsed("a.epub", data)


def test_scrambled_fonts_are_no_protection() -> None:
    way = "http://www.idpf.org/2008/embedding"
    book = epub(encryption=f'<e><EncryptionMethod Algorithm="{way}"/></e>')
    assert "Text One." in parsed("a.epub", book).text


def test_a_book_without_text_is_empty() -> None:
    with pytest.raises(DocumentEmpty):
        parsed("a.epub", epub(one="<html/>", two="<html/>"))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 1_500), st.integers(0, 255)), min_size=1, max_size=20))
def test_a_book_with_wrong_bytes_is_refused_or_read(changes: list[tuple[int, int]]) -> None:
    data = bytearray(epub())
    for place, value in changes:
        data[place % len(data)] = value
    try:
        parsed("a.epub", bytes(data))
    except ParseFailed as error:
        assert "parser failed" not in str(error)  # noqa: PT017
