"""A store as a day of work leaves it, made through the store's own transitions."""

from __future__ import annotations

import random
from typing import Any

import msgspec
from sqlalchemy import Connection, update

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.manifest import PipelineManifest, StepManifest
from jobdeck.domain.records import Counts, JobError
from jobdeck.domain.retry import RetryPolicy
from jobdeck.domain.states import Code, Reason
from jobdeck.store import (
    calls,
    changes,
    events,
    files,
    flows,
    logs,
    parents,
    pipelines,
    pools,
    queues,
    schedules,
    steps,
)
from jobdeck.store.claims import READY, Begun, Claimed, begin, claim
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob, enqueue
from jobdeck.store.outcomes import Ending, finish
from jobdeck.store.steps import StepRow
from jobdeck.store.tables import running

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE

WEATHER = {
    "type": "object",
    "required": ["city"],
    "properties": {
        "city": {"type": "string", "minLength": 2, "description": "As the provider spells it."},
        "days": {"type": "integer", "default": 7, "minimum": 1, "maximum": 30},
        "unit": {"enum": ["celsius", "fahrenheit"], "default": "celsius"},
        "dry_run": {"type": "boolean", "default": False},
        "since": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
    },
}
PIPELINES = {
    "weather": ("etl", ("extract", "transform", "load"), WEATHER),
    "invoices": ("billing", ("collect", "render", "send"), {}),
    "newsletter": ("mail", ("newsletter",), {}),
    "image-scan": ("scans", ("image-scan",), {}),
    "nightly-backup": ("etl", ("dump", "upload"), {}),
}
FLOWS = {"weather-coast": "weather", "weather-hourly": "weather"}
ERRORS = (
    ("requests.exceptions.ConnectTimeout", "api.weather.example did not answer within 10 s"),
    ("ValueError", "row 1,204: 'n/a' is not a temperature"),
    ("smtplib.SMTPRecipientsRefused", "550 mailbox of billing@customer.example is full"),
    ("KeyError", "'invoice_number'"),
)


class World:
    """One store and what a test does to it; every change is told to open pages."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.dice = random.Random(7)
        self.pool = 0
        self.worker = 0
        self.claims: dict[int, Claimed] = {}
        self.seq = 0

    def define(self) -> None:
        """The pipelines, flows and schedules."""
        now = clock.now()
        with self.store.write() as conn:
            for name, (queue, names, schema) in PIPELINES.items():
                manifest = PipelineManifest(
                    name=name,
                    steps=[StepManifest(name=step) for step in names],
                    queue=queue,
                    params_schema=schema,
                    retry=RetryPolicy(retries=3),
                )
                pipelines.register(conn, manifest, now, publish=True)
            for name, pipeline in FLOWS.items():
                flows.create(conn, name=name, pipeline=pipeline, now=now)
            queues.ensure(conn, "SCHEDULER", builtin=True)
            schedules.create(conn, flow="nightly-backup", cron="0 5 * * *", now=now)
            schedules.create(conn, flow="weather-hourly", interval_s=3600.0, now=now)

    def open_pool(self, workers: int = 4) -> None:
        """A pool that lives, with idle workers."""
        now = clock.now()
        with self.store.write() as conn:
            self.pool = pools.open(conn, "build-7", 4711, workers, (), now)
            ids = [pools.add_worker(conn, self.pool, now) for _ in range(workers)]
            for number, worker in enumerate(ids):
                pools.worker_ready(conn, worker, 4712 + number, 1.0)
            self.worker = ids[0]
            changes.add(conn, now, [("pool", str(self.pool), "started")])

    def beat(self) -> None:
        """Let the pool say that it lives."""
        with self.store.write() as conn:
            pools.beat(conn, self.pool, clock.now(), 61_500)

    def create(
        self, flow: str, *, at: Micros | None = None, params: Any = None, **more: Any
    ) -> int:
        """A new job of the flow."""
        at = at or clock.now()
        with self.store.write() as conn:
            job_id = self._enqueue(conn, flow, at, params, more)
            self._tell(conn, job_id)
        return job_id

    def _enqueue(self, conn: Connection, flow: str, at: Micros, params: Any, more: Any) -> int:
        target = flows.target(conn, flow)
        new = NewJob(
            flow_id=target.flow_id,
            queue_id=target.queue_id,
            params=msgspec.json.encode(params if params is not None else {}).decode(),
            **{"source": "manual", "created_by": "ana", **more},
        )
        return enqueue(conn, [new], at)[0]

    def children(
        self, parent: int, flow: str, count: int, *, at: Micros | None = None
    ) -> list[int]:
        """Jobs fanned out by another."""
        at = at or clock.now()
        with self.store.write() as conn:
            target = flows.target(conn, flow)
            new = [
                NewJob(
                    flow_id=target.flow_id,
                    queue_id=target.queue_id,
                    params=msgspec.json.encode({"part": n}).decode(),
                    parent_id=parent,
                    source="children",
                )
                for n in range(count)
            ]
            made = parents.add_children(conn, parent, "send", 0, new, at)
            self._tell(conn, parent)
        return made

    def begin(self, job_id: int, *, at: Micros | None = None) -> None:
        """Let a worker begin it, and put back whatever else was claimed for that."""
        at = at or clock.now()
        with self.store.write() as conn:
            while job_id not in self.claims:
                lanes = [(q, f.id) for q in queues.ids(conn).values() for f in flows.all(conn)]
                (taken,) = claim(conn, lanes, 1, self.pool, at)
                self.claims[taken.job_id] = taken
            row = self.claims[job_id]
            begin(
                conn,
                [Begun(job_id, row.claim, self.worker, at, row.queue_id, row.flow_id)],
            )
            self._tell(conn, job_id)

    def progress(self, job_id: int, done: int, total: int | None, note: str = "") -> None:
        """How far it is."""
        with self.store.write() as conn:
            values = {"done": done, "total": total, "note": note, "checked_in_at": clock.now()}
            conn.execute(update(running).where(running.c.job_id == job_id).values(values))
            self._tell(conn, job_id)

    def log(
        self,
        job_id: int,
        *lines: str | tuple[str, str],
        step: str = "",
        at: Micros | None = None,
        attempt: int = 1,
    ) -> None:
        """Lines, each a text or a level and a text."""
        at = at or clock.now()
        rows = []
        for number, line in enumerate(lines):
            level, text = line if isinstance(line, tuple) else ("info", line)
            self.seq += 1
            when = at + number * 1000
            rows.append((job_id, attempt, self.seq, when, level, "log", step, text, None))
        with self.store.write() as conn:
            logs.append(conn, rows)
            self._tell(conn, job_id)

    def step(
        self,
        job_id: int,
        position: int,
        name: str,
        status: str,
        *,
        began: Micros,
        ended: Micros | None = None,
        counts: Counts = Counts(),  # noqa: B008
        attempt: int = 1,
        error: JobError | None = None,
    ) -> None:
        """Where a step stands."""
        row = StepRow(
            job_id=job_id,
            position=position,
            name=name,
            attempt=attempt,
            claim=self.claims[job_id].claim,
            status=status,
            started_at=began,
            finished_at=ended,
            counts=counts,
            error=error,
        )
        with self.store.write() as conn:
            steps.save(conn, [row])
            self._tell(conn, job_id)

    def end(
        self,
        job_id: int,
        code: Code = Code.COMPLETED,
        *,
        began: Micros,
        at: Micros | None = None,
        reason: Reason | None = None,
        message: str | None = None,
        error: JobError | None = None,
        result: Any = None,
        run_at: Micros | None = None,
    ) -> None:
        """The end of its attempt."""
        row = self.claims.pop(job_id)
        ending = Ending(
            **{name: getattr(row, name) for name in READY},
            code=code,
            shown=True,
            began=True,
            started_at=began,
            finished_at=at or clock.now(),
            reason=reason.value if reason else None,
            message=message,
            error=msgspec.json.encode(error).decode() if error else None,
            result=None if result is None else msgspec.json.encode(result).decode(),
            run_at=run_at,
            parent_id=row.parent_id,
            version=1,
            pool_id=self.pool,
            worker_id=self.worker,
            cpu_us=self.dice.randrange(10_000, 4_000_000),
            max_rss_kb=self.dice.randrange(40_000, 300_000),
        )
        with self.store.write() as conn:
            finish(conn, [ending])
            self._tell(conn, job_id)

    def run(self, flow: str, at: Micros, seconds: float, **end: Any) -> int:
        """A job that was created, ran for some seconds, and ended."""
        params = {"city": self.dice.choice(("Utrecht", "Den Haag", "Delft")), "days": 7}
        job_id = self.create(flow, at=at, params=params)
        began = at + self.dice.randrange(5_000, 900_000)
        self.begin(job_id, at=began)
        self.end(job_id, began=began, at=began + round(seconds * SECOND), **end)
        return job_id

    def fail(self, flow: str, at: Micros, seconds: float = 2.0) -> int:
        """A job that failed."""
        kind, text = self.dice.choice(ERRORS)
        error = JobError(
            type=kind,
            message=text,
            step=PIPELINES[FLOWS.get(flow, flow)][1][0],
            traceback=TRACEBACK.format(kind=kind, text=text),
            hint="The other side did not answer; try again later, or raise the timeout."
            if "Timeout" in kind
            else "",
        )
        return self.run(flow, at, seconds, code=Code.FAILED, reason=Reason.ERROR, error=error)

    def day(self, count: int = 90) -> None:
        """What many hours of ordinary work leave behind."""
        now = clock.now()
        names = [*PIPELINES, *FLOWS]
        for number in range(count):
            at = now - (count - number) * 13 * MINUTE - self.dice.randrange(MINUTE)
            flow = self.dice.choice(names)
            luck = self.dice.random()
            seconds = self.dice.choice((0.012, 0.4, 3.2, 14.0, 75.0, 340.0))
            if luck < 0.1:
                self.fail(flow, at, seconds)
            elif luck < 0.14:
                self.run(
                    flow,
                    at,
                    seconds,
                    code=Code.STOPPED,
                    reason=Reason.STOPPED,
                    message="stopped by ana: wrong file",
                )
            elif luck < 0.2:
                self.run(flow, at, seconds, reason=Reason.NO_ITEMS)
            else:
                self.run(flow, at, seconds, result={"rows": self.dice.randrange(5000)})

    def now_running(self) -> dict[str, int]:
        """Jobs in every open state, by the state's name; and a parent with children."""
        now = clock.now()
        made = {"running": self._long_run(now)}
        made["unknown"] = self.create("image-scan", at=now - 40 * SECOND)
        self.begin(made["unknown"], at=now - 39 * SECOND)
        made["parent"] = self._fan_out(now)
        made["retrying"] = self.create("newsletter", at=now - 5 * MINUTE)
        began = now - 290 * SECOND
        self.begin(made["retrying"], at=began)
        error = JobError(type=ERRORS[0][0], message=ERRORS[0][1], step="newsletter")
        self.end(
            made["retrying"],
            Code.RETRYING,
            began=began,
            at=began + 10 * SECOND,
            reason=Reason.ERROR,
            error=error,
            run_at=now + HOUR,
        )
        made["scheduled"] = self.create("nightly-backup", at=now, run_at=now + 9 * HOUR)
        made["pending"] = self.create("invoices", at=now - 12 * SECOND)
        for _ in range(3):
            self.create("newsletter", at=now - 3 * SECOND)
        return made

    def _long_run(self, now: Micros) -> int:
        params = {"city": "Utrecht", "days": 7, "unit": "celsius", "dry_run": False}
        job_id = self.create("weather-coast", at=now - 4 * MINUTE, params=params)
        began = now - 215 * SECOND
        self.begin(job_id, at=began)
        self.step(
            job_id,
            0,
            "extract",
            "completed",
            began=began,
            ended=began + 60 * SECOND,
            counts=Counts(read=12_000, written=12_000, commits=12),
        )
        self.step(
            job_id,
            1,
            "transform",
            "running",
            began=began + 60 * SECOND,
            counts=Counts(read=8_400, written=8_100, filtered=288, skipped=12, commits=8),
        )
        self.log(job_id, "fetching 7 days for Utrecht", step="extract", at=began)
        self.log(
            job_id,
            *(f"chunk {n}: 1,000 rows read, 964 written" for n in range(1, 9)),
            ("warning", "row 4,711: 'n/a' is not a temperature, skipped"),
            step="transform",
            at=began + 61 * SECOND,
        )
        self.progress(job_id, 8_400, 12_000, "transforming")
        with self.store.write() as conn:
            calls.append(conn, [_call(job_id, n, began) for n in range(3)])
            files.save(conn, job_id, "raw/utrecht.csv", "x", 1_240_000, began, "extract")
            events.add(conn, job_id, began + 30 * SECOND, "checkpoint", "chunk 4 kept", attempt=1)
        return job_id

    def _fan_out(self, now: Micros) -> int:
        parent = self.create("invoices", at=now - 8 * MINUTE, params={"month": "2026-10"})
        began = now - 470 * SECOND
        self.begin(parent, at=began)
        parts = self.children(parent, "newsletter", 15, at=began + SECOND)
        for number, part in enumerate(parts[:14]):
            self.begin(part, at=began + (2 + number) * SECOND)
            failed = number in (3, 9)
            self.end(
                part,
                Code.FAILED if failed else Code.COMPLETED,
                began=began + (2 + number) * SECOND,
                at=began + (5 + number) * SECOND,
                reason=Reason.ERROR if failed else None,
                error=JobError(type=ERRORS[2][0], message=ERRORS[2][1]) if failed else None,
            )
        return parent

    def _tell(self, conn: Connection, job_id: int) -> None:
        now = clock.now()
        changes.add(conn, now, [("jobs", "", "some"), ("job", str(job_id), "changed")])


def _call(job_id: int, number: int, began: Micros) -> tuple[Any, ...]:
    address = f"https://api.weather.example/v2/stations/{number}/days?city=Utrecht&unit=celsius"
    status = (200, 200, 503)[number]
    return (
        *(job_id, 1, number, began + number * SECOND, "extract", "GET", address, status),
        *(0.21 * (number + 1), "", '{"rows": 4000}' if status == 200 else "busy", ""),
    )


TRACEBACK = """Traceback (most recent call last):
  File "/srv/pipelines/weather.py", line 41, in extract
    rows = fetch(ctx, params.city)
  File "/srv/pipelines/weather.py", line 17, in fetch
    answer = ctx.http.get(url, timeout=10)
{kind}: {text}
"""
