"""Settings of the pipeline."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    field_validator,
    model_validator,
)

from knowledge.config import KnowledgeSettings, setting
from knowledge.documents import PUBLIC

Kind = Literal[
    "files",
    "page",
    "sitemap",
    "crawl",
    "git",
    "zendesk",
    "confluence",
    "intercom",
    "notion",
    "github",
    "feed",
]


_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}
_NAMED = {"hourly": "every hour", "daily": "every day", "weekly": "every week"}
_EVERY = re.compile(r"every (?:(\d{1,4}) )?(second|minute|hour|day|week)s?")


class SourceSettings(BaseModel):
    """One source of documents: where it is and what holds for all that it lists."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    path: str = ""  # of files, or of a git repository
    url: HttpUrl | None = None  # of what is fetched
    kind: Kind | None = None  # None: told by the path or the address
    base_url: HttpUrl | None = None  # where customers read it: `install.md` -> base_url/install
    audience: str = Field(default=PUBLIC, min_length=1)
    tags: tuple[str, ...] = ()
    owner: str = ""
    version: str = ""
    valid_until: date | None = None
    redact: bool = False  # personal data is replaced by placeholders
    user: str = ""  # whose token it is, where the system asks for that
    token: SecretStr | None = None
    token_variable: str = ""  # the environment variable that holds the token
    branch: str = ""  # of a git repository
    folder: str = ""  # of a git repository; "" the whole of it
    include: tuple[str, ...] = ()  # of a crawl or sitemap: address paths with wildcards
    exclude: tuple[str, ...] = ()
    max_pages: int = Field(default=1_000, ge=1, le=100_000)
    max_depth: int = Field(default=5, ge=0, le=50)
    allow_hosts: tuple[str, ...] = ()  # more hosts than the address's own
    allow_private: tuple[IPv4Network | IPv6Network, ...] = ()
    schedule: str = ""  # "every 6 hours"; none at all: files every 2 s, others hourly

    @model_validator(mode="after")
    def _has_one_place(self) -> SourceSettings:
        if bool(self.path) == bool(self.url):
            raise ValueError("a source has either a path or a url")
        if self.token and self.token_variable:
            raise ValueError("a source has either a token or a token_variable")
        if self.path and self.kind not in (None, "files", "git"):
            raise ValueError(f"a source of kind {self.kind} has a url and no path")
        if self.url and self.kind == "files":
            raise ValueError("a source of kind files has a path and no url")
        return self

    @field_validator("schedule")
    @classmethod
    def _is_legible(cls, schedule: str) -> str:
        seconds_of(schedule)
        return schedule

    @property
    def every(self) -> int | None:
        """Return the seconds from one look at the source to the next; None: only when asked."""
        return seconds_of(self.schedule)

    @property
    def place(self) -> str:
        """Return the path or the address."""
        return self.path or str(self.url)


def with_tokens(
    sources: Iterable[SourceSettings], environment: Mapping[str, str]
) -> tuple[SourceSettings, ...]:
    """Return the sources with the tokens that the variables they name hold.

    A variable that is not set leaves a source without: it is told when the source is opened.
    """
    return tuple(_with_token(source, environment) for source in sources)


def _with_token(source: SourceSettings, environment: Mapping[str, str]) -> SourceSettings:
    token = environment.get(source.token_variable, "").strip() if source.token_variable else ""
    return source.model_copy(update={"token": SecretStr(token)}) if token else source


def seconds_of(schedule: str) -> int | None:
    """Return the seconds of a schedule such as "every 6 hours" or "daily"; None for "".

    Raises:
        ValueError: it is no schedule.
    """
    if not schedule:
        return None
    words = " ".join(schedule.lower().split())
    match = _EVERY.fullmatch(_NAMED.get(words, words))
    seconds = int(match[1] or 1) * _SECONDS[match[2]] if match else 0
    if not seconds:
        raise ValueError(
            f"not a schedule: {schedule[:40]!r}; write hourly, daily, weekly or, for example,"
            " every 30 minutes"
        )
    return seconds


class IngestSettings(KnowledgeSettings):
    """All that the pipeline needs beyond the knowledge base."""

    sources: tuple[SourceSettings, ...] = setting(
        about="`[[sources]]` in the file: `path` or `url`, `base_url`, `audience`, `schedule`; for"
        " a plain `sync`; `serve` watches those with a `schedule`",
        valid="tables with `path` or `url`, and where wanted "
        + ", ".join(f"`{n}`" for n in SourceSettings.model_fields if n not in ("path", "url")),
        shown="none",
        default=(),
    )
    gate: str | None = setting(
        about="a YAML file of golden questions that every new release must still pass",
        valid="the path of a YAML file",
        shown="none",
        min_length=1,
    )
