"""The catalogue of what a worker can run, as plain values: no code of any workload is needed to hold it."""

from collections.abc import Mapping
from dataclasses import dataclass
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
            "max_attempts": self.max_attempts,
        }


@dataclass(frozen=True, slots=True)
class Skipped:
    """A module, or one of its workloads, that cannot be offered, and why."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What can be run, by name, and what was left out."""

    workloads: Mapping[str, Description]
    skipped: tuple[Skipped, ...] = ()
