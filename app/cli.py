"""`taskline`: the top of everything, it composes web and workers. Each command imports what it runs: a worker has no pages, a web process no workloads."""

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Final

import uvloop

from app.errors import TasklineError, Unavailable
from app.ops import users
from app.ops.logs import set_up_logs
from app.settings import Settings, SettingsError
from app.version import VERSION
from workers import authoring

log = logging.getLogger(__name__)

HELP: Final = {
    "dev": "everything in one process on the embedded default; migrates first",
    "serve": "the web process",
    "worker": "a worker process",
    "workload": "write, try and list workloads of your own",
    "user": "make accounts, and say who operates the service",
    "migrate": "bring the database up to date, and write the catalogue of workloads",
    "restored": "say that the database came from a backup: every page and program that follows events starts anew",
    "doctor": "ask every part whether it works, and say what to do where it does not",
    "settings": "show every setting, its value and what it takes",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    gc.disable()  # importing makes no garbage worth looking for
    parser = argparse.ArgumentParser(
        prog="taskline", description="Slow work with live notification. Settings are TASKLINE_* variables."
    )
    parser.add_argument("--version", action="version", version=f"taskline {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in HELP.items():
        commands.add_parser(name, help=text, description=text.capitalize() + ".")
    commands.choices["worker"].add_argument("--queue-url", help="instead of TASKLINE_QUEUE_URL")
    commands.choices["worker"].add_argument(
        "--workloads", metavar="A,B", help="take only these, and leave the others to other workers"
    )
    authoring.add_commands(commands.choices["workload"])
    users.add_commands(commands.choices["user"])
    said = parser.parse_args(arguments)
    environ = dict(os.environ)
    if getattr(said, "queue_url", None):
        environ["TASKLINE_QUEUE_URL"] = said.queue_url
    try:
        settings = Settings.from_environment(environ, first_user_operates=said.command == "dev")
        set_up_logs(settings.log_level)
        for sentence in Settings.unknown(environ):
            log.warning(sentence)
        match said.command:
            case "settings":
                return _show(settings)
            case "workload":
                return authoring.run(said, settings.workloads)
            case "user":
                print(uvloop.run(users.run(said, settings)))
                return 0
            case "worker":
                running = _worker(
                    settings, [name.strip() for name in (said.workloads or "").split(",") if name.strip()]
                )
            case command:
                running = RUN[command](settings)
        uvloop.run(running)
    except SettingsError as error:
        return _fail(str(error))
    except TasklineError as error:
        return _fail(error.detail, error.hint)
    return 0


async def _dev(settings: Settings) -> None:
    from app.migrate import upgrade
    from app.resources import open_resources
    from app.server import listen, serve
    from workers.main import publish_workloads, work

    authoring.see_current_folder()
    key = _secret_key(settings)
    listening = listen(settings)
    await upgrade(settings.database_url)
    async with _stopping() as stopping, open_resources(settings, secret_key=key) as resources:
        described = await publish_workloads(settings, resources.catalogue)
        working = asyncio.create_task(work(resources, described, stopping, reload=True))
        working.add_done_callback(lambda _: stopping.set())
        try:
            await serve(listening, resources, stopping)
        finally:
            stopping.set()
            await working


async def _serve(settings: Settings) -> None:
    from app.resources import open_resources
    from app.server import listen, serve

    key = _secret_key(settings)
    listening = listen(settings)
    _warn_of_islands(settings)
    async with _stopping() as stopping, open_resources(settings, secret_key=key) as resources:
        await serve(listening, resources, stopping)


async def _worker(settings: Settings, only: Sequence[str] = ()) -> None:
    from app.resources import open_resources
    from workers.authoring.choice import chosen
    from workers.main import publish_workloads, work

    _warn_of_islands(settings)
    async with _stopping() as stopping, open_resources(settings) as resources:
        described = await publish_workloads(settings, resources.catalogue)
        mine = chosen(described, only) if only else described
        await work(resources, mine, stopping, partial=bool(only))


async def _migrate(settings: Settings) -> None:
    from app.catalogue import Catalogue
    from app.migrate import upgrade
    from app.resources import connected
    from workers.main import publish_workloads

    await upgrade(settings.database_url)
    async with connected(settings) as db:
        await publish_workloads(settings, Catalogue(db, alive=settings.lease_seconds))
    log.info("the database is up to date")


async def _restored(settings: Settings) -> None:
    from app.migrate import check
    from app.resources import connected
    from app.tasks.log import TaskLog

    async with connected(settings) as db:
        await check(db)
        await TaskLog(db).begin_epoch()
    log.info("a new epoch has begun; processes that run notice it within 5 s")


async def _doctor(settings: Settings) -> None:
    from app.ops.doctor import examine

    well = True
    async for finding in examine(settings):
        print(finding)
        well = well and finding.well
    if not well:
        raise Unavailable("Some parts need attention.")


RUN: Final = {
    "dev": _dev,
    "serve": _serve,
    "migrate": _migrate,
    "restored": _restored,
    "doctor": _doctor,
}


@contextlib.asynccontextmanager
async def _stopping() -> AsyncIterator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set; a second signal ends the process at once. All is imported by then."""
    _spare_the_collector()
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


def _warn_of_islands(settings: Settings) -> None:
    for name, url in (("QUEUE", settings.queue_url), ("EVENTS", settings.events_url)):
        if url.startswith("memory:"):
            log.warning(
                "TASKLINE_%s_URL is memory://, which reaches no other process: what happens elsewhere is noticed here after up to 5 s",
                name,
            )


def _spare_the_collector() -> None:
    """What was imported stays for good, and requests leave little that counting references does not free: look for cycles less often."""
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 20)


def _secret_key(settings: Settings) -> str:
    """The key that was set, or, where only this machine can come in, one of our own: made once, kept in the data folder, its owner's alone."""
    settings.check_serving()
    if key := settings.secret_key.get_secret_value():
        return key
    path = settings.data_dir / "secret-key"
    settings.data_dir.mkdir(parents=True, exist_ok=True)
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
