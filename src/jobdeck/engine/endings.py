"""What a worker's report, or its death, means for the job."""

from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from jobdeck.domain.clock import SECOND, Micros, format_duration
from jobdeck.domain.records import JobError
from jobdeck.domain.retry import MAX_LOSSES
from jobdeck.domain.states import REASONS, Code, Reason
from jobdeck.engine.handed import Handed
from jobdeck.store.outcomes import Ending
from jobdeck.store.tables import attempts
from jobdeck.worker.protocol import Outcome

_encode = msgspec.json.encode


def of_outcome(conn: Connection, job: Handed, outcome: Outcome, now: Micros) -> Ending:
    """The ending that the worker's own report leads to."""
    if outcome.status == "completed":
        return job.completed(outcome)
    used: dict[str, Any] = {
        "started_at": outcome.started_at,
        "cpu_us": outcome.cpu_us or None,
        "max_rss_kb": outcome.rss_kb or None,
    }
    at = outcome.finished_at
    if outcome.status == "waiting":
        return job.ending(Code.RUNNING, at, **used)
    if outcome.status == "stopped":
        return job.stopped(at, **used)
    reason = _known(outcome.reason)
    return failed(
        conn,
        job,
        at,
        now,
        reason=reason,
        message=outcome.message,
        error=outcome.error,
        retryable=outcome.retryable,
        retry_after_s=outcome.retry_after_s,
        used=used,
    )


def failed(
    conn: Connection,
    job: Handed,
    at: Micros,
    now: Micros,
    *,
    reason: Reason,
    message: str,
    error: JobError | None = None,
    retryable: bool = True,
    retry_after_s: float | None = None,
    used: dict[str, Any] | None = None,
) -> Ending:
    """A failed attempt: another one at a later time if its policy has one left, else for good."""
    more: dict[str, Any] = {
        **(used or {}),
        "reason": reason.value,
        "message": message or None,
        "error": _encode(error).decode() if error else None,
    }
    if retryable and REASONS[reason].retries and job.stopping in ("", "timeout", "memory"):
        policy = job.flow.retry_of(error.step if error else "")
        delay = policy.delay(_failures(conn, job) + 1, retry_after_s) if policy.retries else None
        if delay is not None:
            return job.ending(Code.RETRYING, at, run_at=now + round(delay * SECOND), **more)
    return job.ending(Code.FAILED, at, **more)


def lost(job: Handed, now: Micros, why: str) -> Ending:
    """Its worker died under it: pending again, or failed if that happened too often."""
    if job.claimed.losses + 1 > MAX_LOSSES:
        return job.ending(
            Code.FAILED,
            now,
            lost=True,
            reason=Reason.WORKER_LOST.value,
            message=f"{why}, for the {job.claimed.losses + 1}th time; it is not tried again",
        )
    return job.ending(Code.PENDING, now, lost=True, reason=Reason.WORKER_LOST.value, message=why)


def killed(conn: Connection, job: Handed, now: Micros) -> Ending:
    """Its worker was killed because the job did not stop, or at somebody's order."""
    if job.stopping == "timeout":
        return timed_out(conn, job, now, now)
    if job.stopping == "memory":
        used = {"max_rss_kb": job.peak_kb}
        reason, message = Reason.OUT_OF_MEMORY, job.stop_reason
        return failed(conn, job, now, now, reason=reason, message=message, used=used)
    return job.stopped(now)


def timed_out(conn: Connection, job: Handed, at: Micros, now: Micros) -> Ending:
    """It ran longer than it may."""
    limit = job.flow.timeout_s
    allowed = f"its {format_duration(limit)}" if limit else "its step's time"
    return failed(conn, job, at, now, reason=Reason.TIMEOUT, message=f"ran longer than {allowed}")


def _failures(conn: Connection, job: Handed) -> int:
    """How many attempts failed before this one; losses and shutdowns are not failures."""
    if job.claimed.attempt == 1:
        return 0
    query = select(func.count()).where(
        attempts.c.job_id == job.claimed.job_id, attempts.c.status != int(Code.PENDING)
    )
    return int(conn.execute(query).scalar_one())


def _known(reason: str) -> Reason:
    try:
        return Reason(reason)
    except ValueError:
        return Reason.ERROR


def given_back(job: Handed, now: Micros) -> Ending:
    """Its pool ends before the job does: pending again, counted neither as failure nor loss."""
    return job.ending(
        Code.PENDING,
        now,
        reason=Reason.POOL_ENDED.value,
        message="its pool was shut down before it ended",
    )
