"""`python -m bench.soak`: half an hour at a steady load; are memory, handles and latency flat?

Starts `jobdeck up` as a user would, creates jobs at an even rate, keeps a page's stream of events
open, and looks at every process every few seconds. Writes `bench/SOAK.md`, or the part of it for
the database that was measured.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil

from bench import machine
from bench.rig import PIPELINES, new_job
from jobdeck.domain import clock
from jobdeck.domain.states import Status
from jobdeck.store import counters, jobs
from jobdeck.store.database import Store
from jobdeck.store.enqueue import enqueue

PAGE = Path(__file__).with_name("SOAK.md")
EVERY_S = 5.0
TICK_S = 0.05
PROBE_S = 0.5
WARM_S = 180.0
"""What comes before is not judged: caches fill."""

_LINK = re.compile(r"(http://\S+?)/sign-in\?token=(\S+)")
_PART = re.compile(r"^## (\w+)\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_BARS = "▁▂▃▄▅▆▇█"


class Sample(NamedTuple):
    """One look at a process: own memory and memory with its part of what is shared, in kB;
    descriptors and threads."""

    at: float
    own_kb: int
    pss_kb: int
    handles: int
    threads: int


class Soak:
    """The load, the probes and what was seen, by seconds since the start."""

    def __init__(self, store: Store, pid: int, rate: float) -> None:
        self.samples: dict[str, list[Sample]] = defaultdict(list)
        self.waits: list[tuple[float, float]] = []
        self.open: list[tuple[float, int]] = []
        self.created = 0
        self.events = 0
        self.began = time.monotonic()
        self._store, self._pid, self._rate = store, pid, rate
        self._end = threading.Event()

    def _now(self) -> float:
        return time.monotonic() - self.began

    def load(self) -> None:
        """Create jobs evenly; what could not be created in time is made up for."""
        new = new_job(self._store, "steady", '{"to": "ana@example.org"}')
        while not self._end.wait(TICK_S):
            due = int(self._now() * self._rate) - self.created
            if due > 0:
                with self._store.write(wake=True) as conn:
                    enqueue(conn, [new] * due, clock.now())
                self.created += due

    def probe(self) -> None:
        """Measure from the call to enqueue to the first line of a job."""
        new = new_job(self._store, "stamp", "{}")
        while not self._end.wait(PROBE_S):
            at, asked = self._now(), time.monotonic_ns()
            with self._store.write(wake=True) as conn:
                [job_id] = enqueue(conn, [new], clock.now())
            while not self._end.wait(0.005):
                with self._store.read() as conn:
                    job = jobs.get(conn, job_id)
                if job.status == Status.COMPLETED:
                    self.waits.append((at, (job.result - asked) / 1e6))
                    break

    def listen(self, address: str, token: str) -> None:
        """Follow the stream of events as an open page does."""
        headers = {"Authorization": f"Bearer {token}"}
        while not self._end.is_set():
            with (
                contextlib.suppress(httpx.HTTPError),
                httpx.stream(
                    "GET", f"{address}/api/v1/events", headers=headers, timeout=60, trust_env=False
                ) as stream,
            ):
                for line in stream.iter_lines():
                    self.events += line.startswith("data:")
                    if self._end.is_set():
                        return

    def look(self) -> None:
        """Note the state of every process of the site."""
        at = self._now()
        for process in psutil.Process(self._pid).children(recursive=True):
            with contextlib.suppress(psutil.Error, OSError):
                role = _role(process.cmdline())
                rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
                own, pss = _kb(rollup, "Pss_Anon"), _kb(rollup, "Pss")
                sample = Sample(at, own, pss, process.num_fds(), process.num_threads())
                self.samples[f"{role} {process.pid}"].append(sample)
        with self._store.read() as conn:
            totals = counters.totals(conn)
        self.open.append((at, sum(n for status, n in totals.items() if not status.final)))

    def run(self, seconds: float, address: str, token: str) -> None:
        """All of it, for so long."""
        threads = [
            threading.Thread(target=self.load),
            threading.Thread(target=self.probe),
            threading.Thread(target=self.listen, args=(address, token), daemon=True),
        ]
        for thread in threads:
            thread.start()
        while self._now() < seconds:
            self.look()
            time.sleep(EVERY_S)
        self._end.set()
        for thread in threads[:2]:
            thread.join()


def _role(line: list[str]) -> str:
    if "jobdeck.worker" in line:
        return "worker"
    return line[line.index("jobdeck.cli.child") + 1] if "jobdeck.cli.child" in line else "other"


def _kb(rollup: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", rollup, re.MULTILINE)
    return int(found[1]) if found else 0


def spark(values: Sequence[float], low: float | None = None) -> str:
    """A curve of text: one bar for each value, from `low` (default: the least) to the most."""
    least = min(values) if low is None else low
    span = max(max(values) - least, 1e-9)
    return "".join(
        _BARS[min(int((value - least) / span * len(_BARS)), len(_BARS) - 1)] for value in values
    )


def by_minute(pairs: Sequence[tuple[float, float]]) -> list[list[float]]:
    """The values of each whole minute."""
    minutes: dict[int, list[float]] = defaultdict(list)
    for at, value in pairs:
        minutes[int(at // 60)].append(value)
    return [minutes[minute] for minute in sorted(minutes)]


def slope(pairs: Sequence[tuple[float, float]]) -> float:
    """How much the value grows in an hour, by the straight line that fits best."""
    settled = [(at / 3600, value) for at, value in pairs if at >= WARM_S]
    if len(settled) < 3:
        return 0.0
    xs, ys = zip(*settled, strict=True)
    return statistics.linear_regression(xs, ys).slope


def percentile(values: Sequence[float], part: float) -> float:
    """The value that this part of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)]


def report(soak: Soak, kind: str, rate: float, seconds: float, done: int) -> list[str]:
    """The lines of the page about one run."""
    minutes = by_minute(soak.waits)
    p50 = [percentile(minute, 0.5) for minute in minutes]
    p99 = [percentile(minute, 0.99) for minute in minutes]
    depth = [max(minute) for minute in by_minute(soak.open)]
    lines = [
        f"## {kind}",
        "",
        f"{seconds / 60:.0f} minutes at {rate:.0f} jobs/s: {soak.created:,} jobs created,",
        f"{done:,} completed (with the probes), {soak.events:,} events told to an open page. Each",
        "job logs a line and works for a millisecond. A bar is a minute, from 0 to the most.",
        "",
        "| Latency, enqueue to start | Curve | First 5 min | Last 5 min |",
        "|---|---|---|---|",
        *(
            f"| {name} | `{spark(curve, 0)}` | {statistics.median(curve[:5]):.1f} | "
            f"{statistics.median(curve[-5:]):.1f} |"
            for name, curve in (("p50 in ms", p50), ("p99 in ms", p99), ("open jobs", depth))
        ),
        "",
        "| Process | Own memory | MB at 3 min, at the end | MB an hour | PSS | Handles | Threads |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, samples in sorted(soak.samples.items()):
        if samples[-1].at - samples[0].at < seconds / 2:
            continue
        own = [(s.at, s.own_kb / 1024) for s in samples]
        curve = [statistics.mean(minute) for minute in by_minute(own)]
        settled = [s for s in samples if s.at >= WARM_S] or samples
        handles = [s.handles for s in settled]
        lines.append(
            f"| {name.split()[0]} | `{spark(curve, 0)}` | {settled[0].own_kb / 1024:.1f}, "
            f"{settled[-1].own_kb / 1024:.1f} | {slope(own):+.1f} | "
            f"{samples[-1].pss_kb / 1024:.0f} MB | {min(handles)} to {max(handles)} | "
            f"{settled[-1].threads} |"
        )
    replaced = sum(1 for s in soak.samples.values() if s[-1].at - s[0].at < seconds / 2)
    lines += ["", f"Processes that were replaced meanwhile: {replaced}.", ""]
    return lines


def write_page(kind: str, lines: Sequence[str]) -> None:
    """Put the lines in the place of those of the same database."""
    head = [
        "# Half an hour at a steady load",
        "",
        f"{time.strftime('%Y-%m-%d')}, by `nice -n {os.nice(0)} python -m bench.soak`, on a",
        "machine that was shared with other work. Own memory is what nobody else shares; PSS",
        "adds its part of what is shared, such as pages of the database's file. What came in",
        "the first three minutes is not judged: caches fill.",
        "",
        *(f"- {line}" for line in machine.describe()),
        "",
    ]
    old = PAGE.read_text() if PAGE.exists() else ""
    parts = {m[1]: m[0].strip() for m in _PART.finditer(old)}
    parts[kind] = "\n".join(lines).strip()
    told = "\n\n".join(parts[name] for name in sorted(parts, reverse=True))
    PAGE.write_text("\n".join([*head, told, ""]))


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=200, help="jobs a second")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--store", default="", help="default: a new one on SQLite")
    parser.add_argument("--keep", type=Path, help="where to write what was seen, as JSON")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix=".soak-", dir=Path.cwd()))
    url = options.store or f"sqlite:///{folder / 'soak.db'}"
    said = folder / "said"
    argv = [sys.executable, "-m", "jobdeck.cli", "up", str(PIPELINES), "--port", "0"]
    with said.open("w") as out:
        up = subprocess.Popen(
            [*argv, "--workers", str(options.workers), "--store", url],
            cwd=folder,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        link = _wait_for_link(said, up)
        store = Store(url)
        soak = Soak(store, up.pid, options.rate)
        soak.run(options.minutes * 60, *link)
        _drain(store)
        with store.read() as conn:
            done = counters.totals(conn)[Status.COMPLETED]
        kind = "SQLite" if store.sqlite else "PostgreSQL"
        lines = report(soak, kind, options.rate, options.minutes * 60, done)
        if options.keep:
            seen: dict[str, Any] = {"samples": soak.samples, "waits": soak.waits, "open": soak.open}
            options.keep.write_text(json.dumps(seen))
        write_page(kind, lines)
        print("\n".join(lines))
        store.close()
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for_link(said: Path, up: subprocess.Popen[bytes]) -> tuple[str, str]:
    while True:
        found = _LINK.search(said.read_text())
        if found:
            return found[1], found[2]
        if up.poll() is not None:
            raise SystemExit(f"jobdeck up ended: {said.read_text()}")
        time.sleep(0.1)


def _drain(store: Store) -> None:
    """Wait until everything that was created has ended."""
    while True:
        with store.read() as conn:
            totals = counters.totals(conn)
        if not any(n for status, n in totals.items() if not status.final):
            return
        time.sleep(0.1)


if __name__ == "__main__":
    main()
