"""The schema, the same on SQLite and PostgreSQL.

A job's own row in `jobs` is written when it is created and once more when it ends. While it is
open it also has a row in exactly one of `ready`, `running` and `delayed`, which are small, so
that claiming costs the same whatever the history. `jobs.status` is OPEN until then, and no index
of `jobs` contains a column that changes (PostgreSQL then updates in place).

Times are microseconds since the epoch. JSON is text, as it was written.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite makes a column its row number only if the type reads INTEGER.
Number = BigInteger().with_variant(Integer(), "sqlite")
Time = BigInteger
# Never hands out a number again, even that of the newest row once deleted.
NUMBERED: dict[str, Any] = {"sqlite_autoincrement": True}


def _number() -> Column[int]:
    return Column("id", Number, primary_key=True, autoincrement=True)


def _limit_columns() -> list[Column[Any]]:
    """How many may run at once, and how many may start in a time; see `limits`."""
    return [
        Column("max_running", Integer),
        Column("rate_count", Integer),
        Column("rate_period_s", Float),
        Column("rate_empty_at", Time),
    ]


# A pipeline or flow that is removed keeps its row, so that the jobs it ran keep their names.
pipelines = Table(
    "pipelines",
    metadata,
    _number(),
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
    _number(),
    Column("name", Text, nullable=False, unique=True),
    Column("builtin", Boolean, nullable=False, server_default=text("false")),
    Column("paused_at", Time),
    Column("paused_by", Text, nullable=False, server_default=""),
    Column("paused_reason", Text, nullable=False, server_default=""),
    *_limit_columns(),
    **NUMBERED,
)

flows = Table(
    "flows",
    metadata,
    _number(),
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
    *_limit_columns(),
    **NUMBERED,
)

jobs = Table(
    "jobs",
    metadata,
    _number(),
    Column("flow_id", Integer, nullable=False),
    Column("queue_id", Integer, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("reason", Text),
    Column("message", Text),
    Column("priority", Integer, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("losses", Integer, nullable=False, server_default="0"),
    Column("claim", Integer, nullable=False, server_default="0"),
    Column("created_at", Time, nullable=False),
    Column("run_at", Time),
    Column("started_at", Time),
    Column("finished_at", Time),
    Column("params", Text, nullable=False),
    Column("context", Text),
    Column("result", Text),
    Column("error", Text),
    Column("parent_id", Number),
    Column("retry_of", Number),
    Column("schedule_id", Integer),
    Column("source", Text),
    Column("created_by", Text),
    Column("version", Integer),
    Column("pool_id", Integer),
    Column("worker_id", Integer),
    Column("cpu_us", BigInteger),
    Column("max_rss_kb", Integer),
    Column("unique_key", Text),
    Index("ix_jobs_flow_id_id", "flow_id", "id"),
    Index(
        "ix_jobs_parent_id_id",
        *("parent_id", "id"),
        sqlite_where=text("parent_id IS NOT NULL"),
        postgresql_where=text("parent_id IS NOT NULL"),
    ),
    Index(
        "ix_jobs_schedule_id_id",
        *("schedule_id", "id"),
        sqlite_where=text("schedule_id IS NOT NULL"),
        postgresql_where=text("schedule_id IS NOT NULL"),
    ),
    postgresql_with={"fillfactor": 60},
    **NUMBERED,
)


def _open_columns() -> list[Column[int]]:
    """What an open job carries from one small table to the next.

    `rank` is the negated priority: the smallest goes first. `attempt` is the number that the
    next attempt to begin will have, or that the running one has.
    """
    return [
        Column("job_id", Number, primary_key=True, autoincrement=False),
        Column("queue_id", Integer, nullable=False),
        Column("flow_id", Integer, nullable=False),
        Column("rank", Integer, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("losses", Integer, nullable=False),
        Column("claim", Integer, nullable=False),
    ]


# A lane is the jobs of one flow in one queue. Pools merge the heads of the lanes that may run,
# so jobs held back by a pause, a limit or a missing version cost claiming nothing.
ready = Table(
    "ready",
    metadata,
    *_open_columns(),
    Index("ix_ready_lane", "queue_id", "flow_id", "rank", "job_id"),
)

# `begun_at` is null while the job is handed out but not begun: everybody still sees it pending.
# `pool_id` is null while the job holds no worker because it waits for children.
running = Table(
    "running",
    metadata,
    *_open_columns(),
    Column("pool_id", Integer),
    Column("worker_id", Integer),
    Column("claimed_at", Time, nullable=False),
    Column("begun_at", Time),
    Column("stop_kind", Text),
    Column("stop_at", Time),
    Column("stop_by", Text),
    Column("stop_reason", Text),
    Column("done", BigInteger),
    Column("total", BigInteger),
    Column("note", Text),
    Column("checked_in_at", Time),
    Index(
        "ix_running_stop",
        "pool_id",
        sqlite_where=text("stop_kind IS NOT NULL"),
        postgresql_where=text("stop_kind IS NOT NULL"),
    ),
    postgresql_with={"fillfactor": 60},
)

# Jobs that fanned out, with what became of their children. A parent whose last child ends while
# it is parked goes back to `ready` to run its next step; this row's lock decides which comes
# first.
parents = Table(
    "parents",
    metadata,
    Column("job_id", Number, primary_key=True, autoincrement=False),
    Column("total", Integer, nullable=False),
    Column("completed", Integer, nullable=False, server_default="0"),
    Column("failed", Integer, nullable=False, server_default="0"),
    Column("stopped", Integer, nullable=False, server_default="0"),
    Column("fails_when", Text, nullable=False, server_default="all"),
    postgresql_with={"fillfactor": 60},
)

# Scheduled and retrying jobs, until their time has come.
delayed = Table(
    "delayed",
    metadata,
    *_open_columns(),
    Column("status", SmallInteger, nullable=False),
    Column("run_at", Time, nullable=False),
    Index("ix_delayed_run_at", "run_at", "job_id"),
)

# The few that did not complete, so that the failed list needs no index on `jobs.status`.
# `group_id` is the error group of one that failed.
unsuccessful = Table(
    "unsuccessful",
    metadata,
    Column("job_id", Number, primary_key=True, autoincrement=False),
    Column("flow_id", Integer, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("finished_at", Time, nullable=False),
    Column("group_id", Number),
    Index("ix_unsuccessful_status", "status", "job_id"),
    Index("ix_unsuccessful_flow", "flow_id", "status", "job_id"),
    Index(
        "ix_unsuccessful_group",
        *("group_id", "job_id"),
        sqlite_where=text("group_id IS NOT NULL"),
        postgresql_where=text("group_id IS NOT NULL"),
    ),
)

# Failures that are the same error, see `domain.fingerprint`. `failures` is how often it happened,
# `jobs` how many jobs stand failed by it now. A failure after `resolved_at` opens it again.
error_groups = Table(
    "error_groups",
    metadata,
    _number(),
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

# Lists of jobs that somebody has given a name: the text of a filter, and an order.
views = Table(
    "views",
    metadata,
    _number(),
    Column("actor", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("filter", Text, nullable=False),
    Column("sort", Text, nullable=False, server_default=""),
    Column("created_at", Time, nullable=False),
    UniqueConstraint("actor", "name"),
    **NUMBERED,
)

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
    _number(),
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
    _number(),
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

# Makes fan-out safe to repeat: the same step and index of a parent is the same child.
children = Table(
    "children",
    metadata,
    Column("parent_id", Number, primary_key=True, autoincrement=False),
    Column("step", Text, primary_key=True),
    Column("index", Integer, primary_key=True),
    Column("job_id", Number, nullable=False),
)

events = Table(
    "events",
    metadata,
    _number(),
    Column("job_id", Number, nullable=False, index=True),
    Column("at", Time, nullable=False),
    Column("kind", Text, nullable=False),
    Column("message", Text, nullable=False, server_default=""),
    Column("actor", Text, nullable=False, server_default=""),
    Column("attempt", Integer),
    **NUMBERED,
)

schedules = Table(
    "schedules",
    metadata,
    _number(),
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

# A key that one job alone may have: while it is open, and until a time. Nothing is written when
# that job ends: whether its key is free follows from its own row.
unique_keys = Table(
    "unique_keys",
    metadata,
    Column("key", Text, primary_key=True),
    Column("job_id", Number, nullable=False),
    Column("until", Time),
)

# Requests that were answered by creating jobs, so that one that is repeated creates none. `key`
# and `digest` (what was asked for) are digests; `job_ids` is JSON.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("job_ids", Text, nullable=False),
    Column("until", Time, nullable=False, index=True),
)

# Items that a flow takes only once, whatever the number of its runs. A claimed one belongs to its
# job while that is open; what becomes of it then follows from the job's own row, until
# maintenance writes it down. `expires_at` is the end of a claim, or when an item is forgotten.
processed_items = Table(
    "processed_items",
    metadata,
    Column("flow_id", Integer, primary_key=True, autoincrement=False),
    Column("source", Text, primary_key=True),
    Column("item", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("job_id", Number, nullable=False),
    Column("at", Time, nullable=False),
    Column("expires_at", Time),
    Column("deferrals", Integer, nullable=False, server_default="0"),
    Index(
        "ix_processed_items_claimed",
        "job_id",
        sqlite_where=text("state = 'claimed'"),
        postgresql_where=text("state = 'claimed'"),
    ),
    Index("ix_processed_items_expires_at", "expires_at"),
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

# What to advise when an error looks like this; those built in are in the domain.
hint_rules = Table(
    "hint_rules",
    metadata,
    _number(),
    Column("pattern", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("link", Text, nullable=False, server_default=""),
    Column("created_at", Time, nullable=False),
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

# `beat` rises with each heartbeat; others time it with their own clocks. `asleep` asks whoever
# enqueues for a NOTIFY, which PostgreSQL pays for by serialising commits. `loaded` gives the
# fingerprint of every pipeline that its workers have loaded. A `builtin` one is a maintenance
# process, which runs Jobdeck's own work.
pools = Table(
    "pools",
    metadata,
    _number(),
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
    _number(),
    Column("pool_id", Integer, nullable=False, index=True),
    Column("pid", Integer, nullable=False),
    Column("process_started_at", Float, nullable=False),
    Column("started_at", Time, nullable=False),
    **NUMBERED,
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

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("beat", BigInteger, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    _number(),
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
    _number(),
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
