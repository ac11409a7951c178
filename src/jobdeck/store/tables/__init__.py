"""The schema, the same on SQLite and PostgreSQL.

A job's own row in `jobs` is written when it is created and once more when it ends. While it is
open it also has a row in exactly one of `ready`, `running` and `delayed`, which are small, so
that claiming costs the same whatever the history. `jobs.status` is OPEN until then, and no index
of `jobs` contains a column that changes (PostgreSQL then updates in place).

Times are microseconds since the epoch. JSON is text, as it was written.
"""

from jobdeck.store.tables.base import metadata
from jobdeck.store.tables.definitions import (
    fires,
    flows,
    followers,
    hint_rules,
    pipelines,
    queues,
    schedules,
    versions,
)
from jobdeck.store.tables.history import (
    api_calls,
    attempts,
    events,
    files,
    logs,
    steps,
)
from jobdeck.store.tables.job_rows import (
    children,
    delayed,
    idempotency_keys,
    jobs,
    parents,
    processed_items,
    ready,
    running,
    unique_keys,
    unsuccessful,
)
from jobdeck.store.tables.measures import (
    counters,
    error_flows,
    error_groups,
    error_hours,
    job_params,
    searched,
    volume,
)
from jobdeck.store.tables.service import (
    audit,
    bulk_items,
    changes,
    leases,
    pools,
    sessions,
    views,
    workers,
)

__all__ = [
    "api_calls",
    "attempts",
    "audit",
    "bulk_items",
    "changes",
    "children",
    "counters",
    "delayed",
    "error_flows",
    "error_groups",
    "error_hours",
    "events",
    "files",
    "fires",
    "flows",
    "followers",
    "hint_rules",
    "idempotency_keys",
    "job_params",
    "jobs",
    "leases",
    "logs",
    "metadata",
    "parents",
    "pipelines",
    "pools",
    "processed_items",
    "queues",
    "ready",
    "running",
    "schedules",
    "searched",
    "sessions",
    "steps",
    "unique_keys",
    "unsuccessful",
    "versions",
    "views",
    "volume",
    "workers",
]
