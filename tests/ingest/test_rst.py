from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import ParseFailed
from tests.ingest.raw import parsed

PAGE = """\
.. _top:

============
Install Acme
============

:date: 2026-03-04
:version: 4.2
:orphan:
:audience: staff
:Support: by mail

.. toctree::
   :maxdepth: 2

   intro
   Getting started <start>

.. note:: Take *care*.
   :class: x

Requirements
============

{}

On Debian
---------

Use apt.
"""


def text(inner: str) -> str:
    made = parsed("a.rst", PAGE.format(inner)).text
    return made.partition("## Requirements\n\n")[2].partition("\n\n### On Debian")[0]


def test_title_and_docinfo_label_the_page_and_sections_are_anchors() -> None:
    page = parsed("a.rst", PAGE.format("Text."))
    assert page.title == "Install Acme"
    assert page.modified_at == "2026-03-04T00:00:00"
    assert (page.version, page.audiences) == ("4.2", {"staff"})
    assert page.text.startswith("- **Support:** by mail\n\n- Getting started\n\n> **Note:** Take")
    assert "orphan" not in page.text
    assert [(page.text[place:][:9], name) for place, name in page.anchors] == [
        ("## Requir", "requirements"),
        ("### On De", "on-debian"),
    ]


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("See :ref:`top` and :ref:`on debian`.", "See Install Acme and On Debian."),
        ("See :ref:`it <top>`, :doc:`/guide/other`.", "See it, other."),
        (":py:func:`~os.path.join`, :option:`-x`", "`join`, `-x`"),
        (":guilabel:`&Save` in :menuselection:`File --> Open`", "Save in File ‣ Open"),
        (":what:ever:`this` :unknown:`that <x>`", "`this` that"),
        (
            "``pip`` `Docs <https://x.example>`_ *a* **b**",
            "`pip` [Docs](https://x.example) *a* **b**",
        ),
        ("https://x.example/a and a@b.example", "https://x.example/a and a@b.example"),
        (".. code-block:: sh\n   :caption: x\n\n   ls  -l", "```sh\nls  -l\n```"),
        ("Text::\n\n  literal", "Text:\n\n```\nliteral\n```"),
        (">>> 1 + 1\n2", "```\n>>> 1 + 1\n2\n```"),
        (".. versionadded:: 2.0\n   The thing.", "**Added in version 2.0:** The thing."),
        (".. deprecated:: 3 Gone.", "**Deprecated since version 3:** Gone."),
        (".. seealso:: Another.", "> **See also:** Another."),
        (".. warning::\n\n   One.\n\n   Two.", "> **Warning:** One.\n>\n> Two."),
        (".. admonition:: Mind\n\n   This.", "> **Note:** Mind\n>\n> This."),
        (".. tab-item:: Windows\n\n   Run *it*.", "**Windows**\n\nRun *it*."),
        (".. py:function:: foo(a)\n\n   Returns.", "`foo(a)`\n\nReturns."),
        ("1. One\n\n   - nested\n\n2. Two", "1. One\n\n   - nested\n\n2. Two"),
        ("term\n   Words.", "- **term**\n  Words."),
        ("-f, --file  reads it", "- `-f`, `--file`\n  reads it"),
        (":Price: 5 EUR", "- **Price:** 5 EUR"),
        ("| one\n| two", "one\ntwo"),
        ("A [#]_\n\n.. [#] Note.", "A [1]\n\n[1] Note."),
        (".. figure:: x.png\n   :figclass: y\n\n   Caption.", "Caption."),
    ],
)
def test_markup_reads_as_sphinx_shows_it(given: str, made: str) -> None:
    assert text(given) == made


def test_tables_keep_their_cells_in_their_columns() -> None:
    rule = "+---+---+\n"
    head = f"{rule}| a | b |\n+===+===+\n| c     |\n"
    grid = f"{head}{rule}| d | e |\n|   +---+\n|   | f |\n{rule}"
    assert text(grid) == "| a | b |\n| --- | --- |\n| c |  |\n| d | e |\n|  | f |"
    listed = (
        ".. list-table:: Plans\n   :header-rows: 1\n\n   * - A\n     - B\n   * - 1\n     - 2 | 3"
    )
    assert text(listed) == "**Plans**\n\n| A | B |\n| --- | --- |\n| 1 | 2 \\| 3 |"


@pytest.mark.parametrize(
    "directive",
    [
        ".. include:: {}",
        ".. literalinclude:: {}",
        ".. csv-table:: T\n   :file: {}",
        ".. csv-table:: T\n   :url: file://{}",
        ".. raw:: html\n   :file: {}",
        ".. graphviz:: {}",
        ".. include:: {}\n   :literal:",
    ],
)
def test_no_file_is_ever_read(directive: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET")
    assert text(f"Before.\n\n{directive.format(secret)}\n\nAfter.") == "Before.\n\nAfter."


@pytest.mark.parametrize(
    "hidden",
    [
        ".. a comment SECRET",
        ".. raw:: html\n\n   <b>SECRET</b>",
        ".. image:: x.png\n   :alt: SECRET",
    ],
)
def test_what_no_reader_sees_is_left_out(hidden: str) -> None:
    assert text(f"Before.\n\n{hidden}\n\nAfter.") == "Before.\n\nAfter."


def test_broken_markup_is_text_and_no_message() -> None:
    made = text("A |gone| *b and `c, |x| d_ e.\n\n.. note::\n\n====\n\n===\nx\n===")
    assert "A |gone| *b and `c" in made
    assert "ystem" not in made


@pytest.mark.parametrize(
    ("page", "why"),
    [
        ("\n\n".join(f".. |a{n}| replace:: " + f"|a{n + 1}| " * 10 for n in range(12)), "too much"),
        ("\n\n".join(" " * n + "- x" for n in range(0, 800, 2)), "nested too deeply"),
        ("x" * 10_001, "a line of more than"),
        ("x\n" * 1_000_001, "more than 2,000,000"),
    ],
)
def test_monstrous_pages_fail_with_a_reason(page: str, why: str) -> None:
    with pytest.raises(ParseFailed, match=why):
        parsed("a.rst", page)


LINES = st.sampled_from([*PAGE.format("x").splitlines(), "   ", "- a", "* * *", "|x|", "::", "+-+"])


@settings(max_examples=60)
@given(st.lists(LINES | st.text(max_size=12), max_size=25))
def test_any_lines_are_read_or_refused(lines: list[str]) -> None:
    try:
        assert isinstance(parsed("a.rst", "x\n" + "\n".join(lines)).text, str)
    except ParseFailed as error:
        assert "parser failed" not in str(error)  # noqa: PT017
