"""Find the items that a job took."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring a store to this version."""
    with op.batch_alter_table("processed_items", schema=None) as batch_op:
        columns = ["job_id", "source", "item"]
        batch_op.create_index("ix_processed_items_job_id", columns, unique=False)
