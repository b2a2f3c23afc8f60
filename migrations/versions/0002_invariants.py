"""What the service promises of every row is held by the database too: who runs a task, what has ended, what only grows, what never changes.

docs/model.md says what that is for and what it costs. The guards are triggers and not constraints because PostgreSQL compiles a constraint again in each
statement: a quarter of the guards' cost was one CHECK, which they replace. They look at what is written from now on, so nothing is scanned. Every statement
is a transaction of its own, holds its lock for a moment, and can be run again: the service goes on meanwhile, and what was interrupted starts over.
"""

from typing import Final, NamedTuple

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


class Guard(NamedTuple):
    """Steps of a row that are refused: `on` is the kind of write; each reason has a condition over OLD and NEW that both databases understand."""

    name: str
    table: str
    on: str
    refused: dict[str, str]


ENDED: Final = "('succeeded', 'failed', 'cancelled')"
HELD: Final = "NEW.claim IS NOT NULL AND NEW.lease_until IS NOT NULL AND NEW.worker_id IS NOT NULL"
FREE: Final = "NEW.claim IS NULL AND NEW.lease_until IS NULL AND NEW.worker_id IS NULL"
# These run for every row that is written: one function a row.
ALWAYS: Final = (
    Guard(
        "guard_birth",
        "tasks",
        "INSERT",
        {
            "a task begins queued": "NEW.state <> 'queued' OR NEW.finished_at IS NOT NULL OR NEW.cancel_requested_at IS NOT NULL",
            "a task begins with nothing counted": "NEW.attempt <> 0 OR NEW.errors <> 0 OR NEW.lost <> 0",
            "nobody holds a task that begins": f"NOT ({FREE})",
        },
    ),
    Guard(
        "guard_moves",
        "tasks",
        "UPDATE",
        {
            "the task is terminal": f"OLD.state IN {ENDED}",
            "illegal move": "NEW.state NOT IN ('queued', 'running', 'cancelled') AND (OLD.state = 'queued' OR NEW.state NOT IN ('succeeded', 'failed'))",
            "attempt goes back or jumps": "NEW.attempt <> OLD.attempt + (CASE WHEN OLD.state = 'queued' AND NEW.state = 'running' THEN 1 ELSE 0 END)",
            "a count goes back": "NEW.errors < OLD.errors OR NEW.lost < OLD.lost",
            "more ends than attempts": "NEW.errors + NEW.lost > NEW.attempt",
            "what runs is held, and nothing else": f"NOT (CASE WHEN NEW.state = 'running' THEN {HELD} ELSE {FREE} END)",
            "what has ended says when, and nothing else": f"(NEW.finished_at IS NOT NULL) <> (NEW.state IN {ENDED})",
            "a cancelled task waits again": "NEW.state = 'queued' AND NEW.cancel_requested_at IS NOT NULL",
            "a task changes its owner": "NEW.id <> OLD.id OR NEW.user_id <> OLD.user_id",
        },
    ),
)
# These call nothing unless they refuse.
SELDOM: Final = (
    Guard(
        "guard_events",
        "events",
        "BEFORE UPDATE",
        {
            "an event changes": "NEW.user_id <> OLD.user_id OR NEW.seq <> OLD.seq OR NEW.at <> OLD.at OR NEW.type <> OLD.type OR NEW.task_id <> OLD.task_id"
            """ OR (NEW.task <> OLD.task AND replace(NEW.task, ' ', '') <> '{"id":"' || OLD.task_id || '"}')"""
        },
    ),
    Guard(
        "guard_floor",
        "streams",
        "AFTER UPDATE OF floor",  # AFTER, and of one column: nothing where events are written
        {"a floor goes back, or past the events": "NEW.floor < OLD.floor OR NEW.floor > NEW.seq"},
    ),
    Guard(
        "guard_keys",
        "idempotency",
        "BEFORE UPDATE",
        {"an idempotency key changes": "OLD.key = NEW.key OR OLD.key <> NEW.key"},
    ),
)
REFUSE: Final = """
CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%', TG_ARGV[0];
END $$
"""
# A lock that somebody holds for long must not make the whole service queue behind this migration.
LOCK_WITHIN: Final = "SET lock_timeout = '3s'"


def upgrade() -> None:
    """Add the guards, in place of the first one."""
    if op.get_bind().dialect.name == "postgresql":
        with op.get_context().autocommit_block():
            for statement in (LOCK_WITHIN, *_postgresql()):
                op.execute(statement)
    else:
        for statement in _sqlite():
            op.execute(statement)


def _postgresql() -> list[str]:
    statements = [REFUSE]
    for guard in ALWAYS:
        refusals = "\n".join(
            f"  IF {when} THEN RAISE EXCEPTION '{why}' USING DETAIL = 'task ' || NEW.id; END IF;"
            for why, when in guard.refused.items()
        )
        statements += [
            f"CREATE OR REPLACE FUNCTION {guard.name}() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n{refusals}\n  RETURN NEW;\nEND $$",
            f"CREATE OR REPLACE TRIGGER {guard.name} BEFORE {guard.on} ON {guard.table} FOR EACH ROW EXECUTE FUNCTION {guard.name}()",
        ]
    for guard in SELDOM:
        ((why, when),) = guard.refused.items()
        statements.append(
            f"CREATE OR REPLACE TRIGGER {guard.name} {guard.on} ON {guard.table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION refuse('{why}')"
        )
    # The guards say which states there are: a task begins queued and moves from there.
    return [*statements, "ALTER TABLE tasks DROP CONSTRAINT IF EXISTS tasks_state_check"]


def _sqlite() -> list[str]:
    statements = [f"DROP TRIGGER IF EXISTS {name}" for name in ("guard_terminal", "guard_moves", "guard_attempt")]
    for guard in (*ALWAYS, *SELDOM):
        on = guard.on if guard in SELDOM else f"BEFORE {guard.on}"
        refusals = " ".join(f"WHEN {when} THEN RAISE(ABORT, '{why}')" for why, when in guard.refused.items())
        statements += [
            f"DROP TRIGGER IF EXISTS {guard.name}",
            f"CREATE TRIGGER {guard.name} {on} ON {guard.table} BEGIN SELECT CASE {refusals} END; END",
        ]
    return statements
