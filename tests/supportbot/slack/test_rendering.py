"""Answers as Slack shows them: nothing lost, nothing broken, nobody called, nothing disguised."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.conversation import Answer, Citation, Outcome
from supportbot.slack.blocks import apology, to_messages
from supportbot.slack.client import Message
from supportbot.slack.rendering import Links, cut, escape, link, to_pieces
from tests.servers.slack import _refusal, shown

URL = "https://help.example.com/refunds"


def citation(number: int = 1, **changes: object) -> Citation:
    fields = {
        "number": number,
        "document_id": "refunds.md",
        "title": "Refunds",
        "uri": URL,
        "heading": "How long",
        "quote": "Refunds take 14 days, see https://pay.example.com/status for more.",
        "link": f"{URL}#:~:text=Refunds",
    }
    return Citation(**{**fields, **changes})


def render(markdown: str, *citations: Citation) -> str:
    pieces = to_pieces(markdown, Links(citations))
    return "".join(piece.gap + piece.text for piece in pieces).strip()


def messages(markdown: str, *citations: Citation) -> list[Message]:
    answer = Answer("q", "c", Outcome.ANSWERED, markdown, citations=citations)
    return to_messages(answer)


@pytest.mark.parametrize(
    ("markdown", "mrkdwn"),
    [
        ("**bold** and *italic* and ~~gone~~", "*bold* and _italic_ and ~gone~"),
        ("请**点击**这里", "请\u200b*点击*\u200b这里"),
        ("# Title **x**\n\ntext", "*Title x*\n\ntext"),
        ("- a\n- b\n  - c\n\nend", "• a\n• b\n    ◦ c\n\nend"),
        ("3. a\n4. b", "3. a\n4. b"),
        ("> one\n> two", "> one\n> two"),
        ("`a < b`", "`a &lt; b`"),
        ("```sh\na && b\n```", "```\na &amp;&amp; b\n```"),
        ("a\n\n---\n\nb", "a\n\n———\n\nb"),
        ("| a | b |\n|---|---|\n| 1 | 22 |", "```\na | b\n--|---\n1 | 22\n```"),
        ("![a chart](https://evil.example/x.png)", "a chart"),
        ("<b>x</b> & <script>", "&lt;b&gt;x&lt;/b&gt; &amp; &lt;script&gt;"),
        ("snake_case_name and 2 * 3 * 4", "snake_case_name and 2 * 3 * 4"),
    ],
)
def test_markdown_becomes_mrkdwn(markdown: str, mrkdwn: str) -> None:
    assert render(markdown) == mrkdwn


def test_marks_are_links_to_their_sources() -> None:
    assert render("It takes 14 days. [1] [2]", citation()) == (
        f"It takes 14 days. <{URL}#:~:text=Refunds|[1]> [2]"
    )


def test_a_reference_definition_cannot_redirect_a_mark() -> None:
    assert "<https://evil" not in render("Yes. [1]\n\n[1]: https://evil.example", citation())


@pytest.mark.parametrize(
    ("markdown", "mrkdwn"),
    [
        (f"[the page]({URL})", f"<{URL}|the page>"),
        (f"<{URL}>", f"<{URL}>"),
        (f"see {URL}.", f"see <{URL}>."),
        ("see https://pay.example.com/status", "see <https://pay.example.com/status>"),
        ("[the page](https://evil.example)", "the page (https://evil.example)"),
        (f"[https://bank.example]({URL})", f"https://bank.example (<{URL}>)"),
        (f"[bank.example]({URL})", f"bank.example (<{URL}>)"),
        ("[x](javascript:alert(1))", "[x](javascript:alert(1))"),
        ("see https://evil.example/?q=a", "see https://evil.example/?q=a"),
    ],
)
def test_only_addresses_of_the_sources_can_be_clicked(markdown: str, mrkdwn: str) -> None:
    assert render(markdown, citation()) == mrkdwn


@pytest.mark.parametrize(
    "text",
    ["<!channel> <!here>", "<@U123>", "<#C1>", "@channel @here @everyone", "`<!channel>` @HERE"],
)
def test_nobody_is_called(text: str) -> None:
    [message] = messages(text, citation())
    for words in (message.text, shown({"blocks": message.blocks})):
        assert not re.search(r"<[!@#]|@(channel|here|everyone)", words, re.IGNORECASE)


def test_slack_makes_no_links_or_mentions_by_itself() -> None:
    [message] = messages("text", citation())
    elements = [block.get("text") or block["elements"][0] for block in message.blocks]
    assert all(element["verbatim"] for element in elements)


def test_sources_are_numbered_links_with_escaped_titles() -> None:
    [message] = messages(
        "Yes. [1] [2]",
        citation(2, title="A > B | <C>", uri="a.md", link="a.md", heading=""),
        citation(1),
    )
    assert shown({"blocks": message.blocks}).endswith(
        f"[1] <{URL}#:~:text=Refunds|Refunds › How long>\n[2] A &gt; B | &lt;C&gt;"
    )


def test_a_link_cannot_be_broken_by_its_address() -> None:
    assert link("https://a.example/|x> <!here>", "a > b") == (
        "<https://a.example/%7Cx%3E%20%3C!here%3E|a &gt; b>"
    )


def test_invisible_characters_are_left_out() -> None:
    assert escape("a\x00\x1b[31m\u202eb\U000e0041\nc👩‍👩‍👧") == "a[31mb\nc👩‍👩‍👧"


def test_sixty_code_blocks_arrive_whole_and_in_order() -> None:
    blocks = [f"```py\n{'x' * 60}\nprint({n})\n" + f"row_{n}()\n" * 120 + "```" for n in range(60)]
    parts = messages("\n\n".join(blocks), citation())
    words = "\n".join(shown({"blocks": part.blocks}) for part in parts)
    assert re.findall(r"print\((\d+)\)", words) == [str(n) for n in range(60)]
    assert all(words.count(f"row_{n}()") == 120 for n in range(60))
    for part in parts:
        for block in part.blocks:
            assert shown({"blocks": [block]}).count("```") % 2 == 0
        assert part.text.count("```") % 2 == 0


MARKDOWN = st.lists(
    st.sampled_from(
        [
            *("**", "*", "`", "```\n", "\n\n", "\n", "- ", "1. ", "> ", "# ", "| a | b |\n|-|-|\n"),
            *(
                "<!channel>",
                "&amp;",
                "<",
                ">",
                "[1]",
                "[x](",
                URL,
                ")",
                "@here",
                "word ",
                "語",
                "👩‍👧",
            ),
            *(
                "https://evil.example/?a=b ",
                "w" * 700,
                "several words and more " * 40,
                "\x00",
                "~~",
            ),
        ]
    )
    | st.text(max_size=20),
    max_size=60,
).map("".join)


@given(MARKDOWN)
def test_every_answer_keeps_to_slacks_limits_and_calls_nobody(markdown: str) -> None:
    for message in messages(markdown, citation()):
        content = {"text": message.text, "blocks": message.blocks}
        assert _refusal(content, 4_000) == ""
        for words in (message.text, shown(content)):
            assert all(found == f"<{URL}" for found in re.findall(r"<[^>|#]*", words))
            assert re.sub(r"&(amp|lt|gt);", "", words).count("&") == 0
            assert not re.search(r"@(here|channel|everyone)\b", words, re.IGNORECASE)


@given(st.lists(st.text("ab0 \n", min_size=1, max_size=400), max_size=30))
def test_no_word_of_an_answer_is_lost(paragraphs: list[str]) -> None:
    markdown = "\n\n".join("w" + paragraph.strip() for paragraph in paragraphs)
    words = " ".join(shown({"blocks": part.blocks}) for part in messages(markdown))
    if paragraphs:
        assert "".join(words.split()) == "".join(markdown.split())


@given(st.text(), st.integers(60, 200))
def test_a_cut_never_falls_into_a_link_or_an_entity(text: str, limit: int) -> None:
    whole = f"{escape(text)} {link(URL, 'a label')} {escape(text)}"
    rest, parts = whole, []
    while len(rest) > limit:
        at = cut(rest, limit)
        assert 0 < at <= limit
        parts.append(rest[:at])
        rest = rest[at:]
    parts.append(rest)
    assert "".join(parts) == whole
    for part in parts:
        assert part.count("<") == part.count(">")
        assert re.sub(r"&(amp|lt|gt);", "", part).count("&") == 0


def test_an_apology_carries_its_reference() -> None:
    assert "ref_1" in apology("ref_1", "How long does a refund take?").text
    assert "Entschuldigung" in apology("ref_1", "Wie lange dauert eine Erstattung?").text
