"""The database, through `databases`: PostgreSQL by asyncpg, or SQLite by aiosqlite. The scheme of the URL picks it, once."""

from urllib.parse import urlsplit

from app.db.base import NOW, Database, Row, among, moment, moment_or_none
from app.db.postgresql import PostgresDatabase
from app.db.sqlite import SqliteDatabase

__all__ = [
    "NOW",
    "Database",
    "PostgresDatabase",
    "Row",
    "SqliteDatabase",
    "among",
    "moment",
    "moment_or_none",
    "open_database",
]


def open_database(url: str, *, pool: int = 10) -> Database:
    """A database that is not yet connected. `pool` bounds a process's connections to PostgreSQL."""
    if urlsplit(url).scheme == "sqlite":
        return SqliteDatabase(url)
    return PostgresDatabase(url, pool=pool)
