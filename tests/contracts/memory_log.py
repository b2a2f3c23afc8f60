"""The log of events in memory, for tests of what reads it; it passes the same contract as the log in the database."""

import asyncio
from collections.abc import Sequence

from app.errors import Unavailable
from app.events.model import Frame, OutOfRange, Snapshot, Standing


def frame_of(
    user_id: int, seq: int, *, final: bool = False, task: str | None = None, origin: int | None = None
) -> Frame:
    """A frame as the store would make it, with only what tests look at."""
    task_id = task or f"task-{seq}"
    text = f'{{"type":"task.queued","seq":{seq},"task":{{"id":"{task_id}"}},"origin":"{origin}"}}'
    return Frame(user_id, seq, text, task_id, final, origin)


def progress_of(user_id: int, task: str, fraction: float) -> Frame:
    text = f'{{"type":"task.progress","task_id":"{task}","attempt":1,"fraction":{fraction},"message":""}}'
    return Frame(user_id, None, text, task, final=False)


class MemoryLog:
    """Answers after `delay` seconds. `away`: every read raises `Unavailable`."""

    def __init__(self, *, delay: float = 0.0) -> None:
        self.reads = 0
        self.away = False
        self._delay = delay
        self.epoch = "epoch-1"
        self.origin = 1
        self._frames: dict[int, list[Frame]] = {}
        self._floor: dict[int, int] = {}
        self._undone: dict[str, dict[int, list[Frame]]] = {}

    def commit(self, user_id: int, count: int = 1, *, final: bool = False, task: str | None = None) -> list[Frame]:
        """Append events; returns their frames."""
        head = self.head(user_id)
        frames = [frame_of(user_id, head + at + 1, final=final, task=task, origin=self.origin) for at in range(count)]
        self._frames.setdefault(user_id, []).extend(frames)
        return frames

    def head(self, user_id: int) -> int:
        return len(self._frames.get(user_id, []))

    def prune(self, user_id: int, floor: int) -> None:
        """Forget events up to number `floor`."""
        self._floor[user_id] = max(floor, self._floor.get(user_id, 0))

    def restore(self, user_id: int, seq: int) -> None:
        """Go back to an older state, as a restored backup does, in a new epoch."""
        self._undone[self.epoch] = dict(self._frames)
        self._frames[user_id] = self._frames.get(user_id, [])[:seq]
        self._floor[user_id] = min(seq, self._floor.get(user_id, 0))
        self.origin += 1
        self.epoch = f"epoch-{self.origin}"

    def told(self, epoch: str, user_id: int, seq: int) -> str:
        """The text of an event of an epoch, also of one that was undone by a restore."""
        return self._undone.get(epoch, self._frames)[user_id][seq - 1].text

    async def since(self, user_id: int, after: int, limit: int, epoch: str | None = None) -> list[Frame]:
        await self._read()
        frames = self._frames.get(user_id, [])
        if epoch not in (None, self.epoch):
            raise OutOfRange
        if not self._floor.get(user_id, 0) <= after <= len(frames):
            raise OutOfRange
        return frames[after : after + limit]

    async def standing(self, user_ids: Sequence[int]) -> Standing:
        heads = {user_id: len(self._frames[user_id]) for user_id in user_ids if user_id in self._frames}
        found = Standing(self.epoch, self.origin, heads)
        await self._read()
        return found  # as of the question: what is committed meanwhile is not in it

    async def snapshot(self, user_id: int) -> Snapshot:
        await self._read()
        return Snapshot(self.epoch, self.head(user_id), [f'{{"seq":{self.head(user_id)}}}'])

    async def _read(self) -> None:
        self.reads += 1
        await asyncio.sleep(self._delay)
        if self.away:
            raise Unavailable
