"""A task as a row or a headline: its state in words, its times as lengths, one line that says what came of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from app.tasks.document import card
from app.tasks.estimates import until_end
from app.tasks.model import Task
from app.tasks.states import State
from app.tasks.waits import Wait
from app.web.wording import about, duration, length, ordinal, soon


@dataclass(frozen=True, slots=True)
class Look:
    """A state as word, icon and tone (a class of the stylesheet): never colour alone."""

    word: str
    icon: str
    tone: str


LOOKS: Final = {
    State.QUEUED: Look("Waiting", "clock", "off"),
    State.RUNNING: Look("Running", "running", "run"),
    State.SUCCEEDED: Look("Finished", "check", "ok"),
    State.FAILED: Look("Failed", "alert", "bad"),
    State.CANCELLED: Look("Cancelled", "ban", "off"),
}
IN_LINE: Final = "Starts when a worker is free"  # beside the place in line
ENDED: Final = {State.SUCCEEDED: "is ready", State.FAILED: "failed", State.CANCELLED: "was cancelled"}
CANCELLING: Final = Look("Cancelling", "ban", "warn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What the rows and the task page print."""

    id: str
    name: str
    workload: str  # its title
    state: str
    look: Look
    percent: int | None
    lead: str
    message: str
    clock: datetime | None  # from when a clock counts
    clock_text: str
    rest: str
    line: str
    took: str
    ended_at: datetime | None
    created_at: datetime
    seed: dict[str, Any]  # the card, for the script
    wait: dict[str, Any] | None
    usual: float | None = None  # seconds that its workload takes, where it has a history


def row(task: Task, title: str, now: datetime, wait: Wait | None = None, usual: float | None = None) -> Row:
    """`task` as a row; `title` is its workload's, `usual` how many seconds that takes, `wait` says why it has not started."""
    cancelling = task.state == State.RUNNING and task.cancel_requested_at is not None
    fraction = task.progress_fraction
    clock = task.started_at if task.state == State.RUNNING else task.created_at if task.state == State.QUEUED else None
    return Row(
        id=str(task.id),
        name=task.name,
        workload=title,
        state=task.state.value,
        look=CANCELLING if cancelling else LOOKS[task.state],
        percent=None if fraction is None else int(fraction * 100),
        lead=_lead(task, cancelling, wait),
        message=_message(task, wait),
        clock=clock,
        clock_text=duration((now - clock).total_seconds()) if clock else "",
        rest=_rest(task, now, wait, usual),
        line=line(task),
        took=length((task.finished_at - task.started_at).total_seconds())
        if task.finished_at and task.started_at
        else "",
        ended_at=task.finished_at,
        created_at=task.created_at,
        seed=card(task),
        wait=wait.document() if wait else None,
        usual=None if usual is None else round(usual, 1),
    )


def headline(task: Task) -> str:
    """That a task has ended, and how: what a toast says too."""
    return f"{task.name} {ENDED[task.state]}"


def line(task: Task) -> str:
    """What came of an ended task, in one line."""
    if task.state == State.SUCCEEDED:
        return task.summary or ""
    if task.state == State.FAILED and task.error:
        return " ".join(str(part) for part in (task.error.get("message"), task.error.get("hint")) if part)
    if task.state == State.CANCELLED:
        done = int((task.progress_fraction or 0) * 100)
        return f"You cancelled this at {done}%." if done else "You cancelled this."
    return ""


def initials(username: str) -> str:
    """Two letters for the avatar: ada -> AD, ada.lovelace -> AL."""
    words = [word for word in username.replace(".", " ").replace("_", " ").replace("-", " ").split() if word]
    return (words[0][0] + words[1][0] if len(words) > 1 else username[:2]).upper()


def _message(task: Task, wait: Wait | None) -> str:
    if task.state == State.RUNNING:
        return task.progress_message
    if wait is None:
        return ""
    return IN_LINE if wait.reason == "line" else wait.message


def _lead(task: Task, cancelling: bool, wait: Wait | None) -> str:
    if cancelling:
        return CANCELLING.word
    if task.state == State.RUNNING:
        return LOOKS[task.state].word if task.progress_fraction is None else f"{int(task.progress_fraction * 100)}%"
    if task.state == State.QUEUED and wait and wait.position:
        return f"{ordinal(wait.position)} in line"
    return LOOKS[task.state].word


def _rest(task: Task, now: datetime, wait: Wait | None, usual: float | None) -> str:
    """How long it will still take, where that can be guessed."""
    if task.state == State.QUEUED and wait and wait.estimate_s is not None:
        return f"starts {soon(wait.estimate_s)}"
    if task.state != State.RUNNING or task.cancel_requested_at or not task.started_at:
        return ""
    left = until_end((now - task.started_at).total_seconds(), task.progress_fraction, usual)
    if left is None:
        return ""
    return f"{about(left)} left" if left >= 1 else soon(left)
