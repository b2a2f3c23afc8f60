"""What follows a commit: frames leave in order, patient ones with the next, and a broker that is away delays nobody."""

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

from app.errors import Unavailable
from app.events.model import Frame
from app.tasks.outbox import Outbox


def frame(seq: int) -> Frame:
    return Frame(1, seq, f'{{"seq":{seq}}}', "t", False)


class Wires:
    """A publisher, a hub and a queue that write down what they get."""

    def __init__(self) -> None:
        self.published: list[list[int | None]] = []
        self.told = asyncio.Event()
        self.local: list[int | None] = []
        self.hints: list[tuple[str, int]] = []
        self.broker_is_there = True

    async def publish(self, frames: Sequence[Frame]) -> None:
        self.published.append([one.seq for one in frames])
        self.told.set()

    def deliver_local(self, frames: Sequence[Frame]) -> None:
        self.local += [one.seq for one in frames]

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def consume(self, *_: object) -> None: ...

    async def ping(self) -> None:
        if not self.broker_is_there:
            raise Unavailable

    async def depth(self, lane: str) -> int:
        return 0

    async def wake(self, lane: str, tasks: Sequence[UUID]) -> None:
        if not self.broker_is_there:
            raise Unavailable
        self.hints.append((lane, len(tasks)))


async def test_patient_frames_leave_with_the_next_ones_in_order() -> None:
    wires = Wires()
    outbox = Outbox(wires, wires, wires)
    outbox.tell([frame(1), frame(2)], patient=True)
    assert wires.local == [1, 2], "followers here wait for nothing"
    outbox.tell([frame(3)])
    await outbox.drained()
    assert wires.published == [[1, 2, 3]]


async def test_patient_frames_do_not_wait_for_long() -> None:
    wires = Wires()
    outbox = Outbox(wires, wires, wires)
    outbox.tell([frame(1)], patient=True)
    async with asyncio.timeout(1):
        await wires.told.wait()
    assert wires.published == [[1]]


async def test_nothing_is_left_behind_at_the_end() -> None:
    wires = Wires()
    outbox = Outbox(wires, wires, wires)
    outbox.tell([frame(1)], patient=True)
    outbox.wake("light", uuid4())
    await outbox.drained()
    assert wires.published == [[1]]
    assert wires.hints == [("light", 1)]


async def test_hints_of_one_turn_of_the_loop_go_together_by_lane() -> None:
    wires = Wires()
    outbox = Outbox(wires, wires, wires)
    for lane in ("light", "heavy", "light", "light"):
        outbox.wake(lane, uuid4())
    await outbox.drained()
    assert sorted(wires.hints) == [("heavy", 1), ("light", 3)]


async def test_a_broker_that_is_away_is_known_until_it_is_back() -> None:
    wires = Wires()
    outbox = Outbox(wires, wires, wires)
    wires.broker_is_there = False
    outbox.wake("light", uuid4())
    await outbox.drained()
    assert outbox.broker_down_since is not None
    wires.broker_is_there = True
    outbox.wake("light", uuid4())
    await outbox.drained()
    assert outbox.broker_down_since is None


async def test_a_broker_that_was_away_is_asked_again_when_somebody_wants_to_know() -> None:
    wires = Wires()
    outbox = Outbox(wires, wires, wires)
    assert await outbox.broker_down_for() == 0
    wires.broker_is_there = False
    outbox.wake("light", uuid4())
    await outbox.drained()
    assert await outbox.broker_down_for() > 0
    wires.broker_is_there = True
    assert await outbox.broker_down_for() == 0, "without a wake-up that happens to get through"
