"""Who may use the admin routes."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
from pydantic import SecretStr, ValidationError

from supportbot.config import BotSettings
from supportbot.syncing import SyncRun
from tests.servers.web import WebServer

TOKEN = "admin-token-0123456789"


class RecordedSyncs:
    """Counts what it is asked for."""

    def __init__(self) -> None:
        self.last: SyncRun | None = None

    def start(self) -> SyncRun:
        self.last = SyncRun()
        return self.last


@pytest.fixture
def syncs() -> RecordedSyncs:
    return RecordedSyncs()


@pytest.fixture
def admin(syncs: RecordedSyncs) -> Iterator[httpx2.Client]:
    settings = BotSettings(admin_token=SecretStr(TOKEN))
    with (
        WebServer(settings=settings, syncs=syncs) as server,
        httpx2.Client(base_url=server.url, timeout=60) as client,
    ):
        yield client


def test_without_an_admin_token_there_is_nothing(http: httpx2.Client) -> None:
    for reply in (http.get("/admin/sync"), http.post("/admin/sync")):
        assert reply.status_code == 404
        assert reply.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xff"]
)
def test_a_wrong_token_starts_nothing(
    admin: httpx2.Client, syncs: RecordedSyncs, given: str
) -> None:
    headers = {"Authorization": given.encode("latin-1")} if given else {}
    reply = admin.post("/admin/sync", headers=headers)
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"] == "Bearer"
    assert reply.headers["content-type"] == "application/problem+json"
    assert syncs.last is None


def test_the_token_starts_a_sync(admin: httpx2.Client, syncs: RecordedSyncs) -> None:
    reply = admin.post("/admin/sync", headers={"Authorization": f"Bearer {TOKEN}"})
    assert reply.status_code == 202
    assert syncs.last is not None
    assert reply.json() == {"sync_id": syncs.last.id, "state": "running"}


def test_the_routes_are_described(http: httpx2.Client) -> None:
    described = http.get("/openapi.json").json()["paths"]["/admin/sync"]
    assert set(described["post"]["responses"]) == {"202", "401", "404", "409"}
    assert set(described["get"]["responses"]) == {"200", "401", "404"}


@pytest.mark.parametrize("token", ["short", "sixteen characters, but with spaces"])
def test_an_admin_token_is_long_and_printable(token: str) -> None:
    with pytest.raises(ValidationError):
        BotSettings(admin_token=SecretStr(token))
