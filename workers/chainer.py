"""The chainer: starts what follows on a task once it has succeeded. One runs in every worker; whatever they do at once, or leave when they die, one task starts."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from app.artifacts.files import Files
from app.errors import NotFound, Refused, TooMany, Unavailable
from app.tasks.chain_plans import NotMade, Plan, artifact_of, with_values
from app.tasks.chains import Chains, Ended
from app.tasks.commands import Submission, Tasks
from app.tasks.model import Followed, Task
from app.tasks.states import State
from app.tasks.store import TaskStore

log = logging.getLogger(__name__)

MOST: Final = 500  # of what waits, in one look
ON_AT_ONCE: Final = 0.05  # seconds until the next look, where one has not reached the end of what waits
MOST_AT_ONCE: Final = 8  # that are brought on: one may have a large file to copy
BEGINNING: Final = UUID(int=0)
LATER: Final = timedelta(seconds=10)  # where its owner has too much waiting


class Chainer:
    """`every`: seconds between two looks, at most. `lease`: after so many seconds another worker takes up what one has left when it died."""

    def __init__(
        self, chains: Chains, store: TaskStore, tasks: Tasks, files: Files, *, lease: float, every: float
    ) -> None:
        self._chains = chains
        self._store = store
        self._tasks = tasks
        self._files = files
        self._lease = timedelta(seconds=lease)
        self._every = every
        self._after = BEGINNING
        self._places = asyncio.Semaphore(MOST_AT_ONCE)

    async def run(self) -> None:
        """Look until cancelled. A database or a file store that is away puts it off."""
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    await self._look(group)
                except Unavailable as error:
                    log.debug("what follows is put off: %s", error)
                await asyncio.sleep(random.uniform(0.5, 1) * (self._every if self._after == BEGINNING else ON_AT_ONCE))

    async def look(self) -> None:
        """Bring a stretch of what waits further: start what can start, close what cannot."""
        async with asyncio.TaskGroup() as group:
            await self._look(group)

    async def _look(self, group: asyncio.TaskGroup) -> None:
        ended, following = await self._chains.ended(self._after, MOST)
        self._after = following or BEGINNING
        for one in ended:
            await self._places.acquire()
            group.create_task(self._bring_on_or_say(one)).add_done_callback(lambda _: self._places.release())

    async def _bring_on_or_say(self, one: Ended) -> None:
        try:
            await self._bring_on(one)
        except Unavailable as error:
            log.debug("what follows on task %s is put off: %s", one.task_id, error)
        except Exception:
            # The others do not wait for one that nobody can start; it is tried again later.
            log.exception("what follows on task %s could not start", one.task_id)

    async def _bring_on(self, one: Ended) -> None:
        if one.state is not State.SUCCEEDED:
            await self._chains.close(one.task_id, "dropped", f"The task before it {_ENDED[one.state]}.")
            return
        if not await self._chains.take(one.task_id, self._lease):
            return
        keeping = asyncio.create_task(self._keep(one.task_id))
        try:
            task = await self._store.get(one.user_id, one.task_id)
            await self._tasks.start(one.user_id, await self._submission(task, one.plan), Followed(task.id))
        except TooMany as error:
            await self._chains.put_off(one.task_id, LATER, error.detail)
        except (Refused, NotFound) as error:
            await self._chains.close(one.task_id, "refused", error.reason)
        finally:
            keeping.cancel()

    async def _keep(self, task_id: UUID) -> None:
        """Copying a large file takes longer than a lease."""
        while True:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            with contextlib.suppress(Unavailable):
                await self._chains.put_off(task_id, self._lease)

    async def _submission(self, task: Task, plan: Plan) -> Submission:
        value = (task.result or {}).get("value")
        params: Mapping[str, Any] = plan.get("params", {})
        made = {name: await self._resolved(task, given, value) for name, given in params.items()}
        return Submission(
            workload=plan["workload"],
            params=made,
            name=plan.get("name"),
            priority=plan.get("priority", 0),
            then=plan.get("then"),
        )

    async def _resolved(self, task: Task, given: Any, value: Any) -> Any:
        name = artifact_of(given)
        if name is None:
            return with_values(given, value)
        found = next((item for item in task.artifacts if item["name"] == name), None)
        if found is None:
            made = ", ".join(item["name"] for item in task.artifacts) or "no files"
            raise NotMade(f"The task before has made {made}, and no {name}.")
        # By name, so that whoever takes over after a crash finds the copy that is there.
        file_id = uuid5(task.id, name)
        file = await self._files.adopt(
            task.user_id, file_id, name, found["media_type"], key=found["key"], size=found["size"]
        )
        return str(file.id)


_ENDED: Final = {State.FAILED: "failed", State.CANCELLED: "was cancelled"}
