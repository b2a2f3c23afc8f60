"""A migrated, connected database of either kind, with its moves and reads."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID, uuid4

from app.db import Database, open_database
from app.migrate import upgrade
from app.resources import moves_on
from app.tasks.log import TaskLog
from app.tasks.model import Claim, Draft, Ending, Event, Verdict, new_id
from app.tasks.moves import Moves
from app.tasks.store import TaskStore

ABLE = {"work": 1}


@dataclass(frozen=True, slots=True)
class Tasks:
    """What the suites drive. `worker` is this process as a worker."""

    db: Database
    moves: Moves
    store: TaskStore
    log: TaskLog
    worker: UUID

    async def user(self, user_id: int) -> int:
        """A user has a stream of events."""
        await self.db.execute("INSERT INTO streams (user_id) VALUES (:user)", {"user": user_id})
        return user_id

    async def submit(self, user_id: int, **changes: object) -> Draft:
        """One task, accepted."""
        made = draft(user_id, **changes)
        (event,) = await self.moves.submit([made])
        assert event is not None
        return made

    async def claim(self, limit: int = 10, worker: UUID | None = None) -> list[Claim]:
        """What is due."""
        return list(await self.moves.claim(worker or self.worker, "light", ABLE, limit))

    async def end(self, claim: Claim, verdict: Verdict, **changes: object) -> Event | None:
        """End an attempt."""
        return (await self.moves.finish([ending(claim, verdict, **changes)]))[0]


@contextlib.asynccontextmanager
async def task_database(url: str, *, lease: float = 30.0) -> AsyncIterator[Tasks]:
    """Migrate and connect `url`. `lease` in seconds."""
    await upgrade(url)
    db = open_database(url)
    await db.connect()
    try:
        log = TaskLog(db)
        yield Tasks(db, moves_on(db, lease=lease), TaskStore(db, log), log, uuid4())
    finally:
        await db.disconnect()


def draft(user_id: int, **changes: object) -> Draft:
    """A task of the workload `work`."""
    usual: dict[str, object] = {
        "id": new_id(),
        "user_id": user_id,
        "name": "Work",
        "workload": "work",
        "version": 1,
        "lane": "light",
        "params": '{"n": 1}',
        "max_attempts": 3,
    }
    return Draft(**{**usual, **changes})  # type: ignore[arg-type]


def ending(claim: Claim, verdict: Verdict, **changes: object) -> Ending:
    """The end of an attempt."""
    return Ending(id=claim.id, attempt=claim.attempt, token=claim.token, verdict=verdict, **changes)  # type: ignore[arg-type]
