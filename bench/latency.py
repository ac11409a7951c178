"""From the enqueue call to the start in the worker, and how long the call itself takes."""

import json
import time

from bench.rig import caller, fresh_store, pool
from bench.throughput import PARAMS, preload
from jobdeck.domain.states import Status
from jobdeck.store import counters, jobs
from jobdeck.store.database import Store

PAUSE_S = 0.05


def idle(samples: int, workers: int, database: str = "sqlite") -> list[float]:
    """Seconds from just before each enqueue call to the first line of the job, when nothing else
    is to do."""
    with fresh_store(database) as store, pool(store, workers):
        enqueue = caller(store, "stamp")
        for _ in range(10):
            _result(store, enqueue())
        found = []
        for _ in range(samples):
            time.sleep(PAUSE_S)
            asked = time.monotonic_ns()
            found.append((_result(store, enqueue()) - asked) / 1e9)
        return found


def draining(jobs: int, workers: int, database: str = "sqlite") -> list[float]:
    """Seconds that each enqueue call takes, one every 2 ms, while a pool drains flat out."""
    with fresh_store(database) as store:
        preload(store, jobs)
        enqueue = caller(store, "noop", json.loads(PARAMS))
        calls = []
        with pool(store, workers):
            while _completed(store) == 0:
                time.sleep(0.01)
            while _completed(store) < jobs * 0.8:
                for _ in range(50):
                    began = time.perf_counter()
                    enqueue()
                    calls.append(time.perf_counter() - began)
                    time.sleep(0.002)
        return calls


def _completed(store: Store) -> int:
    with store.read() as conn:
        return counters.totals(conn)[Status.COMPLETED]


def _result(store: Store, job_id: int) -> int:
    while True:
        # First of all: who goes on working keeps the processor from the pool that it has woken.
        time.sleep(0.005)
        with store.read() as conn:
            job = jobs.get(conn, job_id)
        if job.status == Status.COMPLETED:
            return int(job.result)
