"""Schedules as people use them, by REST, against the running service on both databases."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.integration.processes import Service
from tests.integration.rest import API, JSON, Caller, Json, as_object, refused, until

SCHEDULES = f"{API}/schedules"
FILE = "7b7a3b5c-9c25-4b9a-8d5a-64d1c41ce0f1"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    database = {} if request.param == "sqlite" else {"database_url": request.getfixturevalue("module_database_url")}
    one = Service(sweep_seconds="0.2", **database)
    try:
        one.start()
        yield one
    finally:
        one.close()


async def create(caller: Caller, *, key: str | None = None, **body: Any) -> httpx.Response:
    """Ask for a schedule of a countdown that is over at once."""
    headers = JSON if key is None else {**JSON, "idempotency-key": key}
    return await caller.post(
        SCHEDULES, json={"workload": "countdown", "params": {"seconds": 0}, **body}, headers=headers
    )


async def made(caller: Caller, **body: Any) -> Json:
    answer = await create(caller, **body)
    assert answer.status_code == 201, answer.text
    return as_object(answer)


async def now(caller: Caller, schedule: Json) -> Json:
    return as_object(await caller.get(schedule["links"]["self"]))


async def change(caller: Caller, schedule: Json, **changes: Any) -> httpx.Response:
    return await caller.patch(schedule["links"]["self"], json=changes)


async def tasks(caller: Caller) -> list[Json]:
    items: list[Json] = (await caller.get(f"{API}/tasks")).json()["items"]
    return items


def soon(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def test_a_schedule_says_when_it_starts_what(ada: Caller, bob: Caller) -> None:
    answer = await create(ada, cron="0  9 * * mon-fri", zone="Europe/Berlin", name="Mornings", priority=3)
    schedule = answer.json()
    assert answer.headers["location"] == schedule["links"]["self"]
    assert (schedule["cron"], schedule["words"]) == ("0 9 * * mon-fri", "At 09:00 on Monday through Friday")
    assert (schedule["state"], schedule["missed"], schedule["last"]) == ("active", "run_once", None)
    times = [datetime.fromisoformat(at) for at in schedule["next"]]
    assert len(times) == 5
    assert times == sorted(times)
    assert times[0] > datetime.now(UTC)
    assert [one["id"] for one in (await ada.get(SCHEDULES)).json()["items"]] == [schedule["id"]]
    assert (await bob.get(SCHEDULES)).json()["items"] == []
    for ask in (bob.get, bob.delete):
        refused(await ask(schedule["links"]["self"]), 404)
    refused(await change(bob, schedule, paused=True), 404)
    refused(await bob.get(f"{schedule['links']['self']}/runs"), 404)
    refused(await ada.get(f"{SCHEDULES}/nothing"), 404)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"cron"}),
        ({"cron": "* * * * *", "at": "2999-01-01T00:00:00Z"}, {"cron"}),
        ({"cron": "61 * * * *"}, {"cron"}),
        ({"cron": "0 0 30 2 *"}, {"cron"}),
        ({"cron": "* * * * *", "zone": "Mars/Base"}, {"zone"}),
        ({"at": "2001-01-01T00:00:00Z"}, {"at"}),
        ({"at": "2999-01-01T00:00:00"}, {"at"}),
        ({"at": "9999-12-31T23:59:59Z"}, {"at"}),
        ({"cron": "* * * * *", "missed": "all"}, {"missed"}),
        (
            {"cron": "* * * * *", "params": {"seconds": -1}, "priority": 101, "name": ""},
            {"seconds", "priority", "name"},
        ),
        ({"cron": "* * * * *", "workload": "nothing"}, {"workload"}),
        ({"cron": "* * * * *", "then": {"workload": "nothing"}}, {"then.workload"}),
        ({"cron": "* * * * *", "other": 1}, {"other"}),
    ],
)
async def test_what_is_wrong_is_named(ada: Caller, body: dict[str, Any], fields: set[str]) -> None:
    refused(await create(ada, **body), 422, *fields)
    assert (await ada.get(SCHEDULES)).json()["items"] == []


async def test_a_key_makes_one_schedule(ada: Caller) -> None:
    first = await create(ada, cron="0 9 * * *", key="mine")
    again = await create(ada, cron="0 9 * * *", key="mine")
    assert first.json() == again.json()
    refused(await create(ada, cron="0 10 * * *", key="mine"), 422, "Idempotency-Key")
    refused(await create(ada, cron="0 9 * * *", key="k" * 256), 422, "Idempotency-Key")
    assert len((await ada.get(SCHEDULES)).json()["items"]) == 1


async def test_a_single_time_starts_one_task_and_ends(ada: Caller) -> None:
    schedule = await made(ada, at=soon(0.5), name="Once")

    async def ended() -> bool:
        return bool((await now(ada, schedule))["state"] == "ended")

    await until(ended)
    told = await now(ada, schedule)
    [task] = await tasks(ada)
    assert (task["name"], told["next"]) == ("Once", [])
    assert told["last"] == {
        "at": schedule["at"],
        "outcome": "started",
        "task_id": task["id"],
        "missed": 0,
        "note": None,
    }
    assert datetime.fromisoformat(task["created_at"]) >= datetime.fromisoformat(schedule["at"])
    assert (await ada.get(f"{schedule['links']['self']}/runs")).json()["items"] == [told["last"]]
    assert (await ada.ended(task))["state"] == "succeeded"
    # Its schedule goes, the task stays.
    assert (await ada.delete(schedule["links"]["self"])).status_code == 204
    assert len(await tasks(ada)) == 1


async def test_a_paused_one_starts_nothing_and_a_resumed_one_goes_on(ada: Caller) -> None:
    schedule = await made(ada, at=soon(0.6), missed="skip")
    answer = await change(ada, schedule, paused=True)
    assert (answer.json()["state"], answer.json()["next"]) == ("paused", [])
    other = await made(ada, at=soon(1.2))

    async def ended() -> bool:
        return bool((await now(ada, other))["state"] == "ended")

    await until(ended)
    assert (await now(ada, schedule))["state"] == "paused"
    assert len(await tasks(ada)) == 1
    resumed = await change(ada, schedule, paused=False, at="2999-01-01T00:00:00Z")
    assert [datetime.fromisoformat(at).year for at in resumed.json()["next"]] == [2999]


async def test_everything_but_the_workload_can_change(ada: Caller) -> None:
    schedule = await made(ada, at="2999-01-01T00:00:00Z")
    answer = await change(
        ada, schedule, cron="0 9 * * *", zone="Asia/Tokyo", name="New", params={"seconds": 1}, missed="skip"
    )
    changed = answer.json()
    assert (changed["at"], changed["cron"], changed["zone"], changed["name"]) == (
        None,
        "0 9 * * *",
        "Asia/Tokyo",
        "New",
    )
    assert (changed["params"], changed["missed"]) == ({"seconds": 1}, "skip")
    assert all(datetime.fromisoformat(at).hour == 0 for at in changed["next"])  # UTC
    refused(await change(ada, schedule, params={"seconds": -1}), 422, "seconds")
    refused(await change(ada, schedule, workload="csv_profile"), 422, "workload")
    refused(await change(ada, schedule, zone="Mars/Base"), 422, "zone")
    assert await now(ada, schedule) == changed
    follow = {"workload": "countdown", "params": {"seconds": 0}}
    assert (await change(ada, schedule, then=follow)).json()["then"]["workload"] == "countdown"
    assert (await change(ada, schedule, name="Newer")).json()["then"] is not None
    assert (await change(ada, schedule, then=None)).json()["then"] is None


async def test_a_file_that_a_schedule_needs_stays(ada: Caller) -> None:
    upload = (await ada.post(f"{API}/files", files={"file": ("a.csv", b"a,b\n1,2\n")})).json()
    await made(ada, workload="csv_profile", params={"file": upload["id"]}, cron="0 9 * * *")
    refused(await ada.delete(f"{API}/files/{upload['id']}"), 409)
    refused(await create(ada, workload="csv_profile", params={"file": FILE}, cron="0 9 * * *"), 422, "file")


async def test_there_is_a_most(ada: Caller) -> None:
    for _ in range(100):
        await made(ada, at="2999-01-01T00:00:00Z")
    problem = refused(await create(ada, at="2999-01-01T00:00:00Z"), 409)
    assert "100 schedules" in problem["detail"]


async def press(caller: Caller, **fields: str) -> httpx.Response:
    """The start form, as a browser without script sends it."""
    return await caller.post("/tasks", data={"workload": "countdown", "p.seconds": "0", "key": "k", **fields})


async def test_the_form_starts_at_a_time(ada: Caller) -> None:
    answer = await press(ada, when="at", at="2999-07-01T09:00", zone="Europe/Berlin")
    assert answer.status_code == 303
    [task] = await tasks(ada)
    assert answer.headers["location"] == task["links"]["page"]
    assert datetime.fromisoformat(task["run_at"]) == datetime(2999, 7, 1, 7, tzinfo=UTC)


async def test_the_form_makes_a_schedule_that_the_page_shows(ada: Caller) -> None:
    sent = {
        "when": "often",
        "often": "weekday",
        "clock": "08:30",
        "zone": "Asia/Tokyo",
        "missed": "skip",
        "name": "<b>",
    }
    answer = await press(ada, **sent)
    assert (answer.status_code, answer.headers["location"]) == (303, "/schedules")
    assert (await press(ada, **sent)).status_code == 303, "pressed twice"
    [schedule] = (await ada.get(SCHEDULES)).json()["items"]
    assert (schedule["cron"], schedule["zone"], schedule["missed"]) == ("30 8 * * MON-FRI", "Asia/Tokyo", "skip")
    page = (await ada.get("/schedules")).text
    assert "At 08:30 on Monday through Friday" in page
    assert "&lt;b&gt;" in page
    for button, state in (("pause", "paused"), ("resume", "active")):
        assert (await ada.post(f"/schedules/{schedule['id']}/{button}")).status_code == 303
        assert (await now(ada, schedule))["state"] == state
    assert (await ada.post(f"/schedules/{schedule['id']}/delete")).status_code == 303
    assert "No schedules yet" in (await ada.get("/schedules")).text


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"when": "at", "at": ""}, "takes a date and a time"),
        ({"when": "at", "at": "2001-01-01T00:00", "zone": "UTC"}, "has passed"),
        ({"when": "at", "at": "2999-01-01T00:00", "zone": "Mars/Base"}, "is not a time zone"),
        ({"when": "often", "often": "cron", "cron": "61 * * * *"}, "bad minute"),
        ({"when": "often", "often": "day", "clock": "25:00"}, "takes a time of day"),
        ({"when": "often", "often": "never"}, "takes one of the choices"),
        ({"when": "often", "often": "day", "p.seconds": "-1"}, "less than the minimum"),
    ],
)
async def test_the_form_comes_back_with_what_is_wrong(ada: Caller, fields: dict[str, str], says: str) -> None:
    answer = await press(ada, **fields)
    assert answer.status_code == 422
    assert says in answer.text
    assert f'value="{fields["when"]}" checked' in answer.text
    assert await tasks(ada) == []


FOLLOWING = {"workload": "countdown", "params": {"seconds": 0}}


async def test_what_follows_is_shown_on_both_pages(ada: Caller, bob: Caller) -> None:
    task = await ada.submit(then={**FOLLOWING, "name": "Second"}, key="a")
    assert (await ada.submit(then={**FOLLOWING, "name": "Second"}, key="a"))["id"] == task["id"]
    refused(await ada.ask({**FOLLOWING, "then": FOLLOWING}, key="a"), 422, "Idempotency-Key")
    chain = f"{task['links']['self']}/chain"

    async def started() -> bool:
        return bool((await ada.get(chain)).json()["then"]["outcome"] == "started")

    await until(started)
    told = (await ada.get(chain)).json()
    assert (told["after"], told["then"]["name"], told["then"]["note"]) == (None, "Second", None)
    second = told["then"]["task_id"]
    assert (await ada.get(f"{API}/tasks/{second}/chain")).json() == {"after": task["id"], "then": None}
    assert f'href="/tasks/{second}">Second' in (await ada.get(task["links"]["page"])).text
    assert f'href="/tasks/{task["id"]}">After Countdown' in (await ada.get(f"/tasks/{second}")).text
    refused(await bob.get(chain), 404)


@pytest.mark.parametrize(
    ("then", "fields"),
    [
        ({"workload": "nothing"}, {"then.workload"}),
        ({"workload": "countdown", "params": {"seconds": -1, "other": 1}}, {"then.seconds", "then.other"}),
        ({"workload": "csv_profile"}, {"then.file"}),
        ({"workload": "csv_profile", "params": {"file": FILE}}, {"then.file"}),
        ({"workload": "countdown", "params": {"seconds": {"$artifact": "a.csv"}}}, {"then.seconds"}),
        ({"workload": "countdown", "params": {"seconds": {"$value": 1}}}, {"then.seconds"}),
        ({**FOLLOWING, "then": {"workload": "nothing"}}, {"then.then.workload"}),
        ({**FOLLOWING, "priority": 101, "name": ""}, {"then.priority", "then.name"}),
        ({**FOLLOWING, "run_at": "2999-01-01T00:00:00Z"}, {"then.run_at"}),
        ([], {"then"}),
    ],
)
async def test_what_is_wrong_with_what_follows_is_named(ada: Caller, then: Any, fields: set[str]) -> None:
    refused(await ada.ask({**FOLLOWING, "then": then}), 422, *fields)
    assert await tasks(ada) == []


@pytest.mark.parametrize("links", [11, 400])
async def test_a_chain_has_a_most(ada: Caller, links: int) -> None:
    chain: dict[str, Any] | None = None
    for _ in range(links):
        chain = {"workload": "countdown"} if chain is None else {"workload": "countdown", "then": chain}
    assert (await ada.ask({**FOLLOWING, "then": chain})).status_code == 422
    assert await tasks(ada) == []


async def test_good_references_are_taken(ada: Caller) -> None:
    then = {"workload": "csv_profile", "params": {"file": {"$artifact": "clean.csv"}}}
    task = await ada.submit(then=then, run_at="2999-01-01T00:00:00Z")
    assert (await ada.get(f"{task['links']['self']}/chain")).json()["then"]["outcome"] is None
    page = (await ada.get(task["links"]["page"])).text
    assert "Starts when this task has succeeded" in page
    assert (await ada.post(task["links"]["cancel"])).status_code == 202
    again = await ada.post(f"{task['links']['self']}/retry", json={})
    assert (await ada.get(f"{again.json()['links']['self']}/chain")).json()["then"]["params"] == then["params"]
