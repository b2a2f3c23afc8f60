"""SQLite: one held connection that writes, under a lock, and one that reads. Safe against power loss (WAL, synchronous=FULL)."""

import asyncio
import contextlib
import fcntl
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, TypeVar
from uuid import UUID

import databases

from app.db.base import Database, Row, Values
from app.db.turns import Turns
from app.errors import OutOfDate, Unavailable, Unstorable

# Milliseconds that a statement waits for the lock of somebody who takes no turns, such as the sqlite3 shell.
BUSY_WITHIN = 5_000
TURN_WITHIN = 5.0  # seconds that a write waits for those of other connections


Answer = TypeVar("Answer")
Run = Callable[..., list[sqlite3.Row]]  # one statement with its parameters: its rows


class _Connection(sqlite3.Connection):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.row_factory = sqlite3.Row
        self.create_function("clock_timestamp", 0, lambda: _bind(datetime.now(UTC)))
        for pragma in (
            f"busy_timeout = {BUSY_WITHIN}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "temp_store = MEMORY",
        ):
            self.execute(f"PRAGMA {pragma}")


class SqliteDatabase(Database):
    """One file, one process, one writer."""

    dialect = "sqlite"

    def __init__(self, url: str) -> None:
        self._database = databases.Database(url, factory=_Connection)
        Path(self._database.url.database).parent.mkdir(parents=True, exist_ok=True)
        self._writer: Any = None
        self._reader: Any = None
        self._writing = asyncio.Lock()
        self._reading = asyncio.Lock()
        self._turns = Turns(str(self._database.url.database), within=TURN_WITHIN)
        self._lock: IO[str] | None = None
        self._held: ContextVar[Any] = ContextVar("held", default=None)

    async def connect(self) -> None:
        with _unavailable():
            await self._database.connect()
            self._turns.open()
            # `databases` ties a connection to the asyncio task that asks for it: tasks that end at once leave connections that nobody shares by chance.
            self._writer = await asyncio.create_task(self._open())
            self._reader = await asyncio.create_task(self._open())

    async def _open(self) -> Any:
        return await self._database.connection().__aenter__()

    async def disconnect(self) -> None:
        for connection in (self._reader, self._writer):
            if connection is not None:
                await connection.__aexit__()
        self._reader = self._writer = None
        await self._database.disconnect()
        self._turns.close()
        if self._lock is not None:
            self._lock.close()

    async def fetch_all(self, sql: str, values: Values | None = None) -> list[Row]:
        async with self._connection(reading=sql.lstrip()[:6].upper() == "SELECT") as connection:
            records = await connection.fetch_all(sql, _bound(values))
        return [dict(record._mapping) for record in records]  # noqa: SLF001  the public face of SQLAlchemy's rows

    async def execute(self, sql: str, values: Values | None = None) -> None:
        async with self._connection(reading=False) as connection:
            await connection.execute(sql, _bound(values))

    @contextlib.asynccontextmanager
    async def _connection(self, *, reading: bool) -> AsyncIterator[Any]:
        with _unavailable():
            if held := self._held.get():
                yield held
                return
            async with self._reading if reading else self._write():
                yield self._reader if reading else self._writer

    async def hot(self, sql: str, *args: Any) -> Sequence[Any]:
        connection = self._held.get() or self._reader
        try:
            with _unavailable():
                rows: Sequence[Any] = await connection.raw_connection.execute_fetchall(sql, tuple(map(_bind, args)))
                return rows
        except (sqlite3.IntegrityError, sqlite3.DataError, OverflowError) as error:
            raise Unstorable from error

    async def at_once(self, write: Callable[[Run], Answer]) -> Answer:
        """What `write` returns: a transaction from its BEGIN to its COMMIT in the connection's own thread.

        The loop has no part in it. One that is blocked by a task, between two statements, would keep the file from every other process and from its own
        process's heart.
        """
        async with self._writing:
            raw = self._writer.raw_connection
            try:
                with _unavailable():
                    answer: Answer = await raw._execute(self._whole, raw._conn, write)  # noqa: SLF001  its only way into its thread
                    return answer
            except (sqlite3.IntegrityError, sqlite3.DataError, OverflowError) as error:
                raise Unstorable from error

    def _whole(self, connection: sqlite3.Connection, write: Callable[[Run], Answer]) -> Answer:
        def run(sql: str, *args: Any) -> list[sqlite3.Row]:
            return connection.execute(sql, tuple(map(_bind, args))).fetchall()

        with self._turns.turn_in_thread():
            run("BEGIN IMMEDIATE")
            try:
                answer = write(run)
                run("COMMIT")
            except BaseException:
                connection.rollback()
                raise
            return answer

    @contextlib.asynccontextmanager
    async def sole_worker(self) -> AsyncIterator[bool]:
        # Each worker process keeps a share in this lock for as long as it lives, so that a later one knows of it; who finds nobody else keeps others out for
        # as long as it cleans up.
        self._lock = lock = Path(f"{self._database.url.database}.worker").open("w")  # noqa: SIM115, ASYNC230  held open, and a local file that nobody writes to
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            sole = True
        except BlockingIOError:
            await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_SH)
            sole = False
        try:
            yield sole
        finally:
            await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_SH)

    def transaction(self) -> contextlib.AbstractAsyncContextManager[None]:
        return self._begin("BEGIN IMMEDIATE", self._write(), lambda: self._writer)

    def snapshot(self) -> contextlib.AbstractAsyncContextManager[None]:
        return self._begin("BEGIN", self._reading, lambda: self._reader)

    @contextlib.asynccontextmanager
    async def _write(self) -> AsyncIterator[None]:
        async with self._writing, self._turns.turn():
            yield

    @contextlib.asynccontextmanager
    async def _begin(
        self, begin: str, lock: contextlib.AbstractAsyncContextManager[None], pick: Any
    ) -> AsyncIterator[None]:
        if self._held.get() is not None:
            raise RuntimeError("transactions do not nest")
        async with lock:
            connection = pick()
            raw = connection.raw_connection
            mark = self._held.set(connection)
            try:
                with _unavailable():
                    await raw.execute_fetchall(begin)
                    yield
                    await raw.execute_fetchall("COMMIT")
            except BaseException:
                # Also for a BEGIN that was cancelled: it goes on in the connection's thread. This waits for that, and does nothing where it ended.
                await asyncio.shield(raw.rollback())
                raise
            finally:
                self._held.reset(mark)


def _bound(values: Values | None) -> dict[str, Any] | None:
    return {name: _bind(value) for name, value in values.items()} if values else None


def _bind(value: Any) -> Any:
    if isinstance(value, datetime):
        # Fixed width, so that text compares as time does.
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value) if isinstance(value, UUID) else value


@contextlib.contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if any(sign in str(error) for sign in ("locked", "busy", "disk", "unable to open", "readonly")):
            raise Unavailable(
                f"The database does not answer ({error}, {getattr(error, 'sqlite_errorname', 'no code')})."
            ) from error
        if "no such table" in str(error):
            raise OutOfDate from error
        raise
