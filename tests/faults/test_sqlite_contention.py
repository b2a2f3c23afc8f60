"""SQLite under contention: nobody ever hears that the database is locked, whether one process has the file or several."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.contention import SHAPES, Shape, contend, one_file

OPERATIONS = 1_000  # of each shape; `python -m tests.faults.measure_sqlite` does 10,000


@pytest.mark.parametrize("shape", SHAPES)
async def test_the_database_is_never_locked(shape: Shape, tmp_path: Path, redis_url: str) -> None:
    async with one_file(shape, tmp_path, redis_url) as deployment:
        found = await contend(deployment, shape, OPERATIONS)
        assert found.locked == []
        assert found.refused == 0, found.answers
        assert sum(found.answers.values()) == OPERATIONS
        with closing(sqlite3.connect(deployment.database_url.removeprefix("sqlite:///"))) as file:
            assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
