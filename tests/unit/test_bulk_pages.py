"""Many tasks at once on the pages, without script: what is asked before, what is told after. And the form on Home: the workload used last, and what follows."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.catalogue import Workload
from app.main import create_app
from app.migrate import upgrade
from app.resources import Resources, open_resources
from app.settings import Settings
from app.tasks.commands import Submission
from app.tasks.selection import Action, Count
from app.web.bulk_words import Notice, sentence

FORM = {"accept": "text/html"}
FILE = {"type": "string", "format": "taskline-file", "title": "File"}
COUNT = {"type": "integer", "minimum": 1, "title": "Rows"}


def workload(name: str, title: str, **properties: Any) -> Workload:
    schema = {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
    return Workload(
        name=name, version=1, title=title, description="", mode="loop", lane="light", schema=schema, limits={},
        timeout_s=60, max_attempts=3, source="built-in",
    )  # fmt: skip


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Resources]:
    settings = Settings.from_environment({}, data_dir=tmp_path)
    await upgrade(settings.database_url)
    async with open_resources(settings, secret_key="k" * 48) as made:
        await made.catalogue.publish([workload("make", "Make"), workload("clean", "Tidy up", file=FILE, rows=COUNT)])
        yield made


@pytest.fixture
async def ada(parts: Resources) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(parts))
    async with httpx.AsyncClient(transport=transport, base_url="http://taskline.test", headers=FORM) as client:
        answer = await client.post("/signup", data={"username": "ada", "password": "a long walk at night"})
        assert answer.status_code == 303
        yield client


async def submit(parts: Resources, *names: str) -> list[str]:
    user = await parts.db.fetch_val("SELECT id FROM users WHERE username = 'ada'")
    made = [await parts.tasks.submit(user, Submission(workload="make", params={}, name=name)) for name in names]
    return [str(one.id) for one in made]


def hidden(page: str, action: str) -> dict[str, Any]:
    """The hidden fields of a form of the page."""
    found = re.search(rf'<form[^>]*action="{action}".*?</form>', page, re.DOTALL)
    assert found, page
    fields: dict[str, Any] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', found[0]):
        fields[name] = [*fields[name], value] if name == "id" and name in fields else [value] if name == "id" else value
    return fields


def text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


class TestBulk:
    async def test_asks_first_and_tells_afterwards_once(self, parts: Resources, ada: httpx.AsyncClient) -> None:
        one, two, three = await submit(parts, "one", "two", "three")
        await ada.post(f"/tasks/{two}/cancel")
        listed = (await ada.get("/tasks")).text
        assert [f'value="{each}"' in listed for each in (one, two, three)] == [True] * 3
        assert "All 3 matching" in text(listed)
        asked = (await ada.post("/tasks/bulk", data={"action": "cancel", "id": [one, two]})).text
        assert "1 of 2 can be cancelled; 1 has ended already." in asked
        assert "Cancel 1 task" in text(asked)
        assert await states(parts) == {"one": "queued", "two": "cancelled", "three": "queued"}
        done = await ada.post("/tasks/bulk/confirmed", data=hidden(asked, "/tasks/bulk/confirmed"))
        assert (done.status_code, done.headers["location"]) == (303, "/tasks")
        assert await states(parts) == {"one": "cancelled", "two": "cancelled", "three": "queued"}
        assert "1 task was cancelled." in text((await ada.get("/tasks")).text)
        assert "1 task was cancelled." not in text((await ada.get("/tasks")).text)

    async def test_all_that_match_are_those_of_the_filter(self, parts: Resources, ada: httpx.AsyncClient) -> None:
        await submit(parts, "alpha one", "alpha two", "beta")
        form = {"action": "cancel", "all": "1", "q": "ALPHA", "id": ""}
        asked = (await ada.post("/tasks/bulk", data=form)).text
        assert "All 2 can be cancelled." in asked
        sent = hidden(asked, "/tasks/bulk/confirmed")
        assert (sent["q"], sent["all"], sent["counted"]) == ("ALPHA", "1", "2")
        done = await ada.post("/tasks/bulk/confirmed", data=sent)
        assert done.headers["location"] == "/tasks?q=ALPHA"
        assert await states(parts) == {"alpha one": "cancelled", "alpha two": "cancelled", "beta": "queued"}

    async def test_what_is_left_is_told_and_goes_on(
        self, parts: Resources, ada: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.tasks.bulk.MOST", 2)
        await submit(parts, "one", "two", "three")
        asked = (await ada.post("/tasks/bulk", data={"action": "cancel", "all": "1"})).text
        await ada.post("/tasks/bulk/confirmed", data=hidden(asked, "/tasks/bulk/confirmed"))
        told = (await ada.get("/tasks")).text
        assert "2 tasks were cancelled. 1 is left." in text(told)
        await ada.post("/tasks/bulk/confirmed", data=hidden(told, "/tasks/bulk/confirmed"))
        assert set((await states(parts)).values()) == {"cancelled"}
        assert "1 task was cancelled." in text((await ada.get("/tasks")).text)

    async def test_nothing_selected_is_said(self, ada: httpx.AsyncClient) -> None:
        answer = await ada.post("/tasks/bulk", data={"action": "delete", "state": "failed"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/tasks?state=failed")
        assert "Nothing was selected." in (await ada.get("/tasks?state=failed")).text

    @pytest.mark.parametrize(
        "form",
        [
            {"action": "explode", "all": "1", "seq": "1", "counted": "1"},
            {"action": "cancel", "id": "../x", "seq": "1", "counted": "1"},
            {"action": "cancel", "all": "1", "seq": "-1", "counted": "1"},
            {"action": "cancel", "all": "1", "seq": "1", "counted": "1", "after": "x"},
        ],
    )
    async def test_what_no_page_has_sent_is_refused(self, ada: httpx.AsyncClient, form: dict[str, str]) -> None:
        assert (await ada.post("/tasks/bulk/confirmed", data=form)).status_code == 422

    async def test_a_cookie_that_is_none_tells_nothing(self, ada: httpx.AsyncClient) -> None:
        for cookie in ("x", "e30=", "%%%"):
            answer = await ada.get("/tasks", headers={"cookie": f"taskline={ada.cookies['taskline']}; bulk={cookie}"})
            assert answer.status_code == 200
            assert "What was done" not in answer.text


@pytest.mark.parametrize(
    ("action", "states", "said"),
    [
        (
            Action.CANCEL,
            {"queued": 10, "running": 2, "failed": 28},
            "12 of 40 can be cancelled; 28 have ended already.",
        ),
        (
            Action.CANCEL,
            {"queued": 1, "cancelling": 1, "succeeded": 1},
            "1 of 3 can be cancelled; 1 is being cancelled already; 1 has ended already.",
        ),
        (Action.CANCEL, {"queued": 1}, "It can be cancelled."),
        (Action.RETRY, {"failed": 3, "running": 1}, "3 of 4 can be started again; 1 has not ended yet."),
        (Action.DELETE, {"failed": 1200}, "All 1,200 can be deleted."),
        (Action.DELETE, {"queued": 2}, "0 of 2 can be deleted; 2 have not ended yet."),
        (Action.DELETE, {}, "None of these tasks is there any more."),
    ],
)
def test_what_would_change_is_said(action: Action, states: dict[str, int], said: str) -> None:
    assert sentence(action, Count(0, states)) == said


def test_what_was_done_is_said_with_what_was_not() -> None:
    notice = Notice(
        action=Action.RETRY, done=1000, changed=3, refused={"file is gone": 2}, stopped="No more.", left=3412, goes_on=True
    )  # fmt: skip
    assert Notice.read(notice.cookie()) == notice
    assert notice.headline == "1,000 tasks were started again."
    assert notice.text == (
        "3 had changed since they were counted, and were left as they are. 2 were not started again: file is gone. No more. 3,412 are left."
    )
    stopping = Notice(action=Action.CANCEL, done=2, stopping=1)
    assert (stopping.headline, stopping.text) == (
        "2 tasks were cancelled.",
        "1 of them ran: it stops in a moment.",
    )


class TestForm:
    async def test_the_workload_used_last_is_chosen(self, parts: Resources, ada: httpx.AsyncClient) -> None:
        assert 'value="make" selected' in (await ada.get("/")).text  # the first by its title
        await parts.catalogue.publish([workload("aaa", "Aardvark")])
        assert 'value="aaa" selected' in (await ada.get("/?workload=aaa")).text
        await submit(parts, "one")
        assert 'value="make" selected' in (await ada.get("/")).text
        assert 'value="aaa" selected' in (await ada.get("/?workload=aaa")).text

    async def test_what_follows_is_asked_for_and_started_by_the_same_command(self, ada: httpx.AsyncClient) -> None:
        sent = {"workload": "make", "key": "k", "name": "First", "then.workload": "clean"}
        asked = await ada.post("/tasks", data=sent)
        assert asked.status_code == 200
        assert 'name="p.then.file"' in asked.text
        assert 'name="then.shown" value="clean"' in asked.text.split("<template")[0]
        assert 'value="First"' in asked.text
        shown = {**sent, "then.shown": "clean", "p.then.file": "report.html"}
        refused = await ada.post("/tasks", data={**shown, "p.then.rows": "0"})
        assert refused.status_code == 422
        assert re.search(r'id="then-clean-rows-e">.*less than the minimum', refused.text)
        assert 'value="report.html"' in refused.text
        refused = await ada.post("/tasks", data={**shown, "p.then.file": "", "p.then.rows": "3"})
        assert re.search(r'id="then-clean-file-e">.*give the name of a file', refused.text)
        answer = await ada.post("/tasks", data={**shown, "p.then.rows": "3"})
        assert answer.status_code == 303
        again = await ada.post("/tasks", data={**shown, "p.then.rows": "3"})
        assert again.headers["location"] == answer.headers["location"]
        chain = (await ada.get(f"/api/v1{answer.headers['location']}/chain")).json()
        assert chain["then"]["workload"] == "clean"
        assert chain["then"]["params"] == {"file": {"$artifact": "report.html"}, "rows": 3}

    async def test_what_nobody_can_run_is_said_beside_the_choice(self, ada: httpx.AsyncClient) -> None:
        sent = {"workload": "make", "key": "k", "then.workload": "gone", "then.shown": "gone"}
        refused = await ada.post("/tasks", data=sent)
        assert refused.status_code == 422
        assert re.search(r'id="then-e">.*is not one that workers here can run', refused.text)

    async def test_a_script_hears_of_it_by_the_control(self, ada: httpx.AsyncClient) -> None:
        sent = {"workload": "make", "key": "k", "then.workload": "clean", "then.shown": "clean", "p.then.file": "a"}
        refused = await ada.post("/tasks", data=sent, headers={"accept": "application/json"})
        assert (refused.status_code, refused.json()["errors"]) == (422, {"then.rows": "is needed"})

    async def test_what_to_expect_is_told_anew(self, ada: httpx.AsyncClient) -> None:
        told = (await ada.get("/start/expected", headers={"accept": "application/json"})).json()
        assert told == dict.fromkeys(("make", "clean"), "No worker is running. Start one: taskline worker")


class TestKeys:
    async def test_are_switched_off_on_this_browser(self, ada: httpx.AsyncClient) -> None:
        assert 'aria-keyshortcuts="n"' in (await ada.get("/")).text
        answer = await ada.post("/account/keys", data={"keys": "off"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/account#keyboard")
        page = (await ada.get("/")).text
        assert 'data-keys="off"' in page
        assert "aria-keyshortcuts" not in page
        assert re.search(r'value="off" checked', (await ada.get("/account")).text)
        answer = await ada.post("/account/keys", data={"keys": "on", "back": "/tasks"})
        assert answer.headers["location"] == "/tasks"
        assert "data-keys" not in (await ada.get("/")).text.split(">")[1]
        assert (await ada.post("/account/keys", data={"keys": "perhaps"})).status_code == 422
        away = await ada.post("/account/keys", data={"keys": "off", "back": "https://elsewhere.test/"})
        assert away.headers["location"] == "/"


async def states(parts: Resources) -> dict[str, str]:
    rows = await parts.db.fetch_all("SELECT name, state FROM tasks")
    return {row["name"]: row["state"] for row in rows}
