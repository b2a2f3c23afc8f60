"""What every database does for the stores: plain reads and writes with `:name` parameters, transactions, snapshots."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, ClassVar, Final, Literal

Dialect = Literal["postgresql", "sqlite"]
Row = Mapping[str, Any]
Values = Mapping[str, Any]
# The instant on the database's own clock, once a statement, as SQL: what is compared with its times must not come from another machine's.
NOW: Final = "(SELECT clock_timestamp())"


class Database(ABC):
    """One a process (and event loop). Instants go in and come out as aware datetimes (`moment` reads them); ids as `UUID` go in, `UUID(str(…))` reads them.

    Every call raises `app.errors.Unavailable` where the database cannot be reached or does not answer in time. After that, whether a write happened is unknown.
    """

    dialect: ClassVar[Dialect]
    on_other_server: Callable[[], None] | None = (
        None  # called where a new connection leads to another server or database than the one before
    )

    @abstractmethod
    async def connect(self) -> None:
        """Open the connections. Raises `Unavailable`."""

    @abstractmethod
    async def disconnect(self) -> None:
        """Close them; waits for what runs."""

    @abstractmethod
    async def fetch_all(self, sql: str, values: Values | None = None) -> list[Row]:
        """The rows of one statement (also of `INSERT … RETURNING`)."""

    @abstractmethod
    async def execute(self, sql: str, values: Values | None = None) -> None:
        """One statement that gives no rows."""

    @abstractmethod
    def transaction(self) -> AbstractAsyncContextManager[None]:
        """Statements inside, of the same asyncio task, commit together. Never spawn tasks inside."""

    @abstractmethod
    def snapshot(self) -> AbstractAsyncContextManager[None]:
        """Reads inside, of the same asyncio task, see one state of the database."""

    @abstractmethod
    async def hot(self, sql: str, *args: Any) -> Sequence[Any]:
        """One statement in the dialect's own parameter style, past every layer: rows that take `row["name"]`. Raises `Unstorable` for data that the database refuses."""

    @abstractmethod
    def sole_worker(self) -> AbstractAsyncContextManager[bool]:
        """Whether no other worker process uses this database. Inside, none begins to; from then until `disconnect` others know of this one."""

    async def ping(self) -> None:
        """Return when the database answers; raises `Unavailable` when not."""
        await self.fetch_val("SELECT 1")

    async def now(self) -> datetime:
        """The instant on the database's own clock."""
        return moment(await self.fetch_val(f"SELECT {NOW} AS now"))

    async def fetch_one(self, sql: str, values: Values | None = None) -> Row | None:
        """The first row, or None."""
        rows = await self.fetch_all(sql, values)
        return rows[0] if rows else None

    async def fetch_val(self, sql: str, values: Values | None = None) -> Any:
        """The first column of the first row, or None."""
        row = await self.fetch_one(sql, values)
        return next(iter(row.values())) if row else None


def among(dialect: Dialect, ids: str) -> str:
    """A condition on ids, by the statement that gives them. An array leaves PostgreSQL's planner nothing but the primary key, however old its figures are."""
    return f"= ANY(ARRAY({ids}))" if dialect == "postgresql" else f"IN ({ids})"


def moment(value: Any) -> datetime:
    """An instant as a database returned it (a datetime from PostgreSQL, RFC 3339 text from SQLite)."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def moment_or_none(value: Any) -> datetime | None:
    """The same, where there may be none."""
    return None if value is None else moment(value)
