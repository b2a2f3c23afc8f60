"""How long recovery takes, fault by fault, with the settings that everybody has by default, under a light load."""

import asyncio
import contextlib
import functools
import itertools
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from tests.faults.aftermath import Measure, Recovery, Struck, Watch, bound, live_through, reruns, table
from tests.faults.backends import Choice
from tests.faults.chaos import Fault, Kind, Stage, struck
from tests.faults.crowd import Crowd
from tests.faults.figures import PACE, arguments, conditions, spread, write
from tests.faults.ledger import ledger
from tests.faults.stage import Node, Part, Site, private_servers
from tests.faults.tab import Tab

RATE: Final = 2.0  # submits a second, all the time
AT_WORK: Final = 6  # tasks that run when a worker dies
MOST_TURNS: Final = 4  # for each round that counts
SETTLE_WITHIN: Final = 120.0  # seconds

Blow = Callable[[Stage, int], contextlib.AbstractAsyncContextManager[float]]  # of a round


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A fault that lasts for `leases`, and what is measured of it. `work`: how long the tasks take that run when it comes, in leases; none where that is 0."""

    name: str
    choices: Sequence[Choice] = ("rabbitmq", "arq")
    blow: Blow
    leases: float
    measures: tuple[Measure, ...]
    work: float = 0.0
    many: bool = False  # as many rounds as there are kills of workers


def _kind(kind: Kind) -> Blow:
    """A fault as chaos has it, to one process or worker after another."""
    return lambda stage, turn: struck(Fault(0.0, kind, 0.0, 0, turn, "database"), stage)


def _holes(part: Part, nodes: Callable[[Site, int], Sequence[Node]]) -> Blow:
    """Nothing comes through any more between these processes and a part."""

    @contextlib.asynccontextmanager
    async def holes(stage: Stage, turn: int) -> AsyncIterator[float]:
        links = [node.links[part] for node in nodes(stage.sites[0], turn)]
        began = time.time()
        for link in links:
            link.black_hole()
        yield began
        for link in links:
            link.restore()

    return holes


CASES: Final = (
    Case(name="worker killed", blow=_kind("worker killed"), leases=0.1, measures=("rerun",), work=0.4, many=True),
    Case(
        name="worker frozen beyond its lease",
        blow=_kind("worker frozen beyond its lease"),
        leases=1.5,
        measures=("rerun",),
        work=0.4,
    ),
    Case(
        name="worker cut off from PostgreSQL",
        blow=_holes("database", lambda site, turn: [site.workers[turn % len(site.workers)]]),
        leases=1.5,
        measures=("rerun",),
        work=1.0,
    ),
    Case(name="web killed", blow=_kind("web killed"), leases=0.1, measures=("meanwhile",)),
    Case(name="Redis killed", blow=_kind("Redis killed"), leases=0.3, measures=("meanwhile", "after")),
    Case(
        name="Redis black-holed",
        blow=_holes("events", lambda site, _: site.nodes),
        leases=0.8,
        measures=("meanwhile", "after"),
    ),
    Case(
        name="RabbitMQ killed",
        choices=("rabbitmq",),
        blow=_kind("RabbitMQ killed"),
        leases=0.3,
        measures=("meanwhile", "after"),
    ),
    Case(
        name="RabbitMQ black-holed",
        choices=("rabbitmq",),
        blow=_holes("queue", lambda site, _: site.nodes),
        leases=0.8,
        measures=("meanwhile", "after"),
    ),
    Case(name="PostgreSQL stopped", blow=_kind("PostgreSQL stopped"), leases=0.1, measures=("after",)),
    Case(
        name="PostgreSQL frozen", blow=_kind("PostgreSQL frozen"), leases=1.3, measures=("after", "resumed"), work=2.0
    ),
    Case(name="rollout", blow=_kind("rollout"), leases=0.0, measures=("after",)),
    Case(name="sockets dropped", blow=_kind("sockets dropped"), leases=0.0, measures=("after",)),
)


async def measure(case: Case, stage: Stage, watch: Watch, crowd: Crowd, rounds: int) -> list[Recovery]:
    """Let it happen so often, each time when all is calm again. A round that interrupts nothing does not count where that is what is measured."""
    choice = stage.sites[0].choice
    found: list[Recovery] = []
    counted = 0
    for turn in range(MOST_TURNS * rounds):
        taken = await _round(case, stage, watch, crowd, turn)
        found += [
            Recovery(
                case.name,
                choice,
                measure,
                round(seconds, 4),
                round(bound(case.name, measure, PACE, choice), 2),
                alone=True,
            )
            for measure, seconds in taken
        ]
        counted += {measure for measure, _ in taken} == set(case.measures)
        if counted == rounds:
            return found
    raise AssertionError(f"{case.name}: only {counted} of {MOST_TURNS * rounds} rounds interrupted anything")


async def _round(case: Case, stage: Stage, watch: Watch, crowd: Crowd, turn: int) -> list[tuple[Measure, float]]:
    """One fault, and what it took to recover. Raises `AssertionError` where that never happened."""
    watch.taken.clear()
    if case.work:
        params = {"seconds": case.work * PACE.lease}
        # One after another: one worker would take a batch.
        for task in await crowd.submit(AT_WORK, params=params, at_once=1):
            await crowd.owner(task.id).tabs[0].until(functools.partial(_begun, task.id))
    one = Struck(case.name, tuple(site.choice for site in stage.sites))
    blow, seconds = case.blow(stage, turn), case.leases * PACE.lease
    await live_through(blow, one, seconds, [watch], meanwhile="meanwhile" in case.measures)
    await crowd.settled(SETTLE_WITHIN)
    if watch.unheard:
        raise AssertionError("\n".join(watch.unheard))
    again = reruns(one, crowd.tabs)
    taken: list[tuple[Measure, float]] = [(measure, seconds) for _, measure, seconds in watch.taken]
    taken += [("rerun", seconds) for seconds in again]
    taken += [("resumed", seconds - (one.ended - one.began)) for seconds in again]
    return [(measure, seconds) for measure, seconds in taken if measure in case.measures]


def _begun(task: str, tab: Tab) -> bool:
    return tab.last.get(task, "task.queued") != "task.queued"


async def main() -> None:
    chosen = arguments(
        __doc__, "recovery", kills=(20, "kills of workers on each queue"), rounds=(10, "rounds of each other fault")
    )
    found: list[Recovery] = []
    async with private_servers() as servers:
        for choice in ("rabbitmq", "arq"):
            async with (
                Site(servers, choice, pace=PACE) as site,
                Crowd(site.deployment, 4, origins=site.origins) as crowd,
                Crowd(site.deployment, 4, tabs=2, origins=site.origins) as watching,
            ):
                stage, watch = Stage(servers, [site]), Watch(site, watching)
                async with crowd.keep_going(RATE):
                    for case in CASES:
                        if choice in case.choices:
                            rounds = chosen.kills if case.many else chosen.rounds
                            found += await measure(case, stage, watch, crowd, rounds)
                            print(f"{choice}: {case.name}", flush=True)
                await crowd.settled(SETTLE_WITHIN)
                crowd.members += watching.members
                (await ledger(site.deployment, crowd)).check()
    print("\n".join(table(found)))
    write(
        chosen.out, {"conditions": conditions(), "cases": _cases(found), "recoveries": [asdict(one) for one in found]}
    )


def _cases(found: Sequence[Recovery]) -> list[dict[str, Any]]:
    keys = itertools.product(*({getattr(one, name) for one in found} for name in ("kind", "backend", "measure")))
    cases = []
    for kind, backend, measure in sorted(keys):
        group = [one for one in found if (one.kind, one.backend, one.measure) == (kind, backend, measure)]
        if group:
            figures = spread([one.seconds for one in group])._asdict()
            cases.append({"fault": kind, "backend": backend, "measure": measure, "bound": group[0].bound, **figures})
    return cases


if __name__ == "__main__":
    asyncio.run(main())
