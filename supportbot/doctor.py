"""`supportbot doctor`: checks everything that a start would need; one line each, with the mend."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from knowledge.errors import KnowledgeError
from supportbot.answering.catalogue import list_models, nearest
from supportbot.config import BotSettings
from supportbot.errors import FailureKind, ModelError, SupportbotError

CHECK_SECONDS = 30.0
SHOWN_MODELS = 12
MODEL_MENDS = {
    FailureKind.UNAUTHORISED: "the endpoint refuses the key: check RUNAPI_KEY",
    FailureKind.NO_CREDIT: "the account has no credit left: top it up",
    FailureKind.REFUSED: "nothing listens there: check SUPPORTBOT_MODEL_URL and the network",
    FailureKind.MALFORMED: "that is no list of models: check SUPPORTBOT_MODEL_URL",
    FailureKind.TIMEOUT: "no reply: check SUPPORTBOT_MODEL_URL, the network and its proxy",
}


log = logging.getLogger(__name__)


class State(StrEnum):
    """What a check found."""

    OK = "ok"
    NOTE = "note"  # works, but the operator may want to know
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor: what was checked, what was found, and how to mend it."""

    name: str
    state: State
    detail: str
    mend: str = ""

    @property
    def is_broken(self) -> bool:
        """Tell whether a start would fail or the bot could not do its work."""
        return self.state is State.BROKEN


Check = Callable[[BotSettings], Awaitable[Finding]]


async def examine(settings: BotSettings, only: Collection[str] = ()) -> list[Finding]:
    """Run every check, or `only` some, each bounded in time; return the findings in order."""
    checks: dict[str, Check] = {
        "home": _check_home,
        "database": _check_database,
        "embedder": _check_embedder,
        "knowledge base": _check_knowledge,
        "model": _check_model,
        "prices": _check_prices,
        "slack": _check_slack,
        "widget": _check_widget,
    }
    wanted = {name: check for name, check in checks.items() if not only or name in only}
    return [await _bounded(name, check, settings) for name, check in wanted.items()]


def render(findings: list[Finding], *, as_json: bool = False) -> str:
    """Return the findings as lines for a person, or as one JSON object."""
    if as_json:
        keys = ("name", "state", "detail", "mend")
        rows = [{key: getattr(finding, key) for key in keys} for finding in findings]
        return json.dumps({"ok": not any(f.is_broken for f in findings), "checks": rows})
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        mend = f" — {finding.mend}" if finding.mend else ""
        lines.append(f"{finding.state:<6}  {finding.name:<{width}}  {finding.detail}{mend}")
    return "\n".join(lines)


async def _bounded(name: str, check: Check, settings: BotSettings) -> Finding:
    try:
        return await asyncio.wait_for(check(settings), CHECK_SECONDS)
    except TimeoutError:
        return Finding(name, State.BROKEN, f"no result within {CHECK_SECONDS:.0f} seconds")
    except (KnowledgeError, SupportbotError) as error:
        return Finding(name, State.BROKEN, str(error))


async def _check_home(settings: BotSettings) -> Finding:
    home = settings.home
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        reason = error.strerror or "unknown reason"
        mend = "set SUPPORTBOT_HOME to a folder that can be written"
        return Finding("home", State.BROKEN, f"{home}: {reason}", mend)
    if not os.access(home, os.W_OK | os.X_OK):
        mend = "give this user write access, or set SUPPORTBOT_HOME to another folder"
        return Finding("home", State.BROKEN, f"{home} is read-only", mend)
    return Finding("home", State.OK, str(home))


async def _check_database(settings: BotSettings) -> Finding:
    from supportbot.database import Database

    database = await Database.open(settings.resolved_database_url)
    try:
        await database.ping()
    finally:
        await database.close()
    place = "as configured" if settings.database_url else "SQLite in the home"
    return Finding("database", State.OK, f"{place}, schema up to date")


async def _check_embedder(settings: BotSettings) -> Finding:
    from knowledge.embedder import load_embedder

    embedder = await asyncio.to_thread(load_embedder, settings.embedder)
    vector = await asyncio.to_thread(embedder.embed_query, "a short text")
    name = settings.embedder or "all-MiniLM-L6-v2, weights as pinned"
    return Finding("embedder", State.OK, f"{name}: {len(vector)} dimensions")


async def _check_knowledge(settings: BotSettings) -> Finding:
    from knowledge.releases import ReleaseStore

    store = ReleaseStore(settings.home, settings.chroma_address)
    try:
        release = await asyncio.to_thread(store.current)
    finally:
        await asyncio.to_thread(store.close)
    if release is None:
        mend = "run supportbot-ingest sync FOLDER"
        return Finding("knowledge base", State.BROKEN, "no release yet", mend)
    detail = (
        f"release {release.id}: {len(release.documents)} documents, {release.chunk_count} chunks"
    )
    return Finding("knowledge base", State.OK, detail)


async def _check_model(settings: BotSettings) -> Finding:
    if settings.runapi_key is None:
        mend = "set RUNAPI_KEY for written answers"
        return Finding("model", State.NOTE, "no key: the bot answers with quotes", mend)
    try:
        offered = await list_models(settings)
    except ModelError as error:
        if error.kind is FailureKind.BAD_REQUEST:  # such as 404: many endpoints have no such list
            return _among([], settings)
        mend = MODEL_MENDS.get(
            error.kind, "try again later; until then the bot answers with quotes"
        )
        return Finding("model", State.BROKEN, f"{settings.model_url}: {error.kind}", mend)
    return _among(offered, settings)


def _among(offered: list[str], settings: BotSettings) -> Finding:
    """Tell whether the configured models are among those that the endpoint offers."""
    wanted = (settings.model, *settings.model_fallbacks)
    if not offered:
        detail = f"{settings.model_url} tells no list of models"
        mend = f"check SUPPORTBOT_MODEL_URL, and ask a question to see that {wanted[0]} works"
        return Finding("model", State.NOTE, detail, mend)
    missing = [name for name in wanted if name not in offered]
    if not missing:
        others = _shortened(sorted(set(offered) - set(wanted)))
        detail = f"{', '.join(wanted)} at {settings.model_url}"
        return Finding("model", State.OK, f"{detail}; also offered: {others or 'none'}")
    is_first = missing[0] == settings.model
    variable = "SUPPORTBOT_MODEL" if is_first else "SUPPORTBOT_MODEL_FALLBACKS"
    some = nearest(missing[0], offered) or f"one of {_shortened(offered)}"
    state = State.BROKEN if is_first else State.NOTE
    return Finding("model", state, f"{missing[0]} is not offered", f"set {variable} to {some}")


def _shortened(names: list[str]) -> str:
    more = f", and {len(names) - SHOWN_MODELS} more" if len(names) > SHOWN_MODELS else ""
    return f"{', '.join(names[:SHOWN_MODELS])}{more}"


async def _check_prices(settings: BotSettings) -> Finding:
    from supportbot import pricing

    if settings.runapi_key is None:
        return Finding("prices", State.OK, "no key: nothing is spent")
    prices = pricing.load_prices(settings)
    try:
        await pricing.refresh(settings, prices)
    except (ModelError, OSError) as error:
        log.info("no price schedule (%s)", error)
    price, source = prices.of(settings.model), prices.source(settings.model)
    if source == "price schedule":
        source += f" of {datetime.fromtimestamp(pricing.read_at(settings), UTC):%Y-%m-%d}"
    detail = f"{settings.model} ${price.input:g} in, ${price.output:g} out per million tokens"
    return Finding("prices", State.OK, f"{detail} ({source})")


async def _check_slack(settings: BotSettings) -> Finding:
    if settings.slack_gap:
        return Finding("slack", State.BROKEN, "configured by half", settings.slack_gap)
    if not settings.uses_slack:
        return Finding("slack", State.NOTE, "not configured")
    from supportbot.slack.app import examine_slack

    problem = await examine_slack(settings)
    if problem:
        mend = "see the help page “Slack troubleshooting”"
        return Finding("slack", State.BROKEN, problem, mend)
    way = "Socket Mode" if settings.slack_app_token else "events over HTTP at /slack/events"
    return Finding("slack", State.OK, way)


async def _check_widget(settings: BotSettings) -> Finding:
    if not settings.widgets:
        mend = "add [[widgets]] to supportbot.toml to embed it in a page"
        return Finding("widget", State.NOTE, "no key: only this machine may ask", mend)
    origins = sorted({origin for widget in settings.widgets for origin in widget.origins})
    return Finding("widget", State.OK, f"{len(settings.widgets)} for {', '.join(origins)}")
