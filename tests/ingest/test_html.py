from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import ParseFailed
from tests.ingest.raw import parsed

PAGE = """<!doctype html><html lang="de"><head><title>Reset | Example</title>
<link rel="canonical" href="https://x.example/reset"></head><body>
<header><h1>Example</h1></header><nav>Menu</nav>
<main><article><header><h1>Reset your <em>password</em></h1><p>Written by us.</p></header>
{}</article></main>
<aside>Related</aside><footer>Imprint</footer></body></html>"""


def text(inner: str) -> str:
    return parsed("a.html", PAGE.format(inner)).text


def test_a_page_says_its_title_address_and_language() -> None:
    page = parsed("a.html", PAGE.format("<p>Body</p>"))
    assert page.title == "Reset your password"
    assert page.url == "https://x.example/reset"
    assert page.language == "de"


def test_the_content_stays_and_the_furniture_goes() -> None:
    assert text("<p>Body</p>") == "Written by us.\n\nBody"


def test_without_main_the_body_is_read_less_its_furniture() -> None:
    page = parsed("a.html", "<title>T</title><header>Top</header><nav>Menu</nav><p>Body<footer>F")
    assert (page.title, page.text) == ("T", "Body")


def test_headings_lists_tables_and_code_keep_their_form() -> None:
    made = text(
        "<h2>Steps <a href='#steps'>#</a></h2><ol><li>Open <b>it</b><li>Wait<ul><li>long</ul></ol>"
        "<table><tr><th>Plan<th>Price<tr><td>Pro<td>5</table>"
        "<pre><code class='language-sh'>ls  -l\n  # x</code></pre>"
    )
    assert "## Steps\n" in made
    assert "1. Open **it**\n2. Wait\n   - long" in made
    assert "| Plan | Price |\n| --- | --- |\n| Pro | 5 |" in made
    assert "```sh\nls  -l\n  # x\n```" in made


def test_text_is_not_escaped_so_that_quotes_stay_exact() -> None:
    assert "set MY_VAR_NAME to 3 * 4 [sic]" in text("<p>set MY_VAR_NAME to 3 * 4 [sic]</p>")


def test_an_accordion_keeps_question_and_answer_apart() -> None:
    assert "**Why?**\n\nBecause." in text("<details><summary>Why?</summary>Because.</details>")


@pytest.mark.parametrize(
    "hidden",
    [
        "<p hidden>SECRET</p>",
        "<p style='display: none'>SECRET</p>",
        "<p style='color:red; VISIBILITY:hidden'>SECRET</p>",
        "<p style='font-size:0px'>SECRET</p>",
        "<p style='opacity: 0'>SECRET</p>",
        "<p style='position:absolute;left:-9999px'>SECRET</p>",
        "<p style='color:#fff;background-color:#fff'>SECRET</p>",
        "<p aria-hidden='true'>SECRET</p>",
        "<!-- SECRET -->",
        "<noscript>SECRET</noscript>",
        "<template>SECRET</template>",
        "<script>SECRET</script>",
        "<style>SECRET</style>",
        "<img alt='SECRET' src='SECRET'>",
        "<p title='SECRET' data-x='SECRET'>seen</p>",
        "<form><label>SECRET <input value='SECRET'></label><button>SECRET</button></form>",
        "<a href='javascript:SECRET'>seen</a>",
        "<div role='navigation'>SECRET</div>",
    ],
)
def test_what_no_reader_sees_is_left_out(hidden: str) -> None:
    made = text(f"<p>before</p>{hidden}<p>after</p>")
    assert "SECRET" not in made
    assert "before" in made
    assert "after" in made


@pytest.mark.parametrize("style", ["opacity:0.9", "width:0.5em", "font-size:10px", "left:-1px"])
def test_what_a_reader_sees_stays(style: str) -> None:
    assert "SEEN" in text(f"<p style='{style}'>SEEN</p>")


def test_a_page_that_is_one_form_is_read() -> None:
    page = parsed("a.html", "<body><form><h1>Help</h1><p>Body</p><input></form></body>")
    assert (page.title, page.text) == ("Help", "Body")


def test_links_are_whole_or_only_text() -> None:
    made = text("<p><a href='/faq'>FAQ</a> <a href='#x'>here</a> <a href='data:x'>no</a></p>")
    assert made.endswith("[FAQ](https://x.example/faq) here no")


def test_a_declared_encoding_is_believed() -> None:
    page = "<meta charset=windows-1252><p>Größe 5 € – gut</p>".encode("cp1252")
    assert parsed("a.html", page).text == "Größe 5 € – gut"


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("<div>" * 3000 + "x", "nested deeper"),
        ("<p>" * 200_001, "HTML tags"),
        ("<ul><li>" * 400 + "x", "nested deeper"),
    ],
)
def test_monstrous_pages_fail_with_a_reason(page: str, reason: str) -> None:
    with pytest.raises(ParseFailed, match=reason):
        parsed("a.html", page)


def test_a_page_as_deep_as_is_allowed_is_written() -> None:
    assert "deep" in parsed("a.html", "<div>" * 140 + "<p>deep</p>" + "</div>" * 140).text
    assert "deep" in parsed("a.html", "<ul><li>" * 70 + "deep").text


NAMES = """p div h1 h2 ul li ol table tr td th pre code a b form main article header br span
details summary dl dt dd blockquote script"""
TAGS = st.sampled_from(NAMES.split())
PIECES = st.one_of(
    TAGS.map("<{}>".format), TAGS.map("</{}>".format), st.text("ab<>&\"' \n=", max_size=6)
)


@settings(max_examples=150)
@given(st.lists(PIECES, max_size=40))
def test_any_soup_of_tags_is_read_or_refused(pieces: list[str]) -> None:
    page = "x" + "".join(pieces)
    try:
        assert isinstance(parsed("a.html", page).text, str)
    except ParseFailed as error:
        assert "parser failed" not in str(error)  # noqa: PT017
