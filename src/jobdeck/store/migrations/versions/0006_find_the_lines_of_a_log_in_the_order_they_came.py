"""Find the lines of a log in the order they came."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring a store to this version."""
    with op.batch_alter_table("logs", schema=None) as batch_op:
        batch_op.create_index("ix_logs_job_id_id", ["job_id", "id"], unique=False)
