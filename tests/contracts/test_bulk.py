"""Many tasks at once: counted exactly, changed in bounded steps, and never what has changed since it was counted. On both databases."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import orjson
import pytest

from app.catalogue import Workload
from app.migrate import upgrade
from app.resources import Resources, open_resources
from app.settings import Settings
from app.tasks import bulk
from app.tasks.commands import Submission
from app.tasks.model import Claim, Ending, Task, TaskFilter
from app.tasks.selection import CANCELLING, Action, Order, Selection
from app.tasks.states import State

MOST_WAITING = 6
WORK = Workload(
    name="work",
    version=1,
    title="Work",
    description="",
    mode="loop",
    lane="light",
    schema={"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": False},
    limits={},
    timeout_s=60,
    max_attempts=3,
    source="built-in",
)
ALL = Selection()


class Site:
    """A service without workers, and what a worker would do."""

    def __init__(self, parts: Resources) -> None:
        self.parts = parts

    async def user(self) -> int:
        user = await self.parts.accounts.sign_up(f"user-{uuid4().hex[:12]}", "a long walk at night")
        return user.id

    async def submit(self, user: int, *names: str) -> list[UUID]:
        return [
            (await self.parts.tasks.submit(user, Submission(workload="work", params={}, name=name))).id
            for name in names
        ]

    async def claim(self, *ids: UUID) -> list[Claim]:
        """Start these. What is before them in the line starts too, and is given back."""
        claims: dict[UUID, Claim] = {}
        while not claims.keys() >= set(ids):
            [claim] = await self.parts.moves.claim(uuid4(), "light", {"work": 1}, 1)
            claims[claim.id] = claim
        others = [claim for task_id, claim in claims.items() if task_id not in ids]
        await self.parts.moves.finish([_ending(one, "released") for one in others])
        return [claims[task_id] for task_id in ids]

    async def fail(self, *ids: UUID) -> None:
        await self.parts.moves.finish([_ending(one, "failed") for one in await self.claim(*ids)])

    async def order(self, user: int, action: Action, selection: Selection = ALL) -> Order:
        """What somebody confirms who has seen the count."""
        count = await self.parts.bulk.count(user, selection)
        return Order(action=action, selection=selection, seq=count.seq, counted=count.able(action))

    async def tasks(self, user: int) -> Sequence[Task]:
        return (await self.parts.store.page(user, TaskFilter(), 100)).items

    async def states(self, user: int) -> dict[str, str]:
        return {task.name: task.state.value for task in await self.tasks(user)}


def _ending(claim: Claim, verdict: str) -> Ending:
    error = orjson.dumps({"kind": "error", "message": "No.", "hint": None}).decode() if verdict == "failed" else None
    return Ending(id=claim.id, attempt=claim.attempt, token=claim.token, verdict=verdict, error=error)  # type: ignore[arg-type]


@pytest.fixture
async def site(database_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    await upgrade(database_url)
    environment = {"TASKLINE_DATABASE_URL": database_url, "TASKLINE_LIMIT_WAITING": str(MOST_WAITING)}
    settings = Settings.from_environment(environment, data_dir=tmp_path)
    async with open_resources(settings, secret_key="k" * 48) as parts:
        await parts.catalogue.publish([WORK])
        yield Site(parts)


async def test_all_are_counted_by_state_and_nobody_elses(site: Site) -> None:
    ada, eve = await site.user(), await site.user()
    first, second, third, _ = await site.submit(ada, "one", "two", "three", "four")
    await site.submit(eve, "hers")
    await site.fail(first)
    await site.claim(second, third)
    await site.parts.tasks.cancel(ada, second)
    count = await site.parts.bulk.count(ada, ALL)
    assert dict(count.states) == {"failed": 1, CANCELLING: 1, "running": 1, "queued": 1}
    assert [count.able(action) for action in Action] == [2, 1, 1]
    found = Selection(chosen=TaskFilter(state=State.QUEUED, q="FOU"))
    assert dict((await site.parts.bulk.count(ada, found)).states) == {"queued": 1}
    picked = Selection(ids=(first, (await site.submit(eve, "also hers"))[0]))
    assert dict((await site.parts.bulk.count(ada, picked)).states) == {"failed": 1}
    assert await site.parts.bulk.up_to(ada, TaskFilter(), 3) == 3


async def test_what_waits_is_cancelled_and_what_runs_is_asked_to_stop(site: Site) -> None:
    ada, eve = await site.user(), await site.user()
    first, second, third = await site.submit(ada, "one", "two", "three")
    await site.submit(eve, "hers")
    await site.claim(second)
    order = await site.order(ada, Action.CANCEL)
    done = await site.parts.bulk.carry_out(ada, order)
    assert (done.done, done.stopping, done.changed, done.left) == (3, 1, 0, 0)
    assert await site.states(ada) == {"one": "cancelled", "two": "running", "three": "cancelled"}
    assert await site.states(eve) == {"hers": "queued"}
    _, frames = await site.parts.log.page(ada, order.seq, 100)
    told = [orjson.loads(frame.text) for frame in frames]
    assert [(frame["seq"], frame["type"], frame["task"]["id"]) for frame in told] == [
        (order.seq + 1, "task.cancelled", str(first)),
        (order.seq + 2, "task.cancelling", str(second)),
        (order.seq + 3, "task.cancelled", str(third)),
    ]
    again = await site.parts.bulk.carry_out(ada, order)
    assert (again.done, again.left) == (0, 0)


async def test_what_has_changed_since_it_was_counted_is_left_alone(site: Site) -> None:
    ada = await site.user()
    first, second, third = await site.submit(ada, "one", "two", "three")
    await site.claim(third)  # which belongs to no order of what waits
    waiting = Selection(chosen=TaskFilter(state=State.QUEUED))
    order = await site.order(ada, Action.CANCEL, waiting)
    assert order.counted == 2
    [claim] = await site.claim(first)  # it has started meanwhile
    await site.submit(ada, "new")
    done = await site.parts.bulk.carry_out(ada, order)
    assert (done.done, done.changed, done.left) == (1, 1, 0)
    assert await site.states(ada) == {"one": "running", "two": "cancelled", "three": "running", "new": "queued"}
    # What has ended meanwhile was not among the ended ones that somebody confirmed.
    order = await site.order(ada, Action.DELETE)
    assert order.counted == 1
    await site.parts.moves.finish([_ending(claim, "failed")])
    done = await site.parts.bulk.carry_out(ada, order)
    assert (done.done, done.changed) == (1, 0)
    assert await site.states(ada) == {"one": "failed", "three": "running", "new": "queued"}
    assert second not in {task.id for task in await site.tasks(ada)}


@pytest.mark.parametrize("action", [Action.CANCEL, Action.DELETE])
async def test_one_call_is_bounded_and_tells_what_is_left(
    site: Site, monkeypatch: pytest.MonkeyPatch, action: Action
) -> None:
    monkeypatch.setattr(bulk, "MOST", 3)
    monkeypatch.setattr(bulk, "BATCH", 2)
    ada = await site.user()
    ids = await site.submit(ada, "one", "two", "three", "four", "five")
    if action is Action.DELETE:
        await site.fail(*ids)
    order = await site.order(ada, action)
    done = await site.parts.bulk.carry_out(ada, order)
    assert (done.done, done.left, done.changed) == (3, 2, 0)
    rest = await site.parts.bulk.carry_out(ada, replace(order, after=done.after, counted=done.left))
    assert (rest.done, rest.left, rest.changed) == (2, 0, 0)


async def test_each_is_started_again_once_however_often_it_is_asked(site: Site) -> None:
    ada = await site.user()
    first, second, third = await site.submit(ada, "one", "two", "three")
    await site.fail(first, second)
    await site.parts.tasks.cancel(ada, third)
    order = await site.order(ada, Action.RETRY, Selection(chosen=TaskFilter(state=State.FAILED)))
    for _ in range(2):
        done = await site.parts.bulk.carry_out(ada, order)
        assert (done.done, done.changed, done.left) == (2, 0, 0)
    retried = [task.retry_of for task in await site.tasks(ada) if task.retry_of]
    assert sorted(retried) == [first, second]


async def test_a_limit_stops_it_and_the_same_order_goes_on_later(site: Site) -> None:
    ada = await site.user()
    ids = await site.submit(ada, "one", "two", "three", "four")
    await site.fail(*ids)
    site.parts.tasks._quota._counts.clear()  # what a while does
    await site.submit(ada, *(f"waits {at}" for at in range(MOST_WAITING - 2)))
    order = await site.order(ada, Action.RETRY)
    done = await site.parts.bulk.carry_out(ada, order)
    assert (done.done, done.left, done.changed, done.after) == (2, 2, 0, ids[1])
    assert done.stopped == (
        f"You have {MOST_WAITING} tasks waiting, the most at once. Cancel some, or wait until some have started."
    )
    await site.parts.bulk.carry_out(ada, await site.order(ada, Action.CANCEL))
    site.parts.tasks._quota._counts.clear()
    rest = await site.parts.bulk.carry_out(ada, replace(order, after=done.after, counted=done.left))
    assert (rest.done, rest.left, rest.stopped) == (2, 0, "")


async def test_what_cannot_start_again_says_why(site: Site) -> None:
    ada = await site.user()
    ids = await site.submit(ada, "one", "two")
    await site.fail(*ids)
    await site.parts.catalogue.forget(["work"])
    done = await site.parts.bulk.carry_out(ada, await site.order(ada, Action.RETRY))
    assert (done.done, done.left, done.changed) == (0, 0, 0)
    assert done.refused == {"workload is not one that workers here can run": 2}


async def test_the_workload_used_last_is_what_the_user_has_started(site: Site) -> None:
    ada = await site.user()
    assert await site.parts.store.last_workload(ada) is None
    await site.submit(ada, "one")
    assert await site.parts.store.last_workload(ada) == "work"
