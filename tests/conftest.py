from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from hypothesis import settings

from supportbot.database import Database

settings.register_profile("unhurried", deadline=None)  # machines are noisy
settings.load_profile("unhurried")


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(f"sqlite:///{tmp_path / 'state.db'}")
    yield opened
    await opened.close()
