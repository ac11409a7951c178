"""What is defined: pipelines and their versions, flows, queues, schedules."""

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, Table, Text, text

from jobdeck.store.tables.base import NUMBERED, Number, Time, limit_columns, metadata, number

# A pipeline or flow that is removed keeps its row, so that the jobs it ran keep their names.
pipelines = Table(
    "pipelines",
    metadata,
    number(),
    Column("name", Text, nullable=False, unique=True),
    Column("current_version", Integer, nullable=False),
    Column("published_version", Integer),
    Column("created_at", Time, nullable=False),
    Column("updated_at", Time, nullable=False),
    Column("removed_at", Time),
    **NUMBERED,
)

versions = Table(
    "versions",
    metadata,
    Column("pipeline_id", ForeignKey("pipelines.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("manifest", Text, nullable=False),
    Column("created_at", Time, nullable=False),
)

queues = Table(
    "queues",
    metadata,
    number(),
    Column("name", Text, nullable=False, unique=True),
    Column("builtin", Boolean, nullable=False, server_default=text("false")),
    Column("paused_at", Time),
    Column("paused_by", Text, nullable=False, server_default=""),
    Column("paused_reason", Text, nullable=False, server_default=""),
    *limit_columns(),
    **NUMBERED,
)

flows = Table(
    "flows",
    metadata,
    number(),
    Column("name", Text, nullable=False, unique=True),
    Column("pipeline_id", ForeignKey("pipelines.id"), nullable=False, index=True),
    Column("queue_id", ForeignKey("queues.id"), nullable=False),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("params", Text, nullable=False, server_default="{}"),
    Column("context", Text, nullable=False, server_default=""),
    Column("retry", Text),
    Column("timeout_s", Float),
    Column("created_at", Time, nullable=False),
    Column("updated_at", Time, nullable=False),
    Column("removed_at", Time),
    *limit_columns(),
    **NUMBERED,
)

# Flows that run after another one: `outcome` is completed, failed or ended.
followers = Table(
    "followers",
    metadata,
    Column("flow_id", ForeignKey("flows.id"), primary_key=True),
    Column("after_flow_id", ForeignKey("flows.id"), primary_key=True),
    Column("outcome", Text, nullable=False),
    Index("ix_followers_after_flow_id", "after_flow_id"),
)

schedules = Table(
    "schedules",
    metadata,
    number(),
    Column("flow_id", ForeignKey("flows.id"), nullable=False, index=True),
    Column("cron", Text, nullable=False, server_default=""),
    Column("interval_s", Float),
    Column("timezone", Text, nullable=False, server_default="UTC"),
    Column("params", Text, nullable=False, server_default="{}"),
    Column("vendor_type", Text, nullable=False, server_default=""),
    Column("vendor_id", Text, nullable=False, server_default=""),
    Column("paused_at", Time),
    Column("paused_by", Text, nullable=False, server_default=""),
    Column("paused_reason", Text, nullable=False, server_default=""),
    Column("start_at", Time),
    Column("end_at", Time),
    Column("jitter_s", Float, nullable=False, server_default="0"),
    Column("misfire", Text, nullable=False, server_default="once"),
    Column("overlap", Text, nullable=False, server_default="allow"),
    Column("next_at", Time, index=True),
    Column("waiting_at", Time),
    Column("last_at", Time),
    Column("last_job_id", Number),
    Column("created_at", Time, nullable=False),
    Column("updated_at", Time, nullable=False),
    **NUMBERED,
)

# One row for each tick that fired: two leaders cannot fire the same one.
fires = Table(
    "fires",
    metadata,
    Column("schedule_id", Integer, primary_key=True, autoincrement=False),
    Column("fire_at", Time, primary_key=True, autoincrement=False),
    Column("job_id", Number),
)

# What to advise when an error looks like this; those built in are in the domain.
hint_rules = Table(
    "hint_rules",
    metadata,
    number(),
    Column("pattern", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("link", Text, nullable=False, server_default=""),
    Column("created_at", Time, nullable=False),
    **NUMBERED,
)
