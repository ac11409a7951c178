"""No-op jobs with their full history and counters, run by worker processes."""

import time

from sqlalchemy import text

from bench.rig import fresh_store, new_job, pool
from jobdeck.domain import clock
from jobdeck.domain.states import Code
from jobdeck.store import claims, counters
from jobdeck.store.database import Store
from jobdeck.store.enqueue import enqueue
from jobdeck.store.outcomes import Ending, finish

PARAMS = '{"to": "ana@example.org", "subject": "Your weekly report"}'
CHUNK = 1000


def preload(store: Store, jobs: int) -> float:
    """Enqueue that many in bulk; gives jobs a second."""
    new = [new_job(store, "noop", PARAMS)] * CHUNK
    began = time.perf_counter()
    for _ in range(jobs // CHUNK):
        with store.write() as conn:
            enqueue(conn, new, clock.now())
    return jobs / (time.perf_counter() - began)


def singles(store: Store, jobs: int) -> float:
    """Enqueue one at a time; gives jobs a second."""
    new = [new_job(store, "noop", PARAMS)]
    began = time.perf_counter()
    for _ in range(jobs):
        with store.write(wake=True) as conn:
            enqueue(conn, new, clock.now())
    return jobs / (time.perf_counter() - began)


def drain(jobs: int, workers: int) -> tuple[float, float]:
    """Run that many; gives jobs enqueued and jobs run a second, the latter from the first start
    to the last end as the store tells them."""
    with fresh_store() as store:
        bulk = preload(store, jobs)
        with pool(store, workers):
            _wait_until_done(store, jobs)
        with store.read() as conn:
            first, last, done = conn.execute(
                text(
                    "SELECT min(started_at), max(finished_at), count(*) FROM jobs WHERE status = 1"
                )
            ).one()
        assert done == jobs
        return bulk, jobs / ((last - first) / clock.SECOND)


def _wait_until_done(store: Store, jobs: int) -> None:
    while True:
        with store.read() as conn:
            ended = conn.execute(
                text("SELECT sum(n) FROM counters WHERE status = :done"),
                {"done": int(Code.COMPLETED)},
            ).scalar()
        if ended == jobs:
            return
        time.sleep(0.05)


def inline(jobs: int) -> float:
    """The store's part alone: claim and finish in one process, nothing run; jobs a second."""
    with fresh_store() as store:
        preload(store, jobs)
        done = 0
        held: list[claims.Claimed] = []
        began = time.perf_counter()
        while done < jobs:
            now = clock.now()
            with store.write() as conn:
                finish(conn, [_completed(row, now) for row in held])
                done += len(held)
                held = claims.claim(conn, list(counters.lanes(conn)), 500, 1, now)
        return jobs / (time.perf_counter() - began)


def _completed(row: claims.Claimed, now: int) -> Ending:
    return Ending(
        **{name: getattr(row, name) for name in claims.READY},
        code=Code.COMPLETED,
        shown=False,
        began=True,
        finished_at=now,
        started_at=now,
        result="null",
        created_at=row.created_at,
        version=1,
        pool_id=1,
        worker_id=1,
    )
