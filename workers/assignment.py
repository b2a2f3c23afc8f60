"""What the runtime hands over for one attempt at a task, and what comes back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypedDict
from uuid import UUID

from workers.log_book import LogBook


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFile:
    """An uploaded file that a param names, fetched to this machine. `size` in bytes, `sha256` in hex."""

    id: str
    name: str
    size: int
    sha256: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One claimed attempt.

    `files` holds every file that the params name, by id. Its log goes into `book`, line by line. `folder` belongs to this attempt alone; it is made when it is needed. `apart`: in a process of its
    own, whatever the workload's mode, since it may be what killed an earlier worker.
    """

    task_id: UUID
    attempt: int
    claim: UUID
    workload: str
    version: int
    params: dict[str, Any]
    files: Mapping[str, LocalFile]
    folder: Path
    apart: bool = False
    book: LogBook = field(default_factory=LogBook)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactFile:
    """A regular file in the assignment's folder that the work offers for download. `size` in bytes."""

    name: str
    media_type: str
    path: Path
    size: int


class Problem(TypedDict):
    """Why an attempt did not succeed, in the words that its owner reads."""

    kind: Literal["error", "timeout", "lost", "rejected"]
    message: str
    hint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt ended. `retry_after` in seconds; None leaves the delay to the caller. `result` is the JSON of `taskline.results.Result`.

    "retry" and "crashed" (its process died) ask for another attempt where there are any left; "withdrawn" is nobody's fault: the worker ended it.
    """

    kind: Literal["succeeded", "retry", "crashed", "failed", "cancelled", "withdrawn"]
    retry_after: float | None = None
    result: dict[str, Any] | None = None
    summary: str | None = None
    error: Problem | None = None
    artifacts: tuple[ArtifactFile, ...] = ()

    @classmethod
    def failure(
        cls,
        kind: Literal["error", "timeout", "rejected"],
        message: str,
        hint: str | None = None,
        *,
        retry: bool = False,
    ) -> "Outcome":
        """An attempt that did not succeed; with `retry` the task is tried again."""
        return cls(kind="retry" if retry else "failed", error={"kind": kind, "message": message, "hint": hint})

    @classmethod
    def stopped(cls, stop: "Stop") -> "Outcome":
        """An attempt that was asked to end before its work began."""
        return cls(kind="cancelled" if stop.reason == "cancel" else "withdrawn")


class Reports(Protocol):
    """Hears what a running task says of itself. Called on the loop, as often as the work reports where that runs on the loop itself."""

    def progress(self, fraction: float | None, message: str) -> None:
        """The newest progress. `fraction` is 0 to 1 and never falls, or None where it is not known."""


StopReason = Literal["cancel", "withdraw", "abandon"]


class Stop:
    """Asks one attempt to end, once. Loop thread only.

    `cancel`: its owner asked; the work hears of it and gets a short grace. `withdraw`: the task goes back to the queue as soon as the work has really
    ended: there is no grace, but what cannot be killed is waited for. `abandon`: no grace and no waiting; the work may go on unheard. A later reason in
    this order takes over from an earlier one.
    """

    __slots__ = ("_hear", "reason")

    def __init__(self) -> None:
        self.reason: StopReason | None = None
        self._hear: Callable[[], object] | None = None

    def cancel(self) -> None:
        """Ask for the end with grace."""
        if self.reason is None:
            self._set("cancel")

    def withdraw(self) -> None:
        """End it now, and wait until it has ended."""
        if self.reason in (None, "cancel"):
            self._set("withdraw")

    def abandon(self) -> None:
        """End it at once, or leave it behind."""
        if self.reason != "abandon":
            self._set("abandon")

    def on_change(self, hear: Callable[[], object]) -> None:
        """Call `hear` when the reason changes; at once where there is one already. One listener."""
        self._hear = hear
        if self.reason is not None:
            hear()

    def _set(self, reason: StopReason) -> None:
        self.reason = reason
        if self._hear is not None:
            self._hear()
