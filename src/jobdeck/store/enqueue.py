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
from jobdeck.store.database import TOLD
from jobdeck.store.values import driver


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

# One statement, so one round trip. Numbers are drawn in the order of the arrays, so the n-th
# smallest is that of the n-th job. A pool that sleeps hears of it when the transaction commits.
_POSTGRES = f"""
WITH new AS (
    INSERT INTO jobs ({{columns}}, status, created_at)
    SELECT {{values}}, {int(Code.OPEN)}, %(now)s::bigint FROM {{rows}}
    RETURNING id, queue_id, flow_id, priority, run_at
), waiting AS (
    INSERT INTO ready ({_OPEN})
    SELECT id, queue_id, flow_id, -priority, 1, 0, 0 FROM new
    WHERE run_at IS NULL OR run_at <= %(now)s::bigint
), later AS (
    INSERT INTO delayed ({_OPEN}, status, run_at)
    SELECT id, queue_id, flow_id, -priority, 1, 0, 0, {int(Code.SCHEDULED)}, run_at FROM new
    WHERE run_at > %(now)s::bigint
), counted AS (
    INSERT INTO counters (status, queue_id, flow_id, shard, n)
    SELECT CASE WHEN run_at > %(now)s::bigint THEN {int(Code.SCHEDULED)}
        ELSE {int(Code.PENDING)} END, queue_id, flow_id, %(shard)s::int, count(*)
    FROM new GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (status, queue_id, flow_id, shard) DO UPDATE SET n = counters.n + excluded.n
)
SELECT id, (SELECT pg_notify('jobdeck_wake', '') FROM pools WHERE asleep LIMIT 1) FROM new
ORDER BY id
"""  # noqa: S608
_TYPES = {
    "flow_id": "int",
    "queue_id": "int",
    "priority": "int",
    "params": "text",
    "run_at": "bigint",
    "context": "text",
    "parent_id": "bigint",
    "retry_of": "bigint",
    "schedule_id": "int",
    "source": "text",
    "created_by": "text",
}


def enqueue(conn: Connection, new: Sequence[NewJob], now: Micros) -> list[int]:
    """Create the jobs and give their numbers, in the same order."""
    if not new:
        return []
    if conn.dialect.name != "sqlite":
        return _insert_postgres(conn, new, now)
    return [_insert_one(conn, new[0], now)] if len(new) == 1 else _insert_many(conn, new, now)


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
    used = _used((job,))
    execute = driver(conn).execute
    job_id: int = execute(_insert(used), _row(job, used, now)).lastrowid
    code = _code(job, now)
    if code == Code.PENDING:
        execute(_READY, (job_id, job.queue_id, job.flow_id, -job.priority))
    else:
        execute(_DELAYED_RANGE, (job_id, job_id, now))
    execute(counters.UPSERT_SQLITE, (int(code), job.queue_id, job.flow_id, 1))
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
    deltas: Counter[counters.Key] = Counter(
        (_code(job, now), job.queue_id, job.flow_id) for job in new
    )
    counters.change(conn, deltas)
    return list(range(first, last + 1))


@cache
def _insert_select(arrays: tuple[str, ...], scalars: tuple[str, ...]) -> str:
    taken = [f"%({name})s::{_TYPES[name]}[]" for name in arrays]
    rows = f"unnest({', '.join(taken)})" if arrays else "(VALUES (1))"
    rows += f" AS job({', '.join(arrays or ('one',))})"
    values = [*(f"job.{name}" for name in arrays), *(f"%({n})s::{_TYPES[n]}" for n in scalars)]
    columns = ", ".join((*arrays, *scalars))
    return _POSTGRES.format(columns=columns, values=", ".join(values), rows=rows)


def _insert_postgres(conn: Connection, new: Sequence[NewJob], now: Micros) -> list[int]:
    # What is alike in all of them is sent once.
    arguments: dict[str, Any] = {"now": now, "shard": counters.shard()}
    arrays, scalars = [], []
    for name in ("flow_id", "queue_id", "priority", "params", *_used(new)):
        values = [getattr(job, name) for job in new]
        if values.count(values[0]) == len(values):
            scalars.append(name)
            arguments[name] = values[0]
        else:
            arrays.append(name)
            arguments[name] = [value or None for value in values] if name in _OPTIONAL else values
    if not arrays and len(new) > 1:
        scalars.remove("params")
        arrays.append("params")
        arguments["params"] = [job.params for job in new]
    statement = _insert_select(tuple(arrays), tuple(scalars))
    ids = list(conn.exec_driver_sql(statement, arguments).scalars())
    conn.info[TOLD] = True
    return ids
