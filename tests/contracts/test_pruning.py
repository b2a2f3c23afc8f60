"""Retention, on both databases: what is old goes, as a prefix, and no reader ever sees a gap."""

import asyncio
import contextlib
import itertools
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from app.accounts import Sessions
from app.artifacts import ArtifactStore
from app.artifacts.room import Room
from app.events.model import OutOfRange
from app.tasks.pruning import KEYS_KEPT, PIECE, STREAMS, Pruning
from app.tasks.retention import Retention
from tests.contracts import written_events
from tests.contracts.task_databases import Tasks
from workers.pruner import EVERY, Pruner

KEPT = timedelta(days=30)
OLD = timedelta(days=31)
NEW = timedelta(days=29)
_users = itertools.count(1)


@pytest.fixture
def pruning(tasks: Tasks) -> Pruning:
    return Pruning(tasks.db, kept=KEPT)


async def somebody(tasks: Tasks, *runs: tuple[int, timedelta]) -> int:
    """A user with runs of events that happened so long ago."""
    user = await tasks.user(next(_users))
    for count, age in runs:
        await written_events.append(tasks.db, user, count, age=age)
    return user


async def kept(tasks: Tasks, user: int) -> tuple[int, list[int]]:
    """The floor of a user's log, and the numbers that are left."""
    floor = await tasks.db.fetch_val("SELECT floor FROM streams WHERE user_id = :user", {"user": user})
    rows = await tasks.db.fetch_all("SELECT seq FROM events WHERE user_id = :user ORDER BY seq", {"user": user})
    return floor, [row["seq"] for row in rows]


async def test_old_events_go_and_the_rest_can_be_replayed(tasks: Tasks, pruning: Pruning) -> None:
    user = await somebody(tasks, (6, OLD), (4, NEW))
    assert await pruning.events() == 6
    assert await kept(tasks, user) == (6, [7, 8, 9, 10])
    assert [frame.seq for frame in await tasks.log.since(user, 6, 10)] == [7, 8, 9, 10]
    for after in (0, 5):
        with pytest.raises(OutOfRange):
            await tasks.log.since(user, after, 10)
    epoch, oldest = await tasks.log.page(user, None, 2)
    assert epoch == await tasks.log.epoch()
    assert [frame.seq for frame in oldest] == [7, 8]
    assert await pruning.events() == 0


async def test_what_lies_behind_a_newer_event_stays(tasks: Tasks, pruning: Pruning) -> None:
    """The clock may have gone back: only the longest prefix of old events goes."""
    user = await somebody(tasks, (3, OLD), (1, NEW), (4, OLD), (1, NEW))
    assert await pruning.events() == 3
    assert await kept(tasks, user) == (3, [4, 5, 6, 7, 8, 9])


async def test_a_log_of_which_all_is_old_goes_on_at_its_number(tasks: Tasks, pruning: Pruning) -> None:
    user = await somebody(tasks, (5, OLD))
    assert await pruning.events() == 5
    assert await kept(tasks, user) == (5, [])
    await written_events.append(tasks.db, user, 1)
    assert [frame.seq for frame in await tasks.log.since(user, 5, 10)] == [6]


async def test_more_than_one_piece_and_more_than_one_page_of_users(tasks: Tasks, pruning: Pruning) -> None:
    busy = await somebody(tasks, (2 * PIECE + 5, OLD), (5, NEW))
    async with tasks.db.transaction():
        for _ in range(STREAMS):
            await tasks.user(next(_users))
    last = await somebody(tasks, (1, OLD), (1, NEW))
    assert await pruning.events() == 2 * PIECE + 6
    assert await kept(tasks, busy) == (2 * PIECE + 5, list(range(2 * PIECE + 6, 2 * PIECE + 11)))
    assert await kept(tasks, last) == (1, [2])


async def test_a_reader_has_each_event_in_order_or_is_told_that_it_comes_too_late(
    tasks: Tasks, pruning: Pruning
) -> None:
    """While several processes prune, and events are committed."""
    user = await somebody(tasks, (3 * PIECE - 10, OLD), (10, NEW))
    done = asyncio.Event()

    async def read(chance: random.Random) -> None:
        while not done.is_set():
            after = chance.randrange(3 * PIECE)
            with contextlib.suppress(OutOfRange):
                frames = await tasks.log.since(user, after, 50)
                assert [frame.seq for frame in frames] == list(range(after + 1, after + 1 + len(frames)))

    readers = [asyncio.create_task(read(random.Random(seed))) for seed in range(3)]
    forgotten = await asyncio.gather(
        pruning.events(), Pruning(tasks.db, kept=KEPT).events(), written_events.append(tasks.db, user, 20)
    )
    left = [frame.seq for frame in (await tasks.log.page(user, None, 100))[1]]
    done.set()
    await asyncio.gather(*readers)
    assert max(forgotten[:2]) > 0
    assert left == list(range(3 * PIECE - 9, 3 * PIECE + 21))


async def test_a_key_outlives_its_task_by_a_day(tasks: Tasks, pruning: Pruning) -> None:
    user = await tasks.user(next(_users))
    made = {name: await tasks.submit(user, key=name, body=b"body") for name in ("waits", "young", "recent", "old")}
    claims = {claim.id: claim for claim in await tasks.claim(100)}
    for name in ("young", "recent", "old"):
        await tasks.end(claims[made[name].id], "succeeded")
        assert await tasks.moves.delete(user, made[name].id)
    # None of these rows may be changed, so those of earlier days are written anew.
    past = {"at": datetime.now(UTC) - KEYS_KEPT - timedelta(minutes=1), "user": user}
    await tasks.db.execute("DELETE FROM idempotency WHERE user_id = :user AND key <> 'young'", {"user": user})
    sql = "INSERT INTO idempotency (user_id, key, body, task_id, created_at) VALUES (:user, :key, :body, :task, :at)"
    for name in ("waits", "recent", "old"):
        await tasks.db.execute(sql, {**past, "key": name, "body": b"body", "task": made[name].id})
    await tasks.db.execute("DELETE FROM events WHERE task_id = :task", {"task": made["old"].id})
    assert await pruning.keys() == 1
    rows = await tasks.db.fetch_all("SELECT key FROM idempotency WHERE user_id = :user ORDER BY key", {"user": user})
    assert [row["key"] for row in rows] == ["recent", "waits", "young"]


async def test_keys_go_stretch_by_stretch(tasks: Tasks, pruning: Pruning) -> None:
    user = await tasks.user(next(_users))
    gone = datetime.now(UTC) - 2 * KEYS_KEPT
    sql = "INSERT INTO idempotency (user_id, key, body, task_id, created_at) VALUES (:user, :key, :body, :task, :at)"
    async with tasks.db.transaction():
        for number in range(2 * PIECE):
            values = {"user": user, "key": f"é {number}", "body": b"", "task": uuid4(), "at": gone}
            await tasks.db.execute(sql, values)
    assert await pruning.keys() == 2 * PIECE
    assert await pruning.keys() == 0


async def test_one_process_has_the_turn(tasks: Tasks, pruning: Pruning) -> None:
    await tasks.db.execute("DELETE FROM meta WHERE key = 'pruned_at'")
    turns = await asyncio.gather(*(Pruning(tasks.db, kept=KEPT).its_turn(EVERY / 2) for _ in range(5)))
    assert sorted(turns) == [False, False, False, False, True]
    assert not await pruning.its_turn(EVERY / 2)
    past = (datetime.now(UTC) - EVERY).isoformat(timespec="microseconds")
    await tasks.db.execute("UPDATE meta SET value = :past WHERE key = 'pruned_at'", {"past": past})
    assert await pruning.its_turn(EVERY / 2)


async def test_the_pruner_forgets_expired_sessions_too(
    tasks: Tasks, pruning: Pruning, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = ArtifactStore(tmp_path.as_uri())
    retention = Retention(tasks.db, store, Room(tasks.db, most=1000), kept=KEPT)
    now = datetime.now(UTC)
    await tasks.db.execute(
        "INSERT INTO users (id, username, username_key, password_hash, created_at) VALUES (7, 'ada', 'ada', '', :now)",
        {"now": now},
    )
    sql = "INSERT INTO sessions (token_hash, user_id, created_at, last_seen_at, expires_at) VALUES (:hash, 7, :now, :now, :until)"
    for name, until in ((b"expired", now - timedelta(seconds=1)), (b"alive", now + timedelta(days=1))):
        await tasks.db.execute(sql, {"hash": name, "now": now, "until": until})
    user = await somebody(tasks, (1, OLD), (1, NEW))
    caplog.set_level("INFO", "workers.pruner")
    await Pruner(pruning, Sessions(tasks.db, "key"), retention).prune()
    assert "forgotten: 1 events, 1 sessions" in caplog.text
    assert await kept(tasks, user) == (1, [2])
    rows = await tasks.db.fetch_all("SELECT token_hash FROM sessions")
    assert [bytes(row["token_hash"]) for row in rows] == [b"alive"]
