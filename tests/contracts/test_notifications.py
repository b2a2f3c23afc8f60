"""What is unread, on both databases: ends of one's own tasks behind a mark that only goes forward."""

import asyncio
import itertools
import re
from uuid import UUID

import pytest
from alembic import command

from app.assets import migrations_dir
from app.db import open_database
from app.migrate import _config, upgrade
from app.notifications import store
from app.notifications.model import Reading
from app.notifications.store import Notifications
from app.tasks.model import Draft
from app.tasks.states import ENDS_SQL
from tests.contracts import written_events
from tests.contracts.task_databases import Tasks

_users = itertools.count(1)


@pytest.fixture
def notifications(tasks: Tasks) -> Notifications:
    return Notifications(tasks.db)


@pytest.fixture
async def ada(tasks: Tasks) -> int:
    return await tasks.user(next(_users))


async def ended(tasks: Tasks, user: int, **changes: object) -> Draft:
    """A task that was cancelled while it waited: two events, of which the second is its end."""
    made = await tasks.submit(user, **changes)
    (event,) = await tasks.moves.cancel(user, [made.id])
    assert event.type == "task.cancelled"
    return made


async def listed(notifications: Notifications, user: int, *, unread: bool = False) -> list[tuple[int, UUID, bool]]:
    page = await notifications.page(user, 50, unread=unread)
    return [(notice.seq, notice.task.id, notice.unread) for notice in page.items]


@pytest.mark.parametrize("index", ["events_one_end", "events_ends", "events_ended_at"])
def test_ends_are_to_the_letter_those_of_the_indexes(index: str) -> None:
    """Else the planner reads the whole log."""
    made = [line for path in (migrations_dir() / "versions").glob("*.py") for line in path.read_text().splitlines()]
    [told] = [line for line in made if "WHERE" in line and re.search(rf"\b{index}\b", line)]
    assert f"WHERE {ENDS_SQL}" in told


async def test_ends_alone_are_unread_the_newest_first(tasks: Tasks, notifications: Notifications, ada: int) -> None:
    assert await notifications.reading(ada) == Reading()
    first, second = await ended(tasks, ada), await ended(tasks, ada)
    await tasks.submit(ada)
    assert await notifications.reading(ada) == Reading(seq=0, head=5, unread=2, muted=())
    assert await listed(notifications, ada) == [(4, second.id, True), (2, first.id, True)]


async def test_a_result_and_a_failure_are_ends_too(tasks: Tasks, notifications: Notifications, ada: int) -> None:
    lane = f"lane-{ada}"
    for verdict in ("succeeded", "failed"):
        await tasks.submit(ada, lane=lane)
        (claim,) = await tasks.moves.claim(tasks.worker, lane, {"work": 1}, 1)
        await tasks.end(claim, verdict)
    page = await notifications.page(ada, 50)
    assert [notice.task.state for notice in page.items] == ["failed", "succeeded"]
    assert (await notifications.reading(ada)).unread == 2


async def test_what_is_marked_is_read(tasks: Tasks, notifications: Notifications, ada: int) -> None:
    first, second = await ended(tasks, ada), await ended(tasks, ada)
    await notifications.mark(ada, 2)
    assert await notifications.reading(ada) == Reading(seq=2, head=4, unread=1, muted=())
    assert await listed(notifications, ada) == [(4, second.id, True), (2, first.id, False)]
    assert await listed(notifications, ada, unread=True) == [(4, second.id, True)]


@pytest.mark.parametrize("seq", [1, 4, 5, 10**17], ids=["back", "again", "ahead of the log", "far ahead"])
async def test_a_mark_never_goes_back_nor_ahead(tasks: Tasks, notifications: Notifications, ada: int, seq: int) -> None:
    await ended(tasks, ada)
    await ended(tasks, ada)
    await notifications.mark(ada, 4)
    await notifications.mark(ada, seq)
    assert await notifications.reading(ada) == Reading(seq=4, head=4, unread=0, muted=())
    await ended(tasks, ada)
    assert (await notifications.reading(ada)).unread == 1


async def test_of_marks_at_once_the_farthest_stands(tasks: Tasks, notifications: Notifications, ada: int) -> None:
    for _ in range(8):
        await ended(tasks, ada)
    await asyncio.gather(*(notifications.mark(ada, seq) for seq in (3, 16, 7, 12, 16, 1)))
    assert (await notifications.reading(ada)).seq == 16


async def test_nobody_reads_or_marks_for_another(tasks: Tasks, notifications: Notifications, ada: int) -> None:
    eve = await tasks.user(next(_users))
    await ended(tasks, ada)
    await notifications.mute(eve, "work")
    await notifications.mark(eve, 2)
    assert await notifications.reading(eve) == Reading(muted=("work",))
    assert await listed(notifications, eve) == []
    assert await notifications.reading(ada) == Reading(seq=0, head=2, unread=1, muted=())


async def test_what_is_muted_is_listed_but_never_unread(tasks: Tasks, notifications: Notifications, ada: int) -> None:
    loud, quiet = await ended(tasks, ada), await ended(tasks, ada, workload="noise")
    for _ in range(2):
        await notifications.mute(ada, "noise")
    assert await notifications.reading(ada) == Reading(seq=0, head=4, unread=1, muted=("noise",))
    assert await listed(notifications, ada, unread=True) == [(2, loud.id, True)]
    assert await listed(notifications, ada) == [(4, quiet.id, False), (2, loud.id, True)]
    for _ in range(2):
        await notifications.unmute(ada, "noise")
    assert await notifications.reading(ada) == Reading(seq=0, head=4, unread=2, muted=())


async def test_a_deleted_task_has_nothing_to_tell(tasks: Tasks, notifications: Notifications, ada: int) -> None:
    gone, kept = await ended(tasks, ada), await ended(tasks, ada)
    assert await tasks.moves.delete(ada, gone.id)
    assert (await notifications.reading(ada)).unread == 1
    assert await listed(notifications, ada) == [(4, kept.id, True)]


async def test_pages_go_on_where_the_one_before_ended(tasks: Tasks, notifications: Notifications, ada: int) -> None:
    for _ in range(5):
        await ended(tasks, ada)
    await notifications.mark(ada, 2)
    seen, before = [], None
    while True:
        page = await notifications.page(ada, 2, before=before, unread=True)
        seen.append([notice.seq for notice in page.items])
        await ended(tasks, ada)  # what is new moves nothing
        if page.next is None:
            break
        before = page.next
    assert seen == [[10, 8], [6, 4]]


async def test_more_are_not_counted_than_are_said(
    tasks: Tasks, notifications: Notifications, ada: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for workload in ("noise", "work", "work", "work", "noise", "noise"):
        await ended(tasks, ada, workload=workload)
    monkeypatch.setattr(store, "MOST_COUNTED", 2)
    assert (await notifications.reading(ada)).unread == 2
    await notifications.mute(ada, "noise")
    monkeypatch.setattr(store, "LOOKED_THROUGH", 3)
    assert (await notifications.reading(ada)).unread == 1, "of the newest three"


async def test_somebody_without_a_log_has_read_all_there_is(notifications: Notifications) -> None:
    assert await notifications.reading(10**9) == Reading()
    assert await listed(notifications, 10**9) == []


async def test_what_ended_before_there_were_notifications_is_read(database_url: str) -> None:
    await asyncio.to_thread(command.upgrade, _config(database_url), "0008")
    db = open_database(database_url)
    await db.connect()
    try:
        await db.execute("INSERT INTO streams (user_id) VALUES (1), (2)")
        await written_events.append(db, 1, 3, kind="task.succeeded")
        await upgrade(database_url)
        notifications = Notifications(db)
        assert await notifications.reading(1) == Reading(seq=3, head=3, unread=0, muted=())
        assert await notifications.reading(2) == Reading()
    finally:
        await db.disconnect()
