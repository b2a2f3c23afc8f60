"""Which uploads something still needs, as SQL: such a file neither expires nor can it be deleted."""

from typing import Final

from app.db.base import Dialect

_HOLDS: Final = {
    "postgresql": "strpos(CAST({column} AS text), CAST(files.id AS text)) > 0",
    "sqlite": "instr({column}, files.id) > 0",
}
# What may name a file, by its id, in JSON: (table, column, which rows). A user has few of these, or an index finds them.
_NAMED_IN: Final = (
    ("tasks", "params", "state = 'queued'"),
    ("tasks", "params", "state = 'running'"),
    ("schedules", "params", "next_at IS NOT NULL"),
    ("schedules", "follow", "next_at IS NOT NULL"),
    ("follow_ups", "plan", "outcome IS NULL"),
)


def needed(dialect: Dialect) -> str:
    """A condition on a row of `files`."""
    parts = [
        f"EXISTS (SELECT 1 FROM {table} n WHERE n.user_id = files.user_id AND n.{rows} AND {_HOLDS[dialect].format(column=f'n.{column}')})"
        for table, column, rows in _NAMED_IN
    ]
    return f"({' OR '.join(parts)})"
