"""New jobs: their own row, a row among the ready or delayed, the counters."""

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Connection, insert

from jobdeck.domain.clock import Micros
from jobdeck.domain.states import Code
from jobdeck.store import counters
from jobdeck.store.tables import delayed, jobs, ready


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


def enqueue(conn: Connection, new: Sequence[NewJob], now: Micros) -> list[int]:
    """Create the jobs and give their numbers, in the same order."""
    if not new:
        return []
    ids = _insert_jobs(conn, new, now)
    waiting, later = [], []
    deltas: Counter[counters.Key] = Counter()
    for job_id, job in zip(ids, new, strict=True):
        row = {
            "job_id": job_id,
            "queue_id": job.queue_id,
            "flow_id": job.flow_id,
            "rank": -job.priority,
            "attempt": 1,
            "losses": 0,
            "claim": 0,
        }
        if job.run_at is not None and job.run_at > now:
            later.append({**row, "status": Code.SCHEDULED, "run_at": job.run_at})
            deltas[Code.SCHEDULED, job.queue_id, job.flow_id] += 1
        else:
            waiting.append(row)
            deltas[Code.PENDING, job.queue_id, job.flow_id] += 1
    if waiting:
        conn.execute(insert(ready), waiting)
    if later:
        conn.execute(insert(delayed), later)
    counters.change(conn, deltas)
    return ids


def _insert_jobs(conn: Connection, new: Sequence[NewJob], now: Micros) -> list[int]:
    rows = [
        {
            "flow_id": job.flow_id,
            "queue_id": job.queue_id,
            "status": Code.OPEN,
            "priority": job.priority,
            "created_at": now,
            "run_at": job.run_at,
            "params": job.params,
            "context": job.context or None,
            "parent_id": job.parent_id,
            "retry_of": job.retry_of,
            "schedule_id": job.schedule_id,
            "source": job.source or None,
            "created_by": job.created_by or None,
        }
        for job in new
    ]
    if len(rows) == 1:
        key = conn.execute(insert(jobs), rows[0]).inserted_primary_key
        assert key is not None
        return [key[0]]
    if conn.dialect.name == "sqlite":
        # The write lock is held, so the numbers of one executemany follow each other.
        conn.execute(insert(jobs), rows)
        last: int = conn.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name='jobs'").scalar_one()
        return list(range(last - len(rows) + 1, last + 1))
    statement = insert(jobs).returning(jobs.c.id, sort_by_parameter_order=True)
    return [row[0] for row in conn.execute(statement, rows)]
