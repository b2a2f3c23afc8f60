"""What people do with tasks. Pages and REST call these, and nothing else writes tasks for them."""

import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson

from app.artifacts import ArtifactStore
from app.artifacts.room import Room
from app.batch import Batcher
from app.catalogue import Catalogue, Workload
from app.errors import Conflict, Invalid, NotFound, Unavailable, Unstorable
from app.tasks.chain_checks import NO_WORKLOAD, problems_of_chain
from app.tasks.chain_plans import Plan
from app.tasks.chains import Chains
from app.tasks.document import accepted, document
from app.tasks.model import LONGEST_NAME, Cause, Draft, Event, Task, new_id
from app.tasks.moves import Moves
from app.tasks.outbox import Outbox
from app.tasks.params import ParamsChecker
from app.tasks.quota import Quota
from app.tasks.store import TaskStore

log = logging.getLogger(__name__)

LONGEST_KEY: Final = 255  # characters of an idempotency key
MOST_PRIORITY: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What a person asks for. `key` is the idempotency key."""

    workload: str
    params: Mapping[str, Any]
    name: str | None = None
    run_at: datetime | None = None
    priority: int = 0
    key: str | None = None
    retry_of: UUID | None = None
    then: Plan | None = None  # what its success starts


@dataclass(frozen=True, slots=True)
class Accepted:
    """A task that is committed. `document` is its JSON text."""

    id: UUID
    document: str


class Tasks:
    """The commands. `signal_cancel` tells the workers at once that a running task should stop; their heartbeat tells them later anyway."""

    def __init__(
        self,
        *,
        moves: Moves,
        store: TaskStore,
        chains: Chains,
        catalogue: Catalogue,
        params: ParamsChecker,
        quota: Quota,
        outbox: Outbox,
        artifacts: ArtifactStore,
        room: Room,
        signal_cancel: Callable[[UUID], Awaitable[None]],
    ) -> None:
        self._moves = moves
        self._store = store
        self._chains = chains
        self._catalogue = catalogue
        self._params = params
        self._quota = quota
        self._outbox = outbox
        self._artifacts = artifacts
        self._room = room
        self._signal_cancel = signal_cancel
        self._submits: Batcher[Draft, Event | None] = Batcher(moves.submit, singly=(Unstorable,))

    async def submit(self, user_id: int, submission: Submission) -> Accepted:
        """Accept a task, or find the one that the same key made. Raises `Invalid`, with the fields that are wrong; `TooMany`; `Unavailable`."""
        # The key is looked up first, so that a repeat is answered whatever has become of limits, workloads and files since.
        if submission.key is not None and (found := await self._repeated(user_id, submission)):
            return found
        draft = await self._checked(user_id, submission)
        event = await self._submits(draft)
        if event is None:
            if found := await self._repeated(user_id, submission):
                return found
            raise NotFound(f"The key “{draft.key}” is taken, but its task is gone.")
        if draft.run_at is None or draft.run_at <= datetime.now(UTC):
            self._outbox.wake(draft.lane, draft.id)
        self._outbox.committed([event], patient=True)
        return Accepted(draft.id, accepted(event, draft.params))

    async def start(self, user_id: int, submission: Submission, cause: Cause) -> UUID | None:
        """Accept a task for a cause that starts one at most; None where it has, or is gone. Raises as `submit`."""
        draft = await self._checked(user_id, submission)
        event = await self._moves.start(draft, cause)
        if event is None:
            return None
        self._outbox.wake(draft.lane, draft.id)
        self._outbox.committed([event])
        return draft.id

    async def cancel(self, user_id: int, task_id: UUID) -> Task:
        """Cancel a waiting task, ask a running one to stop; asking again is fine. Raises `NotFound`, `Conflict` where it has ended."""
        events = await self._moves.cancel(user_id, [task_id])
        self._outbox.committed(events)
        task = await self._store.get(user_id, task_id)
        if not events and task.state.terminal:
            raise Conflict(f"The task has already {task.state}.", hint="There is nothing left to cancel.")
        if not task.state.terminal:
            await self._signal_cancel(task_id)
        return task

    async def cancel_all(self, user_id: int, task_ids: Sequence[UUID]) -> Sequence[Event]:
        """Cancel those that wait, ask those that run to stop: an event each. What has ended, was asked before or is not the user's is left as it is."""
        events = await self._moves.cancel(user_id, task_ids)
        self._outbox.committed(events)
        for event in events:
            if event.type == "task.cancelling":
                await self._signal_cancel(event.task_id)
        return events

    async def retry(
        self,
        user_id: int,
        task_id: UUID,
        params: Mapping[str, Any] | None = None,
        name: str | None = None,
        key: str | None = None,
    ) -> Accepted:
        """Start an ended task again as a new one, with edited input where given. Raises `NotFound`, `Conflict` before its end, `Invalid`."""
        task = await self._store.get(user_id, task_id)
        if not task.state.terminal:
            raise Conflict("The task has not ended yet.", hint="Cancel it first, or wait for its end.")
        following = await self._chains.of(user_id, task_id)
        again = Submission(
            workload=task.workload,
            params=task.params if params is None else params,
            name=name or task.name,
            key=key,
            retry_of=task.id,
            then=following.plan if following else None,
        )
        return await self.submit(user_id, again)

    async def delete(self, user_id: int, task_id: UUID) -> Task:
        """Delete an ended task and its files; the answer is the task as it was. Raises `NotFound`, `Conflict` before its end."""
        task = await self._store.get(user_id, task_id)
        event = await self._moves.delete(user_id, task_id)
        if event is None:
            raise Conflict("The task has not ended yet.", hint="Cancel it first.")
        self._outbox.committed([event])
        try:
            keys = [item["key"] for item in task.artifacts]
            await self._artifacts.delete(*keys)
            await self._room.give_back(*keys)
        except Unavailable as error:
            log.warning("files of the deleted task %s were left behind: %s", task_id, error)
        return task

    async def problems(self, user_id: int, submission: Submission) -> dict[str, str]:
        """What is wrong with a submission, by field; empty where all is well. Raises `Unavailable`."""
        problems: dict[str, str] = {}
        workload = await self._catalogue.get(submission.workload)
        if workload is None:
            problems["workload"] = NO_WORKLOAD
        else:
            problems.update(await self._params.problems(user_id, workload, submission.params))
        if submission.name is not None and not 1 <= len(submission.name.strip()) <= LONGEST_NAME:
            problems["name"] = f"takes 1 to {LONGEST_NAME} characters"
        if "\0" in (submission.name or ""):
            problems["name"] = "must not hold a NUL character"
        if not -MOST_PRIORITY <= submission.priority <= MOST_PRIORITY:
            problems["priority"] = f"takes a whole number from -{MOST_PRIORITY} to {MOST_PRIORITY}"
        if submission.key is not None and not 1 <= len(submission.key) <= LONGEST_KEY:
            problems["Idempotency-Key"] = f"takes 1 to {LONGEST_KEY} characters"
        if submission.then is not None:
            problems.update(await problems_of_chain(user_id, submission.then, self._catalogue, self._params))
        return problems

    async def name_of(self, submission: Submission) -> str:
        """What its task will be called: by its name, else by its workload's title."""
        workload = await self._catalogue.get(submission.workload)
        return (submission.name or (workload.title if workload else submission.workload)).strip()

    async def _checked(self, user_id: int, submission: Submission) -> Draft:
        if problems := await self.problems(user_id, submission):
            raise Invalid(fields=problems)
        workload = await self._catalogue.get(submission.workload)
        if workload is None:
            raise Invalid(fields={"workload": NO_WORKLOAD})
        await self._quota.take(user_id)
        return _draft(user_id, submission, workload)

    async def _repeated(self, user_id: int, submission: Submission) -> Accepted | None:
        found = await self._store.repeated(user_id, submission.key or "")
        if found is None:
            return None
        task_id, body = found
        if body != _fingerprint(submission):
            raise Invalid(
                "This idempotency key came with another request before.",
                fields={"Idempotency-Key": "was used for another request"},
            )
        task = await self._store.get(user_id, task_id)
        return Accepted(task_id, orjson.dumps(document(task)).decode())


def _fingerprint(submission: Submission) -> bytes:
    """What tells one request from another under the same key."""
    asked = [
        submission.workload,
        submission.params,
        submission.name,
        submission.run_at,
        submission.priority,
        submission.retry_of,
        *([submission.then] if submission.then is not None else ()),
    ]
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).digest()


def _draft(user_id: int, submission: Submission, workload: Workload) -> Draft:
    return Draft(
        id=new_id(),
        user_id=user_id,
        name=(submission.name or workload.title).strip(),
        workload=workload.name,
        version=workload.version,
        lane=workload.lane,
        params=orjson.dumps(submission.params).decode(),
        max_attempts=workload.max_attempts,
        priority=submission.priority,
        run_at=submission.run_at,
        retry_of=submission.retry_of,
        key=submission.key,
        body=_fingerprint(submission) if submission.key is not None else None,
        follow=None if submission.then is None else orjson.dumps(submission.then).decode(),
    )
