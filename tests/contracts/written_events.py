"""Events written straight into the database, as the moves write them."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import orjson

from app.db import Database


async def append(
    db: Database, user_id: int, count: int, *, kind: str = "task.queued", size: int = 0, age: timedelta = timedelta()
) -> int:
    """Append events to a user's log, each of another task; returns the number that the log stood at before.

    `size`: characters more in each; `age`: how long ago they happened.
    """
    async with db.transaction():
        head: int = await db.fetch_val("SELECT seq FROM streams WHERE user_id = :user", {"user": user_id})
        for seq in range(head + 1, head + count + 1):
            task = uuid4()
            card = orjson.dumps({"id": task, "name": "x" * size}).decode()
            await db.execute(
                "INSERT INTO events (user_id, seq, at, type, task_id, task) VALUES (:user, :seq, :at, :kind, :id, :task)",
                {"user": user_id, "seq": seq, "at": datetime.now(UTC) - age, "kind": kind, "id": task, "task": card},
            )
        await db.execute(
            "UPDATE streams SET seq = seq + :count WHERE user_id = :user", {"count": count, "user": user_id}
        )
    return head


async def prune(db: Database, user_id: int, floor: int) -> None:
    """Forget the events up to `floor`, as retention does."""
    values = {"user": user_id, "floor": floor}
    async with db.transaction():
        await db.execute("DELETE FROM events WHERE user_id = :user AND seq <= :floor", values)
        await db.execute("UPDATE streams SET floor = :floor WHERE user_id = :user", values)
