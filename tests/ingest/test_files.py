from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ingest.errors import ParseFailed, SourceUnusable
from ingest.sources import base, files
from ingest.sources.base import Labels
from ingest.sources.files import FileSource


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
        *("server.pem", "id_rsa.txt", "paper.pdf", "LICENSE", "good.md"),
    ):
        write(tmp_path / name)
    listing = source(tmp_path).list()
    assert [item.id for item in listing.items] == ["good.md"]
    assert dict(listing.skipped) == {
        "hidden": 3,
        "node_modules folders": 1,
        "private keys": 2,
        ".pdf files": 1,
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


def test_a_glob_lists_what_it_matches(tmp_path: Path) -> None:
    for name in ("docs/a.md", "docs/en/b.md", "docs/en/c.txt", "docs/en/deep/d.md"):
        write(tmp_path / name)
    assert ids(tmp_path / "docs" / "*.md") == ["a.md"]
    assert ids(tmp_path / "docs" / "**" / "*.md") == ["a.md", "en/b.md", "en/deep/d.md"]
    assert ids(tmp_path / "*" / "en" / "?.*") == ["docs/en/b.md", "docs/en/c.txt"]


def test_a_folder_whose_name_looks_like_a_glob_is_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "docs [new]" / "a.md")
    assert ids(tmp_path / "docs [new]") == ["a.md"]


@pytest.mark.parametrize("name", ["missing", "paper.pdf", "nul\0l", "x" * 5000])
def test_what_is_no_source_is_refused_by_name(tmp_path: Path, name: str) -> None:
    write(tmp_path / "paper.pdf")
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
