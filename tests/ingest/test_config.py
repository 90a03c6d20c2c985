from __future__ import annotations

from pathlib import Path

import pytest

from ingest.config import IngestSettings, SourceSettings, with_tokens
from knowledge.config import load
from knowledge.errors import SettingsError


def test_a_token_comes_from_the_variable_that_the_source_names() -> None:
    named = SourceSettings.model_validate({"url": "https://a.example", "token_variable": "A_TOKEN"})
    plain = SourceSettings(path="docs")
    found = with_tokens([named, plain], {"A_TOKEN": " secret \n", "B_TOKEN": "other"})
    assert found[0].token is not None
    assert found[0].token.get_secret_value() == "secret"
    assert found[1] == plain
    assert "secret" not in repr(found)


@pytest.mark.parametrize("environment", [{}, {"A_TOKEN": ""}, {"A_TOKEN": "  "}])
def test_a_variable_that_is_not_set_leaves_the_source_without(environment: dict[str, str]) -> None:
    named = SourceSettings.model_validate({"url": "https://a.example", "token_variable": "A_TOKEN"})
    assert with_tokens([named], environment) == (named,)


def test_a_source_has_one_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SUPPORTBOT_CONFIG", raising=False)
    (tmp_path / "supportbot.toml").write_text(
        '[[sources]]\nurl = "https://a.example"\ntoken = "hunter2"\ntoken_variable = "A_TOKEN"\n'
    )
    with pytest.raises(SettingsError, match="either a token or a token_variable") as caught:
        load(IngestSettings)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ({"url": "https://a.example"}, "files"),
        *(({"path": "docs"}, kind) for kind in ("page", "sitemap", "crawl", "zendesk", "feed")),
    ],
)
def test_a_source_whose_place_does_not_suit_its_kind_is_refused(
    place: dict[str, str], kind: str
) -> None:
    with pytest.raises(ValueError, match=f"a source of kind {kind} has a"):
        SourceSettings.model_validate({**place, "kind": kind})
