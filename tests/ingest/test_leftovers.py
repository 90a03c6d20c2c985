from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import ParseFailed
from ingest.parsers.leftovers import without_leftovers
from tests.ingest.raw import parsed

MDX = """\
---
title: Setup
---
import Tabs from '@theme/Tabs';
import {
  TabItem,
} from 'x';

export const x = {
  y: 1,
};

# Setup {#setup}

<Tabs groupId="os">
  <TabItem value="mac" label="macOS">

  ## On a Mac

  Use `brew <x>`.

  </TabItem>
  <TabItem value="win" label="Windows">

  ```sh
  import x from 'y';
  <Tabs> {/* kept */}
  ```

  </TabItem>
</Tabs>

<Callout type="warning">Take care.</Callout>

{/* SECRET */}
<Image src={x} alt="SECRET" />
"""


def text(body: str, name: str = "a.md") -> str:
    return parsed(name, f"# T\n\n{body}").text.strip()


def test_components_leave_their_text_and_code_stays_as_it_is() -> None:
    assert parsed("a.mdx", MDX).text.strip() == (
        "**macOS**\n\n## On a Mac\n\nUse `brew <x>`.\n\n**Windows**\n\n"
        "```sh\nimport x from 'y';\n<Tabs> {/* kept */}\n```\n\nTake care."
    )


@pytest.mark.parametrize("name", ["a.md", "a.mdx"])
@pytest.mark.parametrize(
    ("given", "made"),
    [
        (":::note\nWait.\n:::", "> **Note:** Wait."),
        (":::warning Hot stuff\n\nNo *way*.\n\n:::", "> **Warning:** Hot stuff\n>\n> No *way*."),
        (":::tip[Hot]\nYes.\n:::", "> **Tip:** Hot\n>\n> Yes."),
        ("::: danger STOP\nYes.\n:::", "> **Danger:** STOP\n>\n> Yes."),
        ("::::info\nA\n:::tip\nB\n:::\n::::", "> **Info:** A\n>\n> > **Tip:** B"),
        (
            '!!! note "Mind"\n    Body.\n\n    - a\n\nAfter',
            "> **Note:** Mind\n>\n> Body.\n>\n> - a\n\nAfter",
        ),
        ("!!! warning\n    Body.", "> **Warning:** Body."),
        ('??? question "Why?"\n    So.', "> **Question:** Why?\n>\n> So."),
        (
            '=== "Linux"\n\n    Use apt.\n\n=== "macOS"\n\n    Use brew.',
            "**Linux**\n\nUse apt.\n\n**macOS**\n\nUse brew.",
        ),
        ("> [!NOTE]\n> Wait.\n> More.", "> **Note:** Wait.\n> More."),
        ("> [!WARNING]\n> ```\n> x\n> ```", "> **Warning:**\n>\n> ```\n> x\n> ```"),
        ("a<br/>b<br>c", "a b c"),
        ("<p align='center'>x</p> <kbd>Ctrl</kbd>", "x  Ctrl"),
        ("<details><summary>Why?</summary>\n\nSo.\n\n</details>", "**Why?**\n\nSo."),
        ("a <!-- SECRET\n\nSECRET --> b", "a  b"),
        ("<script>SECRET</script>a<style>SECRET</style>", "a"),
        ("<span style='display: none'>SECRET</span>a<p hidden>SECRET</p>", "a"),
        ("{{< note >}}In{{< /note >}} {% include 'x' %}{% hint %}Hint{% endhint %}", "In Hint"),
        ("{% comment %}SECRET{% endcomment %}a", "a"),
        (
            "[the docs][docs], [docs], [x]\n\n[docs]: https://x.example 'T'",
            "[the docs](https://x.example), [docs](https://x.example), [x]",
        ),
        ("import Foo from './foo';\n\nText", "Text"),
    ],
)
def test_what_only_a_site_generator_reads_becomes_what_a_reader_sees(
    name: str, given: str, made: str
) -> None:
    assert text(given, name) == made


@pytest.mark.parametrize(
    "kept",
    [
        "`<Tabs>` and ``a `<b>` {% x %}`` and `{/* x */}`",
        "```md\n:::note\n<br/>\n!!! x\n[a]: https://b.example\n> [!NOTE]\n{{< x >}}\n```",
        "~~~\n<!-- x -->\n~~~",
        "List<String> is 2 < 3 and 4 > 1, Map<A, B>, <your-key>, <https://x.example>",
        "- a\n\n      <b>code in a list</b>",
        "{{ name }} {x} [a] [b](c) ![d](e) [^1]\n\n[^1]: note",
        "::: \n\n===\n\n!!! \n\n> [!x\n\n:::::",
        "| a | b |\n| --- | --- |\n| `<x>` | 2 |",
    ],
)
def test_code_and_all_else_stays_word_for_word(kept: str) -> None:
    made = text(kept).replace("::: \n\n", "").replace("\n\n:::::", "")
    assert made == kept.replace("::: \n\n", "").replace("\n\n:::::", "").replace(
        "List<String>", "List"
    )


def test_ids_of_headings_are_anchors_and_no_text() -> None:
    page = parsed(
        "a.md", "# T {#top}\n\n## One {#first}\n\nA\n\n```\n## {#no}\n```\n\n## Two {#b .x}\n"
    )
    assert page.title == "T"
    assert page.text == "\n## One\n\nA\n\n```\n## {#no}\n```\n\n## Two\n"
    assert [(page.text[place:][:6], name) for place, name in page.anchors] == [
        ("## One", "first"),
        ("## Two", "b"),
    ]


@pytest.mark.parametrize(
    "trap",
    [
        "<!--",
        "<p hidden>",
        "`",
        "``a`",
        "{%",
        "{{<",
        "<A ",
        "[a",
        "<a b='",
        "> [!x]\n",
        ":::a\n",
        "{/*",
        "<script>",
    ],
)
def test_no_trap_takes_long(trap: str) -> None:
    assert isinstance(without_leftovers(trap * 2_000), str)


LINES = st.sampled_from(
    [
        *MDX.splitlines(),
        ":::note x",
        ":::",
        "!!! a",
        "    b",
        "> [!TIP]",
        "```",
        "~~~",
        "<!--",
        "-->",
    ]
)


@settings(max_examples=150)
@given(st.lists(LINES | st.text(max_size=10), max_size=25), st.booleans())
def test_any_lines_are_read_or_refused(lines: list[str], is_mdx: bool) -> None:
    try:
        page = parsed("a.mdx" if is_mdx else "a.md", "x\n" + "\n".join(lines))
        assert all(0 <= place <= len(page.text) for place, _ in page.anchors)
    except ParseFailed as error:
        assert "parser failed" not in str(error)  # noqa: PT017
