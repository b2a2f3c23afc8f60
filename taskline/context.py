"""The Context that a workload gets: who it is, how it reports, what it offers. Nothing of it is awaited."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeVar, get_args
from uuid import UUID

from taskline import limits
from taskline.errors import Cancelled
from taskline.gathering import Gathered
from taskline.plain import cut, number
from taskline.progress import Position, Span

Item = TypeVar("Item")
Level = Literal["debug", "info", "warning", "error"]
LEVELS: Final = get_args(Level)


class Host(Protocol):
    """Where a task runs: takes its reports, and knows whether it was asked to end."""

    def progress(self, fraction: float | None, message: str) -> None:
        """The newest progress; called as often as the work likes."""

    def log(self, level: Level, text: str) -> None:
        """A line of the task's log."""

    def folder(self) -> Path:
        """The attempt's own folder, made where it is missing."""

    def cancelled(self) -> bool:
        """Whether the work was asked to end."""

    def sleep(self, seconds: float) -> None:
        """Sleep, or raise `Cancelled` as soon as the work is asked to end."""

    def remaining(self) -> float:
        """Seconds until the time limit."""


class Context:
    """A running task, for its workload.

    Reporting never kills work: what is too large is cut and what makes no sense is left out, with a line in the log. With `strict`, as in tests, it raises.
    """

    def __init__(
        self, host: Host, *, task_id: UUID, attempt: int, secrets: Mapping[str, str], strict: bool = False
    ) -> None:
        self.task_id = task_id
        self.attempt = attempt  # 1, 2, …; grows with each attempt at the task
        self.gathered = Gathered(host.folder, self._complain)
        self._host = host
        self._secrets = secrets
        self._strict = strict
        self._position = Position()
        self._message = ""
        self._complaints: set[str] = set()

    @property
    def fencing_token(self) -> tuple[UUID, int]:
        """(task id, attempt): a worker may die after an outside effect, then the task runs again with a larger attempt. Let the receiver refuse older ones."""
        return self.task_id, self.attempt

    @property
    def folder(self) -> Path:
        """An empty folder for this attempt alone, removed at its end."""
        return self._host.folder()

    @property
    def cancelled(self) -> bool:
        """Whether the task was asked to end."""
        return self._host.cancelled()

    def remaining(self) -> float:
        """Seconds until the workload's time limit; negative once it is over."""
        return self._host.remaining()

    def secret(self, name: str) -> str:
        """A secret that the workload declares, from the worker's environment. Raises `KeyError` where it is not declared or not set there."""
        try:
            return self._secrets[name]
        except KeyError:
            raise KeyError(
                f"the secret {name} is not declared by this workload, or not set in the worker's environment"
            ) from None

    def check_cancelled(self) -> None:
        """Raise `Cancelled` where the task was asked to end."""
        if self._host.cancelled():
            raise Cancelled

    def sleep(self, seconds: float) -> None:
        """Sleep; raises `Cancelled` as soon as the task is asked to end. An `async def` awaits `asyncio.sleep` instead."""
        self._host.sleep(seconds)

    def progress(self, fraction: float | None, message: str = "") -> None:
        """How far the current phase is, 0 to 1, or None where nobody knows."""
        self._report(lambda: fraction, message)

    def step(self, done: int, of: int, message: str = "") -> None:
        """`done` of `of` equal steps of the current phase are made."""
        self._report(lambda: done / of if of else 1.0, message)

    @contextmanager
    def phase(self, message: str, share: float | None = None) -> Iterator[None]:
        """A part of the work that takes `share` (0 to 1) of the whole, or all that is left; progress inside it is counted within it."""
        span = self._open(share)
        self._message = message
        self._tell(self._position.fraction())
        try:
            yield
        finally:
            self._position.close(span)

    def track(self, items: Iterable[Item], message: str = "", total: int | None = None) -> Iterator[Item]:
        """The items, one step each: "Column 3 of 12" for the message "column". Checks for a cancel at each."""
        many = self._whole(total) if total is not None else len(items) if isinstance(items, Sized) else None
        with self._span(many):
            for done, item in enumerate(items):
                with self._step(done, many, message):
                    yield item

    async def atrack(
        self, items: AsyncIterable[Item], message: str = "", total: int | None = None
    ) -> AsyncIterator[Item]:
        """`track` for an asynchronous iterable."""
        many = None if total is None else self._whole(total)
        with self._span(many):
            done = 0
            async for item in items:
                with self._step(done, many, message):
                    yield item
                done += 1

    def log(self, text: str, level: Level = "info") -> None:
        """A line of the task's log; the last 1,000 are kept."""
        if level not in LEVELS:
            problem = f"there is no level {level!r} of a log: take one of {', '.join(LEVELS)}"
            if problem not in self._complaints:  # once, since whoever writes it once writes it often
                self._complaints.add(problem)
                self._complain(problem)
            level = "info"
        self._host.log(level, cut(str(text), limits.LONGEST_LOG_TEXT))

    def text(self, name: str, markdown: str) -> None:
        """Show a text: Markdown of at most 20,000 characters."""
        self.gathered.text(name, markdown)

    def metric(self, name: str, value: Any, unit: str | None = None, step: float | None = None) -> None:
        """Show a figure. With `step` it is one point of a series, of which the last is the figure."""
        self.gathered.metric(name, value, unit, step)

    def table(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Show a table of mappings from column to value: the first 200 rows and 50 columns; every row is counted."""
        self.gathered.table(name, rows)

    def chart(
        self,
        name: str,
        kind: Literal["line", "bar", "scatter", "heatmap"],
        *,
        x: Sequence[Any],
        y: Sequence[Any] | Mapping[str, Sequence[Any]],
        z: Sequence[Sequence[Any]] | None = None,
        x_label: str = "",
        y_label: str = "",
    ) -> None:
        """Show a chart of at most 20 series of 2,000 points. `y` is one series, or several by name; of a heatmap the rows' names, with a row of `z` for each."""
        self.gathered.chart(name, kind, x, y, z, (x_label, y_label))

    def artifact(self, name: str, content: Path | str | bytes, media_type: str | None = None) -> None:
        """Offer a file for download: bytes, or the path of a file. Its media type is guessed from the name where it is not said."""
        self.gathered.artifact(name, content, media_type)

    def image(self, name: str, source: Path | str | bytes, alt: str = "", media_type: str | None = None) -> None:
        """Show a picture, `name` with its suffix (`"map.png"`); it is an artifact too. `alt` says what it shows to those who do not see it."""
        self.gathered.image(name, source, alt, media_type)

    @contextmanager
    def _span(self, total: int | None) -> Iterator[None]:
        """All that is left of the current span; nothing of it where nobody knows how many steps there are."""
        span = self._position.open() if total is not None else None
        try:
            yield
        finally:
            if span is not None:
                self._position.close(span)

    @contextmanager
    def _step(self, done: int, total: int | None, message: str) -> Iterator[None]:
        self.check_cancelled()
        span = self._position.open(1 / total) if total else None
        if message:
            capital = str(message)[:1].upper() + str(message)[1:]
            self._message = f"{capital} {done + 1:,} of {total:,}" if total else f"{capital} {done + 1:,}"
        self._tell(self._position.fraction() if total else None)
        try:
            yield
        finally:
            if span is not None:
                self._position.close(span)

    def _report(self, find: Callable[[], Any], message: str) -> None:
        self._message = message or self._message
        try:
            found = find()
            fraction = None if found is None else self._position.move(_part(found))
        except Exception as error:  # noqa: BLE001  a number of another library may raise anything
            self._complain(error)
        else:
            self._tell(fraction)

    def _open(self, share: float | None) -> Span:
        try:
            return self._position.open(None if share is None else _part(share))
        except Exception as error:  # noqa: BLE001  as above
            self._complain(error)
            return self._position.open()

    def _whole(self, total: Any) -> int | None:
        try:
            return int(total)
        except Exception as error:  # noqa: BLE001  as above
            self._complain(error)
            return None

    def _tell(self, fraction: float | None) -> None:
        self._host.progress(fraction, cut(str(self._message), limits.LONGEST_MESSAGE))

    def _complain(self, problem: Exception | str) -> None:
        if self._strict:
            raise problem if isinstance(problem, Exception) else ValueError(problem)
        self._host.log("warning", cut(str(problem), limits.LONGEST_LOG_TEXT))


def _part(value: Any) -> float:
    """`value`, of whatever library it is, as a plain number. Raises `TypeError` and `ValueError` where it is none."""
    known = number(value)
    if known is None:
        raise ValueError(f"{value!r} says nothing of how far it is")
    return known
