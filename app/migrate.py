"""The schema: bring a database up to date, or refuse one that is not."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from app.assets import migrations_dir
from app.db import Database, open_database
from app.errors import OutOfDate, Unavailable

if TYPE_CHECKING:
    from alembic.config import Config


def _config(url: str) -> "Config":
    # Alembic is imported only where there is something to migrate: it would be a seventh of every start.
    from alembic.config import Config

    parts = urlsplit(url)
    driver = {"postgresql": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}.get(parts.scheme, parts.scheme)
    config = Config()
    config.set_main_option("script_location", str(migrations_dir()))
    config.set_main_option("sqlalchemy.url", url.replace(parts.scheme, driver, 1).replace("%", "%%"))
    return config


async def upgrade(url: str) -> None:
    """Run the migrations that the database at `url` lacks; none is fine. Raises `Unavailable`."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        Path(unquote(parts.path).removeprefix("/")).parent.mkdir(parents=True, exist_ok=True)
    if await _is_up_to_date(url):
        return
    from alembic import command
    from sqlalchemy.exc import DBAPIError, OperationalError

    try:
        # Alembic's environment runs an event loop of its own, so it needs a thread.
        await asyncio.to_thread(command.upgrade, _config(url), "head")
    except (OSError, OperationalError) as error:
        raise Unavailable(f"The database cannot be migrated ({error}).", hint="Check TASKLINE_DATABASE_URL.") from error
    except DBAPIError as error:
        if "lock timeout" not in str(error):
            raise
        raise Unavailable(
            "The database cannot be migrated now: something else holds a table, such as a backup.",
            hint="Run it again in a moment; what is done already is not done again.",
        ) from error


def newest() -> str:
    """The schema that this version was written for. The files are numbered, and are read by Alembic only where there is something to migrate."""
    return max(path.name.partition("_")[0] for path in (migrations_dir() / "versions").glob("*.py"))


async def check(db: Database) -> None:
    """Raise `OutOfDate` unless the database has exactly the schema that this version was written for."""
    head = newest()
    try:
        current = await db.fetch_val("SELECT version_num FROM alembic_version")
    except OutOfDate as error:
        raise OutOfDate(hint="The database is empty. Run: taskline migrate") from error
    if current != head:
        raise OutOfDate(
            f"The database schema is at {current}, this version needs {head}.", hint="Run: taskline migrate"
        )


async def _is_up_to_date(url: str) -> bool:
    db = open_database(url, pool=2)
    await db.connect()
    try:
        await check(db)
    except OutOfDate:
        return False
    finally:
        await db.disconnect()
    return True
