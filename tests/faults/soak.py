"""`make soak MINUTES=10 SEED=…`: random faults under load, on two deployments that share their servers, one on RabbitMQ and one on arq.

A seed plays the same faults at the same times on the same victims again. At the end all faults end, everything settles, and the ledger of each deployment is
held against its promises. Exit status 1 where anything is not as promised.
"""

import argparse
import asyncio
import contextlib
import os
import random
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from tests.faults.aftermath import (
    GOES_ON,
    WORKER_DIES,
    Recovery,
    Struck,
    Watch,
    bound,
    find_crowded,
    live_through,
    reruns,
    rows,
    table,
)
from tests.faults.backends import Choice
from tests.faults.books import read
from tests.faults.chaos import Fault, Stage, schedule, started, struck, touched
from tests.faults.crowd import Crowd
from tests.faults.figures import PACE, conditions, write
from tests.faults.ledger import Verdict, judge
from tests.faults.load import Load
from tests.faults.metronome import METRONOME
from tests.faults.pace import Pace
from tests.faults.stage import EACH, Servers, Site, private_servers
from tests.servers import ServerError

CHOICES: Final[tuple[Choice, ...]] = ("rabbitmq", "arq")
SETTLE_WITHIN: Final = 90.0  # seconds
LOOK: Final = 0.5  # seconds between two looks at whether every process lives
CRIMES: Final = tuple(one.name for one in fields(Verdict))


@dataclass(slots=True)
class Play:
    """One deployment of a soak, with all who use it."""

    site: Site
    crowds: list[Crowd]
    load: Load
    watch: Watch
    unsettled: list[str] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)
    tasks: int = 0

    @property
    def accepted(self) -> int:
        return sum(len(crowd.accepted) for crowd in [*self.crowds, self.watch.crowd])

    def crimes(self) -> dict[str, int]:
        """How many of each kind."""
        return {name: len(getattr(self.verdict, name)) for name in CRIMES}

    def report(self) -> dict[str, Any]:
        """For the file and the last lines."""
        load = self.load
        return {
            "backend": self.site.choice,
            "accepted": self.accepted,
            "submits": load.submits,
            "cancels": load.cancels,
            "retries": load.retries,
            "sockets": sum(len(tab.connections) for crowd in self.crowds for tab in crowd.tabs),
            **self.crimes(),
            "unsettled": self.unsettled,
            "crimes": {name: found for name in CRIMES if (found := getattr(self.verdict, name))},
        }


@dataclass(slots=True)
class Soak:
    """What was planned, and what became of it."""

    seed: int
    seconds: float
    pace: Pace
    planned: list[Fault]
    plays: list[Play] = field(default_factory=list)
    happened: list[Struck] = field(default_factory=list)
    recoveries: list[Recovery] = field(default_factory=list)
    died: list[str] = field(default_factory=list)  # processes that ended though no fault had struck them

    @property
    def late(self) -> list[Recovery]:
        return [one for one in self.recoveries if one.late]

    @property
    def clean(self) -> bool:
        """Whether every promise was kept."""
        broken = any(play.unsettled or any(play.crimes().values()) for play in self.plays)
        return not (broken or self.died or self.late)

    def report(self) -> dict[str, Any]:
        """All of it, for the file."""
        return {
            "seed": self.seed,
            "seconds": self.seconds,
            "clean": self.clean,
            "conditions": conditions(self.pace),
            "deployments": [play.report() for play in self.plays],
            "died": self.died,
            "late": [asdict(one) for one in self.late],
            "recovery": rows(self.recoveries),
            "schedule": [asdict(fault) for fault in self.planned],
            "recoveries": [asdict(one) for one in self.recoveries],
        }


async def soak(servers: Servers, *, seed: int, seconds: float, pace: Pace = PACE, rate: float = 4.0) -> Soak:
    """Play the schedule of a seed on deployments of its own; `rate`: submits a second on each."""
    sought = Soak(seed, seconds, pace, schedule(seed, seconds, pace, len(CHOICES), EACH))
    print(f"seed {seed}: {len(sought.planned)} faults in {seconds:g} s", flush=True)
    async with contextlib.AsyncExitStack() as stack:
        sites = [await stack.enter_async_context(Site(servers, choice, pace=pace)) for choice in CHOICES]
        for site in sites:
            sought.plays.append(await _play(stack, site, seed, rate=rate, most=int(rate * seconds)))
        stage, stopping = Stage(servers, sites), asyncio.Event()
        stack.enter_context(_errors_shown(sites))
        async with asyncio.TaskGroup() as jobs:
            loads = [jobs.create_task(play.load.run(stopping)) for play in sought.plays]
            looking = jobs.create_task(_keep_alive(sought, sites))
            await _torment(sought, stage)
            await asyncio.to_thread(servers.heal)
            for site in sites:
                site.heal()
            stopping.set()
            await asyncio.gather(*loads)
            looking.cancel()
        for play in sought.plays:
            await _judge(sought, play)
        _sum_up(sought)
    return sought


@contextlib.contextmanager
def _errors_shown(sites: Sequence[Site]) -> Iterator[None]:
    """Where the soak fails, show what the processes have logged as errors."""
    try:
        yield
    except BaseException:
        for site in sites:
            for node in site.nodes:
                if errors := node.process.errors():
                    print(f"{node.name}:\n{errors[:5_000]}", flush=True)
        raise


async def _play(stack: contextlib.AsyncExitStack, site: Site, seed: int, *, rate: float, most: int) -> Play:
    async def crowd(people: int, tabs: int) -> Crowd:
        return await stack.enter_async_context(Crowd(site.deployment, people, tabs=tabs, origins=site.origins))

    with_two, with_one, watching = await crowd(3, 2), await crowd(3, 1), await crowd(1, 2)
    everyone = Crowd(site.deployment, origins=site.origins)
    everyone.members = [*with_two.members, *with_one.members]
    load = Load(everyone, random.Random(f"{seed} {site.choice}"), rate=rate, most=most)
    return Play(site, [everyone], load, Watch(site, watching))


async def _torment(sought: Soak, stage: Stage) -> None:
    """Let every fault happen at its time, and probe what it did."""
    began = time.monotonic()

    async def happen(fault: Fault) -> None:
        await asyncio.sleep(fault.at - (time.monotonic() - began))
        watches = [play.watch for play in sought.plays if play.site in touched(fault, stage)]
        one = Struck(fault.kind, tuple(watch.site.choice for watch in watches))
        print(f"{fault.at:7.1f} s  {fault.kind}, {fault.seconds:.1f} s", flush=True)
        await live_through(struck(fault, stage), one, fault.seconds, watches, meanwhile=fault.kind in GOES_ON)
        sought.happened.append(one)

    async with asyncio.TaskGroup() as faults:
        for fault in sought.planned:
            faults.create_task(happen(fault))


async def _keep_alive(sought: Soak, sites: Sequence[Site]) -> None:
    """Start again, as a supervisor does, what has ended by itself; that is noted, since nothing should."""
    while True:
        await asyncio.sleep(LOOK)
        for node in (node for site in sites for node in site.nodes):
            if node.lock.locked() or node.process.running:
                continue
            async with node.lock:
                sought.died.append(f"{node.name}: {node.process.log_tail(most=300)}")
                await started(node.process)


async def _judge(sought: Soak, play: Play) -> None:
    """Let it settle, and hold the books against what was promised."""
    crowds = [*play.crowds, play.watch.crowd]
    for _ in range(2):  # what was adopted has to settle too
        for crowd in crowds:
            try:
                await crowd.settled(SETTLE_WITHIN)
            except AssertionError as error:
                play.unsettled += str(error).splitlines()
        if play.unsettled or not play.load.adopt():
            break
    play.unsettled += play.watch.unheard
    deployment = play.site.deployment
    play.verdict = judge(await read(deployment.database_url), [one for crowd in crowds for one in crowd.members])
    play.verdict.orphans += await deployment.orphans()


def _sum_up(sought: Soak) -> None:
    find_crowded(sought.happened, sought.pace)
    slower = METRONOME.slower(sought.seconds)
    for play in sought.plays:
        taken = list(play.watch.taken)
        for one in sought.happened:
            if one.kind in WORKER_DIES and play.site.choice in one.sites:
                found = reruns(one, [tab for crowd in play.crowds for tab in crowd.tabs])
                taken += [(one, "rerun", seconds) for seconds in found]
        for one, measure, seconds in taken:
            promised = bound(one.kind, measure, sought.pace, play.site.choice) * slower
            alone = play.site.choice not in one.crowded
            sought.recoveries.append(
                Recovery(one.kind, play.site.choice, measure, round(seconds, 4), round(promised, 4), alone)
            )


def told(sought: Soak) -> list[str]:
    """The verdict as lines of text."""
    lines = table(sought.recoveries)
    for play in sought.plays:
        crimes = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in play.crimes().items())
        lines.append(f"{play.site.choice}: accepted {play.accepted}; {crimes}")
        lines += play.unsettled[:10]
        lines += [f"  {name}: {crime}" for name in CRIMES for crime in getattr(play.verdict, name)[:5]]
    lines += [f"ended by itself: {one}" for one in sought.died]
    lines += [f"late: {one}" for one in sought.late]
    return [*lines, "clean" if sought.clean else "NOT CLEAN"]


async def _main(arguments: argparse.Namespace) -> int:
    async with private_servers() as servers:
        sought = await soak(servers, seed=arguments.seed, seconds=60 * arguments.minutes, rate=arguments.rate)
    write(arguments.out, sought.report())
    print("\n".join(told(sought)))
    return 0 if sought.clean else 1


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=None, help="plays the schedule of an earlier soak again")
    parser.add_argument("--rate", type=float, default=4.0, help="submits a second on each deployment")
    parser.add_argument("--out", type=Path, default=None, help="the file for the schedule and all figures")
    chosen = parser.parse_args()
    if chosen.seed is None:
        chosen.seed = secrets.randbelow(1_000_000)
    chosen.out = chosen.out or Path(os.environ.get("TASKLINE_DATA_DIR", ".data")) / f"soak-{chosen.seed}.json"
    try:
        return asyncio.run(_main(chosen))
    except (KeyboardInterrupt, ServerError) as error:
        print(f"soak of seed {chosen.seed} has no verdict: {str(error) or 'stopped'}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
