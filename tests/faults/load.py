"""A mixed, bounded load: short and longer tasks, child processes, failures with retries, cancels at every moment, tasks for soon."""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from tests.faults.crowd import ACCEPTED, AGAIN, Accepted, Crowd, Member
from tests.faults.wire import Answer, Lost

WITHIN: Final = 180.0  # seconds for one submit with all its repetitions
CONFLICT: Final = 409
REST: Final = 0.5  # seconds before a request is made again that was not answered well


class Load:
    """`rate`: submits a second; `most`: in all. What it does is drawn from `chance`; when it happens depends on the answers too."""

    def __init__(self, crowd: Crowd, chance: random.Random, *, rate: float, most: int) -> None:
        self.submits = 0
        self.cancels = 0
        self.retries = 0
        self._crowd = crowd
        self._chance = chance
        self._rate = rate
        self._most = most
        self._unsure: set[str] = set()  # tasks whose retry got no answer: a new one may have been made
        self._kinds: list[tuple[int, Callable[[Member], Coroutine[Any, Any, None]]]] = [
            (40, self._plain),
            (25, self._lasting),
            (10, self._process),
            (10, self._failing),
            (10, self._cancelled),
            (5, self._soon),
        ]

    async def run(self, stopping: asyncio.Event) -> None:
        """Submit until told to stop, or until it is enough; returns once each submit, cancel and retry has its answer."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as jobs:
            while self.submits < self._most:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(began + self.submits / self._rate - time.monotonic()):
                        await stopping.wait()
                        return
                self.submits += 1
                weights = [weight for weight, _ in self._kinds]
                what = self._chance.choices(self._kinds, weights)[0][1]
                jobs.create_task(what(self._chance.choice(self._crowd.members)))

    def adopt(self) -> int:
        """Take the retries that were made without an answer as accepted, so that their ends are waited for too; how many. Let the crowd settle before."""
        found = 0
        for member in self._crowd.members:
            for event in member.tabs[0].events:
                card = event["task"]
                if card.get("retry_of") in self._unsure and card["id"] not in member.accepted:
                    member.accepted[card["id"]] = Accepted(uuid4().hex, {}, time.time(), ends=True, id=card["id"])
                    found += 1
        return found

    async def _submit(self, member: Member, workload: str, params: dict[str, Any], **more: Any) -> Accepted:
        [one] = await self._crowd.submit(1, workload, params, by=member, within=WITHIN, **more)
        return one

    async def _plain(self, member: Member) -> None:
        await self._submit(member, "countdown", {"seconds": 0})

    async def _lasting(self, member: Member) -> None:
        await self._submit(member, "countdown", {"seconds": self._seconds(1, 3)})

    async def _process(self, member: Member) -> None:
        await self._submit(member, "held", {"seconds": self._seconds(0.3, 1.5)})

    async def _soon(self, member: Member) -> None:
        at = datetime.now(UTC) + timedelta(seconds=self._seconds(1, 4))
        await self._submit(member, "countdown", {"seconds": 0}, run_at=at.isoformat())

    async def _failing(self, member: Member) -> None:
        again = self._chance.random() < 0.5
        one = await self._submit(member, "countdown", {"seconds": 0, "fail": True})
        if not again:
            return
        await member.tabs[0].until_ended(one.id)
        answer = await self._asked(member, f"/api/v1/tasks/{one.id}/retry")
        self.retries += 1
        if answer is None or answer.status in AGAIN:
            self._unsure.add(one.id)  # not asked again: a retry takes no key, so that would make another
            return
        assert answer.status == ACCEPTED, (answer.status, answer.body)
        made = answer.json()["id"]
        member.accepted[made] = Accepted(uuid4().hex, {}, time.time(), ends=True, id=made)

    async def _cancelled(self, member: Member) -> None:
        running, pause = self._chance.random() < 0.6, self._seconds(0, 1)
        one = await self._submit(member, "countdown", {"seconds": 3})
        tab = member.tabs[0]
        if running:
            with contextlib.suppress(TimeoutError):
                await tab.until(lambda tab: tab.last.get(one.id, "task.queued") != "task.queued")
            await asyncio.sleep(pause)
        while True:
            answer = await self._asked(member, f"/api/v1/tasks/{one.id}/cancel")
            if answer is not None and answer.status not in AGAIN:
                break
            await asyncio.sleep(REST)
        self.cancels += 1
        assert answer.status in {ACCEPTED, CONFLICT}, (answer.status, answer.body)

    async def _asked(self, member: Member, path: str) -> Answer | None:
        """The answer, or None where none came and nobody knows whether it was done."""
        while True:
            try:
                return await member.wire.request(self._crowd.origin(), "POST", path)
            except ConnectionRefusedError:
                await asyncio.sleep(REST)
            except (Lost, OSError):
                return None

    def _seconds(self, least: float, most: float) -> float:
        return round(self._chance.uniform(least, most), 2)
