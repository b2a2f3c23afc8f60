"""What a worker could not offer: plug-ins that raise, hang or clash while they are imported."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Each worker says it of itself."""
    kind = "jsonb" if op.get_bind().dialect.name == "postgresql" else "text"
    op.execute(f"ALTER TABLE workers ADD COLUMN left_out {kind} NOT NULL DEFAULT '[]'")
