"""Unique keys and items follow their jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring a store to this version."""
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("job_ids", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_idempotency_keys")),
    )
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_idempotency_keys_until"), ["until"], unique=False)

    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("unique_key", sa.Text(), nullable=True))

    with op.batch_alter_table("processed_items", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_processed_items_job_id"))
        batch_op.create_index(
            "ix_processed_items_claimed",
            ["job_id"],
            unique=False,
            sqlite_where=sa.text("state = 'claimed'"),
            postgresql_where=sa.text("state = 'claimed'"),
        )
        batch_op.create_index("ix_processed_items_expires_at", ["expires_at"], unique=False)

    with op.batch_alter_table("unique_keys", schema=None) as batch_op:
        batch_op.drop_column("digest")
