from __future__ import annotations

import io
from contextlib import suppress

import docx
import pytest
from docx.document import Document
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import ParseFailed
from ingest.parsers.base import Parsed
from tests.ingest.office import ENCRYPTED, archive, members, p, relationships, word
from tests.ingest.raw import parsed

STYLE = '<w:pStyle w:val="{}"/>'
LISTS = (
    '<w:abstractNum w:abstractNumId="1">'
    '<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/></w:lvl>'
    '<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/></w:lvl>'
    "</w:abstractNum>"
    '<w:abstractNum w:abstractNumId="2"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/></w:lvl>'
    '<w:lvl w:ilvl="1"><w:numFmt w:val="bullet"/></w:lvl></w:abstractNum>'
    '<w:num w:numId="1"><w:abstractNumId w:val="1"/></w:num>'
    '<w:num w:numId="2"><w:abstractNumId w:val="2"/></w:num>'
    '<w:num w:numId="3"><w:abstractNumId w:val="1"/>'
    '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride></w:num>'
)


def item(text: str, number_id: int, level: int = 0) -> str:
    return p(text, f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number_id}"/></w:numPr>')


def read(body: str, **parts: str) -> Parsed:
    return parsed("a.docx", word(body, **parts))


def text(body: str, **parts: str) -> str:
    return read(body, **parts).text


def style(name: str, inside: str = "", style_id: str = "s") -> str:
    return (
        f'<w:style w:type="paragraph" w:styleId="{style_id}"><w:name w:val="{name}"/>{inside}'
        "</w:style>"
    )


def control(properties: str) -> str:
    content = f"<w:sdtContent>{p('SECRET')}</w:sdtContent>"
    return f"<w:sdt><w:sdtPr>{properties}</w:sdtPr>{content}</w:sdt>"


def saved(document: Document) -> bytes:
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def test_a_document_of_word_reads_as_its_author_sees_it() -> None:
    document = docx.Document()
    document.add_paragraph("Reset your password", style="Title")
    document.add_paragraph("For all plans.")
    document.add_heading("Steps", 1)
    for words, kind in [
        ("Open it", "List Number"),
        ("Wait", "List Number"),
        ("up to 5 minutes", "List Bullet 2"),
    ]:
        document.add_paragraph(words, style=kind)
    table = document.add_table(2, 2)
    for cell, words in zip(table._cells, ["Plan", "Price", "Pro | Team", "5"], strict=True):
        cell.text = words
    document.sections[0].header.paragraphs[0].text = "CONFIDENTIAL HEADER"
    document.add_comment(document.paragraphs[1].runs, "COMMENT")
    page = parsed("a.docx", saved(document))
    assert page.title == "Reset your password"
    assert page.text == (
        "For all plans.\n\n# Steps\n\n1. Open it\n2. Wait\n   - up to 5 minutes\n\n"
        "| Plan | Price |\n| - | - |\n| Pro \\| Team | 5 |"
    )


def test_the_properties_say_title_language_last_change_and_keywords() -> None:
    page = parsed(
        "a.docx",
        word(
            p("Body"),
            core="<dc:title>Refunds</dc:title><dc:language>de-DE</dc:language>"
            "<cp:keywords>billing, refunds; billing</cp:keywords>"
            "<dcterms:modified>2026-03-04T10:00:00Z</dcterms:modified>",
        ),
    )
    assert (page.title, page.language, page.tags) == ("Refunds", "de-DE", ("billing", "refunds"))
    assert page.modified_at == "2026-03-04T10:00:00+00:00"


@pytest.mark.parametrize(
    "properties",
    ["Heading 2", "heading 2", "Überschrift 2", "Titre 2", "Заголовок 2", "标题 2"],
)
def test_a_heading_is_known_by_its_style_in_any_language(properties: str) -> None:
    styles = style(properties)
    body = p("One") + p("Head", STYLE.format("s"))
    assert text(body, styles=styles) == "One\n\n## Head"


def test_an_outline_level_makes_a_heading_of_its_own_or_by_a_base_style() -> None:
    styles = style("Base", '<w:pPr><w:outlineLvl w:val="1"/></w:pPr>', "b") + style(
        "Mine", '<w:basedOn w:val="b"/>'
    )
    body = p("One") + p("Two", '<w:outlineLvl w:val="0"/>') + p("Three", STYLE.format("s"))
    body += p("Four", '<w:outlineLvl w:val="9"/>')
    assert text(body, styles=styles) == "One\n\n# Two\n\n## Three\n\nFour"


def test_a_lone_first_heading_is_the_title() -> None:
    styles = style("heading 1", style_id="1") + style("heading 2", style_id="2")
    first, second = p("Refunds", STYLE.format("1")), p("When", STYLE.format("2"))
    page = read(first + second + p("Soon"), styles=styles)
    assert (page.title, page.text) == ("Refunds", "## When\n\nSoon")
    linked = f'<w:p><w:pPr>{STYLE.format("1")}</w:pPr><w:hyperlink r:id="link"><w:r><w:t>Go</w:t>'
    assert read(f"{linked}</w:r></w:hyperlink></w:p>{p('Soon')}", styles=styles).title == "Go"
    page = read(first + p("Soon") + first, styles=styles)
    assert (page.title, page.text) == ("", "# Refunds\n\nSoon\n\n# Refunds")


def test_lists_keep_levels_and_the_numbers_that_a_reader_sees() -> None:
    body = item("a", 1) + item("deep", 1, 1) + item("deeper", 2, 1) + item("b", 1)
    body += p("Between") + item("c", 1) + p("Anew") + item("d", 3)
    assert text(body, numbering=LISTS) == (
        "1. a\n   1. deep\n   - deeper\n2. b\n\nBetween\n\n3. c\n\nAnew\n\n1. d"
    )


def test_merged_cells_say_again_what_stands_beside_them() -> None:
    def cell(words: str, properties: str = "") -> str:
        return f"<w:tc><w:tcPr>{properties}</w:tcPr>{p(words)}</w:tc>"

    rows = [
        cell("Plan") + cell("Prices", '<w:gridSpan w:val="2"/>'),
        cell("Pro", '<w:vMerge w:val="restart"/>') + cell("month") + cell("5"),
        cell("", "<w:vMerge/>") + cell("year") + cell("50"),
    ]
    body = "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in rows) + "</w:tbl>"
    assert text(body).splitlines()[2:] == ["| Pro | month | 5 |", "| Pro | year | 50 |"]


def test_a_table_of_one_cell_is_a_paragraph() -> None:
    body = f"<w:tbl><w:tr><w:tc>{p('Note: back up first.')}</w:tc></w:tr></w:tbl>"
    assert text(body) == "Note: back up first."


def test_links_to_the_web_stay_and_others_are_their_text() -> None:
    def linked(target: str) -> str:
        return f'<w:p><w:hyperlink r:id="{target}"><w:r><w:t>here</w:t></w:r></w:hyperlink></w:p>'

    assert text(linked("link")) == "[here](https://x.example/a)"
    assert text(linked("js")) == "here"
    assert text(linked("nowhere")) == "here"


def test_a_field_shows_its_result_and_keeps_its_link() -> None:
    def mark(kind: str) -> str:
        return f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>'

    body = (
        f'<w:p>{mark("begin")}<w:r><w:instrText>HYPERLINK "https://x.example/"</w:instrText></w:r>'
        f"{mark('separate')}<w:r><w:t>site</w:t></w:r>{mark('end')}<w:r><w:t>!</w:t></w:r></w:p>"
    )
    assert text(body) == "[site](https://x.example/)!"


def test_code_is_code_by_style_or_by_font() -> None:
    mono = '<w:rFonts w:ascii="Consolas"/>'
    styles = style("Source Code")
    body = p("# install", STYLE.format("s")) + p("  run", run=mono)
    body += "<w:p><w:r><w:t xml:space='preserve'>Use </w:t></w:r>"
    body += f"<w:r><w:rPr>{mono}</w:rPr><w:t>ls -l</w:t></w:r></w:p>"
    assert text(body, styles=styles) == "```\n# install\n  run\n```\n\nUse `ls -l`"


def test_a_footnote_stands_where_it_is_referred_to() -> None:
    body = '<w:p><w:r><w:t>5 GB</w:t><w:footnoteReference w:id="2"/></w:r></w:p>'
    notes = f'<w:footnote w:id="0" w:type="separator">{p("no")}</w:footnote>'
    notes += f'<w:footnote w:id="2">{p("on paid plans")}</w:footnote>'
    assert text(body, footnotes=notes) == "5 GB (on paid plans)"


def test_a_text_box_is_read_once() -> None:
    box = f"<w:drawing><w:txbxContent>{p('Boxed')}</w:txbxContent></w:drawing>"
    body = (
        "<w:p><w:r><w:t>Text</w:t></w:r><w:r><mc:AlternateContent>"
        f"<mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback>"
        "</mc:AlternateContent></w:r></w:p>"
    )
    assert text(body) == "Text\n\nBoxed"


@pytest.mark.parametrize(
    "hidden",
    [
        p("SECRET", run="<w:vanish/>"),
        p("SECRET", STYLE.format("v")),
        p("SECRET", run='<w:sz w:val="2"/>'),
        p("SECRET", run='<w:color w:val="FFFFFF"/>'),
        "<w:p><w:del><w:r><w:delText>SECRET</w:delText></w:r></w:del></w:p>",
        "<w:p><w:moveFrom><w:r><w:t>SECRET</w:t></w:r></w:moveFrom></w:p>",
        f'<w:tbl><w:tr><w:trPr><w:del w:id="1"/></w:trPr><w:tc>{p("SECRET")}</w:tc></w:tr></w:tbl>',
        p("SECRET", STYLE.format("toc")),
        control("<w:docPartObj><w:docPartGallery w:val='Table of Contents'/></w:docPartObj>"),
        control("<w:showingPlcHdr/>"),
        "<!-- SECRET -->",
    ],
)
def test_what_no_reader_sees_is_left_out(hidden: str) -> None:
    styles = style("V", "<w:rPr><w:vanish/></w:rPr>", "v") + style("toc 1", style_id="toc")
    assert text(p("before") + hidden + p("after"), styles=styles) == "before\n\nafter"


def test_what_a_reader_sees_stays() -> None:
    shaded = '<w:color w:val="FFFFFF"/><w:shd w:fill="000000"/>'
    body = p("one", run='<w:vanish w:val="0"/>') + p("two", run=shaded)
    body += "<w:p><w:ins><w:r><w:t>three</w:t></w:r></w:ins></w:p>"
    assert text(body) == "one\n\ntwo\n\nthree"


def test_hidden_text_is_told_to_people() -> None:
    assert read(p("Body") + p("SECRET", run="<w:vanish/>")).notes == (
        "hidden text was left out (6 characters)",
    )


@pytest.mark.parametrize("line", ["# one", "```", "===", "<!-- x", "<script>"])
def test_text_never_becomes_a_heading_or_opens_a_code_block(line: str) -> None:
    assert text(p(line.replace("<", "&lt;")) + p("after")) == f"\\{line}\n\nafter"


def test_an_encrypted_file_says_so() -> None:
    with pytest.raises(ParseFailed, match="encrypted; save it without a password"):
        parsed("a.docx", ENCRYPTED)


def test_an_old_file_and_one_of_another_kind_say_so() -> None:
    with pytest.raises(ParseFailed, match="old binary office file"):
        parsed("a.docx", ENCRYPTED[:100])
    with pytest.raises(ParseFailed, match="not a PowerPoint presentation"):
        parsed("a.pptx", word(p("Body")))
    with pytest.raises(ParseFailed, match="not a ZIP archive"):
        parsed("a.docx", "plain text")
    with pytest.raises(ParseFailed, match="not a Word document"):
        parsed("a.docx", archive({"_rels/.rels": relationships()}))


def test_deep_nesting_is_a_failure_of_the_document() -> None:
    with pytest.raises(ParseFailed):
        text("<w:sdt>" * 5000 + p("x") + "</w:sdt>" * 5000)


WHOLE = saved(docx.Document())


@settings(max_examples=60)
@given(st.integers(0, len(WHOLE)), st.binary(max_size=30))
def test_a_damaged_file_is_read_or_fails(place: int, noise: bytes) -> None:
    for data in (WHOLE[:place], WHOLE[:place] + noise + WHOLE[place + len(noise) :]):
        with suppress(ParseFailed):
            parsed("a.docx", data)


@settings(max_examples=60)
@given(st.integers(0, 3000), st.binary(max_size=30))
def test_damaged_xml_is_read_or_fails(place: int, noise: bytes) -> None:
    parts = members(word(item("a", 1) + p("b"), numbering=LISTS, styles=style("x")))
    for name in ("word/document.xml", "word/numbering.xml", "word/styles.xml", "_rels/.rels"):
        xml = parts[name]
        damaged = xml[: place % len(xml)] + noise + xml[place % len(xml) :]
        with suppress(ParseFailed):
            parsed("a.docx", archive({**parts, name: damaged}))
