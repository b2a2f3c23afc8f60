"""A private PostgreSQL cluster. It refuses to run as root, so root runs it as nobody."""

import os
import re
import shutil
import signal
import socket
import struct
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.servers.process import Server
from tests.servers.programs import program

OWNER: Final = "taskline"  # the cluster's superuser
_NOBODY: Final = "nobody"
_SECONDS: Final = 1.0


class PostgreSQL(Server):
    """PostgreSQL 15 or newer with its usual durability and 200 connections.

    Without a `password` everybody on the loopback address is trusted.
    """

    name = "PostgreSQL"

    def __init__(self, port: int, password: str = "") -> None:
        super().__init__(port)
        self.data = self.folder / "cluster" / "data"
        self._password = password

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """The URL of one database of the cluster."""
        owner = f"{OWNER}:{self._password}" if self._password else OWNER
        return f"postgresql://{owner}@127.0.0.1:{self.port}/{database}"

    @property
    def version(self) -> str:
        said = subprocess.run([program("postgres"), "--version"], capture_output=True, text=True, check=True).stdout
        match = re.search(r"\d+(\.\d+)+", said)
        return match[0] if match else said.strip()

    def create_database(self, name: str) -> str:
        """Create an empty database and return its URL."""
        self._psql(f'CREATE DATABASE "{name}"')
        return self.url_of(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, ending the connections to it."""
        self._psql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def stop_immediate(self) -> None:
        """Stop without saying goodbye or writing a checkpoint, as a power cut does to all but the log (`pg_ctl stop -m immediate`)."""
        os.kill(self.main_pid, signal.SIGQUIT)
        self.wait_ended()

    def _psql(self, sql: str) -> None:
        subprocess.run(
            [program("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.url, "-c", sql], check=True, timeout=60
        )

    def launch(self) -> None:
        if not self.data.exists():
            self._create_cluster()
        super().launch()

    def _create_cluster(self) -> None:
        self.data.parent.mkdir()
        how = ["--auth=trust"]
        if self._password:
            (self.data.parent / "password").write_text(self._password)
            how = ["--auth=scram-sha-256", f"--pwfile={self.data.parent / 'password'}"]
        other: dict[str, Any] = {}
        if self._user() == _NOBODY:
            self.folder.chmod(0o755)
            shutil.chown(self.data.parent, _NOBODY, "nogroup")
            other = {"user": _NOBODY, "group": "nogroup", "extra_groups": []}
        options = [f"--pgdata={self.data}", f"--username={OWNER}", "--no-sync", "--no-locale", "--encoding=UTF8"]
        with self.log.open("ab") as log:
            subprocess.run(
                [str(program("initdb")), *options, *how],
                stdout=log,
                stderr=log,
                cwd=self.data.parent,
                check=True,
                **other,
            )

    def _command(self) -> tuple[Sequence[str], Mapping[str, str]]:
        options = ["-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.data.parent), "-c", "max_connections=200"]
        # In its folder: a killed server would leave segments of shared memory behind.
        options += ["-c", "dynamic_shared_memory_type=mmap"]
        return [str(program("postgres")), "-D", str(self.data), *options], {}

    def _user(self) -> str:
        return _NOBODY if os.geteuid() == 0 else "-"

    def _answers(self) -> bool:
        """A start-up message is answered by a request to authenticate (R), or by an error (E) while recovery goes on."""
        words = b"".join(word.encode() + b"\0" for word in ("user", OWNER, "database", "postgres", ""))
        protocol = struct.pack("!I", 3 << 16)
        with socket.create_connection(("127.0.0.1", self.port), _SECONDS) as connection:
            connection.sendall(struct.pack("!I", 8 + len(words)) + protocol + words)
            return connection.recv(1) == b"R"

    def _stop_signal(self) -> tuple[int, signal.Signals]:
        return self.main_pid, signal.SIGINT  # "fast": ends sessions instead of waiting for them
