"""Rows 18 to 20: websockets that are cut at any byte, whose browser stops reading, and that come back a thousand at once."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.faults.crowd import Crowd, Member
from tests.faults.deployment import Deployment, Process
from tests.faults.ledger import ledger
from tests.faults.metronome import METRONOME
from tests.faults.pace import RECHECK, SLACK
from tests.faults.proxy import Proxy
from tests.faults.recovery import record
from tests.faults.slow import deaf, read_on, stuck_at
from tests.faults.tab import MOST_PAUSE, Connection, Tab
from tests.faults.timing import at_share, slowest
from tests.faults.watching import until
from tests.integration.people import PATIENCE

CUT_TABS: Final = 12
CUTS: Final = 25  # of each tab
STEP: Final = 4  # bytes between two cuts: together they reach over the handshake, the welcome and some events
DEAF: Final = 40  # sockets
HISTORY: Final = 250  # tasks, three events each: more than goes into any buffer on the way
TOO_SLOW: Final = 4008
GIVEN_UP: Final = 10.0  # seconds that a socket may take nothing (docs/events.md)
NOISE: Final = 8 << 20  # bytes by which the memory of a process may differ without a reason
SOCKETS: Final = 1000
PEOPLE: Final = 50
WELCOMED: Final = 100  # sockets a second, at least

# The queue has no part in any of this.
with_servers = pytest.mark.parametrize("choice", ["rabbitmq"], indirect=True)


@pytest.mark.parametrize("choice", ["rabbitmq", "dev"], indirect=True)
async def test_18_a_socket_that_is_cut_after_every_nth_byte_has_every_event_once(standing: Deployment) -> None:
    async with contextlib.AsyncExitStack() as stack:
        crowd = await stack.enter_async_context(Crowd(standing, people=4))
        done = [
            await _cut_tab(stack, standing.webs[0], crowd.members[number % 4], number) for number in range(CUT_TABS)
        ]
        async with crowd.keep_going(30), asyncio.timeout(PATIENCE):
            for one in done:
                await one.wait()
        whole = time.time()
        await crowd.settled()
        record(18, standing.backends.name, time.time() - whole, MOST_PAUSE + SLACK)
        (await ledger(standing, crowd)).check()


async def _cut_tab(stack: contextlib.AsyncExitStack, web: Process, member: Member, number: int) -> asyncio.Event:
    """One more tab of a member, whose connections end after so many bytes, each after more; the event is set when the last one may stay."""
    proxy = await stack.enter_async_context(Proxy(web.port))
    lengths = iter(range(1 + STEP * number, STEP * CUT_TABS * CUTS, STEP * CUT_TABS))
    done = asyncio.Event()

    def origin() -> str:
        if length := next(lengths, None):
            proxy.cut_after(length)
        else:
            proxy.restore()
            done.set()
        return proxy.url(web.url)

    member.tabs.append(await stack.enter_async_context(Tab(origin, member.person.cookie)))
    return done


@with_servers
async def test_19_a_browser_that_stops_reading_is_cut_off_and_costs_no_memory(standing: Deployment) -> None:
    [web] = standing.webs
    async with contextlib.AsyncExitStack() as stack:
        crowd = await stack.enter_async_context(Crowd(standing, people=2, tabs=2))
        slow = crowd.members[0]
        await crowd.submit(HISTORY, by=slow)
        await crowd.settled()
        browsers = [await stack.enter_async_context(deaf(web, slow)) for _ in range(DEAF)]
        await until(lambda: all(stuck_at(web, one) for one in browsers))
        stuck, before = time.time(), _memory(web)
        live = await crowd.submit(HISTORY, by=slow) + await crowd.submit(20, by=crowd.members[1])
        await crowd.settled()
        assert time.time() - stuck < GIVEN_UP, "all of this happened before they were given up"
        assert slowest(crowd, live[-20:]) < SLACK * METRONOME.slower(SLACK), "others live"
        assert _memory(web) - before < NOISE, "what they do not read is in the database"
        await asyncio.sleep(stuck + GIVEN_UP + SLACK - time.time())  # reading before that would be no fault
        heard = await asyncio.gather(*(read_on(one) for one in browsers))
        record(19, standing.backends.name, time.time() - stuck, GIVEN_UP + RECHECK)
        assert {one.close_code for one in browsers} == {TOO_SLOW}
        for frames in heard[:3]:  # and each may come back where it was
            tab = Tab(lambda: web.url, slow.person.cookie)
            tab.connections.append(Connection(web.url, 0, None, frames))
            tab.position, tab.epoch = frames[-1]["seq"], frames[0]["epoch"]
            tab.ended = {frame["task"]["id"]: stuck for frame in frames if frame["type"] == "task.succeeded"}
            slow.tabs.append(await stack.enter_async_context(tab))
        await crowd.settled()
        (await ledger(standing, crowd)).check()


def _memory(process: Process) -> int:
    """Bytes that it holds."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("it does not live")


@with_servers
async def test_20_a_thousand_sockets_that_come_back_at_once_are_all_caught_up(standing: Deployment) -> None:
    [web] = standing.webs
    async with Crowd(standing, people=PEOPLE, tabs=SOCKETS // PEOPLE) as crowd:
        tasks = await crowd.submit(PEOPLE, params={"seconds": 2})
        for member in crowd.members:
            await member.tabs[0].until(lambda tab: len(tab.last) == 1)
        await asyncio.to_thread(web.kill)
        await asyncio.to_thread(web.start)
        ready = time.time()
        await crowd.settled()
        took = list(_caught_up(crowd, ready))
        assert len(took) == SOCKETS
        for tab in crowd.tabs:  # one that heard of the end before the kill comes back too
            await tab.until(lambda tab: _heard_on(tab) >= 2)
        assert {_heard_on(tab) for tab in crowd.tabs} == {2}
        for share in (0.5, 0.99):
            print(f"row 20: {share:.0%} of {SOCKETS} sockets were caught up after {at_share(took, share):.2f} s")
        record(20, standing.backends.name, at_share(took, 0.99), MOST_PAUSE + SOCKETS / WELCOMED)
        (await ledger(standing, crowd)).check()
    assert len(tasks) == PEOPLE


def _heard_on(tab: Tab) -> int:
    """Connections over which it heard anything."""
    return sum(bool(one.frames) for one in tab.connections)


def _caught_up(crowd: Crowd, ready: float) -> Iterator[float]:
    for member in crowd.members:
        for tab in member.tabs:
            yield max(tab.ended[task] for task in member.accepted) - ready
