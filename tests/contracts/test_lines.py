"""The lines that tasks wait in: what was to wait takes its place when its time has come, and nothing reads a whole line to find its head."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from app.queues.memory import MemoryQueue
from app.tasks.model import new_id
from app.tasks.outbox import Outbox
from tests.contracts.task_databases import ABLE, Tasks, ending, task_database
from tests.integration.test_runtime import Followers
from workers.lane import Lane
from workers.sweeper import Sweeper

ADA = 1
SHORT = 50
LONG = 20_000


@pytest.fixture
async def tasks(database_url: str) -> AsyncIterator[Tasks]:
    async with task_database(database_url) as made:
        await made.user(ADA)
        yield made


async def test_what_was_to_wait_takes_its_place_once_it_is_due(tasks: Tasks) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    plain = await tasks.submit(ADA)
    later = await tasks.submit(ADA, run_at=tomorrow, priority=5)
    urgent = await tasks.submit(ADA, priority=3)
    much_later = await tasks.submit(ADA, run_at=tomorrow, priority=9)
    assert await tasks.store.ahead(await tasks.store.get(ADA, later.id)) is None
    await tasks.db.execute(
        "UPDATE tasks SET run_at = :soon WHERE id = :id",
        {"soon": datetime.now(UTC), "id": later.id},
    )
    places = [await tasks.store.ahead(await tasks.store.get(ADA, one.id)) for one in (later, urgent, plain)]
    assert places == [0, 1, 2]
    taken = [claim.id for _ in range(4) for claim in await tasks.claim(1)]
    assert taken == [later.id, urgent.id, plain.id]
    assert (await tasks.store.get(ADA, much_later.id)).attempt == 0


async def test_a_retry_keeps_its_place_before_what_came_after_it(tasks: Tasks) -> None:
    first = await tasks.submit(ADA)
    (claim,) = await tasks.claim(1)
    await tasks.submit(ADA)
    await tasks.end(claim, "retry", retry_after=0.0)
    assert [again.id for again in await tasks.claim(1)] == [first.id]


@pytest.fixture
async def postgresql_tasks(fresh_database_url: str) -> AsyncIterator[Tasks]:
    """One call after the other takes one connection, on which every plan is made once; and nobody refreshes the figures that plans are made of."""
    async with task_database(fresh_database_url) as made:
        for table in ("tasks", "events", "streams"):
            await made.db.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        await made.user(ADA)
        yield made


async def fill(tasks: Tasks, number: int, *, later: bool = False) -> None:
    """Tasks that have been due for a while, or are due tomorrow."""
    due = "now() + interval '1 day'" if later else "now() - interval '1 minute'"
    sql = f"""INSERT INTO tasks (id, user_id, name, workload, version, lane, params, state, max_attempts, run_at, created_at)
    SELECT id, {ADA}, 'Work', 'work', 1, 'light', '{{}}', 'queued', 3, {due}, now() - interval '1 minute' FROM unnest($1::uuid[]) ids(id)"""
    await tasks.db.hot(sql, [new_id() for _ in range(number)])


@pytest.mark.parametrize("later", [False, True], ids=["due", "for-tomorrow"])
@pytest.mark.parametrize("planned", ["without-figures", "with-early-figures", "with-figures"])
async def test_nothing_reads_the_whole_backlog(postgresql_tasks: Tasks, planned: str, *, later: bool) -> None:
    tasks = postgresql_tasks
    sweeper = Sweeper(
        held=lambda: (),
        lanes=[],
        db=tasks.db,
        moves=tasks.moves,
        queue=(queue := MemoryQueue()),
        outbox=Outbox(Followers(), queue),
        lease=10,
        every=1,
    )
    await queue.open()
    lane = Lane("light", 1, ABLE)
    lane.connected(True)

    async def read() -> int:
        """Blocks of the table and its indexes that were read, by this connection."""
        await tasks.db.fetch_val("SELECT 1 FROM (SELECT pg_stat_force_next_flush()) now")
        sql = "SELECT heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read FROM pg_statio_user_tables WHERE relname = 'tasks'"
        return int(await tasks.db.fetch_val(sql))

    async def cost(call: Callable[[], Awaitable[object]]) -> int:
        before = await read()
        await call()
        return await read() - before

    async def claim_and_end() -> None:
        claims = await tasks.claim(10)
        assert claims
        await tasks.moves.finish([ending(claim, "succeeded") for claim in claims])

    async def all_costs() -> dict[str, int]:
        last = await tasks.submit(ADA)
        task = await tasks.store.get(ADA, last.id)
        return {
            "claim and finish": await cost(claim_and_end),
            "sweep": await cost(lambda: sweeper.top_up(lane)),
            "reap": await cost(sweeper.reap),
            "home": await cost(lambda: tasks.store.home(ADA)),
            "place in line": await cost(lambda: tasks.store.ahead(task)),
        }

    if planned == "with-early-figures":
        await fill(tasks, 300)
        await tasks.db.execute("ANALYZE")
    else:
        await all_costs()  # of a table that holds nothing else
    await fill(tasks, SHORT)
    short = await all_costs()
    await fill(tasks, LONG, later=later)
    await fill(tasks, SHORT)
    if planned == "with-figures":
        await tasks.db.execute("ANALYZE")
    long = await all_costs()
    dear = {name: (short[name], blocks) for name, blocks in long.items() if blocks > 1.3 * short[name] + 100}
    assert not dear
