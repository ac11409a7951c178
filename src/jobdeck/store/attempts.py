"""The attempts at a job, each with how it ended."""

from sqlalchemy import Connection, select

from jobdeck.domain.clock import SECOND
from jobdeck.domain.records import Attempt, Job
from jobdeck.domain.states import Code, Reason, Status
from jobdeck.store.tables import attempts
from jobdeck.store.values import AnyRow, decode_error


def of_job(conn: Connection, job: Job, *, latest: int | None = None) -> list[Attempt]:
    """The attempts at the job, or about so many of the `latest`, the first one first; the newest
    stands in the job itself."""
    query = select(attempts).where(attempts.c.job_id == job.id)
    rows = conn.execute(query.order_by(attempts.c.attempt.desc()).limit(latest)).fetchall()
    found = [_record(row) for row in reversed(rows)]
    known = found[-1].attempt if found else 0
    runs = job.status == Status.RUNNING
    if job.attempt > known and (runs or job.started_at is not None):
        found.append(
            Attempt(
                attempt=job.attempt,
                status=job.status,
                reason=job.reason,
                message=job.message,
                error=job.error,
                started_at=job.started_at,
                finished_at=job.finished_at,
                pool=job.pool,
                worker=job.worker,
                cpu_s=job.cpu_s,
                max_rss_kb=job.max_rss_kb,
            )
        )
    return found


def _record(row: AnyRow) -> Attempt:
    return Attempt(
        attempt=row.attempt,
        status=Code(row.status).status,
        reason=Reason(row.reason) if row.reason else None,
        message=row.message or "",
        error=decode_error(row.error),
        started_at=row.started_at,
        finished_at=row.finished_at,
        pool=row.pool_id,
        worker=row.worker_id,
        cpu_s=None if row.cpu_us is None else row.cpu_us / SECOND,
        max_rss_kb=row.max_rss_kb,
    )
