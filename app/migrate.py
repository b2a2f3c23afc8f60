"""The schema: bring a database up to date, or refuse one that is not."""

import asyncio
from pathlib import Path
from urllib.parse import unquote, urlsplit

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError, OperationalError

from app.assets import migrations_dir
from app.db import Database
from app.errors import OutOfDate, Unavailable


def _config(url: str = "") -> Config:
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


async def check(db: Database) -> None:
    """Raise `OutOfDate` unless the database has exactly the schema that this version was written for."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    try:
        current = await db.fetch_val("SELECT version_num FROM alembic_version")
    except OutOfDate as error:
        raise OutOfDate(hint="The database is empty. Run: taskline migrate") from error
    if current != head:
        raise OutOfDate(
            f"The database schema is at {current}, this version needs {head}.", hint="Run: taskline migrate"
        )
