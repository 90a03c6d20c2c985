from __future__ import annotations

import pytest

from ingest.errors import DocumentEmpty, ParseFailed
from tests.ingest.raw import parsed


def test_front_matter_labels_the_page_and_is_no_text() -> None:
    page = parsed(
        "a.md",
        "---\ntitle: Reset\nurl: https://x.example/reset\nlanguage: en\naudience: [a, b]\n---\n"
        "Body\n",
    )
    assert page.title == "Reset"
    assert page.url == "https://x.example/reset"
    assert page.language == "en"
    assert page.audiences == {"a", "b"}
    assert page.text.strip() == "Body"


def test_toml_front_matter_is_read_too() -> None:
    page = parsed("a.md", '+++\ntitle = "Reset"\naudience = "staff"\n+++\nBody')
    assert (page.title, page.audiences) == ("Reset", {"staff"})


@pytest.mark.parametrize("title", ["# Reset *it*\n", "# Reset `it` ##\n", "Reset it\n===\n"])
def test_the_first_heading_is_the_title_as_it_reads(title: str) -> None:
    page = parsed("a.md", f"\n{title}\nBody")
    assert page.title == "Reset it"
    assert page.text.strip() == "Body"


def test_a_crawlers_source_line_is_the_address_and_no_text() -> None:
    page = parsed("a.md", "# Title\n\nSource: https://x.example/a?b=c\n\nBody")
    assert page.url == "https://x.example/a?b=c"
    assert page.text.strip() == "Body"


def test_a_source_line_further_down_is_text() -> None:
    page = parsed("a.md", "# Title\n\nBody\n\nSource: https://x.example/a\n")
    assert page.url == ""
    assert "Source: https://x.example/a" in page.text


@pytest.mark.parametrize("label", ["", "[]", "''", "3", "{a: b}", "[a, 3]", "[a, '']", "~"])
def test_an_audience_that_says_nothing_legible_is_empty_and_never_missing(label: str) -> None:
    assert parsed("a.md", f"---\naudience: {label}\n---\nBody").audiences in (set(), frozenset())


@pytest.mark.parametrize("key", ["audience", "Audience", "audiences"])
def test_an_audience_is_found_however_it_is_spelt(key: str) -> None:
    assert parsed("a.md", f"---\n{key}: staff\n---\nBody").audiences == {"staff"}


def test_a_page_that_says_nothing_of_its_audience_has_none() -> None:
    assert parsed("a.md", "---\ntitle: x\n---\nBody").audiences is None


@pytest.mark.parametrize(
    "text",
    [
        "---\ntitle: [x\n---\nBody",
        "---\naudience: staff\nBody without an end",
        "+++\naudience = \n+++\nBody",
        "---\nx: " + "[" * 5000 + "\n---\nBody",
    ],
)
def test_front_matter_that_cannot_be_read_fails_the_page(text: str) -> None:
    with pytest.raises(ParseFailed, match="front matter"):
        parsed("a.md", text)


def test_two_thematic_breaks_are_no_front_matter() -> None:
    assert parsed("a.md", "---\n\nJust a line\n\n---\nBody").text.startswith("---")


def test_an_empty_page_is_known_as_such() -> None:
    with pytest.raises(DocumentEmpty):
        parsed("a.md", " \n\t\n")
