from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import DocumentEmpty, ParseFailed, SourceUnusable
from ingest.parsers import parse
from ingest.sources.confluence_storage import Wiki, to_html
from ingest.sources.system import ApiSource
from tests.ingest.raw import parsed
from tests.ingest.systems import opened
from tests.servers.knowledge_systems import ConfluenceServer

WIKI = Wiki("https://acme.atlassian.net/wiki", "HELP")


@pytest.fixture
def confluence() -> Iterator[ConfluenceServer]:
    with ConfluenceServer() as server:
        yield server


def space(server: ConfluenceServer, home: Path, path: str = "/wiki/spaces/HELP") -> ApiSource:
    return opened("confluence", home, url=server.url + path, user="bot@example.com")


def closed(source: ApiSource) -> dict[str, bool]:
    """Return by title whether a page is for the staff only."""
    abouts = [source.read(item).about for item in source.list().items]
    assert all(about.audiences in (None, frozenset()) for about in abouts)
    return {about.title: about.audiences is not None for about in abouts}


def markdown(storage: str) -> str:
    return parsed("page.html", f"<body>{to_html(storage, WIKI)}</body>").text


def macro(name: str, body: str = "", **parameters: str) -> str:
    told = "".join(
        f'<ac:parameter ac:name="{key}">{value}</ac:parameter>' for key, value in parameters.items()
    )
    return f'<ac:structured-macro ac:name="{name}">{told}{body}</ac:structured-macro>'


def rich(text: str) -> str:
    return f"<ac:rich-text-body>{text}</ac:rich-text-body>"


def plain(text: str) -> str:
    return f"<ac:plain-text-body><![CDATA[{text}]]></ac:plain-text-body>"


def test_a_page_has_its_address_title_time_and_labels(
    confluence: ConfluenceServer, tmp_path: Path
) -> None:
    confluence.put("12", "Refund rules", "<p>Within 30 days.</p>")
    confluence.labels["12"] = ["billing", "faq"]
    source = space(confluence, tmp_path)
    (item,) = source.list().items
    raw = source.read(item)
    assert item.id == f"{confluence.url}/wiki/pages/viewpage.action?pageId=12"
    assert raw.about.url == f"{confluence.url}/wiki/spaces/HELP/pages/12/Refund+rules"
    assert (raw.about.title, raw.about.tags) == ("Refund rules", ("billing", "faq"))
    assert raw.about.modified_at == "2025-01-01T00:00:00.000Z"
    assert parse(raw).text == "Within 30 days."


def test_a_restricted_page_and_all_below_it_are_for_the_staff(
    confluence: ConfluenceServer, tmp_path: Path
) -> None:
    confluence.put("1", "Home", "<p>Text.</p>")
    confluence.put("2", "Salaries", "<p>Text.</p>", parentId="1")
    confluence.put("3", "Bonus", "<p>Text.</p>", parentId="2")
    confluence.put("4", "Refunds", "<p>Text.</p>", parentId="1")
    confluence.readers["2"] = ["boss"]
    assert closed(space(confluence, tmp_path)) == {
        "Home": False,
        "Salaries": True,
        "Bonus": True,
        "Refunds": False,
    }


def test_a_restriction_alone_changes_the_stamps_of_all_below(
    confluence: ConfluenceServer, tmp_path: Path
) -> None:
    confluence.put("1", "Home", "<p>Text.</p>")
    confluence.put("2", "Below", "<p>Text.</p>", parentId="1")
    confluence.put("3", "Beside", "<p>Text.</p>")
    before = {item.id: item.stamp for item in space(confluence, tmp_path).list().items}
    confluence.readers["1"] = ["boss"]
    after = {item.id: item.stamp for item in space(confluence, tmp_path).list().items}
    changed = [id_.rpartition("=")[2] for id_ in before if before[id_] != after[id_]]
    assert changed == ["1", "2"]


@pytest.mark.parametrize(
    ("readers", "is_known", "is_closed"),
    [([], True, False), (["boss"], True, True), ([], False, True)],
    ids=["open", "restricted", "not to be seen"],
)
def test_a_page_in_a_folder_is_as_closed_as_the_folder(
    confluence: ConfluenceServer,
    tmp_path: Path,
    readers: list[str],
    is_known: bool,
    is_closed: bool,
) -> None:
    if is_known:
        confluence.folders["70"] = {"id": "70", "parentId": None}
    confluence.readers["70"] = readers
    confluence.put("1", "Page", "<p>Text.</p>", parentId="70", parentType="folder")
    assert closed(space(confluence, tmp_path)) == {"Page": is_closed}


def test_a_page_that_the_search_does_not_know_yet_is_looked_up(
    confluence: ConfluenceServer, tmp_path: Path
) -> None:
    confluence.put("1", "Open", "<p>Text.</p>")
    confluence.put("2", "Secret", "<p>Text.</p>")
    confluence.readers["2"] = ["boss"]
    confluence.unsearched = {"1", "2"}
    assert closed(space(confluence, tmp_path)) == {"Open": False, "Secret": True}


def test_parents_in_a_circle_close_a_page(confluence: ConfluenceServer, tmp_path: Path) -> None:
    confluence.put("1", "One", "<p>Text.</p>", parentId="2")
    confluence.put("2", "Two", "<p>Text.</p>", parentId="1")
    assert closed(space(confluence, tmp_path)) == {"One": True, "Two": True}


def test_a_page_that_was_withdrawn_is_removed_when_it_is_read(
    confluence: ConfluenceServer, tmp_path: Path
) -> None:
    confluence.put("1", "One", "<p>Text.</p>")
    source = space(confluence, tmp_path)
    (item,) = source.list().items
    confluence.pages["1"]["status"] = "trashed"
    with pytest.raises(DocumentEmpty):
        source.read(item)


@pytest.mark.parametrize("path", ["", "/wiki", "/wiki/spaces", "/wiki/spaces/A%22%20or%20B"])
def test_an_address_without_a_space_is_refused(
    confluence: ConfluenceServer, tmp_path: Path, path: str
) -> None:
    with pytest.raises(SourceUnusable, match="/wiki/spaces/KEY"):
        space(confluence, tmp_path, path)


def test_an_unknown_space_is_unusable(confluence: ConfluenceServer, tmp_path: Path) -> None:
    with pytest.raises(SourceUnusable, match="no space 'NONE'"):
        space(confluence, tmp_path, "/wiki/spaces/NONE").list()


def test_code_keeps_its_characters_and_language() -> None:
    storage = macro(
        "code", plain("if a &lt; b &nbsp; <c>:\n    pass"), language="python", title="x.py"
    )
    assert markdown(storage) == ("**x.py**\n\n```python\nif a &lt; b &nbsp; <c>:\n    pass\n```")


@pytest.mark.parametrize(
    ("storage", "expected"),
    [
        (macro("warning", rich("<p>Never.</p>")), "> **Warning**\n>\n> Never."),
        (macro("panel", rich("<p>Text.</p>"), title="Plan"), "> **Plan**\n>\n> Text."),
        (macro("expand", rich("<p>Hidden.</p>"), title="More"), "**More**\n\nHidden."),
        (macro("excerpt", rich("<p>Kept.</p>")), "Kept."),
        (macro("excerpt", rich("<p>Unseen.</p>"), hidden="true") + "<p>Seen.</p>", "Seen."),
        (f"<p>Now {macro('status', title='BETA')} ready</p>", "Now BETA ready"),
        (macro("toc") + "<p>Text.</p>" + macro("children"), "Text."),
        (macro("unknown", rich("<p>Kept too.</p>")), "Kept too."),
        ("<p>a&nbsp;b &eacute; &amp;amp; &unknown; c</p>", "a\xa0b é &amp; unknown c"),
        ("<p>due <time datetime='2025-01-31' /></p>", "due 2025-01-31"),
        ("<p>a<!-- told --> b</p>", "a b"),
        (
            "<ac:layout><ac:layout-cell><p>In a cell.</p></ac:layout-cell></ac:layout>",
            "In a cell.",
        ),
        ("<ac:adf-node>2</ac:adf-node><ac:adf-fallback>once</ac:adf-fallback>", "once"),
        ("<p>a <ac:inline-comment-marker>b</ac:inline-comment-marker> c</p>", "a b c"),
        ("<p>Text.<ac:placeholder>type here</ac:placeholder></p>", "Text."),
    ],
)
def test_macros_read_as_they_are_seen(storage: str, expected: str) -> None:
    assert markdown(storage) == expected


def test_tasks_become_a_list_with_marks() -> None:
    tasks = "".join(
        f"<ac:task><ac:task-id>{n}</ac:task-id><ac:task-status>{status}</ac:task-status>"
        f"<ac:task-body><span>Task {n}</span></ac:task-body></ac:task>"
        for n, status in ((1, "complete"), (2, "incomplete"))
    )
    assert markdown(f"<ac:task-list>{tasks}</ac:task-list>") == "- [x] Task 1\n- [ ] Task 2"


def test_links_to_pages_lead_there_and_others_keep_their_text() -> None:
    page = '<ri:page ri:content-title="Refund rules"/>'
    other = '<ri:page ri:content-title="A/B" ri:space-key="ENG"/>'
    cdata = "<ac:plain-text-link-body><![CDATA[our <rules>]]></ac:plain-text-link-body>"
    storage = (
        f"<p><ac:link>{page}{cdata}</ac:link>, <ac:link>{other}</ac:link>, "
        f"<ac:link>{page}<ac:link-body><em>these</em></ac:link-body></ac:link>, "
        '<ac:link><ri:attachment ri:filename="a.pdf"/></ac:link>'
        '<ac:link><ri:user ri:account-id="1"/></ac:link>.</p>'
    )
    assert markdown(storage) == (
        "[our <rules>](https://acme.atlassian.net/wiki/display/HELP/Refund+rules), "
        "[A/B](https://acme.atlassian.net/wiki/display/ENG/A%2FB), "
        "[these](https://acme.atlassian.net/wiki/display/HELP/Refund+rules), a.pdf."
    )


@pytest.mark.parametrize(
    "storage",
    [
        "<p>open",
        "</root><p>x</p>",
        '<!DOCTYPE a [<!ENTITY b "c">]><p>&b;</p>',
        "<p>" * 400 + "</p>" * 400,
        "x" * 6_000_000,
        "\x00",
    ],
    ids=["open", "closed too often", "entities", "deep", "large", "null"],
)
def test_what_is_no_storage_format_is_a_failure_of_that_page(storage: str) -> None:
    with pytest.raises(ParseFailed):
        to_html(storage, WIKI)


def test_a_hostile_title_stays_text(confluence: ConfluenceServer, tmp_path: Path) -> None:
    confluence.put("1", "</h1><script>x</script>", "<p>Text.</p>")
    source = space(confluence, tmp_path)
    raw: Any = source.read(source.list().items[0])
    assert parse(raw).text == "Text."


TAGS = st.sampled_from(
    [
        *("<ac:structured-macro ac:name='code'>", "<ac:structured-macro ac:name='info'>"),
        *("</ac:structured-macro>", "<ac:rich-text-body>", "</ac:rich-text-body>", "<p>", "</p>"),
        *("<ac:link>", "</ac:link>", "<ri:page ri:content-title='A'/>", "<ac:task/>", "<!-- -->"),
        *("<ac:parameter ac:name='title'>x</ac:parameter>", "<![CDATA[", "]]>", "&nbsp;", "text"),
        *("<ac:image/>", "<ac:placeholder>", "</ac:placeholder>", "<?pi?>", "<ri:user/>"),
    ]
)


@given(st.lists(TAGS | st.text(max_size=5), max_size=12).map("".join))
def test_any_storage_is_read_or_is_a_failure_of_that_page(storage: str) -> None:
    try:
        html = to_html(storage, WIKI)
    except ParseFailed:
        return
    assert "<ac:" not in html
    assert "<ri:" not in html
