"""No-op jobs with their full history and counters, run by worker processes."""

import json
import time
from contextlib import ExitStack

from msgspec import structs
from sqlalchemy import text

from bench.rig import caller, fresh_store, new_job, pool
from jobdeck.domain import clock
from jobdeck.domain.states import Code
from jobdeck.store import claims, counters
from jobdeck.store.database import Store
from jobdeck.store.enqueue import enqueue
from jobdeck.store.outcomes import Ending, finish

PARAMS = '{"to": "ana@example.org", "subject": "Your weekly report"}'
CHUNK = 1000


def preload(store: Store, jobs: int, flow: str = "noop") -> float:
    """Enqueue that many in bulk; gives jobs a second."""
    one = new_job(store, flow)
    new = [one] * min(CHUNK, jobs)
    if flow == "noop":  # no two alike, as with real parameters
        parts = PARAMS.split("@", 1)
        new = [structs.replace(one, params=f"@{n}".join(parts)) for n in range(len(new))]
    began = time.perf_counter()
    for start in range(0, jobs, len(new)):
        with store.write() as conn:
            enqueue(conn, new[: jobs - start], clock.now())
    return jobs / (time.perf_counter() - began)


def singles(store: Store, jobs: int) -> float:
    """Enqueue one at a time, by the call that `enqueue` of a job makes; gives jobs a second."""
    enqueue = caller(store, "noop", json.loads(PARAMS))
    enqueue()
    began = time.perf_counter()
    for _ in range(jobs):
        enqueue()
    return jobs / (time.perf_counter() - began)


def drain(jobs: int, workers: int, database: str = "sqlite", pools: int = 1) -> tuple[float, float]:
    """Run that many; gives jobs enqueued in bulk and jobs run a second."""
    with fresh_store(database) as store:
        bulk = preload(store, jobs)
        return bulk, drained(store, jobs, workers, pools)


def drained(store: Store, jobs: int, workers: int, pools: int = 1) -> float:
    """Let pools run the jobs that wait, so many in all, with so many workers together; gives jobs
    a second, from the first start to the last end as the store tells them."""
    with store.read() as conn:
        newest = conn.execute(text("SELECT coalesce(max(id), 0) FROM jobs")).scalar_one()
    with ExitStack() as stack:
        for _ in range(pools):
            stack.enter_context(pool(store, workers // pools))
        wait_until_done(store)
    query = text(
        "SELECT min(started_at), max(finished_at), count(*) FROM jobs "
        "WHERE id > :before AND status = 1"
    )
    with store.read() as conn:
        first, last, done = conn.execute(query, {"before": newest - jobs}).one()
    assert done == jobs
    return float(jobs / ((last - first) / clock.SECOND))


def wait_until_done(store: Store) -> None:
    """Until no job waits or runs."""
    query = text("SELECT coalesce(sum(n), 0) FROM counters WHERE status NOT IN (1, 2, 3)")
    while True:
        with store.read() as conn:
            if not conn.execute(query).scalar():
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
                held = claims.claim(conn, counters.lanes(conn), 500, 1, now)
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
        version=1,
        pool_id=1,
        worker_id=1,
        created_at=row.created_at,
    )
