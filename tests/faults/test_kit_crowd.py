"""The crowd keeps its word: it repeats until it has an answer, comes back where it was, and says what is missing."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import httpx
import pytest

from tests.faults.backends import Backends, Choice
from tests.faults.crowd import Crowd
from tests.faults.deployment import Deployment
from tests.faults.ledger import ledger
from tests.faults.proxy import Proxy
from tests.faults.tab import SESSION_ENDED, Tab

EMBEDDED: Choice = "dev"

pytestmark = pytest.mark.parametrize("choice", [EMBEDDED], indirect=True)


@pytest.fixture
async def proxy(standing: Deployment) -> AsyncIterator[Proxy]:
    async with Proxy(standing.webs[0].port) as made:
        yield made


def by(proxy: Proxy) -> list[str]:
    return [f"http://127.0.0.1:{proxy.port}"]


def has_heard(events: int, tab: Tab) -> bool:
    return tab.state == "open" and len(tab.events) > events


async def test_a_submit_whose_answer_is_lost_is_repeated_and_makes_one_task(standing: Deployment, proxy: Proxy) -> None:
    async with Crowd(standing, people=2, origins=by(proxy)) as crowd:
        cut = proxy.cut_answer(b"POST /api/v1/tasks", answer=b"HTTP/1.1 202")
        tasks = await crowd.submit(20)
        assert cut.is_set()
        assert sorted(task.tries for task in tasks)[-2:] == [1, 2]
        await crowd.settled()
        (await ledger(standing, crowd)).check()


def has_come_back(connections: int, tab: Tab) -> bool:
    return len(tab.connections) > connections


async def test_tabs_come_back_where_they_were_while_the_load_goes_on(standing: Deployment, proxy: Proxy) -> None:
    async with Crowd(standing, people=2, tabs=2, origins=by(proxy)) as crowd:
        async with crowd.keep_going(100) as made:
            for wanted in (10, 20, 30):
                for tab in crowd.tabs:
                    await tab.until(partial(has_heard, wanted))
                before = [len(tab.connections) for tab in crowd.tabs]
                proxy.drop()
                for tab, connections in zip(crowd.tabs, before, strict=True):
                    await tab.until(partial(has_come_back, connections))
        assert made
        await crowd.settled()
        for tab in crowd.tabs:  # also one that had heard everything when it was dropped last
            await tab.until(lambda tab: len(tab.connections) >= 4 and bool(tab.connections[-1].frames))
        assert all(one.after for tab in crowd.tabs for one in tab.connections[1:])
        (await ledger(standing, crowd)).check()


async def test_what_does_not_end_is_named(standing: Deployment) -> None:
    async with Crowd(standing, people=1) as crowd:
        [task] = await crowd.submit(1, params={"seconds": 60})
        await crowd.tabs[0].until_told(task.id, "task.started")
        with pytest.raises(AssertionError, match=f"{task.id}, last heard: task.started"):
            await crowd.settled(within=0.1)
        with pytest.raises(AssertionError, match=f"lost: 2\n.*{task.id}"):
            (await ledger(standing, crowd)).check()
        await crowd.owner(task.id).person.post(crowd.origin(), f"/tasks/{task.id}/cancel")
        await crowd.settled()
        (await ledger(standing, crowd)).check()


async def test_a_tab_whose_session_has_ended_stays_away(standing: Deployment) -> None:
    async with Crowd(standing, people=1) as crowd:
        [tab] = crowd.tabs
        answer = await crowd.members[0].person.http.delete(f"{crowd.origin()}/api/v1/session")
        assert answer.status_code == httpx.codes.NO_CONTENT
        async with asyncio.timeout(10):
            await tab.gone()
        assert [one.code for one in tab.connections] == [SESSION_ENDED]


async def test_a_submit_that_is_refused_is_no_promise(standing: Deployment) -> None:
    async with Crowd(standing, people=1) as crowd:
        with pytest.raises(AssertionError, match="422"):
            await crowd.submit(1, "nothing of the kind")
        assert crowd.accepted == {}


async def test_a_process_without_the_folder_is_no_orphan_and_one_with_it_is(backends: Backends) -> None:
    async with Deployment(backends) as deployment:
        assert await deployment.orphans() == []
        left = await asyncio.create_subprocess_exec("sleep", "60", env={"PYTHONPATH": str(deployment.folder)})
        assert await deployment.orphans(patience=0.1) == [f"{left.pid} sleep 60"]
        left.kill()
        await left.wait()
        assert await deployment.orphans() == []
