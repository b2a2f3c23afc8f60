"""Waiting for what processes do: by the kernel's word where it gives one, else by their logs."""

import asyncio
import os
import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Final

import asyncpg

from tests.faults.crowd import Accepted, Crowd
from tests.integration.people import PATIENCE

LOOK_EVERY: Final = 0.02  # seconds; a log tells nobody that it has grown


async def gone(pid: int) -> float:
    """Seconds of `time.time` at which a process had ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return time.time()
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        async with asyncio.timeout(PATIENCE):
            await ended.wait()
        return time.time()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def until(happened: Callable[[], bool]) -> None:
    """Until it is so. Raises `TimeoutError`."""
    async with asyncio.timeout(PATIENCE):
        while not happened():  # noqa: ASYNC110  another process tells nobody
            await asyncio.sleep(LOOK_EVERY)


async def until_stopped(pid: int) -> None:
    """Until a process has been stopped by SIGSTOP."""
    await until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")


async def warmed_up(crowd: Crowd) -> None:
    """Until every lane has claimed once: the first time takes connections, plans and child processes, and a busy machine a good part of a lease."""
    await crowd.submit(4)
    await crowd.submit(4, "held", {"seconds": 0})
    await crowd.settled()


async def until_says(crowd: Crowd, task: Accepted, words: str) -> str:
    """Until the task's owner has heard of a progress with this message, a regular expression: what its group matched, or all of it."""
    tab = next(member.tabs[0] for member in crowd.members if task.id in member.accepted)

    def said() -> list[str]:
        return [
            found[found.lastindex or 0]
            for frame in tab.frames
            if frame["type"] == "task.progress" and frame["task_id"] == task.id
            if (found := re.fullmatch(words, frame["message"]))
        ]

    await tab.until(lambda tab: bool(said()) or task.id in tab.ended)
    assert said(), f"task {task.id} has ended, and never said {words}"
    return said()[-1]


async def process_of(crowd: Crowd, task: Accepted) -> int:
    """The process in which a task works that says so."""
    return int(await until_says(crowd, task, r"process (\d+)"))


async def lease_of(database_url: str, task: str) -> float | None:
    """When the task's lease ends, in seconds of `time.time`; None where nobody has it."""
    if database_url.startswith("sqlite:"):
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"), timeout=10)) as file:
            found = file.execute("SELECT lease_until FROM tasks WHERE id = ?", (task,)).fetchone()[0]
        return datetime.fromisoformat(found).timestamp() if found else None
    connection = await asyncpg.connect(database_url)
    try:
        at = await connection.fetchval("SELECT lease_until FROM tasks WHERE id = $1", task)
    finally:
        await connection.close()
    return float(at.timestamp()) if at else None
