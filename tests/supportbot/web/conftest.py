from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
from pydantic import SecretStr

from supportbot.config import WidgetSettings
from tests.servers.web import WebServer

KEY = "wk_help_0123456789abcdef"
STAFF_KEY = "wk_staff_0123456789abcdef"
ORIGIN = "https://help.example.com"


@pytest.fixture(scope="session")
def _shared_server() -> Iterator[WebServer]:
    with WebServer() as running:
        yield running


@pytest.fixture
def server(_shared_server: WebServer) -> WebServer:
    """The web door without a widget key: only this machine is served."""
    _shared_server.services.reset()
    return _shared_server


@pytest.fixture
def http(server: WebServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, timeout=60) as client:
        yield client


@pytest.fixture
def keyed_server() -> Iterator[WebServer]:
    """The web door with two widgets: one for everybody, one for staff."""
    everybody = WidgetSettings(key=SecretStr(KEY), origins=(ORIGIN,))
    staff = WidgetSettings(
        key=SecretStr(STAFF_KEY), origins=("https://intranet.example.com",), audience="staff"
    )
    with WebServer(everybody, staff) as running:
        yield running


@pytest.fixture
def keyed_http(keyed_server: WebServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=keyed_server.url, timeout=60) as client:
        yield client
