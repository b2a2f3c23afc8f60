"""A workload that became lighter or heavier is followed by the tasks that wait for it, and by no others."""

from uuid import uuid4

import pytest

from tests.contracts.task_databases import Tasks
from workers import lane_changes
from workers.lane_changes import LaneChanges


async def test_tasks_follow_their_workload_into_its_lane(tasks: Tasks) -> None:
    await tasks.db.execute("DELETE FROM tasks")
    user = await tasks.user(21_001)
    light = await tasks.submit(user, workload="grown", lane="light")
    former = await tasks.submit(user, workload="seed", lane="light")
    there = await tasks.submit(user, workload="grown", lane="heavy")
    other = await tasks.submit(user, workload="other", lane="light")
    changes = LaneChanges(tasks.db, {"grown": "heavy", "seed": "heavy", "work": "light"})
    assert await changes.follow() == 2
    assert await changes.follow() == 0
    claims = await tasks.moves.claim(uuid4(), "heavy", {"grown": 1, "seed": 1, "other": 1}, 10)
    assert [claim.id for claim in claims] == [light.id, former.id, there.id]
    assert (await tasks.store.get(user, other.id)).lane == "light"

    changes.learn({"grown": "light"})
    assert await changes.follow() == 0, "what runs goes on where it is"
    assert await tasks.end(claims[2], "released")
    assert await changes.follow() == 1
    assert (await tasks.store.get(user, there.id)).lane == "light"


async def test_all_of_a_long_line_follow(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_changes, "MOST", 5)
    await tasks.db.execute("DELETE FROM tasks")
    user = await tasks.user(21_002)
    for _ in range(12):
        await tasks.submit(user, workload="grown", lane="light")
    assert await LaneChanges(tasks.db, {"grown": "heavy"}).follow() == 12
