"""Files of an earlier version come along: they count, they can be collected, and they expire."""

import asyncio

from alembic import command

from app.artifacts.room import Room
from app.db import open_database
from app.migrate import _config, upgrade

USED = """
INSERT INTO files (id, user_id, name, size, sha256, media_type, key, created_at)
VALUES ('7b7a3b5c-9c25-4b9a-8d5a-64d1c41ce0f1', 1, 'a', 100, '', '', 'uploads/1/a', '2026-01-01T00:00:00.000000+00:00');
INSERT INTO tasks (id, user_id, name, workload, version, lane, params, state, max_attempts, run_at, created_at, artifacts)
VALUES ('7b7a3b5c-9c25-4b9a-8d5a-64d1c41ce0f2', 1, 'a', 'a', 1, 'light', '{}', 'queued', 1, '2026-01-01T00:00:00.000000+00:00',
  '2026-01-01T00:00:00.000000+00:00', '[{"name": "b", "size": 20, "key": "tasks/b"}, {"name": "c", "size": 3, "key": "tasks/c"}]');
INSERT INTO tasks (id, user_id, name, workload, version, lane, params, state, max_attempts, run_at, created_at)
VALUES ('7b7a3b5c-9c25-4b9a-8d5a-64d1c41ce0f3', 1, 'a', 'a', 1, 'light', '{}', 'queued', 1, '2026-01-01T00:00:00.000000+00:00',
  '2026-01-01T00:00:00.000000+00:00')"""


async def test_what_was_stored_before_counts(database_url: str) -> None:
    await asyncio.to_thread(command.upgrade, _config(database_url), "0003")
    db = open_database(database_url)
    await db.connect()
    for statement in USED.split(";\n"):
        await db.hot(statement)
    await upgrade(database_url)
    assert await Room(db, most=1000).used(1) == 123
    rows = await db.fetch_all("SELECT key, task_id IS NULL AS upload FROM objects ORDER BY key")
    assert [(row["key"], bool(row["upload"])) for row in rows] == [
        ("tasks/b", False),
        ("tasks/c", False),
        ("uploads/1/a", True),
    ]
    await db.disconnect()
