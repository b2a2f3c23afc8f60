"""The web server: uvicorn around the application, until somebody says stop."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Final

import uvicorn

from app.main import create_app
from app.resources import Resources
from app.settings import Settings, SettingsError
from app.web.live import LARGEST_FRAME

CLOSE_WITHIN: Final = 5  # seconds for open requests when the service stops
KEPT_OPEN: Final = 75  # seconds that an idle connection stays; longer than proxies and clients keep theirs, so that none is closed just as they use it
UNREAD_WITHIN: Final = 40  # seconds that a client may leave bytes unread before its connection is cut
BACKLOG: Final = 2048  # connections that wait to be taken


def listen(settings: Settings) -> socket.socket:
    """The socket to serve on. Raises `SettingsError` where the address cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listening = socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SettingsError(
            f"TASKLINE_PORT: cannot listen on {settings.host}:{settings.port}: {reason}; choose another, such as PORT={settings.port + 1}"
        ) from error
    # Connections inherit it: a client that takes no more bytes, not even those that close, must not keep its descriptor for hours.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_WITHIN * 1000)
    return listening


async def serve(listening: socket.socket, resources: Resources, stopping: asyncio.Event) -> None:
    """Serve until `stopping`; then close the sockets, and let open requests end. Prints the address once it answers."""
    settings = resources.settings
    server = _Server(
        uvicorn.Config(
            create_app(resources),
            http="httptools",
            ws="websockets-sansio",
            ws_max_size=LARGEST_FRAME,
            ws_per_message_deflate=False,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=settings.trusted_proxies or None,
            timeout_graceful_shutdown=CLOSE_WITHIN,
            timeout_keep_alive=KEPT_OPEN,
        )
    )
    serving = asyncio.create_task(server.serve([listening]))
    stop = asyncio.create_task(stopping.wait())
    started = asyncio.create_task(server.answering.wait())
    await asyncio.wait([serving, stop, started], return_when=asyncio.FIRST_COMPLETED)
    if started.done():
        address = settings.public_url or f"http://{settings.host}:{listening.getsockname()[1]}"
        print(f"Taskline is ready: {address} (stop it with Ctrl-C)", flush=True)  # noqa: T201  the one line for the person who started it
        await asyncio.wait([serving, stop], return_when=asyncio.FIRST_COMPLETED)
    await resources.hub.close()  # followers end, and their sockets close with 1012
    server.should_exit = True
    await serving
    for task in (stop, started):
        task.cancel()


class _Server(uvicorn.Server):
    """uvicorn without signal handlers: the command decides when everything stops."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answering = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve, and say so."""
        await super().startup(sockets)
        if self.started:
            self.answering.set()
