"""The contract of REST, line by line, against the running service on both databases."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest

from tests.integration.processes import Service
from tests.integration.rest import API, COUNTDOWN, JSON, Caller, Json, refused


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    database = {} if request.param == "sqlite" else {"database_url": request.getfixturevalue("module_database_url")}
    one = Service(**database)
    try:
        one.start()
        yield one
    finally:
        one.close()


class TestStarting:
    async def test_a_task_is_accepted_and_found_where_it_is_said_to_be(self, ada: Caller) -> None:
        answer = await ada.ask(
            {"workload": "countdown", "params": {"seconds": 0}, "name": "密码 🦊 \u202e", "priority": 3}
        )
        task = answer.json()
        assert answer.status_code == 202
        assert answer.headers["location"] == task["links"]["self"] == f"{API}/tasks/{task['id']}"
        assert UUID(task["id"]).version == 7
        assert (task["state"], task["attempt"], task["name"]) == ("queued", 0, "密码 🦊 \u202e")
        assert (await ada.get(task["links"]["page"])).status_code == 200
        ended = await ada.ended(task)
        assert (ended["state"], ended["attempt"], ended["summary"]) == ("succeeded", 1, "Counted 0 seconds.")
        assert ended["result"]["value"] == "Counted 0 seconds."
        assert ended["created_at"] <= ended["started_at"] <= ended["finished_at"]
        assert ended["progress"]["fraction"] == 1
        assert datetime.fromisoformat(ended["finished_at"]).utcoffset() == timedelta(0)

    async def test_what_is_left_out_has_a_default(self, ada: Caller) -> None:
        task = await ada.submit({"workload": "countdown", "run_at": "2999-01-01T00:00:00+02:00"})
        assert (task["name"], task["params"], task["retry_of"]) == ("Countdown", {}, None)
        assert datetime.fromisoformat(task["run_at"]) == datetime(2998, 12, 31, 22, tzinfo=UTC)

    async def test_a_run_at_in_the_past_is_now(self, ada: Caller) -> None:
        task = await ada.submit(run_at="2001-01-01T00:00:00Z")
        late = datetime.fromisoformat(task["created_at"]) - datetime.fromisoformat(task["run_at"])
        assert abs(late) < timedelta(seconds=1)
        assert (await ada.ended(task))["state"] == "succeeded"

    async def test_a_later_one_waits_for_its_time_and_says_so(self, ada: Caller) -> None:
        soon = datetime.now(UTC) + timedelta(seconds=1.5)
        task = await ada.submit(run_at=soon.isoformat())
        wait = (await ada.task(task))["wait"]
        assert wait["reason"] == "scheduled"
        assert f"{soon:%H:%M:%S}" in wait["message"]
        ended = await ada.ended(task)
        assert ended["wait"] is None
        assert datetime.fromisoformat(ended["started_at"]) >= soon

    async def test_a_failure_says_why(self, ada: Caller) -> None:
        task = await ada.ended(await ada.submit({"workload": "countdown", "params": {"seconds": 0, "fail": True}}))
        assert (task["state"], task["error"]["kind"], task["result"]) == ("failed", "error", None)
        assert "asked to" in task["error"]["message"]
        assert "switched off" in task["error"]["hint"]


class TestIdempotencyKey:
    async def test_the_same_request_finds_the_same_task_also_after_its_end(self, ada: Caller, bob: Caller) -> None:
        first = await ada.submit(key="a key")
        again = await ada.ask({"params": {"seconds": 0}, "workload": "countdown"}, key="a key")
        assert (again.json()["id"], again.headers["location"]) == (first["id"], first["links"]["self"])
        assert (await ada.ended(first))["state"] == "succeeded"
        assert (await ada.submit(key="a key"))["state"] == "succeeded"
        assert (await ada.submit(key="another key"))["id"] != first["id"]
        assert (await bob.submit(key="a key"))["id"] != first["id"]
        assert len((await ada.get(f"{API}/tasks")).json()["items"]) == 2

    @pytest.mark.parametrize(
        "other", [{"params": {"seconds": 1}}, {"name": "other"}, {"priority": 1}, {"run_at": "2999-01-01T00:00:00Z"}]
    )
    async def test_another_request_is_refused(self, ada: Caller, other: dict[str, object]) -> None:
        await ada.submit(key="a key")
        refused(
            await ada.ask({"workload": "countdown", "params": {"seconds": 0}, **other}, key="a key"),
            422,
            "Idempotency-Key",
        )

    async def test_repeats_at_the_same_time_make_one_task(self, ada: Caller) -> None:
        tasks = await asyncio.gather(*(ada.submit(key="a key") for _ in range(20)))
        assert len({task["id"] for task in tasks}) == 1
        assert len((await ada.get(f"{API}/tasks")).json()["items"]) == 1

    @pytest.mark.parametrize("key", ["", "k" * 256])
    async def test_a_key_has_a_length(self, ada: Caller, key: str) -> None:
        refused(await ada.ask({"workload": "countdown"}, key=key), 422, "Idempotency-Key")


class TestListing:
    async def test_pages_lead_through_everything_once(self, ada: Caller) -> None:
        made = [(await ada.submit(name=f"number {number}"))["id"] for number in range(7)]
        seen, sizes = [], []
        address: str | None = f"{API}/tasks?limit=3&workload=countdown"
        while address:
            page = await ada.get(address)
            seen += [card["id"] for card in page.json()["items"]]
            sizes.append(len(page.json()["items"]))
            following = page.links.get("next", {}).get("url")
            assert (following is None) == (page.json()["next"] is None)
            address = following
            if len(sizes) == 1:
                await ada.submit(name="made meanwhile")
        assert seen == made[::-1]
        assert sizes == [3, 3, 1]

    async def test_filters(self, ada: Caller) -> None:
        done = await ada.ended(await ada.submit(name="100 % done_ness!"))
        later = await ada.submit(name="Later Ärger 市", run_at="2999-01-01T00:00:00Z")
        for query, expected in [
            ({"state": "queued"}, [later]),
            ({"state": "succeeded"}, [done]),
            ({"state": "succeeded", "q": "later"}, []),
            ({"q": "LATER"}, [later]),
            ({"q": "%"}, [done]),
            ({"q": "e_n"}, [done]),
            ({"q": "!"}, [done]),
            ({"q": "Ärger 市"}, [later]),
            ({"workload": "csv_profile"}, []),
            ({"workload": "countdown", "state": "", "q": ""}, [later, done]),
        ]:
            answer = await ada.get(f"{API}/tasks", params=query)
            assert [card["id"] for card in answer.json()["items"]] == [task["id"] for task in expected], query

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("limit", "0"),
            ("limit", "201"),
            ("limit", "x"),
            ("limit", ""),
            ("limit", "-1"),
            ("limit", "9" * 5000),
            ("state", "lost"),
            ("cursor", "x"),
            ("q", "\0"),
            ("workload", "\0"),
        ],
    )
    async def test_bad_questions(self, ada: Caller, name: str, value: str) -> None:
        refused(await ada.get(f"{API}/tasks", params={name: value}), 422, name)


class TestCancelling:
    async def test_a_queued_task_is_cancelled_at_once(self, ada: Caller) -> None:
        task = await ada.submit(run_at="2999-01-01T00:00:00Z")
        answer = await ada.post(task["links"]["cancel"])
        assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")
        refused(await ada.post(task["links"]["cancel"]), 409)

    async def test_a_running_one_is_asked_to_stop(self, ada: Caller) -> None:
        task = await ada.submit({"workload": "countdown", "params": {"seconds": 3600}})
        running = await ada.until(task, "task.started")
        assert running["state"] == "running"
        answer = await ada.post(task["links"]["cancel"])
        assert answer.status_code == 202
        assert answer.json()["cancel_requested_at"] is not None
        again = await ada.post(task["links"]["cancel"])
        assert again.status_code in (202, 409)  # it may have ended meanwhile
        ended = await ada.ended(task)
        assert (ended["state"], ended["error"]) == ("cancelled", None)

    async def test_an_ended_one_stays_as_it_is(self, ada: Caller) -> None:
        task = await ada.ended(await ada.submit())
        refused(await ada.post(task["links"]["cancel"]), 409)
        assert await ada.task(task) == task


class TestRetrying:
    async def test_an_ended_task_starts_again_as_a_new_one(self, ada: Caller) -> None:
        task = await ada.ended(await ada.submit(name="First"))
        answer = await ada.post(f"{task['links']['self']}/retry")
        new = answer.json()
        assert (answer.status_code, answer.headers["location"]) == (202, new["links"]["self"])
        assert (new["retry_of"], new["name"], new["params"]) == (task["id"], "First", {"seconds": 0})
        assert (await ada.ended(new))["state"] == "succeeded"
        assert await ada.task(task) == task

    async def test_with_other_input_where_it_is_given(self, ada: Caller) -> None:
        task = await ada.ended(await ada.submit(name="First"))
        answer = await ada.post(f"{task['links']['self']}/retry", json={"params": {"seconds": 0.5}, "name": "Second"})
        new = answer.json()
        assert (new["retry_of"], new["name"], new["params"]) == (task["id"], "Second", {"seconds": 0.5})

    async def test_wrong_input_is_refused(self, ada: Caller) -> None:
        task = await ada.ended(await ada.submit())
        again = f"{task['links']['self']}/retry"
        refused(
            await ada.post(again, json={"params": {"seconds": -1, "x": 1}, "name": "x" * 201}),
            422,
            "seconds",
            "x",
            "name",
        )
        refused(await ada.post(again, json={"workload": "countdown"}), 422, "workload")
        refused(await ada.post(again, content=b"{", headers=JSON), 400)
        refused(await ada.post(again, content=b"{}", headers={"content-type": "text/plain"}), 415)

    async def test_before_the_end_there_is_no_again(self, ada: Caller) -> None:
        task = await ada.submit(run_at="2999-01-01T00:00:00Z")
        refused(await ada.post(f"{task['links']['self']}/retry"), 409)


class TestDeleting:
    async def test_an_ended_task_is_gone_but_not_its_place_in_the_log(self, ada: Caller) -> None:
        task = await ada.ended(await ada.submit(name="a secret", key="a key"))
        events = [event["type"] for event in (await ada.get(task["links"]["events"])).json()["items"]]
        assert events == ["task.queued", "task.started", "task.succeeded"]
        answer = await ada.delete(task["links"]["self"])
        assert (answer.status_code, answer.content) == (204, b"")
        refused(await ada.get(task["links"]["self"]), 404)
        refused(await ada.delete(task["links"]["self"]), 404)
        refused(await ada.post(task["links"]["cancel"]), 404)
        assert (await ada.get(f"{API}/tasks")).json()["items"] == []
        log = await ada.get(f"{API}/events")
        assert [event["type"] for event in log.json()["items"]] == [*events, "task.deleted"]
        assert "a secret" not in log.text
        # The key is kept: a client that repeats itself late must not start the work once more.
        refused(await ada.ask({**COUNTDOWN, "name": "a secret"}, key="a key"), 404)

    async def test_before_its_end_it_stays(self, ada: Caller) -> None:
        task = await ada.submit(run_at="2999-01-01T00:00:00Z")
        refused(await ada.delete(task["links"]["self"]), 409)
        assert (await ada.task(task))["state"] == "queued"


class TestEvents:
    async def test_pages_of_the_log(self, ada: Caller) -> None:
        for _ in range(3):
            await ada.ended(await ada.submit())
        seen: list[int] = []
        after: int | None = 0
        while after is not None:
            page = (await ada.get(f"{API}/events", params={"after": after, "limit": 4})).json()
            seen += [event["seq"] for event in page["items"]]
            after = page["next"]
        assert seen == list(range(1, 10))
        assert (await ada.get(f"{API}/events", params={"after": 9})).json()["items"] == []
        for ahead in (10, 10**18 - 1):
            refused(await ada.get(f"{API}/events", params={"after": ahead}), 409)

    @pytest.mark.parametrize(
        ("name", "value"), [("after", "-1"), ("after", "x"), ("after", "9" * 5000), ("limit", "0"), ("limit", "501")]
    )
    async def test_bad_questions(self, ada: Caller, name: str, value: str) -> None:
        refused(await ada.get(f"{API}/events", params={name: value}), 422, name)

    async def test_the_stream_gives_the_same_and_goes_on(self, ada: Caller) -> None:
        task = await ada.ended(await ada.submit())
        async with ada.stream("GET", f"{API}/events/stream", headers={"last-event-id": "0"}) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = stream.aiter_lines()
            data = [await _data(lines) for _ in range(4)]
            assert [frame["type"] for frame in data] == ["welcome", "task.queued", "task.started", "task.succeeded"]
            assert data[1:] == (await ada.get(task["links"]["events"])).json()["items"]
            new = await ada.submit(run_at="2999-01-01T00:00:00Z")
            assert (await _data(lines))["task"]["id"] == new["id"]


async def _data(lines: AsyncIterator[str]) -> Json:
    async with asyncio.timeout(20):
        async for line in lines:
            if line.startswith("data: "):
                value: Json = json.loads(line.removeprefix("data: "))
                return value
    raise AssertionError("the stream ended")


class TestWhoMayDoWhat:
    async def test_nothing_without_a_session(self, service: Service, ada: Caller) -> None:
        task = await ada.submit()
        async with httpx.AsyncClient(base_url=service.url) as nobody:
            for method, path in [
                ("GET", f"{API}/tasks"),
                ("POST", f"{API}/tasks"),
                ("GET", task["links"]["self"]),
                ("DELETE", task["links"]["self"]),
                ("POST", task["links"]["cancel"]),
                ("POST", f"{task['links']['self']}/retry"),
                ("GET", task["links"]["events"]),
                ("GET", f"{task['links']['self']}/artifacts/x"),
                ("POST", f"{API}/files"),
                ("GET", f"{API}/workloads"),
                ("GET", f"{API}/events"),
                ("GET", f"{API}/events/stream"),
                ("GET", f"{API}/me"),
                ("DELETE", f"{API}/session"),
            ]:
                refused(await nobody.request(method, path), 401)

    async def test_what_is_another_users_is_not_there(self, ada: Caller, bob: Caller) -> None:
        task = await ada.ended(await ada.submit())
        at = task["links"]["self"]
        for method, path in [
            ("GET", at),
            ("DELETE", at),
            ("POST", task["links"]["cancel"]),
            ("POST", f"{at}/retry"),
            ("GET", task["links"]["events"]),
            ("GET", f"{at}/artifacts/report.html"),
        ]:
            refused(await bob.request(method, path), 404)
        assert (await bob.get(f"{API}/tasks")).json()["items"] == []
        assert (await bob.get(f"{API}/events")).json()["items"] == []
        assert (await bob.get(f"{API}/tasks", params={"cursor": str(uuid4())})).status_code == 200
        assert await ada.task(task) == task

    @pytest.mark.parametrize("name", ["nothing", "%00", "00000000-0000-7000-8000-000000000000"])
    async def test_what_is_not_there_is_not_found(self, ada: Caller, name: str) -> None:
        for path in (f"{API}/tasks/{name}", f"{API}/tasks/{name}/events", f"{API}/tasks/{name}/artifacts/x"):
            refused(await ada.get(path), 404)

    async def test_reading_changes_nothing(self, ada: Caller) -> None:
        task = await ada.submit(run_at="2999-01-01T00:00:00Z")
        before, log = await ada.task(task), (await ada.get(f"{API}/events")).json()
        for path in ("cancel", "retry"):
            assert (await ada.get(f"{task['links']['self']}/{path}")).status_code == 405
        for path in (f"{API}/tasks", task["links"]["events"], f"{API}/workloads", f"{API}/me"):
            assert (await ada.get(path)).status_code == (await ada.head(path)).status_code == 200
        assert await ada.task(task) == before
        assert (await ada.get(f"{API}/events")).json() == log

    async def test_the_session(self, ada: Caller) -> None:
        me = (await ada.get(f"{API}/me")).json()
        assert (me["username"], me["role"]) in ((ada.username, "member"), (ada.username, "operator"))
        assert (await ada.delete(f"{API}/session")).status_code == 204
        refused(await ada.get(f"{API}/me"), 401)
        answer = await ada.post(f"{API}/session", json={"username": ada.username, "password": "a long walk at night"})
        assert (answer.status_code, answer.json()) == (201, me)
        assert (await ada.get(f"{API}/me")).json() == me
        refused(await ada.post(f"{API}/session", json={"username": ada.username, "password": "wrong"}), 401, "password")
        refused(await ada.post(f"{API}/session", json={"username": 1}), 422, "username", "password")


class TestAbout:
    async def test_the_workloads_say_what_they_take(self, ada: Caller) -> None:
        known = {one["name"]: one for one in (await ada.get(f"{API}/workloads")).json()["items"]}
        assert set(known) == {"compare_csv", "countdown", "csv_profile", "make_thumbnails", "train_model"}
        countdown = known["countdown"]
        assert countdown["schema"]["properties"]["seconds"]["maximum"] == 3600
        assert countdown["limits"]["max_attempts"] == countdown["max_attempts"]
        assert known["csv_profile"]["schema"]["required"] == ["file"]
        document = (await ada.get(f"{API}/openapi.json")).json()
        assert document["components"]["schemas"]["countdown.params"]["properties"] == countdown["schema"]["properties"]

    async def test_health(self, service: Service, ada: Caller) -> None:
        assert (await ada.get("/healthz")).text == "ok\n"
        assert (await ada.get("/readyz")).json() == {
            "ready": True,
            "parts": {"database": "ok", "queue": "ok", "events": "ok"},
            "down": {},
        }
