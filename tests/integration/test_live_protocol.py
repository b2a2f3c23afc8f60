"""The websocket as a client meets it, on the real service."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import orjson
import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Origin

from tests.contracts.memory_log import progress_of
from tests.integration.live_service import Person, Service, receive, refusal, running, seqs


@pytest.fixture(scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with running(tmp_path_factory.mktemp("live")) as one:
        yield one


@pytest.fixture
async def ada(service: Service) -> Person:
    return await service.person()


# --- Opening ---


async def test_the_welcome_comes_first_and_says_where_the_log_stands(service: Service, ada: Person) -> None:
    await service.commit(ada, 3)
    async with service.connect(ada) as socket:
        welcome = await receive(socket)
        assert socket.subprotocol == "taskline.v1"
    assert welcome == {
        "type": "welcome",
        "epoch": service.resources.hub.epoch,
        "seq": 3,
        "user": {"id": ada.id, "username": ada.username},
    }


async def test_a_plain_subscriber_needs_no_subprotocol(service: Service, ada: Person) -> None:
    async with service.connect(ada, subprotocols=None) as socket:
        assert (await receive(socket))["type"] == "welcome"
        assert socket.subprotocol is None


async def test_no_session_is_refused_before_accept(service: Service, ada: Person) -> None:
    assert (await refusal(service.connect(None)))[0] == 401
    forged = Person(ada.id, ada.username, ada.cookie[:-4] + "AAAA")
    assert (await refusal(service.connect(forged)))[0] == 401


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", None])
async def test_a_foreign_page_is_refused_before_accept(service: Service, ada: Person, origin: str | None) -> None:
    status, problem = await refusal(service.connect(ada, origin=Origin(origin) if origin else None))
    assert status == 403
    assert problem["title"] == "Forbidden"


@pytest.mark.parametrize("after", ["-1", "x", "1.5", "", "9" * 19, "%D9%A3"])
async def test_a_position_that_is_none_is_refused_before_accept(service: Service, ada: Person, after: str) -> None:
    status, problem = await refusal(service.connect(ada, f"?after={after}"))
    assert status == 422
    assert problem["errors"] == {"after": "takes the seq of the last event that was seen, or 0"}


# --- Events ---


async def test_missed_events_come_first_then_live_ones(service: Service, ada: Person) -> None:
    missed = await service.commit(ada, 5)
    async with service.connect(ada, f"?after=2&epoch={service.resources.hub.epoch}") as socket:
        assert (await receive(socket))["seq"] == 5
        assert [await socket.recv() for _ in range(3)] == [frame.text for frame in missed[2:]]
        fresh = await service.commit(ada)
        assert await socket.recv() == fresh[0].text


async def test_without_a_position_it_starts_at_now(service: Service, ada: Person) -> None:
    await service.commit(ada, 5)
    async with service.connect(ada) as socket:
        await receive(socket)
        await service.commit(ada)
        assert await seqs(socket, 1) == [6]


async def test_every_tab_has_every_event_and_nobody_else_has(service: Service, ada: Person) -> None:
    other = await service.person()
    async with contextlib.AsyncExitStack() as stack:
        tabs = [await stack.enter_async_context(service.connect(ada, "?after=0")) for _ in range(5)]
        stranger = await stack.enter_async_context(service.connect(other, "?after=0"))
        for socket in (*tabs, stranger):
            await receive(socket)
        await service.commit(ada, 50)
        for socket in tabs:
            assert await seqs(socket, 50) == list(range(1, 51))
        await service.commit(other)
        assert await seqs(stranger, 1) == [1]


async def test_a_long_absence_is_replayed_page_by_page(service: Service, ada: Person) -> None:
    await service.commit(ada, 1777)
    async with service.connect(ada, "?after=0") as socket:
        await receive(socket)
        assert await seqs(socket, 1777) == list(range(1, 1778))


async def test_an_event_that_nobody_told_of_comes_with_the_recheck(service: Service, ada: Person) -> None:
    async with service.connect(ada) as socket:
        await receive(socket)
        await service.commit(ada, tell=False)
        began = time.monotonic()
        assert (await receive(socket, within=6))["seq"] == 1
        assert time.monotonic() - began < 5


async def test_progress_has_no_seq_and_ends_with_its_task(service: Service, ada: Person) -> None:
    async with service.connect(ada) as socket:
        await receive(socket)
        [queued] = await service.commit(ada)
        progress = progress_of(ada.id, queued.task_id, 0.5)
        service.resources.hub.deliver_local([progress])
        assert (await receive(socket))["seq"] == 1
        assert await socket.recv() == progress.text
        [ended] = await service.commit(ada, kind="task.succeeded")
        service.resources.hub.deliver_local([progress_of(ada.id, ended.task_id, 0.9)])
        await service.commit(ada)
        assert await seqs(socket, 2) == [2, 3]


@pytest.mark.parametrize("every", [1, 150, 397, 1009])
async def test_a_connection_that_breaks_after_every_nth_byte(service: Service, ada: Person, every: int) -> None:
    """Cut in the handshake, in a frame, between frames: whoever goes on from the last event has each once."""
    total, seen, tries = 60, 0, 0
    committing = asyncio.create_task(trickle(service, ada, total))
    async with cutting(service) as proxy:
        while seen < total:
            tries += 1
            proxy.budget = 400 + every * tries  # bytes of the server until the connection breaks
            with contextlib.suppress(ConnectionClosed, InvalidHandshake, EOFError, OSError):
                async with service.connect(ada, f"?after={seen}", host="127.0.0.1", port=proxy.port) as socket:
                    while seen < total:
                        frame = await receive(socket)
                        if frame["type"] != "welcome":
                            assert frame["seq"] == seen + 1
                            seen = frame["seq"]
    assert tries > 1
    await committing


async def trickle(service: Service, person: Person, count: int) -> None:
    for _ in range(count):
        await service.commit(person)
        await asyncio.sleep(0.005)


class Cutting:
    """A proxy that breaks each connection after `budget` bytes from the server."""

    budget = 0
    port = 0


@contextlib.asynccontextmanager
async def cutting(service: Service) -> AsyncIterator[Cutting]:
    proxy = Cutting()
    host, port = service.origin.removeprefix("http://").split(":")

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, budget: int) -> None:
        while budget > 0 and (data := await reader.read(min(budget, 1 << 16))):
            budget -= len(data)
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, downstream = await asyncio.open_connection(host, int(port))
        up = asyncio.create_task(carry(reader, downstream, 1 << 30))
        await asyncio.gather(carry(upstream, writer, proxy.budget), return_exceptions=True)
        downstream.close()
        up.cancel()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()


# --- Where a client cannot resume ---


@pytest.mark.parametrize("query", ["?after=1", "?after=2&epoch={epoch}"])
async def test_out_of_retention_is_a_reset(service: Service, ada: Person, query: str) -> None:
    await service.commit(ada, 6)
    await service.prune(ada, 4)
    async with service.connect(ada, query.format(epoch=service.resources.hub.epoch)) as socket:
        await receive(socket)
        reset = await receive(socket)
        assert reset == {"type": "reset", "epoch": service.resources.hub.epoch, "seq": 6, "tasks": []}
        await service.commit(ada)
        assert await seqs(socket, 1) == [7]


async def test_a_position_that_is_just_kept_is_none(service: Service, ada: Person) -> None:
    await service.commit(ada, 6)
    await service.prune(ada, 4)
    async with service.connect(ada, "?after=4") as socket:
        await receive(socket)
        assert await seqs(socket, 2) == [5, 6]


async def test_ahead_of_the_log_is_a_reset(service: Service, ada: Person) -> None:
    await service.commit(ada, 2)
    async with service.connect(ada, "?after=3") as socket:
        await receive(socket)
        assert (await receive(socket))["type"] == "reset"


async def test_another_epoch_is_a_reset(service: Service, ada: Person) -> None:
    await service.commit(ada, 2)
    async with service.connect(ada, "?after=2&epoch=deadbeef") as socket:
        await receive(socket)
        assert (await receive(socket))["type"] == "reset"


async def test_a_restored_database_resets_those_who_are_connected(service: Service, ada: Person) -> None:
    await service.commit(ada, 2)
    async with service.connect(ada, "?after=2") as socket:
        before = await receive(socket)
        await service.restore()
        reset = await receive(socket, within=6)
        assert reset["type"] == "reset"
        assert reset["epoch"] != before["epoch"]
        await service.commit(ada)
        assert await seqs(socket, 1) == [3]


async def test_a_log_pruned_under_a_live_socket_leaves_no_gap(service: Service, ada: Person) -> None:
    await service.commit(ada, 2000)
    async with service.connect(ada, "?after=0") as socket:
        await receive(socket)
        await seqs(socket, 1)
        await service.prune(ada, 1990)
        cursor = 1
        while cursor < 2000:
            frame = await receive(socket)
            assert frame["type"] == "reset" or frame["seq"] == cursor + 1
            cursor = frame["seq"]


# --- What a client may say ---


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ({"type": "ping"}, {"type": "pong"}),
        ({"type": "ping", "id": "a"}, {"type": "pong", "id": "a"}),
        ({"type": "ping", "id": None}, {"type": "pong", "id": None}),
        ({"type": "echo", "data": {"a": [1, "ü", None, 1.5]}}, {"type": "echo", "data": {"a": [1, "ü", None, 1.5]}}),
        ({"type": "echo", "data": None}, {"type": "echo", "data": None}),
    ],
)
async def test_ping_and_echo(service: Service, ada: Person, said: object, answer: object) -> None:
    async with service.connect(ada) as socket:
        await receive(socket)
        await socket.send(orjson.dumps(said).decode())
        assert await receive(socket) == answer


@pytest.mark.parametrize(
    "said",
    [
        *("", "{", "[]", '"ping"', "null", '{"type":"echo"}', '{"type":1}', "NaN", b"\xff\x00", b"{}"),
        # deeper than what can be written again
        f'{{"type":"echo","data":{"[" * 500}{"]" * 500}}}',
    ],
)
async def test_anything_else_is_an_error_and_the_socket_lives(service: Service, ada: Person, said: str | bytes) -> None:
    async with service.connect(ada) as socket:
        await receive(socket)
        await socket.send(said)
        assert (await receive(socket))["type"] == "error"
        await socket.send('{"type":"ping"}')
        assert await receive(socket) == {"type": "pong"}
