"""What a task in a process of its own may use, and what its owner hears where it used more."""

from dataclasses import dataclass
from typing import Final, Literal, Self

from workers.description import Description

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that the work went over. It was killed for that, and is not tried again: it would come to the same."""

    kind: Literal["error", "timeout"]
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What a task's processes use at this moment, all together."""

    processes: int
    memory: int  # bytes that no other program could have meanwhile: neither program code nor cached files count
    cpu_s: float  # since its work began
    disk: int  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """The limits of one attempt. `cpu_s`: processor seconds; None where only the time limit bounds them."""

    memory_mib: int = 2048
    disk_mib: int = 4096
    processes: int = 32
    cpu_s: float | None = None

    @classmethod
    def of(cls, description: Description, usual: "Allowance") -> Self:
        """What a workload says for itself; the usual where it says nothing."""
        return cls(
            memory_mib=description.memory_mib or usual.memory_mib,
            disk_mib=description.disk_mib or usual.disk_mib,
            processes=description.processes or usual.processes,
            cpu_s=description.cpu_s or usual.cpu_s,
        )

    def breach(self, used: Usage) -> Breach | None:
        """The limit that this is over."""
        if used.processes > self.processes:
            return self.too_many_processes
        if used.memory > self.memory_mib * MIB:
            return self.too_much_memory
        if used.disk > self.disk_mib * MIB:
            return self.too_much_disk
        if self.cpu_s is not None and used.cpu_s > self.cpu_s:
            return self.too_much_computing
        return None

    @property
    def too_many_processes(self) -> Breach:
        """Also what a fork bomb is told."""
        return Breach(
            "error",
            f"The task had more than its limit of {self.processes} processes at once.",
            "Let it start fewer programs at a time, or raise the workload's `processes`.",
        )

    @property
    def too_much_memory(self) -> Breach:
        """All processes together."""
        return Breach(
            "error",
            f"The task used more than its limit of {self.memory_mib:,} MiB of memory.",
            "Give it less to do at once, or raise the workload's `memory_mib`.",
        )

    @property
    def too_much_disk(self) -> Breach:
        """Files in its folder, and those that it has removed but holds open."""
        return Breach(
            "error",
            f"The task filled more than its limit of {self.disk_mib:,} MiB of disk.",
            "Let it write less, or raise the workload's `disk_mib`.",
        )

    @property
    def too_much_computing(self) -> Breach:
        """Like a time limit, whatever else the machine had to do."""
        return Breach(
            "timeout",
            f"The task used up its limit of {self.cpu_s:g} seconds of processor time.",
            "Give it less to do, or raise the workload's `cpu`.",
        )
