"""Settings: order of sources, and one line for each wrong value that never shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.config import IngestSettings
from knowledge.config import FILE_KEYS, hint_of, load, variables_of
from knowledge.errors import SettingsError
from supportbot.config import BotSettings

SECRET = "hunter2-hunter2 hunter2"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for cls in (BotSettings, IngestSettings):
        for field in cls.model_fields.values():
            for variable in variables_of(field):
                monkeypatch.delenv(variable, raising=False)
    monkeypatch.delenv("SUPPORTBOT_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)


def test_a_flag_beats_the_environment_beats_the_file_beats_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert load(BotSettings).model == "MiniMax-M2"
    (tmp_path / "supportbot.toml").write_text('model = "from-file"')
    assert load(BotSettings).model == "from-file"
    monkeypatch.setenv("SUPPORTBOT_MODEL", "from-environment")
    assert load(BotSettings).model == "from-environment"
    assert load(BotSettings, {"model": "from-flag", "home": None}).model == "from-flag"


def test_the_first_key_variable_that_is_set_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "third")
    monkeypatch.setenv("RUNAPI_API_KEY", "second")
    monkeypatch.setenv("RUNAPI_KEY", "")
    key = load(BotSettings).runapi_key
    assert key is not None
    assert key.get_secret_value() == "second"


def test_lists_are_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPPORTBOT_MODEL_FALLBACKS", "MiniMax-M2.5, MiniMax-M2.1 ,")
    assert load(BotSettings).model_fallbacks == ("MiniMax-M2.5", "MiniMax-M2.1")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("RUNAPI_KEY", SECRET),
        ("SUPPORTBOT_MODEL_URL", SECRET),
        ("SUPPORTBOT_MODEL_URL", "https://user:hunter2@127.0.0.1/v1"),
        ("SUPPORTBOT_DEADLINE_SECONDS", SECRET),
        ("SUPPORTBOT_DEADLINE_SECONDS", "0"),
        ("SUPPORTBOT_DEADLINE_SECONDS", "nan"),
        ("SUPPORTBOT_DAILY_BUDGET_USD", "-1"),
        ("SUPPORTBOT_CHROMA_URL", "localhost:8000"),
        ("SUPPORTBOT_LOG_LEVEL", "loud"),
        ("SUPPORTBOT_TRUSTED_PROXIES", "proxy.internal"),
        ("SLACK_BOT_TOKEN", SECRET),
        ("SLACK_API_URL", "slack.com"),
    ],
)
def test_a_wrong_value_is_told_in_one_line_without_its_text(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        load(BotSettings)
    message = str(caught.value)
    assert message.startswith(f"{variable}: a text of {len(value)} characters is not valid")
    assert "it takes" in message
    assert "\n" not in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('colour = "red"', "unknown setting 'colour'"),
        ("model = ", "not valid TOML"),
        ("deadline_seconds = [1]", "deadline_seconds in supportbot.toml: a value of type list"),
        ('[[widgets]]\nkey = "hunter2"\norigins = ["https://a.example"]', "widgets in "),
        ('[slack]\naudiance = "staff"', "slack in supportbot.toml"),
        ('[[sources]]\nfolder = "docs"', "not valid at entry 1: a source has either a path or a"),
        (
            '[[sources]]\npath = "a"\n[[sources]]\npth = "b"',
            "entry 2, `pth` is not known; it takes",
        ),
        ('[[sources]]\npath = "a"\nbase-url = "b"', "entry 1, `base-url` is not known"),
        ('[[sources]]\npath = "a"\naudiance = "b"', "`base_url`, `audience`, `tags`, `owner`"),
        ('[[sources]]\npath = "a"\ntags = "b"', "entry 1, `tags`: Input should be a list"),
        (
            '[[sources]]\nurl = "https://a.example"\nallow_private = ["10.0.0.1/8"]',
            "at entry 1, `allow_private`, entry 1: Input is not a valid IPv4 network",
        ),
    ],
)
def test_a_wrong_file_is_told_in_one_line(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "supportbot.toml").write_text(text)
    cls = IngestSettings if "sources" in text else BotSettings
    with pytest.raises(SettingsError) as caught:
        load(cls)
    assert expected in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_named_file_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPPORTBOT_CONFIG", "missing.toml")
    with pytest.raises(SettingsError, match=r"missing\.toml: cannot be read"):
        load(BotSettings)


def test_every_field_is_a_known_key_of_the_file_and_says_what_is_valid() -> None:
    fields = {**IngestSettings.model_fields, **BotSettings.model_fields}
    assert set(fields) == FILE_KEYS
    assert [name for name, field in fields.items() if not hint_of(field, "valid")] == []
    assert [name for name, field in fields.items() if not field.description] == []


def test_no_secret_is_shown_by_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNAPI_KEY", "sk-secret-one")
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-secret-two")
    monkeypatch.setenv("SUPPORTBOT_DATABASE_URL", "postgresql://bot:secret-three@host/name")
    settings = load(BotSettings)
    assert "secret-" not in repr(settings) + str(settings)
    assert len(settings.secrets) == 3
