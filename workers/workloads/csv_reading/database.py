"""The database that does the computing: on disk, within its memory, interruptible."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import duckdb

MEMORY: Final = "160MB"  # of a database; the process takes about 120 more
_POLL: Final = 0.1  # seconds


@contextmanager
def database(folder: Path, memory: str = MEMORY) -> Iterator["duckdb.DuckDBPyConnection"]:
    """A database in `folder` that keeps to its memory and puts the rest on disk."""
    import duckdb

    config: dict[str, Any] = {
        "memory_limit": memory,
        "temp_directory": str(folder / "spilled"),
        "threads": 2,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    connection = duckdb.connect(str(folder / "table.duckdb"), config=config)
    try:
        # So that it counts how far it is, and is quiet about it.
        connection.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
        yield connection
    finally:
        connection.close()


def execute_watched(connection: "duckdb.DuckDBPyConnection", sql: str, told: Callable[[float], None]) -> None:
    """Execute a statement in a thread, so that a cancel can interrupt it; `told` hears the fraction that is done. Raises what the database raises."""
    raised: list[Exception] = []
    done = threading.Event()

    def execute() -> None:
        try:
            connection.execute(sql)
        except Exception as error:  # noqa: BLE001  raised again by the caller
            raised.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=execute, name="reading")
    thread.start()
    try:
        while not done.wait(_POLL):
            told(max(0.0, connection.query_progress()) / 100)
    finally:
        if not done.is_set():
            connection.interrupt()
        thread.join()
    if raised:
        raise raised[0]


def one_row(connection: "duckdb.DuckDBPyConnection", sql: str) -> tuple[Any, ...]:
    """The first row of a query."""
    return connection.execute(sql).fetchone() or ()


def literal(value: str) -> str:
    """`value` as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"
