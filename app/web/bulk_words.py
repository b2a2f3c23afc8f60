"""What the pages say of many tasks at once: before, how many would change and how many would not; afterwards, what was done. Pure."""

import base64
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from app.tasks.bulk import MOST, Outcome
from app.tasks.selection import CANCELLING, FIRST, Action, Count, Order
from app.tasks.states import State
from app.web.wording import plural

DO: Final = {Action.CANCEL: "Cancel", Action.RETRY: "Start again", Action.DELETE: "Delete"}
DONE: Final = {Action.CANCEL: "cancelled", Action.RETRY: "started again", Action.DELETE: "deleted"}
# Of each state: one, several.
_KEPT: Final = {
    CANCELLING: ("is being cancelled already", "are being cancelled already"),
    "ended": ("has ended already", "have ended already"),
    "active": ("has not ended yet", "have not ended yet"),
}
_STATES: Final = {
    State.QUEUED.value: "waiting",
    State.RUNNING.value: "running",
    State.SUCCEEDED.value: "finished",
    State.FAILED.value: "failed",
    State.CANCELLED.value: "cancelled",
}
MOST_REASONS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What was done, as the next page tells it: kept in a cookie in between, because an address could be made by anybody."""

    action: Action
    selected: bool = True  # whether there was anything to do it with
    done: int = 0
    stopping: int = 0
    changed: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    stopped: str = ""
    left: int = 0
    goes_on: bool = False  # whether the list's filter finds what is left
    seq: int = 0
    after: UUID = FIRST

    @classmethod
    def of(cls, order: Order, outcome: Outcome) -> "Notice":
        """What is to be told of an outcome."""
        return cls(
            action=order.action,
            done=outcome.done,
            stopping=outcome.stopping,
            changed=outcome.changed,
            refused=dict(outcome.refused.most_common(MOST_REASONS)),
            stopped=outcome.stopped,
            left=outcome.left,
            goes_on=order.selection.ids is None,
            seq=order.seq,
            after=outcome.after,
        )

    @classmethod
    def read(cls, cookie: str | None) -> "Notice | None":
        """None where there is none, or where it cannot be read."""
        try:
            return _NOTICE.validate_json(base64.urlsafe_b64decode(cookie)) if cookie else None
        except (ValueError, ValidationError):
            return None

    def cookie(self) -> str:
        """As `read` takes it."""
        return base64.urlsafe_b64encode(_NOTICE.dump_json(self)).decode()

    @property
    def headline(self) -> str:
        """How many."""
        if not self.selected:
            return "Nothing was selected."
        how_many = plural(self.done, "task") if self.done else "No task"
        return f"{how_many} {_be(self.done)} {DONE[self.action]}."

    @property
    def text(self) -> str:
        """All else."""
        if not self.selected:
            return "Tick the tasks that you mean, or all that match, and press again."
        said = []
        if self.stopping:
            said.append(f"{_of(self.stopping, self.done)} ran: {_those(self.stopping)} in a moment.")
        if self.changed:
            said.append(f"{self.changed:,} had changed since they were counted, and {_as_it_is(self.changed)}.")
        said += [f"{number:,} {_be(number)} not {DONE[self.action]}: {why}." for why, number in self.refused.items()]
        if self.stopped:
            said.append(self.stopped)
        if self.left:
            then = "" if self.goes_on else ": select them again"
            said.append(f"{self.left:,} {'is' if self.left == 1 else 'are'} left{then}.")
        return " ".join(said)


_NOTICE: Final = TypeAdapter(Notice)


def question(action: Action, count: Count) -> dict[str, Any]:
    """What the page asks before anything is done."""
    able = count.able(action)
    states = [(word, count.states.get(state, 0)) for state, word in _STATES.items() if state in action.takes]
    return {
        "action": action.value,
        "able": able,
        "heading": f"{DO[action]} {plural(able, 'task')}?" if able else f"Nothing to {DO[action].lower()}",
        "press": f"{DO[action]} {plural(able, 'task')}",
        "sentence": sentence(action, count),
        "states": [(word, number) for word, number in states if number],
        "steps": f"This takes several steps of up to {MOST:,}: after each you see what is left." if able > MOST else "",
    }


def sentence(action: Action, count: Count) -> str:
    """12 of 40 can be cancelled; 28 have ended already."""
    able = count.able(action)
    if not count.total:
        return "None of these tasks is there any more."
    how_many = f"{able:,} of {count.total:,}"
    if able == count.total:
        how_many = "It" if able == 1 else f"All {able:,}"
    kept = {
        CANCELLING: count.states.get(CANCELLING, 0),
        "ended": sum(number for state, number in count.states.items() if state in Action.DELETE.takes),
        "active": count.total - count.able(Action.DELETE),
    }
    shown = (CANCELLING, "ended") if action is Action.CANCEL else ("active",)
    parts = [f"{how_many} can be {DONE[action]}"]
    parts += [f"{kept[name]:,} {_KEPT[name][kept[name] > 1]}" for name in shown if kept[name]]
    return "; ".join(parts) + "."


def _of(number: int, all_of: int) -> str:
    if number < all_of:
        return f"{number:,} of them"
    return "It" if number == 1 else "They"


def _those(number: int) -> str:
    return "it stops" if number == 1 else "they stop"


def _as_it_is(number: int) -> str:
    return "was left as it is" if number == 1 else "were left as they are"


def _be(number: int) -> str:
    return "were" if number > 1 else "was"
