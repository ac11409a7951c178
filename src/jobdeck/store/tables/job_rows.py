"""Jobs, the small tables of open ones, and what keeps one from being made twice."""

from sqlalchemy import BigInteger, Column, Index, Integer, SmallInteger, Table, Text

from jobdeck.store.tables.base import NUMBERED, Number, Time, metadata, number, partial_index

jobs = Table(
    "jobs",
    metadata,
    number(),
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
    partial_index("ix_jobs_parent_id_id", "parent_id", "id", where="parent_id IS NOT NULL"),
    partial_index("ix_jobs_schedule_id_id", "schedule_id", "id", where="schedule_id IS NOT NULL"),
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
    partial_index("ix_running_stop", "pool_id", where="stop_kind IS NOT NULL"),
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

# Makes fan-out safe to repeat: the same step and index of a parent is the same child.
children = Table(
    "children",
    metadata,
    Column("parent_id", Number, primary_key=True, autoincrement=False),
    Column("step", Text, primary_key=True),
    Column("index", Integer, primary_key=True),
    Column("job_id", Number, nullable=False),
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
    partial_index("ix_unsuccessful_group", "group_id", "job_id", where="group_id IS NOT NULL"),
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
    Index("ix_processed_items_job_id", "job_id", "source", "item"),
    partial_index("ix_processed_items_claimed", "job_id", where="state = 'claimed'"),
    Index("ix_processed_items_expires_at", "expires_at"),
)
