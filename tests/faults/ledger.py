"""The oracle after each row: holds what was promised against what the database says and what every client heard."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, Final

from tests.faults.books import Books, EventRow, TaskRow, read
from tests.faults.crowd import Accepted, Crowd, Member
from tests.faults.deployment import Deployment
from tests.faults.tab import TERMINAL, Tab, is_event
from tests.integration.people import ENDS

MOST_SHOWN: Final = 10  # crimes of a kind
HARMLESS: Final = frozenset({"countdown", "held"})  # workloads that fail only where they are told to
MOST_LOST: Final = 3

# Which events may follow which: the life of a task as its owner hears it.
AFTER: Final[dict[str, frozenset[str]]] = {
    "": frozenset({"task.queued"}),
    "task.queued": frozenset({"task.started", "task.cancelled"}),
    "task.started": frozenset({"task.retrying", "task.cancelling", *ENDS}),
    "task.retrying": frozenset({"task.started", "task.cancelled"}),
    "task.cancelling": ENDS,
    **dict.fromkeys(ENDS, frozenset({"task.deleted"})),
    "task.deleted": frozenset(),
}


@dataclass(slots=True)
class Verdict:
    """Crimes, by kind; each in a sentence."""

    lost: list[str] = field(default_factory=list)  # a 202 without a row, a row without an end, an end unheard
    repeated: list[str] = field(default_factory=list)  # a number or an end twice on one tab
    foreign: list[str] = field(default_factory=list)  # heard by somebody who does not own it, or in no book
    gaps: list[str] = field(default_factory=list)  # numbers that are missing, in the log or on a tab
    two_terminal: list[str] = field(default_factory=list)  # something after the end, or row and log do not agree on it
    orphans: list[str] = field(default_factory=list)  # processes
    duplicates: list[str] = field(default_factory=list)  # two tasks for one key, or tasks that nobody was told of
    illegal: list[str] = field(default_factory=list)  # a life that cannot be, or an end that nothing asked for
    resets: list[str] = field(default_factory=list)  # tabs that had to start anew; right only where a row expects it

    def check(self, *, resets: bool = False) -> None:
        """Raise `AssertionError` that lists every crime. `resets`: whether tabs may have been told to start anew."""
        found = {one.name: getattr(self, one.name) for one in fields(self) if not (resets and one.name == "resets")}
        lines = []
        for kind, crimes in found.items():
            lines += [f"{kind}: {len(crimes)}" for _ in crimes[:1]] + [f"  {crime}" for crime in crimes[:MOST_SHOWN]]
        if lines:
            raise AssertionError("\n".join(["the promise is broken", *lines]))


async def ledger(deployment: Deployment, crowd: Crowd) -> Verdict:
    """The verdict on all that happened so far. Let the crowd settle first."""
    # What is heard while the books are read may not be in them.
    heard = [member.as_heard() for member in crowd.members]
    verdict = judge(await read(deployment.database_url), heard)
    verdict.orphans += await deployment.orphans()
    return verdict


def judge(books: Books, members: Iterable[Member]) -> Verdict:
    """The verdict on the books and on what these people were promised and heard."""
    verdict = Verdict()
    _judge_log(books, verdict)
    for member in members:
        _judge_promises(books, member, verdict)
        for number, tab in enumerate(member.tabs):
            _judge_tab(books, member, tab, f"{member.person.name}, tab {number}", verdict)
    return verdict


def _judge_log(books: Books, verdict: Verdict) -> None:
    """The log by itself: gapless for each user, and for each task a life that ends as its row says."""
    numbers: dict[int, list[int]] = defaultdict(list)
    lives: dict[str, list[EventRow]] = defaultdict(list)
    for event in books.events:
        numbers[event.user_id].append(event.seq)
        lives[event.task_id].append(event)
    for user in {*numbers, *books.streams}:
        seq, floor = books.streams.get(user, (0, 0))
        if numbers[user] != list(range(floor + 1, seq + 1)):
            verdict.gaps.append(f"log of user {user}: has {_spans(numbers[user])}, is to have {floor + 1} to {seq}")
    pruned = {user for user, (_, floor) in books.streams.items() if floor}
    for task, life in lives.items():
        _judge_life(books, task, [event.type for event in life], life[0].user_id in pruned, verdict)
    for row in books.tasks.values():
        if row.id not in lives and row.user_id not in pruned:
            verdict.illegal.append(f"task {row.id}: no event tells of it")


def _judge_life(books: Books, task: str, told: list[str], pruned: bool, verdict: Verdict) -> None:
    life = f"task {task}: {' '.join(kind.removeprefix('task.') for kind in told)}"
    for before, kind in zip(["", *told], told, strict=False):
        if kind not in AFTER[before] and not (pruned and not before):
            (verdict.two_terminal if before in ENDS else verdict.illegal).append(life)
            break
    if sum(kind in ENDS for kind in told) > 1 and life not in verdict.two_terminal:
        verdict.two_terminal.append(life)
    row = books.tasks.get(task)
    if row is None:
        if told[-1] != "task.deleted":
            verdict.lost.append(f"{life}: its row is gone")
        return
    if told[-1] == "task.deleted":
        verdict.illegal.append(f"{life}: its row is still there")
        return
    ended = told[-1] in ENDS
    if ended != (row.state in TERMINAL) or (ended and told[-1] != f"task.{row.state}"):
        verdict.two_terminal.append(f"{life}: its row says {row.state}")
    if row.state != "running" and row.claimed:
        verdict.illegal.append(f"{life}: {row.state}, and still claimed")
    if (row.state in TERMINAL) != row.finished:
        verdict.illegal.append(f"{life}: {row.state}, and finished_at says otherwise")
    started = told.count("task.started")
    if row.attempt != started and not pruned:
        verdict.illegal.append(f"{life}: {started} starts, but attempt {row.attempt}")
    if row.lost + row.errors > row.attempt:
        verdict.illegal.append(f"{life}: {row.lost} lost and {row.errors} errors in {row.attempt} attempts")


def _judge_promises(books: Books, member: Member, verdict: Verdict) -> None:
    deleted = {event.task_id for event in books.events if event.type == "task.deleted"}
    for task, one in member.accepted.items():
        row = books.tasks.get(task)
        if row is None:
            if task not in deleted:
                verdict.lost.append(f"task {task} of {member.person.name}: was accepted, and has no row")
        elif row.user_id != member.user_id:
            verdict.foreign.append(f"task {task} of {member.person.name}: belongs to user {row.user_id}")
        elif one.ends and row.state not in TERMINAL:
            verdict.lost.append(f"task {task} of {member.person.name}: is still {row.state}, attempt {row.attempt}")
        elif row.state in TERMINAL and (wanted := _wanted(one, row)) not in (None, row.state):
            verdict.illegal.append(f"task {task} of {member.person.name}: {row.state}, and was to be {wanted}")
        for other in {*one.ids, books.keys.get((member.user_id, one.key), task)} - {task}:
            verdict.duplicates.append(f"key {one.key} of {member.person.name}: {task} and {other}")
    for row in books.tasks.values():
        if row.user_id == member.user_id and row.id not in member.accepted:
            verdict.duplicates.append(f"task {row.id} of {member.person.name}: nobody was told of it")


def _wanted(one: Accepted, row: TaskRow) -> str | None:
    """How a task is to end whatever dies, where that is known: work that does nothing wrong succeeds, unless three workers died under it or somebody cancelled it."""
    if one.body.get("workload") not in HARMLESS or row.unwanted or row.lost >= MOST_LOST:
        return None
    return "failed" if one.body["params"].get("fail") else "succeeded"


def _judge_tab(books: Books, member: Member, tab: Tab, who: str, verdict: Verdict) -> None:
    """What one tab heard, over all its connections: each of the user's numbers once and in order, as the log has them."""
    log = {event.seq: event for event in books.events if event.user_id == member.user_id}
    position, ends, ended = 0, defaultdict[str, int](int), set[str]()
    for number, connection in enumerate(tab.connections):
        for place, frame in enumerate(connection.frames):
            at = f"{who}, connection {number}, frame {place}"
            kind = frame["type"]
            if (place == 0) != (kind == "welcome"):
                verdict.illegal.append(f"{at}: {kind}, but the welcome comes first and once")
            if kind == "reset":
                verdict.resets.append(f"{at}: from {position} to {frame['seq']}")
                position = frame["seq"]
                ended |= {card["id"] for card in frame["tasks"] if card["state"] in TERMINAL}
                _judge_cards(books, member, frame["tasks"], at, verdict)
            elif kind == "task.progress":
                _judge_progress(books, member, frame, ended, at, verdict)
            elif is_event(frame):
                seq, task = frame["seq"], frame["task"]["id"]
                if seq <= position:
                    verdict.repeated.append(f"{at}: number {seq} after {position}")
                elif seq > position + 1:
                    verdict.gaps.append(f"{at}: number {seq} after {position}")
                position = max(position, seq)
                written = log.get(seq)
                floor = books.streams.get(member.user_id, (0, 0))[1]
                if seq > floor and (written is None or (written.type, written.task_id) != (kind, task)):
                    verdict.foreign.append(f"{at}: {seq} {kind} {task}, but the log has {written}")
                if kind in ENDS:
                    ended.add(task)
                    ends[task] += 1
                    if ends[task] > 1:
                        verdict.repeated.append(f"{at}: the end of {task} once more")
    for task, one in member.accepted.items():
        if one.ends and task not in ended:
            verdict.lost.append(f"{who}: never heard the end of {task}")


def _judge_progress(
    books: Books, member: Member, frame: dict[str, Any], ended: set[str], at: str, verdict: Verdict
) -> None:
    row = books.tasks.get(frame["task_id"])
    if row is not None and row.user_id != member.user_id:
        verdict.foreign.append(f"{at}: progress of {row.id}, a task of user {row.user_id}")
    if frame["task_id"] in ended:
        verdict.illegal.append(f"{at}: progress of {frame['task_id']} after its end")


def _judge_cards(books: Books, member: Member, cards: list[dict[str, Any]], at: str, verdict: Verdict) -> None:
    for card in cards:
        row = books.tasks.get(card["id"])
        if row is not None and row.user_id != member.user_id:
            verdict.foreign.append(f"{at}: the card of {row.id}, a task of user {row.user_id}")


def _spans(numbers: list[int]) -> str:
    """Numbers in order, runs of them in short."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in spans) or "nothing"
