"""What happened to a job, in order."""

import re
from collections.abc import Sequence

from sqlalchemy import Connection, select

from jobdeck.domain.clock import Micros
from jobdeck.domain.records import Attempt, Event, Job
from jobdeck.domain.states import Status
from jobdeck.store import attempts
from jobdeck.store.rows import insert_rows
from jobdeck.store.tables import events
from jobdeck.store.values import clean


def add(
    conn: Connection,
    job_id: int,
    at: Micros,
    kind: str,
    message: str = "",
    actor: str = "",
    attempt: int | None = None,
) -> None:
    """Note something that the job's states and attempts alone do not tell."""
    add_all(conn, [job_id], at, kind, message, actor, attempt)


def add_all(
    conn: Connection,
    job_ids: Sequence[int],
    at: Micros,
    kind: str,
    message: str = "",
    actor: str = "",
    attempt: int | None = None,
) -> None:
    """Note the same of several jobs."""
    rows = [(each, at, kind, clean(message), clean(actor), attempt) for each in job_ids]
    insert_rows(conn, events, ("job_id", "at", "kind", "message", "actor", "attempt"), rows)


_RUN_AGAIN = "run_again"
_AS_JOB = re.compile(r"as job (\d+)")


def run_again(
    conn: Connection, job_id: int, made: int, at: Micros, reason: str, actor: str
) -> None:
    """Note that another job was made from it."""
    why = f": {reason}" if reason else ""
    add(conn, job_id, at, _RUN_AGAIN, f"as job {made}{why}", actor)


def made_from(noted: Sequence[Event]) -> list[int]:
    """The numbers of the jobs that were made from one, by its events."""
    found = [_AS_JOB.match(each.message) for each in noted if each.kind == _RUN_AGAIN]
    return [int(match[1]) for match in found if match]


def of_job(conn: Connection, job: Job, *, latest: int | None = None) -> list[Event]:
    """The job's timeline: created, each attempt's start and end, and what was noted between; or
    about so many of the `latest` of each kind.

    What follows from the job itself has the number 0.
    """
    created = f"by {job.created_by}" if job.created_by else ""
    found = [Event(id=0, at=job.created_at, kind="created", message=created)]
    for attempt in attempts.of_job(conn, job, latest=latest):
        found += _of_attempt(attempt)
    if job.finished_at is not None and job.started_at is None:
        found.append(_ended(job.finished_at, job.status, job.reason, job.message, None))
    query = select(events).where(events.c.job_id == job.id)
    noted = query.order_by(events.c.id.desc()).limit(latest)
    found += [
        Event(
            id=row.id,
            at=row.at,
            kind=row.kind,
            message=row.message,
            actor=row.actor,
            attempt=row.attempt,
        )
        for row in conn.execute(noted)
    ]
    return sorted(found, key=lambda event: (event.at, event.kind != "created"))


def _of_attempt(attempt: Attempt) -> list[Event]:
    found = []
    if attempt.started_at is not None:
        found.append(Event(id=0, at=attempt.started_at, kind="started", attempt=attempt.attempt))
    if attempt.finished_at is not None:
        found.append(
            _ended(
                attempt.finished_at,
                attempt.status,
                attempt.reason,
                attempt.error.message if attempt.error else attempt.message,
                attempt.attempt,
            )
        )
    return found


def _ended(
    at: Micros, status: Status, reason: str | None, message: str, attempt: int | None
) -> Event:
    # An attempt that ended with the job pending again was lost.
    kind = "lost" if status == Status.PENDING else status.value
    text = ": ".join(part for part in (reason or "", message) if part)
    return Event(id=0, at=at, kind=kind, message=text, attempt=attempt)
