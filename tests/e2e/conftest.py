from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.bot import RunningBot, environment, ingest
from tests.servers.model import KEY, ScriptedModel
from tests.servers.slack import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, LoopbackSlack
from tests.servers.tiny_model import save_tiny_model

REFUNDS = """# Refunds

## Time limits

You can return a product within 30 days of delivery. Opened software is excluded.

## How to ask

Open **Orders**, choose the order and press **Return**. Error E-4012 means that it was sent back.
"""
SHIPPING = """# Shipping

Parcels to Norway take 5 working days and cost 12 euros.
"""


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def shop_docs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "refunds.md").write_text(REFUNDS)
    (folder / "shipping.md").write_text(SHIPPING)
    return folder


@pytest.fixture(scope="session")
def shop_home(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, shop_docs: Path) -> Path:
    """A home whose current release holds two pages of a shop."""
    home = tmp_path_factory.mktemp("home")
    env = environment(home, SUPPORTBOT_EMBEDDER=str(tiny_model))
    ingest("sync", str(shop_docs), "--base-url", "https://shop.example/help", env=env)
    return home


@pytest.fixture(scope="package")
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as server:
        yield server


@pytest.fixture(scope="package")
def slack() -> Iterator[LoopbackSlack]:
    with LoopbackSlack() as server:
        yield server


@pytest.fixture(scope="package")
def shop_settings(tiny_model: Path, model: ScriptedModel) -> dict[str, str]:
    return {
        "SUPPORTBOT_EMBEDDER": str(tiny_model),
        "SUPPORTBOT_MODEL_URL": model.url,
        "SUPPORTBOT_DEADLINE_SECONDS": "4",
        "RUNAPI_KEY": KEY,
    }


@pytest.fixture(scope="package")
def served_settings(shop_settings: dict[str, str], slack: LoopbackSlack) -> dict[str, str]:
    return {
        "SLACK_API_URL": slack.api_url,
        "SLACK_BOT_TOKEN": BOT_TOKEN,
        "SLACK_SIGNING_SECRET": SIGNING_SECRET,
        **shop_settings,
    }


@pytest.fixture(scope="package")
def bot(shop_home: Path, served_settings: dict[str, str]) -> Iterator[RunningBot]:
    """The whole service: HTTP, Slack over HTTP and in Socket Mode, against loopback servers."""
    with RunningBot(
        environment(shop_home, SLACK_APP_TOKEN=APP_TOKEN, **served_settings)
    ) as running:
        yield running


@pytest.fixture(scope="module")
def hasty_bot(
    shop_home: Path, served_settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningBot]:
    """HTTP and Slack over HTTP with a short deadline, and state of its own."""
    state = tmp_path_factory.mktemp("hasty") / "state.db"
    hasty = {
        "SUPPORTBOT_DEADLINE_SECONDS": "2",
        "SUPPORTBOT_DATABASE_URL": f"sqlite:///{state}",
    }
    with RunningBot(environment(shop_home, **{**served_settings, **hasty})) as running:
        yield running
