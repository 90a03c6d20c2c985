from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from knowledge.errors import SettingsError
from supportbot import database as database_module
from supportbot.database import Database, metadata, turns
from supportbot.errors import StateUnavailable


def test_the_migrations_build_exactly_the_schema_of_the_code(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    asyncio.run(_open_and_close(path))
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


async def test_a_database_of_the_first_version_keeps_its_turns(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    engine = sa.create_engine(url)
    config = Config()
    config.set_main_option(
        "script_location", str(Path(database_module.__file__).parent / "migrations")
    )
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            sa.text("INSERT INTO turns VALUES ('q', 'c', 'http', '', 'How?', 'How?', 1.0)")
        )
    engine.dispose()
    opened = await Database.open(url)
    async with opened.transaction() as connection:
        [turn] = (await connection.execute(sa.select(turns))).all()
    await opened.close()
    assert (turn.question, turn.workspace) == ("How?", "")


async def test_two_processes_may_start_on_the_same_new_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    for opened in await asyncio.gather(*(Database.open(url) for _ in range(4))):
        await opened.ping()
        await opened.close()


async def test_a_damaged_file_is_set_aside_and_a_new_one_begun(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"this was a database once" * 100)
    opened = await Database.open(f"sqlite:///{path}")
    await opened.ping()
    await opened.close()
    [aside] = tmp_path.glob("state.db.damaged-*")
    assert aside.read_bytes().startswith(b"this was a database once")


async def test_a_folder_that_cannot_be_written_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StateUnavailable, match="state database"):
        await Database.open(f"sqlite:///{tmp_path / 'file' / 'state.db'}")


@pytest.mark.parametrize("url", ["nonsense", "mysql://user:hunter2@host/name", "sqlite"])
async def test_a_wrong_url_names_the_setting_and_never_its_text(url: str) -> None:
    with pytest.raises(SettingsError, match="SUPPORTBOT_DATABASE_URL") as caught:
        await Database.open(url)
    assert "hunter2" not in str(caught.value)


async def test_writers_are_served_in_the_order_in_which_they_came(database: Database) -> None:
    served: list[int] = []

    async def write(number: int) -> None:
        async with database.transaction() as connection:
            await connection.execute(sa.select(1))
            served.append(number)

    await asyncio.gather(*(write(number) for number in range(50)))
    assert served == list(range(50))


async def test_a_writer_that_holds_on_keeps_the_others_waiting_for_a_time_only(
    tmp_path: Path,
) -> None:
    database = await Database.open(f"sqlite:///{tmp_path}/state.db", busy_seconds=0.05)

    async def write() -> None:
        async with database.transaction():
            pass

    async with database.transaction():
        waiting = [asyncio.create_task(write()) for _ in range(3)]
        done = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(error) for error in done] == [StateUnavailable] * 3
    await write()
    await database.close()


async def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(StateUnavailable):
        async with database.transaction() as connection:
            await connection.execute(sa.text("INSERT INTO no_such_table VALUES (1)"))
    async with database.transaction() as connection:
        count = await connection.execute(sa.select(sa.func.count()).select_from(turns))
        assert count.scalar() == 0


async def _open_and_close(path: Path) -> None:
    opened = await Database.open(f"sqlite:///{path}")
    await opened.close()
