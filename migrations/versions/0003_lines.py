"""What is to wait, for its time or for its next attempt, leaves the index that claims are taken from: 100,000 such tasks made each claim take 30 ms.
What a user has waiting, and what has ended, are in order each, for the home page: it read all that somebody had waiting to find what had ended.

On PostgreSQL every statement is a transaction of its own and can be run again, while the service goes on.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INDEXES = {
    "tasks_line": "(lane, priority DESC, rank, id) WHERE state = 'queued' AND run_at <= created_at",
    "tasks_timed": "(lane, run_at) WHERE state = 'queued' AND run_at > created_at",
    "tasks_queued": "(user_id, id DESC) WHERE state = 'queued'",
    "tasks_ended": "(user_id, id DESC) WHERE state IN ('succeeded', 'failed', 'cancelled')",
}
REPLACED = ("tasks_ready", "tasks_waiting")
# A lock that somebody holds for long must not make the whole service queue behind this migration.
LOCK_WITHIN = "SET lock_timeout = '3s'"


def upgrade() -> None:
    """New indexes first, so that none is missing meanwhile."""
    if op.get_bind().dialect.name == "postgresql":
        with op.get_context().autocommit_block():
            op.execute(LOCK_WITHIN)
            for name, text in INDEXES.items():
                op.execute(f"DROP INDEX IF EXISTS {name}")  # one that was interrupted is there, but of no use
                op.execute(f"CREATE INDEX CONCURRENTLY {name} ON tasks {text}")
            for name in REPLACED:
                op.execute(f"DROP INDEX IF EXISTS {name}")
    else:
        for name, text in INDEXES.items():
            op.execute(f"CREATE INDEX {name} ON tasks {text}")
        for name in REPLACED:
            op.execute(f"DROP INDEX {name}")
