from __future__ import annotations

import io
import json
import os
import stat
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.describing import describe
from ingest.errors import ParseFailed
from ingest.parsers import parse
from ingest.plan import diff
from ingest.sources.base import Labels, RawDocument
from ingest.sources.containers import Content, Unfolded, unfold
from ingest.sources.exports import NotionName
from ingest.sources.files import FileSource
from knowledge.documents import Document


def zipped(files: dict[str, bytes | str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def lines(*records: object) -> bytes:
    return "\n".join(
        record if isinstance(record, str) else json.dumps(record) for record in records
    ).encode()


def contents(unfolded: Unfolded) -> dict[str, Content]:
    return {member.id: member.unpack() for member in unfolded.members.values()}


def reasons(unfolded: Unfolded) -> dict[str, str]:
    return {failure.uri: failure.reason for failure in unfolded.failures}


def article(**fields: object) -> Content:
    unfolded = unfold("a.jsonl", lines({"id": 1, "title": "T", "body": "B", **fields}))
    return contents(unfolded)["a.jsonl#1"]


def parse_content(content: Content) -> str:
    return parse(RawDocument("x", "s", content.ending, content.data)).text


# Articles --------------------------------------------------------------------------------------


def test_each_line_is_a_document_with_what_its_record_says(tmp_path: Path) -> None:
    record = {
        "id": 360001,
        "title": "Reset your password",
        "body": "<h2>Steps</h2><p>Open <b>Settings</b>.</p>",
        "html_url": "https://help.example.com/reset",
        "updated_at": "2026-03-04T10:00:00Z",
        "locale": "en-us",
        "labels": ["login", {"name": "security"}],
        "audience": "staff",
    }
    (tmp_path / "articles.jsonl").write_bytes(lines(record, {"slug": "b", "text": "Plain"}))
    source = FileSource(str(tmp_path), Labels())
    first, second = source.list().items
    assert [first.id, second.id] == ["articles.jsonl#360001", "articles.jsonl#b"]
    raw = source.read(first)
    document = describe(raw, parse(raw), "hash")
    assert document.title == "Reset your password"
    assert document.uri == "https://help.example.com/reset"
    assert document.modified_at == "2026-03-04T10:00:00+00:00"
    assert document.language == "en-us"
    assert document.tags == ("login", "security")
    assert document.audiences == {"staff"}
    assert parse(raw).text.strip() == "## Steps\n\nOpen **Settings**."
    assert (raw.stamp, source.read(second).stamp) == (first.stamp, second.stamp)


@pytest.mark.parametrize("key", ["articles", "documents", "items", "pages", None])
def test_a_list_of_articles_is_found_under_its_usual_names(key: str | None) -> None:
    records = [{"id": "a", "body": "A"}, {"id": "b", "body": "B"}]
    data = json.dumps({key: records} if key else records).encode()
    assert list(contents(unfold("x.json", data))) == ["x.json#a", "x.json#b"]


def test_a_file_with_one_article_is_one_document_of_its_own_name() -> None:
    data = json.dumps({"title": "Reset", "answer": "Press it."}).encode()
    assert list(contents(unfold("faq/reset.json", data))) == ["faq/reset.json"]


@pytest.mark.parametrize(
    "value", [{"name": "app", "dependencies": {}}, [1, 2], [], {"items": [{"sku": 3}]}, "text", 3]
)
def test_json_that_holds_no_articles_is_passed_over(value: object) -> None:
    unfolded = unfold("package.json", json.dumps(value).encode())
    assert dict(unfolded.skipped) == {"JSON files without articles": 1}
    assert not unfolded.failures


def test_a_bad_line_is_one_failed_document() -> None:
    unfolded = unfold(
        "a.jsonl",
        lines({"id": 1, "body": "x"}, '{"id": 7, "body": "cut', {"id": 3}, "[]", "", "\ufeff"),
    )
    assert list(unfolded.members) == ["a.jsonl#1"]
    assert set(reasons(unfolded)) == {"a.jsonl#7", "a.jsonl#3", "a.jsonl"}
    assert "line 2: not valid JSON" in reasons(unfolded)["a.jsonl#7"]
    assert "line 3: not an article" in reasons(unfolded)["a.jsonl#3"]
    assert "line 4: not an article" in reasons(unfolded)["a.jsonl"]


def test_a_question_without_an_id_is_known_by_its_address_or_its_words() -> None:
    records = [{"question": "Why?", "answer": "So."}, {"url": "https://x.example/a", "body": "x"}]
    unfolded = unfold("faq.json", json.dumps(records).encode())
    assert list(unfolded.members) == ["faq.json#Why?", "faq.json#https://x.example/a"]
    assert [member.path for member in unfolded.members.values()] == ["", ""]


def test_a_second_article_of_an_id_is_named() -> None:
    unfolded = unfold("a.jsonl", lines({"id": 1, "body": "x"}, {"id": 1, "body": "y"}))
    assert contents(unfolded)["a.jsonl#1"].data == b"x"
    assert "same id" in reasons(unfolded)["a.jsonl#1"]


@pytest.mark.parametrize(
    "fields", [{"draft": True}, {"published": False}, {"status": "Draft"}, {"state": "archived"}]
)
def test_drafts_are_passed_over(fields: dict[str, object]) -> None:
    unfolded = unfold("a.jsonl", lines({"id": 1, "body": "x", **fields}, {"id": 2, "body": "y"}))
    assert list(unfolded.members) == ["a.jsonl#2"]
    assert dict(unfolded.skipped) == {"drafts": 1}


@pytest.mark.parametrize("audience", [None, "", [], 3, {"a": 1}, ["a", 3]])
def test_an_audience_that_cannot_be_read_closes_the_article(audience: object) -> None:
    assert article(audience=audience).about.audiences == frozenset()
    assert article(visibility="customer-a").about.audiences == {"customer-a"}


@pytest.mark.parametrize(
    ("fields", "ending"),
    [
        ({"body": "<p>Hello</p>"}, ".html"),
        ({"body": "Hello<br>you"}, ".html"),
        ({"body": "a < b and c > d, `<p>`"}, ".html"),
        ({"body": "a < b and # c > d"}, ".md"),
        ({"body": "<p>Hello</p>", "format": "markdown"}, ".md"),
        ({"body": "Hello", "format": "html"}, ".html"),
        ({"body": "Hello", "format": "text"}, ".txt"),
        ({"body": None, "html": "Hello"}, ".html"),
        ({"body": None, "markdown": "<p>x"}, ".md"),
        ({"body": None, "text": "Hello"}, ".txt"),
        ({"body": None, "content": {"rendered": "<p>x</p>"}}, ".html"),
    ],
)
def test_the_format_is_said_or_told_by_its_tags(fields: dict[str, object], ending: str) -> None:
    assert article(**fields).ending == ending


@pytest.mark.parametrize("body", ["<h1>One</h1><p>a</p><h1>Two</h1>", "# One\n\na\n\n# Two\n"])
def test_headings_of_the_body_stay_below_the_title_of_the_record(body: str) -> None:
    source = article(body=body)
    text = parse_content(source)
    assert "# One" in text
    assert "# Two" in text


def test_seconds_since_1970_are_a_date() -> None:
    assert article(updated_at=1772618400).about.modified_at == "2026-03-04T10:00:00+00:00"


def test_a_last_day_that_is_no_date_fails_the_article_alone(tmp_path: Path) -> None:
    records = [{"id": 1, "body": "x", "valid_until": "soon"}, {"id": 2, "body": "y"}]
    (tmp_path / "a.jsonl").write_bytes(lines(*records))
    listing = FileSource(str(tmp_path), Labels()).list()
    assert [item.id for item in listing.items] == ["a.jsonl#2"]
    assert [failure.uri for failure in listing.failures] == ["a.jsonl#1"]


@pytest.mark.parametrize(
    "data", [b"[" * 100_000, b'{"articles": [', b"\xff\xfe\x00", b'[{"id": ' + b"9" * 5000 + b"}]"]
)
def test_json_that_cannot_be_read_is_one_failure_of_the_file(data: bytes) -> None:
    unfolded = unfold("a.json", data)
    assert [failure.uri for failure in unfolded.failures] == ["a.json"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_lines_are_read_in_any_unicode_form(encoding: str) -> None:
    data = '{"id": 1, "body": "Größe"}\r\n{"id": 2, "body": "日本"}\r\n'.encode(encoding)
    made = contents(unfold("a.ndjson", data))
    assert [content.data.decode() for content in made.values()] == ["Größe", "日本"]


def test_half_characters_of_json_harm_nothing() -> None:
    made = contents(unfold("a.jsonl", rb'{"id": "\ud800", "title": "\ud800", "body": "a\udfff"}'))
    assert list(made) == ["a.jsonl#%ED%A0%80"]


@given(st.binary(max_size=200))
def test_any_bytes_are_unfolded_or_a_reason(data: bytes) -> None:
    for name in ("a.json", "a.jsonl", "a.zip"):
        for member in unfold(name, data).members.values():
            assert member.unpack().data is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "title", "body", "tags", "items", "url"]), inner)
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_unfolded_or_a_reason(value: object) -> None:
    for name in ("a.json", "a.jsonl"):
        for member in unfold(name, json.dumps(value).encode()).members.values():
            assert member.unpack().stamp


# ZIP -------------------------------------------------------------------------------------------


def test_an_archive_lists_its_documents_as_a_folder_would(tmp_path: Path) -> None:
    data = zipped(
        {
            "guide/a.md": "# A",
            "b.html": "<p>B",
            "more.jsonl": '{"id": 1, "body": "x"}',
            ".git/x.md": "",
            "node_modules/y.md": "",
            "id_rsa.txt": "",
            "pic.png": "",
            "__MACOSX/guide/._a.md": "",
            "guide/": "",
        }
    )
    (tmp_path / "docs.zip").write_bytes(data)
    source = FileSource(str(tmp_path), Labels(base_url="https://x.example/kb"))
    listing = source.list()
    assert [item.id for item in listing.items] == [
        *("docs.zip/b.html", "docs.zip/guide/a.md", "docs.zip/more.jsonl#1")
    ]
    assert dict(listing.skipped) == {
        "hidden": 1,
        "node_modules folders": 1,
        "private keys": 1,
        ".png files": 1,
        "__MACOSX folders": 1,
    }
    raw = source.read(listing.items[1])
    assert (raw.data, raw.ending) == (b"# A", ".md")
    assert describe(raw, parse(source.read(listing.items[0])), "").uri == (
        "https://x.example/kb/guide/a"
    )


def test_one_changed_member_is_one_changed_document(tmp_path: Path) -> None:
    path = tmp_path / "docs.zip"
    source = FileSource(str(tmp_path), Labels(), tmp_path / "home")
    path.write_bytes(zipped({"a.md": "one", "b.md": "two"}))
    before = {item.id: item.stamp for item in source.list().items}
    path.write_bytes(zipped({"a.md": "one", "b.md": "three"}))
    after = {item.id: item.stamp for item in source.list().items}
    assert before["docs.zip/a.md"] == after["docs.zip/a.md"]
    assert before["docs.zip/b.md"] != after["docs.zip/b.md"]


def test_a_member_is_read_as_it_is_now(tmp_path: Path) -> None:
    path = tmp_path / "docs.zip"
    source = FileSource(str(tmp_path), Labels())
    path.write_bytes(zipped({"a.md": "one", "b.md": "two"}))
    first, second = source.list().items
    assert source.read(first).data == b"one"
    path.write_bytes(zipped({"a.md": "three, longer"}))
    assert source.read(first).data == b"three, longer"
    with pytest.raises(ParseFailed, match="no longer"):
        source.read(second)


def test_an_archive_in_an_archive_is_read_and_no_deeper(tmp_path: Path) -> None:
    inner = zipped({"deep.zip": zipped({"c.md": "C"}), "b.md": "B"})
    unfolded = unfold("a.zip", zipped({"inner.zip": inner}))
    assert list(unfolded.members) == ["a.zip/inner.zip/b.md"]
    assert "unpack it first" in reasons(unfolded)["a.zip/inner.zip/deep.zip"]


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("../../etc/a.md", "z.zip/etc/a.md"),
        ("/etc/a.md", "z.zip/etc/a.md"),
        ("C:\\Users\\x\\..\\a.md", "z.zip/Users/x/a.md"),
        ("./a//b.md", "z.zip/a/b.md"),
        ("a\u202eb.md", "z.zip/a%E2%80%AEb.md"),
    ],
)
def test_names_in_an_archive_are_only_names(name: str, made: str) -> None:
    unfolded = unfold("z.zip", zipped({name: "x"}))
    assert list(unfolded.members) == [made]
    assert contents(unfolded)[made].data == b"x"


def test_names_that_are_alike_after_all_are_one_document_and_a_failure() -> None:
    unfolded = unfold("z.zip", zipped({"a.md": "x", "../a.md": "y"}))
    assert contents(unfolded)["z.zip/a.md"].data == b"x"
    assert "same id" in reasons(unfolded)["z.zip/a.md"]


def test_links_in_an_archive_are_passed_over() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        link = zipfile.ZipInfo("a.md")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert dict(unfold("z.zip", packed.getvalue()).skipped) == {"links in archives": 1}


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = zipped({"a.txt": b"0" * 50_000_000})
    assert "unpacks to" in reasons(unfold("z.zip", bomb))["z.zip"]
    inner = {
        f"{n}.zip": zipped({"a.txt": os.urandom(40_000) + b"0" * 3_000_000}) for n in range(80)
    }
    assert "unpack to more" in " ".join(reasons(unfold("z.zip", zipped(inner))).values())


def test_one_member_that_is_too_large_is_one_failure() -> None:
    data = zipped({"a.md": "x", "big.txt": os.urandom(1024) * 21 * 1024})
    noise = zipped({"a.md": "x", "big.txt": b"".join(os.urandom(2**20) for _ in range(21))})
    assert "unpacks to" in reasons(unfold("z.zip", data))["z.zip"]
    unfolded = unfold("z.zip", noise)
    assert list(unfolded.members) == ["z.zip/a.md"]
    assert "larger than 20 MB" in reasons(unfolded)["z.zip/big.txt"]


def test_a_damaged_archive_keeps_what_was_in_it_before(tmp_path: Path) -> None:
    (tmp_path / "z.zip").write_bytes(zipped({"a.md": "x"})[:40])
    (tmp_path / "b.jsonl").write_bytes(b'{"id": 1, "body": "x"}\n{"cut')
    listing = FileSource(str(tmp_path), Labels()).list()
    ids = ("z.zip/a.md", "z.zip/c.jsonl#1", "b.jsonl#2", "gone.md")
    held = {id_: Document(id_, "T", "u", "s", "h") for id_ in ids}
    assert diff([listing], held, "e").removed == ("gone.md",)


# Notion ----------------------------------------------------------------------------------------

WIKI = "1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d"
START = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
TASKS = "99887766554433221100ffeeddccbbaa"
PAGE = f"""# Getting started

Last edited time: March 4, 2026 5:12 PM
Tags: onboarding, setup
Status: Done
Audience: staff, partners

Read [the wiki](../Team%20Wiki%20{WIKI}.md) and [the site](https://x.example/{WIKI}).
"""


def notion(title: str = "Getting started") -> bytes:
    folder = f"Team Wiki {WIKI}"
    inner = zipped(
        {
            f"{folder}.md": "# Team Wiki\n\nHello.\n",
            f"{folder}/{title} {START}.md": PAGE.replace("Getting started", title),
        }
    )
    part = "ExportBlock-0b8e7a11-1111-2222-3333-444455556666-Part-1.zip"
    return zipped({part: inner})


def test_a_notion_page_is_known_by_its_id_and_says_its_properties() -> None:
    made = contents(unfold("wiki.zip", notion()))
    assert list(made) == [f"wiki.zip/{WIKI}.md", f"wiki.zip/{START}.md"]
    page = made[f"wiki.zip/{START}.md"]
    assert page.about.modified_at == "2026-03-04T17:12:00"
    assert page.about.tags == ("onboarding", "setup")
    assert page.about.audiences == {"staff", "partners"}
    text = parse_content(page)
    assert "Status: Done" in text
    assert "Last edited" not in text
    assert f"Read the wiki and [the site](https://x.example/{WIKI})." in text


def test_a_notion_page_that_was_renamed_is_the_same_document() -> None:
    before, after = unfold("wiki.zip", notion()), unfold("wiki.zip", notion("Begin here"))
    assert list(before.members) == list(after.members)


def test_a_notion_page_without_a_heading_is_titled_by_its_name_without_the_id() -> None:
    unfolded = unfold("w.zip", zipped({f"How to {WIKI}.md": "Just text.\n"}))
    assert contents(unfolded)[f"w.zip/{WIKI}.md"].about.title == "How to"


def test_an_archive_in_which_some_page_has_no_id_is_no_notion_export() -> None:
    unfolded = unfold("w.zip", zipped({f"A {WIKI}.md": "x", "b.md": "y"}))
    assert list(unfolded.members) == [f"w.zip/A {WIKI}.md", "w.zip/b.md"]


def test_a_view_of_a_notion_database_gives_way_to_the_whole() -> None:
    files = {f"Tasks {TASKS}.csv": "a", f"Tasks {TASKS}_all.csv": "b", f"A {WIKI}.md": "# A"}
    unfolded = unfold("w.zip", zipped(files))
    assert f"w.zip/{WIKI}.md" in unfolded.members
    assert sum(id_.endswith(".csv") for id_ in unfolded.members) < 2


def test_the_table_of_contents_of_a_confluence_space_is_passed_over() -> None:
    files = {f"DOCS/{name}": "x" for name in ("index.html", "Home_65601.html", "styles/site.css")}
    unfolded = unfold("space.zip", zipped(files))
    assert list(unfolded.members) == ["space.zip/DOCS/Home_65601.html"]
    assert unfolded.skipped["tables of contents"] == 1


def test_a_name_of_blanks_is_told_from_a_notion_page_at_once() -> None:
    began = time.process_time()
    assert NotionName.of(" " * 60_000 + "x.md") is None
    assert time.process_time() - began < 1
