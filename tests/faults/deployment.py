"""One deployment under fault: its data, its settings, its processes, and what they must not leave behind."""

import asyncio
import re
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

from tests.faults.backends import Backends
from tests.faults.failpoints import VARIABLE
from tests.faults.migrated import migrate
from tests.faults.pace import PACE, Pace
from tests.faults.processes import alive, carrying, within
from tests.integration.processes import Service, taskline
from tests.servers.programs import program

ROOT: Final = Path(__file__).parents[2]
OWN_WORKLOADS: Final = Path(__file__).with_name("own_workloads")
LAUNCHER: Final = (sys.executable, "-m", "tests.faults.failpoints")
PATIENCE: Final = 3.0  # seconds that a child may outlive its worker
MANY: Final = {
    "limit_requests": "10000000/minute",
    "limit_waiting": "1000000",
    "limit_sockets": "1000",
    "log_level": "info",
}


class Process(Service):
    """A Taskline process of a deployment."""

    patience = PATIENCE
    _main: int | None = None

    @property
    def pid(self) -> int | None:
        """The process itself, without the guard and all that it started; None where it does not live. A frozen one does."""
        return self._main if self._main is not None and alive(self._main) else None

    def disarm(self) -> None:
        """Without failpoints from the next start on."""
        self._variables.pop(VARIABLE, None)

    def wait_ready(self) -> None:
        super().wait_ready()
        self._main = self.main_pid

    def struck(self, name: str) -> float | None:
        """When a failpoint struck last since the last start, in seconds of `time.time`; None where it has not."""
        found = re.findall(rf"^failpoint {name}: \w+ at ([\d.]+)$", self.said(), re.MULTILINE)
        return float(found[-1]) if found else None


class Deployment:
    """A migrated database, and processes on it; all of them end with it. `settings` hold for each process unless that is given others."""

    def __init__(self, backends: Backends, *, pace: Pace = PACE, **settings: str) -> None:
        self.backends = backends
        self.pace = pace
        self.folder = Path(tempfile.mkdtemp(prefix="taskline-faults-"))
        self.webs: list[Process] = []
        self.workers: list[Process] = []
        self.settings = {
            **MANY,
            **pace.settings,
            "data_dir": str(self.folder / "data"),
            "database_url": backends.database or f"sqlite:///{self.folder / 'data' / 'taskline.db'}",
            "queue_url": backends.queue,
            "events_url": backends.events,
            "deployment": f"faults-{secrets.token_hex(4)}",
            "secret_key": secrets.token_hex(32),
            "workloads": "held",
            **settings,
        }

    async def __aenter__(self) -> Self:
        def run(url: str) -> None:
            # A migration needs the modules of the workloads too: it publishes what they are.
            settings: dict[str, Any] = {**self.settings, "database_url": url}
            taskline("migrate", program=LAUNCHER, variables=self._variables(), **settings)

        try:
            await asyncio.to_thread(migrate, self.database_url, self.settings["workloads"], run)
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(asyncio.to_thread(service.close) for service in self.services))
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def services(self) -> list[Process]:
        """Every process that was ever started, each once."""
        return list(dict.fromkeys([*self.webs, *self.workers]))

    @property
    def database_url(self) -> str:
        """The database itself, not by way of any proxy that single processes were given."""
        return self.settings["database_url"]

    @property
    def origins(self) -> list[str]:
        """Where people may go: every web process."""
        return [web.url for web in self.webs]

    async def web(self, *, failpoints: str = "", clock: str = "", **settings: str) -> Process:
        """Start a web process; it is ready. `clock`: how wrong its clock is, such as `+1h`. On the embedded backend it is the worker too."""
        web = self._process("dev" if self.backends.embedded else "serve", failpoints, clock, settings)
        self.webs.append(web)
        if self.backends.embedded:
            self.workers.append(web)
        await asyncio.to_thread(web.start)
        return web

    async def worker(self, *, failpoints: str = "", clock: str = "", **settings: str) -> Process:
        """Start a worker; it is ready. The embedded backend needs none, see `both`: there it is a second process on the same file."""
        worker = self._process("worker", failpoints, clock, settings)
        self.workers.append(worker)
        await asyncio.to_thread(worker.start)
        return worker

    async def both(
        self, *, web: dict[str, str] | None = None, worker: dict[str, str] | None = None
    ) -> tuple[Process, Process]:
        """Start a web process and a worker, at the same time; `web` and `worker` are what those methods take. On the embedded backend they are one and the same."""
        if self.backends.embedded:
            points = ",".join(filter(None, (one.get("failpoints", "") for one in (web or {}, worker or {}))))
            merged: dict[str, Any] = {**(web or {}), **(worker or {}), "failpoints": points}
            one = await self.web(**merged)
            return one, one
        first, second = await asyncio.gather(self.web(**(web or {})), self.worker(**(worker or {})))
        return first, second

    async def replace(self, dead: Process) -> Process:
        """Start another process for one that has ended, of the same kind and without its faults; the same again, on its port, where it serves."""
        if dead in self.webs:
            dead.disarm()
            await asyncio.to_thread(dead.start)
            return dead
        return await self.worker()

    async def revive(self) -> None:
        """Let every process of the deployment run, whatever was done to it."""

        def run(service: Process) -> None:
            service.thaw()
            service.start()

        await asyncio.gather(*(asyncio.to_thread(run, service) for service in self.services))

    async def orphans(self, patience: float = PATIENCE) -> list[str]:
        """Processes of this deployment (its folder is in their environment or command) that belong to no living service, and those that guards had to kill.

        Those that live get `patience` seconds to go.
        """
        deadline = time.monotonic() + patience
        while True:
            mains = {pid for service in self.services if (pid := service.pid) is not None}
            alive = [f"{one.pid} {one.command}" for one in carrying(str(self.folder)) if not within(one.pid, mains)]
            if not alive or time.monotonic() > deadline:
                return alive + [line for service in self.services for line in service.left_behind]
            await asyncio.sleep(0.05)

    def _process(
        self, word: Literal["dev", "serve", "worker"], failpoints: str, clock: str, settings: dict[str, str]
    ) -> Process:
        variables = self._variables()
        if failpoints:
            variables[VARIABLE] = failpoints
        if clock:
            variables |= {
                "LD_PRELOAD": str(program("libfaketime.so.1")),
                "FAKETIME": clock,
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # waits on the true monotonic clock need none, and are late with it
            }
        chosen: dict[str, Any] = {**self.settings, **settings}
        return Process(word, program=LAUNCHER, variables=variables, **chosen)

    def _variables(self) -> dict[str, str]:
        # The deployment's folder is on the import path, which workers hand down to their children: so that all can be found.
        return {"PYTHONPATH": ":".join(map(str, (self.folder, ROOT, OWN_WORKLOADS)))}
