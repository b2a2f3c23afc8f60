"""Operators and members, workloads that are paused, and two indexes: what has ended lately, for the throughput and the failures that operators see, and what
was started again, so that nothing is twice.

On PostgreSQL every statement is a transaction of its own and can be run again, while the service goes on.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLE = (
    "CREATE TABLE IF NOT EXISTS paused_workloads (name text PRIMARY KEY, since {instant} NOT NULL, paused_by integer)"
)
ROLES = "UPDATE users SET role = CASE role WHEN 'admin' THEN 'operator' ELSE 'member' END WHERE role NOT IN ('member', 'operator')"
INDEXES = {
    "events_ended_at": "events (at, type) WHERE type IN ('task.succeeded', 'task.failed', 'task.cancelled')",
    "tasks_retry_of": "tasks (retry_of) WHERE retry_of IS NOT NULL",
}
# A lock that somebody holds for long must not make the whole service queue behind this migration.
LOCK_WITHIN = "SET lock_timeout = '3s'"


def upgrade() -> None:
    """The table, the roles and the indexes."""
    if op.get_bind().dialect.name == "postgresql":
        with op.get_context().autocommit_block():
            op.execute(LOCK_WITHIN)
            op.execute(TABLE.format(instant="timestamptz"))
            op.execute("ALTER TABLE users ALTER COLUMN role SET DEFAULT 'member'")
            op.execute(ROLES)
            for name, text in INDEXES.items():
                op.execute(f"DROP INDEX IF EXISTS {name}")  # one that was interrupted is there, but of no use
                op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {text}")
    else:
        op.execute(TABLE.format(instant="text"))
        op.execute(ROLES)
        for name, text in INDEXES.items():
            op.execute(f"CREATE INDEX {name} ON {text}")
