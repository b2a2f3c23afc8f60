"""How far somebody has read of what became of their tasks, and which workloads they do not want to hear of.

The mark has a table of its own: the row in `streams` is locked by every event. The ends of a user's tasks are in order, so that the unread ones are found
without the steps between them. What ended before this counts as read.

On PostgreSQL every statement is a transaction of its own and can be run again, while the service goes on.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLES = (
    "CREATE TABLE IF NOT EXISTS read_marks (user_id integer PRIMARY KEY, seq bigint NOT NULL)",
    "CREATE TABLE IF NOT EXISTS muted (user_id integer NOT NULL, workload text NOT NULL, PRIMARY KEY (user_id, workload))",
    "INSERT INTO read_marks (user_id, seq) SELECT user_id, seq FROM streams WHERE seq > 0 ON CONFLICT DO NOTHING",
)
INDEX = "events_ends ON events (user_id, seq) WHERE type IN ('task.succeeded', 'task.failed', 'task.cancelled')"
# A lock that somebody holds for long must not make the whole service queue behind this migration.
LOCK_WITHIN = "SET lock_timeout = '3s'"


def upgrade() -> None:
    """The tables, the marks and the index."""
    if op.get_bind().dialect.name == "postgresql":
        with op.get_context().autocommit_block():
            op.execute(LOCK_WITHIN)
            for statement in TABLES:
                op.execute(statement)
            op.execute("DROP INDEX IF EXISTS events_ends")  # one that was interrupted is there, but of no use
            op.execute(f"CREATE INDEX CONCURRENTLY {INDEX}")
    else:
        for statement in (*TABLES, f"CREATE INDEX {INDEX}"):
            op.execute(statement)
