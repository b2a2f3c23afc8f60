"""Former names of workloads: what is asked for, scheduled or queued under one is run by the workload that bears it now."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """None has any until a worker says so."""
    kind = "jsonb" if op.get_bind().dialect.name == "postgresql" else "text"
    op.execute(f"ALTER TABLE workloads ADD COLUMN aliases {kind} NOT NULL DEFAULT '[]'")
