"""How many tasks a user may have waiting: counted by the database, on both."""

from collections.abc import AsyncIterator

import pytest

from app.errors import TooMany
from app.tasks.quota import FRESH, FRESH_FAR, Quota
from tests.contracts.task_databases import Tasks, task_database


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def tasks(database_url: str) -> AsyncIterator[Tasks]:
    async with task_database(database_url) as made:
        yield made


async def test_one_more_than_allowed_is_refused_and_others_are_not(tasks: Tasks) -> None:
    ada, eve = await tasks.user(1), await tasks.user(2)
    quota = Quota(tasks.store, most=3, clock=Clock())
    for _ in range(3):
        await quota.take(ada)
        await tasks.submit(ada)
    with pytest.raises(TooMany, match="You have 3 tasks waiting"):
        await quota.take(ada)
    await quota.take(eve)


async def test_what_has_started_counts_no_more(tasks: Tasks) -> None:
    ada, clock = await tasks.user(1), Clock()
    quota = Quota(tasks.store, most=2, clock=clock)
    for _ in range(2):
        await quota.take(ada)
        await tasks.submit(ada)
    await tasks.claim()
    with pytest.raises(TooMany):
        await quota.take(ada)
    clock.now += FRESH + 0.1
    await quota.take(ada)


async def test_who_is_far_from_the_limit_is_seldom_counted(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, clock, counted = await tasks.user(1), Clock(), 0
    count = tasks.store.waiting

    async def waiting(user_id: int, most: int) -> int:
        nonlocal counted
        counted += 1
        return await count(user_id, most)

    monkeypatch.setattr(tasks.store, "waiting", waiting)
    quota = Quota(tasks.store, most=100, clock=clock)
    for _ in range(10):
        await quota.take(ada)
        clock.now += FRESH_FAR / 20
    assert counted == 1
