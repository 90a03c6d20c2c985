from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from ingest.chunker import cut
from ingest.errors import DocumentEmpty, ParseFailed
from ingest.parsers import parse
from ingest.parsers.base import Parsed
from ingest.sources.base import About
from knowledge.documents import ARTICLE, FAQ, Document
from tests.fakes import HashEmbedder
from tests.ingest.office import ENCRYPTED, archive, members, word
from tests.ingest.raw import parsed, raw

FAQ_ROWS = [["Question", "Answer"], ["How much?", "5 a month"], ["When?", "Monthly"]]
FAQ_TEXT = "## How much?\n\n5 a month\n\n## When?\n\nMonthly"


class Book:
    """Writes a workbook as Excel would."""

    def __init__(self) -> None:
        self._file = io.BytesIO()
        self.made = Workbook(self._file, {"in_memory": True})

    def sheet(self, name: str, rows: Sequence[Sequence[object]] = ()) -> Worksheet:
        sheet = self.made.add_worksheet(name)
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
        return sheet

    def format(self, code: str) -> object:
        return self.made.add_format({"num_format": code})

    @property
    def data(self) -> bytes:
        self.made.close()
        return self._file.getvalue()


def read(*sheets: Sequence[Sequence[object]]) -> Parsed:
    book = Book()
    for number, rows in enumerate(sheets, 1):
        book.sheet(f"S{number}", rows)
    return parsed("a.xlsx", book.data)


def csv(text: str, ending: str = "csv") -> str:
    return parsed(f"a.{ending}", text).text


# FAQ sheets ------------------------------------------------------------------------------------


def test_questions_and_answers_become_entries() -> None:
    page = read(FAQ_ROWS)
    assert (page.kind, page.text) == (FAQ, FAQ_TEXT)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Frage", "Antwort"),
        ("PREGUNTA", "Respuesta"),
        ("Question", "Réponse"),
        ("Questions (EN)", "Answers (EN)"),
        ("Q", "A"),
        ("Q:", "A:"),
        ("Customer question", "Our answer"),
        ("Вопрос", "Ответ"),
        ("質問", "回答"),
        ("प्रश्न", "उत्तर"),
    ],
)
def test_the_columns_are_known_in_many_languages(question: str, answer: str) -> None:
    assert read([[question, answer], ["How much?", "5"]]).text == "## How much?\n\n5"


@pytest.mark.parametrize(
    "head", [["Question", "Count"], ["Question ID", "Answer type"], ["Question & answer", "Owner"]]
)
def test_other_sheets_are_tables(head: list[str]) -> None:
    page = read([head, ["x", "y"]])
    assert (page.kind, page.text) == (ARTICLE, f"| {head[0]} | {head[1]} |\n| - | - |\n| x | y |")


def test_names_of_columns_may_stand_below_a_title() -> None:
    assert read([["Our FAQ"], [], *FAQ_ROWS]).text == FAQ_TEXT


def test_entries_stand_below_their_category_and_keep_link_and_tags() -> None:
    page = read(
        [
            ["Category", "Question", "Answer", "Link", "Tags"],
            ["Prices", "How much?", "5", "https://x.example/p", "billing, plans"],
            ["", "Who?", "We", "", ""],
            ["Prices", "When?", "Monthly", "javascript:x", "billing"],
        ]
    )
    assert page.text == (
        "## Who?\n\nWe\n\n# Prices\n\n## How much?\n\n5\n\nhttps://x.example/p\n\n"
        "## When?\n\nMonthly"
    )
    assert page.tags == ("billing", "plans")


def test_the_link_of_an_entry_may_be_a_hyperlink() -> None:
    book = Book()
    sheet = book.sheet("S", [["Question", "Answer", "Link"], ["How?", "So"]])
    sheet.write_url(1, 2, "https://x.example/how", string="Read on")
    assert parsed("a.xlsx", book.data).text == "## How?\n\nSo\n\nhttps://x.example/how"


def test_columns_that_are_not_known_are_never_published() -> None:
    page = read([["Question", "Answer", "Internal note"], ["How much?", "5", "SECRET"]])
    assert page.text == "## How much?\n\n5"
    assert page.notes == ("columns beside question and answer were left out: Internal note",)


def test_rows_with_a_question_alone_are_left_out() -> None:
    page = read([*FAQ_ROWS, ["Why?", ""], ["", "Because"]])
    assert page.text == FAQ_TEXT
    assert page.notes == ("rows with a question or an answer alone were left out (2)",)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("# First\ngo", "**First**\n\ngo"),
        ("Intro\n---\ngo", "**Intro**\n\ngo"),
        ("```\n# stays\n```", "```\n# stays\n```"),
        ("see\n```sh\nls", "see\n```sh\nls\n```"),
        ("see\n<!-- x", "see\n\\<!-- x"),
        ("- a\n- b", "- a\n- b"),
        ("one\n\n\n\ntwo", "one\n\ntwo"),
    ],
)
def test_an_answer_never_makes_a_heading_or_swallows_the_next_question(
    answer: str, text: str
) -> None:
    page = read([["Question", "Answer"], ["One?", answer], ["Two?", "end"]])
    assert page.text == f"## One?\n\n{text}\n\n## Two?\n\nend"
    assert headings(page) == [("One?",), ("Two?",)]


@settings(max_examples=150)
@given(st.lists(st.text("#`~<!->?\n\t =*|[]ab1.&", max_size=30), min_size=2, max_size=2))
def test_any_answer_leaves_each_question_its_own_heading(answers: list[str]) -> None:
    rows = [["Question", "Answer"], ["One?", f"x {answers[0]}"], ["Two?", f"x {answers[1]}"]]
    assert set(headings(read(rows))) == {("One?",), ("Two?",)}


def headings(page: Parsed) -> list[tuple[str, ...]]:
    chunks = cut(Document("d", page.title, "d", "d", "h"), page.text, HashEmbedder())
    return [chunk.heading_path for chunk in chunks]


def test_a_very_long_question_is_said_in_full_in_its_answer() -> None:
    question = "word " * 60 + "?"
    text = read([["Question", "Answer"], [question, "Yes"]]).text
    heading, *answer = text.split("\n\n")
    assert len(heading) < 210
    assert answer == [question, "Yes"]


# For whom a row is -----------------------------------------------------------------------------


def labelled(*audiences: str) -> bytes:
    rows = [["Question", "Answer", "Audience"]]
    rows += [[f"Question {n}?", f"Answer {n}", name] for n, name in enumerate(audiences, 1)]
    book = Book()
    book.sheet("FAQ", rows)
    return book.data


def questions(page: Parsed) -> list[str]:
    return [line[12:13] for line in page.text.splitlines() if line.startswith("## ")]


def test_rows_that_agree_give_the_document_its_audiences() -> None:
    page = parsed("a.xlsx", labelled("staff, partners", "partners; Staff"))
    assert page.audiences == {"staff", "partners"}
    assert questions(page) == ["1", "2"]


def test_rows_for_others_are_left_out_of_a_mixed_sheet() -> None:
    page = parsed("a.xlsx", labelled("public", "staff", "", "partners"))
    assert page.audiences is None
    assert questions(page) == ["1", "3"]
    (note,) = page.notes
    assert note.startswith("questions for other audiences were left out (2, for partners, staff)")


def test_a_document_for_staff_keeps_what_staff_may_see() -> None:
    data = labelled("public", "staff", "staff, partners", "partners", "")
    page = parse(raw("a.xlsx", data, audience="staff"))
    assert page.audiences is None
    assert questions(page) == ["1", "2", "3", "5"]


def test_rows_never_open_a_document_that_its_system_closes_nor_the_other_way_round() -> None:
    given_raw = raw("a.xlsx", labelled("staff", "staff"))
    with pytest.raises(ParseFailed, match="for other audiences"):
        parse(replace(given_raw, about=About(audiences=frozenset({"public"}))))
    page = parse(replace(given_raw, about=About(audiences=frozenset())))
    assert (page.audiences, questions(page)) == (None, ["1", "2"])


def test_a_second_sheet_without_labels_makes_the_first_one_mixed() -> None:
    book = Book()
    book.sheet("A", [["Question", "Answer", "Audience"], ["Question 1?", "x", "staff"]])
    book.sheet("B", [["Question", "Answer"], ["Question 2?", "y"]])
    page = parsed("a.xlsx", book.data)
    assert (page.audiences, questions(page)) == (None, ["2"])


# Tables ----------------------------------------------------------------------------------------


def test_cells_are_read_as_they_are_shown() -> None:
    book = Book()
    sheet = book.sheet("S", [["Plan", "Price", "Share", "From", "Left", "Hot", "Id"]])
    sheet.write(1, 0, "a | b\nc")
    sheet.write_number(1, 1, 1234.5, book.format('#,##0.00\\ "€"'))
    sheet.write_number(1, 2, 0.256, book.format("0%"))
    sheet.write_datetime(1, 3, datetime(2026, 3, 4), book.format("dd.mm.yyyy"))
    sheet.write_formula(1, 4, "=40+2", None, 42)
    sheet.write_boolean(1, 5, True)
    sheet.write_number(1, 6, 7, book.format("00000"))
    assert parsed("a.xlsx", book.data).text.splitlines()[2] == (
        "| a \\| b c | 1,234.50 € | 26% | 04.03.2026 | 42 | TRUE | 00007 |"
    )


def test_hidden_sheets_rows_and_columns_are_left_out() -> None:
    book = Book()
    sheet = book.sheet("S", [["Plan", "SECRET", "Price"], ["SECRET", "x", "1"], ["Pro", "x", "5"]])
    sheet.set_row(1, None, None, {"hidden": True})
    sheet.set_column(1, 1, None, None, {"hidden": True})
    book.sheet("H", [["SECRET"]]).hide()
    book.sheet("V", [["SECRET"]]).very_hidden()
    page = parsed("a.xlsx", book.data)
    assert page.text == "| Plan | Price |\n| - | - |\n| Pro | 5 |"
    assert page.notes == (
        "hidden sheets were left out (2)",
        "hidden rows were left out (1)",
        "hidden columns were left out (1)",
    )


def test_errors_comments_and_text_in_an_unseen_format_are_left_out() -> None:
    book = Book()
    sheet = book.sheet("S", [["Plan", "Price"], ["Pro"]])
    sheet.write_formula(1, 1, "=1/0", None, "#DIV/0!")
    sheet.write_comment(0, 0, "SECRET")
    sheet.write(1, 2, "SECRET", book.format(";;;"))
    assert parsed("a.xlsx", book.data).text == "| Plan | Price |\n| - | - |\n| Pro |  |"


def test_merged_rows_say_again_what_holds_for_them() -> None:
    book = Book()
    sheet = book.sheet("S", [["Plan", "Time", "Price"], ["", "month", 5], ["", "year", 50]])
    sheet.merge_range(1, 0, 2, 0, "Pro")
    assert parsed("a.xlsx", book.data).text.endswith("| Pro | month | 5 |\n| Pro | year | 50 |")


def test_empty_rows_and_columns_go_and_a_title_stands_before_the_table() -> None:
    page = read([["", "Prices 2026"], [], ["", "Plan", "", "Price"], [], ["", "Pro", "", "5"]])
    assert page.text == "Prices 2026\n\n| Plan | Price |\n| - | - |\n| Pro | 5 |"


def test_a_table_without_names_of_columns_has_letters() -> None:
    assert csv("Pro,5\nTeam,9\n").startswith("| A | B |\n| - | - |\n| Pro | 5 |")


def test_each_of_several_sheets_has_its_heading_and_questions_do_too() -> None:
    page = read([["Plan", "Price"], ["Pro", "5"]], FAQ_ROWS)
    assert page.text == f"# S2\n\n{FAQ_TEXT}\n\n# S1\n\n| Plan | Price |\n| - | - |\n| Pro | 5 |"


def test_each_passage_of_a_long_table_has_the_names_of_the_columns() -> None:
    rows = [["Plan", "Price", "From"], *([f"Plan {n}", n * 10, "2026-03-04"] for n in range(100))]
    page = read(rows)
    chunks = cut(Document("d", "Prices", "d", "d", "h"), page.text, HashEmbedder())
    assert len(chunks) > 5
    assert all(chunk.text.startswith("| Plan | Price | From |") for chunk in chunks)


def test_a_wide_row_becomes_a_record_under_its_own_heading() -> None:
    rows = [["Code", "Cause", "Mend"], *([f"E-{n}", "why " * 80, "# so " * 60] for n in range(3))]
    page = read(rows)
    assert page.text.startswith(f"## E-0\n\n**Code**: E-0\n**Cause**: {('why ' * 80).strip()}\n")
    assert set(headings(page)) == {("E-0",), ("E-1",), ("E-2",)}


def test_a_formula_that_was_never_computed_is_told_to_people() -> None:
    book = Book()
    sheet = book.sheet("S", [["Plan", "Price"], ["Pro"]])
    sheet.write_formula(1, 1, "=1+1", None, "")
    parts = members(book.data)
    name = "xl/worksheets/sheet1.xml"
    parts[name] = parts[name].replace(b"<v></v>", b"")
    assert "formulas without a saved result" in parsed("a.xlsx", archive(parts)).notes[0]


# Delimited text --------------------------------------------------------------------------------

TABLE = "| a | b |\n| - | - |\n| x | y |"


@pytest.mark.parametrize(
    "text",
    [
        "a,b\nx,y\n",
        "a;b\r\nx;y\r\n",
        "a\tb\nx\ty",
        "a|b\nx|y",
        "sep=;\na;b\nx;y",
        '"a", "b"\n"x", "y"',
        "\ufeffa;b\nx;y",
        "a;b\n\n\nx;y\n;\n",
    ],
)
def test_any_delimiter_is_found(text: str) -> None:
    assert csv(text) == TABLE


def test_a_delimiter_inside_sentences_is_none() -> None:
    text = "name;note\nPro;one, two, three\nTeam;four, five\nFree;six"
    assert csv(text).splitlines()[2] == "| Pro | one, two, three |"
    assert csv("a,b\tc\nx,y\tz", "tsv").splitlines()[0] == "| a,b | c |"


def test_a_quoted_field_may_have_lines_and_an_unclosed_quote_is_text() -> None:
    assert csv('question,answer\nHow?,"one\n\ntwo ""x"""\n') == '## How?\n\none\n\ntwo "x"'
    assert csv('a,b\n"x,y\nv,w\n').splitlines()[2:] == ['| "x | y |', "| v | w |"]


def test_encodings_are_detected() -> None:
    text = "Größe;Straße\nMünchen;Österreich für Anfänger\n" * 5
    page = parsed("a.csv", text.encode("cp1252"))
    assert page.text.startswith("| Größe | Straße |")
    assert parsed("a.csv", text.encode("utf-16")).text == page.text


def test_a_formula_in_a_csv_file_is_its_text() -> None:
    assert csv("a,b\n=1+1,=cmd|x").splitlines()[2] == "| =1+1 | =cmd\\|x |"


# Limits and damage -----------------------------------------------------------------------------


def test_more_cells_or_columns_than_a_document_has_are_refused() -> None:
    with pytest.raises(ParseFailed, match="more than 500,000 cells"):
        csv("a,b,c\n" * 170_000)
    with pytest.raises(ParseFailed, match="more than 500 columns"):
        csv("a," * 600)
    book = Book()
    book.sheet("S").write(0, 600, "far")
    with pytest.raises(ParseFailed, match="more than 500 columns"):
        parsed("a.xlsx", book.data)


def test_a_long_text_that_many_cells_refer_to_is_refused() -> None:
    book = Book()
    book.sheet("S", [["x" * 30_000] * 20 for _ in range(50)])
    with pytest.raises(ParseFailed, match="very long ones"):
        parsed("a.xlsx", book.data)


def test_nothing_to_be_seen_is_an_empty_document() -> None:
    with pytest.raises(DocumentEmpty):
        read([])
    with pytest.raises(DocumentEmpty):
        csv(",,\n,,\n")


def test_an_encrypted_file_and_one_of_another_kind_say_so() -> None:
    with pytest.raises(ParseFailed, match="encrypted; save it without a password"):
        parsed("a.xlsx", ENCRYPTED)
    with pytest.raises(ParseFailed, match="not an Excel workbook"):
        parsed("a.xlsx", word(""))
    with pytest.raises(ParseFailed, match="not a text file"):
        parsed("a.csv", ENCRYPTED)


def _whole() -> bytes:
    book = Book()
    sheet = book.sheet("S", FAQ_ROWS)
    sheet.write_number(5, 0, 1.5, book.format("d.m.yy h:mm"))
    sheet.merge_range(7, 0, 8, 0, "Pro")
    return book.data


WHOLE = _whole()


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.binary(max_size=30))
def test_a_damaged_workbook_is_read_or_fails(place: int, noise: bytes) -> None:
    parts = members(WHOLE)
    for name in ("xl/worksheets/sheet1.xml", "xl/styles.xml", "xl/sharedStrings.xml"):
        xml = parts[name]
        damaged = xml[: place % len(xml)] + noise + xml[place % len(xml) :]
        with suppress(ParseFailed):
            parsed("a.xlsx", archive({**parts, name: damaged}))
    with suppress(ParseFailed):
        parsed("a.xlsx", WHOLE[:place])


@given(st.binary(max_size=300))
def test_any_bytes_are_delimited_text_or_fail(data: bytes) -> None:
    for ending in ("csv", "tsv"):
        with suppress(ParseFailed):
            parsed(f"a.{ending}", data)
