from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from ingest.config import SourceSettings
from ingest.errors import SourceUnusable
from ingest.sources.base import Labels
from ingest.sources.given import open_sources

HOME = Path("unused")


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "docs" / "staff").mkdir(parents=True)
    (tmp_path / "docs" / "staff" / "a.md").write_text("x")
    return tmp_path / "docs"


def test_without_sources_the_message_says_what_to_do() -> None:
    with pytest.raises(SourceUnusable, match=r"supportbot\.toml"):
        open_sources([], [], HOME)


def test_configured_sources_are_taken_where_none_is_given(docs: Path) -> None:
    configured = SourceSettings(path=str(docs), base_url="https://help.example/kb", audience="a")
    (source,) = open_sources([], [configured], HOME)
    assert source.name == str(docs)
    assert source.labels.audience == "a"
    assert source.labels.base_url == "https://help.example/kb"


@pytest.mark.parametrize("inside", ["", "a.md"])
def test_a_staff_folder_named_by_hand_stays_with_the_staff(docs: Path, inside: str) -> None:
    configured = [
        SourceSettings(path=str(docs)),
        SourceSettings(path=str(docs / "staff"), audience="staff"),
    ]
    (source,) = open_sources([str(docs / "staff" / inside)], configured, HOME)
    assert source.labels.audience == "staff"


def test_a_source_that_is_given_twice_is_taken_once(docs: Path) -> None:
    assert len(open_sources([str(docs), str(docs)], [], HOME)) == 1


@pytest.mark.parametrize("address", ["ftp://example.com/a", "https://", "file:///etc/passwd"])
def test_an_address_that_cannot_be_fetched_is_refused(address: str) -> None:
    with pytest.raises(SourceUnusable, match="http"):
        open_sources([address], [], HOME)


def test_a_path_named_by_hand_takes_all_labels_of_its_source(docs: Path) -> None:
    configured = SourceSettings(
        path=str(docs), tags=("a",), owner="docs team", version="4", valid_until=date(2030, 1, 31)
    )
    (source,) = open_sources([str(docs / "staff")], [configured], HOME)
    assert source.labels == Labels(
        tags=("a",), owner="docs team", version="4", valid_until="2030-01-31"
    )


@pytest.mark.parametrize(
    ("place", "key", "value", "kinds"),
    [
        ({"url": "https://help.example/a"}, "branch", "main", "git"),
        ({"path": "docs"}, "folder", "guide", "git"),
        ({"url": "https://help.example/a.git"}, "include", ["/a/*"], "sitemap and crawl"),
        ({"url": "https://help.example/sitemap.xml"}, "max_depth", 2, "crawl"),
        ({"url": "https://x.example", "kind": "zendesk"}, "allow_hosts", ["a.b"], "page and"),
        ({"url": "https://help.example/a"}, "token", "hunter2", "git and zendesk"),
        ({"path": "docs"}, "token_variable", "A_TOKEN", "git and zendesk"),
    ],
)
def test_a_setting_that_a_source_would_pass_over_is_refused(
    place: dict[str, str], key: str, value: object, kinds: str
) -> None:
    settings = SourceSettings.model_validate({**place, key: value})
    with pytest.raises(SourceUnusable, match=f"takes no `{key}`; it is for {kinds}") as caught:
        open_sources([], [settings], HOME)
    assert "hunter2" not in str(caught.value)


def test_a_login_in_an_address_is_not_shown() -> None:
    with pytest.raises(SourceUnusable, match="//…@help") as caught:
        open_sources(["ftp://me:hunter2@help.example/a"], [], HOME)
    assert "hunter2" not in str(caught.value)
