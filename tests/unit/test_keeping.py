"""What running attempts say is kept whatever one of them says: one piece of a log at a time, and no bad item ends the job."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import orjson
import pytest

from app.errors import Unavailable
from app.events.model import Frame
from app.tasks.model import Claim, Event, LogPiece, Mark, new_id
from app.tasks.moves import Moves
from workers.assignment import Stop
from workers.background import background
from workers.doubts import Doubts
from workers.keeper import Keeper
from workers.log_keeper import LogKeeper
from workers.progress import Progress
from workers.running import Running


class Database:
    """Takes what is to be kept, once it is open; refuses what `bad` says."""

    def __init__(self) -> None:
        self.calls: list[list[LogPiece]] = []
        self.marks: list[Mark] = []
        self.marked = asyncio.Event()
        self.asked = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()
        self.bad = ""
        self.errors: list[Exception] = []

    async def keep_log(self, pieces: Sequence[LogPiece]) -> None:
        self.calls.append(list(pieces))
        self.asked.set()
        await self.open.wait()
        if self.bad and any(self.bad in piece.lines for piece in pieces):
            raise ValueError(self.bad)

    async def mark(self, marks: Sequence[Mark]) -> None:
        if self.errors:
            raise self.errors.pop()
        self.marks += marks
        self.marked.set()

    async def under(self, _: object) -> list[Any]:
        self.asked.set()
        if self.errors:
            raise self.errors.pop()
        return []

    @property
    def moves(self) -> Moves:
        return cast("Moves", self)


def running(tell: Callable[[Sequence[Frame]], None] = lambda _: None) -> Running:
    """An attempt, as the runtime knows it."""
    task_id, token = new_id(), uuid4()
    event = Event(1, 1, datetime.now(UTC), "task.started", task_id, "{}")
    claim = Claim(task_id, 1, "work", 1, 1, 0, {}, token, event)
    return Running(claim, Stop(), Progress(claim, tell, lambda: True), Path())


async def turns() -> None:
    """Until whatever can go on without the database has gone on."""
    for _ in range(10):
        await asyncio.sleep(0)


def said(pieces: Sequence[LogPiece]) -> list[str]:
    return [line["text"] for piece in pieces for line in orjson.loads(piece.lines)]


async def test_an_attempt_has_one_piece_of_its_log_on_its_way() -> None:
    database, (one, other) = Database(), (running(), running())
    keeper = LogKeeper(database.moves)
    database.open.clear()
    other.book.add("info", "other")
    one.book.add("info", "first")
    jobs = [asyncio.create_task(keeper.keep([other]))]
    await database.asked.wait()
    jobs.append(asyncio.create_task(keeper.keep([one])))  # it waits for the flush that is under way
    await turns()
    one.book.add("info", "last")
    one.ending = True
    jobs.append(asyncio.create_task(keeper.keep_rest(one)))
    await turns()
    database.open.set()
    await asyncio.gather(*jobs)
    assert [said(call) for call in database.calls] == [["other"], ["first"], ["last"]]
    assert not one.book.due(float("inf"))


async def test_of_pieces_that_go_together_a_bad_one_fails_alone() -> None:
    database, (one, other, third) = Database(), (running(), running(), running())
    keeper = LogKeeper(database.moves)
    database.bad = "bad"
    for attempt, text in ((one, "bad"), (other, "good"), (third, "fine")):
        attempt.book.add("info", text)
    await asyncio.gather(*(keeper.keep_rest(attempt) for attempt in (one, other, third)))
    assert [said(call) for call in database.calls] == [["bad", "good", "fine"], ["bad"], ["good"], ["fine"]]


@pytest.mark.parametrize("error", [ValueError("bad"), Unavailable()])
async def test_what_cannot_be_kept_ends_nothing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr("workers.keeper.EVERY", 0.001)
    database, one = Database(), running()
    database.errors.append(error)
    job = background(Keeper(database.moves, lambda: [one]).run())
    try:
        one.progress.progress(0.1, "first")
        one.book.add("info", "a line")
        async with asyncio.timeout(5):
            await database.asked.wait()
            assert not database.errors
            one.progress.progress(0.2, "second")
            await database.marked.wait()
    finally:
        job.cancel()
    assert [mark.message for mark in database.marks] == ["second"]
    assert [said(call) for call in database.calls] == [["a line"]]


async def test_messages_are_plain() -> None:
    told: asyncio.Queue[Frame] = asyncio.Queue()
    one = running(lambda frames: told.put_nowait(*frames))
    one.progress.progress(0.5, "a\0b \ud83d")
    mark = one.progress.mark()
    assert mark is not None
    assert mark.message == "a\N{REPLACEMENT CHARACTER}b ?"
    frame = await asyncio.wait_for(told.get(), 5)
    assert orjson.loads(frame.text)["message"] == mark.message


async def test_doubts_go_on_after_a_fault_and_are_settled_once_the_database_has_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workers.doubts.EVERY", 0.001)
    monkeypatch.setattr("workers.doubts.SETTLED_AFTER", 0.01)
    database = Database()
    database.errors += [ValueError("bad"), Unavailable()]
    doubts = Doubts(database.moves, cast("Any", None), lasting=60)
    await doubts.settled()
    doubts.add(uuid4())
    job = background(doubts.run())
    try:
        async with asyncio.timeout(5):
            await doubts.settled()
    finally:
        job.cancel()
    assert not database.errors


async def test_a_job_that_ends_by_itself_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    async def fails() -> None:
        raise ValueError("two is not three")

    job = background(fails())
    await asyncio.wait([job])
    await asyncio.sleep(0)
    assert [(record.levelname, record.exc_info is not None) for record in caplog.records] == [("CRITICAL", True)]
    assert "two is not three" in caplog.text
    caplog.clear()
    forever = background(asyncio.Event().wait())  # type: ignore[arg-type]
    forever.cancel()
    await asyncio.wait([forever])
    await asyncio.sleep(0)
    assert not caplog.records
