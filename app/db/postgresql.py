"""PostgreSQL: the plain interface of `databases`, and its raw asyncpg connection for the hot path (a third of the cost a statement)."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import asyncpg
import databases

from app.db.base import Database, Row, Values
from app.errors import OutOfDate, Unavailable, Unstorable

log = logging.getLogger(__name__)

ANSWER_WITHIN = 10.0  # seconds for a statement
CONNECT_WITHIN = 5.0  # seconds for a connection from the pool
DEADLOCK_TRIES = 5

SETTINGS = {
    "application_name": "taskline",
    "timezone": "UTC",
    "synchronous_commit": "on",
    # A client that freezes inside a transaction, or a lock that it holds, keeps nobody waiting for longer.
    "idle_in_transaction_session_timeout": "5s",
    "lock_timeout": "5s",
    # Single-row statements by prepared generic plans: 2.1 ms for three against 3.8 when they are planned again.
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_mergejoin": "off",
}


# Which server and database a connection leads to: a failover, a recovery to an earlier point or a database that was made anew changes it.
SERVER = """SELECT concat_ws(' ', system_identifier, (SELECT oid FROM pg_database WHERE datname = current_database()),
CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_lsn()), 8) END) FROM pg_control_system()"""


class _Connection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    def get_reset_query(self) -> str:
        """Nothing: no statement here leaves session state behind, and a reset would cost a round trip each time a connection goes back."""
        return ""


class PostgresDatabase(Database):
    """A pool of connections to PostgreSQL."""

    dialect = "postgresql"

    def __init__(self, url: str, *, pool: int = 10) -> None:
        self._server: str | None = None
        self._database = databases.Database(
            url,
            min_size=1,
            max_size=pool,
            command_timeout=ANSWER_WITHIN,
            timeout=CONNECT_WITHIN,
            server_settings=SETTINGS,
            connection_class=_Connection,
            init=self._greet,
        )

    async def connect(self) -> None:
        with _unavailable():
            await self._database.connect()

    async def disconnect(self) -> None:
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await self._database.disconnect()
        except TimeoutError:
            log.warning("connections to PostgreSQL did not close in time")

    async def _greet(self, connection: Any) -> None:
        server = await connection.fetchval(SERVER)
        if self._server not in (None, server) and self.on_other_server is not None:
            self.on_other_server()
        self._server = server

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        connection = self._database.connection()
        async with asyncio.timeout(CONNECT_WITHIN):
            await connection.__aenter__()
        try:
            yield connection
        finally:
            await connection.__aexit__()

    async def fetch_all(self, sql: str, values: Values | None = None) -> list[Row]:
        with _unavailable():
            async with self._connection() as connection:
                records = await connection.fetch_all(sql, dict(values) if values else None)
        return [dict(record._mapping) for record in records]  # noqa: SLF001  the public face of SQLAlchemy's rows

    async def execute(self, sql: str, values: Values | None = None) -> None:
        with _unavailable():
            async with self._connection() as connection:
                await connection.execute(sql, dict(values) if values else None)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        with _unavailable():
            # asyncpg's own: where a connection breaks, that of `databases` would keep it for this asyncio task, and all that the task does then would fail.
            async with self._connection() as connection, connection.raw_connection.transaction():
                yield

    @contextlib.asynccontextmanager
    async def snapshot(self) -> AsyncIterator[None]:
        with _unavailable():
            async with (
                self._connection() as connection,
                connection.raw_connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                yield

    @contextlib.asynccontextmanager
    async def sole_worker(self) -> AsyncIterator[bool]:
        yield False  # others may work on other hosts

    async def hot(self, sql: str, *args: Any) -> Sequence[Any]:
        for _ in range(DEADLOCK_TRIES):
            try:
                with _unavailable():
                    async with self._connection() as connection:
                        rows: Sequence[Any] = await connection.raw_connection.fetch(sql, *args)
                        return rows
            except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError) as error:
                log.info("a statement is tried again: %s", type(error).__name__)
            except (asyncpg.IntegrityConstraintViolationError, asyncpg.RaiseError) as error:
                raise Unstorable from error
        raise Unavailable(f"The database did not find an order for this in {DEADLOCK_TRIES} tries.")


@contextlib.contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except asyncpg.DataError as error:
        raise Unstorable from error
    except asyncpg.UndefinedTableError as error:
        # Where it was there before: a restore is under way, which drops the tables first.
        raise OutOfDate from error
    except (
        OSError,
        TimeoutError,
        asyncpg.PostgresConnectionError,
        # A database that a restore has dropped, or takes no connections for.
        asyncpg.InvalidCatalogNameError,
        asyncpg.ObjectNotInPrerequisiteStateError,
        asyncpg.InterfaceError,
        # The server has ended the session, and asyncpg knows that without having seen the connection close.
        asyncpg.InternalClientError,
        asyncpg.OperatorInterventionError,
        asyncpg.InsufficientResourcesError,
        asyncpg.LockNotAvailableError,
        asyncpg.IdleInTransactionSessionTimeoutError,
    ) as error:
        raise Unavailable(f"The database does not answer ({type(error).__name__}).") from error
