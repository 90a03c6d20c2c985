"""Settings of the knowledge base, and how every package of the project reads its settings.

Order: command-line flag > environment > `supportbot.toml` > default. The file is
`SUPPORTBOT_CONFIG`, or `supportbot.toml` in the working directory if it exists; its keys are the
field names of the settings classes. Settings are read once, by the commands, and passed down.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import platformdirs
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, ValidationError
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo

from knowledge.errors import SettingsError

DEFAULT_FILE = "supportbot.toml"
CONFIG_VARIABLE = "SUPPORTBOT_CONFIG"
# Every key that some package of the project reads from the file; a test holds it to the classes.
FILE_KEYS = frozenset(
    [
        *("home", "chroma_url", "embedder", "reranker", "sources", "gate"),
        *("runapi_key", "model", "model_url", "model_fallbacks", "deadline_seconds"),
        *("daily_budget_usd", "database_url", "log_level", "slack", "widgets", "trusted_proxies"),
        *("prices", "handoff", "agent", "answer_cache"),
        *("slack_bot_token", "slack_app_token", "slack_signing_secret"),
        *("slack_api_url", "admin_token"),
    ]
)


def setting(
    *variables: str,
    about: str,
    valid: str,
    shown: str = "",
    default: Any = None,
    **constraints: Any,
) -> Any:
    """Return a field that is read from these environment variables, the first one set first.

    `about` and `shown` (the default in words, where it is no plain value) stand in the README's
    table; `valid` ends the error message of a bad value.
    """
    extra: JsonDict = {"variables": list(variables), "valid": valid, "shown": shown}
    return Field(default, description=about, json_schema_extra=extra, **constraints)


class KnowledgeSettings(BaseModel):
    """Where the knowledge base lives and which models read it."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True
    )

    home: Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())] = setting(
        "SUPPORTBOT_HOME",
        about="releases of the knowledge base, the embedded state database, caches",
        valid="a folder's path",
        shown="the platform's user data folder + `/supportbot`",
        default=Path(platformdirs.user_data_dir("supportbot", appauthor=False)),
    )
    chroma_url: HttpUrl | None = setting(
        "SUPPORTBOT_CHROMA_URL",
        about="`http(s)://host:port` of a Chroma server",
        valid="http(s)://host:port",
        shown="embedded, in `SUPPORTBOT_HOME`",
    )
    embedder: str | None = setting(
        "SUPPORTBOT_EMBEDDER",
        about="a local folder or a model name for sentence-transformers",
        valid="a folder or a model name",
        shown="all-MiniLM-L6-v2, which is installed with the package",
        min_length=1,
    )
    reranker: str | None = setting(
        "SUPPORTBOT_RERANKER",
        about="a cross-encoder: a local folder or a model name for sentence-transformers",
        valid="a folder or a model name",
        shown="none",
        min_length=1,
    )

    @property
    def chroma_address(self) -> str | None:
        """Return the address of the Chroma server, None: embedded."""
        return str(self.chroma_url) if self.chroma_url else None


Settings = TypeVar("Settings", bound=KnowledgeSettings)


def load(cls: type[Settings], flags: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings of one package; `flags` are command-line values, None where not given.

    Raises:
        SettingsError: in one line, which setting is wrong, its shape, and what would be valid.
    """
    file, file_path = _read_file()
    environment = _read_environment(cls)
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    known = {name: value for name, value in file.items() if name in cls.model_fields}
    try:
        return cls.model_validate({**known, **environment, **given})
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        where = _place(cls, name, given, environment, file_path)
        raise SettingsError(_complaint(cls, where, error)) from None


def variables_of(field: FieldInfo) -> list[str]:
    """Return the environment variables of a settings field, in the order they are read."""
    extra = field.json_schema_extra
    names = extra.get("variables", []) if isinstance(extra, dict) else []
    return [str(name) for name in names] if isinstance(names, list) else []


def hint_of(field: FieldInfo, key: str) -> str:
    """Return the `valid` or `shown` text of a settings field."""
    extra = field.json_schema_extra
    return str(extra.get(key, "")) if isinstance(extra, dict) else ""


def _read_file() -> tuple[dict[str, Any], str]:
    named = os.environ.get(CONFIG_VARIABLE)
    path = Path(named or DEFAULT_FILE)
    if not named and not path.is_file():
        return {}, ""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise SettingsError(
            f"{path}: cannot be read ({reason}); name a readable TOML file"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from None
    unknown = sorted(set(values) - FILE_KEYS)
    if unknown:
        raise SettingsError(
            f"{path}: unknown setting {unknown[0]!r}; known are {', '.join(sorted(FILE_KEYS))}"
        )
    return values, str(path)


def _read_environment(cls: type[KnowledgeSettings]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, field in cls.model_fields.items():
        values = (os.environ.get(variable, "").strip() for variable in variables_of(field))
        value = next(filter(None, values), None)
        if value is not None:
            found[name] = value
    return found


def _place(
    cls: type[KnowledgeSettings],
    name: str,
    flags: Mapping[str, Any],
    environment: Mapping[str, str],
    file_path: str,
) -> str:
    if name in flags:
        return f"--{name.replace('_', '-')}"
    if name in environment:
        variables = variables_of(cls.model_fields[name])
        return next(v for v in variables if os.environ.get(v, "").strip())
    return f"{name} in {file_path or 'the settings'}"


def _complaint(cls: type[KnowledgeSettings], where: str, error: ValidationError) -> str:
    """Return one line that names the setting and its shape, and never holds its value."""
    first = error.errors(include_input=True, include_url=False)[0]
    valid = hint_of(cls.model_fields[str(first["loc"][0])], "valid")
    path = ", ".join(_step(part) for part in first["loc"][1:] if _is_of_file(part))
    if first["type"] == "extra_forbidden":
        return f"{where}: {path} is not known; it takes {valid}"
    detail = f" at {path}: {_in_words_of_toml(first['msg'])}" if path else ""
    return f"{where}: {_shape(first['input'])} is not valid{detail}; it takes {valid}"


def _is_of_file(part: int | str) -> bool:
    """Tell a place in the file from the names that pydantic gives to the ways of a union."""
    return isinstance(part, int) or "[" not in part


def _step(part: int | str) -> str:
    return f"entry {part + 1}" if isinstance(part, int) else f"`{part}`"


def _in_words_of_toml(message: str) -> str:
    return message.removeprefix("Value error, ").replace("valid tuple", "list")


def _shape(value: object) -> str:
    if isinstance(value, str):
        return f"a text of {len(value)} characters"
    return f"a value of type {type(value).__name__}"
