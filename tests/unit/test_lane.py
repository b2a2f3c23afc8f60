"""A lane's slots and bell: what a queue's consumer and the claims rely on."""

import asyncio

import pytest

from app.errors import Unavailable
from workers.lane import Lane


async def test_slots_are_counted_and_waited_for() -> None:
    lane = Lane("light", 2, {"work": 1})
    await lane.wait_free()
    lane.take(2)
    assert lane.free == 0
    await lane.wait_full()
    waiting = asyncio.create_task(lane.wait_free())
    await asyncio.sleep(0)
    assert not waiting.done()
    lane.give_back()
    await waiting
    assert lane.free == 1


async def test_a_wake_returns_once_a_claim_has_committed_that_began_after_it() -> None:
    lane = Lane("light", 1, {})
    first = asyncio.create_task(lane.wake(1))
    await asyncio.sleep(0)
    waiting = await lane.rung(10)
    assert waiting is not None
    late = asyncio.create_task(lane.wake(1))  # comes while the claim runs: it needs another
    await asyncio.sleep(0)
    lane.answer(waiting)
    await first
    assert not late.done()
    again = await lane.rung(10)
    assert again is not None
    lane.answer(again)
    await late


async def test_a_claim_that_failed_is_told() -> None:
    lane = Lane("light", 1, {})
    wake = asyncio.create_task(lane.wake(1))
    await asyncio.sleep(0)
    lane.answer(await lane.rung(10) or [], Unavailable("away"))
    with pytest.raises(Unavailable, match="away"):
        await wake


async def test_a_full_lane_claims_nothing_until_a_slot_is_free() -> None:
    lane = Lane("light", 1, {})
    lane.take(1)
    lane.ring()
    rung = asyncio.create_task(lane.rung(10))
    await asyncio.sleep(0.01)
    assert not rung.done()
    lane.give_back()
    assert await rung == []


async def test_it_looks_for_work_by_itself_after_a_while() -> None:
    lane = Lane("light", 1, {})
    assert await lane.rung(0.01) == []


async def test_a_closed_lane_hands_its_hints_to_others() -> None:
    lane = Lane("light", 1, {})
    lane.take(1)
    wake = asyncio.create_task(lane.wake(1))
    await asyncio.sleep(0)
    lane.close()
    with pytest.raises(Unavailable):
        await wake
    with pytest.raises(Unavailable):
        await lane.wake(1)
    assert await lane.rung(10) is None
