"""Fills a store with realistic finished jobs: `python -m bench.seed --store URL --jobs N`.

Months of work of many pipelines: busier by day than by night, some per cent failed by hundreds of
errors, parameters in every job (those of one pipeline are indexed), families of children now and
then, schedules, steps and logs of the newest jobs; the newest of all has many attempts and lines.
"""

import argparse
import math
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import Connection

if __package__ in (None, ""):  # run as a file
    sys.path.insert(0, str(Path(__file__).parent.parent))

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.manifest import PipelineManifest, StepManifest
from jobdeck.domain.records import JobError
from jobdeck.domain.states import Code
from jobdeck.store import (
    counters,
    error_groups,
    flows,
    params,
    pipelines,
    schedules,
    schema,
    selections,
    volume,
)
from jobdeck.store.database import Store
from jobdeck.store.error_groups import Failure
from jobdeck.store.rows import insert_rows
from jobdeck.store.tables import attempts, job_params, jobs, logs, searched, steps, unsuccessful
from jobdeck.store.values import decode, encode

CHUNK = 20_000
DETAILED = 5_000
"""So many of the newest have steps and logs."""
LINES = 100_000
ATTEMPTS = 40
"""Of the newest job."""
GATHERED = 10_000
"""So many failures are gathered into groups at once: each group is counted once for all."""
DAY = 86_400

CITIES = (
    *("Delft", "Utrecht", "Gouda", "Breda", "Leiden", "Assen", "Zwolle", "Arnhem", "Venlo"),
    *("Haarlem", "Hoorn", "Goes", "Tiel", "Ede", "Sneek", "Oss", "Weert", "Emmen", "Almelo"),
)
# Name, queue, steps, median seconds, share of all jobs, flows beside the default one.
PIPELINES: tuple[tuple[str, str, tuple[str, ...], float, int, tuple[str, ...]], ...] = (
    ("weather", "etl", ("extract", "clean", "load"), 20, 14, ("weather-coast", "weather-hills")),
    ("newsletter", "mail", ("newsletter",), 0.4, 40, ("newsletter-weekly",)),
    ("invoices", "finance", ("collect", "render", "send"), 6, 8, ("invoices-eu", "invoices-us")),
    ("thumbnails", "media", ("thumbnails",), 1.2, 24, ()),
    ("backup", "ops", ("dump", "encrypt", "upload"), 300, 2, ("backup-files",)),
    ("scan", "security", ("pull", "scan", "report"), 60, 6, ("scan-nightly",)),
    ("sync-crm", "etl", ("read", "write"), 12, 8, ("sync-crm-eu", "sync-crm-us")),
    ("reports", "finance", ("query", "render"), 30, 4, ("reports-monthly", "reports-board")),
    ("cleanup-temp", "ops", ("cleanup-temp",), 3, 5, ()),
    ("geocode", "etl", ("geocode",), 0.8, 12, ("geocode-retry",)),
    ("webhooks", "default", ("webhooks",), 0.2, 20, ()),
    ("train", "ml", ("prepare", "fit", "evaluate"), 900, 1, ("train-small",)),
)
SEARCHED = "weather"
"""The pipeline whose jobs are found by their city."""
MODULES = ("tasks", "clients", "checks", "tables", "mapping", "files", "rates", "common")
ERRORS = (
    ("error", "ConnectionError", "api.example.org did not answer within 10 s"),
    ("error", "ConnectionError", "connection reset by peer"),
    ("error", "ValueError", "row 1731 has 11 columns, expected 12"),
    ("error", "HTTPError", "429 Too Many Requests from crm.example.com"),
    ("error", "KeyError", "'postcode'"),
    ("timeout", "TimeoutError", "ran longer than its timeout of 600 s"),
    ("out_of_memory", "MemoryError", "used more memory than its limit of 512 MB"),
)


class Lane(NamedTuple):
    """A flow whose jobs are made up, with what they are drawn from."""

    flow_id: int
    queue_id: int
    steps: tuple[str, ...]
    params: list[str]
    lasting: list[Micros]
    cities: list[str]
    """Of the parameters, where jobs are found by it."""


class Made(NamedTuple):
    """One finished job."""

    id: int
    lane: Lane
    code: Code
    created_at: Micros
    started_at: Micros
    finished_at: Micros
    parent_id: int | None


_DONE = (
    *("id", "flow_id", "queue_id", "status", "priority", "attempt", "claim", "created_at"),
    *("started_at", "finished_at", "params", "source", "version", "pool_id", "worker_id"),
)
_NOT_DONE = (*_DONE, "reason", "message", "error")


def seed(store: Store, count: int, days: int, now: Micros) -> Iterator[int]:
    """Make so many jobs that ended within the last `days`; yields after each transaction how
    many there are."""
    dice = random.Random(7)
    schema.ensure(store)
    with store.write() as conn:
        lanes, weights = _define(conn, dice, now - days * DAY * SECOND)
        first = selections.newest(conn) + 1
    made = _jobs(dice, lanes, weights, first, count, now - days * DAY * SECOND, now)
    done = 0
    few: list[Few] = []
    while chunk := list(islice(made, CHUNK)):
        done += len(chunk)
        with store.write() as conn:
            few += _insert(conn, dice, chunk)
            _detail(conn, dice, [job for job in chunk if job.id >= first + count - DETAILED])
            if len(few) > GATHERED or done == count:
                _gather(conn, few)
                few = []
            if done == count:
                _lengthen(conn, chunk[-1])
        yield done
    with store.write() as conn:
        _index(conn, first)
        for group in error_groups.find(conn, now=now, limit=500).items[::2]:
            error_groups.resolve(conn, group.id, by="seed", why="mended", now=now)
        if store.sqlite:
            conn.exec_driver_sql("ANALYZE")
        else:
            conn.exec_driver_sql("SELECT setval('jobs_id_seq', (SELECT max(id) FROM jobs))")
    if not store.sqlite:
        with store.read() as conn:
            conn.exec_driver_sql("VACUUM ANALYZE")


def _define(conn: Connection, dice: random.Random, now: Micros) -> tuple[list[Lane], list[float]]:
    lanes: list[Lane] = []
    weights: list[float] = []
    for name, queue, parts, median, share, more in PIPELINES:
        manifest = PipelineManifest(
            name=name,
            queue=queue,
            search=["city"] if name == SEARCHED else [],
            steps=[StepManifest(name=part) for part in parts],
            params_schema={
                "type": "object",
                "properties": {
                    "city": {"type": "string"},
                    "day": {"type": "string"},
                    "customer": {"type": "integer"},
                },
            },
        )
        pipelines.register(conn, manifest, now, publish=True)
        for flow in (name, *more):
            if flow not in {known.name for known in flows.all(conn)}:
                flows.create(conn, name=flow, pipeline=name, queue=queue, now=now)
                schedules.create(conn, flow=flow, now=clock.now(), cron=f"{len(lanes)} 3 * * *")
            target = flows.target(conn, flow)
            given = _params(dice)
            cities = [decode(each)["city"] for each in given] if name == SEARCHED else []
            lasting = _lasting(dice, median)
            lanes.append(Lane(target.flow_id, target.queue_id, parts, given, lasting, cities))
            weights.append(share / (1 if flow == name else 4))
    return lanes, weights


def _params(dice: random.Random) -> list[str]:
    return [
        encode(
            {
                "city": dice.choice(CITIES),
                "day": f"2026-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}",
                "customer": dice.randint(1, 90_000),
            }
        )
        for _ in range(4096)
    ]


def _lasting(dice: random.Random, median_s: float) -> list[Micros]:
    return [round(median_s * dice.lognormvariate(0, 0.7) * SECOND) + 200 for _ in range(4096)]


def _jobs(
    dice: random.Random,
    lanes: list[Lane],
    weights: list[float],
    first: int,
    count: int,
    begin: Micros,
    end: Micros,
) -> Iterator[Made]:
    """In the order of their numbers, evenly over the days, by day three times as many as by
    night."""
    total = sum(weights)
    picks: list[Lane] = []
    for lane, weight in zip(lanes, weights, strict=True):
        picks += [lane] * max(round(8192 * weight / total), 1)
    dice.shuffle(picks)
    size, spread = len(picks), (end - begin - 2 * 3600 * SECOND) / max(count, 1)
    draw = dice.random
    parent, left = None, 0
    for n in range(count):
        at = begin + round(n * spread)
        into = at % (DAY * SECOND) / (DAY * SECOND)
        # Nearer to noon: an even stretch of time is bent towards the middle of its day.
        at -= round(0.08 * DAY * SECOND * math.sin(2 * math.pi * into))
        lane = picks[int(draw() * size)]
        chance = draw()
        code = Code.COMPLETED if chance < 0.962 else Code.FAILED if chance < 0.994 else Code.STOPPED
        started = at + 500 + int(draw() * draw() * 3_000_000)
        finished = min(started + lane.lasting[int(draw() * 4096)], end - 1000)
        started = min(started, finished)
        yield Made(first + n, lane, code, at, started, finished, parent if left else None)
        left = max(left - 1, 0)
        if left == 0 and chance < 0.0002:
            parent, left = first + n, 5 + int(draw() * 40)


def _insert(conn: Connection, dice: random.Random, chunk: list[Made]) -> "list[Few]":
    groups: dict[tuple[bool, bool], list[tuple[Any, ...]]] = {}
    deltas: Counter[counters.Key] = Counter()
    few = []
    cities = []
    draw = dice.random
    for job in chunk:
        lane = job.lane
        deltas[job.code, lane.queue_id, lane.flow_id] += 1
        choice = int(draw() * 4096)
        row: tuple[Any, ...] = (
            *(job.id, lane.flow_id, lane.queue_id, int(job.code)),
            *(5 if draw() < 0.05 else 0, 1, job.id, job.created_at, job.started_at),
            *(job.finished_at, lane.params[choice], "api", 1, 1, 1 + job.id % 4),
        )
        if lane.cities:
            cities.append(("city", lane.cities[choice], lane.flow_id, job.id))
        if job.code != Code.COMPLETED:
            why = _why(dice, job)
            row += why
            few.append(Few(job, *why))
        if job.parent_id is not None:
            row += (job.parent_id,)
        key = job.code != Code.COMPLETED, job.parent_id is not None
        groups.setdefault(key, []).append(row)
    for (unlucky, child), rows in groups.items():
        columns = (_NOT_DONE if unlucky else _DONE) + (("parent_id",) if child else ())
        insert_rows(conn, jobs, columns, rows)
    insert_rows(conn, job_params, ("name", "value", "flow_id", "job_id"), cities)
    counters.change(conn, deltas)
    volume.change(
        conn,
        Counter(
            (volume.stretch(job.created_at), job.code, job.lane.queue_id, job.lane.flow_id)
            for job in chunk
        ),
    )
    return few


class Few(NamedTuple):
    """One of the jobs that did not complete, with what is known of it."""

    job: Made
    reason: str
    message: str
    error: str | None


def _gather(conn: Connection, few: list[Few]) -> None:
    """Enter them as unsuccessful, and the failures into their groups."""
    groups = error_groups.record(
        conn,
        [
            Failure(job.id, job.lane.flow_id, job.finished_at, reason, message, error)
            for job, reason, message, error in few
            if job.code == Code.FAILED
        ],
    )
    rows = [
        (job.id, job.lane.flow_id, int(job.code), job.finished_at, groups.get(job.id))
        for job, *_ in few
    ]
    columns = ("job_id", "flow_id", "status", "finished_at", "group_id")
    insert_rows(conn, unsuccessful, columns, rows)


def _why(dice: random.Random, job: Made) -> tuple[str, str, str | None]:
    if job.code == Code.STOPPED:
        return "stopped", "not needed any more", None
    reason, kind, message = dice.choice(ERRORS)
    step, module = dice.choice(job.lane.steps), dice.choice(MODULES)
    trace = f'Traceback (most recent call last):\n  File "{module}.py", line 41, in {step}\n{kind}'
    error = JobError(type=kind, message=message, step=step, traceback=f"{trace}: {message}\n")
    return reason, message, encode(error)


def _index(conn: Connection, first: int) -> None:
    """Say of which jobs the parameters are indexed."""
    newest = selections.newest(conn)
    params.declare(conn, newest)
    if first == 1:
        conn.execute(searched.update().values(low=1, high=newest))


def _lengthen(conn: Connection, job: Made) -> None:
    """Give a job many attempts and lines."""
    at = job.started_at
    columns = ("job_id", "attempt", "status", "reason", "message", "started_at", "finished_at")
    failed = (int(Code.FAILED), "error", "connection reset by peer")
    rows = [(job.id, n, *failed, at + n, at + n + 1) for n in range(1, ATTEMPTS)]
    insert_rows(conn, attempts, columns, rows)
    conn.execute(jobs.update().where(jobs.c.id == job.id).values(attempt=ATTEMPTS))
    lines = [
        (job.id, ATTEMPTS, n, at + n, "info", "log", job.lane.steps[0], f"row {n} read")
        for n in range(1, LINES + 1)
    ]
    insert_rows(conn, logs, _LINE, lines)


_LINE = ("job_id", "attempt", "seq", "at", "level", "stream", "step", "message")


def _detail(conn: Connection, dice: random.Random, newest: list[Made]) -> None:
    """Steps with counts, and some lines of log."""
    step_rows, log_rows = [], []
    for job in newest:
        part = (job.finished_at - job.started_at) // len(job.lane.steps)
        for place, name in enumerate(job.lane.steps):
            last = place == len(job.lane.steps) - 1
            at, read = job.started_at + place * part, dice.randint(10, 5000)
            code = int(job.code if last else Code.COMPLETED)
            step_rows.append(
                (job.id, place, name, 1, job.id, code, at, at + part, read, read - 3, 1, 2, 1)
            )
            log_rows.append(
                (job.id, 1, place + 1, at, "info", "log", name, f"{name}: {read} rows read")
            )
    names = ("job_id", "position", "name", "attempt", "claim", "status", "started_at")
    counts = ("finished_at", "read", "written", "filtered", "skipped", "commits")
    insert_rows(conn, steps, (*names, *counts), step_rows)
    insert_rows(conn, logs, _LINE, log_rows)


def main() -> None:
    """Seed, with a progress bar."""
    parser = argparse.ArgumentParser(prog="bench/seed.py", description=__doc__)
    parser.add_argument("--store", required=True, help="address of the store, which may be new")
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("--days", type=int, default=120, help="days that they are spread over")
    options = parser.parse_args()
    store = Store(options.store)
    columns = (TextColumn("Seeding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    began = time.perf_counter()
    with Progress(*columns) as bar:
        task = bar.add_task("", total=options.jobs)
        for done in seed(store, options.jobs, options.days, clock.now()):
            bar.update(task, completed=done)
    store.close()
    print(f"{options.jobs / (time.perf_counter() - began):,.0f} jobs/s")


if __name__ == "__main__":
    main()
