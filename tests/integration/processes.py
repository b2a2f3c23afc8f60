"""Taskline's own processes as servers of the tests: each as somebody starts it by hand, with any settings, to stop, kill, freeze and start again."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from app.version import VERSION
from tests.servers import Server, ServerError, free_port

PROGRAM: Final = Path(sys.executable).with_name("taskline")
# What a process says once it can be used.
READY: Final = {
    "dev": re.compile(rb"Taskline is ready: http\S*?:(\d+)"),
    "serve": re.compile(rb"Taskline is ready: http\S*?:(\d+)"),
    "worker": re.compile(rb"worker [0-9a-f-]+ runs "),
}
# Tests come from one address and in a hurry.
IN_A_HURRY: Final = {"limit_sign_ups": "10000/minute", "limit_sign_ins": "10000/minute"}


class Service(Server):
    """`taskline dev`, `serve` or `worker`.

    Settings are named as in `app.settings`, in lower case. Without others everything is embedded, in a folder that goes with the service. The port stays the
    same over restarts; with `port=0` the service chooses one at its first start. `modules`: a folder with modules for the setting `workloads`.
    `program`: what is started instead of the installed command; `variables`: what it needs in its environment besides its settings; `words`: what follows the
    command.
    """

    name = "Taskline"
    version = VERSION

    def __init__(
        self,
        command: Literal["dev", "serve", "worker"] = "dev",
        *,
        port: int | None = None,
        modules: Path | None = None,
        program: Sequence[str] = (str(PROGRAM),),
        variables: Mapping[str, str] | None = None,
        words: Sequence[str] = (),
        **settings: str,
    ) -> None:
        super().__init__(free_port() if port is None else port)
        self.name = f"Taskline {command}"
        self._word = command
        self._words = words
        self._program = program
        self._variables = {**({"PYTHONPATH": str(modules)} if modules else {}), **(variables or {})}
        self._settings = {"data_dir": str(self.folder / "data"), **IN_A_HURRY, **settings}
        self._launched_at = 0  # bytes into the log

    @property
    def url(self) -> str:
        """The origin that it serves on."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def websocket_url(self) -> str:
        """Its `/ws`."""
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def data_dir(self) -> Path:
        """Where its embedded database and files are."""
        return Path(self._settings["data_dir"])

    def setting(self, name: str) -> str | None:
        """What it was given for a setting; None where that is left to it."""
        return self._settings.get(name)

    def launch(self) -> None:
        """Start the process without waiting."""
        if not self.running:
            self._launched_at = self.log.stat().st_size if self.log.exists() else 0
        super().launch()

    def said(self) -> str:
        """What it has printed and logged since it was last started."""
        return self.log_tail(self._launched_at, most=1 << 20)

    def errors(self) -> str:
        """The first error that it has logged since it was last started, with all that followed; empty where there was none."""
        found = re.search(r"^\S+ (ERROR|CRITICAL) .*|^Traceback .*", self.said(), re.DOTALL | re.MULTILINE)
        return found[0] if found else ""

    def _command(self) -> tuple[Sequence[str], Mapping[str, str]]:
        return [*self._program, self._word, *self._words], {
            **environment(port=str(self.port), **self._settings),
            **self._variables,
        }

    def _answers(self) -> bool:
        found = READY[self._word].search(self.said().encode())
        if found and not self.port:
            self.port = int(found[1])
        return found is not None

    def _stop_signal(self) -> tuple[int, signal.Signals]:
        return self.main_pid, signal.SIGTERM


def taskline(
    *words: str,
    program: Sequence[str] = (str(PROGRAM),),
    variables: Mapping[str, str] | None = None,
    typed: str = "",
    **settings: str,
) -> str:
    """Run a command that ends by itself, such as `migrate`; returns what it printed. Raises `ServerError` with that where it fails."""
    done = subprocess.run(
        [*program, *words],
        env={**os.environ, **environment(**settings), **(variables or {})},
        input=typed,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise ServerError(f"taskline {' '.join(words)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def environment(**settings: str) -> dict[str, str]:
    """The variables of some settings."""
    return {f"TASKLINE_{name.upper()}": value for name, value in settings.items()}
