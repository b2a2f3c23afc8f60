"""The websocket and the event stream as a client meets them, on the real service."""

import asyncio
import contextlib
import socket as sockets
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import orjson
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Origin

from app.web import live
from tests.contracts.memory_log import progress_of
from tests.integration.live_service import Person, Service, close_code, receive, running


@pytest.fixture(scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with running(tmp_path_factory.mktemp("live")) as one:
        yield one


@pytest.fixture
async def ada(service: Service) -> Person:
    return await service.person()


async def seqs(socket: ClientConnection, count: int) -> list[int]:
    """The numbers of the next events."""
    return [(await receive(socket))["seq"] for _ in range(count)]


async def closing(socket: ClientConnection) -> AsyncIterator[str | bytes]:
    """What comes before the server closes."""
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(5):
            while True:
                yield await socket.recv()


async def refusal(connecting: object) -> tuple[int, dict[str, object]]:
    with pytest.raises(InvalidStatus) as refused:
        async with connecting:  # type: ignore[attr-defined]
            pass
    response = refused.value.response
    return response.status_code, orjson.loads(response.body or b"{}")


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
    "said", ["", "{", "[]", '"ping"', "null", '{"type":"echo"}', '{"type":1}', "NaN", b"\xff\x00", b"{}"]
)
async def test_anything_else_is_an_error_and_the_socket_lives(service: Service, ada: Person, said: str | bytes) -> None:
    async with service.connect(ada) as socket:
        await receive(socket)
        await socket.send(said)
        assert (await receive(socket))["type"] == "error"
        await socket.send('{"type":"ping"}')
        assert await receive(socket) == {"type": "pong"}


@pytest.mark.parametrize("parts", [1, 3])
async def test_a_frame_over_4_kib_closes(service: Service, ada: Person, parts: int) -> None:
    async with service.connect(ada) as socket:
        await receive(socket)
        most = orjson.dumps({"type": "echo", "data": "x" * (4096 - len('{"type":"echo","data":""}'))}).decode()
        await socket.send(most)
        assert (await receive(socket))["type"] == "echo"
        await socket.send([most, "", " "] if parts > 1 else most + " ")
        assert await close_code(socket) == 1009


async def test_flooding_closes(service: Service, ada: Person) -> None:
    async with service.connect(ada) as socket:
        await receive(socket)
        with contextlib.suppress(ConnectionClosed):
            for _ in range(200):
                await socket.send('{"type":"ping"}')
        pongs = [frame async for frame in closing(socket)]
        assert socket.close_code == 4013
        assert len(pongs) >= 60


async def test_the_eleventh_socket_closes_and_the_others_stay(service: Service, ada: Person) -> None:
    async with contextlib.AsyncExitStack() as stack:
        tabs = [await stack.enter_async_context(service.connect(ada)) for _ in range(10)]
        for tab in tabs:
            await receive(tab)
        async with service.connect(ada) as eleventh:
            assert await close_code(eleventh) == 4009
        await service.commit(ada)
        for tab in tabs:
            assert await seqs(tab, 1) == [1]
        await tabs.pop().close()
        async with asyncio.timeout(5), service.connect(ada) as another:
            assert (await receive(another))["type"] == "welcome"


# --- Endings ---


async def test_an_ended_session_closes_its_sockets_alone(service: Service, ada: Person) -> None:
    user = await service.resources.accounts.sign_in(ada.username, "a long walk at night")
    cookie = await service.resources.sessions.start(user, user_agent="phone", address="127.0.0.1")
    phone = Person(ada.id, ada.username, cookie)
    async with service.connect(ada) as ending, service.connect(phone) as staying:
        await receive(ending)
        await receive(staying)
        async with service.client(ada) as client:
            assert (await client.delete("/api/v1/session")).status_code == 204
        assert await close_code(ending) == 4001
        await service.commit(ada)
        assert await seqs(staying, 1) == [1]
    assert (await refusal(service.connect(ada)))[0] == 401


async def test_a_server_that_stops_says_so(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with running(tmp_path) as service:
            ada = await service.person()
            socket = await stack.enter_async_context(service.connect(ada))
            await receive(socket)
        assert await close_code(socket) == 1012


async def test_a_client_that_does_not_read_is_closed_and_costs_no_memory(
    service: Service, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    gave_up, end = asyncio.Event(), live.Socket.end

    def noticed(socket: live.Socket, why: int | None) -> None:
        end(socket, why)
        gave_up.set()

    monkeypatch.setattr(live.Socket, "end", noticed)
    monkeypatch.setattr(live, "SEND_WITHIN", 1.0)
    async with contextlib.AsyncExitStack() as stack:
        reading = await stack.enter_async_context(service.connect(ada))
        await receive(reading)
        raw = await stack.enter_async_context(deaf(service, ada))
        frames = await service.commit(ada, 40, size=200_000)
        for frame in frames:
            assert await reading.recv() == frame.text
        async with asyncio.timeout(10):
            await gave_up.wait()
        said = await asyncio.to_thread(read_all, raw)
        assert said.endswith(b"\x88\x02" + (4008).to_bytes(2, "big"))
        assert len(said) < 8_000_000
        await service.commit(ada)
        assert await seqs(reading, 1) == [41]


@contextlib.asynccontextmanager
async def deaf(service: Service, person: Person) -> AsyncIterator[sockets.socket]:
    """A websocket that has read the answer to its handshake and then reads no more."""
    host, port = service.origin.removeprefix("http://").split(":")
    with sockets.socket() as raw:
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        raw.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(raw, (host, int(port)))
        await loop.sock_sendall(
            raw,
            f"GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: {service.origin}\r\nCookie: {person.headers['Cookie']}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode(),
        )
        assert (await loop.sock_recv(raw, 12)).endswith(b" 101")
        yield raw


def read_all(raw: sockets.socket) -> bytes:
    raw.settimeout(10)
    parts = []
    while part := raw.recv(1 << 20):
        parts.append(part)
        if b"".join(parts[-2:]).endswith(b"\x88\x02" + (4008).to_bytes(2, "big")):
            break
    return b"".join(parts)


# --- Over plain HTTP ---


@contextlib.asynccontextmanager
async def stream(
    service: Service, person: Person, query: str = "", **headers: str
) -> AsyncIterator[AsyncIterator[dict[str, str]]]:
    """The events of a stream, each as its fields."""
    async with (
        service.client(person, timeout=10) as client,
        client.stream("GET", f"/api/v1/events/stream{query}", headers=headers) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield _events(response)


async def _events(response: httpx.Response) -> AsyncIterator[dict[str, str]]:
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            if "data" in fields:
                yield fields
            fields = {}


async def test_the_stream_has_the_same_frames_and_resumes(service: Service, ada: Person) -> None:
    frames = await service.commit(ada, 3)
    epoch = service.resources.hub.epoch
    async with stream(service, ada, "?after=1") as events:
        welcome = await anext(events)
        assert orjson.loads(welcome["data"])["type"] == "welcome"
        assert "id" not in welcome  # a client that broke off here would skip what it has not had
        assert await anext(events) == {"id": f"2@{epoch}", "data": frames[1].text}
        last = await anext(events)
    fresh = await service.commit(ada)
    async with stream(service, ada, **{"Last-Event-ID": last["id"]}) as events:
        await anext(events)
        assert await anext(events) == {"id": f"4@{epoch}", "data": fresh[0].text}
    async with stream(service, ada, **{"Last-Event-ID": "4@another"}) as events:
        await anext(events)
        assert orjson.loads((await anext(events))["data"])["type"] == "reset"


async def test_a_stream_ends_with_its_session_and_counts_as_a_socket(service: Service, ada: Person) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(9):
            await receive(await stack.enter_async_context(service.connect(ada)))
        async with stream(service, ada) as events:
            await anext(events)
            async with service.client(ada) as client:
                assert (await client.get("/api/v1/events/stream")).status_code == 429
                await client.delete("/api/v1/session")
            async with asyncio.timeout(5):
                assert [event async for event in events] == []
    async with service.client(ada) as client:
        assert (await client.get("/api/v1/events/stream")).status_code == 401


async def test_pages_of_the_log(service: Service, ada: Person) -> None:
    frames = await service.commit(ada, 5)
    async with service.client(ada) as client:
        first = (await client.get("/api/v1/events?limit=2")).json()
        assert first == {
            "epoch": service.resources.hub.epoch,
            "items": [orjson.loads(frame.text) for frame in frames[:2]],
            "next": 2,
        }
        last = (await client.get("/api/v1/events?after=3&limit=2")).json()
        assert [item["seq"] for item in last["items"]] == [4, 5]
        assert last["next"] is None
        assert (await client.get("/api/v1/events?after=5")).json()["items"] == []
        assert (await client.get("/api/v1/events?after=6")).status_code == 409
        assert (await client.get("/api/v1/events?after=-1")).status_code == 422
        await service.prune(ada, 2)
        assert (await client.get("/api/v1/events?after=1")).status_code == 409
    async with service.client() as client:
        assert (await client.get("/api/v1/events")).status_code == 401
