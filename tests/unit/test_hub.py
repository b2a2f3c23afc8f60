"""The hub: whatever gets lost, doubled or late on the way, each follower has every event once, in order."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from hypothesis import given, settings
from hypothesis import strategies as st

from app.events.fanout import Fanout
from app.events.feed import MOST_EARLY, PAGE, TAIL_FRAMES
from app.events.hub import Hub
from app.events.model import Frame, Position, Snapshot
from tests.contracts.memory_log import MemoryLog, progress_of
from tests.unit.skipping_loop import run

USER = 7
RECHECK = 5.0
LONG = 60.0  # seconds that pass at once


class Reader:
    """Keeps what a follower yields, and checks it as it comes."""

    def __init__(self, hub: Hub, after: int | None = None, epoch: str | None = None, *, pace: float = 0.0) -> None:
        self.welcome: Position | None = None
        self.seqs: list[int] = []
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
                self.cursor = item.seq if self.cursor is None else self.cursor
            case Snapshot():
                assert self.welcome is not None
                self.resets.append(item)
                self.cursor = item.seq
            case Frame(seq=None):
                assert item.task_id not in self._ended, "progress came after the end of its task"
                self.progress.append(item)
            case Frame(seq=int(seq)):
                assert self.cursor is not None
                assert seq == self.cursor + 1, f"{seq} came after {self.cursor}"
                self.cursor = seq
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
    fanout = Fanout("memory://", deployment="test", key=b"key", epoch=await log.epoch())
    await fanout.open()
    hub = Hub(log, fanout, recheck=recheck)
    await hub.open()
    try:
        yield hub
    finally:
        await hub.close()
        await fanout.close()


STEP = st.one_of(
    # how many events, and for each: deliver it now (once, twice), later, or never
    st.tuples(
        st.just("commit"),
        st.lists(st.sampled_from(["now", "twice", "late", "lost"]), min_size=1, max_size=6),
        st.booleans(),
    ),
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
                    readers.append(Reader(hub, known, pace=pace))
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
                    late = []
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
    epoch = run(log.epoch())
    for reader in readers:
        assert reader.cursor == log.head(USER)
        assert reader.welcome is not None
        assert (reader.resets[-1] if reader.resets else reader.welcome).epoch == epoch
