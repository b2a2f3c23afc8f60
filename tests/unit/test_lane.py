"""A lane's slots and bell: what a queue's consumer and the claims rely on."""

import asyncio
from itertools import pairwise

import pytest

from app.errors import Unavailable
from workers.lane import Lane
from workers.pace import LONGEST, SHORTEST, Pace


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


def test_a_lane_of_a_group_looks_for_work_often_and_learns_what_is_new() -> None:
    lane = Lane("light", 1, {"one": 1}, partial=True)
    lane.connected(True)
    assert lane.deaf
    lane.learn({"two": 1})
    assert lane.able == {"two": 1}
    whole = Lane("light", 1, {})
    whole.connected(True)
    assert not whole.deaf


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


async def test_a_lane_that_is_closed_while_it_is_full_ends_and_is_no_less_full() -> None:
    lane = Lane("light", 1, {})
    lane.close()
    lane.take(1)  # a claim that was under way
    async with asyncio.timeout(1):
        assert await lane.rung(10) is None
    waiting = asyncio.create_task(lane.wait_free())
    await asyncio.sleep(0)
    assert not waiting.done(), "a consumer that waits for full and free in turn would never let go of the loop"
    waiting.cancel()


async def test_a_lane_is_deaf_until_it_is_connected_and_while_no_hints_are_taken() -> None:
    lane = Lane("light", 1, {})
    assert lane.deaf
    for tell in (lane.connected, lane.taken):
        tell(True)
        assert not lane.deaf
        await lane.rung(0.01)
        tell(True)  # no news
        tell(False)
        assert lane.deaf
        assert await lane.rung(10) == [], "it looks at once for what it may have missed"
        tell(True)
        assert await lane.rung(10) == []


def test_a_deaf_lane_looks_often_while_it_finds_work_and_less_so_while_it_does_not() -> None:
    pace = Pace(5)
    pace.found(1)
    pauses = []
    for _ in range(8):
        pauses.append(pace.pause(deaf=True))
        pace.found(0)
    assert pauses[0] <= 1.2 * SHORTEST
    assert all(longer > 1.1 * shorter for shorter, longer in pairwise(pauses[:5]))
    assert 0.8 * LONGEST <= pauses[-1] <= 1.2 * LONGEST
    pace.found(3)
    assert pace.pause(deaf=True) <= 1.2 * SHORTEST


def test_a_lane_that_hears_of_work_looks_seldom() -> None:
    pace = Pace(5)
    pace.found(1)
    assert 4 <= pace.pause(deaf=False) <= 6
    assert Pace(0.01).pause(deaf=True) <= 0.012, "never less often than usual"


async def test_what_is_paused_is_not_claimed_and_rings_when_it_is_resumed() -> None:
    lane = Lane("light", 1, {"one": 1, "two": 2})
    lane.pause(frozenset({"one", "other"}))
    assert lane.able == {"two": 2}
    assert await lane.rung(0.01) == [], "no ring: a pause is no work"
    ringing = asyncio.create_task(lane.rung(60))
    await asyncio.sleep(0)
    lane.pause(frozenset({"one", "other", "two"}))
    await asyncio.sleep(0)
    assert not ringing.done()
    lane.pause(frozenset({"two"}))
    async with asyncio.timeout(1):
        assert await ringing == []
    assert lane.able == {"one": 1}
