"""The log of a task by REST: live, each attempt apart, bounded, and nobody else's."""

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.processes import Service
from tests.integration.rest import Caller, Json, caller, refused, until

TALKATIVE: Json = {"workload": "talkative"}


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with closing(Service(modules=Path(__file__).parent / "own_workloads", workloads="talkative")) as made:
        made.start()
        yield made
        assert made.errors() == ""


@pytest.fixture
async def ada(service: Service) -> AsyncIterator[Caller]:
    async with caller(service) as one:
        yield one


async def lines(who: Caller, task: Json, after: str | None = None) -> Json:
    query = "" if after is None else f"?after={after}"
    answer = await who.get(f"{task['links']['self']}/log/lines{query}")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def test_a_log_is_read_while_its_task_runs_and_kept_when_it_is_cancelled(ada: Caller) -> None:
    task = await ada.submit(TALKATIVE)

    async def second_attempt() -> bool:
        return any(line["text"] == "second 1" for line in (await lines(ada, task))["items"])

    await until(second_attempt)
    assert (await ada.task(task))["state"] == "running"
    found = await lines(ada, task)
    assert [(line["attempt"], line["number"], line["level"], line["text"]) for line in found["items"]][:5] == [
        (1, 1, "info", "attempt 1 begins"),
        (1, 2, "warning", "no luck <b>today</b>"),
        (2, 1, "info", "attempt 2 begins"),
        (2, 2, "info", "second 0"),
        (2, 3, "info", "second 1"),
    ]
    rest = await lines(ada, task, "2.2")
    assert rest["items"][0]["text"] == "second 1"
    assert (await lines(ada, task, "2.999"))["items"] == []
    await ada.post(task["links"]["cancel"])
    assert (await ada.ended(task))["state"] == "cancelled"
    answer = await ada.get(f"{task['links']['self']}/log")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"] == f'inline; filename="task-{task["id"]}.log"'
    text = answer.text.splitlines()
    assert [text[0], text[3]] == ["--- Attempt 1 ---", "--- Attempt 2 ---"]
    assert text[2].endswith("+00:00  warning  no luck <b>today</b>")


async def test_of_a_flood_the_last_lines_are_kept(ada: Caller) -> None:
    task = await ada.submit({**TALKATIVE, "params": {"seconds": 0, "flood": 5_000}})
    assert (await ada.ended(task))["state"] == "succeeded"
    found = (await lines(ada, task))["items"]
    second = [line for line in found if line["attempt"] == 2]
    assert [len(second), second[0]["text"], second[-1]["text"]] == [1_000, "line 4000", "line 4999"]
    assert second[-1]["number"] == 5_001
    text = (await ada.get(f"{task['links']['self']}/log")).text
    assert "--- Attempt 2 ---\n(4,001 earlier lines were not kept)\n" in text
    page = (await ada.get(task["links"]["page"])).text
    assert "no luck &lt;b&gt;today&lt;/b&gt;" in page
    assert "1,000 lines" in page


async def test_a_task_without_a_log_has_an_empty_one(ada: Caller) -> None:
    task = await ada.submit()
    await ada.ended(task)
    assert await lines(ada, task) == {"items": [], "next": "0.0"}
    assert (await ada.get(f"{task['links']['self']}/log")).text == ""


async def test_what_asks_wrongly_is_refused(ada: Caller, service: Service) -> None:
    task = await ada.submit()
    refused(await ada.get(f"{task['links']['self']}/log/lines?after=x"), 422, "after")
    async with caller(service) as bob:
        refused(await bob.get(f"{task['links']['self']}/log"), 404)
        refused(await bob.get(f"{task['links']['self']}/log/lines"), 404)
