"""Where the folders that are not code live: beside `app` in a checkout, inside it once installed from a wheel (see setup.py)."""

from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).resolve().parent


def templates_dir() -> Path:
    """The Jinja templates of the pages."""
    return _folder("templates")


def static_dir() -> Path:
    """The scripts, styles, fonts and images that browsers ask for."""
    return _folder("static")


def migrations_dir() -> Path:
    """Alembic's environment and revisions of the database schema."""
    return _folder("migrations")


def _folder(name: str) -> Path:
    """The absolute path of a folder. Raises FileNotFoundError where an installation lacks it."""
    inside, beside = PACKAGE / name, PACKAGE.parent / name
    for folder in (inside, beside):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"Taskline's folder {name!r} is neither {inside} nor {beside}; install Taskline again")
