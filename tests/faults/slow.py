"""Browsers that open a websocket and then read nothing of it, until they do."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from tests.faults.crowd import Member
from tests.faults.deployment import Process
from tests.integration.people import PATIENCE


@contextlib.asynccontextmanager
async def deaf(web: Process, member: Member) -> AsyncIterator[ClientConnection]:
    """A socket that has asked for everything, and reads nothing of it; small buffers, so that it need not be much."""
    with socket.socket() as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", web.port))
        async with connect(
            f"{web.websocket_url}?after=0",
            sock=raw,
            origin=Origin(web.url),
            additional_headers={"Cookie": member.person.cookie},
            compression=None,
            max_queue=1,
            ping_interval=None,
            close_timeout=0.2,
        ) as one:
            yield one


async def read_on(
    one: ClientConnection, enough: Callable[[dict[str, Any]], bool] = lambda _: False
) -> list[dict[str, Any]]:
    """The frames that it finds when it reads again, up to one that is `enough` or to the end of the connection."""
    one.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    frames: list[dict[str, Any]] = []
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(PATIENCE):
            while not (frames and enough(frames[-1])):
                frames.append(orjson.loads(await one.recv()))
    return frames


def stuck_at(web: Process, one: ClientConnection) -> bool:
    """Whether the web process's kernel has something for the socket that does not go out."""
    ends = [web.port, one.local_address[1]]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        if [int(address.split(":")[1], 16) for address in (local, remote)] == ends:
            return int(queues.split(":")[0], 16) > 0
    return False
