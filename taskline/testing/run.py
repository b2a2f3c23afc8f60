"""What became of a task in a test."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from taskline.results import AnyBlock, Chart, Metric, Result, Table, Text

State = Literal["succeeded", "failed", "cancelled"]


@dataclass(slots=True, kw_only=True)
class Run:
    """A task that has ended, as its owner sees it, and what a test wants to know besides."""

    state: State = "failed"
    attempts: int = 0
    error: Mapping[str, str | None] | None = None  # kind, message and hint
    told: list[str] = field(default_factory=list)  # the events that its owner heard of, progress apart
    progress: list[tuple[float | None, str]] = field(default_factory=list)  # every report of it: fraction and message
    log: list[str] = field(default_factory=list)
    artifacts: dict[str, bytes] = field(default_factory=dict)
    seconds: float = 0.0  # on the virtual clock, from accepted to ended
    reports: int = 0  # of all attempts; what `crash_at` and `cancel_at` count
    result: Result | None = None
    exception: BaseException | None = None  # that the last attempt raised

    @property
    def value(self) -> Any:
        """What the function returned, as JSON. Raises `AssertionError` where the task did not succeed."""
        return self._succeeded().value

    @property
    def summary(self) -> str | None:
        """The result in one line. Raises `AssertionError` where the task did not succeed."""
        return self._succeeded().summary

    @property
    def blocks(self) -> list[AnyBlock]:
        """All that the result shows, in order."""
        return list(self.result.blocks) if self.result else []

    @property
    def texts(self) -> dict[str, str]:
        """Markdown by name."""
        return {block.name: block.markdown for block in self.blocks if isinstance(block, Text)}

    @property
    def metrics(self) -> dict[str, Any]:
        """Figures by name."""
        return {block.name: block.value for block in self.blocks if isinstance(block, Metric)}

    @property
    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """The rows that are shown, by the table's name."""
        return {
            block.name: [dict(zip(block.columns, row, strict=True)) for row in block.rows]
            for block in self.blocks
            if isinstance(block, Table)
        }

    @property
    def charts(self) -> dict[str, Chart]:
        """Charts by name."""
        return {block.name: block for block in self.blocks if isinstance(block, Chart)}

    def _succeeded(self) -> Result:
        if self.result is None:
            said = f": {self.error['kind']}: {self.error['message']}" if self.error else ""
            raise AssertionError(f"the task {self.state}{said}" if self.error else f"the task was {self.state}") from (
                self.exception
            )
        return self.result
