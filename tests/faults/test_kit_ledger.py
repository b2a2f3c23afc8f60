"""The oracle convicts each crime, and nobody who is innocent: doctored books and frames, as a broken service would leave them."""

import asyncio
import sqlite3
from collections.abc import Callable
from copy import deepcopy
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast
from uuid import UUID

import pytest

from app.migrate import upgrade
from tests.faults.books import Books, EventRow, TaskRow, read
from tests.faults.crowd import Accepted, Member
from tests.faults.ledger import Verdict, judge
from tests.faults.tab import Connection, Tab
from tests.faults.wire import Wire
from tests.integration.people import Person

ADA, BOB = 1, 2
DONE: Final = ("queued", "started", "succeeded")
LOST_ONCE: Final = ("queued", "started", "retrying", "started", "succeeded")


def task_id(number: int) -> str:
    return str(UUID(int=number))


def frame(event: EventRow) -> dict[str, Any]:
    return {"type": event.type, "seq": event.seq, "at": "2026-01-01T00:00:00Z", "task": {"id": event.task_id}}


class Scene:
    """Ada with two tasks, heard over two connections; Bob with one. Innocent, until a test doctors it."""

    def __init__(self) -> None:
        self.books = Books()
        self.members = [self._member(ADA, "ada", {1: LOST_ONCE, 2: DONE}), self._member(BOB, "bob", {3: DONE})]
        self.ada, self.bob = self.members

    @property
    def verdict(self) -> Verdict:
        return judge(self.books, self.members)

    @property
    def frames(self) -> list[dict[str, Any]]:
        """Those of Ada's second connection, which begins with number 4."""
        return self.ada.tabs[0].connections[1].frames

    def event(self, user: int, task: int, kind: str) -> EventRow:
        """Write one more event of the user into the log, and let nobody hear it."""
        seq = self.books.streams[user][0] + 1
        event = EventRow(user, seq, f"task.{kind}", task_id(task))
        self.books.events.append(event)
        self.books.streams[user] = (seq, 0)
        return event

    def hear(self, event: EventRow) -> None:
        self.frames.append(frame(event))

    def alter(self, task: int, **changes: Any) -> None:
        """Change a row."""
        self.books.tasks[task_id(task)] = replace(self.books.tasks[task_id(task)], **changes)

    def _member(self, user: int, name: str, tasks: dict[int, tuple[str, ...]]) -> Member:
        self.books.streams[user] = (0, 0)
        tab = Tab(lambda: "", "")
        member = Member(cast("Person", SimpleNamespace(name=name)), user, Wire(""), [tab])
        events = []
        for number, life in tasks.items():
            task, starts = task_id(number), life.count("started")
            self.books.tasks[task] = TaskRow(
                task, user, "succeeded", starts, 0, starts - 1, claimed=False, finished=True
            )
            self.books.keys[user, f"key {number}"] = task
            one = Accepted(f"key {number}", {}, 0.0, ends=True, id=task, ids=[task])
            member.accepted[task] = one
            events += [self.event(user, number, kind) for kind in life]
        for part in (events[:3], events[3:]):
            heard = Connection("", part[0].seq - 1 if part else None, "e")
            heard.frames += [{"type": "welcome", "epoch": "e", "seq": 0}, *map(frame, part)]
            tab.connections.append(heard)
        return member


Crime = Callable[[Scene], object]


def kinds(verdict: Verdict) -> set[str]:
    return {one.name for one in fields(verdict) if getattr(verdict, one.name)}


def test_the_innocent_go_free() -> None:
    scene = Scene()
    assert scene.verdict == Verdict()
    scene.verdict.check()
    for tab in (scene.ada.tabs[0], scene.bob.tabs[0]):
        tab.connections.append(Connection("", None, None))  # one that never got through
    assert scene.verdict == Verdict()


def forget(scene: Scene, number: int) -> None:
    """Nothing in the database speaks of the task: it was accepted and never written."""
    task = task_id(number)
    del scene.books.tasks[task]
    scene.books.events = [event for event in scene.books.events if event.task_id != task]
    scene.books.streams[ADA] = (5, 0)
    del scene.frames[-3:]


def unend(scene: Scene, number: int) -> None:
    """Row, log and tab agree that the task still runs."""
    scene.alter(number, state="running", claimed=True, finished=False)
    scene.frames.pop()
    scene.books.events = [event for event in scene.books.events if (event.user_id, event.seq) != (ADA, 8)]
    scene.books.streams[ADA] = (7, 0)


def hole(scene: Scene) -> None:
    """Ada's last event moves by one."""
    scene.books.events = [
        replace(event, seq=9) if (event.user_id, event.seq) == (ADA, 8) else event for event in scene.books.events
    ]
    scene.books.streams[ADA] = (9, 0)


def silent(scene: Scene) -> None:
    """A row of somebody without events."""
    scene.books.tasks[task_id(8)] = TaskRow(task_id(8), 77, "queued", 0, 0, 0, claimed=False, finished=False)


def reset_frame(seq: int, *tasks: int) -> dict[str, Any]:
    cards = [{"id": task_id(number), "state": "succeeded"} for number in tasks]
    return {"type": "reset", "epoch": "f", "seq": seq, "tasks": cards}


def reset(scene: Scene, *tasks: int) -> None:
    scene.frames.append(reset_frame(8, *tasks))


CRIMES: Final[dict[str, tuple[str, Crime]]] = {
    "a 202 has no row": ("lost", lambda scene: forget(scene, 2)),
    "a row vanishes from under its events": ("lost", lambda scene: scene.books.tasks.pop(task_id(2))),
    "a task never ends": ("lost", lambda scene: unend(scene, 2)),
    "an end is never heard": ("lost", lambda scene: scene.frames.pop()),
    "a number comes twice": ("repeated", lambda scene: scene.frames.insert(3, deepcopy(scene.frames[2]))),
    "an earlier connection's event comes again": ("repeated", lambda scene: scene.frames.insert(1, scene.ada.tabs[0].connections[0].frames[3])),
    "a number is left out": ("gaps", lambda scene: scene.frames.pop(2)),
    "the log lacks a number": ("gaps", hole),
    "the log's counter is ahead": ("gaps", lambda scene: scene.books.streams.update({ADA: (99, 0)})),
    "another user's event is heard": ("foreign", lambda scene: scene.hear(EventRow(ADA, 9, "task.succeeded", task_id(3)))),
    "an event was never written": ("foreign", lambda scene: scene.hear(EventRow(ADA, 9, "task.started", task_id(1)))),
    "an event differs from the log": ("foreign", lambda scene: scene.frames[-2].update(type="task.retrying")),
    "another user's progress is heard": ("foreign", lambda scene: scene.frames.append({"type": "task.progress", "task_id": task_id(3)})),
    "a task belongs to somebody else": ("foreign", lambda scene: scene.alter(2, user_id=BOB)),
    "a reset shows another user's task": ("foreign", lambda scene: reset(scene, 3)),
    "a task ends twice": ("two_terminal", lambda scene: scene.hear(scene.event(ADA, 2, "succeeded"))),
    "a task starts after its end": ("two_terminal", lambda scene: scene.hear(scene.event(ADA, 2, "started"))),
    "row and log disagree on the end": ("two_terminal", lambda scene: scene.alter(2, state="failed")),
    "the log has an end, the row none": ("two_terminal", lambda scene: scene.alter(2, state="running", finished=False)),
    "one key made two tasks": ("duplicates", lambda scene: scene.ada.accepted[task_id(2)].ids.append(task_id(9))),
    "the key leads to another task": ("duplicates", lambda scene: scene.books.keys.update({(ADA, "key 2"): task_id(1)})),
    "a task that nobody was told of": ("duplicates", lambda scene: scene.ada.accepted.pop(task_id(2))),
    "a start without a claim's attempt": ("illegal", lambda scene: scene.alter(1, attempt=1)),
    "an ended task is still claimed": ("illegal", lambda scene: scene.alter(2, claimed=True)),
    "an ended task has no time of it": ("illegal", lambda scene: scene.alter(2, finished=False)),
    "more losses than attempts": ("illegal", lambda scene: scene.alter(2, lost=2)),
    "a start follows a start": ("illegal", lambda scene: scene.books.events.__setitem__(2, EventRow(ADA, 3, "task.started", task_id(1)))),
    "a task without any event": ("illegal", silent),
    "progress after the end": ("illegal", lambda scene: scene.frames.append({"type": "task.progress", "task_id": task_id(1)})),
    "no welcome": ("illegal", lambda scene: scene.frames.pop(0)),
    "a tab has to start anew": ("resets", lambda scene: reset(scene, 1)),
}  # fmt: skip


@pytest.mark.parametrize("crime", CRIMES)
def test_each_crime_is_convicted(crime: str) -> None:
    kind, commit = CRIMES[crime]
    scene = Scene()
    commit(scene)
    assert kind in kinds(scene.verdict)
    with pytest.raises(AssertionError, match=f"{kind}: "):
        scene.verdict.check()


def test_a_reset_is_right_where_the_row_says_so_and_its_cards_are_news() -> None:
    scene = Scene()
    scene.frames[:] = [{"type": "welcome", "epoch": "f", "seq": 8}, reset_frame(8, 1, 2)]
    assert kinds(scene.verdict) == {"resets"}
    scene.verdict.check(resets=True)
    scene.frames[1] = reset_frame(8, 1)
    assert kinds(scene.verdict) == {"resets", "lost"}


def test_a_deleted_task_is_no_lost_one() -> None:
    scene = Scene()
    scene.hear(scene.event(ADA, 2, "deleted"))
    del scene.books.tasks[task_id(2)]
    assert scene.verdict == Verdict()


def test_a_pruned_log_is_no_gap() -> None:
    scene = Scene()
    scene.books.events = [event for event in scene.books.events if event.user_id != ADA or event.seq > 4]
    scene.books.streams[ADA] = (8, 4)
    assert scene.verdict == Verdict()


def test_orphans_are_told_with_the_rest() -> None:
    with pytest.raises(AssertionError, match="7 python"):
        Verdict(orphans=["7 python -m workers.child"]).check()


@pytest.mark.parametrize(
    ("params", "row", "illegal"),
    [
        ({}, {}, False),
        ({}, {"state": "failed"}, True),
        ({}, {"state": "failed", "lost": 3, "attempt": 3}, False),
        ({}, {"state": "cancelled"}, True),
        ({}, {"state": "cancelled", "unwanted": True}, False),
        ({"fail": True}, {"state": "failed"}, False),
        ({"fail": True}, {}, True),
    ],
)
def test_work_that_does_nothing_wrong_is_to_succeed(params: dict[str, Any], row: dict[str, Any], illegal: bool) -> None:
    scene = Scene()
    scene.alter(3, **row)
    scene.bob.accepted[task_id(3)].body = {"workload": "countdown", "params": params}
    assert any("was to be" in crime for crime in scene.verdict.illegal) is illegal


async def test_the_books_of_sqlite_are_read(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'books.db'}"
    await upgrade(url)
    await asyncio.to_thread(write_a_task, tmp_path / "books.db")
    books = await read(url)
    assert books.tasks == {task_id(1): TaskRow(task_id(1), ADA, "running", 1, 0, 0, claimed=True, finished=False)}
    assert books.events == [EventRow(ADA, 1, "task.queued", task_id(1))]
    assert books.streams == {ADA: (1, 0)}
    assert books.keys == {(ADA, "key"): task_id(1)}


def write_a_task(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute(
            "INSERT INTO tasks (id, user_id, name, workload, version, lane, params, state, max_attempts, run_at, created_at)"
            " VALUES (?, 1, 'n', 'w', 1, 'light', '{}', 'queued', 3, '', '')",
            (task_id(1),),
        )
        db.execute(
            "UPDATE tasks SET state = 'running', attempt = 1, claim = ?, worker_id = ?, lease_until = '', started_at = ''",
            (task_id(7), task_id(8)),
        )
        db.execute("INSERT INTO events VALUES (1, 1, '', 'task.queued', ?, '{}')", (task_id(1),))
        db.execute("INSERT INTO streams VALUES (1, 1, 0)")
        db.execute("INSERT INTO idempotency VALUES (1, 'key', x'00', ?, '')", (task_id(1),))
    db.close()
