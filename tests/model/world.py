"""What the model knows: tasks as rows of the database, workers as processes, messages at the broker, and how many faults are still to come.

Time goes in ticks: a heartbeat is due each tick, a lease lasts `LEASE` of them. A worker's clock may run late by less than one: it notices that `FENCE`
ticks have passed at any moment before one more is over.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

LEASE: Final = 4
FENCE: Final = 2
MOST_LOST: Final = 2  # 3 in the service
MOST_ERRORS: Final = 2


class State(IntEnum):
    """Of a task."""

    QUEUED = 0
    RUNNING = 1
    SUCCEEDED = 2
    FAILED = 3
    CANCELLED = 4


class Mode(IntEnum):
    """Of a worker's process."""

    UP = 0
    FROZEN = 1
    LEAVING = 2  # told to stop
    DEAD = 3


class Phase(IntEnum):
    """Of the slot of a worker."""

    ASKED = 0  # the claim has committed, its answer is under way
    WORKS = 1
    DYING = 2  # killed, and not yet gone
    RESULT = 3  # from here on: an end to be written
    ERROR = 4
    CANCELLED = 5
    HAND_BACK = 6
    GIVEN_UP = 7  # nothing will be written; only in mutations


class Task(NamedTuple):
    """A row. `holder`: the token of the claim that holds, 0 for none. `kept`: the files of a result are there."""

    state: State = State.QUEUED
    claims: int = 0
    attempt: int = 0
    holder: int = 0
    lease: int = 0
    cancelling: bool = False
    lost: int = 0
    errors: int = 0
    ends: int = 0  # terminal events in the log
    kept: bool = True


class Slot(NamedTuple):
    """What a worker does: which task, under which claim; `age`: ticks since the last request was sent that got a good answer."""

    task: int
    claim: int
    phase: Phase
    age: int = 0


class Look(NamedTuple):
    """A statement half done: it has chosen a row and not yet locked it."""

    reaps: bool
    task: int


class Worker(NamedTuple):
    """A process.

    `contact`: ticks that the database has answered without a break. `excused`: 1 where others may rightly think it dead, since it was frozen or cut off after
    its last good answer; 2 in the first moment after it was frozen. `last`: the newest claim that it asked for, answered or not (for one mutation).
    """

    mode: Mode = Mode.UP
    linked: bool = True
    contact: int = 0
    excused: int = 0
    slot: Slot | tuple[()] = ()
    look: Look | tuple[()] = ()
    last: tuple[int, ...] = ()


class World(NamedTuple):
    """Everything. `hints`: messages at the broker."""

    tasks: tuple[Task, ...]
    workers: tuple[Worker, ...]
    hints: int
    database: bool = True
    faults: int = 0

    @property
    def over(self) -> bool:
        """Whether every task has ended."""
        return all(task.state >= State.SUCCEEDED for task in self.tasks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where a check begins. `kinds`: the faults that may happen, `faults` of them altogether. `crowded`: other tasks and their hints never end."""

    name: str
    tasks: int = 1
    workers: int = 2
    faults: int = 0
    kinds: frozenset[str] = frozenset()
    cancels: bool = True
    errors: bool = True
    broker: bool = True
    crowded: bool = False

    def begin(self) -> World:
        """All tasks accepted, all workers up for a while."""
        hints = self.tasks if self.broker else 0
        return World((Task(),) * self.tasks, (Worker(contact=LEASE),) * self.workers, hints, True, self.faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of the service, each of which can be left out."""

    claim_checks_state: bool = True
    claim_refuses_cancelled: bool = True
    claim_ages_from_sending: bool = True
    late_claims_are_not_run: bool = True
    claims_take_new_tokens: bool = True
    hints_name_no_task: bool = True
    polls: bool = True
    beats_check_claim: bool = True
    beats_age_from_sending: bool = True
    missing_claim_ends_work: bool = True
    fences: bool = True
    fence_before_lease: bool = True
    hands_back: bool = True
    hands_back_after_end: bool = True
    finish_checks_claim: bool = True
    finish_checks_state: bool = True
    ends_with_event: bool = True
    keeps_files_of_lost_answers: bool = True
    retry_heeds_cancel: bool = True
    release_heeds_cancel: bool = True
    release_keeps_attempt: bool = True
    cancel_checks_state: bool = True
    reaps: bool = True
    reap_rechecks: bool = True
    reap_waits_for_contact: bool = True
    reap_spares_by_claim: bool = True
    reap_heeds_cancel: bool = True
