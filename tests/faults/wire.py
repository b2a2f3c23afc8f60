"""HTTP by hand: keep-alive connections that cost the client next to nothing, and tell an answer from a lost connection."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import orjson

LONGEST_HEAD: Final = 1 << 16  # bytes


class Lost(Exception):
    """No whole answer came: whether the request was done is unknown."""


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


class Wire:
    """One person's connections, as many as requests are under way. `within`: seconds for an answer."""

    def __init__(self, cookie: str, *, within: float = 10.0) -> None:
        self._cookie = cookie
        self._within = within
        self._idle: dict[str, list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]] = {}

    async def request(
        self, origin: str, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask, with a JSON body. Raises `Lost`, and `ConnectionRefusedError` where nobody listens: then nothing was asked."""
        host = urlsplit(origin).netloc
        content = b"" if body is None else orjson.dumps(body)
        lines = {"Host": host, "Cookie": self._cookie, "Content-Length": str(len(content)), **(headers or {})}
        if body is not None:
            lines["Content-Type"] = "application/json"
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        connection = await self._connection(origin)
        reader, writer = connection
        try:
            async with asyncio.timeout(self._within):
                writer.write(head.encode() + b"\r\n" + content)
                await writer.drain()
                answer, keep = await _answer(reader)
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError) as error:
            writer.close()
            raise Lost(str(error) or type(error).__name__) from error
        except BaseException:
            writer.close()
            raise
        if keep:
            self._idle[origin].append(connection)
        else:
            writer.close()
        return answer

    async def close(self) -> None:
        """Close what is idle."""
        for connections in self._idle.values():
            for _, writer in connections:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
        self._idle.clear()

    async def _connection(self, origin: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        idle = self._idle.setdefault(origin, [])
        while idle:
            reader, writer = idle.pop()
            if not reader.at_eof() and reader.exception() is None:
                return reader, writer
            writer.close()
        parts = urlsplit(origin)
        try:
            async with asyncio.timeout(self._within):
                return await asyncio.open_connection(parts.hostname, parts.port, limit=LONGEST_HEAD)
        except TimeoutError as error:
            raise Lost("cannot connect in time") from error


async def _answer(reader: asyncio.StreamReader) -> tuple[Answer, bool]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = b"" if head[0].split()[1] == "204" else await reader.readexactly(int(headers["content-length"]))
    return Answer(int(head[0].split()[1]), body), headers.get("connection", "").lower() != "close"
