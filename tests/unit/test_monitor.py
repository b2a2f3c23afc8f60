"""The monitor: who is down, said once a change, also where a part freezes and answers nothing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from app.errors import Unavailable
from app.ops.monitor import AGAIN, EVERY, PATIENCE, Monitor
from tests.unit.skipping_loop import run


class Part:
    """Answers, refuses, or is silent."""

    def __init__(self) -> None:
        self.asked = 0
        self.open = 0
        self.refuses = False
        self.answers = asyncio.Event()
        self.answers.set()

    async def question(self) -> None:
        self.asked += 1
        self.open += 1
        try:
            await self.answers.wait()
        finally:
            self.open -= 1
        if self.refuses:
            raise Unavailable("It is not there.")


@contextlib.asynccontextmanager
async def watched() -> AsyncIterator[tuple[Monitor, Part, list[tuple[str, ...]]]]:
    """A monitor of a queue that can be broken and a database that is well, and what it has told."""
    part, well = Part(), Part()
    monitor = Monitor({"database": well.question, "queue": part.question})
    told: list[tuple[str, ...]] = []
    with monitor.telling(lambda: told.append(monitor.down)):
        async with monitor.watching():
            await asyncio.sleep(0.1)
            yield monitor, part, told


def test_a_part_that_refuses_is_told_of_once_and_again_when_it_answers(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with watched() as (monitor, part, told):
            part.refuses = True
            await asyncio.sleep(EVERY + AGAIN + 0.1)
            assert told == [("queue",)]
            assert await monitor.ask() == {"database": None, "queue": "It is not there."}
            await asyncio.sleep(60)
            assert told == [("queue",)]
            part.refuses = False
            await asyncio.sleep(AGAIN + 0.1)
            assert told == [("queue",), ()]

    caplog.set_level("INFO", "app.ops.monitor")
    run(scenario())
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "the queue is away",
        "the queue answers again",
    ]


def test_one_question_without_an_answer_is_not_yet_down() -> None:
    async def scenario() -> None:
        async with watched() as (_, part, told):
            part.refuses = True
            await asyncio.sleep(EVERY)
            part.refuses = False
            await asyncio.sleep(60)
            assert told == []

    run(scenario())


def test_a_part_that_froze_finds_one_question_when_it_wakes() -> None:
    async def scenario() -> None:
        async with watched() as (monitor, part, told):
            part.answers.clear()
            await asyncio.sleep(EVERY + 2 * PATIENCE + AGAIN + 0.1)
            assert told == [("queue",)]
            said = await asyncio.gather(*(monitor.ask() for _ in range(100)))
            assert {one["queue"] for one in said} == {f"No answer within {PATIENCE:g} s."}
            await asyncio.sleep(60)
            assert part.open == 1
            part.answers.set()
            await asyncio.sleep(AGAIN + 0.1)
            assert told == [("queue",), ()]

    run(scenario())
