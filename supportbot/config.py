"""Settings of the bot."""

from __future__ import annotations

import hashlib
import re
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
)

from knowledge.config import KnowledgeSettings, setting
from supportbot.budgets import Caps
from supportbot.metering import Price

_LONGEST_CONTACT = 300
_CONTACT = re.compile(
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|https?://[\w.-]+(?::\d+)?(?:[/?#][\w./?&=%#:+~,-]*)?", re.A
)


def _split(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",") if part.strip()]


def _printable(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("a key is printable ASCII without spaces")
    return value


def _contact(value: str) -> str:
    """Return an e-mail address or the address of a web page; neither can hold Markdown."""
    if value and not (len(value) <= _LONGEST_CONTACT and _CONTACT.fullmatch(value)):
        raise ValueError("an e-mail address, or a web address that begins with http")
    return value


def _without_login(value: HttpUrl) -> HttpUrl:
    if value.username or value.password:
        raise ValueError("no user or password")
    return value


Address = Annotated[HttpUrl, AfterValidator(_without_login)]
Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_split)]
Secret = Annotated[SecretStr, AfterValidator(_printable)]
LongSecret = Annotated[Secret, Field(min_length=16)]


class WidgetSettings(BaseModel):
    """One help-desk widget: a public key and the pages that may use it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    key: Secret = Field(min_length=16)
    origins: tuple[str, ...] = Field(min_length=1)
    audience: str = "public"
    title: str = "Ask us anything"
    daily_budget_usd: float | None = Field(default=None, ge=0)

    @property
    def workspace(self) -> str:
        """Return the name under which its visitors spend; the key cannot be told from it."""
        digest = hashlib.sha256(self.key.get_secret_value().encode()).hexdigest()
        return f"widget:{digest[:16]}"


class PriceSettings(BaseModel):
    """What one model costs this operator, in dollars per million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    input: float = Field(ge=0, le=10_000)
    output: float = Field(ge=0, le=10_000)
    cached: float | None = Field(default=None, ge=0, le=10_000)

    def to_price(self) -> Price:
        """Return the price; tokens from the cache cost as much as others where nothing is said."""
        return Price(self.input, self.output, self.input if self.cached is None else self.cached)


class SlackSettings(BaseModel):
    """How the bot behaves in Slack."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    audience: str = "public"
    daily_budget_usd: float | None = Field(default=None, ge=0)


class HandoffSettings(BaseModel):
    """Where customers reach a person."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    contact: Annotated[str, AfterValidator(_contact)] = ""


class SourceSettings(BaseModel):
    """What the bot must know of a source; all else is the pipeline's."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    schedule: str = ""
    token: SecretStr | None = None  # to be masked


class BotSettings(KnowledgeSettings):
    """All that the bot needs beyond the knowledge base."""

    runapi_key: Secret | None = setting(
        "RUNAPI_KEY",
        "RUNAPI_API_KEY",
        "OPENAI_API_KEY",
        about="API key of the model endpoint; without one the bot answers with quotes",
        valid="a key of printable ASCII characters without spaces",
        shown="none",
    )
    model: str = setting(
        "SUPPORTBOT_MODEL",
        about="model ID; any ID of the family: switching is this one parameter",
        valid="a model ID such as MiniMax-M2.5",
        default="MiniMax-M2",
        min_length=1,
        max_length=200,
    )
    model_url: Address = setting(
        "SUPPORTBOT_MODEL_URL",
        about="OpenAI-compatible base URL",
        valid="an http(s) address without user and password",
        default="https://runapi.ai/v1",
    )
    model_fallbacks: Names = setting(
        "SUPPORTBOT_MODEL_FALLBACKS",
        about="comma-separated model IDs tried in order when the first is unavailable",
        valid="comma-separated model IDs",
        shown="none",
        default=(),
    )
    deadline_seconds: float = setting(
        "SUPPORTBOT_DEADLINE_SECONDS",
        about="the longest a question may take, from its arrival to its one final answer",
        valid="a number of seconds from 1 to 600",
        default=45.0,
        ge=1,
        le=600,
    )
    daily_budget_usd: float | None = setting(
        "SUPPORTBOT_DAILY_BUDGET_USD",
        about="spending cap a day (UTC), for the whole installation; then the bot quotes",
        valid="dollars, 0 or more",
        shown="none",
        ge=0,
    )
    agent: bool = setting(
        "SUPPORTBOT_AGENT",
        about="let the model search for what is missing and hand over to a person itself: up to 3 "
        "requests a question",
        valid="true or false",
        shown="off",
        default=False,
    )
    answer_cache: float = setting(
        "SUPPORTBOT_ANSWER_CACHE",
        about="hours for which an answer is said again to the same question, as long as all that "
        "it cites is found again; 0: never",
        valid="a number of hours from 0 to 720",
        default=0.0,
        ge=0,
        le=720,
    )
    database_url: SecretStr | None = setting(
        "SUPPORTBOT_DATABASE_URL",
        about="SQLAlchemy URL of the state database",
        valid="a URL such as sqlite:///state.db or postgresql://user:password@host/name",
        shown="SQLite in `SUPPORTBOT_HOME`",
    )
    slack_bot_token: Secret | None = setting(
        "SLACK_BOT_TOKEN",
        about="the bot's token (`xoxb-…`)",
        valid="a token that starts with xoxb-",
        shown="none",
    )
    slack_app_token: Secret | None = setting(
        "SLACK_APP_TOKEN",
        about="the app-level token (`xapp-…`): Socket Mode",
        valid="a token that starts with xapp-",
        shown="none",
    )
    slack_signing_secret: Secret | None = setting(
        "SLACK_SIGNING_SECRET",
        about="the signing secret: events over HTTP at `/slack/events`",
        valid="the signing secret of the app's Basic Information page",
        shown="none",
    )
    slack_api_url: Address = setting(
        "SLACK_API_URL",
        about="base URL of the Slack Web API",
        valid="an http(s) address that ends in /api/",
        default="https://slack.com/api/",
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "SUPPORTBOT_LOG_LEVEL",
        about="how much is logged, as one JSON object a line on standard error",
        valid="debug, info, warning or error",
        default="info",
    )
    trusted_proxies: Networks = setting(
        "SUPPORTBOT_TRUSTED_PROXIES",
        about="comma-separated addresses or networks of reverse proxies whose `X-Forwarded-For` "
        "names the visitor",
        valid="comma-separated IP addresses or networks such as 10.0.0.0/8",
        shown="none: a visitor is who connects",
        default=(),
    )
    admin_token: LongSecret | None = setting(
        "SUPPORTBOT_ADMIN_TOKEN",
        about="lets an operator's programs start syncs over HTTP at `/admin/sync`",
        valid="16 or more printable ASCII characters without spaces",
        shown="none: `/admin/` is closed",
    )
    slack: SlackSettings = setting(
        about="`[slack]` in the file: `audience`, `daily_budget_usd` of each Slack workspace",
        valid="a table with `audience` and `daily_budget_usd`",
        shown="public",
        default=SlackSettings(),
    )
    handoff: HandoffSettings = setting(
        about="`[handoff]` in the file: `contact`, the e-mail or web address that is told to"
        " customers who want a person",
        valid="a table with `contact`, an e-mail or web address",
        shown="none",
        default=HandoffSettings(),
    )
    widgets: tuple[WidgetSettings, ...] = setting(
        about="`[[widgets]]` in the file: `key`, `origins`, `audience`, `title`,"
        " `daily_budget_usd`",
        valid="tables with `key` (16 characters or more) and `origins`",
        shown="none: only this machine may ask",
        default=(),
    )
    prices: dict[str, PriceSettings] = setting(
        about="`[prices.MODEL]` in the file: `input`, `output`, `cached`, in dollars per million"
        " tokens",
        valid="a table with `input`, `output` and `cached` for each model ID",
        shown="the endpoint's price schedule, else the packaged list",
        default={},
    )
    sources: tuple[SourceSettings, ...] = setting(
        about="`[[sources]]` in the file: `path` or `url`, `base_url`, `audience`, `schedule`; for"
        " a plain `sync`; `serve` watches those with a `schedule`",
        valid="tables with `path` or `url`, and `base_url`, `audience` or `schedule` where wanted",
        shown="none",
        default=(),
    )

    @property
    def caps(self) -> Caps:
        """Return the daily budgets of the installation and its workspaces."""
        own = {widget.workspace: widget.daily_budget_usd for widget in self.widgets}
        caps = {**own, "slack": self.slack.daily_budget_usd}
        return Caps(
            self.daily_budget_usd, {name: cap for name, cap in caps.items() if cap is not None}
        )

    @property
    def uses_slack(self) -> bool:
        """Tell whether a bot token and one way for events to come in are configured."""
        return self.slack_bot_token is not None and not self.slack_gap

    @property
    def slack_gap(self) -> str:
        """Return what is missing where Slack is configured by half, else ""."""
        has_way = self.slack_app_token or self.slack_signing_secret
        if self.slack_bot_token and not has_way:
            return "set SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP) too"
        if has_way and not self.slack_bot_token:
            return "set SLACK_BOT_TOKEN too"
        return ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the text of every secret, for masking logs."""
        values = (getattr(self, name) for name in type(self).model_fields)
        keys = (widget.key for widget in self.widgets)
        tokens = (source.token for source in self.sources)
        return tuple(
            value.get_secret_value()
            for value in (*values, *keys, *tokens)
            if isinstance(value, SecretStr)
        )

    @property
    def resolved_database_url(self) -> str:
        """Return the SQLAlchemy URL in force; it may hold a password."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.home / 'state.db'}"
