from __future__ import annotations

from pathlib import Path

import pytest

from ingest.config import SourceSettings
from ingest.errors import SourceUnusable
from ingest.sources.given import open_sources


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "docs" / "staff").mkdir(parents=True)
    (tmp_path / "docs" / "staff" / "a.md").write_text("x")
    return tmp_path / "docs"


def test_without_sources_the_message_says_what_to_do() -> None:
    with pytest.raises(SourceUnusable, match=r"supportbot\.toml"):
        open_sources([], [])


def test_configured_sources_are_taken_where_none_is_given(docs: Path) -> None:
    configured = SourceSettings(path=str(docs), base_url="https://help.example/kb", audience="a")
    (source,) = open_sources([], [configured])
    assert source.name == str(docs)
    assert source.labels.audience == "a"
    assert source.labels.base_url == "https://help.example/kb"


@pytest.mark.parametrize("inside", ["", "a.md"])
def test_a_staff_folder_named_by_hand_stays_with_the_staff(docs: Path, inside: str) -> None:
    configured = [
        SourceSettings(path=str(docs)),
        SourceSettings(path=str(docs / "staff"), audience="staff"),
    ]
    (source,) = open_sources([str(docs / "staff" / inside)], configured)
    assert source.labels.audience == "staff"


def test_a_source_that_is_given_twice_is_taken_once(docs: Path) -> None:
    assert len(open_sources([str(docs), str(docs)], [])) == 1


def test_a_web_address_is_refused_for_now(docs: Path) -> None:
    with pytest.raises(SourceUnusable, match="web addresses"):
        open_sources([str(docs), "https://example.com/help"], [])
