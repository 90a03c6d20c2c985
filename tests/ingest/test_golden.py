from __future__ import annotations

from pathlib import Path

import pytest

from ingest.errors import GoldenWrong
from ingest.golden import MAX_QUESTIONS, Golden, read_golden


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "golden.yaml"


def test_every_key_is_read(file: Path) -> None:
    file.write_text(
        "- question: How long do refunds take?\n"
        "  expect: [refunds.md, https://help.example.com/refunds]\n"
        "  must_say: 14 days\n"
        "  must_not_say:\n    - 30 days\n    - never\n"
        "  audience: staff\n"
        "- question: Who wins the cup?\n  refuse: yes\n"
    )
    assert read_golden(file) == (
        Golden(
            "How long do refunds take?",
            expect=("refunds.md", "https://help.example.com/refunds"),
            must_say=("14 days",),
            must_not_say=("30 days", "never"),
            audience="staff",
        ),
        Golden("Who wins the cup?", refuse=True),
    )


def test_a_number_is_a_text_as_it_is_written(file: Path) -> None:
    file.write_text("- question: Which version?\n  must_say: 2.10\n")
    assert read_golden(file)[0].must_say == ("2.10",)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "holds no list of questions"),
        ("question: x", "holds no list of questions"),
        ("- just a text", "line 1: a question is a mapping"),
        (
            "- question: x\n  expects: [a.md]",
            "line 2: unknown key `expects`; did you mean `expect`?",
        ),
        ("- question: x\n  colour: red", "known are question, expect"),
        ("- expect: [a.md]", "line 1: it has no `question`"),
        ("- question: x\n- question: [a, b]", "line 2: `question` takes a text"),
        ("- question: ''", "line 1: `question` takes a text"),
        ("- question: x\n  must_say: {a: b}", "line 2: `must_say` takes a text, or a list"),
        ("- question: x\n  refuse: perhaps", "line 2: `refuse` is true or false"),
        ("- question: x\n  refuse: true\n  expect: a.md", "neither `expect` nor `must_say`"),
        ("- question: x\n  question: y", "line 2: `question` stands there twice"),
        ("- question: x\n expect: [", "line 2: not valid YAML"),
        ("- &a [*a]", "line 1"),
    ],
)
def test_a_wrong_file_names_the_line_and_what_is_valid(file: Path, text: str, hint: str) -> None:
    file.write_text(text)
    with pytest.raises(GoldenWrong, match=r"golden\.yaml") as raised:
        read_golden(file)
    assert hint in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_or_no_text_is_said_so(file: Path) -> None:
    with pytest.raises(GoldenWrong, match="cannot be read"):
        read_golden(file)
    file.write_bytes(b"- question: \xff\xfe")
    with pytest.raises(GoldenWrong, match="not UTF-8"):
        read_golden(file)


def test_the_number_of_questions_is_bounded(file: Path) -> None:
    file.write_text("- question: x\n" * (MAX_QUESTIONS + 1))
    with pytest.raises(GoldenWrong, match="at most 1,000"):
        read_golden(file)
