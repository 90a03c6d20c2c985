from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.answering.sentences import MAX_UNIT_CHARACTERS, Unit, UnitSplitter, split

ANSWER = """Here are the steps:

## Refunds
1. Open **Settings**. Then go on. [1]
2. Click `Reset` [2]

Refunds take 14 days. [1][2] They cost $5.00, e.g. for v2.3.1. Dr. Smith agrees
on that [3]. See https://a.example/c.html for more! [1]
| a | b |
|---|---|
| 1 | 2 [1] |

```sh
rm -rf. x

done
```
退款需要14天。[1]请联系我们！谢谢
"""


def streamed(text: str, cuts: list[int]) -> list[Unit]:
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    splitter = UnitSplitter()
    units = [unit for start, end in pairwise(places) for unit in splitter.feed(text[start:end])]
    return units + splitter.finish()


def test_an_answer_falls_into_sentences_items_rows_headings_and_code() -> None:
    assert [(unit.kind, unit.text.strip()[:24]) for unit in split(ANSWER)] == [
        ("sentence", "Here are the steps:"),
        ("heading", "## Refunds"),
        ("item", "1. Open **Settings**. Th"),
        ("item", "2. Click `Reset` [2]"),
        ("sentence", "Refunds take 14 days. [1"),
        ("sentence", "They cost $5.00, e.g. fo"),
        ("sentence", "See https://a.example/c."),
        ("row", "| a | b |"),
        ("row", "|---|---|"),
        ("row", "| 1 | 2 [1] |"),
        ("code", "```sh\nrm -rf. x\n\ndone\n``"),
        ("sentence", "退款需要14天。[1]"),
        ("sentence", "请联系我们！"),
        ("sentence", "谢谢"),
    ]


@given(st.lists(st.integers(0, len(ANSWER)), max_size=40))
def test_the_units_do_not_depend_on_how_the_stream_was_split(cuts: list[int]) -> None:
    assert streamed(ANSWER, cuts) == split(ANSWER)


@given(
    st.lists(
        st.sampled_from(
            [
                *".!?。\n| -#`*[]1] ",
                "[1]",
                "Ab",
                "e.g.",
                "```",
                "- x",
                "\n\n",
                "1. ",
                "word ",
                "**B**",
            ]
        ),
        max_size=40,
    ),
    st.lists(st.integers(0, 80), max_size=10),
)
def test_nothing_is_lost_or_added(parts: list[str], cuts: list[int]) -> None:
    text = "".join(parts)
    assert "".join(unit.text for unit in streamed(text, cuts)) == text


@pytest.mark.parametrize(
    "sentence",
    [
        "Version v2.3.1 costs 3.50 euros at example.com/a.b today.",
        "Use a tool, e.g. a hammer, i.e. force.",
        "Ask Dr. Miller or J. Smith about it.",
        "Die Frist endet am 5. Januar um zwölf, z.B. hier.",
        "He asked “Why?” and left.",
        "It ends at the line\nbreak here.",
    ],
)
def test_a_full_stop_inside_a_sentence_does_not_end_it(sentence: str) -> None:
    assert [unit.text for unit in split(sentence)] == [sentence]


@pytest.mark.parametrize(
    "mark", ["[1]", " [1][2]", " [1, 2]", " [1] [2]", "\n[1]", "【1】", " [^1]"]
)
def test_marks_after_the_full_stop_belong_to_the_sentence_before(mark: str) -> None:
    first, second = split(f"Refunds take 14 days.{mark} Another one.")
    assert first.text == f"Refunds take 14 days.{mark}"
    assert second.text == " Another one."


def test_a_sentence_is_given_as_soon_as_the_next_one_begins() -> None:
    splitter = UnitSplitter()
    assert splitter.feed("Refunds take 14 days. [1] ") == []
    assert [unit.text for unit in splitter.feed("T")] == ["Refunds take 14 days. [1]"]


def test_a_sentence_without_end_is_cut() -> None:
    units = split("and so on, " * 2_000)
    assert max(len(unit.text) for unit in units) <= MAX_UNIT_CHARACTERS + 1
