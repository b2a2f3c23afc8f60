"""A row for each thing that the file store holds, made before its bytes: so that a user's room can be counted, and what a dead process left behind is known.

Files expire: from when a task last took an upload, its days are counted anew.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

POSTGRESQL = {
    "id": "uuid",
    "instant": "timestamptz",
    "each": "jsonb_array_elements(CASE WHEN jsonb_typeof(artifacts) = 'array' THEN artifacts ELSE '[]' END) AS each(value)",
    "size": "CAST(value->>'size' AS bigint)",
}
SQLITE = {"id": "text", "instant": "text", "each": "json_each(coalesce(artifacts, '[]'))", "size": "value->>'size'"}

STATEMENTS = (
    """CREATE TABLE objects (
      key text PRIMARY KEY, user_id integer NOT NULL, task_id {id}, size bigint NOT NULL, made_at {instant} NOT NULL
    )""",
    "CREATE INDEX objects_user ON objects (user_id, size)",
    "ALTER TABLE files ADD COLUMN used_at {instant}",
    "CREATE UNIQUE INDEX files_key ON files (key)",
    "CREATE INDEX files_newest ON files (user_id, created_at DESC, id DESC)",
    "CREATE INDEX files_expiry ON files (coalesce(used_at, created_at))",
    "DROP INDEX files_user",
    "INSERT INTO objects (key, user_id, size, made_at) SELECT key, user_id, size, created_at FROM files",
    """INSERT INTO objects (key, user_id, task_id, size, made_at)
      SELECT value->>'key', user_id, tasks.id, {size}, coalesce(finished_at, tasks.created_at) FROM tasks, {each}
      WHERE value->>'key' IS NOT NULL ON CONFLICT DO NOTHING""",
)


def upgrade() -> None:
    """The table, what it knows of what is there already, and the indexes that the list of files and their expiry need."""
    words = POSTGRESQL if op.get_bind().dialect.name == "postgresql" else SQLITE
    for statement in STATEMENTS:
        op.execute(statement.format_map(words))
