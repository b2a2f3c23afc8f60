"""`taskline`: the top of everything, it composes web and workers."""

import argparse
import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Final

import uvicorn
import uvloop

from app.catalogue import Catalogue
from app.errors import TasklineError
from app.main import create_app
from app.migrate import upgrade
from app.ops.logs import set_up_logs
from app.resources import Resources, connected, open_resources
from app.settings import Settings, SettingsError
from app.version import VERSION
from workers.main import publish_workloads, work

log = logging.getLogger(__name__)

HELP: Final = {
    "dev": "everything in one process on the embedded default; migrates first",
    "serve": "the web process",
    "worker": "a worker process",
    "migrate": "bring the database up to date, and write the catalogue of workloads",
    "settings": "show every setting, its value and what it takes",
}
CLOSE_WITHIN: Final = 5  # seconds for open requests when the service stops


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="taskline", description="Slow work with live notification. Settings are TASKLINE_* variables."
    )
    parser.add_argument("--version", action="version", version=f"taskline {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in HELP.items():
        commands.add_parser(name, help=text, description=text.capitalize() + ".")
    commands.choices["worker"].add_argument("--queue-url", help="instead of TASKLINE_QUEUE_URL")
    chosen = parser.parse_args(arguments)
    environ = dict(os.environ)
    if getattr(chosen, "queue_url", None):
        environ["TASKLINE_QUEUE_URL"] = chosen.queue_url
    try:
        settings = Settings.from_environment(environ)
        set_up_logs(settings.log_level)
        for sentence in Settings.unknown(environ):
            log.warning(sentence)
        if chosen.command == "settings":
            return _show(settings)
        uvloop.run({"dev": _dev, "serve": _serve, "worker": _worker, "migrate": _migrate}[chosen.command](settings))
    except SettingsError as error:
        return _fail(str(error))
    except TasklineError as error:
        return _fail(error.detail, error.hint)
    return 0


async def _dev(settings: Settings) -> None:
    key = settings.secret_key.get_secret_value() or _kept_key(settings.data_dir)
    settings = settings.model_copy(update={"secret_key": type(settings.secret_key)(key)})
    settings.check_serving()
    await upgrade(settings.database_url)
    async with _stopping() as stopping, open_resources(settings, secret_key=key) as resources:
        await publish_workloads(settings, resources.catalogue)
        working = asyncio.create_task(work(resources, stopping))
        try:
            await _serve_until(resources, stopping, f"http://{settings.host}:{{port}}")
        finally:
            stopping.set()
            await working


async def _serve(settings: Settings) -> None:
    settings.check_serving()
    async with (
        _stopping() as stopping,
        open_resources(settings, secret_key=settings.secret_key.get_secret_value()) as resources,
    ):
        await _serve_until(resources, stopping, settings.public_url or f"http://{settings.host}:{{port}}")


async def _worker(settings: Settings) -> None:
    async with _stopping() as stopping, open_resources(settings) as resources:
        await work(resources, stopping)


async def _migrate(settings: Settings) -> None:
    await upgrade(settings.database_url)
    async with connected(settings) as db:
        await publish_workloads(settings, Catalogue(db))
    log.info("the database is up to date")


async def _serve_until(resources: Resources, stopping: asyncio.Event, address: str) -> None:
    """Serve until `stopping`; then close the sockets, and let open requests end."""
    settings = resources.settings
    server = _Server(
        uvicorn.Config(
            create_app(resources),
            host=settings.host,
            port=settings.port,
            http="httptools",
            ws="websockets-sansio",
            ws_max_size=4096,
            ws_per_message_deflate=False,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=settings.trusted_proxies or None,
            timeout_graceful_shutdown=CLOSE_WITHIN,
        )
    )
    serving = asyncio.create_task(server.serve())
    stop = asyncio.create_task(stopping.wait())
    started = asyncio.create_task(server.listening.wait())
    await asyncio.wait([serving, stop, started], return_when=asyncio.FIRST_COMPLETED)
    if started.done():
        port = server.servers[0].sockets[0].getsockname()[1]
        print(f"Taskline is ready: {address.format(port=port)} (stop it with Ctrl-C)", flush=True)
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
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        if self.started:
            self.listening.set()


@contextlib.asynccontextmanager
async def _stopping() -> AsyncIterator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set; a second signal ends the process at once."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        if stopping.is_set():
            os._exit(128 + number)
        log.info("stopping on %s", number.name)
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        yield stopping
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _kept_key(data_dir: Path) -> str:
    """The secret key of the embedded default: made once, kept in the data folder, readable by its owner alone."""
    path = data_dir / "secret-key"
    data_dir.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        with (
            contextlib.suppress(FileExistsError),
            os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file,
        ):
            file.write(secrets.token_urlsafe(48))
    return path.read_text().strip()


def _show(settings: Settings) -> int:
    for name, value in settings.redacted().items():
        print(f"TASKLINE_{name.upper()}={value}\n    {Settings.model_fields[name].description}")
    return 0


def _fail(problem: str, hint: str | None = None) -> int:
    print(f"taskline: {problem}" + (f"\n{hint}" if hint else ""), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
