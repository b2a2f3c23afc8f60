"""An older backup comes back under a service with browsers connected: every client starts anew, none hears an event of one history as one of another."""

import asyncio
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.integration.people import Listener, Person, check_history, listening, person
from tests.integration.processes import Service, taskline
from tests.servers import PostgreSQL, Redis
from tests.servers.programs import program

NOTICED: Final = 6.0  # seconds: a recheck, and a little
TABLES: Final = "tasks, events, streams, idempotency, sessions, users, files"


class Deployment:
    """Two web processes and a worker on a database of their own."""

    def __init__(self, server: PostgreSQL, url: str, redis: Redis, folder: Path) -> None:
        self.url = url
        self.name = url.rpartition("/")[2]
        self._server = server
        self._backup = folder / "backup"
        self.settings: dict[str, Any] = {
            "database_url": url,
            "queue_url": redis.url,
            "events_url": redis.url,
            "deployment": f"t-{secrets.token_hex(4)}",
            "secret_key": secrets.token_hex(32),
        }
        taskline("migrate", **self.settings)
        self.first, self.second, self.worker = (Service(word, **self.settings) for word in ("serve", "serve", "worker"))

    def start(self) -> None:
        for service in (self.first, self.second, self.worker):
            service.launch()
        for service in (self.first, self.second, self.worker):
            service.wait_ready()

    def close(self) -> None:
        for service in (self.first, self.second, self.worker):
            service.close()

    def back_up(self) -> None:
        self._run("pg_dump", "--format=custom", f"--file={self._backup}", self.url)

    def in_place(self) -> None:
        """Over the living connections."""
        self._run("pg_restore", "--clean", "--if-exists", "--single-transaction", f"--dbname={self.url}", self._backup)

    def table_by_table(self) -> None:
        """As before, and for a moment there are no tables at all."""
        self._run("pg_restore", "--clean", "--if-exists", f"--dbname={self.url}", self._backup)

    def made_anew(self) -> None:
        """The database itself is dropped, and created again."""
        self._sql(f'DROP DATABASE "{self.name}" WITH (FORCE)')
        self._sql(f'CREATE DATABASE "{self.name}"')
        self._run("pg_restore", "--single-transaction", f"--dbname={self.url}", self._backup)

    def swapped(self) -> None:
        """Restored beside it, and put in its place."""
        beside = f"{self.name}_new"
        self._sql(f'CREATE DATABASE "{beside}"')
        self._run("pg_restore", f"--dbname={self._server.url_of(beside)}", self._backup)
        self._sql(f'ALTER DATABASE "{self.name}" ALLOW_CONNECTIONS false')
        self._sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.name}'")
        self._sql(f'ALTER DATABASE "{self.name}" RENAME TO "{self.name}_old"')
        self._sql(f'ALTER DATABASE "{beside}" RENAME TO "{self.name}"')
        self._sql(f'DROP DATABASE "{self.name}_old"')

    def rows_alone(self) -> None:
        """Nothing but the rows comes back, while the service stands still; nobody could tell, so somebody has to say it."""
        for service in (self.first, self.second, self.worker):
            service.stop()
        psql = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.url]
        self._run(*psql, "-c", f"TRUNCATE {TABLES} CASCADE")
        names = [f"--table={table}" for table in TABLES.split(", ")]
        self._run("pg_restore", "--data-only", "--disable-triggers", *names, f"--dbname={self.url}", self._backup)
        taskline("restored", **self.settings)
        self.start()

    def _sql(self, sql: str) -> None:
        self._run("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self._server.url, "-c", sql)

    def _run(self, name: str, *words: str | Path) -> None:
        done = subprocess.run([program(name), *words], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def deployment(
    postgresql: PostgreSQL, module_database_url: str, redis: Redis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """None of its processes may log an error, whatever is done to their database."""
    folder = tmp_path_factory.mktemp("backup")
    with closing(Deployment(postgresql, module_database_url, redis, folder)) as made:
        made.start()
        yield made
        for service in (made.first, made.second, made.worker):
            assert service.errors() == ""


async def submit(who: Person, base: str, count: int) -> set[str]:
    """Start tasks, each as soon as the service takes it."""
    made: set[str] = set()
    async with asyncio.timeout(30):
        while len(made) < count:
            body = {"workload": "countdown", "params": {"seconds": 0}}
            answer = await who.http.post(f"{base}/api/v1/tasks", json=body)
            if answer.status_code == httpx.codes.ACCEPTED:
                made.add(answer.json()["id"])
            else:
                assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE, answer.text
                await asyncio.sleep(0.05)
    return made


def resets(heard: Listener) -> list[int]:
    return [at for at, frame in enumerate(heard.frames) if frame["type"] == "reset"]


def check_start(heard: Listener, before: int, tasks: set[str]) -> None:
    """Of what was heard after the first `before` frames, everything follows a reset, gapless, and is of the new history."""
    told = heard.frames[before:]
    assert told[0]["type"] == "reset", told[0]
    assert told[0]["epoch"] != heard.frames[0]["epoch"]
    cursor = 0
    for frame in told:
        if frame["type"] == "reset":
            cursor = frame["seq"]
            assert {task["id"] for task in frame["tasks"]} <= tasks
        elif "seq" in frame:
            assert frame["seq"] == cursor + 1
            assert frame["task"]["id"] in tasks
            cursor += 1


WAYS: Final[dict[str, Callable[[Deployment], None]]] = {
    "in place": Deployment.in_place,
    "table by table": Deployment.table_by_table,
    "made anew": Deployment.made_anew,
    "swapped": Deployment.swapped,
}


@pytest.mark.parametrize("way", WAYS)
async def test_every_client_starts_anew_and_none_is_misled(deployment: Deployment, way: str) -> None:
    first, second = deployment.first.url, deployment.second.url
    async with AsyncExitStack() as stack:
        ada = await stack.enter_async_context(person(first))
        here = await stack.enter_async_context(listening(first, ada))
        there = await stack.enter_async_context(listening(second, ada))
        kept = await submit(ada, first, 3)
        await asyncio.gather(*(one.until_ended(kept) for one in (here, there)))
        await asyncio.to_thread(deployment.back_up)
        undone = await submit(ada, second, 5)
        # Bob is in no backup: his number will be another's.
        bob = await stack.enter_async_context(person(first))
        spy = await stack.enter_async_context(listening(second, bob))
        await asyncio.gather(*(one.until_ended(kept | undone) for one in (here, there)))
        for one in (here, there):
            check_history(one.events, kept | undone)
        before = {one: len(one.frames) for one in (here, there, spy)}

        await asyncio.to_thread(WAYS[way], deployment)
        # In the moment in which nobody has looked: more events than were undone, so that their numbers pass those that the clients know.
        eve, anew = await asyncio.gather(_newcomer(stack, first), submit(ada, first, 10))
        others = await submit(eve, first, 4)
        async with asyncio.timeout(NOTICED):
            await asyncio.gather(*(one.until(lambda heard: bool(resets(heard))) for one in (here, there)))
            await spy.closed()
        later = await submit(ada, second, 2)
        for one in (here, there):
            await one.until(lambda heard: later <= heard.ended)
            check_start(one, before[one], kept | anew | later)
            assert [frame["type"] for frame in one.frames[before[one] :]].count("reset") == 1
        assert spy.frames[before[spy] :] == []
        assert spy.close_code == 4001
        assert not others & (kept | anew | later)
        # Whoever comes back with what was true before is told so, by either process.
        old = here.frames[0]["epoch"]
        for base in (first, second):
            async with listening(base, ada, f"?after=12&epoch={old}") as again:
                await again.until(lambda heard: bool(resets(heard)))
        everything = await _log(ada, first)
        assert [event["seq"] for event in everything] == list(range(1, len(everything) + 1))
        assert {event["task"]["id"] for event in everything} == kept | anew | later


async def _newcomer(stack: AsyncExitStack, base: str) -> Person:
    """Somebody who signs up as soon as the service takes it."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await stack.enter_async_context(person(base))
            except AssertionError as refused:
                if "does not answer" not in str(refused) and "schema" not in str(refused):
                    raise
                await asyncio.sleep(0.05)


async def _log(who: Person, base: str) -> list[dict[str, Any]]:
    answer = await who.http.get(f"{base}/api/v1/events?limit=500")
    events: list[dict[str, Any]] = answer.json()["items"]
    return events


async def test_rows_that_were_put_back_are_said_to_be_a_backup(deployment: Deployment) -> None:
    first, second = deployment.first.url, deployment.second.url
    async with person(first) as ada:
        async with listening(first, ada) as heard:
            await heard.until_ended(kept := await submit(ada, first, 2))
            await asyncio.to_thread(deployment.back_up)
            await heard.until_ended(await submit(ada, first, 2))
            epoch = heard.frames[0]["epoch"]
        await asyncio.to_thread(deployment.rows_alone)
        for base in (first, second):
            await _more_than(ada, base, 12)
            async with listening(base, ada, f"?after=12&epoch={epoch}") as again:
                await again.until(lambda heard: bool(resets(heard)))
                assert kept <= {task["id"] for task in again.frames[1]["tasks"]}


async def test_a_file_that_was_copied_back_is_said_to_be_a_backup(tmp_path: Path) -> None:
    with closing(Service("dev")) as service:
        await asyncio.to_thread(service.start)
        async with person(service.url) as ada:
            async with listening(service.url, ada) as heard:
                await heard.until_ended(await submit(ada, service.url, 2))
                epoch = heard.frames[0]["epoch"]
                await asyncio.to_thread(service.stop)
            folder = service.data_dir
            shutil.copy(folder / "taskline.db", tmp_path / "backup.db")
            await asyncio.to_thread(service.start)
            async with listening(service.url, ada, f"?after=6&epoch={epoch}") as heard:
                await heard.until_ended(await submit(ada, service.url, 2))
                assert resets(heard) == []
                await asyncio.to_thread(service.stop)
            for file in folder.glob("taskline.db*"):
                file.unlink()
            shutil.copy(tmp_path / "backup.db", folder / "taskline.db")
            assert "new epoch" in await asyncio.to_thread(taskline, "restored", data_dir=str(folder))
            await asyncio.to_thread(service.start)
            await _more_than(ada, service.url, 12)
            async with listening(service.url, ada, f"?after=12&epoch={epoch}") as heard:
                await heard.until(lambda self: bool(resets(self)))


async def _more_than(who: Person, base: str, seq: int) -> None:
    """Until the log stands beyond a number: by it alone nobody could tell."""
    async with listening(base, who, "?after=0") as heard:
        while heard.frames[-1].get("seq", 0) <= seq:
            await heard.until_ended(await submit(who, base, 1))
