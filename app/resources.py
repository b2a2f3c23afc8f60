"""The only place where objects are wired together."""

import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from app.accounts import Accounts, Limits, Passwords, Revoked, Sessions
from app.artifacts import ArtifactStore
from app.artifacts.files import Files
from app.artifacts.room import Room
from app.catalogue import Catalogue
from app.db import Database, PostgresDatabase, SqliteDatabase, open_database
from app.events.fanout import Fanout
from app.events.hub import Hub
from app.migrate import check
from app.notifications.store import Notifications
from app.ops.failures import Failures
from app.ops.overview import Overview
from app.queues import TaskQueue, open_queue
from app.schedules.commands import Schedules
from app.schedules.store import ScheduleStore
from app.settings import Settings
from app.tasks.bulk import Bulk
from app.tasks.chains import Chains
from app.tasks.commands import Tasks
from app.tasks.line import Lines
from app.tasks.log import TaskLog
from app.tasks.moves import Moves
from app.tasks.outbox import Outbox
from app.tasks.params import ParamsChecker
from app.tasks.pauses import TOPIC as PAUSED
from app.tasks.pauses import Pauses
from app.tasks.postgresql import PostgresMoves
from app.tasks.quota import Quota
from app.tasks.run_times import RunTimes
from app.tasks.selection import Selections
from app.tasks.sqlite import SqliteMoves
from app.tasks.store import TaskStore
from app.tasks.waits import Waits

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Everything that a process is made of. Web pages, REST, sockets and workers take what they need from here."""

    settings: Settings
    db: Database
    queue: TaskQueue
    fanout: Fanout
    hub: Hub
    log: TaskLog
    moves: Moves
    store: TaskStore
    outbox: Outbox
    tasks: Tasks
    bulk: Bulk
    waits: Waits
    pauses: Pauses
    overview: Overview
    chains: Chains
    schedules: Schedules
    schedule_store: ScheduleStore
    catalogue: Catalogue
    artifacts: ArtifactStore
    files: Files
    notifications: Notifications
    accounts: Accounts
    limits: Limits
    sessions: Sessions


@contextlib.asynccontextmanager
async def open_resources(settings: Settings, *, secret_key: str = "") -> AsyncIterator[Resources]:
    """Open every part and close it in turn. Raises `Unavailable` without a database, `OutOfDate` where its schema is not this version's.

    A queue or an events server that does not answer is no error: work goes on without them and they are tried again.
    """
    async with contextlib.AsyncExitStack() as stack:
        db = await stack.enter_async_context(connected(settings))
        await check(db)
        log_of_events = TaskLog(db)
        key = bytes.fromhex(await db.fetch_val("SELECT value FROM meta WHERE key = 'event_key'"))
        fanout = Fanout(settings.events_url, deployment=settings.deployment, key=key, epoch=await log_of_events.epoch())
        await fanout.open()
        stack.push_async_callback(fanout.close)
        queue = open_queue(settings.queue_url, deployment=settings.deployment)
        await queue.open()
        stack.push_async_callback(queue.close)
        db.on_other_server = fanout.history.doubt
        hub = Hub(log_of_events, fanout)
        await hub.open()
        stack.push_async_callback(hub.close)

        moves = moves_on(db, lease=settings.lease_seconds)
        outbox = Outbox(fanout, queue, hub)
        stack.push_async_callback(outbox.drained)
        store = TaskStore(db, log_of_events)
        catalogue = Catalogue(db, alive=settings.lease_seconds)
        artifacts = ArtifactStore(settings.artifacts_url)
        files = Files(
            db,
            artifacts,
            Room(db, most=settings.limit_files),
            most=settings.limit_upload,
            kept=timedelta(days=settings.files_kept_days),
        )

        limits = Limits(
            sign_ups=settings.limit_sign_ups, sign_ins=settings.limit_sign_ins, requests=settings.limit_requests
        )

        async def signal_cancel(task_id: UUID) -> None:
            await fanout.signal("cancel", {"task": str(task_id)})

        async def signal_paused() -> None:
            await fanout.signal(PAUSED, {})

        async def signal_revoked(revoked: Revoked) -> None:
            await fanout.signal(
                "session", {"user": revoked.user_id, "sessions": [token_hash.hex() for token_hash in revoked.sessions]}
            )

        chains = Chains(db)
        pauses = Pauses(db, catalogue, signal=signal_paused)
        quota = Quota(store, most=settings.limit_waiting)
        tasks = Tasks(
            moves=moves,
            store=store,
            chains=chains,
            catalogue=catalogue,
            params=ParamsChecker(files),
            quota=quota,
            outbox=outbox,
            artifacts=artifacts,
            room=files.room,
            signal_cancel=signal_cancel,
        )
        schedule_store = ScheduleStore(db)

        yield Resources(
            settings=settings,
            db=db,
            queue=queue,
            fanout=fanout,
            hub=hub,
            log=log_of_events,
            moves=moves,
            store=store,
            outbox=outbox,
            tasks=tasks,
            bulk=Bulk(Selections(db, log_of_events), tasks),
            chains=chains,
            schedules=Schedules(schedule_store, tasks),
            schedule_store=schedule_store,
            waits=Waits(
                store=store,
                catalogue=catalogue,
                outbox=outbox,
                quota=quota,
                lines=Lines(db),
                run_times=RunTimes(db),
                pauses=pauses,
            ),
            pauses=pauses,
            overview=Overview(db, catalogue, pauses, Failures(db, tasks)),
            catalogue=catalogue,
            artifacts=artifacts,
            files=files,
            notifications=Notifications(db),
            accounts=Accounts(db, Passwords(), limits, first_operates=settings.first_user_operates),
            limits=limits,
            sessions=Sessions(db, secret_key, on_revoked=signal_revoked),
        )


@contextlib.asynccontextmanager
async def connected(settings: Settings, *, pool: int | None = None) -> AsyncIterator[Database]:
    """The database alone, on connections of this event loop."""
    db = open_database(settings.database_url, pool=pool or settings.database_pool)
    await db.connect()
    try:
        yield db
    finally:
        await db.disconnect()


def moves_on(db: Any, *, lease: float) -> Moves:
    """The moves in the dialect of `db`. `lease`: seconds that a claim holds without a heartbeat."""
    match db:
        case PostgresDatabase():
            return PostgresMoves(db, lease=lease)
        case SqliteDatabase():
            return SqliteMoves(db, lease=lease)
        case _:
            raise TypeError(type(db))
