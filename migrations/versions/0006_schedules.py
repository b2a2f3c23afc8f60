"""Schedules with their runs, and what follows on the success of a task.

A run is a row of its own, unique by schedule and instant: whatever writes it twice writes it once. What follows goes with its task: a foreign key, which
neither changes nor keeps a task.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

POSTGRESQL = {"id": "uuid", "instant": "timestamptz", "json": "jsonb", "bytes": "bytea"}
SQLITE = {"id": "text", "instant": "text", "json": "text", "bytes": "blob"}

TABLES = """
CREATE TABLE schedules (
  id {id} PRIMARY KEY, user_id integer NOT NULL, name text NOT NULL, workload text NOT NULL, params {json} NOT NULL, priority integer NOT NULL DEFAULT 0,
  follow {json}, at {instant}, cron text, zone text NOT NULL, missed text NOT NULL CHECK (missed IN ('skip', 'run_once')),
  next_at {instant}, last_at {instant}, paused_at {instant}, created_at {instant} NOT NULL, key text, body {bytes},
  CHECK ((at IS NULL) <> (cron IS NULL)), UNIQUE (user_id, key)
);
CREATE INDEX schedules_due ON schedules (next_at) WHERE paused_at IS NULL AND next_at IS NOT NULL;
CREATE INDEX schedules_user ON schedules (user_id, id);

CREATE TABLE schedule_runs (
  schedule_id {id} NOT NULL REFERENCES schedules (id) ON DELETE CASCADE, at {instant} NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('started', 'skipped', 'refused')), task_id {id}, missed integer NOT NULL DEFAULT 0, note text NOT NULL DEFAULT '',
  PRIMARY KEY (schedule_id, at)
);
CREATE INDEX schedule_runs_task ON schedule_runs (task_id) WHERE task_id IS NOT NULL;

CREATE TABLE follow_ups (
  task_id {id} PRIMARY KEY REFERENCES tasks (id) ON DELETE CASCADE, user_id integer NOT NULL, plan {json} NOT NULL,
  outcome text CHECK (outcome IN ('started', 'refused', 'dropped')), next_task_id {id}, note text NOT NULL DEFAULT '', taken_until {instant}
);
CREATE INDEX follow_ups_pending ON follow_ups (task_id) WHERE outcome IS NULL;
CREATE UNIQUE INDEX follow_ups_next ON follow_ups (next_task_id) WHERE next_task_id IS NOT NULL;
"""


def upgrade() -> None:
    """Create the three tables."""
    kinds = POSTGRESQL if op.get_bind().dialect.name == "postgresql" else SQLITE
    for statement in TABLES.format_map(kinds).split(";"):
        if statement.strip():
            op.execute(statement)
