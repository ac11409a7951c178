"""What runs the jobs, and what people did: pools, leases, audit, live changes, sessions."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from jobdeck.store.tables.base import NUMBERED, Number, Time, metadata, number

# `beat` rises with each heartbeat; others time it with their own clocks. `asleep` asks whoever
# enqueues for a NOTIFY, which PostgreSQL pays for by serialising commits. `loaded` gives the
# fingerprint of every pipeline that its workers have loaded. A `builtin` one is a maintenance
# process, which runs Jobdeck's own work.
pools = Table(
    "pools",
    metadata,
    number(),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", Time, nullable=False),
    Column("heartbeat_at", Time, nullable=False),
    Column("beat", BigInteger, nullable=False, server_default="0"),
    Column("concurrency", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("queues", Text, nullable=False, server_default="[]"),
    Column("asleep", Boolean, nullable=False, server_default=text("false")),
    Column("loaded", Text, nullable=False, server_default="{}"),
    Column("rss_kb", Integer),
    Column("builtin", Boolean, nullable=False, server_default=text("false")),
    **NUMBERED,
)

workers = Table(
    "workers",
    metadata,
    number(),
    Column("pool_id", Integer, nullable=False, index=True),
    Column("pid", Integer, nullable=False),
    Column("process_started_at", Float, nullable=False),
    Column("started_at", Time, nullable=False),
    **NUMBERED,
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("beat", BigInteger, nullable=False),
)

# What a bulk job is about, and what became of each: `outcome` is null until its turn comes.
bulk_items = Table(
    "bulk_items",
    metadata,
    Column("job_id", Number, primary_key=True, autoincrement=False),
    Column("target", Number, primary_key=True, autoincrement=False),
    Column("outcome", Text),
    Column("message", Text),
    Index("ix_bulk_items_outcome", "job_id", "outcome", "target"),
    sqlite_with_rowid=False,
)

# Lists of jobs that somebody has given a name: the text of a filter, and an order.
views = Table(
    "views",
    metadata,
    number(),
    Column("actor", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("filter", Text, nullable=False),
    Column("sort", Text, nullable=False, server_default=""),
    Column("created_at", Time, nullable=False),
    UniqueConstraint("actor", "name"),
    **NUMBERED,
)

audit = Table(
    "audit",
    metadata,
    number(),
    Column("at", Time, nullable=False),
    Column("actor", Text, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("detail", Text),
    **NUMBERED,
)

# What changed lately, for live pages: a few rows a second at the most, kept for minutes.
changes = Table(
    "changes",
    metadata,
    number(),
    Column("at", Time, nullable=False),
    Column("topic", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("kind", Text, nullable=False),
    **NUMBERED,
)

# Only digests of tokens are kept.
sessions = Table(
    "sessions",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("role", SmallInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
)
