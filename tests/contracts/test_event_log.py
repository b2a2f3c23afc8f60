"""What followers count on in a log of events: the one in either database, and the one in memory that stands in for it in tests of what reads it."""

import contextlib
import itertools
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator

import pytest

from app.db import Database, open_database
from app.events.model import Log, OutOfRange, Standing
from app.migrate import upgrade
from app.tasks.log import TaskLog
from tests.contracts import written_events
from tests.contracts.memory_log import MemoryLog

_users = itertools.count(1)


class Backend(ABC):
    """A kind of log, and what happens to it."""

    log: Log

    @abstractmethod
    async def user(self) -> int:
        """Somebody with an empty log."""

    @abstractmethod
    async def append(self, user_id: int, count: int) -> None: ...

    @abstractmethod
    async def prune(self, user_id: int, floor: int) -> None: ...


class InMemory(Backend):
    def __init__(self) -> None:
        self._memory = MemoryLog()
        self.log = self._memory

    async def user(self) -> int:
        user_id = next(_users)
        self._memory.commit(user_id, 0)
        return user_id

    async def append(self, user_id: int, count: int) -> None:
        self._memory.commit(user_id, count)

    async def prune(self, user_id: int, floor: int) -> None:
        self._memory.prune(user_id, floor)


class InDatabase(Backend):
    def __init__(self, db: Database) -> None:
        self._db = db
        self.log = TaskLog(db)

    async def user(self) -> int:
        user_id = next(_users)
        await self._db.execute("INSERT INTO streams (user_id) VALUES (:user)", {"user": user_id})
        return user_id

    async def append(self, user_id: int, count: int) -> None:
        await written_events.append(self._db, user_id, count)

    async def prune(self, user_id: int, floor: int) -> None:
        await written_events.prune(self._db, user_id, floor)


@contextlib.asynccontextmanager
async def database(url: str) -> AsyncIterator[Database]:
    await upgrade(url)
    db = open_database(url)
    await db.connect()
    try:
        yield db
    finally:
        await db.disconnect()


@pytest.fixture(scope="module", params=["memory", "sqlite", "postgresql"])
async def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backend]:
    match request.param:
        case "memory":
            yield InMemory()
        case "sqlite":
            async with database(f"sqlite:///{tmp_path_factory.mktemp('log') / 'taskline.db'}") as db:
                yield InDatabase(db)
        case _:
            async with database(request.getfixturevalue("module_database_url")) as db:
                yield InDatabase(db)


async def seqs(log: Log, user_id: int, after: int, limit: int = 500) -> list[int | None]:
    return [frame.seq for frame in await log.since(user_id, after, limit)]


async def test_events_come_in_order_from_where_one_asks(backend: Backend) -> None:
    user = await backend.user()
    await backend.append(user, 5)
    assert await seqs(backend.log, user, 0) == [1, 2, 3, 4, 5]
    assert await seqs(backend.log, user, 3) == [4, 5]
    assert await seqs(backend.log, user, 1, limit=2) == [2, 3]
    assert await seqs(backend.log, user, 5) == []


async def test_an_empty_log_is_in_range(backend: Backend) -> None:
    assert await seqs(backend.log, await backend.user(), 0) == []


@pytest.mark.parametrize("after", [0, 1, 6, 10**17])
async def test_what_was_pruned_or_lies_ahead_is_out_of_range(backend: Backend, after: int) -> None:
    user = await backend.user()
    await backend.append(user, 5)
    await backend.prune(user, 2)
    with pytest.raises(OutOfRange):
        await backend.log.since(user, after, 500)
    assert await seqs(backend.log, user, 2) == [3, 4, 5]


async def test_a_log_that_was_pruned_to_its_end_goes_on(backend: Backend) -> None:
    user = await backend.user()
    await backend.append(user, 5)
    await backend.prune(user, 5)
    assert await seqs(backend.log, user, 5) == []
    await backend.append(user, 1)
    assert await seqs(backend.log, user, 5) == [6]


async def test_a_frame_is_one_line_of_its_owner(backend: Backend) -> None:
    first, second = await backend.user(), await backend.user()
    await backend.append(first, 1)
    await backend.append(second, 1)
    [frame] = await backend.log.since(first, 0, 500)
    assert frame.user_id == first
    assert "\n" not in frame.text
    assert frame.text.startswith('{"type":"task.queued","seq":1,')
    assert frame.task_id in frame.text
    assert not frame.final


async def test_positions_of_several_users_in_one_read(backend: Backend) -> None:
    users = [await backend.user() for _ in range(3)]
    for count, user in enumerate(users):
        await backend.append(user, count)
    standing = await backend.log.standing([*users, 10**6])
    assert standing.heads == {users[0]: 0, users[1]: 1, users[2]: 2}
    assert await backend.log.standing([]) == Standing(standing.epoch, standing.origin, {})


async def test_a_snapshot_says_where_it_stands(backend: Backend) -> None:
    user = await backend.user()
    await backend.append(user, 4)
    snapshot = await backend.log.snapshot(user)
    assert (snapshot.epoch, snapshot.seq) == ((await backend.log.standing([])).epoch, 4)


async def test_events_of_another_epoch_are_out_of_range(backend: Backend) -> None:
    user = await backend.user()
    await backend.append(user, 4)
    epoch = (await backend.log.standing([user])).epoch
    assert len(await backend.log.since(user, 0, 500, epoch)) == 4
    with pytest.raises(OutOfRange):
        await backend.log.since(user, 0, 500, "elsewhere")
