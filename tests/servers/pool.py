"""The servers of one test run: each kind starts once, when the first test asks for it."""

from typing import TypeVar

from tests.servers.ports import free_port
from tests.servers.process import Server

Kind = TypeVar("Kind", bound=Server)


class Pool:
    """Servers by kind."""

    def __init__(self) -> None:
        self._servers: dict[type[Server], Server] = {}
        self._marks: dict[Server, int] = {}

    def launch(self, kind: type[Kind]) -> Kind:
        """The server of a kind, started but perhaps not ready."""
        server = self._servers.get(kind)
        if not isinstance(server, kind):
            server = self._servers[kind] = kind(free_port())
            server.launch()
        return server

    def ready(self, kind: type[Kind]) -> Kind:
        """The server of a kind, answering."""
        server = self.launch(kind)
        server.start()
        return server

    def mark(self) -> None:
        """Remember where the logs end now, for `logs`."""
        self._marks = {server: server.log.stat().st_size for server in self._servers.values() if server.log.exists()}

    def logs(self) -> list[tuple[str, str]]:
        """Each server's name with what it has logged since `mark`, where it has logged anything."""
        tails = [(server.name, server.log_tail(self._marks.get(server, 0))) for server in self._servers.values()]
        return [(name, tail) for name, tail in tails if tail]

    def close(self) -> None:
        """End every server and remove its data."""
        for server in self._servers.values():
            server.close()
        self._servers.clear()
