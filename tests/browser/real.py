"""A server whose jobs really run, and ways to bring them where a test wants them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from jobdeck.domain import clock
from jobdeck.domain.bulk import DONE, WAITING
from jobdeck.domain.records import Job
from jobdeck.domain.states import Status
from jobdeck.store import bulk, flows, jobs, pools, queues
from jobdeck.store.enqueue import NewJob, enqueue
from tests.browser.site import TOKEN, Site
from tests.integration.launched import environment, until

WORK = """
import time

from jobdeck import Context, job


@job(queue="naps")
def nap(ctx: Context) -> None:
    ctx.log.info("good night")
    for done in range(600):
        ctx.progress(done, 600)
        ctx.sleep(0.5)


@job(queue="mules")
def mule() -> None:
    while True:
        time.sleep(60)


@job(queue="quick")
def quick() -> int:
    return 1
"""


class Real(Site):
    """A server with a pool of real workers."""

    def start(self) -> None:
        """Serve and run jobs."""
        (self.folder / "work.py").write_text(WORK)
        argv = [sys.executable, "-m", "jobdeck.cli", "up", "work.py", "--port", str(self.port)]
        argv += ["--store", f"sqlite:///{self.folder}/jobs.db", "--workers", "3"]
        env = environment(JOBDECK_TOKEN=TOKEN, JOBDECK_GRACE_S="1.5")
        self.launch(argv, env)
        until(lambda: self.pool_id() is not None, "a pool that has loaded its code")

    def pool_id(self) -> int | None:
        """The pool that runs users' jobs."""
        with self.store.read() as conn:
            found = [p.id for p in pools.all(conn) if not p.builtin and "nap" in p.loaded]
        return found[0] if found else None

    def job(self, job_id: int) -> Job:
        """A job as it is now."""
        with self.store.read() as conn:
            return jobs.get(conn, job_id)

    def running(self, flow: str) -> tuple[int, int]:
        """A new job of the flow that runs, and its worker."""
        job_id = self.world.create(flow)
        until(lambda: self.job(job_id).status is Status.RUNNING, f"{flow} to run")
        worker = self.job(job_id).worker
        assert worker is not None
        return job_id, worker

    def reach(self, job_id: int, status: Status) -> Job:
        """Wait until the job is in that state."""
        until(lambda: self.job(job_id).status is status, f"job {job_id} to be {status}")
        return self.job(job_id)

    def waiting(self, flow: str, number: int) -> list[int]:
        """New jobs of the flow; its queue had better be paused."""
        with self.store.write() as conn:
            target = flows.target(conn, flow)
            new = [NewJob(flow_id=target.flow_id, queue_id=target.queue_id)] * number
            return list(enqueue(conn, new, clock.now()))

    @contextmanager
    def paused(self, *names: str) -> Iterator[None]:
        """Pause these queues for a while."""
        with self.store.write() as conn:
            for name in names:
                queues.pause(conn, name, by="ana", reason="look at them", now=clock.now())
        try:
            yield
        finally:
            with self.store.write() as conn:
                for name in names:
                    queues.resume(conn, name)

    @contextmanager
    def held_in_its_middle(self, job_id: int) -> Iterator[bool]:
        """Let a bulk job go, and hold its process still where some of the jobs have had their
        turn and others have not; False: it had ended before it could be held."""
        with self.store.read() as conn:
            pid = next(p.pid for p in pools.all(conn, builtin=True) if p.builtin)
        with self.store.write() as conn:
            queues.resume(conn, "BULK")
        held = False
        while not held and not self.job(job_id).status.final:
            # Nobody else is in the middle of a transaction now, nor will be when it stands still.
            with self.store.write() as conn:
                held = all(bulk.items(conn, job_id, outcome=o, limit=1) for o in (DONE, WAITING))
                if held:
                    os.kill(pid, signal.SIGSTOP)
        try:
            yield held
        finally:
            os.kill(pid, signal.SIGCONT)
