"""Rows 34 and 36: an older backup comes back under living browsers, and the log is pruned under them."""

import asyncio
import contextlib
import subprocess
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from app.db import open_database
from app.tasks import pruning
from tests.faults.books import read
from tests.faults.crowd import Crowd
from tests.faults.deployment import Deployment
from tests.faults.ledger import ledger
from tests.faults.pace import RECHECK, SLACK
from tests.faults.recovery import record
from tests.faults.slow import deaf, read_on, stuck_at
from tests.faults.tab import Tab, is_event
from tests.faults.timing import log_end
from tests.faults.watching import until
from tests.integration.people import PATIENCE
from tests.servers import PostgreSQL
from tests.servers.programs import program

RATE: Final = 50.0  # submits a second
KEPT: Final = 20  # tasks in the backup
UNDONE: Final = 4  # tasks that come after it: so few that the numbers of others pass theirs at once
ANEW: Final = 60  # tasks that come after the restore
HISTORY: Final = 400  # tasks, three events each: more than goes into any buffer on the way


@pytest.mark.parametrize("choice", ["rabbitmq"], indirect=True)
async def test_34_a_backup_that_comes_back_resets_every_browser_and_misleads_none(
    standing: Deployment, postgresql: PostgreSQL, tmp_path: Path
) -> None:
    backup, name = tmp_path / "backup", standing.database_url.rpartition("/")[2]
    async with Crowd(standing, people=4, tabs=2) as crowd:
        await crowd.submit(KEPT)
        await crowd.settled()
        [running] = await crowd.submit(1, "held", {"seconds": 2})
        await until(lambda: any(tab.last.get(running.id) == "task.started" for tab in crowd.tabs))
        await _run("pg_dump", "--format=custom", f"--file={backup}", standing.database_url)
        await crowd.submit(UNDONE)
        await crowd.settled()
        (await ledger(standing, crowd)).check()
        await _restore_beside(postgresql, name, backup)
        processes, [web] = [one.pid for one in standing.services], standing.webs
        logged, places = (
            log_end(web),
            [(member, member.tabs[0].position, member.tabs[0].epoch) for member in crowd.members],
        )
        async with crowd.keep_going(RATE) as accepted:
            began = await _swap(postgresql, name)
            restored, enough = time.time(), len(accepted) + ANEW
            for tab in crowd.tabs:
                await tab.until(lambda tab: bool(_resets(tab)))
            noticed = time.time()
            await until(lambda: len(accepted) >= enough)
        rows = (await read(standing.database_url)).tasks
        for member in crowd.members:
            for undone in [one for one in member.accepted.values() if one.id not in rows]:
                assert undone.at < restored, "lost with what the backup does not have"
                del member.accepted[undone.id]
        anew = {one.id for one in crowd.accepted.values() if one.asked > restored}
        for tab in crowd.tabs:
            past = _forget_the_past(tab)
            assert not anew & {frame["task"]["id"] for frame in past if is_event(frame)}
        await crowd.settled()
        assert {len(_resets(tab)) for tab in crowd.tabs} == {1}
        record(34, standing.backends.name, noticed - began, RECHECK + SLACK)
        (await ledger(standing, crowd)).check(resets=True)
        row = (await read(standing.database_url)).tasks[running.id]
        assert (row.state, row.lost) == ("succeeded", 1), (
            "the backup had it running at a worker that knows nothing of it"
        )
        assert [one.pid for one in standing.services] == processes, "nobody died of it"
        assert " ERROR " not in web.log_tail(logged, most=1 << 20)
        for (
            member,
            position,
            epoch,
        ) in places:  # a tab that slept through all of it, whose next number is another's by now
            assert member.tabs[0].position > position
            async with Tab(lambda: web.url, member.person.cookie) as late:
                late.position, late.epoch = position, epoch
                await late.until(lambda late: bool(late.events or _resets(late)))
                assert late.events == []


def _resets(tab: Tab) -> list[dict[str, Any]]:
    return [frame for frame in tab.frames if frame["type"] == "reset"]


def _forget_the_past(tab: Tab) -> list[dict[str, Any]]:
    """Forget what a tab has heard before its reset, which is of another history. Returns that."""
    past: list[dict[str, Any]] = []
    for number, connection in enumerate(tab.connections):
        for place, frame in enumerate(connection.frames):
            if frame["type"] == "reset":
                past += connection.frames[:place]
                connection.frames[1:place] = []  # the welcome stays
                del tab.connections[:number]
                told = [*frame["tasks"], *(event["task"] for event in tab.events)]
                ended = {card["id"] for card in told if card["finished_at"]}
                tab.ended = {task: at for task, at in tab.ended.items() if task in ended}
                return past
        past += connection.frames
    raise AssertionError("no reset")


async def _restore_beside(server: PostgreSQL, name: str, backup: Path) -> None:
    await _run("psql", "-qd", server.url, "-c", f'CREATE DATABASE "{name}_new"')
    await _run("pg_restore", f"--dbname={server.url_of(f'{name}_new')}", str(backup))


async def _swap(server: PostgreSQL, name: str) -> float:
    """Put what was restored in the database's place, under those who are connected. Returns when that began, in seconds of `time.time`."""
    statements = (
        f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false',
        f"DO $$ BEGIN PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'; END $$",
        f'ALTER DATABASE "{name}" RENAME TO "{name}_old"',
        f'ALTER DATABASE "{name}_new" RENAME TO "{name}"',
        f'DROP DATABASE "{name}_old"',
    )
    began = time.time()
    await _run("psql", "-qd", server.url, *(word for statement in statements for word in ("-c", statement)))
    return began


async def _run(name: str, *words: str) -> None:
    running = await asyncio.create_subprocess_exec(program(name), *words, stderr=subprocess.PIPE)
    _, said = await asyncio.wait_for(running.communicate(), PATIENCE)
    assert running.returncode == 0, said.decode()


@pytest.mark.parametrize("choice", ["rabbitmq", "dev"], indirect=True)
async def test_36_a_log_that_is_pruned_under_browsers_resets_those_that_it_left_behind(
    standing: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a worker does each hour is done here, at the moment at which it hurts."""
    monkeypatch.setattr(pruning, "KEYS_KEPT", timedelta(0))
    [web] = standing.webs
    async with Crowd(standing, people=1, tabs=2) as crowd, contextlib.AsyncExitStack() as stack:
        [member] = crowd.members
        await crowd.submit(HISTORY)
        await crowd.settled()
        [head] = {tab.position for tab in crowd.tabs}
        old = time.time()
        replaying = await stack.enter_async_context(deaf(web, member))
        await until(lambda: stuck_at(web, replaying))
        async with crowd.keep_going(RATE) as accepted:
            await until(lambda: len(accepted) >= RATE)
            await _prune(standing, old)
            pruned, enough = time.time(), len(accepted) + RATE
            tabs = [Tab(lambda: web.url, member.person.cookie) for _ in range(3)]
            for tab, position in zip(tabs, (1, head // 10, head), strict=True):
                tab.position, tab.epoch = position, crowd.tabs[0].epoch
                await stack.enter_async_context(tab)
            for tab in tabs[:2]:
                await tab.until(lambda tab: bool(_resets(tab)))
            record(36, standing.backends.name, time.time() - pruned, SLACK)
            await until(lambda: len(accepted) >= enough)
        await crowd.settled()
        (await ledger(standing, crowd)).check()  # who lives with the log misses nothing, and is not reset
        [newest] = {tab.position for tab in crowd.tabs}
        for tab, resets in zip(tabs, (1, 1, 0), strict=True):
            await tab.until(lambda tab: tab.position >= newest)
            assert len(_resets(tab)) == resets
            _check_gapless(tab.frames, head)
        frames = await read_on(replaying, lambda frame: frame.get("seq", 0) >= newest and frame["type"] != "welcome")
        assert [frame["type"] for frame in frames].count("reset") == 1
        _check_gapless(frames, 0)
    assert (await read(standing.database_url)).streams[member.user_id][1] == head


async def _prune(deployment: Deployment, before: float) -> None:
    """Forget every event of before a moment of `time.time`."""
    db = open_database(deployment.database_url, pool=2)
    await db.connect()
    try:
        assert await pruning.Pruning(db, kept=timedelta(seconds=time.time() - before)).events() > 0
    finally:
        await db.disconnect()


def _check_gapless(frames: list[dict[str, Any]], position: int) -> None:
    """Every number once and in order, from `position` on and from each reset on."""
    for frame in frames:
        if frame["type"] == "reset":
            position = frame["seq"]
        elif is_event(frame):
            assert frame["seq"] == position + 1
            position += 1
