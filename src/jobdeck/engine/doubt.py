"""After a transaction whose end nobody confirmed: finding out what became of it."""

from collections.abc import Sequence

from sqlalchemy import Connection

from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import StoreUnreachable
from jobdeck.engine.inbox import Inbox
from jobdeck.engine.workers import WorkerProcess
from jobdeck.store import orphans
from jobdeck.store.transactions import Fate, fate
from jobdeck.worker.protocol import Reply


class Doubt:
    """What the last transaction would have done, should it have been committed all the same, its
    answer lost with the connection."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._calls = 0
        self._replies: list[tuple[WorkerProcess, Reply]] = []

    def note(
        self, number: int | None, calls: int, replies: list[tuple[WorkerProcess, Reply]]
    ) -> None:
        """The transaction of that number is about to be committed, with the answers to so many
        calls."""
        self._number, self._calls, self._replies = number, calls, replies

    def settle(
        self,
        conn: Connection,
        pool_id: int,
        workers: Sequence[WorkerProcess],
        inbox: Inbox,
        now: Micros,
    ) -> None:
        """Send the answers that it had, take over what it showed as running, and give back the
        jobs that it claimed and that no worker was handed.

        Raises:
            StoreUnreachable: it has not ended yet.
        """
        if self._number is not None:
            became = fate(conn, self._number)
            if became == Fate.OPEN:
                raise StoreUnreachable("The last transaction has not ended yet.")
            if became == Fate.COMMITTED:
                del inbox.calls[: self._calls]
                for worker, reply in self._replies:
                    worker.send(reply)
            self.note(None, 0, [])
        settle(conn, pool_id, workers, inbox, now)


def settle(
    conn: Connection, pool_id: int, workers: Sequence[WorkerProcess], inbox: Inbox, now: Micros
) -> None:
    """Take over what a transaction that may have been committed showed as running, and give back
    the jobs that it claimed and that no worker was handed."""
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
