"""Second part: how it scales with workers, length of jobs, queues and history."""

import subprocess
import sys
import time

import psutil
from sqlalchemy import text

from bench import throughput
from bench.figures import number, spread, table
from bench.rig import cpu_s, family, fresh_store, memory_mb, new_job, pool
from jobdeck.domain import clock
from jobdeck.store.database import Store
from jobdeck.store.enqueue import enqueue

JOBS = 100_000
HISTORY = (0, 1_000_000, 10_000_000)
LENGTHS = {"noop": 0, "sleep_1": 1, "sleep_10": 10, "sleep_100": 100}
IDLE_S = 20


def measure(runs: int) -> list[str]:
    """The lines of the part."""
    return [
        *_by_workers(runs),
        *_by_length(),
        *_by_priority(),
        *_by_history(runs),
        *_at_rest(),
    ]


def _by_workers(runs: int) -> list[str]:
    rows = []
    for workers in (1, 2, 4):
        rates = [throughput.drain(JOBS, workers)[1] for _ in range(runs)]
        rows.append([str(workers), spread(rates)])
        print(f"{workers} workers: {rows[-1][1]}")
    return ["### Workers", "", *table(("Workers", "No-op jobs a second, SQLite"), rows)]


def _by_length() -> list[str]:
    rows = []
    for flow, length in LENGTHS.items():
        for workers in (2, 4):
            jobs = JOBS if not length else workers * 4000 // length
            with fresh_store() as store:
                throughput.preload(store, jobs, flow)
                rate = throughput.drained(store, jobs, workers)
            share = f"{rate * length / 1000 / workers:.0%}" if length else "–"
            rows.append([f"{length} ms", str(workers), number(rate), share])
            print(f"{length} ms, {workers} workers: {rows[-1][2]}")
    head = ("Each job sleeps", "Workers", "Jobs a second", "Of the workers' time")
    return ["### Length of jobs", "", *table(head, rows)]


def _by_priority() -> list[str]:
    """Ten queues, the highest priority enqueued last: how well the order holds."""
    each = 2_000
    with fresh_store() as store:
        for queue in range(10):
            new = [new_job(store, f"queue_{queue}", priority=queue)] * each
            with store.write() as conn:
                enqueue(conn, new, clock.now())
        rate = throughput.drained(store, each * 10, 2)
        began = _median_place(store)
    places = ", ".join(f"{queue}: {place:.0%}" for queue, place in began)
    return [
        "### Ten queues of different priority",
        "",
        f"{each:,} jobs in each, the lowest priority enqueued first: {number(rate)} jobs a second.",
        "Where in the order of all starts the median job of each priority began (perfect: 95 % for",
        f"priority 0 down to 5 % for 9): {places}.",
        "",
    ]


def _median_place(store: Store) -> list[tuple[int, float]]:
    with store.read() as conn:
        query = "SELECT priority FROM jobs WHERE status = 1 ORDER BY started_at, id"
        order = list(conn.execute(text(query)).scalars())
    found = []
    for priority in range(10):
        places = [place for place, value in enumerate(order) if value == priority]
        found.append((priority, places[len(places) // 2] / len(order)))
    return found


def _by_history(runs: int) -> list[str]:
    rows = []
    first: list[float] = []
    for history in HISTORY:
        with fresh_store() as store:
            if history:
                _seed(store, history)
            rates = []
            for _ in range(runs):
                throughput.preload(store, JOBS)
                rates.append(throughput.drained(store, JOBS, 2))
        first = first or rates
        share = f"{sorted(rates)[len(rates) // 2] / sorted(first)[len(first) // 2]:.0%}"
        rows.append([f"{history:,}".replace(",", " "), spread(rates), share])
        print(f"history {history:,}: {rows[-1][1]}")
    head = ("Jobs of history", "No-op jobs a second, SQLite", "Of those without (budget 90 %)")
    return ["### History", "", *table(head, rows)]


def _seed(store: Store, jobs: int) -> None:
    command = [sys.executable, "-m", "bench.seed", "--store", store.address, "--jobs", str(jobs)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _at_rest() -> list[str]:
    with fresh_store() as store, pool(store, 2) as process:
        store_ready(store)
        members = family(process)
        before = cpu_s(members)
        time.sleep(IDLE_S)
        share = (cpu_s(members) - before) / IDLE_S
        memory = memory_mb(members)
        each = ", ".join(f"{_name(m)} {number(memory_mb([m]))} MB" for m in members)
    return [
        "### A pool with two workers, idle",
        "",
        *table(
            ("", "", "Budget"),
            [
                ["memory, sum of PSS", f"{number(memory)} MB ({each})", "150 MB"],
                ["CPU", f"{share:.1%}", "1 %"],
            ],
        ),
    ]


def store_ready(store: Store) -> None:
    """Wait until a pool's workers have loaded their code."""
    while True:
        with store.read() as conn:
            found = conn.execute(text("SELECT count(*) FROM workers WHERE pid > 0")).scalar_one()
        if found >= 2:
            return
        time.sleep(0.05)


def _name(process: psutil.Process) -> str:
    return "worker" if "jobdeck.worker" in process.cmdline() else "pool"
