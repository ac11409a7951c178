"""What is counted and found of many jobs: totals, volume, errors, parameters."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, SmallInteger, Table, Text

from jobdeck.store.tables.base import NUMBERED, Number, Time, metadata, number

# Jobs by status, queue and flow. Writers use the shard of their own process, so that they do
# not wait for each other's row; a number is the sum of its shards.
counters = Table(
    "counters",
    metadata,
    Column("status", SmallInteger, primary_key=True),
    Column("queue_id", Integer, primary_key=True),
    Column("flow_id", Integer, primary_key=True),
    Column("shard", Integer, primary_key=True),
    Column("n", BigInteger, nullable=False),
    sqlite_with_rowid=False,
    postgresql_with={"fillfactor": 60},
)

# How many jobs ended, by the time of their creation: `at` is the beginning of a stretch of `span`
# seconds. Written with the end of a job, so it always adds up; see `volume`.
volume = Table(
    "volume",
    metadata,
    Column("span", Integer, primary_key=True, autoincrement=False),
    Column("flow_id", Integer, primary_key=True, autoincrement=False),
    Column("at", Time, primary_key=True, autoincrement=False),
    Column("status", SmallInteger, primary_key=True, autoincrement=False),
    Column("queue_id", Integer, primary_key=True, autoincrement=False),
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("n", BigInteger, nullable=False),
    sqlite_with_rowid=False,
    postgresql_with={"fillfactor": 60},
)

# Failures that are the same error, see `domain.fingerprint`. `failures` is how often it happened,
# `jobs` how many jobs stand failed by it now. A failure after `resolved_at` opens it again.
error_groups = Table(
    "error_groups",
    metadata,
    number(),
    Column("fingerprint", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("example", Text, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("jobs", BigInteger, nullable=False),
    Column("first_at", Time, nullable=False),
    Column("last_at", Time, nullable=False),
    Column("last_job_id", Number, nullable=False),
    Column("resolved_at", Time),
    Column("resolved_by", Text, nullable=False, server_default=""),
    Column("resolved_reason", Text, nullable=False, server_default=""),
    Column("reopened_at", Time),
    Column("muted_at", Time),
    Column("muted_by", Text, nullable=False, server_default=""),
    Column("muted_reason", Text, nullable=False, server_default=""),
    Index("ix_error_groups_last_at_id", "last_at", "id"),
    postgresql_with={"fillfactor": 60},
    **NUMBERED,
)

# How often the error happened in the hour that begins at `hour`.
error_hours = Table(
    "error_hours",
    metadata,
    Column("group_id", Number, primary_key=True, autoincrement=False),
    Column("hour", Time, primary_key=True, autoincrement=False),
    Column("n", Integer, nullable=False),
    Index("ix_error_hours_hour", "hour"),
)

# Which flows the error happened in, and how often.
error_flows = Table(
    "error_flows",
    metadata,
    Column("group_id", Number, primary_key=True, autoincrement=False),
    Column("flow_id", Integer, primary_key=True, autoincrement=False),
    Column("n", BigInteger, nullable=False),
    Index("ix_error_flows_flow_id", "flow_id", "group_id"),
)

# Values of the parameters that pipelines ask to be found by, and of which jobs of a pipeline
# they are kept: all from number `low` to `high`. Maintenance goes on from both ends.
job_params = Table(
    "job_params",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("flow_id", Integer, primary_key=True, autoincrement=False),
    Column("job_id", Number, primary_key=True, autoincrement=False),
    Index("ix_job_params_job_id", "job_id"),
    sqlite_with_rowid=False,
)

searched = Table(
    "searched",
    metadata,
    Column("pipeline_id", ForeignKey("pipelines.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("low", Number, nullable=False),
    Column("high", Number, nullable=False),
)
