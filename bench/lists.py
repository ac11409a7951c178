"""How long lists, counts and charts of jobs take: `python -m bench.lists --store URL`."""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import product

from jobdeck.domain import clock, filtertext
from jobdeck.domain.filters import JobFilter
from jobdeck.store import charts, jobs, listing, schema
from jobdeck.store.database import Store

FILTERS = (
    "",
    "parent:none",
    "status:failed",
    "status:completed",
    "-status:completed",
    "status:running,pending",
    "pipeline:weather",
    "flow:train-small",
    "flow:weather,newsletter status:failed",
    "-flow:newsletter",
    "queue:etl",
    "queue:finance status:failed",
    "created:>2d",
    "created:30d..20d",
    "created:30d..20d status:failed",
    "created:30d..20d flow:train-small",
    "started:>1d",
    "finished:<60d",
    "duration:>1h",
    "duration:>1m status:failed",
    "attempt:>1",
    "priority:>=5",
    "reason:timeout",
    "reason:timeout pipeline:train",
    "error:ConnectionError",
    "params.city:Delft",
    "params.city:Delft pipeline:weather",
    "params.city:Nowhere",
    "source:schedule",
    "worker:3",
    "Delft",
    "nothing holds this",
    "nothing status:failed",
    "parent:5000",
    "id:1000..2000",
)
SORTS = ("-id", "id", "-duration,id", "priority,-finished", "status,-started")


def measure(run: Callable[[], object], times: int) -> tuple[float, float]:
    """Median and 95th percentile in ms, of this thread's processor time: other work on the
    machine does not count."""
    taken = []
    for _ in range(times):
        began = time.thread_time()
        run()
        taken.append((time.thread_time() - began) * 1000)
    return statistics.median(taken), sorted(taken)[int(len(taken) * 0.95)]


def cases(store: Store) -> list[tuple[str, Callable[[], object]]]:
    """What is measured, with its name."""

    def page(wanted: JobFilter, sort: str, pages: int) -> None:
        cursor = None
        with store.read() as conn:
            for _ in range(pages):
                found = jobs.find(
                    conn, wanted, sort=sort.split(","), cursor=cursor, now=clock.now()
                )
                cursor = found.next
                if cursor is None:
                    break

    def count(wanted: JobFilter) -> None:
        with store.read() as conn:
            listing.count(conn, wanted, clock.now())

    def chart(wanted: JobFilter) -> None:
        with store.read() as conn:
            charts.read(conn, wanted, clock.now())

    made: list[tuple[str, Callable[[], object]]] = []
    for text, sort in product(FILTERS, SORTS):
        wanted = filtertext.parse(text, clock.now())
        made.append((f"list `{text}` by {sort}", partial(page, wanted, sort, 1)))
    for text in FILTERS:
        wanted = filtertext.parse(text, clock.now())
        made.append((f"count `{text}`", partial(count, wanted)))
        made.append((f"chart `{text}`", partial(chart, wanted)))
    return made


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.lists")
    parser.add_argument("--store", required=True)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--only", default="", help="only those whose name holds this")
    options = parser.parse_args()
    store = Store(options.store)
    schema.ensure(store)
    print("| What | p50 ms | p95 ms |\n|---|---|---|")
    for name, run in cases(store):
        if options.only in name:
            run()
            middle, high = measure(run, options.times)
            print(f"| {name} | {middle:.1f} | {high:.1f} |")
    store.close()


if __name__ == "__main__":
    main()
