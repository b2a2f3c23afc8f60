"""The batcher: the first item leaves at once, what comes meanwhile leaves together, a bad item fails alone."""

import asyncio
from collections.abc import Sequence

import pytest

from app.batch import Batcher


class Recorder:
    """A flush that can be held, and that refuses what is negative."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.started = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def flush(self, items: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(items))
        self.started.set()
        await self.open.wait()
        if any(item < 0 for item in items):
            raise ValueError(items)
        if 13 in items:
            raise ConnectionError
        return [10 * item for item in items]


async def test_one_turn_of_the_loop_goes_in_one_flush() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder.flush)
    assert await asyncio.gather(*(batcher(item) for item in range(5))) == [0, 10, 20, 30, 40]
    assert recorder.batches == [[0, 1, 2, 3, 4]]


async def test_what_comes_during_a_flush_goes_in_the_next_up_to_the_most() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder.flush, most=3)
    recorder.open.clear()
    first = asyncio.create_task(batcher(0))
    await recorder.started.wait()
    rest = [asyncio.create_task(batcher(item)) for item in range(1, 6)]
    await asyncio.sleep(0)
    recorder.open.set()
    assert await asyncio.gather(first, *rest) == [0, 10, 20, 30, 40, 50]
    assert recorder.batches == [[0], [1, 2, 3], [4, 5]]


async def test_a_bad_item_fails_alone_and_a_lost_connection_fails_all() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder.flush, singly=(ValueError,))
    answers = await asyncio.gather(batcher(1), batcher(-2), batcher(3), return_exceptions=True)
    assert answers[0] == 10
    assert isinstance(answers[1], ValueError)
    assert answers[2] == 30
    both = await asyncio.gather(batcher(1), batcher(13), return_exceptions=True)
    assert [type(answer) for answer in both] == [ConnectionError, ConnectionError]
    assert recorder.batches[-1] == [1, 13], "not tried again: what it did is unknown"


async def test_a_caller_that_leaves_disturbs_nobody() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder.flush)
    leaving, staying = asyncio.create_task(batcher(1)), asyncio.create_task(batcher(2))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == 20
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_put_waits_for_nothing_and_drained_for_everything(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder()
    batcher = Batcher(recorder.flush)
    for item in (1, 2):
        batcher.put(item)
    await batcher.drained()
    assert recorder.batches == [[1, 2]]
    batcher.put(-1)
    await batcher.drained()
    await asyncio.sleep(0)
    assert "-1" in caplog.text
