"""The moves of a task, on both databases: each conditional, each with its event, nothing else ever."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import orjson
import pytest

from app.catalogue import Catalogue, Worker
from app.errors import NotFound, Unstorable
from app.tasks.document import card
from app.tasks.model import Draft, Mark, TaskFilter
from app.tasks.states import State
from tests.contracts.task_databases import Tasks, draft, ending, task_database


@pytest.fixture
async def tasks(database_url: str) -> AsyncIterator[Tasks]:
    async with task_database(database_url) as made:
        yield made


async def story(tasks: Tasks, user_id: int) -> list[str]:
    """The types of a user's events; their numbers have no gap."""
    frames = await tasks.log.since(user_id, 0, 10_000)
    assert [frame.seq for frame in frames] == list(range(1, len(frames) + 1))
    return [orjson.loads(frame.text)["type"] for frame in frames]


async def test_a_task_runs_to_its_end(tasks: Tasks) -> None:
    ada = await tasks.user(1)
    made = await tasks.submit(ada)
    (claim,) = await tasks.claim()
    assert (claim.id, claim.attempt, claim.params) == (made.id, 1, {"n": 1})
    await tasks.moves.mark([Mark(claim.id, claim.token, 0.5, "half")])
    assert (await tasks.store.get(ada, made.id)).progress_fraction == 0.5
    event = await tasks.end(claim, "succeeded", summary="Done.", result='{"v": 1}', artifacts="[]")
    assert event is not None
    task = await tasks.store.get(ada, made.id)
    assert (task.state, task.summary, task.result, task.progress_fraction) == (State.SUCCEEDED, "Done.", {"v": 1}, 1)
    assert await story(tasks, ada) == ["task.queued", "task.started", "task.succeeded"]


async def test_the_card_of_an_event_is_the_card_of_the_task(tasks: Tasks) -> None:
    ada = await tasks.user(1)
    made = await tasks.submit(ada, retry_of=uuid4(), name="Zoë's “work”")
    (claim,) = await tasks.claim()
    await tasks.end(claim, "failed", error='{"kind": "error", "message": "It broke.", "hint": null}')
    shown = orjson.loads(orjson.dumps(card(await tasks.store.get(ada, made.id))))
    told = orjson.loads((await tasks.log.since(ada, 2, 1))[0].text)["task"]
    for name in ("created_at", "run_at", "started_at", "finished_at"):
        assert datetime.fromisoformat(told.pop(name)) == datetime.fromisoformat(shown.pop(name))
    assert told == shown


async def test_the_best_due_task_is_claimed_first(tasks: Tasks) -> None:
    ada = await tasks.user(1)
    first, second = await tasks.submit(ada), await tasks.submit(ada)
    urgent = await tasks.submit(ada, priority=5)
    await tasks.submit(ada, run_at=datetime.now(UTC) + timedelta(hours=1))
    await tasks.submit(ada, lane="heavy")
    await tasks.submit(ada, workload="unknown")
    await tasks.submit(ada, version=2)
    assert [claim.id for claim in await tasks.claim(2)] == [urgent.id, first.id]
    assert [claim.id for claim in await tasks.claim(10)] == [second.id]


async def test_a_run_at_in_the_past_is_now(tasks: Tasks) -> None:
    ada = await tasks.user(1)
    made = await tasks.submit(ada, run_at=datetime(2020, 1, 1, tzinfo=UTC))
    task = await tasks.store.get(ada, made.id)
    assert abs((task.run_at - task.created_at).total_seconds()) < 1
    assert len(await tasks.claim()) == 1


async def test_many_workers_never_claim_the_same_task(tasks: Tasks) -> None:
    ada = await tasks.user(1)
    await tasks.moves.submit([draft(ada) for _ in range(100)])
    claims = await asyncio.gather(*(tasks.claim(7, uuid4()) for _ in range(20)))
    taken = [claim.id for some in claims for claim in some]
    assert len(taken) == len(set(taken)) == 100


async def test_a_second_end_writes_nothing(tasks: Tasks) -> None:
    ada = await tasks.user(1)
    await tasks.submit(ada)
    (claim,) = await tasks.claim()
    assert await tasks.end(claim, "succeeded")
    assert await tasks.end(claim, "failed") is None
    assert await story(tasks, ada) == ["task.queued", "task.started", "task.succeeded"]


async def test_an_end_with_another_token_writes_nothing(tasks: Tasks) -> None:
    ada = await tasks.user(1)
    made = await tasks.submit(ada)
    (claim,) = await tasks.claim()
    (event,) = await tasks.moves.finish([replace(ending(claim, "succeeded"), token=uuid4())])
    assert event is None
    assert (await tasks.store.get(ada, made.id)).state is State.RUNNING


async def test_a_retry_waits_and_counts(tasks: Tasks) -> None:
    ada = await tasks.user(1)
    made = await tasks.submit(ada, max_attempts=2)
    (claim,) = await tasks.claim()
    await tasks.end(claim, "retry", retry_after=60.0, error='{"kind": "error", "message": "no", "hint": null}')
    task = await tasks.store.get(ada, made.id)
    assert task.state is State.QUEUED
    assert task.finished_at is None
    assert task.run_at > datetime.now(UTC) + timedelta(seconds=50)
    assert await tasks.claim() == []
    await tasks.db.execute("UPDATE tasks SET run_at = created_at")
    (claim,) = await tasks.claim()
    assert claim.attempt == 2
    await tasks.end(claim, "retry", error='{"kind": "error", "message": "no", "hint": null}')
    task = await tasks.store.get(ada, made.id)
    assert (task.state, task.error) == (State.FAILED, {"kind": "error", "message": "no", "hint": None})
    assert await story(tasks, ada) == ["task.queued", "task.started", "task.retrying", "task.started", "task.failed"]


async def test_a_released_task_goes_back_without_a_mark(tasks: Tasks) -> None:
    ada = await tasks.user(1)
    made = await tasks.submit(ada, max_attempts=1)
    (claim,) = await tasks.claim()
    await tasks.end(claim, "released")
    assert (await tasks.store.get(ada, made.id)).state is State.QUEUED
    (claim,) = await tasks.claim()
    assert claim.attempt == 2
    assert await tasks.end(claim, "succeeded")


async def test_a_waiting_task_is_cancelled_at_once(tasks: Tasks) -> None:
    ada, eve = await tasks.user(1), await tasks.user(2)
    made = await tasks.submit(ada)
    assert await tasks.moves.cancel(eve, [made.id]) == []
    (event,) = await tasks.moves.cancel(ada, [made.id])
    assert event.type == "task.cancelled"
    assert await tasks.moves.cancel(ada, [made.id]) == []
    assert await tasks.claim() == []


@pytest.mark.parametrize("verdict", ["failed", "retry", "released", "cancelled"])
async def test_a_running_task_that_was_cancelled_ends_so(tasks: Tasks, verdict: str) -> None:
    ada = await tasks.user(1)
    made = await tasks.submit(ada)
    (claim,) = await tasks.claim()
    (event,) = await tasks.moves.cancel(ada, [made.id])
    assert event.type == "task.cancelling"
    assert await tasks.moves.heartbeat({claim.id: claim.token}) == {claim.id: True}
    await tasks.end(claim, verdict)  # type: ignore[arg-type]
    task = await tasks.store.get(ada, made.id)
    assert (task.state, task.error) == (State.CANCELLED, None)
    assert task.finished_at is not None


async def test_a_result_that_was_first_wins_over_a_cancel(tasks: Tasks) -> None:
    ada = await tasks.user(1)
    made = await tasks.submit(ada)
    (claim,) = await tasks.claim()
    await tasks.moves.cancel(ada, [made.id])
    await tasks.end(claim, "succeeded")
    assert (await tasks.store.get(ada, made.id)).state is State.SUCCEEDED


async def test_a_heartbeat_answers_only_claims_that_hold(tasks: Tasks) -> None:
    ada = await tasks.user(1)
    await tasks.submit(ada)
    (claim,) = await tasks.claim()
    assert await tasks.moves.heartbeat({claim.id: claim.token, uuid4(): uuid4()}) == {claim.id: False}
    assert await tasks.moves.heartbeat({claim.id: uuid4()}) == {}


async def test_the_reaper_takes_ended_leases_of_others(tasks: Tasks) -> None:
    ada = await tasks.user(1)
    made = await tasks.submit(ada)
    (claim,) = await tasks.claim()
    assert await tasks.moves.reap([]) == []
    assert await tasks.moves.reap([uuid4(), claim.token], ahead=60) == [], "a worker never reaps what it runs"
    (event,) = await tasks.moves.reap([uuid4()], ahead=60)
    assert event.type == "task.retrying"
    assert (await tasks.store.get(ada, made.id)).state is State.QUEUED


async def test_a_task_that_loses_three_workers_fails_as_lost(tasks: Tasks) -> None:
    ada = await tasks.user(1)
    made = await tasks.submit(ada, max_attempts=1)
    for _ in range(3):
        await tasks.db.execute("UPDATE tasks SET run_at = created_at WHERE state = 'queued'")
        assert len(await tasks.claim(worker=uuid4())) == 1
        assert len(await tasks.moves.reap([], ahead=60)) == 1
    task = await tasks.store.get(ada, made.id)
    assert task.state is State.FAILED
    assert task.error is not None
    assert task.error["kind"] == "lost"


@pytest.mark.parametrize(("lost", "most", "attempts"), [(0, 3, 3), (0, 1, 1), (1, 3, 3), (1, 1, 2), (2, 5, 5)])
async def test_a_task_whose_processes_die_fails_at_the_most_attempts(
    tasks: Tasks, lost: int, most: int, attempts: int
) -> None:
    ada = await tasks.user(1)
    made = await tasks.submit(ada, max_attempts=most)
    error = '{"kind": "lost", "message": "It died.", "hint": null}'
    for attempt in range(1, attempts + 1):
        await tasks.db.execute("UPDATE tasks SET run_at = created_at WHERE state = 'queued'")
        (claim,) = await tasks.claim(worker=uuid4())
        assert (claim.attempt, claim.lost) == (attempt, min(attempt - 1, lost))
        if attempt <= lost:
            assert len(await tasks.moves.reap([], ahead=60)) == 1
        else:
            await tasks.end(claim, "crashed", error=error)
        task = await tasks.store.get(ada, made.id)
        assert task.state is (State.FAILED if attempt == attempts else State.QUEUED)
    assert task.error == {"kind": "lost", "message": "It died.", "hint": None}


async def test_the_first_lost_worker_costs_two_seconds_at_most(tasks: Tasks) -> None:
    ada = await tasks.user(1)
    made = [await tasks.submit(ada) for _ in range(50)]
    for claim in await tasks.claim(50):  # attempts of drained workers do not count
        await tasks.end(claim, "released")
    await tasks.claim(50)
    before = datetime.now(UTC)
    assert len(await tasks.moves.reap([], ahead=60)) == 50
    waits = [((await tasks.store.get(ada, one.id)).run_at - before).total_seconds() for one in made]
    assert max(waits) < 2.5
    assert len({round(wait, 2) for wait in waits}) > 10, "they do not come back at once"


async def test_what_runs_under_a_token_is_known(tasks: Tasks) -> None:
    ada = await tasks.user(1)
    made, token = await tasks.submit(ada), uuid4()
    assert await tasks.moves.under(token) == []
    (claim,) = await tasks.moves.claim(tasks.worker, "light", {"work": 1}, 1, token=token)
    assert claim.token == token
    assert await tasks.moves.under(token) == [(made.id, 1)]
    await tasks.end(claim, "released")
    assert await tasks.moves.under(token) == []


async def test_a_lease_lasts_as_long_as_it_was_said_to(database_url: str) -> None:
    async with task_database(database_url, lease=5) as tasks:
        await tasks.submit(await tasks.user(1))
        (claim,) = await tasks.claim()
        for _ in range(2):
            assert await tasks.moves.reap([], ahead=4) == []
            await tasks.moves.heartbeat({claim.id: claim.token})
        assert len(await tasks.moves.reap([], ahead=6)) == 1


async def test_a_key_makes_one_task(tasks: Tasks) -> None:
    ada, eve = await tasks.user(1), await tasks.user(2)
    drafts = [draft(ada, key="k", body=b"same") for _ in range(4)] + [draft(eve, key="k", body=b"same")]
    events = await tasks.moves.submit(drafts)
    made = [event for event in events if event is not None]
    assert sorted(event.user_id for event in made) == [1, 2]
    assert await tasks.moves.submit([draft(ada, key="k", body=b"other")]) == [None]
    assert await tasks.store.repeated(ada, "k") == (made[0].task_id, b"same")
    assert await story(tasks, ada) == ["task.queued"]


async def test_deleting_keeps_the_place_of_its_events(tasks: Tasks) -> None:
    ada = await tasks.user(1)
    made = await tasks.submit(ada, name="secret name")
    assert await tasks.moves.delete(ada, made.id) is None, "not before its end"
    await tasks.moves.cancel(ada, [made.id])
    event = await tasks.moves.delete(ada, made.id)
    assert event is not None
    assert await story(tasks, ada) == ["task.queued", "task.cancelled", "task.deleted"]
    assert all("secret" not in frame.text for frame in await tasks.log.since(ada, 0, 10))
    with pytest.raises(NotFound):
        await tasks.store.get(ada, made.id)


async def test_a_bad_item_aborts_and_leaves_nothing(tasks: Tasks) -> None:
    ada = await tasks.user(1)
    without_stream = draft(99)
    with pytest.raises(Unstorable):
        await tasks.moves.submit([draft(ada), without_stream])
    assert await story(tasks, ada) == []
    assert await tasks.claim() == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tasks SET state = 'queued'",
        "UPDATE tasks SET summary = 'changed'",
        "UPDATE tasks SET attempt = 0",
    ],
)
async def test_the_database_itself_refuses_to_change_what_has_ended(tasks: Tasks, statement: str) -> None:
    ada = await tasks.user(1)
    await tasks.submit(ada)
    (claim,) = await tasks.claim()
    await tasks.end(claim, "succeeded")
    with pytest.raises(Exception, match=r"terminal|illegal move|goes back|does not hold"):
        await tasks.db.execute(statement)


async def test_the_database_itself_refuses_a_second_end_and_a_step_back(tasks: Tasks) -> None:
    ada = await tasks.user(1)
    made = await tasks.submit(ada)
    await tasks.claim()
    with pytest.raises(Exception, match=r"attempt goes back"):
        await tasks.db.execute("UPDATE tasks SET attempt = 0")
    insert = (
        "INSERT INTO events (user_id, seq, at, type, task_id, task) VALUES (1, :seq, :at, 'task.failed', :task, '{}')"
    )
    await tasks.db.execute(insert, {"seq": 100, "at": datetime.now(UTC), "task": made.id})
    with pytest.raises(Exception, match=r"(?i)unique"):
        await tasks.db.execute(insert, {"seq": 101, "at": datetime.now(UTC), "task": made.id})


async def test_batches_of_shared_users_do_not_deadlock(tasks: Tasks) -> None:
    users = [await tasks.user(user) for user in range(1, 6)]

    async def batch(turn: int) -> None:
        drafts = [draft(users[(turn + at) % 5]) for at in range(10)]
        await tasks.moves.submit(drafts)
        claims = await tasks.claim(10, uuid4())
        await tasks.moves.finish([ending(claim, "succeeded") for claim in reversed(claims)])
        await asyncio.gather(
            *(tasks.moves.cancel(user, [made.id for made in drafts if made.user_id == user]) for user in users)
        )

    await asyncio.gather(*(batch(turn) for turn in range(10)))
    for user in users:
        await story(tasks, user)


async def test_pages_go_on_where_the_last_ended(tasks: Tasks) -> None:
    ada, eve = await tasks.user(1), await tasks.user(2)
    made: list[Draft] = [await tasks.submit(ada, name=f"Task {number} 100%") for number in range(5)]
    await tasks.submit(eve)
    first = await tasks.store.page(ada, TaskFilter(q="TASK"), 3)
    rest = await tasks.store.page(ada, TaskFilter(q="0%"), 3, first.next)
    assert [task.id for task in (*first.items, *rest.items)] == [one.id for one in reversed(made)]
    assert rest.next is None
    assert (await tasks.store.page(ada, TaskFilter(q="%3"), 3)).items == []
    assert (await tasks.store.page(ada, TaskFilter(state=State.FAILED), 3)).items == []


async def test_whether_a_worker_is_alive_is_told_by_the_databases_clock_alone(tasks: Tasks) -> None:
    wrong = datetime(2020, 1, 1, tzinfo=UTC)
    worker = Worker(
        id=tasks.worker,
        host="here",
        pid=1,
        version="1",
        started_at=wrong,
        last_seen_at=wrong,
        workloads={"work": 1},
        slots={"light": 1},
    )
    await Catalogue(tasks.db, alive=10).beat(worker)
    assert [one.id for one in await Catalogue(tasks.db, alive=10).workers()] == [worker.id]
    assert await Catalogue(tasks.db, alive=0).workers() == []
    catalogue = Catalogue(tasks.db, alive=10)
    await catalogue.forget_gone()
    assert len(await catalogue.workers()) == 1


async def test_the_place_in_line_is_told_by_the_databases_clock(tasks: Tasks) -> None:
    ada = await tasks.user(1)
    later = await tasks.submit(ada, run_at=datetime.now(UTC) + timedelta(hours=1))
    first, second = await tasks.submit(ada), await tasks.submit(ada)
    places = [await tasks.store.ahead(await tasks.store.get(ada, one.id)) for one in (later, first, second)]
    assert places == [None, 0, 1]
