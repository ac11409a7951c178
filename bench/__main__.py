"""Runs the measurements and writes `bench/RESULTS.md`."""

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from bench import latency, machine, throughput
from bench.rig import fresh_store

RESULTS = Path(__file__).with_name("RESULTS.md")


def _spread(values: Sequence[float]) -> str:
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:,.0f} ({low:,.0f} to {high:,.0f})".replace(",", " ")


def _millis(values: Sequence[float]) -> str:
    ordered = sorted(values)
    picks = [ordered[min(int(len(ordered) * q), len(ordered) - 1)] for q in (0.5, 0.95, 0.99)]
    return " / ".join(f"{pick * 1000:.2f}" for pick in picks)


def main() -> None:
    """Measure, print and write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--jobs", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    drains, bulks, inlines, singles = [], [], [], []
    for run in range(options.runs):
        bulk, drained = throughput.drain(options.jobs, options.workers)
        bulks.append(bulk)
        drains.append(drained)
        inlines.append(throughput.inline(options.jobs))
        with fresh_store() as store:
            singles.append(throughput.singles(store, 5_000))
        print(f"run {run + 1}: drain {drained:,.0f}/s, inline {inlines[-1]:,.0f}/s")
    waits = latency.idle(200, options.workers)
    ratio = statistics.median(d / i for d, i in zip(drains, inlines, strict=True))
    lines = [
        "# Measured",
        "",
        f"{time.strftime('%Y-%m-%d')}, by `make bench`. Median of {options.runs} runs, lowest to",
        "highest in brackets; the machine is shared, so ratios say more than figures.",
        "",
        *(f"- {line}" for line in machine.describe()),
        f"- {options.jobs:,} no-op jobs, {options.workers} worker processes",
        "- SQLite in WAL mode, synchronous=NORMAL, on the file system of the checkout",
        "",
        "| What | Jobs a second |",
        "|---|---|",
        f"| run by worker processes, every job with its history and counters | {_spread(drains)} |",
        f"| the store's part alone, in one process (claim and finish) | {_spread(inlines)} |",
        f"| ratio of the two | {ratio:.2f} |",
        f"| enqueue in bulk, {throughput.CHUNK} a transaction | {_spread(bulks)} |",
        f"| enqueue one at a time, each its own transaction | {_spread(singles)} |",
        "",
        "| Latency, idle | p50 / p95 / p99 in ms |",
        "|---|---|",
        f"| from the call to enqueue to the first line of the job | {_millis(waits)} |",
        "",
    ]
    RESULTS.write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
