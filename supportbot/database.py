"""The state database: schema, connection and migrations.

SQLite by default, PostgreSQL for several replicas; both through SQLAlchemy's asyncio engine. Times
are seconds since the epoch (UTC), so that both engines order and compare them alike.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from knowledge.errors import SettingsError
from supportbot.errors import StateUnavailable

log = logging.getLogger(__name__)

BUSY_SECONDS = 5.0
_READS = "supportbot_reads"  # option of a connection that writes nothing
DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}
DAMAGE = ("file is not a database", "malformed", "disk image")

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

turns = sa.Table(
    "turns",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("conversation_id", sa.String(255), nullable=False, index=True),
    sa.Column("door", sa.String(16), nullable=False),
    sa.Column("user", sa.String(255), nullable=False, index=True),
    sa.Column("workspace", sa.String(255), nullable=False, server_default=""),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("standalone", sa.Text, nullable=False),
    sa.Column("asked_at", sa.Float, nullable=False),
)

answers = sa.Table(
    "answers",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column(
        "turn_id",
        sa.ForeignKey("turns.id", ondelete="CASCADE"),
        nullable=False,
        unique=True,  # one question, one final answer
    ),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("cause", sa.String(64), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("html", sa.Text, nullable=False),
    sa.Column("model", sa.String(200)),
    sa.Column("request_id", sa.String(200), nullable=False),
    sa.Column("release", sa.String(64)),
    sa.Column("input_tokens", sa.Integer, nullable=False),
    sa.Column("output_tokens", sa.Integer, nullable=False),
    sa.Column("cached_tokens", sa.Integer, nullable=False),
    sa.Column("reasoning_tokens", sa.Integer, nullable=False),
    sa.Column("cost_usd", sa.Float, nullable=False),
    sa.Column("retrieval_ms", sa.Integer),
    sa.Column("first_text_ms", sa.Integer),
    sa.Column("total_ms", sa.Integer, nullable=False),
    sa.Column("answered_at", sa.Float, nullable=False, index=True),
)

receipts = sa.Table(
    "receipts",
    metadata,
    sa.Column("answer_id", sa.ForeignKey("answers.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("document_id", sa.Text, nullable=False, index=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("uri", sa.Text, nullable=False),
    sa.Column("heading", sa.Text, nullable=False),
    sa.Column("quote", sa.Text, nullable=False),
    sa.Column("link", sa.Text, nullable=False),
    sa.Column("chunk_id", sa.String(128), nullable=False),
    sa.Column("text_hash", sa.String(64), nullable=False),
)

traces = sa.Table(
    "traces",
    metadata,
    sa.Column("answer_id", sa.ForeignKey("answers.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("cache_key", sa.String(64), nullable=False, index=True),
    sa.Column("copy_of", sa.String(64), nullable=False),
    sa.Column("steps", sa.JSON, nullable=False),
)

feedback = sa.Table(
    "feedback",
    metadata,
    sa.Column("answer_id", sa.ForeignKey("answers.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("rating", sa.String(8), nullable=False),
    sa.Column("reason", sa.String(64), nullable=False),
    sa.Column("comment", sa.Text, nullable=False),
    sa.Column("rated_at", sa.Float, nullable=False),
)

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("key", sa.String(255), primary_key=True),  # one outside event, one row
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("notes", sa.JSON, nullable=False),
    sa.Column("accepted_at", sa.Float, nullable=False, index=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("owner", sa.String(64)),
    sa.Column("lease_until", sa.Float, nullable=False),
    sa.Column("finished_at", sa.Float),
)


class Database:
    """An open, migrated state database.

    Use `Database.open`; every statement runs in a `transaction`.
    """

    def __init__(self, engine: AsyncEngine, busy_seconds: float = BUSY_SECONDS) -> None:
        self._engine = engine
        self._busy_seconds = busy_seconds
        self._line = asyncio.Lock() if engine.dialect.name == "sqlite" else None

    @classmethod
    async def open(cls, url: str, busy_seconds: float = BUSY_SECONDS) -> Database:
        """Connect, bring the schema up to date, and return the database.

        A SQLite file that is no database any more is set aside and a new one is begun.

        Args:
            url: of SQLite or PostgreSQL.
            busy_seconds: how long a writer of SQLite waits for the others.

        Raises:
            SettingsError: the URL is malformed or its driver is missing.
            StateUnavailable: the database cannot be reached, or is newer than this program.
        """
        parsed = _parse(url)
        try:
            return await cls._migrated(parsed, busy_seconds)
        except DatabaseError as error:
            if not _set_aside(parsed, error):
                raise _unavailable(parsed, error) from error
        except (SQLAlchemyError, OSError, CommandError) as error:
            raise _unavailable(parsed, error) from error
        return await cls._migrated(parsed, busy_seconds)

    @classmethod
    async def _migrated(cls, url: URL, busy_seconds: float) -> Database:
        if url.get_backend_name() == "sqlite" and url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        engine = _engine(url, busy_seconds)
        try:
            async with engine.begin() as connection:
                await connection.run_sync(_upgrade)
        except BaseException:
            await engine.dispose()
            raise
        return cls(engine, busy_seconds)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Run statements together: all are kept, or none.

        Raises:
            StateUnavailable: the database did not answer, or refused.
        """
        try:
            async with self._turn(), self._engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            raise _unavailable(self._engine.url, error) from error

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Read what is kept by now, however long it takes; nobody who writes has to wait for it.

        Raises:
            StateUnavailable: the database did not answer, or refused.
        """
        try:
            async with self._engine.connect() as connection:
                await connection.execution_options(**{_READS: True})
                yield connection
        except (SQLAlchemyError, OSError) as error:
            raise _unavailable(self._engine.url, error) from error

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait in line: SQLite has one writer and lets others poll, where the first may be last."""
        if self._line is None:
            yield
            return
        try:
            async with asyncio.timeout(self._busy_seconds):
                await self._line.acquire()
        except TimeoutError:
            raise TimeoutError(f"others have been writing for {self._busy_seconds:g} s") from None
        try:
            yield
        finally:
            self._line.release()

    async def ping(self) -> None:
        """Raise StateUnavailable when the database does not answer."""
        async with self.transaction() as connection:
            await connection.execute(sa.select(1))

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise SettingsError(
            f"SUPPORTBOT_DATABASE_URL: a text of {len(url)} characters is not a database URL; "
            "it takes e.g. sqlite:////var/lib/supportbot/state.db or postgresql://user@host/name"
        ) from None
    backend = parsed.get_backend_name()
    if backend not in DRIVERS:
        raise SettingsError(
            f"SUPPORTBOT_DATABASE_URL: {backend} is not supported; it takes sqlite or postgresql"
        )
    return parsed.set(drivername=DRIVERS[backend])


def _engine(url: URL, busy_seconds: float) -> AsyncEngine:
    try:
        if url.get_backend_name() != "sqlite":
            return create_async_engine(url, pool_pre_ping=True, hide_parameters=True)
        engine = create_async_engine(
            url, connect_args={"timeout": busy_seconds}, hide_parameters=True
        )
    except ImportError as error:
        raise SettingsError(
            f"SUPPORTBOT_DATABASE_URL: the driver {error.name} is not installed; "
            "run pip install 'supportbot[postgres]'"
        ) from None
    sa.event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    sa.event.listen(engine.sync_engine, "begin", _begin_immediate)
    return engine


def _prepare_sqlite(connection: sa.engine.interfaces.DBAPIConnection, _record: object) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes late and excludes DDL
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    # A transaction that starts by reading and then writes fails at once where another writer was
    # quicker; taking the write lock first waits its turn instead.
    reads = connection.get_execution_options().get(_READS)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _set_aside(url: URL, error: DatabaseError) -> bool:
    """Move a damaged SQLite file away and tell whether that was the trouble."""
    damaged = any(sign in str(error.orig) for sign in DAMAGE)
    if not damaged or url.get_backend_name() != "sqlite" or not url.database:
        return False
    path = Path(url.database)
    aside = path.with_name(f"{path.name}.damaged-{int(time.time())}")
    for suffix in ("", "-wal", "-shm"):
        part = Path(f"{path}{suffix}")
        if part.exists():
            part.rename(f"{aside}{suffix}")
    log.error("the state database %s is damaged; kept as %s, a new one is begun", path, aside.name)
    return True


def _unavailable(url: URL, error: Exception) -> StateUnavailable:
    where = url.database if url.get_backend_name() == "sqlite" else f"{url.host}/{url.database}"
    reason = str(getattr(error, "orig", None) or error).splitlines()[0]
    return StateUnavailable(f"the state database {where} cannot be used: {reason}")
