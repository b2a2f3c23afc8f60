"""The lifecycle of a task: a table, and what follows from it. The database holds the same table as a trigger."""

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a task is. The last three are terminal: nothing changes a task there."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether the task has ended for good."""
        return not MOVES[self]


MOVES: Final[dict[State, frozenset[State]]] = {
    State.QUEUED: frozenset({State.RUNNING, State.CANCELLED}),
    State.RUNNING: frozenset({State.QUEUED, State.SUCCEEDED, State.FAILED, State.CANCELLED}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
}

TERMINAL: Final = tuple(state for state in State if state.terminal)
TERMINAL_SQL: Final = "({})".format(", ".join(f"'{state}'" for state in TERMINAL))
FINAL_EVENTS: Final = frozenset(f"task.{state}" for state in TERMINAL)
# A condition on `events`, to the letter as the indexes of ends have it: the planner takes them for no other.
ENDS_SQL: Final = "type IN ({})".format(", ".join(f"'task.{state}'" for state in TERMINAL))
