"""A TCP proxy of our own: what goes between a process and its server, to be cut, delayed, swallowed, or cut at exactly the wrong byte."""

import asyncio
import contextlib
import socket
import struct
from types import TracebackType
from typing import Final, Literal, Self
from urllib.parse import urlsplit, urlunsplit

from tests.servers import free_port

Side = Literal["client", "server"]

_CHUNK: Final = 1 << 16  # bytes
_ABORT: Final = struct.pack("ii", 1, 0)  # closing sends RST at once
POSTGRESQL_DONE: Final = b"Z\x00\x00\x00\x05I"  # ReadyForQuery outside a transaction: the statement has committed


class _Answer:
    """An answer that is to be thrown away, and how far that has come."""

    def __init__(self, marker: bytes, answer: bytes, end: bytes) -> None:
        self.marker, self.answer, self.end = marker, answer, end
        self.done = asyncio.Event()


class _Link:
    """One connection: two sockets, and what has gone through."""

    def __init__(self, client: socket.socket, limit: tuple[Side, int] | None) -> None:
        self.client = client
        self.server: socket.socket | None = None
        self.limit = limit
        self.passed: dict[Side, int] = {"client": 0, "server": 0}
        self.swallowed = False
        self.asked = False  # the request whose answer is to be cut went through here
        self.answering = False  # and that answer has begun
        self.tails: dict[Side, bytes] = {"client": b"", "server": b""}
        self.job: asyncio.Task[None] | None = None

    def holds(self, towards: Side, chunk: bytes, marker: bytes) -> bool:
        """Whether the stream holds `marker` with this chunk, also where it began in the one before."""
        seen = self.tails[towards] + chunk
        self.tails[towards] = seen[-(len(marker) - 1) :] if len(marker) > 1 else b""
        return marker in seen

    def reset(self) -> None:
        """Closing is to be a reset, for both sides."""
        for end in (self.client, self.server):
            if end is not None:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)

    def close(self) -> None:
        """Not before nobody reads from the sockets any more: the loop would take away the readers of others with the same numbers."""
        for end in (self.client, self.server):
            if end is not None:
                end.close()


class Proxy:
    """Listens on a port of its own and forwards to `port` of the loopback address, until told otherwise. Its port stays the same through `cut` and `restore`."""

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self.target = port
        self.accepted = 0  # connections so far
        self._listening: asyncio.Task[None] | None = None
        self._links: set[_Link] = set()
        self._delay = 0.0
        self._hole = False
        self._limit: tuple[Side, int] | None = None
        self._answer: _Answer | None = None

    async def __aenter__(self) -> Self:
        self.restore()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.cut()

    @property
    def connections(self) -> int:
        """How many are open now."""
        return len(self._links)

    def url(self, server_url: str) -> str:
        """The URL of a server of this machine, by way of the proxy."""
        parts = urlsplit(server_url)
        login, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{login}{at}127.0.0.1:{self.port}"))

    async def cut(self) -> None:
        """Reset every connection and refuse new ones, until `restore`."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
            self._listening = None
        jobs = [link.job for link in self._links if link.job]
        self.drop()
        await asyncio.gather(*jobs, return_exceptions=True)

    def restore(self) -> None:
        """Forward again, with no fault of any kind. Connections that have lost bytes are reset: a stream with a hole in it is no fault that exists."""
        self._delay, self._hole, self._limit, self._answer = 0.0, False, None, None
        for link in list(self._links):
            if link.swallowed:
                self._abort(link)
        if self._listening is None:
            listener = socket.create_server(("127.0.0.1", self.port), backlog=1024)
            listener.setblocking(False)
            self._listening = asyncio.create_task(self._listen(listener))

    def drop(self) -> None:
        """Reset every connection once; new ones are welcome."""
        for link in list(self._links):
            self._abort(link)

    def black_hole(self) -> None:
        """Connections stay, new ones are accepted, and nothing comes through, until `restore`."""
        self._hole = True

    def delay(self, seconds: float) -> None:
        """Each chunk of either direction waits for so long."""
        self._delay = seconds

    def cut_after(self, number: int, towards: Side = "client") -> None:
        """Each connection made from now on ends after exactly so many bytes towards the side, until `restore`."""
        self._limit = (towards, number)

    def cut_answer(self, marker: bytes, *, answer: bytes = b"", end: bytes = b"") -> asyncio.Event:
        """Let the next request through that holds `marker`, throw its answer away and cut that connection. The event is set then; all else goes on as usual.

        The answer is the server's next chunk that holds `answer`, with all that follows up to `end` in it: `POSTGRESQL_DONE` proves that the statement has
        committed. An empty `marker` stands for any request.
        """
        self._answer = _Answer(marker, answer, end)
        return self._answer.done

    async def _listen(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with listener:
            while True:
                client, _ = await loop.sock_accept(listener)
                client.setblocking(False)
                self.accepted += 1
                link = _Link(client, self._limit)
                self._links.add(link)
                link.job = asyncio.create_task(self._serve(link))

    async def _serve(self, link: _Link) -> None:
        loop = asyncio.get_running_loop()
        try:
            if self._hole:
                link.swallowed = True
                while await loop.sock_recv(link.client, _CHUNK):
                    pass
                await loop.create_future()  # its end is swallowed too
            link.server = socket.socket()
            link.server.setblocking(False)
            for end in (link.client, link.server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(link.server, ("127.0.0.1", self.target))
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(link, link.client, link.server, "server"))
                pumps.create_task(self._pump(link, link.server, link.client, "client"))
        except* OSError:
            link.reset()
        finally:
            link.close()
            self._links.discard(link)

    async def _pump(self, link: _Link, source: socket.socket, target: socket.socket, towards: Side) -> None:
        loop = asyncio.get_running_loop()
        while chunk := await loop.sock_recv(source, _CHUNK):
            if self._delay:
                await asyncio.sleep(self._delay)
            if self._hole:
                link.swallowed = True
                continue
            if link.limit and link.limit[0] == towards:
                chunk = chunk[: link.limit[1] - link.passed[towards]]
            if self._answer and self._thrown_away(link, self._answer, towards, chunk):
                continue
            await loop.sock_sendall(target, chunk)
            link.passed[towards] += len(chunk)
            if link.limit == (towards, link.passed[towards]):
                raise ConnectionAbortedError("cut after so many bytes")
        if self._hole:
            await loop.create_future()
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def _thrown_away(self, link: _Link, wanted: _Answer, towards: Side, chunk: bytes) -> bool:
        """Whether the chunk belongs to the answer that is to be cut. Raises `ConnectionAbortedError` once that is complete."""
        if towards == "server":
            link.asked = link.asked or link.holds("server", chunk, wanted.marker)
            return False
        if not link.asked:
            return False
        if not link.answering:
            if not link.holds("client", chunk, wanted.answer):
                return False
            link.answering = True
            link.tails["client"] = b""
        if not link.holds("client", chunk, wanted.end):
            return True
        self._answer = None
        wanted.done.set()
        raise ConnectionAbortedError("the answer was cut")

    def _abort(self, link: _Link) -> None:
        link.reset()
        if link.job:
            link.job.cancel()
