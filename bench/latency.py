"""From the enqueue call to the start in the worker, idle."""

import time

from bench.rig import fresh_store, new_job, pool
from jobdeck.domain import clock
from jobdeck.domain.states import Status
from jobdeck.store import jobs
from jobdeck.store.database import Store
from jobdeck.store.enqueue import enqueue

PAUSE_S = 0.05


def idle(samples: int, workers: int) -> list[float]:
    """Seconds from just before each enqueue call to the first line of the job."""
    with fresh_store() as store, pool(store, workers):
        new = [new_job(store, "stamp", "{}")]
        for _ in range(10):
            _result(store, _enqueue(store, new))
        found = []
        for _ in range(samples):
            time.sleep(PAUSE_S)
            asked = time.monotonic_ns()
            found.append((_result(store, _enqueue(store, new)) - asked) / 1e9)
        return found


def _enqueue(store: Store, new: list) -> int:  # type: ignore[type-arg]
    with store.write(wake=True) as conn:
        return enqueue(conn, new, clock.now())[0]


def _result(store: Store, job_id: int) -> int:
    while True:
        with store.read() as conn:
            job = jobs.get(conn, job_id)
        if job.status == Status.COMPLETED:
            return int(job.result)
        time.sleep(0.005)
