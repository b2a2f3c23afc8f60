"""Sockets of real processes: they restart, are killed, lose their Redis, are cut and overrun; and every client still has every event once."""

import asyncio
import secrets
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing, suppress
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from tests.integration.people import Person, check_history, listening, person
from tests.integration.processes import Service, taskline
from tests.servers import Redis, free_port

SESSION_ENDED: Final = 4001
RESTARTING: Final = 1012
SOON: Final = 10.0  # seconds for what is to happen at once
RECHECK: Final = 5.0  # seconds that an event may be late where Redis has lost it
OWN_WORKLOADS: Final = Path(__file__).with_name("own_workloads")


@pytest.fixture(scope="module")
def mortal_redis() -> Iterator[Redis]:
    """A Redis for events alone, to be killed."""
    with closing(Redis(free_port())) as server:
        server.start()
        yield server


@pytest.fixture(scope="module")
def processes(module_database_url: str, redis_url: str, mortal_redis: Redis) -> Iterator[tuple[Service, Service]]:
    """Two web processes, with a worker, on one PostgreSQL. None of them may log an error, whatever is done to them."""
    settings: dict[str, Any] = {
        "database_url": module_database_url,
        "queue_url": redis_url,
        "events_url": mortal_redis.url,
        "deployment": f"t-{secrets.token_hex(4)}",
        "secret_key": secrets.token_hex(32),
        "workloads": "chatty",
    }
    taskline("migrate", **{**settings, "workloads": ""})
    first, second, worker = (Service(word, modules=OWN_WORKLOADS, **settings) for word in ("serve", "serve", "worker"))
    with closing(first), closing(second), closing(worker):
        for service in (first, second, worker):
            service.launch()
        for service in (first, second, worker):
            service.wait_ready()
        yield first, second
        for service in (first, second, worker):
            assert service.errors() == ""


async def submit(who: Person, base: str, count: int) -> set[str]:
    """Start tasks that end at once; their ids."""
    tasks = await asyncio.gather(*(who.submit(base, "countdown", {"seconds": 0}) for _ in range(count)))
    return {task["id"] for task in tasks}


def socket_of(who: Person, base: str, query: str = "?after=0", **way: Any) -> connect:
    """A socket without anybody who reads it. `way`: host and port, where it is to go by a proxy."""
    headers = {"Cookie": who.cookie}
    url = f"{base.replace('http', 'ws')}/ws{query}"
    return connect(url, origin=Origin(base), additional_headers=headers, open_timeout=SOON, close_timeout=0.2, **way)


async def received(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(SOON):
        frame: dict[str, Any] = orjson.loads(await socket.recv())
        return frame


async def close_code(socket: ClientConnection) -> int | None:
    """The code that the server closes with, whatever it sends before."""
    with suppress(ConnectionClosed):
        async with asyncio.timeout(SOON):
            while True:
                await socket.recv()
    return socket.close_code


async def test_every_process_tells_every_event(processes: tuple[Service, Service]) -> None:
    first, second = (service.url for service in processes)
    async with person(first) as who, listening(first, who) as here, listening(second, who) as there:
        began = time.monotonic()
        tasks = await submit(who, first, 20) | await submit(who, second, 20)
        for listener in (here, there):
            await listener.until_ended(tasks)
            check_history(listener.events, tasks)
        assert time.monotonic() - began < RECHECK - 1, "it was found by the recheck, not told"


async def test_progress_comes_five_times_a_second_at_most_and_none_after_the_end(
    processes: tuple[Service, Service],
) -> None:
    first, second = (service.url for service in processes)
    async with person(first) as who, listening(second, who) as listener:
        task = await who.submit(first, "chatty", {"seconds": 1.5})
        began = time.monotonic()
        await listener.until_ended({task["id"]})
        lasted = time.monotonic() - began
        await listener.until_ended(await submit(who, first, 1))  # whatever came late would be here by now
    kinds = [frame["type"] for frame in listener.frames if frame.get("task", {"id": task["id"]})["id"] == task["id"]]
    assert kinds[-1] == "task.succeeded"
    progress = [frame for frame in listener.frames if frame["type"] == "task.progress"]
    assert 4 <= len(progress) <= 5 * lasted + 1
    for frame in progress:
        assert set(frame) == {"type", "task_id", "attempt", "fraction", "message"}
        assert (frame["task_id"], frame["attempt"]) == (task["id"], 1)
    fractions = [frame["fraction"] for frame in progress]
    assert fractions == sorted(set(fractions))


async def test_the_end_of_a_session_closes_its_sockets_at_every_process(processes: tuple[Service, Service]) -> None:
    first, second = (service.url for service in processes)
    async with person(first) as who, socket_of(who, second) as there:
        await received(there)
        began = time.monotonic()
        assert (await who.http.delete(f"{first}/api/v1/session")).status_code == 204
        assert await close_code(there) == SESSION_ENDED
        assert time.monotonic() - began < 2


async def test_a_killed_process_costs_its_clients_nothing(processes: tuple[Service, Service]) -> None:
    first, second = processes
    async with person(first.url) as who:
        async with socket_of(who, second.url) as socket:
            welcome = await received(socket)
            tasks = await submit(who, first.url, 1)
            seen = [await received(socket) for _ in range(3)]
            await asyncio.to_thread(second.kill)
            assert await close_code(socket) == 1006
        tasks |= await submit(who, first.url, 1)
        query = f"?after={seen[-1]['seq']}&epoch={welcome['epoch']}"
        async with listening(first.url, who, query) as elsewhere:
            await elsewhere.until_ended(tasks - {seen[0]["task"]["id"]})
            check_history(seen + elsewhere.events, tasks)
        await asyncio.to_thread(second.start)
        async with listening(second.url, who, query) as again:
            await again.until_ended(tasks - {seen[0]["task"]["id"]})
            check_history(seen + again.events, tasks)


async def test_a_process_that_stops_says_so_and_its_clients_go_on_where_they_were(
    processes: tuple[Service, Service],
) -> None:
    first, second = processes
    async with person(first.url) as who:
        async with socket_of(who, second.url) as socket:
            welcome = await received(socket)
            stopping = asyncio.create_task(asyncio.to_thread(second.stop))
            assert await close_code(socket) == RESTARTING
            await stopping
        tasks = await submit(who, first.url, 2)
        await asyncio.to_thread(second.start)
        async with listening(second.url, who, f"?after=0&epoch={welcome['epoch']}") as again:
            await again.until_ended(tasks)
            check_history(again.events, tasks)


async def test_a_redis_that_is_killed_under_load_delays_events_and_loses_none(
    processes: tuple[Service, Service], mortal_redis: Redis, record_property: Any
) -> None:
    first, second = (service.url for service in processes)
    async with person(first) as who, listening(first, who) as here, listening(second, who) as there:
        tasks: set[str] = set()
        for happens in (mortal_redis.kill, lambda: None, mortal_redis.start, lambda: None):
            await asyncio.to_thread(happens)
            tasks |= await submit(who, first, 10) | await submit(who, second, 10)
        began = time.monotonic()
        for listener in (here, there):
            await listener.until_ended(tasks)
            check_history(listener.events, tasks)
        record_property("seconds", late := time.monotonic() - began)
        assert late < RECHECK + 1
        # And they are told again, not only found, once each process has noticed that Redis is back.
        async with asyncio.timeout(15):
            told = False
            while not told:
                began = time.monotonic()
                await there.until_ended(await submit(who, first, 1))
                told = time.monotonic() - began < 1


async def test_an_idle_socket_costs_little(record_property: Any) -> None:
    people, tabs = 50, 10
    with closing(Service(log_level="warning")) as service:
        await asyncio.to_thread(service.start)
        async with AsyncExitStack() as stack:
            all_of_them = [await stack.enter_async_context(person(service.url)) for _ in range(people)]
            await open_tabs(stack, service, all_of_them[:1])  # what is made once is made now
            before = memory(service)
            await open_tabs(stack, service, all_of_them[1:] + all_of_them[1:] * (tabs - 2))
            each = (memory(service) - before) / ((people - 1) * (tabs - 1))
            record_property("KiB", each / 1024)
            assert each < 40 * 1024


async def open_tabs(stack: AsyncExitStack, service: Service, people: list[Person]) -> None:
    for start in range(0, len(people), 50):
        some = people[start : start + 50]
        opened = await asyncio.gather(*(stack.enter_async_context(socket_of(who, service.url)) for who in some))
        for socket in opened:
            assert (await received(socket))["type"] == "welcome"


def memory(service: Service) -> int:
    """Bytes of real memory that the process has."""
    status = Path(f"/proc/{service.main_pid}/status").read_text()
    return 1024 * int(status.partition("VmRSS:")[2].split()[0])
