"""What clients may send to start a task, and all that they may not, against the running service on both databases."""

import asyncio
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.processes import Service
from tests.integration.rest import API, COUNTDOWN, Caller, refused

ROOT: Final = Path(__file__).parents[2]
NEVER: Final = "2999-01-01T00:00:00Z"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    """It knows the workload `raises`, whose param `kind` takes any text."""
    database = {} if request.param == "sqlite" else {"database_url": request.getfixturevalue("module_database_url")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        one = Service(workloads="tests.integration.samples", **database)
        try:
            one.start()
            yield one
        finally:
            one.close()


async def count(ada: Caller) -> int:
    return len((await ada.get(f"{API}/tasks", params={"limit": 200})).json()["items"])


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"params": {"seconds": -1}}, "seconds"),
        ({"params": {"seconds": 3601}}, "seconds"),
        ({"params": {"seconds": "1"}}, "seconds"),
        ({"params": {"seconds": None}}, "seconds"),
        ({"params": {"fail": 1}}, "fail"),
        ({"params": {"other": 1}}, "other"),
        ({"params": {"o\0ther": 1}}, "params"),
        ({"params": []}, "params"),
        ({"params": None}, "params"),
        ({"workload": "raises", "params": {}}, "kind"),
        ({"workload": "raises", "params": {"kind": "a\0b"}}, "params"),
        ({"workload": "raises", "params": {"kind": 1 << 80}}, "kind"),
        ({"workload": "csv_profile", "params": {}}, "file"),
        ({"workload": "csv_profile", "params": {"file": "x"}}, "file"),
        ({"workload": "csv_profile", "params": {"file": "7b7a3b5c-9c25-4b9a-8d5a-64d1c41ce0f1"}}, "file"),
        ({"workload": "nothing"}, "workload"),
        ({"workload": "no\0thing"}, "workload"),
        ({"workload": 1}, "workload"),
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": 1}, "name"),
        ({"priority": 101}, "priority"),
        ({"priority": -101}, "priority"),
        ({"priority": 1 << 62}, "priority"),
        ({"priority": 1.0}, "priority"),
        ({"priority": True}, "priority"),
        ({"priority": "1"}, "priority"),
        ({"priority": None}, "priority"),
        ({"run_at": "2999-01-01T00:00:00"}, "run_at"),
        ({"run_at": "2999-01-01"}, "run_at"),
        ({"run_at": "tomorrow"}, "run_at"),
        ({"run_at": 1_900_000_000}, "run_at"),
        ({"run_at": "1900000000"}, "run_at"),
        ({"run_at": "9999-12-31T23:59:59-14:00"}, "run_at"),
        ({"run_at": "0001-01-01T00:00:00+14:00"}, "run_at"),
        ({"run_at": True}, "run_at"),
        ({"user_id": 1}, "user_id"),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_starts(ada: Caller, fields: dict[str, Any], wrong: str) -> None:
    problem = refused(await ada.ask({**COUNTDOWN, **fields}), 422, wrong)
    assert problem["errors"][wrong]
    assert await count(ada) == 0


async def test_every_wrong_field_is_named_at_once(ada: Caller) -> None:
    body = {
        "workload": "countdown",
        "params": {"seconds": -1, "fail": "x", "other": 1},
        "name": "x" * 201,
        "priority": 101,
        "run_at": "2999-01-01T00:00:00",
        "user_id": 1,
    }
    params = ("seconds", "fail", "other")
    refused(await ada.ask(body, key=""), 422, *params, "name", "priority", "run_at", "user_id", "Idempotency-Key")
    refused(await ada.ask({**body, "params": 1}), 422, "params", "name", "priority", "run_at", "user_id")
    refused(await ada.ask({**body, "workload": "nothing"}), 422, "workload", "name", "priority", "run_at", "user_id")
    del body["run_at"], body["user_id"]
    refused(await ada.ask(body), 422, *params, "name", "priority")
    body = {"workload": 1, "params": 1, "name": 1, "priority": "x", "run_at": "2999-01-01T00:00:00", "other": 1}
    refused(await ada.ask(body), 422, *body)


@pytest.mark.parametrize(
    "field",
    [
        {},
        {"name": None},
        {"run_at": None},
        {"run_at": "2999-01-01t00:00:00+05:30"},
        {"priority": -100},
        {"name": "x" * 200},
        {"name": "👩‍👩‍👧‍👦" * 20},
        {"name": "line\r\nline\x1b[31m"},
        {"params": {"seconds": 1e-300}},
        {"params": {}},
    ],
)
async def test_what_is_fine_at_the_edges(ada: Caller, field: dict[str, Any]) -> None:
    task = await ada.submit({**COUNTDOWN, "run_at": NEVER, **field})
    assert task["name"] == (field.get("name") or "Countdown").strip()
    kept = await ada.task(task)
    assert (kept["name"], kept["params"]) == (task["name"], task["params"])
    assert datetime.fromisoformat(kept["run_at"]) == datetime.fromisoformat(task["run_at"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff", 400),
        (b'{"workload": "\\ud800"}', 400),
        (b'{"workload": "countdown", "params": {"seconds": NaN}}', 400),
        (b'{"workload": "countdown", "params": {"seconds": 1e999}}', 400),
        (b"[]", 422),
        (b"null", 422),
        (b'"countdown"', 422),
        (b" " * 70_000, 413),
        (b'{"workload": "countdown", "name": "' + b"x" * 70_000 + b'"}', 413),
    ],
)
async def test_a_body_that_is_none(ada: Caller, body: bytes, status: int) -> None:
    refused(await ada.ask(body), status)


@pytest.mark.parametrize("depth", [49, 51, 100, 250, 260, 1000, 5000, 30_000])
async def test_nesting_ends_in_an_answer(ada: Caller, depth: int) -> None:
    value = b"[" * depth + b"]" * depth
    for workload, param in [(b"countdown", b"seconds"), (b"raises", b"kind"), (b"raises", b"other")]:
        answer = await ada.ask(b'{"workload": "%b", "params": {"%b": %b}}' % (workload, param, value))
        assert answer.status_code in (400, 422)


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "text/json", ""])
async def test_json_goes_by_its_name(ada: Caller, media_type: str) -> None:
    body = b'{"workload": "countdown", "params": {"seconds": 0}}'
    answer = await ada.post(f"{API}/tasks", content=body, headers={"content-type": media_type})
    refused(answer, 415)
    assert (
        await ada.post(f"{API}/tasks", content=body, headers={"content-type": "Application/JSON; charset=utf-8"})
    ).status_code == 202


async def test_another_site_starts_nothing(ada: Caller) -> None:
    for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}):
        answer = await ada.post(f"{API}/tasks", json=COUNTDOWN, headers=headers)
        refused(answer, 403)
    assert await count(ada) == 0


async def test_a_nul_character_is_refused_by_every_door(ada: Caller) -> None:
    answer = await ada.post("/tasks", data={"workload": "countdown", "name": "a\0b"})
    assert answer.status_code == 422
    for query in ("q=%00", "workload=%00", "state=%00", "cursor=%00"):
        assert (await ada.get(f"/tasks?{query}", headers={"accept": "text/html"})).status_code in (200, 422)
    answer = await ada.post(f"{API}/session", json={"username": "a\0", "password": "a\0"})
    assert answer.status_code in (401, 422)
    assert await count(ada) == 0


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
anything = st.recursive(plain, lambda some: st.lists(some) | st.dictionaries(st.text(), some), max_leaves=10)
names = st.sampled_from(["countdown", "raises", "csv_profile", "nothing"])
times = st.datetimes(timezones=st.timezones()).map(lambda at: at.isoformat()) | st.just(NEVER)
params = st.fixed_dictionaries(
    {}, optional={"seconds": st.floats(0, 3600) | anything, "kind": st.text(max_size=50) | anything, "file": anything}
)
bodies = st.fixed_dictionaries(
    {"workload": names | anything, "run_at": st.just(NEVER) | times | anything},
    optional={"params": params | anything, "name": st.text() | anything, "priority": st.integers(-101, 101) | anything},
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(body=bodies | anything)
async def test_whatever_is_sent_is_kept_as_it_is_or_refused(ada: Caller, body: Any) -> None:
    answer = await ada.ask(body)
    assert answer.status_code in (202, 400, 422), answer.text
    if answer.status_code == 202:
        task = answer.json()
        assert task["params"] == body.get("params", {})
        assert task["name"] == (body.get("name") or task["name"]).strip()
        kept = await ada.task(task)
        assert (kept["params"], kept["name"]) == (task["params"], task["name"])


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.text(max_size=200), name=st.text(min_size=1, max_size=200), priority=st.integers(-100, 100))
async def test_text_is_kept_as_it_is(ada: Caller, kind: str, name: str, priority: int) -> None:
    body = {"workload": "raises", "params": {"kind": kind}, "name": name, "priority": priority, "run_at": NEVER}
    answer = await ada.ask(body)
    wrong = {"params": "\0" in kind, "name": "\0" in name or not name.strip()}
    if any(wrong.values()):
        problem = answer.json()
        assert (answer.status_code, set(problem["errors"])) == (
            422,
            {one for one, is_wrong in wrong.items() if is_wrong},
        )
        return
    kept = await ada.task(answer.json())
    assert (kept["params"], kept["name"]) == ({"kind": kind}, name.strip())


async def test_answers_hold_under_a_crowd(ada: Caller) -> None:
    answers = await asyncio.gather(
        *(ada.ask({**COUNTDOWN, "name": f"number {at}" if at % 3 else "\0", "run_at": NEVER}) for at in range(60))
    )
    assert [answer.status_code for answer in answers] == [202 if at % 3 else 422 for at in range(60)]
    log = (await ada.get(f"{API}/events")).json()
    assert [event["seq"] for event in log["items"]] == list(range(1, 41))
