from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.config import SourceSettings
from ingest.errors import DocumentEmpty, ParseFailed
from ingest.parsers import parse
from ingest.sources import notion as notion_source
from ingest.sources.base import Labels
from ingest.sources.notion_blocks import Block, plain_text, rich_text, to_markdown
from ingest.sources.system import ApiSource
from tests.ingest.systems import Sleeps, opened
from tests.servers.knowledge_systems import TOKEN, NotionServer, block, text

KEYS = st.sampled_from(
    [
        *("id", "type", "rich_text", "plain_text", "annotations", "bold", "href", "cells", "url"),
        *("paragraph", "table", "table_row", "to_do", "code", "numbered_list_item", "quote"),
    ]
)
A, B, C, D, E = (digit * 32 for digit in "abcde")


@pytest.fixture
def notion() -> Iterator[NotionServer]:
    with NotionServer() as server:
        yield server


def workspace(server: NotionServer, home: Path, path: str = "", **settings: Any) -> ApiSource:
    return opened("notion", home, url=server.url + path, **settings)


def markdown(server: NotionServer, home: Path, *blocks: dict[str, Any]) -> str:
    server.put(A, "Title", *blocks)
    source = workspace(server, home)
    return parse(source.read(source.list().items[0])).text.strip()


def test_blocks_become_markdown(notion: NotionServer, tmp_path: Path) -> None:
    assert markdown(
        notion,
        tmp_path,
        block("heading_1", "Install"),
        block(
            "paragraph",
            rich_text=[
                text("See "),
                text("the guide ", "https://docs.example.com/a", bold=True),
                text("or run "),
                text("pip", code=True),
                text(" and "),
                text("wait", italic=True, strikethrough=True),
            ],
        ),
        block("numbered_list_item", "First", block("bulleted_list_item", "Detail")),
        block("numbered_list_item", "Second"),
        block("paragraph", "Between."),
        block("numbered_list_item", "Anew"),
        block("to_do", "Done", checked=True),
        block("to_do", "Open", checked=False),
        block("code", "x = `1`\n```", language="python"),
        block("callout", "Careful.", block("paragraph", "Very.")),
        block("toggle", "Question?", block("paragraph", "Answer.")),
        block("divider"),
        block("equation", expression="e = mc^2"),
        block("bookmark", url="https://example.com"),
        block("image", external={"url": "https://example.com/a.png"}),
        block("unsupported"),
    ) == (
        "## Install\n\n"
        "See [**the guide**](https://docs.example.com/a) or run `pip` and ~~*wait*~~\n\n"
        "1. First\n   - Detail\n2. Second\n\n"
        "Between.\n\n1. Anew\n\n- [x] Done\n- [ ] Open\n\n"
        "````python\nx = `1`\n```\n````\n\n"
        "> Careful.\n>\n> Very.\n\n**Question?**\n\nAnswer.\n\n---\n\n"
        "$$\ne = mc^2\n$$\n\nhttps://example.com"
    )


def test_tables_columns_and_synced_blocks_keep_their_text(
    notion: NotionServer, tmp_path: Path
) -> None:
    rows = [
        block("table_row", cells=[[text("Plan")], [text("Price")]]),
        block("table_row", cells=[[text("Pro | Team")], [text("10\nEUR")]]),
    ]
    assert markdown(
        notion,
        tmp_path,
        block("table", "", *rows, has_column_header=True),
        block("column_list", "", block("column", "", block("paragraph", "Left."))),
        block("synced_block", "", block("paragraph", "Shared.")),
        block("child_page", "", title="Another page"),
    ) == ("| Plan | Price |\n| --- | --- |\n| Pro \\| Team | 10 EUR |\n\nLeft.\n\nShared.")


def test_the_texts_of_a_databases_row_are_read(notion: NotionServer, tmp_path: Path) -> None:
    notion.put_database(B)
    notion.put(
        A,
        "Can I get a refund?",
        parent={"type": "database_id", "database_id": B},
        properties={
            "Answer": {"type": "rich_text", "rich_text": [text("Within 30 days.")]},
            "Empty": {"type": "rich_text", "rich_text": []},
            "Tags": {"type": "multi_select", "multi_select": [{"name": "billing"}]},
            "Price": {"type": "number", "number": None},
        },
    )
    source = workspace(notion, tmp_path)
    (item,) = source.list().items
    raw = source.read(item)
    assert parse(raw).text.strip() == "**Answer:** Within 30 days."
    assert (raw.about.title, raw.about.tags) == ("Can I get a refund?", ("billing",))


def test_only_what_is_below_the_page_of_the_address_is_listed(
    notion: NotionServer, tmp_path: Path
) -> None:
    notion.put(A, "Help")
    notion.put_database(B, parent={"type": "page_id", "page_id": A})
    notion.put(C, "Row", parent={"type": "database_id", "database_id": B})
    notion.put(D, "In a toggle", parent={"type": "block_id", "block_id": "1" * 32})
    notion.block_parents["1" * 32] = {"type": "page_id", "page_id": A}
    notion.put(E, "Elsewhere", parent={"type": "block_id", "block_id": "2" * 32})
    notion.put("f" * 32, "Private", parent={"type": "page_id", "page_id": "9" * 32})
    listed = workspace(notion, tmp_path, f"/Help-centre-{A}").list()
    assert [item.id for item in listed.items] == [f"notion:{id_}" for id_ in (A, C, D)]
    assert len(workspace(notion, tmp_path).list().items) == 5


def test_pages_in_the_trash_are_passed_over(notion: NotionServer, tmp_path: Path) -> None:
    notion.put(A, "Old", in_trash=True)
    notion.put(B, "Older", archived=True)
    assert workspace(notion, tmp_path).list().skipped == (("pages in the trash", 2),)


def test_a_page_that_went_into_the_trash_is_withdrawn_when_it_is_read(
    notion: NotionServer, tmp_path: Path
) -> None:
    notion.put(A, "Title", block("paragraph", "Text."))
    source = workspace(notion, tmp_path)
    (item,) = source.list().items
    notion.found[A]["in_trash"] = True
    with pytest.raises(DocumentEmpty):
        source.read(item)


def test_customers_are_led_only_to_pages_that_are_published(
    notion: NotionServer, tmp_path: Path
) -> None:
    notion.put(A, "Inside", block("paragraph", "Text."))
    notion.put(B, "Outside", block("paragraph", "Text."), public_url="https://acme.notion.site/b")
    for audience, inside in (("public", ""), ("staff", f"https://www.notion.so/Inside-{A}")):
        source = opened("notion", tmp_path, Labels(audience), url=notion.url)
        urls = [source.read(item).about.url for item in source.list().items]
        assert urls == [inside, "https://acme.notion.site/b"]


def test_a_page_that_just_changed_is_read_once_more(notion: NotionServer, tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0).isoformat()
    notion.put(A, "Title", block("paragraph", "Text."), last_edited_time=now)
    before = workspace(notion, tmp_path).list().items[0].stamp
    settings = SourceSettings.model_validate(
        {"url": notion.url, "kind": "notion", "token": TOKEN, "allow_private": ["127.0.0.0/8"]}
    )
    later = notion_source.open_source(settings, Labels(), tmp_path, clock=lambda: time.time() + 600)
    settled = later.list().items[0].stamp
    assert settled != before
    assert later.list().items[0].stamp == settled


def test_too_many_blocks_are_a_failure_of_that_page(notion: NotionServer, tmp_path: Path) -> None:
    deep = block("paragraph", "Bottom.")
    for _ in range(40):
        deep = block("bulleted_list_item", "Level", deep)
    notion.put(A, "Deep", deep)
    source = workspace(notion, tmp_path)
    with pytest.raises(ParseFailed, match="deeper than 30"):
        source.read(source.list().items[0])


def test_requests_keep_to_three_a_second_in_the_long_run(
    notion: NotionServer, tmp_path: Path
) -> None:
    sleeps = Sleeps()
    for number in range(80):
        notion.put(f"{number:032x}", f"Title {number}")
    workspace(notion, tmp_path, sleeps=sleeps).list()
    assert len(notion.asked) == 40
    assert 5 < sum(sleeps.waits) < 7


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(KEYS, JSON, max_size=5), max_size=4))
def test_blocks_of_any_shape_are_written(told: list[dict[str, Any]]) -> None:
    blocks = [Block.of(each) for each in told]
    held = [each.holding(blocks) for each in blocks]
    assert isinstance(to_markdown(held), str)
    assert isinstance(plain_text(told) + rich_text(told), str)
