"""The hub: whatever gets lost, doubled or late on the way, each follower has every event once, in order."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.events.fanout import Fanout
from app.events.feed import MOST_EARLY, TAIL_FRAMES
from app.events.follower import MOST_PROGRESS, PAGE, Follower
from app.events.hub import GRACE, LINGER, Hub
from app.events.model import GAP, Frame, Position, Snapshot
from app.events.sealed import Seal
from tests.contracts.memory_log import MemoryLog, frame_of, progress_of
from tests.unit.skipping_loop import run

USER = 7
RECHECK = 5.0
LONG = 60.0  # seconds that pass at once


class Reader:
    """Keeps what a follower yields, and checks it as it comes."""

    def __init__(
        self,
        hub: Hub,
        after: int | None = None,
        epoch: str | None = None,
        *,
        pace: float = 0.0,
        log: MemoryLog | None = None,
    ) -> None:
        self.epoch = epoch
        self._log = log
        self.welcome: Position | None = None
        self.seqs: list[int] = []
        self.newest: Frame | None = None
        self.progress: list[Frame] = []
        self.resets: list[Snapshot] = []
        self.cursor = after
        self._pace = pace
        self._hub = hub
        self._asked = (after, epoch)
        self._ended: set[str] = set()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        with self._hub.follow(USER, *self._asked) as follower:
            async for item in follower:
                await asyncio.sleep(self._pace)
                self._take(item)

    def _take(self, item: Position | Snapshot | Frame) -> None:
        match item:
            case Position():
                assert self.welcome is None
                self.welcome = item
                self.epoch = self.epoch or item.epoch
                self.cursor = item.seq if self.cursor is None else self.cursor
            case Snapshot():
                assert self.welcome is not None
                self.resets.append(item)
                self.epoch = item.epoch
                self.cursor = item.seq
            case Frame(seq=None):
                assert item.task_id not in self._ended, "progress came after the end of its task"
                self.progress.append(item)
            case Frame(seq=int(seq)):
                assert self.cursor is not None
                assert seq == self.cursor + 1, f"{seq} came after {self.cursor}"
                if self._log is not None:
                    assert item.text == self._log.told(str(self.epoch), USER, seq), "an event of another history"
                self.cursor = seq
                self.newest = item
                self.seqs.append(seq)
                if item.final:
                    self._ended.add(item.task_id)

    async def stop(self) -> None:
        """Raise what was wrong."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


@contextlib.asynccontextmanager
async def hub_over(log: MemoryLog, *, recheck: float = RECHECK) -> AsyncIterator[Hub]:
    fanout = Fanout("memory://", deployment="test", key=b"key", epoch=log.epoch)
    await fanout.open()
    hub = Hub(log, fanout, recheck=recheck)
    await hub.open()
    try:
        yield hub
    finally:
        await hub.close()
        await fanout.close()


STEP = st.one_of(
    # how many events, and for each: deliver it now (once, twice), by way of the broker, later, or never
    st.tuples(
        st.just("commit"),
        st.lists(st.sampled_from(["now", "twice", "told", "elsewhere", "late", "lost"]), min_size=1, max_size=6),
        st.booleans(),
    ),
    st.tuples(st.just("gap")),
    st.tuples(st.just("deliver late"), st.randoms(use_true_random=False)),
    st.tuples(st.just("pass"), st.sampled_from([0.0, 0.001, 0.05, 0.2, 7.0])),
    st.tuples(st.just("follow"), st.none() | st.integers(0, 30), st.sampled_from([0.0, 0.0, 0.3])),
    st.tuples(st.just("leave"), st.integers(0, 5)),
    st.tuples(st.just("database"), st.booleans()),
    st.tuples(st.just("progress"), st.integers(1, 12)),
    st.tuples(st.just("burst"), st.sampled_from([TAIL_FRAMES + 1, PAGE, MOST_EARLY + 2]), st.booleans()),
)
STEP_WITH_LOSS_OF_HISTORY = STEP | st.one_of(
    st.tuples(st.just("prune"), st.integers(0, 40)),
    st.tuples(st.just("restore"), st.integers(0, 40)),
)


async def _play(steps: list[tuple[object, ...]], delay: float) -> tuple[MemoryLog, list[Reader]]:
    log = MemoryLog(delay=delay)
    readers: list[Reader] = []
    late: list[Frame] = []
    async with hub_over(log) as hub:
        for step in steps:
            match step:
                case ("commit", list(fates), bool(final)):
                    frames = log.commit(USER, len(fates), final=final)
                    for frame, fate in zip(frames, fates, strict=True):
                        late += [frame] * (fate == "late")
                        hub.deliver_local([frame] * {"now": 1, "twice": 2}.get(str(fate), 0))
                    await hub._fanout.publish(
                        [frame for frame, fate in zip(frames, fates, strict=True) if fate == "told"]
                    )
                    # Another process, which knows the epoch.
                    told = [frame for frame, fate in zip(frames, fates, strict=True) if fate == "elsewhere"]
                    sealed = Seal(b"key").frames(log.epoch, USER, told)
                    await hub._fanout._broadcast.publish(hub._fanout._channel(USER), sealed)
                case ("gap",):
                    await hub._fanout._broadcast.publish(hub._fanout._channel(USER), GAP)
                case ("burst", int(count), bool(arrives)):
                    frames = log.commit(USER, count)
                    # All but the first: everything then waits for that one.
                    hub.deliver_local(frames[1:] if arrives else [])
                case ("deliver late", shuffler):
                    shuffler.shuffle(late)  # type: ignore[attr-defined]
                    hub.deliver_local(late)
                    late = []
                case ("pass", float(seconds)):
                    await asyncio.sleep(seconds)
                case ("follow", after, float(pace)):
                    known = min(after, log.head(USER)) if isinstance(after, int) else None
                    epoch = None if known is None else hub.epoch
                    readers.append(Reader(hub, known, epoch, pace=pace, log=log))
                case ("leave", int(which)) if which < len(readers):
                    await readers.pop(which).stop()
                case ("database", bool(away)):
                    log.away = away
                case ("progress", int(number)):
                    hub.deliver_local([progress_of(USER, f"task-{number}", 0.5)])
                case ("prune", int(floor)):
                    log.prune(USER, min(floor, log.head(USER)))
                case ("restore", int(seq)):
                    log.restore(USER, min(seq, log.head(USER)))
        log.away = False
        await asyncio.sleep(LONG + 0.3 * log.head(USER))
        for reader in readers:
            await reader.stop()
    return log, readers


@settings(max_examples=300, deadline=None)
@given(st.lists(STEP, max_size=25), st.sampled_from([0.0, 0.004]))
def test_every_follower_has_every_event_once_and_in_order(steps: list[tuple[object, ...]], delay: float) -> None:
    log, readers = run(_play(steps, delay))
    for reader in readers:
        assert not reader.resets
        assert reader.cursor == log.head(USER)


@settings(max_examples=300, deadline=None)
@given(st.lists(STEP_WITH_LOSS_OF_HISTORY, max_size=25), st.sampled_from([0.0, 0.004]))
def test_a_lost_history_resets_and_never_leaves_a_gap(steps: list[tuple[object, ...]], delay: float) -> None:
    log, readers = run(_play(steps, delay))
    epoch = log.epoch
    for reader in readers:
        assert reader.cursor == log.head(USER)
        assert reader.welcome is not None
        assert (reader.resets[-1] if reader.resets else reader.welcome).epoch == epoch


# --- One thing at a time ---


def test_what_nobody_told_of_is_found_by_the_recheck_and_no_earlier() -> None:
    async def scenario() -> None:
        log = MemoryLog()
        async with hub_over(log) as hub:
            reader = Reader(hub)
            await asyncio.sleep(0.1)
            log.commit(USER)
            await asyncio.sleep(RECHECK - 1)
            assert reader.seqs == []
            await asyncio.sleep(1.2)
            assert reader.seqs == [1]
            await reader.stop()

    run(scenario())


def test_disorder_is_put_right_without_the_log() -> None:
    async def scenario() -> None:
        log = MemoryLog()
        async with hub_over(log) as hub:
            reader = Reader(hub)
            await asyncio.sleep(0.1)
            reads = log.reads
            first, second, third = log.commit(USER, 3)
            hub.deliver_local([third])
            hub.deliver_local([second])
            await asyncio.sleep(GRACE / 2)
            assert reader.seqs == []
            hub.deliver_local([first])
            await asyncio.sleep(2 * GRACE)
            assert reader.seqs == [1, 2, 3]
            assert log.reads == reads
            await reader.stop()

    run(scenario())


def test_what_is_missing_for_longer_is_read_from_the_log() -> None:
    async def scenario() -> None:
        log = MemoryLog()
        async with hub_over(log) as hub:
            reader = Reader(hub)
            await asyncio.sleep(0.1)
            reads = log.reads
            hub.deliver_local(log.commit(USER, 3)[1:])
            await asyncio.sleep(1.1 * GRACE)
            assert reader.seqs == [1, 2, 3]
            assert log.reads == reads + 1
            await reader.stop()

    run(scenario())


def test_many_followers_of_many_users_cost_few_reads() -> None:
    async def scenario() -> None:
        log = MemoryLog(delay=0.001)
        async with hub_over(log) as hub, contextlib.AsyncExitStack() as stack:
            followers = [stack.enter_context(hub.follow(user)) for user in range(100) for _ in range(10)]
            welcomes = await asyncio.gather(*(anext(follower) for follower in followers))
            assert len(welcomes) == 1000
            assert log.reads < 10

    run(scenario())


def test_progress_that_waits_gives_way_to_newer() -> None:
    async def scenario() -> None:
        async with hub_over(MemoryLog()) as hub:
            with hub.follow(USER) as follower:
                assert isinstance(await anext(follower), Position)
                for percent in range(100):
                    hub.deliver_local([progress_of(USER, f"task-{percent % 2}", percent / 100)])
                assert {(await anext(follower)).text for _ in range(2)} == {  # type: ignore[union-attr]
                    progress_of(USER, "task-0", 0.98).text,
                    progress_of(USER, "task-1", 0.99).text,
                }
                hub.deliver_local([progress_of(USER, f"task-{task}", 0.5) for task in range(10 * MOST_PROGRESS)])
                for _ in range(MOST_PROGRESS):
                    await anext(follower)
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(1):
                        await anext(follower)

    run(scenario())


def test_a_wait_that_was_cancelled_loses_nothing() -> None:
    async def scenario() -> None:
        log = MemoryLog(delay=0.003)
        log.commit(USER, 3 * PAGE)
        async with hub_over(log) as hub:
            with hub.follow(USER, 0) as follower:
                taken = attempts = 0
                while taken < 3 * PAGE:
                    attempts += 1
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(0.002 if attempts % 2 else 0.01):
                            while taken < attempts * 30:
                                item = await anext(follower)
                                if isinstance(item, Frame):
                                    taken += 1
                                    assert item.seq == taken

    run(scenario())


def test_a_log_that_went_back_in_its_epoch_resets() -> None:
    async def scenario() -> None:
        log = MemoryLog()
        log.commit(USER, 5)
        async with hub_over(log) as hub:
            reader = Reader(hub)
            await asyncio.sleep(0.1)
            log.restore(USER, 2)
            log.epoch = "epoch-1"
            await asyncio.sleep(RECHECK + 1)
            assert [reset.seq for reset in reader.resets] == [2]
            hub.deliver_local(log.commit(USER))
            await asyncio.sleep(0.1)
            assert reader.seqs == [3]
            await reader.stop()

    run(scenario())


def test_what_came_early_is_forgotten_with_its_history() -> None:
    async def scenario() -> None:
        log = MemoryLog()
        log.commit(USER, 5)
        async with hub_over(log) as hub:
            reader = Reader(hub)
            await asyncio.sleep(0.1)
            hub.deliver_local([frame_of(USER, 7, task="of the old history")])
            log.restore(USER, 4)
            log.epoch = "epoch-1"
            await asyncio.sleep(RECHECK + 1)
            frames = log.commit(USER, 3)
            hub.deliver_local(frames[:2])
            await asyncio.sleep(GRACE / 2)
            assert reader.seqs == [5, 6]
            hub.deliver_local(frames[2:])
            await asyncio.sleep(GRACE / 2)
            assert reader.newest == frames[2]
            await reader.stop()

    run(scenario())


def test_a_page_from_a_newer_epoch_resets_everybody_at_once() -> None:
    async def scenario() -> None:
        log = MemoryLog()
        log.commit(USER, 5)
        async with hub_over(log) as hub:
            old = Reader(hub, 5, "epoch-1")
            await asyncio.sleep(0.1)
            log.restore(USER, 4)
            new = Reader(hub, 4, "epoch-2")
            await asyncio.sleep(0.2)
            assert [reset.epoch for reset in old.resets] == ["epoch-2"]
            assert new.cursor == old.cursor == 4
            assert hub.epoch == "epoch-2"
            await old.stop()
            await new.stop()

    run(scenario())


def test_a_database_that_is_away_only_delays() -> None:
    async def scenario() -> None:
        log = MemoryLog()
        log.commit(USER, 5)
        async with hub_over(log) as hub:
            log.away = True
            reader = Reader(hub, 0)
            await asyncio.sleep(30)
            assert reader.welcome is None
            log.away = False
            await asyncio.sleep(2.5)
            assert reader.seqs == [1, 2, 3, 4, 5]
            await reader.stop()

    run(scenario())


def test_a_feed_outlives_its_last_follower_a_little() -> None:
    async def scenario() -> None:
        log = MemoryLog()
        async with hub_over(log) as hub:
            for pause in (LINGER / 2, LINGER + 1):
                with hub.follow(USER) as follower:
                    await anext(follower)
                    feed = hub._feeds[USER]
                await asyncio.sleep(pause)
                assert (hub._feeds.get(USER) is feed) == (pause < LINGER)

    run(scenario())


def test_followers_end_with_the_hub() -> None:
    async def scenario() -> None:
        log = MemoryLog()
        async with hub_over(log) as hub:
            with hub.follow(USER) as waiting, hub.follow(USER + 1) as early:
                await anext(waiting)
                ends = [asyncio.create_task(_rest(waiting)), asyncio.create_task(_rest(early))]
                await asyncio.sleep(0.1)
                await hub.close()
                await asyncio.wait_for(asyncio.gather(*ends), 1)
            with hub.follow(USER) as late:
                assert await _rest(late) == []

    run(scenario())


async def _rest(follower: Follower) -> list[object]:
    return [item async for item in follower]
