"""redis://: Redis by arq. A message is a job; each lane has its list, named after the deployment and the version."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar
from uuid import UUID

import orjson
from arq.connections import ArqRedis
from arq.worker import Retry, Worker, func
from redis.asyncio import ConnectionPool

from app.backoff import Backoff
from app.errors import Unavailable
from app.queues.base import Slots, Wake
from app.queues.consumer import AT_ONCE, Consumer, Full, WakeFailed, first
from app.queues.message import MOST_WAITING, VERSION, Malformed, pack, unpack
from app.redis_errors import REDIS_ERRORS

ANSWER: Final = 5.0  # seconds that Redis gets to store messages
SILENCE: Final = 3.0  # seconds without an answer after which a connection is given up
POLL: Final = 0.02  # seconds between two looks of an idle consumer
REDELIVER: Final = 10.0  # seconds after which a message of a killed consumer comes again
IN_FLIGHT: Final = 8  # messages that are sent at once
JOB: Final = "wake"

Answer = TypeVar("Answer")

log = logging.getLogger(__name__)
# arq tells two lines a job, and one for each hint that a day without workers made too old.
logging.getLogger("arq").setLevel(logging.ERROR)


class ArqQueue:
    """While Redis is known to be away, `wake` raises `Unavailable` at once."""

    def __init__(self, url: str, *, deployment: str, most_waiting: int = MOST_WAITING) -> None:
        self._url = url
        self._prefix = f"arq:taskline:{deployment}:v{VERSION}:"
        self._most_waiting = most_waiting
        self._redis: ArqRedis | None = None
        self._probe: asyncio.Task[None] | None = None

    async def open(self) -> None:
        if self._redis is None:
            self._redis = _connect(self._url)
            try:
                await self.ping()
            except Unavailable as error:
                log.warning("%s", error)
                self._away()

    async def close(self) -> None:
        if self._probe is not None:
            self._probe.cancel()
            await asyncio.wait({self._probe})
        if self._redis is not None:
            await self._redis.aclose(close_connection_pool=True)
            self._redis = None

    async def wake(self, lane: str, tasks: Sequence[UUID]) -> None:
        self._check_there()
        try:
            await self._answered(self._send(self._prefix + lane, pack(lane, tasks)), ANSWER)
        except Unavailable:
            self._away()
            raise

    async def consume(self, lane: str, wake: Wake, slots: Slots) -> None:
        consumer = Consumer(lane, wake, slots)
        await consumer.run(lambda: self._session(consumer))

    async def depth(self, lane: str) -> int:
        return int(await self._answered(self._client.zcard(self._prefix + lane), SILENCE))

    async def ping(self) -> None:
        self._check_there()
        await self._write()

    @property
    def _client(self) -> ArqRedis:
        if self._redis is None:
            raise Unavailable("The queue is closed.")
        return self._redis

    async def _send(self, queue: str, bodies: Sequence[bytes]) -> None:
        redis = self._client
        if await redis.zcard(queue) >= self._most_waiting:
            return
        for start in range(0, len(bodies), IN_FLIGHT):
            sending = (
                redis.enqueue_job(JOB, body.decode(), _queue_name=queue) for body in bodies[start : start + IN_FLIGHT]
            )
            for result in await asyncio.gather(*sending, return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result

    async def _answered(self, question: Awaitable[Answer], within: float) -> Answer:
        try:
            async with asyncio.timeout(within):
                return await question
        except REDIS_ERRORS as error:
            raise Unavailable(f"Redis does not answer: {error or type(error).__name__}") from error

    def _check_there(self) -> None:
        if self._probe is not None and not self._probe.done():
            raise Unavailable("Redis is not connected.")

    async def _write(self) -> None:
        # A PING would be answered by a Redis that has no room for messages, too.
        await self._answered(self._client.psetex(f"{self._prefix}ping", 1_000, b""), SILENCE)

    def _away(self) -> None:
        if self._redis is not None and (self._probe is None or self._probe.done()):
            self._probe = asyncio.create_task(self._until_back())

    async def _until_back(self) -> None:
        backoff = Backoff(most=1.0)
        while True:
            await backoff.wait()
            with suppress(Unavailable):
                return await self._write()

    async def _session(self, consumer: Consumer) -> None:
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def handle(ctx: dict[Any, Any], body: str) -> None:  # noqa: ARG001  arq's signature
            try:
                # In a task of its own: arq cancels its jobs when Redis is lost, and a claim must not be.
                await asyncio.shield(consumer.start(consumer.hand_over(unpack(consumer.lane, body))))
            except Malformed as error:
                log.warning("lane %s: %s", consumer.lane, error)
            except Full:
                raise Retry from None
            except WakeFailed as error:
                if not failed.done():
                    failed.set_exception(error)
                raise Retry from None

        async def started(ctx: dict[Any, Any]) -> None:  # noqa: ARG001  arq's signature
            consumer.consuming()

        redis = _connect(self._url)
        worker = Worker(
            [func(handle, name=JOB)],
            queue_name=self._prefix + consumer.lane,
            redis_pool=redis,
            on_startup=started,
            handle_signals=False,
            max_jobs=AT_ONCE,
            max_tries=sys.maxsize,  # a try is a worker that was full or that died, neither is the message's fault
            keep_result=0,
            poll_delay=POLL,
            job_serializer=_stored,
            job_deserializer=_job,
        )
        worker.in_progress_timeout_s = REDELIVER
        worker.allow_pick_jobs = False
        try:
            await first(worker.async_run(), _pick_while_free(worker, consumer), failed, consumer.stopping.wait())
            await consumer.settle()
        finally:
            await _finish(worker)
            await redis.aclose(close_connection_pool=True)


def _connect(url: str) -> ArqRedis:
    pool = ConnectionPool.from_url(url, socket_timeout=SILENCE, socket_connect_timeout=SILENCE)
    return ArqRedis(pool, job_serializer=_stored, job_deserializer=_job)


def _stored(job: dict[str, Any]) -> bytes:
    return orjson.dumps(job, default=repr)  # arq stores failures too, with their exception


def _job(stored: bytes) -> dict[str, Any]:
    """The job in arq's terms. One that is not ours becomes a body that is not ours, to be dropped like any other."""
    try:
        match orjson.loads(stored):
            case {"f": str(name), "a": [str(body)]} if name == JOB:
                pass
            case _:
                body = repr(stored)
    except orjson.JSONDecodeError:
        body = repr(stored)
    return {"t": None, "f": JOB, "a": [body], "k": {}, "et": 0}


async def _pick_while_free(worker: Worker, consumer: Consumer) -> None:
    while True:
        await consumer.slots.wait_free()
        worker.allow_pick_jobs = True
        await consumer.stay_full()
        worker.allow_pick_jobs = False


async def _finish(worker: Worker) -> None:
    """Let jobs tell Redis how they ended; those that cannot are dropped, which ends no claim."""
    if jobs := list(worker.tasks.values()):
        _, late = await asyncio.wait(jobs, timeout=SILENCE)
        for job in late:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
