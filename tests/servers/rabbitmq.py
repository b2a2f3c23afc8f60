"""A private RabbitMQ node with an Erlang port mapper of its own."""

import signal
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.servers.ports import free_port
from tests.servers.process import Server
from tests.servers.programs import program

_SECONDS: Final = 1.0


class RabbitMQ(Server):
    """RabbitMQ 3.10 or newer as installed, without plug-ins; it takes 5 to 7 s to be ready.

    `config` is a folder of settings, in files that end with .conf.
    """

    name = "RabbitMQ"
    start_seconds = 120.0

    def __init__(self, port: int, config: Path | None = None) -> None:
        super().__init__(port)
        self._config = {"RABBITMQ_CONFIG_FILES": config} if config else {}
        self._distribution_port, self._mapper_port = free_port(), free_port()
        self._pid_file = self.folder / "pid"

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    @property
    def version(self) -> str:
        return program("rabbitmq-server").parent.parent.name.removeprefix("rabbitmq_server-")

    def _command(self) -> tuple[Sequence[str], Mapping[str, str]]:
        plugins, nothing = self.folder / "plugins", self.folder / "nothing"
        plugins.write_text("[].\n")
        nothing.touch()
        self._pid_file.unlink(missing_ok=True)
        environment = {
            "HOME": self.folder,  # where Erlang keeps its cookie
            "RABBITMQ_NODENAME": f"taskline{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": self.port,
            "RABBITMQ_DIST_PORT": self._distribution_port,
            "ERL_EPMD_PORT": self._mapper_port,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": self.folder / "data",
            "RABBITMQ_LOG_BASE": self.folder / "logs",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": self._pid_file,
            "RABBITMQ_ENABLED_PLUGINS_FILE": plugins,
            "RABBITMQ_CONFIG_FILE": nothing,
            "RABBITMQ_CONF_ENV_FILE": nothing,
            **self._config,
        }
        return [str(program("rabbitmq-server"))], {name: str(value) for name, value in environment.items()}

    def _answers(self) -> bool:
        """The protocol header is answered by Connection.Start, a method frame (1)."""
        with socket.create_connection(("127.0.0.1", self.port), _SECONDS) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(1) == b"\x01"

    def _stop_signal(self) -> tuple[int, signal.Signals]:
        return int(self._pid_file.read_text()), signal.SIGTERM  # the Erlang machine, not the script around it
