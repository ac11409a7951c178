"""volume by time of creation, parameters to find jobs by, saved views."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring a store to this version."""
    op.create_table(
        "job_params",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("flow_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "job_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("name", "value", "flow_id", "job_id", name=op.f("pk_job_params")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("job_params", schema=None) as batch_op:
        batch_op.create_index("ix_job_params_job_id", ["job_id"], unique=False)

    op.create_table(
        "views",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("filter", sa.Text(), nullable=False),
        sa.Column("sort", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_views")),
        sa.UniqueConstraint("actor", "name", name=op.f("uq_views_actor_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "volume",
        sa.Column("span", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("flow_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("status", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("queue_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "span", "flow_id", "at", "status", "queue_id", "shard", name=op.f("pk_volume")
        ),
        postgresql_with={"fillfactor": 60},
        sqlite_with_rowid=False,
    )
    op.create_table(
        "searched",
        sa.Column(
            "pipeline_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("low", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("high", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipelines.id"], name=op.f("fk_searched_pipeline_id")
        ),
        sa.PrimaryKeyConstraint("pipeline_id", "name", name=op.f("pk_searched")),
    )
    # Jobs that have ended before count as well.
    fine = "created_at - created_at % 600000000"
    op.execute(
        "INSERT INTO volume (span, flow_id, at, status, queue_id, shard, n) "  # noqa: S608
        f"SELECT 600, flow_id, {fine}, status, queue_id, 0, count(*) FROM jobs "
        f"WHERE status IN (1, 2, 3) GROUP BY flow_id, {fine}, status, queue_id"
    )
    for span in (3600, 86400):
        op.execute(
            "INSERT INTO volume (span, flow_id, at, status, queue_id, shard, n) "  # noqa: S608
            f"SELECT {span}, flow_id, at - at % {span}000000, status, queue_id, 0, sum(n) "
            "FROM volume WHERE span = 600 "
            f"GROUP BY flow_id, at - at % {span}000000, status, queue_id"
        )
