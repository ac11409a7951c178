"""A store with pools and maintenance in processes of their own, as a test drives them."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import psutil

from jobdeck.domain import clock
from jobdeck.domain.records import Job
from jobdeck.domain.states import Reason, Status
from jobdeck.engine.options import PoolOptions
from jobdeck.store import attempts, changes, flows, jobs, pipelines, stops
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob, enqueue
from jobdeck.worker.loader import load_manifests

T = TypeVar("T")

HOLD = """
    @job
    def hold(flag: str) -> None:
        import pathlib, time
        while not pathlib.Path(flag).exists():
            time.sleep(0.01)
"""
"""A job that runs until the test lets it go, by `Deck.let_go`."""

WAIT_S = 60.0

_POOL = """
import sys
from jobdeck.engine.options import PoolOptions
from jobdeck.engine.pool import Pool
from jobdeck.store.database import Store
import msgspec
Pool(Store(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=PoolOptions)).run()
"""

_MAINTENANCE = """
import signal, sys
from jobdeck.engine.maintenance import Maintenance
from jobdeck.store.database import Store
maintenance = Maintenance(Store(sys.argv[1]))
signal.signal(signal.SIGTERM, maintenance.stop)
maintenance.run()
"""


def wait_for(what: str, condition: Callable[[], T | None], seconds: float = WAIT_S) -> T:
    """The first true value of the condition; fails with `what` when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.01)


class Deck:
    """A store, a file that defines pipelines, and the processes that serve it."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.folder = folder
        self.target = folder / "pipelines.py"
        self.flag = folder / "flag"
        self.processes: list[subprocess.Popen[bytes]] = []

    def define(self, code: str) -> None:
        """Write the pipelines, load and publish them."""
        self.target.write_text(
            "from jobdeck import Context, Pipeline, job\n" + textwrap.dedent(code)
        )
        report = load_manifests(str(self.target))
        assert not report.error, report.error
        with self.store.write() as conn:
            for manifest in report.pipelines:
                pipelines.register(conn, manifest, clock.now(), publish=True)
                changes.add(conn, clock.now(), [("pipeline", manifest.name, "registered")])

    def start_pool(
        self, workers: int = 1, grace_s: float = 0.5, drain_s: float = 0.5, **more: Any
    ) -> subprocess.Popen[bytes]:
        """A pool process; `more` are further fields of `PoolOptions`."""
        options = PoolOptions(
            target=str(self.target), workers=workers, grace_s=grace_s, drain_s=drain_s, **more
        )
        return self._start(_POOL, msgspec.json.encode(options).decode())

    def start_maintenance(self, first: str = "") -> subprocess.Popen[bytes]:
        """A maintenance process, which runs that code first."""
        return self._start(first + _MAINTENANCE)

    def _start(self, code: str, *arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, self.store.address, *arguments], start_new_session=True
        )
        self.processes.append(process)
        return process

    def stop(self, process: subprocess.Popen[bytes]) -> int:
        """End it the polite way; gives its exit code."""
        process.send_signal(signal.SIGTERM)
        return process.wait(WAIT_S)

    def close(self) -> None:
        """End what was started, and check that nothing outlives it."""
        left: list[psutil.Process] = []
        for process in self.processes:
            if process.poll() is None:
                left += psutil.Process(process.pid).children(recursive=True)
                self.stop(process)
        _, alive = psutil.wait_procs(left, timeout=WAIT_S)
        for orphan in alive:
            orphan.kill()
        assert not alive, f"left behind: {alive}"

    def enqueue(self, flow: str, many: int = 1, *, delay_s: float = 0, **params: Any) -> list[int]:
        """New jobs of the flow; gives their numbers."""
        now = clock.now()
        with self.store.write(wake=True) as conn:
            target = flows.target(conn, flow)
            new = NewJob(
                flow_id=target.flow_id,
                queue_id=target.queue_id,
                params=msgspec.json.encode(params).decode(),
                priority=target.flow.priority,
                run_at=now + round(delay_s * clock.SECOND) if delay_s else None,
            )
            return enqueue(conn, [new] * many, now)

    def hold(self, many: int = 1, flow: str = "hold") -> list[int]:
        """New jobs that run until they are let go."""
        return self.enqueue(flow, many, flag=str(self.flag))

    def let_go(self) -> None:
        """Let the jobs end that wait for it."""
        self.flag.touch()

    def job(self, job_id: int) -> Job:
        """The job as the store tells it now."""
        with self.store.read() as conn:
            return jobs.get(conn, job_id)

    def attempts(self, job_id: int) -> list[tuple[int, Status, Reason | None]]:
        """Its attempts: number, status, reason."""
        with self.store.read() as conn:
            found = attempts.of_job(conn, jobs.get(conn, job_id))
        return [(a.attempt, a.status, a.reason) for a in found]

    def wait(self, job_id: int, *states: Status, seconds: float = WAIT_S) -> Job:
        """The job once it is in one of the states; by default in a final one."""
        wanted = states or (Status.COMPLETED, Status.FAILED, Status.STOPPED)

        def reached() -> Job | None:
            assert any(process.poll() is None for process in self.processes), "nobody runs jobs"
            job = self.job(job_id)
            return job if job.status in wanted else None

        try:
            return wait_for(f"job {job_id} to be {wanted}", reached, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {self.job(job_id)}") from None

    def request_stop(self, job_id: int, kind: str = "stop") -> None:
        """Ask as an operator does."""
        now = clock.now()
        with self.store.write(wake=True) as conn:
            ids = [job_id]
            if not stops.stop_waiting(conn, ids, reason=Reason.STOPPED, message="test", now=now):
                asked = stops.request_stop(conn, ids, kind=kind, by="ana", why="test", now=now)
                assert asked == ids

    def worker_of(self, job_id: int) -> psutil.Process:
        """The process that runs the job."""
        from jobdeck.store import pools

        def found() -> int | None:
            with self.store.read() as conn:
                return next((w.pid for w in pools.list_workers(conn) if w.job == job_id), None)

        return psutil.Process(wait_for("a worker", found))


@contextmanager
def killed(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """SIGKILL now, and the process is reaped afterwards."""
    os.kill(process.pid, signal.SIGKILL)
    try:
        yield
    finally:
        process.wait(WAIT_S)
