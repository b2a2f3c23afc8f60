"""The lines of runs, in pieces: stored while a task runs, each attempt's apart. They go with their task.

Until now a task had the lines of its newest attempt alone, once that had ended. The column stays, for workers of an earlier release that still run.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLE = """CREATE TABLE log_pieces (
  task_id {id} NOT NULL, attempt integer NOT NULL, first bigint NOT NULL, last bigint NOT NULL, lines text NOT NULL,
  PRIMARY KEY (task_id, attempt, first)
)"""
POSTGRESQL = (
    TABLE.format(id="uuid"),
    """CREATE FUNCTION drop_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM log_pieces WHERE task_id = OLD.id;
  RETURN NULL;
END $$""",
    "CREATE TRIGGER drop_log AFTER DELETE ON tasks FOR EACH ROW EXECUTE FUNCTION drop_log()",
    """INSERT INTO log_pieces (task_id, attempt, first, last, lines)
  SELECT id, greatest(attempt, 1), 1, jsonb_array_length(log), CAST(log AS text) FROM tasks WHERE jsonb_typeof(log) = 'array'""",
)
SQLITE = (
    TABLE.format(id="text"),
    "CREATE TRIGGER drop_log AFTER DELETE ON tasks BEGIN DELETE FROM log_pieces WHERE task_id = OLD.id; END",
    """INSERT INTO log_pieces (task_id, attempt, first, last, lines)
  SELECT id, max(attempt, 1), 1, json_array_length(log), log FROM tasks WHERE json_type(log) = 'array'""",
)


def upgrade() -> None:
    """The table, filled with what is known so far."""
    for statement in POSTGRESQL if op.get_bind().dialect.name == "postgresql" else SQLITE:
        op.execute(statement)
