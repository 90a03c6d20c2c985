from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.conversation import Citation
from supportbot.rendering import render


def cited(link: str = "https://shop.example/a#:~:text=x%2Dy", number: int = 1) -> Citation:
    return Citation(number, "a.md", 'The "A" <page>', link, "", "x-y", link)


def test_marks_become_links_to_their_sources() -> None:
    html = render("Refunds take **14 days**. [1]", [cited()])
    assert 'href="https://shop.example/a#:~:text=x%2Dy"' in html
    assert 'rel="noopener noreferrer nofollow"' in html
    assert ">[1]</a>" in html
    assert "<strong>14 days</strong>" in html


def test_a_mark_after_a_mark_or_before_a_colon_is_one() -> None:
    html = render("a [1][2]: b", [cited(), cited(number=2)])
    assert html.count("<a ") == 2


@pytest.mark.parametrize("link", ["a.md", "javascript:alert(1)", "file:///etc/passwd"])
def test_a_source_that_is_no_web_page_is_not_linked(link: str) -> None:
    assert render("a [1]", [cited(link)]) == "<p>a [1]</p>\n"


def test_marks_in_code_and_without_a_citation_stay_text() -> None:
    assert render("`x[1]` [2]", [cited()]) == "<p><code>x[1]</code> [2]</p>\n"


def test_tables_lists_and_code_are_kept() -> None:
    html = render("| a |\n|---|\n| b [1] |\n\n3. c\n\n```sh\n<d>\n```", [cited()])
    assert "<td>b <a" in html
    assert '<ol start="3">' in html
    assert "&lt;d&gt;" in html


ATTACKS = [
    "<img src=x onerror=alert(1)>",
    "![x](https://evil.example/?d=1)",
    "[x](javascript:alert(1))",
    "[x](data:text/html,x)",
    "<style>*{background:url(//evil.example)}</style>",
    "<form><input type=password></form>",
    '[x](https://a.example "onmouseover=alert(1)")',
    "<svg/onload=alert(1)>",
    "&lt;script&gt;",
    "[a]: javascript:alert(1)\n\n[a]",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_runs_or_loads(attack: str) -> None:
    html = render(attack)
    assert not re.search(r"<(?:img|script|style|svg|form|input|iframe)\b", html)
    assert not re.search(r"(?:href|src)=\"(?!https?://)", html)


PARTS = st.one_of(st.sampled_from([*ATTACKS, "[1]", "\n"]), st.text(max_size=9))
OTHER_TAG = re.compile(r"<(?!/?(?:a|blockquote|br|code|em|h[1-6]|hr|li|ol|p|pre|strong|t\w+|ul)\b)")


@given(st.lists(PARTS, max_size=9))
def test_any_text_renders_to_the_allowed_elements(parts: list[str]) -> None:
    assert not OTHER_TAG.search(render("".join(parts), [cited()]))
