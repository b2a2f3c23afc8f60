"""The proxy does what its verbs say, on real sockets: a fault that does not happen proves nothing."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from tests.faults.proxy import Proxy

WITHIN = 5.0


class Server:
    """Echoes lines; remembers what it was sent."""

    def __init__(self) -> None:
        self.port = 0
        self.heard = bytearray()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(1 << 16):
                self.heard += chunk
                writer.write(chunk.upper())
                await writer.drain()
        writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    echo = Server()
    listening = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    echo.port = listening.sockets[0].getsockname()[1]
    yield echo
    listening.close()


@pytest.fixture
async def proxy(server: Server) -> AsyncIterator[Proxy]:
    async with Proxy(server.port) as made:
        yield made


class Client:
    """A connection by way of the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, text: bytes) -> bytes:
        self.writer.write(text)
        return await self.hear(len(text))

    async def hear(self, number: int) -> bytes:
        async with asyncio.timeout(WITHIN):
            return await self.reader.readexactly(number)

    async def is_silent(self) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await self.reader.read(1)
                return False
        return True

    async def end(self) -> bytes:
        """All that still comes until the connection ends, in order or by a reset."""
        said = bytearray()
        async with asyncio.timeout(WITHIN):
            with contextlib.suppress(ConnectionError):
                while chunk := await self.reader.read(1 << 16):
                    said += chunk
        return bytes(said)


@contextlib.asynccontextmanager
async def connected(proxy: Proxy) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


async def test_it_forwards_until_told_otherwise(proxy: Proxy, server: Server) -> None:
    async with connected(proxy) as client:
        assert await client.ask(b"hello") == b"HELLO"
        large = b"x" * 3_000_000
        client.writer.write(large)
        assert await client.hear(len(large)) == large.upper()
        assert proxy.connections == proxy.accepted == 1
        client.writer.write_eof()
        assert await client.end() == b""
    assert server.heard == b"hello" + large


def test_a_url_goes_by_the_proxy() -> None:
    proxy = Proxy(5432)
    assert (
        proxy.url("postgresql://ada:secret@127.0.0.1:5432/tasks?x=1")
        == f"postgresql://ada:secret@127.0.0.1:{proxy.port}/tasks?x=1"
    )
    assert proxy.url("redis://localhost:6379/0") == f"redis://127.0.0.1:{proxy.port}/0"


async def test_cut_resets_and_refuses_and_restore_takes_the_same_port_again(proxy: Proxy) -> None:
    async with connected(proxy) as client:
        assert await client.ask(b"hello") == b"HELLO"
        await proxy.cut()
        with pytest.raises(ConnectionResetError):
            await client.hear(1)
    assert proxy.connections == 0
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", proxy.port)
    proxy.restore()
    async with connected(proxy) as client:
        assert await client.ask(b"again") == b"AGAIN"


async def test_drop_resets_once(proxy: Proxy) -> None:
    async with connected(proxy) as client, connected(proxy) as other:
        assert [await one.ask(b"hello") for one in (client, other)] == [b"HELLO"] * 2
        proxy.drop()
        for one in (client, other):
            with pytest.raises(ConnectionResetError):
                await one.hear(1)
        async with connected(proxy) as third:
            assert await third.ask(b"hello") == b"HELLO"


async def test_a_black_hole_keeps_connections_and_passes_nothing(proxy: Proxy, server: Server) -> None:
    async with connected(proxy) as before:
        assert await before.ask(b"hello") == b"HELLO"
        proxy.black_hole()
        async with connected(proxy) as during:
            for client in (before, during):
                client.writer.write(b"lost")
                assert await client.is_silent()
            assert server.heard == b"hello"
            proxy.restore()
            for client in (before, during):
                assert await client.end() == b"", "a stream that lost bytes does not go on"
    async with connected(proxy) as after:
        assert await after.ask(b"hello") == b"HELLO"


async def test_a_connection_that_was_quiet_survives_a_black_hole(proxy: Proxy) -> None:
    async with connected(proxy) as client:
        assert await client.ask(b"hello") == b"HELLO"
        proxy.black_hole()
        proxy.restore()
        assert await client.ask(b"again") == b"AGAIN"


async def test_a_delay_holds_each_direction(proxy: Proxy) -> None:
    async with connected(proxy) as client:
        assert await client.ask(b"hello") == b"HELLO"
        proxy.delay(0.1)
        began = time.monotonic()
        assert await client.ask(b"hello") == b"HELLO"
        assert 0.2 <= time.monotonic() - began < 2


@pytest.mark.parametrize("number", [0, 1, 3, 5, 9])
async def test_cut_after_ends_each_connection_at_exactly_that_byte(proxy: Proxy, number: int) -> None:
    proxy.cut_after(number)
    for _ in range(2):
        async with connected(proxy) as client:
            client.writer.write(b"0123456789")
            assert await client.end() == b"0123456789"[:number]
    proxy.restore()
    async with connected(proxy) as client:
        assert await client.ask(b"0123456789") == b"0123456789"


async def test_cut_after_counts_towards_the_server_too(proxy: Proxy, server: Server) -> None:
    proxy.cut_after(4, "server")
    async with connected(proxy) as client:
        client.writer.write(b"0123456789")
        await client.end()
    assert server.heard == b"0123"


async def test_an_answer_is_cut_and_its_request_has_arrived(proxy: Proxy, server: Server) -> None:
    async with connected(proxy) as client, connected(proxy) as other:
        cut = proxy.cut_answer(b"COMMIT")
        assert await client.ask(b"begin") == b"BEGIN"
        assert not cut.is_set()
        client.writer.write(b"and CO")
        assert await client.hear(6) == b"AND CO"
        client.writer.write(b"MMIT")
        assert await client.end() == b""
        async with asyncio.timeout(WITHIN):
            await cut.wait()
        assert server.heard == b"beginand COMMIT"
        assert await other.ask(b"COMMIT") == b"COMMIT", "once"


async def test_an_answer_is_known_by_what_it_says_and_thrown_away_to_its_end(proxy: Proxy) -> None:
    async with connected(proxy) as client:
        cut = proxy.cut_answer(b"", answer=b"STARTED", end=b"READY")
        assert await client.ask(b"ready, none") == b"READY, NONE"
        client.writer.write(b"started")
        assert await client.is_silent()
        assert not cut.is_set()
        client.writer.write(b"ready")
        assert await client.end() == b""
        assert cut.is_set()


async def test_a_server_that_is_away_resets_the_client(server: Server) -> None:
    async with Proxy(1) as proxy, connected(proxy) as client:
        assert await client.end() == b""
    assert proxy.connections == 0
