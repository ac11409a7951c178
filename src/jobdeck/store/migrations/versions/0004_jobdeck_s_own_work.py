"""Jobdeck's own work."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring a store to this version."""
    op.create_table(
        "bulk_items",
        sa.Column(
            "job_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "target",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("job_id", "target", name=op.f("pk_bulk_items")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("bulk_items", schema=None) as batch_op:
        batch_op.create_index(
            "ix_bulk_items_outcome", ["job_id", "outcome", "target"], unique=False
        )

    # Without batch mode: that would make the table anew, and lose what is SQLite's own.
    op.add_column(
        "pools",
        sa.Column("builtin", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
