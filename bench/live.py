"""Open pages while a thousand status changes a second happen: `python -m bench.live`.

Tells the server's CPU, and how long it takes from the creation of a job to the event that shows
it, or one newer, in an open page.
"""

import argparse
import asyncio
import multiprocessing
import re
import statistics
import time
from collections.abc import Sequence
from multiprocessing.synchronize import Event

import httpx
from sqlalchemy import text

from bench.rig import fresh_store, new_job, pool
from bench.server import Served, serve
from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND
from jobdeck.store import selections
from jobdeck.store.database import Store
from jobdeck.store.enqueue import enqueue

CHANGES_A_JOB = 3
"""Created, running, completed."""

READ = 4
"""Of so many streams of the list the numbers are read; reading all would cost more than serving."""

BATCH_S = 0.02


def _create(url: str, jobs_a_second: float, ended: Event) -> None:
    """Enqueue jobs at that rate, in a process of its own."""
    store = Store(url)
    new = new_job(store, "noop", "{}")
    began, made = time.monotonic(), 0
    while not ended.is_set():
        due = int((time.monotonic() - began) * jobs_a_second) - made
        if due > 0:
            with store.write(wake=True) as conn:
                enqueue(conn, [new] * due, clock.now())
            made += due
        time.sleep(BATCH_S)
    store.close()


class Reader:
    """What one open page is told; of those that read, when it showed which newest job."""

    def __init__(self, *, reads: bool) -> None:
        self._reads = reads
        self.shown: list[tuple[int, int]] = []
        self.events = 0
        self.bytes = 0

    async def follow(self, client: httpx.AsyncClient, address: str) -> None:
        """Until cancelled."""
        async with client.stream("GET", address) as response:
            response.raise_for_status()
            rest = b""
            async for chunk in response.aiter_bytes():
                self.bytes += len(chunk)
                if not self._reads:
                    self.events += chunk.count(b"\nid: ") + chunk.startswith(b"id: ")
                    continue
                *events, rest = (rest + chunk).split(b"\n\n")
                for event in events:
                    numbers = re.findall(rb'id="job-(\d+)"', event)
                    self.events += event.startswith(b"id: ")
                    if numbers:
                        self.shown.append((clock.now(), max(map(int, numbers))))

    def waits(self, created: dict[int, int]) -> list[float]:
        """Seconds from each creation to the first event that showed that job or a newer one."""
        found = []
        for (_, before), (at, newest) in zip(self.shown, self.shown[1:], strict=False):
            known = (created.get(n) for n in range(before + 1, newest + 1))
            found += [(at - when) / SECOND for when in known if when is not None]
        return found


async def _watch(served: Served, streams: int, seconds: float) -> list[Reader]:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(headers=served.headers, timeout=60, limits=limits) as client:
        readers = []
        tasks = []
        for number in range(streams):
            listing = number % 2 == 1
            reader = Reader(reads=listing and number < 2 * READ)
            address = f"{served.address}{'/jobs/live' if listing else '/live'}"
            tasks.append(asyncio.create_task(reader.follow(client, address)))
            readers.append(reader)
        await asyncio.sleep(seconds)
        for task in tasks:
            if task.done():
                task.result()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return readers


def _millis(values: Sequence[float]) -> str:
    ordered = sorted(values) or [float("nan")]
    picks = [ordered[min(int(len(ordered) * q), len(ordered) - 1)] for q in (0.5, 0.95, 0.99)]
    return " / ".join(f"{pick * 1000:.0f}" for pick in picks)


def measure(changes: int, streams: int, seconds: float) -> str:
    """A line of a table: what so many open pages cost, and how fresh they are."""
    spawn = multiprocessing.get_context("spawn")
    with fresh_store() as store, serve(store.address) as served, pool(store, 1):
        ended = spawn.Event()
        rate = changes / CHANGES_A_JOB
        source = spawn.Process(target=_create, args=(store.address, rate, ended))
        source.start()
        try:
            time.sleep(3)
            idle = served.cpu_s()
            time.sleep(3)
            alone = (served.cpu_s() - idle) / 3
            before, first = served.cpu_s(), _newest(store)
            began = time.monotonic()
            readers = asyncio.run(_watch(served, streams, seconds))
            took = time.monotonic() - began
            cpu = (served.cpu_s() - before) / took
            done = _newest(store) - first
        finally:
            ended.set()
            source.join()
        with store.read() as conn:
            rows = conn.execute(
                text("SELECT id, created_at FROM jobs WHERE id > :id"), {"id": first}
            )
            created = {row.id: row.created_at for row in rows}
        waits = [wait for reader in readers for wait in reader.waits(created)]
        events = statistics.mean(reader.events for reader in readers) / took
        sent = sum(reader.bytes for reader in readers) / took / 1e6
        reached = f"{changes:,} wished, {done * CHANGES_A_JOB / took:,.0f} reached"
        cells = (
            *(reached, streams, _millis(waits), f"{events:.1f}", f"{sent:.1f}"),
            *(f"{alone:.0%}", f"{cpu:.0%}", f"{served.rss() / 1e6:.0f}"),
        )
        return f"| {' | '.join(map(str, cells))} |"


def _newest(store: Store) -> int:
    with store.read() as conn:
        return selections.newest(conn)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.live")
    parser.add_argument("--changes", type=int, default=1_000, help="status changes a second")
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    print("\n".join(_table([measure(options.changes, options.streams, options.seconds)])))


def table(runs: int) -> list[str]:
    """Lines about 50 open pages, as many times as there are `runs`."""
    return _table([measure(1_000, 50, 15) for _ in range(runs)])


def _table(rows: list[str]) -> list[str]:
    heads = (
        *("Status changes a second", "Open pages", "Creation to event, p50 / p95 / p99 in ms"),
        *("Events a second and page", "MB a second", "Server's CPU without pages"),
        *("with them", "Its memory in MB"),
    )
    return [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *rows]


if __name__ == "__main__":
    main()
