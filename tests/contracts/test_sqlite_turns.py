"""Connections to one SQLite file write in turns: none is kept waiting by others that write all the time."""

import asyncio
import sqlite3
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from app.db import SqliteDatabase
from app.db.turns import Turns

WRITERS = 4
WRITES = 120
HELD = 0.02  # seconds of a write


async def test_writers_take_turns(fresh_sqlite_url: str) -> None:
    written = [0] * WRITERS
    waited: list[float] = []
    databases = [SqliteDatabase(fresh_sqlite_url) for _ in range(WRITERS)]

    async def write(number: int) -> None:
        db = databases[number]
        while sum(written) < WRITES:
            asked = time.monotonic()
            async with db.transaction():
                waited.append(time.monotonic() - asked)
                await db.execute("INSERT INTO written (by) VALUES (:by)", {"by": number})
                await asyncio.sleep(HELD)
            written[number] += 1

    async with AsyncExitStack() as stack:
        for db in databases:
            await db.connect()
            stack.push_async_callback(db.disconnect)
        await databases[0].execute("CREATE TABLE written (by INTEGER)")
        await asyncio.gather(*(write(number) for number in range(WRITERS)))
        assert await databases[0].fetch_val("SELECT count(*) FROM written") == sum(written)
    assert min(written) > max(written) / 3, written
    assert max(waited) < 20 * WRITERS * HELD, "in about the order in which they came"


async def test_a_turn_that_never_ends_leaves_it_to_sqlite(tmp_path: Path) -> None:
    first, second = (Turns(str(tmp_path / "taskline.db"), within=0.05) for _ in range(2))
    first.open()
    second.open()
    async with first.turn():
        async with second.turn():
            pass
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02), second.turn():
                pass
    async with asyncio.timeout(1.0), second.turn():
        pass
    first.close()
    second.close()


async def test_the_turn_of_a_closed_connection_is_free(tmp_path: Path) -> None:
    first, second = (Turns(str(tmp_path / "taskline.db"), within=5.0) for _ in range(2))
    first.open()
    second.open()
    async with first.turn():
        first.close()
        async with asyncio.timeout(1.0), second.turn():
            pass
    second.close()


async def test_turns_do_not_stand_in_the_way_of_others(fresh_sqlite_url: str) -> None:
    db = SqliteDatabase(fresh_sqlite_url)
    await db.connect()
    other = sqlite3.connect(fresh_sqlite_url.removeprefix("sqlite:///"))
    other.execute("CREATE TABLE written (by INTEGER)")
    other.commit()
    await db.execute("INSERT INTO written (by) VALUES (1)")
    assert other.execute("SELECT by FROM written").fetchall() == [(1,)]
    other.close()
    await db.disconnect()
