"""How long things take to be as usual again after a fault, and how long they may."""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from tests.faults.crowd import Crowd, Member
from tests.faults.figures import spread
from tests.faults.pace import RECHECK, SLACK, Pace
from tests.faults.stage import Site
from tests.faults.tab import MOST_PAUSE, Tab

Measure = Literal["meanwhile", "after", "rerun", "resumed"]
MEASURES: Final[dict[Measure, str]] = {
    "meanwhile": "from a submit right after the fault until each of the owner's tabs has heard of the end",
    "after": "from the moment at which everything runs again until each tab has heard the end of a task that is submitted then",
    "rerun": "from the fault until the next attempt of a task that it had interrupted starts",
    "resumed": "from the moment at which everything runs again until the next attempt of a task that was interrupted starts",
}
WORKER_DIES: Final = frozenset({"worker killed", "worker crashed", "worker frozen beyond its lease"})
# Faults under which a submit can be answered and its end be told, though something is away.
GOES_ON: Final = frozenset(
    {
        "web killed",
        "worker killed",
        "worker crashed",
        "RabbitMQ killed",
        "RabbitMQ frozen",
        "Redis killed",
        "Redis frozen",
    }
)
COMES_BACK: Final = 2.0  # seconds between two tries of anything to reach a database that was away (app/backoff.py)
PROBE_WITHIN: Final = 90.0  # seconds


@dataclass(slots=True)
class Struck:
    """A fault that happens. Times are of `time.time`."""

    kind: str
    sites: tuple[str, ...]  # by their backends
    began: float = 0.0
    ended: float = 0.0
    calm: float = 0.0  # when the last of its probes had been heard, or the last of its tasks could run again
    crowded: set[str] = field(default_factory=set)  # the sites that another fault came close to it on


@dataclass(frozen=True, slots=True)
class Recovery:
    """One figure. `alone`: no other fault came between, so that the bound holds."""

    kind: str
    backend: str
    measure: Measure
    seconds: float
    bound: float
    alone: bool

    @property
    def late(self) -> bool:
        return self.alone and self.seconds > self.bound


@dataclass(slots=True)
class Watch:
    """Probes of one site: somebody who submits a task of no length, and listens."""

    site: Site
    crowd: Crowd
    taken: list[tuple[Struck, Measure, float]] = field(default_factory=list)

    unheard: list[str] = field(default_factory=list)

    async def probe(self, struck: Struck, measure: Measure, since: float) -> None:
        """Let everybody submit and wait until all their tabs have heard of the end, and remember how long that is after `since`."""
        await asyncio.gather(*(self._probe(member, struck, measure, since) for member in self.crowd.members))

    async def _probe(self, member: Member, struck: Struck, measure: Measure, since: float) -> None:
        try:
            async with asyncio.timeout(PROBE_WITHIN):
                [one] = await self.crowd.submit(1, by=member, within=PROBE_WITHIN)
                for tab in member.tabs:
                    await tab.until_ended(one.id)
        except TimeoutError:
            self.unheard.append(f"{struck.kind}, {measure}: not heard within {PROBE_WITHIN:g} s")
            return
        heard = max(tab.ended[one.id] for tab in member.tabs)
        self.taken.append((struck, measure, heard - since))
        struck.calm = max(struck.calm, heard)


async def live_through(
    blow: contextlib.AbstractAsyncContextManager[float],
    one: Struck,
    seconds: float,
    watches: Sequence[Watch],
    *,
    meanwhile: bool,
) -> None:
    """Let the blow fall and last for so long, and probe how things are, also while it lasts where that is asked for."""
    async with asyncio.TaskGroup() as probes:
        async with blow as one.began:
            if meanwhile:
                asked = time.time()  # to kill every process of a server takes a while
                for watch in watches:
                    probes.create_task(watch.probe(one, "meanwhile", asked))
            await asyncio.sleep(seconds)
        one.ended = time.time()
        for watch in watches:
            probes.create_task(watch.probe(one, "after", one.ended))


def bound(kind: str, measure: Measure, pace: Pace, choice: str) -> float:
    """What is promised, in seconds: see docs/reliability.md, which has the same formulas in words."""
    rerun = pace.dead_worker()
    if measure == "rerun":
        return rerun
    told = RECHECK + SLACK  # where the events' broker lost a frame
    found = pace.lost_hint  # where the queue's broker lost a hint
    if measure == "resumed":
        return COMES_BACK + found
    if kind.startswith("Redis"):
        return found + told if choice == "arq" else told
    if kind.startswith("RabbitMQ"):
        return found
    if kind in {"web killed", "web frozen", "sockets dropped"}:
        return told + 2 * MOST_PAUSE
    if kind.startswith("worker") or kind == "rollout":
        # The task may have been claimed by the worker that dies.
        return rerun + told
    # Anything may have been lost on the way, and the client itself waits up to its pause.
    return COMES_BACK + MOST_PAUSE + max(found, told)


def find_crowded(happened: Sequence[Struck], pace: Pace) -> None:
    """Note where faults have come close to each other: what is promised for one of them does not hold there."""
    for struck in happened:
        rerun = pace.dead_worker() if struck.kind in WORKER_DIES else 0.0
        struck.calm = max(struck.calm, struck.ended, struck.began + rerun)
    for one in happened:
        for other in happened:
            if other is not one and other.began <= one.calm and one.began <= other.calm:
                one.crowded.update(set(one.sites) & set(other.sites))


def reruns(struck: Struck, tabs: Iterable[Tab]) -> list[float]:
    """Seconds from the fault to the next start of each task that was running when it came, and that it interrupted."""
    found: dict[str, float] = {}
    for tab in tabs:
        lives: dict[str, list[tuple[float, str]]] = defaultdict(list)
        for event in tab.events:
            at = datetime.fromisoformat(event["at"]).timestamp() - struck.began
            lives[event["task"]["id"]].append((at, event["type"]))
        for task, life in lives.items():
            before = [kind for at, kind in life if at <= 0]
            after = [(at, kind) for at, kind in life if at > 0][:2]
            if before[-1:] == ["task.started"] and [kind for _, kind in after] == ["task.retrying", "task.started"]:
                found[task] = after[1][0]
    return list(found.values())


def rows(recoveries: Sequence[Recovery]) -> list[dict[str, Any]]:
    """Summed up by kind of fault and measure: n, p50, p95, max and bound of those that were alone; `crowded` counts the others, with the slowest of them."""
    groups: dict[tuple[str, Measure], list[Recovery]] = defaultdict(list)
    for one in recoveries:
        groups[one.kind, one.measure].append(one)
    found = []
    for (kind, measure), group in sorted(groups.items()):
        alone = [one.seconds for one in group if one.alone]
        crowded = [one.seconds for one in group if not one.alone]
        row: dict[str, Any] = {"fault": kind, "measure": measure, "n": len(alone)}
        if alone:
            row |= spread(alone)._asdict() | {"bound": round(max(one.bound for one in group if one.alone), 2)}
        row["crowded"] = len(crowded)
        if crowded:
            row["crowded_max"] = round(max(crowded), 4)
        found.append(row)
    return found


def table(recoveries: Sequence[Recovery]) -> list[str]:
    """The rows as lines of text."""
    lines = [
        f"{'fault':<31}{'measure':<11}{'n':>4}{'p50':>8}{'p95':>8}{'max':>8}{'bound':>8}   overlapping others: n, max"
    ]
    for row in rows(recoveries):
        figures = "".join(
            f"{row[name]:8.2f}" if name in row else f"{'–':>8}" for name in ("p50", "p95", "max", "bound")
        )
        crowded = f"{row['crowded']:>6}{row['crowded_max']:8.2f}" if row["crowded"] else ""
        lines.append(f"{row['fault']:<31}{row['measure']:<11}{row['n']:>4}{figures}{crowded}")
    return lines
