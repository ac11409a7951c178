"""What jobs did: their attempts, steps, lines, calls, files and events."""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from jobdeck.store.tables.base import NUMBERED, Number, Time, metadata, number

# Attempts that did not end their job, or that an explicit retry has superseded. The latest
# attempt of a job stands in `running` or in its own row.
attempts = Table(
    "attempts",
    metadata,
    Column("job_id", Number, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True),
    Column("status", SmallInteger, nullable=False),
    Column("reason", Text),
    Column("message", Text),
    Column("error", Text),
    Column("started_at", Time),
    Column("finished_at", Time),
    Column("pool_id", Integer),
    Column("worker_id", Integer),
    Column("cpu_us", BigInteger),
    Column("max_rss_kb", Integer),
)

# A job of one step without counts or checkpoint has no row here: its step is its own row.
steps = Table(
    "steps",
    metadata,
    Column("job_id", Number, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("claim", Integer, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("started_at", Time),
    Column("finished_at", Time),
    Column("read", BigInteger, nullable=False, server_default="0"),
    Column("written", BigInteger, nullable=False, server_default="0"),
    Column("filtered", BigInteger, nullable=False, server_default="0"),
    Column("skipped", BigInteger, nullable=False, server_default="0"),
    Column("commits", BigInteger, nullable=False, server_default="0"),
    Column("rollbacks", BigInteger, nullable=False, server_default="0"),
    Column("result", Text),
    Column("checkpoint", Text),
    Column("error", Text),
)

# `seq` comes from the worker and rises within the attempt, so a repeated frame adds nothing.
logs = Table(
    "logs",
    metadata,
    number(),
    Column("job_id", Number, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("at", Time, nullable=False),
    Column("level", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("fields", Text),
    UniqueConstraint("job_id", "attempt", "seq"),
    Index("ix_logs_job_id_id", "job_id", "id"),
    **NUMBERED,
)

api_calls = Table(
    "api_calls",
    metadata,
    number(),
    Column("job_id", Number, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("at", Time, nullable=False),
    Column("step", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("status", Integer),
    Column("duration_s", Float, nullable=False),
    Column("request", Text, nullable=False),
    Column("response", Text, nullable=False),
    Column("error", Text, nullable=False),
    UniqueConstraint("job_id", "attempt", "seq"),
    **NUMBERED,
)

files = Table(
    "files",
    metadata,
    Column("job_id", Number, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("path", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("step", Text, nullable=False),
)

events = Table(
    "events",
    metadata,
    number(),
    Column("job_id", Number, nullable=False, index=True),
    Column("at", Time, nullable=False),
    Column("kind", Text, nullable=False),
    Column("message", Text, nullable=False, server_default=""),
    Column("actor", Text, nullable=False, server_default=""),
    Column("attempt", Integer),
    **NUMBERED,
)
