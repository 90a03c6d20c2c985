from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import ParseFailed
from tests.ingest.raw import parsed

HEADER = """\
// comment SECRET
= Guide to {product}: *Setup*
Jane Doe <jane@example.com>
v1.2, 2026-03-04: first
:product: Acme
:page-audience: staff
:keywords: setup, guide

"""


def text(body: str) -> str:
    return parsed("a.adoc", HEADER + body).text


def test_the_header_labels_the_page_and_is_no_text() -> None:
    page = parsed("a.adoc", HEADER + "[[one]]\n== First\n\nBody.\n\n[#two]\n=== Second\n\nEnd.")
    assert page.title == "Guide to Acme: Setup"
    assert (page.version, page.modified_at) == ("1.2", "2026-03-04T00:00:00")
    assert (page.audiences, page.tags) == ({"staff"}, ("setup", "guide"))
    assert page.text == "## First\n\nBody.\n\n### Second\n\nEnd."
    assert [(page.text[place:][:9], name) for place, name in page.anchors] == [
        ("## First\n", "one"),
        ("### Secon", "two"),
    ]


def test_titles_that_are_underlined_are_titles() -> None:
    page = parsed("a.adoc", "Guide\n=====\n\nFirst\n-----\n\nBody.\n\n----\ncode\n----\n")
    assert page.title == "Guide"
    assert page.text == "## First\n\nBody.\n\n```\ncode\n```"


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("*good* _fine_ `code` **b**old", "**good** *fine* `code` **b**old"),
        (r"\*not bold* 2 * 3 * 4 a_b_c", "*not bold* 2 * 3 * 4 a_b_c"),
        ("`+{product}+` {product} {foo} \\{product}", "`{product}` Acme {foo} {product}"),
        ("`*x* -> y`", "`*x* -> y`"),
        (
            "https://x.example/a[X^] https://x.example/b.",
            "[X](https://x.example/a) https://x.example/b.",
        ),
        ("link:https://x.example[X,window=_blank] link:a.pdf[PDF]", "[X](https://x.example) PDF"),
        ("mailto:a@b.example[Write]", "[Write](mailto:a@b.example)"),
        ("<<s,here>> <<s>> xref:o.adoc#t[there] xref:o.adoc[]", "here The Section there o"),
        ("kbd:[Ctrl+T] btn:[OK] menu:File[Save > As]", "Ctrl+T OK File › Save › As"),
        ("a(C) -- b... c->d it's", "a© — b… c→d it’s"),
        ("Note.footnote:[More.] ((term)) (((a,b)))x image:i.png[SECRET]", "Note. (More.) term x "),
        ('H~2~O x^2^ #marked# [.r]#role# "`q`"', "H2O x2 marked role “q”"),
        ("[[here]]Text +\nline", "Text\nline"),
        ("NOTE: Take *care*.", "> **Note:** Take **care**."),
        ("[WARNING]\n.Hot\n====\nNo.\n\n* a\n====", "> **Warning:** Hot\n>\n> No.\n>\n> - a"),
        ("[source,sh]\n----\nls <1>\n\n# x\n----", "```sh\nls <1>\n\n# x\n```"),
        ("[,python]\n----\nx\n----\n<1> One\n<2> Two", "```python\nx\n```\n\n1. One\n2. Two"),
        ("....\na *b*\n....", "```\na *b*\n```"),
        (" indented", "```\n indented\n```"),
        ("```js\nx\n```", "```js\nx\n```"),
        (".Title\n====\nIn.\n====", "**Title**\n\nIn."),
        ("[quote, A. Person, Book]\n____\nWords.\n____", "> Words.\n>\n> — A. Person, Book"),
        ("****\nSide\n****\n\n--\nOpen\n--", "Side\n\nOpen"),
        ("* a\nmore\n** b\n* c\n\n. 1\n", "- a\n  more\n  - b\n- c\n  1. 1"),
        ("* a\n+\n----\nx\n----\n* b", "- a\n\n  ```\n  x\n  ```\n\n- b"),
        ("CPU:: brain\nDisk::\n  keeps", "- **CPU**\n  brain\n- **Disk**\n  keeps"),
        ("ifdef::x[]\nOne\nendif::[]\nifndef::y[Two]", "One\nTwo"),
        (":late: L\n\n{late}", "L"),
    ],
)
def test_markup_reads_as_asciidoctor_shows_it(given: str, made: str) -> None:
    page = text(f"{given}\n\n[#s]\n== The Section\n\nEnd.")
    assert page.removesuffix("\n\n## The Section\n\nEnd.").rstrip() == made.rstrip()


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("|===\n|A |B\n\n|1 |2 \\| x\n|===", "| A | B |\n| --- | --- |\n| 1 | 2 \\| x |"),
        (
            '[%header,cols="1,2*"]\n|===\n|A\n|B |C\n2+|w |x\n|===',
            "| A | B | C |\n| --- | --- | --- |\n| w |  | x |",
        ),
        (
            "[cols=2*]\n|===\n|a |b\n.2+|t |c\n|d\n|===",
            "| a | b |\n| --- | --- |\n| t | c |\n|  | d |",
        ),
        (',===\nx,"y,z"\n1,2\n,===', "| x | y,z |\n| --- | --- |\n| 1 | 2 |"),
    ],
)
def test_tables_keep_their_cells_in_their_columns(given: str, made: str) -> None:
    assert text(given) == made


@pytest.mark.parametrize(
    "hidden",
    [
        "include::{}[]",
        "----\ninclude::{}[]\n----",
        "// SECRET",
        "////\nSECRET\n////",
        "++++\n<b>SECRET</b>\n++++",
        "image::x.png[SECRET]",
        "toc::[]",
    ],
)
def test_no_file_is_read_and_what_no_reader_sees_is_left_out(hidden: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET")
    assert text(f"Before.\n\n{hidden.format(secret)}\n\nAfter.") == "Before.\n\nAfter."


@pytest.mark.parametrize(
    ("page", "why"),
    [
        (
            "\n".join(f":a{n}: " + f"{{a{n - 1}}}" * 10 for n in range(20)) + "\n\n{a19}" * 999,
            "stand for",
        ),
        ("\n".join("=" * (4 + n) for n in range(50)), "nested deeper"),
        ("[cols=3*]\n|===\n" + "99*|x\n" * 9000 + "|===", "cells"),
        ("x\n" * 1_000_001, "more than 2,000,000"),
        ("-----BEGIN PGP SIGNATURE-----\n\nabc", "PGP"),
    ],
)
def test_monstrous_pages_fail_with_a_reason(page: str, why: str) -> None:
    with pytest.raises(ParseFailed, match=why):
        parsed("a.asc", page)


LINES = """= T|== S|* a|** b|. c|+|----|====|--|....|____|****|++++|[source,sh]|[NOTE]|.T|NOTE: x
CPU:: x|a::|[[id]]|<<id>>|:a: {a}|{a}|include::x[]|ifdef::x[]|endif::[]|////|// c| lit|'''|-----
,===|2+^.^a|b|*b* _i_ `c`|https://x.example[y]|footnote:[z]|((t))""".replace("\n", "|").split("|")
PIECES = st.sampled_from([*LINES, "|===", "|a |b", "2+|x .2+|y 3*|z"]) | st.text(max_size=8)


@settings(max_examples=150)
@given(st.lists(PIECES, max_size=30))
def test_any_lines_are_read_or_refused(lines: list[str]) -> None:
    try:
        assert isinstance(parsed("a.adoc", "x\n" + "\n".join(lines)).text, str)
    except ParseFailed as error:
        assert "parser failed" not in str(error)  # noqa: PT017
