"""What retention removes of files, and what it must not, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from uuid import UUID, uuid4

import orjson
import pytest

from app.artifacts import ArtifactStore
from app.artifacts.files import File, Files
from app.artifacts.results import Results
from app.artifacts.room import NoRoom, Room
from app.errors import Conflict, NotFound, Unavailable
from app.tasks.model import Claim
from app.tasks.retention import ABANDONED, FEW, Retention
from tests.contracts.task_databases import Tasks
from workers.assignment import ArtifactFile

KEPT = timedelta(days=30)
_users = count(1)


class House:
    """Files of one user in a store of its own."""

    def __init__(self, tasks: Tasks, folder: Path, user: int) -> None:
        self.tasks, self.user = tasks, user
        self.folder = folder / "files"
        self.store = ArtifactStore(self.folder.as_uri())
        self.room = Room(tasks.db, most=1000)
        self.files = Files(tasks.db, self.store, self.room, most=500, kept=KEPT)
        self.results = Results(self.room, self.store)
        self.retention = Retention(tasks.db, self.store, self.room, kept=KEPT)

    def stored(self) -> set[str]:
        return {path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()}

    async def upload(self, *, age: timedelta = timedelta()) -> File:
        file = await self.files.save(self.user, "a.csv", "text/csv", _once(b"12345"))
        await self.tasks.db.execute(
            "UPDATE files SET created_at = :at WHERE id = :id", {"at": datetime.now(UTC) - age, "id": file.id}
        )
        await self.grow_old(age)
        return file

    async def claim(self, **changes: object) -> Claim:
        task = await self.tasks.submit(self.user, **changes)
        return next(claim for claim in await self.tasks.claim(100) if claim.id == task.id)

    async def make(self, claim: Claim, *, token: UUID | None = None) -> str:
        """Results of an attempt, as JSON for the task's row."""
        path = self.folder.parent / "made"
        path.write_bytes(b"result")
        files = [ArtifactFile(name=name, media_type="text/csv", path=path, size=6) for name in ("a", "b")]
        made = await self.results.keep(self.user, claim.id, claim.attempt, token or claim.token, files)
        return orjson.dumps(made).decode()

    async def grow_old(self, age: timedelta) -> None:
        """As if the objects of this user had been stored so much earlier."""
        at = datetime.now(UTC) - age
        await self.tasks.db.execute(
            "UPDATE objects SET made_at = :at WHERE user_id = :user", {"at": at, "user": self.user}
        )


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


@pytest.fixture
async def house(tasks: Tasks, tmp_path: Path) -> House:
    for table in ("objects", "files"):
        await tasks.db.execute(f"DELETE FROM {table}")
    return House(tasks, tmp_path, await tasks.user(next(_users)))


async def test_uploads_go_when_no_task_has_taken_them_for_a_while(house: House) -> None:
    old, new, taken = await house.upload(age=KEPT * 2), await house.upload(), await house.upload(age=KEPT * 2)
    assert (await house.files.use(house.user, taken.id)).used_at is not None
    assert await house.retention.uploads() == 1
    assert house.stored() == {new.key, taken.key}
    assert await house.room.used(house.user) == 10
    with pytest.raises(NotFound):
        await house.files.use(house.user, old.id)
    assert await house.retention.objects() == 0


async def test_what_waits_or_runs_keeps_its_file(house: House) -> None:
    file = await house.upload(age=KEPT * 2)
    task = await house.tasks.submit(house.user, params=orjson.dumps({"file": str(file.id)}).decode())
    assert await house.retention.uploads() == 0
    claim = next(claim for claim in await house.tasks.claim(100) if claim.id == task.id)
    assert await house.retention.uploads() == 0
    with pytest.raises(Conflict, match=r"needs a\.csv"):
        await house.files.delete(house.user, file.id)
    await house.tasks.end(claim, "succeeded")
    assert await house.retention.uploads() == 1
    assert house.stored() == set()


async def test_a_schedule_and_a_chain_keep_their_files(house: House) -> None:
    files = [await house.upload(age=KEPT * 2) for _ in range(3)]
    params, follow, plan = (orjson.dumps({"file": str(file.id)}).decode() for file in files)
    db, now = house.tasks.db, datetime.now(UTC)
    schedule, task = uuid4(), await house.tasks.submit(house.user)
    await db.execute(
        """INSERT INTO schedules (id, user_id, name, workload, params, follow, at, zone, missed, next_at, created_at)
        VALUES (:id, :user, 'x', 'work', :params, :follow, :now, 'UTC', 'skip', :now, :now)""",
        {"id": schedule, "user": house.user, "params": params, "follow": follow, "now": now},
    )
    await db.execute(
        "INSERT INTO follow_ups (task_id, user_id, plan) VALUES (:task, :user, :plan)",
        {"task": task.id, "user": house.user, "plan": plan},
    )
    assert await house.retention.uploads() == 0
    await db.execute("UPDATE schedules SET next_at = NULL WHERE id = :id", {"id": schedule})
    await db.execute("UPDATE follow_ups SET outcome = 'dropped' WHERE task_id = :task", {"task": task.id})
    assert await house.retention.uploads() == 3


async def test_many_uploads_of_which_some_are_needed(house: House) -> None:
    house.room.most = 10_000
    files = [await house.upload(age=KEPT * 2) for _ in range(FEW + 5)]
    for file in files[::10]:
        await house.tasks.submit(house.user, params=orjson.dumps({"file": str(file.id)}).decode())
    assert await house.retention.uploads() == FEW + 5 - 6
    assert house.stored() == {file.key for file in files[::10]}


async def test_results_go_after_their_days(house: House) -> None:
    claim = await house.claim()
    await house.tasks.end(claim, "succeeded", artifacts=await house.make(claim))
    await house.grow_old(KEPT)
    assert await house.retention.objects() == 0, "they count from the task's end"
    gone = Retention(house.tasks.db, house.store, house.room, kept=timedelta())
    assert await gone.objects() == 2
    assert house.stored() == set()
    assert await house.room.used(house.user) == 0


async def test_what_a_lost_attempt_made_is_collected(house: House) -> None:
    claim = await house.claim()
    await house.make(claim, token=uuid4())  # an attempt that was given up
    await house.make(claim)
    assert await house.retention.objects() == 0, "too young: its worker may still be at it"
    await house.grow_old(ABANDONED * 2)
    assert await house.retention.objects() == 2
    assert {key.split("-")[-1].split("/")[0] for key in house.stored()} == {str(claim.token).split("-")[-1]}
    await house.tasks.end(claim, "failed")
    assert await house.retention.objects() == 2, "a task that failed names no files"
    assert house.stored() == set()


async def test_what_a_deleted_task_and_a_broken_upload_left_is_collected(house: House) -> None:
    claim = await house.claim()
    await house.make(claim)
    await house.tasks.end(claim, "failed")
    assert await house.tasks.moves.delete(house.user, claim.id)
    await house.room.take(house.user, "uploads/1/never-came", likely=100)
    assert await house.retention.objects() == 0
    await house.grow_old(ABANDONED * 2)
    assert await house.retention.objects() == 3
    assert (house.stored(), await house.room.used(house.user)) == (set(), 0)


async def test_room_for_the_same_result_is_held_once_however_often_it_is_asked_for(house: House) -> None:
    task_id, sizes = uuid4(), {"tasks/x/0": 300, "tasks/x/1": 400}
    for _ in range(2):  # the first answer was not heard
        await house.room.keep(house.user, task_id, sizes)
        assert await house.room.used(house.user) == 700
    with pytest.raises(NoRoom, match="take up 700 of the 1,000 bytes"):
        await house.room.keep(house.user, task_id, {"tasks/y/0": 1, "tasks/y/1": 300})
    assert await house.room.used(house.user) == 700, "of what does not fit nothing is held"


async def test_more_than_one_stretch(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.tasks.retention.PIECE", 20)
    await house.room.keep(house.user, uuid4(), {f"tasks/x/{number}": 1 for number in range(50)})
    file = await house.upload()
    await house.grow_old(ABANDONED * 2)
    assert await house.retention.objects() == 50
    assert house.stored() == {file.key}


async def test_an_upload_that_took_longer_than_a_day_is_refused(house: House) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"123"
        await house.grow_old(ABANDONED * 2)
        assert await house.retention.objects() == 1
        yield b"45"

    with pytest.raises(Unavailable, match="longer than a day"):
        await house.files.save(house.user, "a.csv", "text/csv", slow())
    assert (house.stored(), await house.room.used(house.user)) == (set(), 0)


async def test_a_result_becomes_a_file_once(house: House) -> None:
    claim = await house.claim()
    made = orjson.loads(await house.make(claim))[0]
    file_id = uuid4()
    await house.room.take(house.user, f"uploads/{house.user}/{file_id}", likely=6)  # a try that died in the middle
    first = await house.files.adopt(house.user, file_id, "a", "text/csv", key=made["key"], size=6)
    again = await house.files.adopt(house.user, file_id, "a", "text/csv", key=made["key"], size=6)
    assert (first.id, first.sha256, first.size) == (again.id, again.sha256, 6)
    assert await house.room.used(house.user) == 18
    await house.store.delete(made["key"])
    assert (await house.store.local(first.key, house.folder)).read_bytes() == b"result"
    with pytest.raises(NotFound):
        await house.files.adopt(house.user, uuid4(), "a", "text/csv", key=made["key"], size=6)
    house.room.most = 20
    with pytest.raises(NoRoom):
        await house.files.adopt(house.user, uuid4(), "a", "text/csv", key=first.key, size=6)
    assert await house.room.used(house.user) == 18


async def test_two_that_adopt_the_same_result_at_once_leave_its_bytes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was frozen over its lease goes on where it was, while another one has taken over."""
    claim = await house.claim()
    made = orjson.loads(await house.make(claim))[0]
    file_id, under_way, on = uuid4(), asyncio.Event(), asyncio.Event()
    read = house.store.read

    async def pieces() -> AsyncIterator[bytes]:
        under_way.set()
        await on.wait()
        yield b"result"

    async def freezing(key: str, *, size: int, start: int = 0) -> AsyncIterator[bytes]:
        return await read(key, size=size, start=start) if under_way.is_set() else pieces()

    async def adopted() -> File:
        return await house.files.adopt(house.user, file_id, "a", "text/csv", key=made["key"], size=6)

    monkeypatch.setattr(house.store, "read", freezing)
    frozen = asyncio.create_task(adopted())
    await under_way.wait()
    first = await adopted()
    on.set()
    assert (await frozen).key == first.key
    assert (await house.store.local(first.key, house.folder)).read_bytes() == b"result"
    assert await house.room.used(house.user) == 18
