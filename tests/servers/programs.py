"""Where the programs (and a library) of the tests are, and which Debian package brings each."""

import shutil
from functools import cache
from pathlib import Path
from typing import Final

from tests.servers.process import ServerError

# Debian keeps the real programs of PostgreSQL and RabbitMQ off the PATH, behind wrappers for its own clusters and users.
_FOLDERS: Final = {
    "postgres": "/usr/lib/postgresql/*/bin",
    "initdb": "/usr/lib/postgresql/*/bin",
    "psql": "/usr/lib/postgresql/*/bin",
    "pg_dump": "/usr/lib/postgresql/*/bin",
    "pg_restore": "/usr/lib/postgresql/*/bin",
    "rabbitmq-server": "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin",
    "libfaketime.so.1": "/usr/lib/*/faketime",
}
PACKAGES: Final = {
    "postgres": "postgresql",
    "psql": "postgresql",
    "pg_dump": "postgresql",
    "pg_restore": "postgresql",
    "redis-server": "redis-server",
    "rabbitmq-server": "rabbitmq-server",
    "chromium": "chromium",
    "libfaketime.so.1": "faketime",
}


@cache
def program(name: str) -> Path:
    """The newest installed program of that name. Raises ServerError that names the package which brings it."""
    if found := find(name):
        return found
    raise ServerError(f"{name} is not installed; install it with: apt-get install {PACKAGES.get(name, name)}")


def find(name: str) -> Path | None:
    """The newest installed program of that name, or None."""
    pattern = _FOLDERS.get(name)
    if pattern is None:
        found = shutil.which(name)
        return Path(found) if found else None
    programs = [path for path in Path("/").glob(f"{pattern}/{name}".lstrip("/")) if path.is_file()]
    return max(programs, key=_version, default=None)


def _version(path: Path) -> tuple[int, ...]:
    folder = path.parent.parent.name.rpartition("-")[2]
    return tuple(int(part) for part in folder.split(".") if part.isdigit())
