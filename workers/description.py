"""The catalogue of what a worker can run, as plain values: no code of any workload is needed to hold it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A workload without its code. Times in seconds; `schema` is the JSON Schema of its params; `target` is where its code is, `module:attribute`."""

    name: str
    version: int
    title: str
    description: str
    mode: Literal["loop", "thread", "process"]
    schema: dict[str, Any]
    timeout_s: float
    expected_s: float | None
    memory_mib: int | None
    disk_mib: int | None
    processes: int | None
    cpu_s: float | None
    max_attempts: int
    retry_on: tuple[str, ...]
    secrets: tuple[str, ...]
    aliases: tuple[str, ...]
    target: str
    source: str  # "built-in", or the module that brings it

    @property
    def lane(self) -> Literal["light", "heavy"]:
        """Which slots it takes: a process of its own is heavy."""
        return "heavy" if self.mode == "process" else "light"

    @property
    def limits(self) -> dict[str, Any]:
        """What the catalogue says of its limits."""
        return {
            "timeout_s": self.timeout_s,
            "expected_s": self.expected_s,
            "memory_mib": self.memory_mib,
            "disk_mib": self.disk_mib,
            "processes": self.processes,
            "cpu_s": self.cpu_s,
            "max_attempts": self.max_attempts,
        }


@dataclass(frozen=True, slots=True)
class Skipped:
    """A module, or one of its workloads, that cannot be offered, and why."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeavyImport:
    """An import at the top of a module that takes long. `where` is file:line; `seconds` of processor time."""

    source: str
    library: str
    where: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.where} imports {self.library}, which takes {self.seconds:g} s: import it inside the function, so that only the process that runs it pays"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What can be run, by name, what was left out, and what takes long to import."""

    workloads: Mapping[str, Description]
    skipped: tuple[Skipped, ...] = ()
    heavy: tuple[HeavyImport, ...] = ()

    @property
    def answering(self) -> dict[str, Description]:
        """What is run under each name that a task may bear, former ones included. Where a former name is another workload's present one, it is that one's."""
        return {alias: one for one in self.workloads.values() for alias in one.aliases} | dict(self.workloads)

    def only(self, names: Iterable[str]) -> "Catalogue":
        """Of the workloads, those that are named. Raises `KeyError` with the first name that there is none of."""
        named = [self.answering[name] for name in names]
        return replace(self, workloads={one.name: one for one in named})
