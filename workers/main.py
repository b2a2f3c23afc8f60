"""A worker: open what it needs, consume, drain on a signal."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from app.catalogue import Catalogue, LeftOut, Worker, Workload
from app.resources import Resources, connected, moves_on
from app.schedules.firing import Firing
from app.settings import Settings
from app.tasks.pauses import TOPIC as PAUSED
from app.tasks.pruning import Pruning
from app.tasks.retention import Retention
from app.version import VERSION
from workers.allowance import Allowance
from workers.chainer import Chainer
from workers.describe import describe, sources
from workers.description import Catalogue as Described
from workers.execution import Execution
from workers.heart import Contact, Rhythm
from workers.lane import Lane
from workers.lane_changes import LaneChanges
from workers.pauses import PauseWatch
from workers.pruner import Pruner
from workers.reload import Reloader
from workers.runtime import Runtime
from workers.scheduler import Scheduler
from workers.scratch import scratch
from workers.sweeper import Sweeper
from workers.unknown import UnknownWorkloads

log = logging.getLogger(__name__)

ANY_LEASE: Final = 1e9  # seconds


async def publish_workloads(settings: Settings, catalogue: Catalogue) -> Described:
    """Describe every workload that this installation has, and write them to the catalogue. What cannot be offered is logged."""
    described = await describe(sources(settings.workloads))
    for left_out in described.skipped:
        log.warning("%s is left out: %s", left_out.source, left_out.reason)
    for heavy in described.heavy:
        log.warning("%s", heavy)
    await catalogue.publish(
        [
            Workload(**{field: getattr(one, field) for field in Workload.__slots__})
            for one in described.workloads.values()
        ]
    )
    return described


async def work(
    resources: Resources,
    described: Described,
    stopping: asyncio.Event,
    *,
    partial: bool = False,
    reload: bool = False,
) -> None:
    """Run tasks of the described workloads until `stopping` is set; then drain: what ends in time ends, the rest goes back to the queue.

    partial: others than these are left to other workers. reload: take up their code when it changes.
    """
    settings = resources.settings
    lease = settings.lease_seconds
    lanes = _lanes(settings, described, partial=partial)
    worker = Worker(
        id=uuid4(),
        host=socket.gethostname(),
        pid=os.getpid(),
        version=VERSION,
        started_at=datetime.now(UTC),
        last_seen_at=datetime.now(UTC),
        slots={lane.name: lane.slots for lane in lanes},
        **_offer(described),
    )

    @contextlib.asynccontextmanager
    async def contact() -> AsyncIterator[Contact]:
        async with connected(settings, pool=2) as db:
            yield Contact(moves_on(db, lease=lease), Catalogue(db, alive=lease))

    async with resources.db.sole_worker() as sole:
        if sole:
            # No other process can be running anything: what is marked as running died with an earlier one, and no other worker is alive.
            await resources.catalogue.forget_workers()
            resources.outbox.committed(await resources.moves.reap((), ahead=ANY_LEASE, limit=1_000_000))
    await resources.catalogue.forget_gone()
    async with contextlib.AsyncExitStack() as stack:
        # Said before it is ready to run anything: whoever asks meanwhile need not read that no worker is there.
        await resources.catalogue.beat(worker)
        stack.push_async_callback(resources.catalogue.leave, worker.id)
        folder = stack.enter_context(scratch(settings.data_dir / "scratch", worker.id))
        usual = Allowance(
            memory_mib=settings.task_memory_mib, disk_mib=settings.task_disk_mib, processes=settings.task_processes
        )
        heavy = sum(lane.slots for lane in lanes if lane.name == "heavy")
        execution = Execution(described, warm=heavy, usual=usual)
        execution.open()
        stack.push_async_callback(execution.close)
        runtime = Runtime(
            worker=worker,
            lanes=lanes,
            moves=resources.moves,
            outbox=resources.outbox,
            execution=execution,
            files=resources.files,
            artifacts=resources.artifacts,
            scratch=folder,
            rhythm=Rhythm.of(lease=lease, every=settings.heartbeat_seconds),
            poll=settings.poll_seconds,
            contact=contact,
        )
        sweeper = Sweeper(
            held=lambda: runtime.held,
            lanes=lanes,
            db=resources.db,
            moves=resources.moves,
            queue=resources.queue,
            outbox=resources.outbox,
            lease=lease,
            every=settings.sweep_seconds,
        )

        kept = timedelta(days=settings.events_kept_days)
        retention = Retention(resources.db, resources.artifacts, resources.files.room, kept=resources.files.kept)
        pruner = Pruner(Pruning(resources.db, kept=kept), resources.sessions, retention)

        firing = Firing(resources.schedule_store, resources.tasks)
        scheduler = Scheduler(resources.schedule_store, firing, every=settings.sweep_seconds)
        chainer = Chainer(
            resources.chains,
            resources.store,
            resources.tasks,
            resources.files,
            lease=lease,
            every=settings.sweep_seconds,
        )

        unknown = UnknownWorkloads(
            worker_id=worker.id,
            db=resources.db,
            catalogue=resources.catalogue,
            moves=resources.moves,
            outbox=resources.outbox,
            pauses=resources.pauses,
            after=timedelta(hours=settings.unknown_hours),
        )
        pauses = PauseWatch(resources.pauses, lanes, every=settings.sweep_seconds)
        await pauses.look()  # before anything is claimed

        lane_changes = LaneChanges(resources.db, _lane_of(described))

        def renew(changed: Described) -> None:
            execution.renew(changed)
            for lane in lanes:
                lane.learn(_able(changed, lane.name))
            lane_changes.learn(_lane_of(changed))
            runtime.renew(replace(worker, **_offer(changed)))

        reloader = Reloader(
            sources(settings.workloads),
            described,
            lambda: publish_workloads(settings, resources.catalogue),
            resources.catalogue.forget,
            renew,
        )

        async def heed(payload: dict[str, Any]) -> None:
            runtime.heed_cancel(UUID(payload["task"]))

        log.info("worker %s runs %s", worker.id, ", ".join(sorted(described.workloads)))
        claiming = asyncio.create_task(runtime.run())
        jobs = [
            asyncio.create_task(sweeper.run()),
            asyncio.create_task(pruner.run()),
            asyncio.create_task(scheduler.run()),
            asyncio.create_task(chainer.run()),
            asyncio.create_task(unknown.run()),
            asyncio.create_task(lane_changes.run()),
            asyncio.create_task(pauses.run()),
            asyncio.create_task(resources.fanout.subscribe_signals("cancel", heed)),
            asyncio.create_task(resources.fanout.subscribe_signals(PAUSED, pauses.heed)),
            *(asyncio.create_task(resources.queue.consume(lane.name, lane.wake, lane)) for lane in lanes),
        ]
        reloading = [asyncio.create_task(reloader.run())] if reload else []  # it may end by itself
        try:
            await _until(stopping, [claiming, *jobs])
        finally:
            for lane in lanes:
                lane.close()
            for job in [*jobs, *reloading]:
                job.cancel()
            await asyncio.gather(claiming, *jobs, *reloading, return_exceptions=True)
            await runtime.drain(settings.drain_seconds)
            await resources.outbox.drained()


async def _until(stopping: asyncio.Event, jobs: Sequence[asyncio.Task[None]]) -> None:
    """Until the event is set. A job that ends before is a fault of ours, and raises here."""
    waiting = asyncio.create_task(stopping.wait())
    try:
        done, _ = await asyncio.wait([waiting, *jobs], return_when=asyncio.FIRST_COMPLETED)
        for job in done - {waiting}:
            job.result()
            raise RuntimeError("a part of the worker ended by itself")
    finally:
        waiting.cancel()


def _lanes(settings: Settings, described: Described, *, partial: bool) -> list[Lane]:
    slots = {"light": settings.light_slots, "heavy": settings.heavy_slots or os.cpu_count() or 1}
    return [
        Lane(name, count, able, partial=partial) for name, count in slots.items() if (able := _able(described, name))
    ]


def _able(described: Described, lane: str) -> dict[str, int]:
    return {name: one.version for name, one in described.answering.items() if one.lane == lane}


def _lane_of(described: Described) -> dict[str, str]:
    return {name: one.lane for name, one in described.answering.items()}


def _offer(described: Described) -> dict[str, Any]:
    """What a worker says of the workloads that it runs and of those that it cannot."""
    return {
        "workloads": {name: one.version for name, one in described.answering.items()},
        "left_out": tuple(LeftOut(one.source, one.reason) for one in described.skipped),
    }
