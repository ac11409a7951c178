"""New jobs: their own row, a row among the ready or delayed, the counters."""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection

from jobdeck.domain.clock import Micros
from jobdeck.domain.states import Code
from jobdeck.store import counters


class NewJob(Struct, frozen=True, kw_only=True):
    """A job to be created. `params` is JSON text that has been checked; a `run_at` that has
    come already makes it pending at once."""

    flow_id: int
    queue_id: int
    params: str = "{}"
    priority: int = 0
    context: str = ""
    run_at: Micros | None = None
    parent_id: int | None = None
    retry_of: int | None = None
    schedule_id: int | None = None
    source: str = ""
    created_by: str = ""


_OPTIONAL = (
    *("run_at", "context", "parent_id", "retry_of", "schedule_id", "source", "created_by"),
)
_OPEN = "job_id, queue_id, flow_id, rank, attempt, losses, claim"
_READY = f"INSERT INTO ready ({_OPEN}) VALUES (?, ?, ?, ?, 1, 0, 0)"  # noqa: S608
# The new rows become ready inside the database: twice as quick as sending each again.
_READY_RANGE = (
    f"INSERT INTO ready ({_OPEN}) SELECT id, queue_id, flow_id, -priority, 1, 0, 0 "  # noqa: S608
    "FROM jobs WHERE id BETWEEN ? AND ? AND (run_at IS NULL OR run_at <= ?)"
)
_DELAYED_RANGE = (
    f"INSERT INTO delayed ({_OPEN}, status, run_at) "  # noqa: S608
    f"SELECT id, queue_id, flow_id, -priority, 1, 0, 0, {int(Code.SCHEDULED)}, run_at "
    "FROM jobs WHERE id BETWEEN ? AND ? AND run_at > ?"
)

# Numbers are drawn in the order of the arrays, so the n-th smallest is that of the n-th job.
_POSTGRES = f"""
WITH new AS (
    INSERT INTO jobs (flow_id, queue_id, priority, params, {", ".join(_OPTIONAL)},
        status, created_at)
    SELECT e.*, {int(Code.OPEN)}, %(now)s
    FROM unnest(%(flow_id)s::int[], %(queue_id)s::int[], %(priority)s::int[],
        %(params)s::text[], %(run_at)s::bigint[], %(context)s::text[], %(parent_id)s::bigint[],
        %(retry_of)s::bigint[], %(schedule_id)s::int[], %(source)s::text[],
        %(created_by)s::text[]) AS e
    RETURNING id, queue_id, flow_id, priority, run_at
), waiting AS (
    INSERT INTO ready ({_OPEN})
    SELECT id, queue_id, flow_id, -priority, 1, 0, 0 FROM new
    WHERE run_at IS NULL OR run_at <= %(now)s
), later AS (
    INSERT INTO delayed ({_OPEN}, status, run_at)
    SELECT id, queue_id, flow_id, -priority, 1, 0, 0, {int(Code.SCHEDULED)}, run_at FROM new
    WHERE run_at > %(now)s
)
SELECT id FROM new ORDER BY id
"""  # noqa: S608


def enqueue(conn: Connection, new: Sequence[NewJob], now: Micros) -> list[int]:
    """Create the jobs and give their numbers, in the same order."""
    if not new:
        return []
    if conn.dialect.name != "sqlite":
        ids = _insert_postgres(conn, new, now)
    elif len(new) == 1:
        return [_insert_one(conn, new[0], now)]
    else:
        ids = _insert_many(conn, new, now)
    deltas: Counter[counters.Key] = Counter()
    for job in new:
        deltas[_code(job, now), job.queue_id, job.flow_id] += 1
    counters.change(conn, deltas)
    return ids


def _code(job: NewJob, now: Micros) -> Code:
    return Code.PENDING if job.run_at is None or job.run_at <= now else Code.SCHEDULED


def _used(new: Sequence[NewJob]) -> tuple[str, ...]:
    """The optional columns that any of the jobs sets. Binding a None costs sqlite3 as much as
    ten numbers, so the others are left out: five times as quick."""
    return tuple(name for name in _OPTIONAL if any(getattr(job, name) for job in new))


@cache
def _insert(used: tuple[str, ...]) -> str:
    columns = ("flow_id", "queue_id", "priority", "params", "created_at", *used, "status")
    marks = ", ".join("?" * (len(columns) - 1))
    return (
        f"INSERT INTO jobs ({', '.join(columns)}) "  # noqa: S608
        f"VALUES ({marks}, {int(Code.OPEN)})"
    )


def _row(job: NewJob, used: tuple[str, ...], now: Micros) -> tuple[Any, ...]:
    row = (job.flow_id, job.queue_id, job.priority, job.params, now)
    return (*row, *[getattr(job, name) or None for name in used]) if used else row


def _insert_one(conn: Connection, job: NewJob, now: Micros) -> int:
    # Straight to the driver: SQLAlchemy would take longer than SQLite does.
    driver: Any = conn.connection.driver_connection
    used = _used((job,))
    job_id: int = driver.execute(_insert(used), _row(job, used, now)).lastrowid
    code = _code(job, now)
    if code == Code.PENDING:
        driver.execute(_READY, (job_id, job.queue_id, job.flow_id, -job.priority))
    else:
        driver.execute(_DELAYED_RANGE, (job_id, job_id, now))
    driver.execute(counters.UPSERT_SQLITE, (int(code), job.queue_id, job.flow_id, 1))
    return job_id


def _insert_many(conn: Connection, new: Sequence[NewJob], now: Micros) -> list[int]:
    # The write lock is held, so the numbers of one executemany follow each other.
    used = _used(new)
    conn.exec_driver_sql(_insert(used), [_row(job, used, now) for job in new])
    sequence = "SELECT seq FROM sqlite_sequence WHERE name = 'jobs'"
    last: int = conn.exec_driver_sql(sequence).scalar_one()
    first = last - len(new) + 1
    conn.exec_driver_sql(_READY_RANGE, (first, last, now))
    if "run_at" in used:
        conn.exec_driver_sql(_DELAYED_RANGE, (first, last, now))
    return list(range(first, last + 1))


def _insert_postgres(conn: Connection, new: Sequence[NewJob], now: Micros) -> list[int]:
    arguments: dict[str, Any] = {
        name: [getattr(job, name) for job in new]
        for name in ("flow_id", "queue_id", "priority", "params")
    }
    for name in _OPTIONAL:
        arguments[name] = [getattr(job, name) or None for job in new]
    return list(conn.exec_driver_sql(_POSTGRES, {**arguments, "now": now}).scalars())
