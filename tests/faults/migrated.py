"""Databases that are migrated already: the first of a kind is made by `taskline migrate`, the others are copies of it with keys of their own."""

import contextlib
import secrets
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

from tests.servers.programs import program

SQLITE: Final = "sqlite:///"

_DATABASES: Final[dict[tuple[str, str], str]] = {}  # (server, kind) -> name of the database to copy
_FILES: Final[dict[str, bytes]] = {}  # kind -> file to copy


def migrate(url: str, kind: str, run: Callable[[str], object]) -> None:
    """Make the database of `url`, empty so far, a migrated one. `run` migrates the database of a URL; all of one `kind` come out alike. Blocks."""
    if url.startswith(SQLITE):
        _migrate_file(Path(url.removeprefix(SQLITE)), kind, run)
    else:
        _migrate_database(url, kind, run)


def _migrate_file(path: Path, kind: str, run: Callable[[str], object]) -> None:
    if kind not in _FILES:
        run(f"{SQLITE}{path}")
        _FILES[kind] = path.read_bytes()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_FILES[kind])
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.executemany("UPDATE meta SET value = ? WHERE key = ?", _own_keys())


def _migrate_database(url: str, kind: str, run: Callable[[str], object]) -> None:
    parts = urlsplit(url)
    server, name = urlunsplit(parts._replace(path="/postgres")), parts.path.removeprefix("/")
    if (server, kind) not in _DATABASES:
        template = f"migrated_{uuid4().hex}"
        _psql(server, f'CREATE DATABASE "{template}"')
        run(urlunsplit(parts._replace(path=f"/{template}")))
        _DATABASES[server, kind] = template
    _psql(server, f'DROP DATABASE "{name}"', f'CREATE DATABASE "{name}" TEMPLATE "{_DATABASES[server, kind]}"')
    _psql(url, *(f"UPDATE meta SET value = '{value}' WHERE key = '{key}'" for value, key in _own_keys()))


def _own_keys() -> list[tuple[str, str]]:
    """What no two deployments share."""
    return [(str(uuid4()), "epoch"), (secrets.token_hex(32), "event_key")]


def _psql(url: str, *statements: str) -> None:
    commands = [word for statement in statements for word in ("-c", statement)]
    subprocess.run([program("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", url, *commands], check=True, timeout=60)
