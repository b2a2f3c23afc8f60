"""A crowd of people under fault: they submit with keys until they have an answer, listen as browsers do, and remember everything."""

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self
from uuid import uuid4

from tests.faults.deployment import Deployment
from tests.faults.tab import Tab
from tests.faults.wire import Answer, Lost, Wire
from tests.integration.people import PATIENCE, Person, person

ACCEPTED: Final = 202
AGAIN: Final = frozenset({429, 502, 503, 504})  # not now: the same key may be repeated
DEFAULTS: Final[dict[str, dict[str, Any]]] = {"countdown": {"seconds": 0}}  # params where a row says nothing
SIGNING_UP: Final = 4  # people at once: a password costs 30 ms of a processor


@dataclass(slots=True)
class Accepted:
    """A submit with its 202. Times are seconds of `time.time`, as the service's own. `ends`: whether the task is to end by the time that the crowd has settled."""

    key: str
    body: dict[str, Any]
    asked: float
    ends: bool
    id: str = ""
    at: float = 0.0
    tries: int = 0
    ids: list[str] = field(default_factory=list)  # the tasks of every 202 to this key; one, or the promise is broken


class Member:
    """One of the crowd: a person with a few tabs, and what was accepted from them."""

    def __init__(self, who: Person, user_id: int, wire: Wire, tabs: list[Tab]) -> None:
        self.person = who
        self.user_id = user_id
        self.wire = wire
        self.tabs = tabs
        self.accepted: dict[str, Accepted] = {}  # by task

    def as_heard(self) -> "Member":
        """The same with what the tabs have heard so far; they hear nothing more."""
        copy = Member(self.person, self.user_id, self.wire, [tab.as_heard() for tab in self.tabs])
        copy.accepted = self.accepted
        return copy


class Crowd:
    """People of a deployment; open it once a web process is ready. `origins`: where they go, any of these in turn; usually every web process."""

    def __init__(
        self, deployment: Deployment, people: int = 8, *, tabs: int = 1, origins: Sequence[str] | None = None
    ) -> None:
        self.members: list[Member] = []
        self._deployment = deployment
        self._people = people
        self._tabs = tabs
        self._origins = origins
        self._turn = itertools.count()
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        signing = asyncio.Semaphore(SIGNING_UP)

        async def join() -> Member:
            async with signing:
                return await self._join()

        async with self._stack:
            self.members = await asyncio.gather(*(join() for _ in range(self._people)))
            await asyncio.gather(*(tab.opened() for member in self.members for tab in member.tabs))
            self._stack = self._stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def accepted(self) -> dict[str, Accepted]:
        """Every accepted submit, by task."""
        return {task: one for member in self.members for task, one in member.accepted.items()}

    @property
    def tabs(self) -> list[Tab]:
        return [tab for member in self.members for tab in member.tabs]

    def heard(self, task: str) -> float:
        """When the last tab of its owner heard of the task's end, in seconds of `time.time`."""
        return max(tab.ended[task] for tab in self.owner(task).tabs)

    def owner(self, task: str) -> Member:
        """Who submitted the task."""
        return next(member for member in self.members if task in member.accepted)

    def origin(self) -> str:
        """Where the next request goes."""
        origins = self._origins or self._deployment.origins
        return origins[next(self._turn) % len(origins)]

    async def submit(
        self,
        number: int = 1,
        workload: str = "countdown",
        params: dict[str, Any] | None = None,
        *,
        by: Member | None = None,
        at_once: int = 32,
        ends: bool = True,
        within: float = PATIENCE,
        **more: Any,
    ) -> list[Accepted]:
        """Submit so many tasks, people taking turns unless `by` says who; each is repeated with its key until it has its 202. Raises `AssertionError` for other answers, and `TimeoutError`."""
        body = {"workload": workload, "params": DEFAULTS.get(workload, {}) if params is None else params, **more}
        left = iter(range(number))

        async def some() -> list[Accepted]:
            return [
                await self._one(
                    by or self.members[turn % len(self.members)], Accepted(uuid4().hex, body, time.time(), ends)
                )
                for turn in left
            ]

        async with asyncio.timeout(within):
            return [
                one for part in await asyncio.gather(*(some() for _ in range(min(at_once, number)))) for one in part
            ]

    @contextlib.asynccontextmanager
    async def keep_going(
        self, rate: float, workload: str = "countdown", params: dict[str, Any] | None = None
    ) -> AsyncIterator[list[Accepted]]:
        """Submit `rate` tasks a second in the background, whatever becomes of the answers; at the end until each has its 202. Yields what was accepted so far."""
        made: list[Accepted] = []
        jobs: set[asyncio.Task[None]] = set()
        stopping = asyncio.Event()

        async def one() -> None:
            made.extend(await self.submit(1, workload, params, by=random.choice(self.members)))

        async def going() -> None:
            began, loop = asyncio.get_running_loop().time(), asyncio.get_running_loop()
            for turn in itertools.count():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(began + turn / rate):
                        await stopping.wait()
                        return
                jobs.add(loop.create_task(one()))

        goes = asyncio.create_task(going())
        try:
            yield made
            stopping.set()
            await goes
            await asyncio.gather(*jobs)
        finally:
            for job in (goes, *jobs):
                job.cancel()

    async def repeat(self, one: Accepted) -> Answer:
        """Send an accepted submit again, with its key; the answer's task is remembered."""
        member = self.owner(one.id)
        answer = await member.wire.request(
            self.origin(), "POST", "/api/v1/tasks", one.body, {"Idempotency-Key": one.key}
        )
        if answer.status == ACCEPTED:
            one.ids.append(answer.json()["id"])
        return answer

    async def settled(self, within: float = PATIENCE) -> None:
        """Until every tab has heard the end of every accepted task of its owner that is to end. Raises `AssertionError` with what is missing."""
        try:
            async with asyncio.timeout(within):
                for member in self.members:
                    for tab in member.tabs:
                        for task, one in list(member.accepted.items()):
                            if one.ends:
                                await tab.until_ended(task)
        except TimeoutError:
            raise AssertionError("\n".join([f"unheard after {within:g} s:", *self._missing()])) from None

    def _missing(self) -> list[str]:
        return [
            f"  {member.person.name}, tab {number} ({tab.state}): task {task}, last heard: {tab.last.get(task, 'nothing')}"
            for member in self.members
            for number, tab in enumerate(member.tabs)
            for task, one in member.accepted.items()
            if one.ends and task not in tab.ended
        ][:20]

    async def _one(self, member: Member, one: Accepted) -> Accepted:
        while True:
            one.tries += 1
            try:
                answer = await member.wire.request(
                    self.origin(), "POST", "/api/v1/tasks", one.body, {"Idempotency-Key": one.key}
                )
            except (Lost, OSError):
                pass
            else:
                if answer.status == ACCEPTED:
                    one.at = time.time()
                    one.id = answer.json()["id"]
                    one.ids.append(one.id)
                    member.accepted[one.id] = one
                    return one
                assert answer.status in AGAIN, (answer.status, answer.body)
            await asyncio.sleep(random.uniform(0.02, min(1.0, 0.05 * 2**one.tries)))

    async def _join(self) -> Member:
        origin = self.origin()
        who = await self._stack.enter_async_context(person(origin))
        me = (await who.http.get(f"{origin}/api/v1/me")).json()
        wire = Wire(who.cookie)
        self._stack.push_async_callback(wire.close)
        tabs = [Tab(self.origin, who.cookie) for _ in range(self._tabs)]
        for tab in tabs:
            await self._stack.enter_async_context(tab)
        return Member(who, int(me["id"]), wire, tabs)
