"""Errors can be muted."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring a store to this version."""
    with op.batch_alter_table("error_groups", schema=None) as batch_op:
        batch_op.add_column(sa.Column("muted_at", sa.BigInteger(), nullable=True))
        for name in ("muted_by", "muted_reason"):
            batch_op.add_column(sa.Column(name, sa.Text(), server_default="", nullable=False))
