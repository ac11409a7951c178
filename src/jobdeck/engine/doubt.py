"""After a transaction whose end nobody confirmed: finding out what became of it."""

from collections.abc import Sequence

from sqlalchemy import Connection

from jobdeck.domain.clock import Micros
from jobdeck.engine.inbox import Inbox
from jobdeck.engine.workers import WorkerProcess
from jobdeck.store import orphans


def settle(
    conn: Connection, pool_id: int, workers: Sequence[WorkerProcess], inbox: Inbox, now: Micros
) -> None:
    """A transaction that failed may have been committed all the same, its answer lost with the
    connection: take over what it showed as running, and give back the jobs that it claimed and
    that no worker was handed."""
    held = orphans.held_by(conn, pool_id)
    known = [job for worker in workers for job in worker.handed]
    known += [*(job for job, _ in inbox.outcomes), *inbox.killed]
    for job in known:
        job.shown = job.shown or held.get(job.key, False)
    inbox.endings = [
        e._replace(shown=e.shown or held.get((e.job_id, e.claim), False)) for e in inbox.endings
    ]
    keys = {job.key for job in known} | {(e.job_id, e.claim) for e in inbox.endings}
    unknown = [job_id for job_id, claim in held if (job_id, claim) not in keys]
    orphans.give_back(conn, unknown, "its hand-out was not confirmed", now)
