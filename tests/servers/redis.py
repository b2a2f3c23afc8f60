"""A private Redis, with every write in its append-only file."""

import re
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.servers.process import Server
from tests.servers.programs import program

_SECONDS: Final = 1.0


class Redis(Server):
    """Redis 7 or newer, one process. `config` is a file of settings that come before those of its port and folder."""

    name = "Redis"

    def __init__(self, port: int, config: Path | None = None) -> None:
        super().__init__(port)
        self._config = [str(config)] if config else []

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def version(self) -> str:
        said = subprocess.run([program("redis-server"), "--version"], capture_output=True, text=True, check=True).stdout
        match = re.search(r"v=([\d.]+)", said)
        return match[1] if match else said.strip()

    def _command(self) -> tuple[Sequence[str], Mapping[str, str]]:
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "save": "",
            "appendonly": "yes",
            "dir": str(self.folder),
        }
        return [
            str(program("redis-server")),
            *self._config,
            *(word for name, value in options.items() for word in (f"--{name}", value)),
        ], {}

    def _answers(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), _SECONDS) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))

    def _stop_signal(self) -> tuple[int, signal.Signals]:
        return self.main_pid, signal.SIGTERM
