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


def test_passages_have_the_address_of_their_heading() -> None:
    page = parsed(
        "a.html",
        PAGE.format(
            "<p>Before\u200b</p><h2 id='own'>Own</h2><p>A</p><section id='sec'><h2>Section</h2>"
            "<p>B</p><h3>No id</h3></section><h2><a name='old'></a>Old</h2><a id='empty'></a>"
            "<p>C</p><dl><dt id='opt'>--opt</dt><dd>D</dd></dl><p id='no'>E <a id='x' href='#y'>f"
        ),
    )
    starts = {name: page.text[place:].split("\n")[0] for place, name in page.anchors}
    assert starts == {
        "own": "Own",
        "sec": "Section",
        "old": "Old",
        "empty": "C",
        "opt": "--opt**",
    }
    assert not set(page.text) & {"\U0010fffc", "\U0010fffd"}


def test_marks_in_a_page_do_not_confuse_its_anchors() -> None:
    page = parsed("a.html", "<h2 id=a>A \U0010fffc7\U0010fffd</h2><p>x")
    assert (page.text, page.anchors) == ("## A 7\n\nx", ((3, "a"),))


def test_cells_that_span_rows_and_columns_stand_in_each() -> None:
    made = text(
        "<table><caption>Prices</caption><thead><tr><th rowspan=2>Plan<th colspan=2>Price"
        "<tr><th>month<th>year</thead><tr><td rowspan=2>Pro<td>5<td>50<tr><td colspan=2>a|b</table>"
    )
    assert made.endswith(
        "Prices\n\n| Plan | Price month | Price year |\n| --- | --- | --- |\n| Pro | 5 | 50 |\n"
        "| Pro | a\\|b |  |"
    )


def test_a_table_in_a_cell_is_one_line_and_one_that_lays_out_is_none() -> None:
    inner = "<table><tr><td>a<td>b<tr><td>c</table>"
    assert "| K | V |\n| --- | --- |\n| k | a, b; c |" in text(
        f"<table><tr><th>K<th>V<tr><td>k<td>{inner}</table>"
    )
    laid_out = text(f"<table><tr><td><h2>Left</h2><p>p</p><td>{inner}</table>")
    assert "## Left\n\np" in laid_out
    assert "| a | b |" in laid_out


def test_a_code_block_in_a_cell_keeps_the_row_whole() -> None:
    assert "| x | `a b` |" in text("<table><tr><th>K<th>V<tr><td>x<td><pre>a\nb</pre></table>")


def test_terms_stand_above_their_definitions() -> None:
    assert "**-v**\n\nSays more." in text("<dl><dt>-v</dt><dd><p>Says more.</p></dd></dl>")


def test_numbered_lists_count_on_from_their_start() -> None:
    assert "3. a\n4. b\n\n   c" in text("<ol start=3><li>a<li><p>b</p><p>c</p></ol>")


@pytest.mark.parametrize(
    "head",
    [
        '<meta property="article:modified_time" content="2024-05-06T07:08:09Z">',
        '<meta name="Last-Modified" content="Mon, 06 May 2024 07:08:09 GMT">',
        '<script type=application/ld+json>[{"dateModified":"2024-05-06T07:08:09Z"}]</script>',
        "<time itemprop='dateModified' datetime='2024-05-06T07:08:09+00:00'>May</time>",
    ],
)
def test_the_last_change_is_read_where_the_page_says_it(head: str) -> None:
    page = parsed("a.html", f"<html><head>{head}</head><body><p>x")
    assert page.modified_at == "2024-05-06T07:08:09+00:00"


@pytest.mark.parametrize(
    "rule",
    [
        ".x { display: none }",
        "p.x{visibility:hidden !important}",
        "#y, .z {font-size:0}",
        "@import url(a.css); .x{position:absolute;left:-999em}",
        "/* .x{} */ .x{color:transparent}",
        ".x{color:#fff;background:white}",
        "body{background:#ffffff} .x{color:rgb(254, 254, 254)}",
        ".x{transform:translateX(-9999px)}",
        ".x{clip-path:inset(50%)}",
    ],
)
def test_what_the_pages_own_style_rules_hide_is_left_out(rule: str) -> None:
    page = f"<style>{rule}</style><p>seen</p><p class='x' id=y>SECRET words</p>"
    made = parsed("a.html", page)
    assert made.text == "seen"
    assert made.notes == ("text that no reader sees was left out (2 words)",)


@pytest.mark.parametrize(
    "rule",
    [
        "@media print { .x { display: none } }",
        ".x .y {display:none}",
        ".x{display:none} p{} .x{display:block}",
        ".x{color:white;background-color:#223344}",
        "body{background:#000} .x{color:#fff}",
    ],
)
def test_what_style_rules_hide_only_at_times_stays(rule: str) -> None:
    assert "SEEN" in parsed("a.html", f"<style>{rule}</style><p class='x'>SEEN</p>").text


def test_white_text_on_no_background_is_left_out_and_noted() -> None:
    page = parsed("a.html", "<p>seen</p><p style='color:#fff'>SECRET words here</p>")
    assert page.text == "seen"
    assert page.notes == ("white text on no background was left out as hidden (3 words)",)


def test_answers_that_a_reader_opens_by_a_button_stay() -> None:
    page = "<button aria-controls=a1>Why?</button><div id=a1 hidden><p>Because.</p></div>"
    assert parsed("a.html", page).text == "Because."


def test_xhtml_is_read() -> None:
    page = '<?xml version="1.0" encoding="utf-8"?><html><body><p>x</p></body></html>'
    assert parsed("a.xhtml", page).text == "x"


def test_furniture_is_known_by_its_class_too() -> None:
    page = "<div class='navheader'>Prev</div><p>Body</p><ul class='breadcrumbs'><li>Home</ul>"
    assert parsed("a.html", page).text == "Body"


@pytest.mark.parametrize(
    "furniture",
    [
        "<div id='footer'>{}</div>",
        "<address class='footer'>{}</address>",
        "<ul class='nav'><li>{}</li></ul>",
        "<div id='sidebar'>{}</div>",
    ],
)
def test_a_foot_of_the_page_is_furniture_also_without_its_element(furniture: str) -> None:
    page = "<div class='contents'><p>Body</p></div>" + furniture.format("Last updated 2024")
    assert parsed("a.html", page).text == "Body"


def test_a_page_is_read_without_its_table_of_contents() -> None:
    contents = "<div id='toc'><ul><li><a href='#a'>Apples</a></li></ul></div>"
    body = "<h2 id='a'>Apples</h2><p>They keep for a week.</p>"
    assert parsed("a.html", f"<body><h1>Fruit</h1>{contents}{body}").text == (
        "## Apples\n\nThey keep for a week."
    )


def test_a_page_that_is_a_table_of_contents_keeps_it() -> None:
    contents = "<div class='toc'><ul><li>Apples</li><li>Pears</li></ul></div>"
    assert parsed("a.html", f"<body><h1>Fruit</h1>{contents}").text == "- Apples\n- Pears"


def test_the_name_of_the_site_above_the_content_is_no_title() -> None:
    page = "<title>Writing tests - The Book</title><h1>The Book</h1><main><h2>Writing tests</h2>x"
    assert parsed("a.html", page).title == "Writing tests - The Book"


def test_a_heading_above_the_content_is_the_title() -> None:
    page = "<title>Writing tests - The Book</title><h1>Writing tests</h1><main><p>x"
    assert parsed("a.html", page).title == "Writing tests"


@pytest.mark.parametrize("mark", ["#", "¶", "\uf0c1"])
def test_marks_that_link_to_headings_are_no_part_of_them(mark: str) -> None:
    link = f"<a class='headerlink' href='#x'>{mark}</a>"
    page = parsed("a.html", f"<main><h1>Reset{link}</h1><h2 id='x'>Steps{link}</h2><p>Go.</main>")
    assert (page.title, page.text) == ("Reset", "## Steps\n\nGo.")


def test_a_list_of_many_thousand_items_is_read_in_time() -> None:
    assert "20000. x" in parsed("a.html", "<ol>" + "<li>x" * 20_000).text
