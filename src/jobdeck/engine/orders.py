"""Stops, kills, pauses and timeouts, carried out on what the workers hold."""

from collections.abc import Sequence

import structlog
from sqlalchemy import Connection, select

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.sizes import format_size
from jobdeck.engine.handed import Handed
from jobdeck.engine.workers import WorkerProcess
from jobdeck.store.tables import running
from jobdeck.worker.protocol import StepReport

log = structlog.get_logger()

SUSPECTS = 10_000
BESIDE_GRACE = SECOND
"""What a job has to end by itself that is to be killed while others share its worker."""


class Orders:
    """What operators ask for arrives as columns of `running`. A job that has not begun is
    recalled; one that runs is asked to stop, and after the grace time its process is killed."""

    def __init__(self, grace_s: float) -> None:
        self._grace = round(grace_s * SECOND)
        self.alone: set[int] = set()

    def read(
        self,
        conn: Connection,
        pool_id: int,
        workers: Sequence[WorkerProcess],
        closed_queues: set[int],
        *,
        stops: bool = True,
    ) -> None:
        """Take up what was asked for since the last time; `stops`: some job is to stop."""
        if stops:
            self._read_stops(conn, pool_id, workers)
        self._drop_taken_away(conn, workers)
        for worker in workers:
            recall = [
                job
                for job in worker.handed
                if not job.recalled and (job.stopping or job.claimed.queue_id in closed_queues)
            ]
            if recall:
                worker.recall(recall)

    def _read_stops(self, conn: Connection, pool_id: int, workers: Sequence[WorkerProcess]) -> None:
        r = running.c
        asked = conn.execute(
            select(r.job_id, r.claim, r.stop_kind, r.stop_by, r.stop_reason).where(
                r.pool_id == pool_id, r.stop_kind.is_not(None)
            )
        ).fetchall()
        for row in asked:
            for worker in workers:
                job = worker.find(row.job_id, row.claim)
                if job is not None and job.stopping not in (row.stop_kind, "kill"):
                    job.stopping = row.stop_kind
                    job.stop_by, job.stop_reason = row.stop_by or "", row.stop_reason or ""
                    job.kill_at = None

    def _drop_taken_away(self, conn: Connection, workers: Sequence[WorkerProcess]) -> None:
        """A job that somebody finished by force is no longer this pool's: its process goes."""
        shown = {
            job.claimed.job_id: job for worker in workers for job in worker.running() if job.shown
        }
        if not shown:
            return
        query = select(running.c.job_id, running.c.claim).where(running.c.job_id.in_(shown))
        held = {(row.job_id, row.claim) for row in conn.execute(query)}
        for job in shown.values():
            if job.key not in held and job.stopping != "kill":
                job.stopping, job.kill_at = "kill", None

    def step(self, job: Handed, report: StepReport) -> None:
        """The job has entered or left a step: its own timeout starts or ends."""
        job.step_deadline = None
        if report.status != "running" or report.position >= len(job.flow.manifest.steps):
            return
        timeout = job.flow.step(report.position).timeout_s
        if timeout is not None:
            job.step_deadline = report.started_at + round(timeout * SECOND)

    def relieve(self, worker: WorkerProcess, used: int, limit: int) -> None:
        """The worker takes more memory than it may: it goes, before others are short of it."""
        why = f"took {format_size(used)} of memory, its limit is {format_size(limit)}"
        log.info("killing a worker", worker=worker.id, why=why)
        self._blame(worker.running(), why, used // 1024)
        worker.kill()

    def starved(self, jobs: Sequence[Handed]) -> None:
        """The system had no memory left, and has killed the worker that ran these."""
        self._blame(jobs, "the system ran out of memory and killed its worker", None)

    @staticmethod
    def _blame(jobs: Sequence[Handed], why: str, peak_kb: int | None) -> None:
        if len(jobs) == 1 and not jobs[0].stopping:
            job = jobs[0]
            job.stopping, job.stop_reason, job.peak_kb = "memory", why, peak_kb

    def suspect(self, jobs: Sequence[Handed]) -> bool:
        """The worker that ran these has ended. Where they were several and none of them was to
        stop, any may be the reason: which one will show when each has a worker for itself, and
        until then none is to blame. Tells whether it is so."""
        if len(jobs) == 1:
            self.alone.discard(jobs[0].claimed.job_id)
        if len(jobs) < 2 or any(job.stopping for job in jobs):
            return False
        if len(self.alone) > SUSPECTS:
            self.alone.clear()
        self.alone.update(job.claimed.job_id for job in jobs)
        return True

    def enforce(
        self, worker: WorkerProcess, job: Handed, now: Micros, *, beside: bool = False
    ) -> None:
        """See that the running job obeys: told once, killed when its time is up. One that runs
        `beside` others may go by itself even if it is to be killed, so that they need not."""
        if not job.stopping:
            times = [t for t in (job.deadline, job.step_deadline) if t is not None]
            if not times or now < min(times):
                return
            job.stopping = "timeout"
        if job.kill_at is None:
            if job.stopping == "kill" and not beside:
                job.kill_at = now
            else:
                job.kill_at = now + (BESIDE_GRACE if job.stopping == "kill" else self._grace)
                worker.ask_to_stop(job, job.stopping)
        if now >= job.kill_at and not worker.killed:
            log.info("killing a worker", worker=worker.id, job=job.claimed.job_id, why=job.stopping)
            worker.kill()
