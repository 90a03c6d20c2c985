from __future__ import annotations

import os
import socket
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.errors import ParseFailed, SourceUnusable
from ingest.parsers import PARSERS_VERSION
from ingest.sources import base, files
from ingest.sources.base import Labels
from ingest.sources.files import FileSource
from ingest.sources.state import SourceState
from ingest.sources.tree import Tree


def source(path: Path | str) -> FileSource:
    return FileSource(str(path), Labels())


def ids(path: Path | str) -> list[str]:
    return [item.id for item in source(path).list().items]


def write(path: Path, text: str = "text") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_folder_lists_its_documents_by_relative_path_in_order(tmp_path: Path) -> None:
    for name in ("b.md", "a/z.html", "a/b.txt", "c.MD"):
        write(tmp_path / name)
    assert ids(tmp_path) == ["a/b.txt", "a/z.html", "b.md", "c.MD"]


def test_a_single_file_has_its_name_as_id(tmp_path: Path) -> None:
    path = write(tmp_path / "deep" / "guide.md", "# Guide")
    only = source(path)
    (item,) = only.list().items
    assert item.id == "guide.md"
    assert only.read(item).data == b"# Guide"


def test_hidden_names_dependencies_and_keys_are_passed_over_and_said(tmp_path: Path) -> None:
    for name in (
        *(".env", ".env.md", ".git/readme.md", "node_modules/x/readme.md"),
        *("server.pem", "id_rsa.txt", "photo.jpg", "LICENSE", "good.md"),
    ):
        write(tmp_path / name)
    listing = source(tmp_path).list()
    assert [item.id for item in listing.items] == ["good.md"]
    assert dict(listing.skipped) == {
        "hidden": 3,
        "node_modules folders": 1,
        "private keys": 2,
        ".jpg files": 1,
        "files without ending": 1,
    }


def test_nothing_outside_the_folder_is_read_through_links(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside" / "secret.md")
    root = tmp_path / "docs"
    write(root / "real.md")
    (root / "inside.md").symlink_to(root / "real.md")
    (root / "secret.md").symlink_to(outside)
    (root / "folder").symlink_to(outside.parent)
    (root / "loop").symlink_to(root)
    (root / "broken.md").symlink_to(root / "nowhere.md")
    (root / "itself").symlink_to(root / "itself")
    listing = source(root).list()
    assert [item.id for item in listing.items] == ["inside.md", "real.md"]
    assert dict(listing.skipped) == {
        "links to outside of the folder": 1,
        "linked folders, which are not followed": 2,
        "broken links": 2,
    }


def test_pipes_and_sockets_are_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.md"))
        assert dict(source(tmp_path).list().skipped) == {"pipes, sockets and devices": 2}


def test_names_that_are_no_text_get_an_id_that_is(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.md")).write_text("one")
    write(tmp_path / "two\nlines.md", "two")
    folder = source(tmp_path)
    items = folder.list().items
    assert [item.id for item in items] == ["caf%E9.md", "two%0Alines.md"]
    assert [folder.read(item).data for item in items] == [b"one", b"two"]


def test_a_file_over_the_limit_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    with (tmp_path / "huge.txt").open("wb") as file:
        file.truncate(base.MAX_DOCUMENT_BYTES + 1)
    listing = source(tmp_path).list()
    assert listing.items == ()
    (failure,) = listing.failures
    assert failure.uri == "huge.txt"
    assert "larger than 20 MB" in failure.reason


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_folder_is_a_failure_for_all_below_it(tmp_path: Path) -> None:
    locked = write(tmp_path / "locked" / "a.md").parent
    write(tmp_path / "b.md")
    locked.chmod(0)
    listing = source(tmp_path).list()
    locked.chmod(0o700)
    assert [item.id for item in listing.items] == ["b.md"]
    assert [failure.uri for failure in listing.failures] == ["locked/"]


def test_a_file_that_vanished_after_listing_is_a_failure_of_that_file(tmp_path: Path) -> None:
    folder = source(tmp_path)
    path = write(tmp_path / "a.md")
    (item,) = folder.list().items
    path.unlink()
    with pytest.raises(ParseFailed, match="No such file"):
        folder.read(item)


def test_a_file_swapped_for_a_link_or_a_pipe_after_listing_is_never_followed(
    tmp_path: Path,
) -> None:
    outside = write(tmp_path / "outside" / "secret.md")
    paths = [write(tmp_path / "docs" / name) for name in ("a.md", "b.md", "c.md")]
    folder = source(tmp_path / "docs")
    items = folder.list().items
    for path in paths:
        path.unlink()
    paths[0].symlink_to(outside)
    os.mkfifo(paths[1])
    paths[2].mkdir()
    for item, why in zip(items, ("outside", "not a plain file", "not a plain file"), strict=True):
        with pytest.raises(ParseFailed, match=why):
            folder.read(item)


def test_a_folder_swapped_for_a_link_after_listing_is_never_followed(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside" / "a.md", "secret").parent
    inner = write(tmp_path / "docs" / "deep" / "a.md", "open").parent
    folder = source(tmp_path / "docs")
    (item,) = folder.list().items
    inner.rename(tmp_path / "away")
    inner.symlink_to(outside)
    with pytest.raises(ParseFailed, match="outside"):
        folder.read(item)


def test_no_traversal_in_a_name_leaves_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "secret.md")
    folder = source(write(tmp_path / "docs" / "a.md").parent)
    (item,) = folder.list().items
    for place in ("../secret.md", "x/../../secret.md", str(tmp_path / "secret.md"), "a.md/x"):
        with pytest.raises(ParseFailed):
            folder.read(replace(item, place=place))


def test_a_file_that_says_it_is_empty_is_read_up_to_the_limit(tmp_path: Path) -> None:
    data, found = Tree(Path("/proc/self"), files.ENDINGS).read("status", 100_000)
    assert found.st_size == 0
    assert data
    with pytest.raises(ParseFailed, match="larger than"):
        Tree(Path("/proc/self"), files.ENDINGS).read("status", 10)


def test_a_name_of_255_bytes_is_listed_and_read(tmp_path: Path) -> None:
    write(tmp_path / ("é" * 126 + ".md"), "long")
    folder = source(tmp_path)
    (item,) = folder.list().items
    assert folder.read(item).data == b"long"


def test_an_unchanged_file_is_not_read_again_and_a_changed_one_is(tmp_path: Path) -> None:
    home, docs = tmp_path / "home", tmp_path / "docs"
    for name in ("a.md", "b.md"):
        write(docs / name, "one")
    zipped = docs / "c.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("x.md", "one")
    time.sleep(2.1)  # only what has not changed for two seconds is trusted
    first = {item.id: item.stamp for item in FileSource(str(docs), Labels(), home).list().items}
    (state,) = (home / "sources").iterdir()
    state.write_text(state.read_text().replace(first["a.md"], "remembered"))
    write(docs / "b.md", "two")  # of the same size
    second = {item.id: item.stamp for item in FileSource(str(docs), Labels(), home).list().items}
    assert second["a.md"] == "remembered" != first["a.md"]
    assert second["b.md"] != first["b.md"]


def test_what_is_remembered_wrongly_is_read_again(tmp_path: Path) -> None:
    home, docs = tmp_path / "home", write(tmp_path / "docs" / "a.md").parent
    expected = source(docs).list().items[0].stamp
    listing = FileSource(str(docs), Labels(), home)
    state = SourceState.of(home, f"files:{docs}")
    for rows in ({}, [], None, {"a.md": None}, {"a.md": [[1], "x"]}, {"a.md": [[], 1, 2, 3]}):
        state.save({"version": f"1/{PARSERS_VERSION}", "files": rows})
        assert [item.stamp for item in listing.list().items] == [expected]


def test_a_file_that_just_changed_is_not_remembered(tmp_path: Path) -> None:
    home, docs = tmp_path / "home", write(tmp_path / "docs" / "a.md").parent
    FileSource(str(docs), Labels(), home).list()
    assert not SourceState.of(home, f"files:{docs}").load().get("files")


def test_a_glob_lists_what_it_matches(tmp_path: Path) -> None:
    for name in ("docs/a.md", "docs/en/b.md", "docs/en/c.txt", "docs/en/deep/d.md"):
        write(tmp_path / name)
    assert ids(tmp_path / "docs" / "*.md") == ["a.md"]
    assert ids(tmp_path / "docs" / "**" / "*.md") == ["a.md", "en/b.md", "en/deep/d.md"]
    assert ids(tmp_path / "*" / "en" / "?.*") == ["docs/en/b.md", "docs/en/c.txt"]


def test_a_folder_whose_name_looks_like_a_glob_is_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "docs [new]" / "a.md")
    assert ids(tmp_path / "docs [new]") == ["a.md"]


@pytest.mark.parametrize("name", ["missing", "photo.jpg", "nul\0l", "x" * 5000])
def test_what_is_no_source_is_refused_by_name(tmp_path: Path, name: str) -> None:
    write(tmp_path / "photo.jpg")
    with pytest.raises(SourceUnusable):
        source(tmp_path / name)


def test_the_stamp_changes_with_content_names_and_number(tmp_path: Path) -> None:
    folder = source(tmp_path)
    stamps = {folder.stamp()}
    path = write(tmp_path / "a.md", "one")
    stamps.add(folder.stamp())
    path.write_text("longer")
    stamps.add(folder.stamp())
    path.rename(tmp_path / "b.md")
    stamps.add(folder.stamp())
    assert len(stamps) == 4
    assert folder.stamp() in stamps


def test_every_known_ending_has_a_parser() -> None:
    assert {".md", ".html", ".txt"} <= files.ENDINGS
