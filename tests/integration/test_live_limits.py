"""What the websocket does about clients that say too much, open too many, read nothing, or have to go."""

import asyncio
import contextlib
import logging
import re
import socket as sockets
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from websockets.exceptions import ConnectionClosed

from app import server
from app.web import live
from app.web import stream as web_stream
from tests.integration.live_service import Person, Service, close_code, closing, receive, refusal, running, seqs


@pytest.fixture(scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with running(tmp_path_factory.mktemp("live")) as one:
        yield one


@pytest.fixture
async def ada(service: Service) -> Person:
    return await service.person()


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


@pytest.mark.parametrize("way", ["password", "one", "others"])
async def test_so_does_the_account_page(service: Service, ada: Person, way: str) -> None:
    user = await service.resources.accounts.sign_in(ada.username, "a long walk at night")
    cookie = await service.resources.sessions.start(user, user_agent="phone", address="127.0.0.1")
    async with service.connect(Person(ada.id, ada.username, cookie)) as ending, service.connect(ada) as staying:
        await receive(ending)
        await receive(staying)
        async with service.client(ada) as client:
            if way == "password":
                data = {"current": "a long walk at night", "new": "a short swim at noon"}
                answer = await client.post("/account/password", data=data)
            elif way == "one":
                (action,) = re.findall(r"/account/sessions/[0-9a-f]+/end", (await client.get("/account")).text)
                answer = await client.post(action)
            else:
                answer = await client.post("/account/sessions/end-others")
            assert answer.status_code == 303
        assert await close_code(ending) == 4001
        await service.commit(ada)
        assert await seqs(staying, 1) == [1]


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


@pytest.mark.parametrize("path", ["/ws", "/api/v1/events/stream"])
async def test_one_who_never_reads_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    for module, limit in ((live, "SEND_WITHIN"), (live, "CLOSE_WITHIN"), (web_stream, "SEND_WITHIN")):
        monkeypatch.setattr(module, limit, 0.2)
    monkeypatch.setattr(server, "UNREAD_WITHIN", 2)
    async with running(tmp_path) as service:
        ada = await service.person()
        async with deaf(service, ada, path) as raw:
            await service.commit(ada, 40, size=200_000)
            assert held(raw), "the kernel took it all: send more"
            async with asyncio.timeout(15):
                while held(raw):  # noqa: ASYNC110  the kernel tells nobody
                    await asyncio.sleep(0.1)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def held(raw: sockets.socket) -> bool:
    """Whether a process still has the other end of a connection."""
    ends = [raw.getpeername()[1], raw.getsockname()[1]]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, _, _, _, _, _, inode, *_ = line.split()
        if [int(address.split(":")[1], 16) for address in (local, remote)] == ends and int(inode):
            return True
    return False


@contextlib.asynccontextmanager
async def deaf(service: Service, person: Person, path: str = "/ws") -> AsyncIterator[sockets.socket]:
    """A websocket, or a stream, that has read the first bytes of the answer and then reads no more."""
    host, port = service.origin.removeprefix("http://").split(":")
    upgrade = (
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    )
    with sockets.socket() as raw:
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        raw.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(raw, (host, int(port)))
        await loop.sock_sendall(
            raw,
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: {service.origin}\r\n"
            f"Cookie: {person.headers['Cookie']}\r\n{upgrade if path == '/ws' else ''}\r\n".encode(),
        )
        assert (await loop.sock_recv(raw, 12))[8:] in (b" 101", b" 200")
        yield raw


def read_all(raw: sockets.socket) -> bytes:
    raw.settimeout(10)
    parts = []
    while part := raw.recv(1 << 20):
        parts.append(part)
        if b"".join(parts[-2:]).endswith(b"\x88\x02" + (4008).to_bytes(2, "big")):
            break
    return b"".join(parts)
