"""What operators ask for at once: 100,000 waiting jobs changed, and old ones cleaned up; and how
long an enqueue call takes meanwhile."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from bench.figures import millis, number, table
from bench.rig import caller, fresh_store
from bench.seed import seed
from bench.throughput import preload
from jobdeck.actions import bulk, cleanup
from jobdeck.client.opening import local_actor
from jobdeck.domain import clock
from jobdeck.domain.bulk import Order
from jobdeck.domain.clock import SECOND
from jobdeck.domain.records import Job
from jobdeck.domain.retention import Keep
from jobdeck.domain.states import FINAL, Status
from jobdeck.store import jobs, queues
from jobdeck.store.database import Store

JOBS = 100_000
HISTORY = 300_000
DAYS, KEPT_DAYS = 60, 30
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
PAUSE_S = 0.01

# Without words: done in between, and not shown.
ORDERS = (
    ("another priority", Order(action="priority", priority=7), "flow:noop status:pending"),
    ("another queue", Order(action="move", queue="other"), "flow:noop status:pending"),
    ("stopped", Order(action="stop"), "flow:noop status:pending"),
    ("retried", Order(action="retry"), "flow:noop status:stopped"),
    ("", Order(action="stop"), "flow:noop status:pending"),
    ("deleted", Order(action="delete"), "flow:noop status:stopped"),
)

_MAINTENANCE = """
import signal, sys
from jobdeck.engine.maintenance import Maintenance
from jobdeck.store.database import Store
maintenance = Maintenance(Store(sys.argv[1]))
signal.signal(signal.SIGTERM, maintenance.stop)
maintenance.run()
"""


def measure(_runs: int) -> list[str]:
    """The lines of the part; each is done once."""
    head = ("", "Takes, s", "A second", "An enqueue call meanwhile, p50 / p95 / p99 in ms")
    lines = []
    for database, name in NAMES.items():
        lines += [f"### {name}", "", f"{number(JOBS)} waiting jobs, named by a filter:", ""]
        lines += table(head, list(_orders(database)))
        lines += [f"Clean-up of what is older than {KEPT_DAYS} days of {DAYS}:", ""]
        lines += table(head, [_cleaned(database)])
    return lines


def _orders(database: str) -> Iterator[list[str]]:
    with fresh_store(database) as store:
        with store.write() as conn:
            queues.ensure(conn, "other")
        preload(store, JOBS)
        with _maintenance(store):
            for words, order, text in ORDERS:
                took, waits = _while(store, partial(_ask, store, order, text))
                if words:
                    yield [words, f"{took:.1f}", number(JOBS / took), millis(waits)]


def _ask(store: Store, order: Order, text: str) -> Job:
    job = bulk.ask(store, local_actor(), "measured", order, text=text).job
    assert job is not None
    return job


def _cleaned(database: str) -> list[str]:
    keep = Keep(completed=KEPT_DAYS * 86400.0, failed=KEPT_DAYS * 86400.0)
    with fresh_store(database) as store:
        for _ in seed(store, HISTORY, DAYS, clock.now()):
            pass
        before = _rows(store)
        with _maintenance(store):
            start = partial(cleanup.start, store, local_actor(), "measured", keep)
            took, waits = _while(store, start)
        gone = before - _rows(store) + len(waits)
        words = f"{number(gone)} jobs with all that they have"
        return [words, f"{took:.1f}", number(gone / took), millis(waits)]


def _rows(store: Store) -> int:
    with store.read() as conn:
        return int(conn.exec_driver_sql("SELECT count(*) FROM jobs").scalar_one())


def _while(store: Store, ask: Callable[[], Job]) -> tuple[float, list[float]]:
    """Seconds from asking to the end of the job that does it, and of each enqueue call beside."""
    enqueue = caller(store, "sleep_1")
    waits = []
    job = ask()
    while not _ended(store, job):
        time.sleep(PAUSE_S)
        called = time.perf_counter()
        enqueue()
        waits.append(time.perf_counter() - called)
    with store.read() as conn:
        ended = jobs.get(conn, job.id)
    if ended.status is not Status.COMPLETED:
        raise RuntimeError(f"job {job.id} is {ended.status}: {ended.message}")
    assert ended.finished_at is not None
    return (ended.finished_at - job.created_at) / SECOND, waits


def _ended(store: Store, job: Job) -> bool:
    with store.read() as conn:
        return jobs.get(conn, job.id).status in FINAL


@contextmanager
def _maintenance(store: Store) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-c", _MAINTENANCE, store.address],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)
