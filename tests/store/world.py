"""A store with jobs in every state, and what a list should say of them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import Connection

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.filters import ANY, JobFilter, Range
from jobdeck.domain.manifest import PipelineManifest, StepManifest
from jobdeck.domain.states import Code, Reason, Status
from jobdeck.store import flows, parents, pipelines, queues, schedules, stops
from jobdeck.store.claims import READY, Begun, Claimed, begin, claim
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob, enqueue
from jobdeck.store.outcomes import Ending, finish

START: Micros = 1_780_000_000 * SECOND
NOW: Micros = START + 10**6 * SECOND
WORDS = ("alpha", "beta", "100%", "a_b", "ÖRE", "Gamma!")
FLOWS = {
    "mail": ("mail", "mail"),
    "etl": ("etl", "etl"),
    "etl-nightly": ("etl", "night"),
    "report": ("report", "etl"),
}
"""Flow: its pipeline and queue."""


def manifest(name: str, queue: str = "default", **more: object) -> PipelineManifest:
    """A pipeline of one step."""
    values = {"steps": [StepManifest(name=name)], "queue": queue, **more}
    return msgspec.convert({"name": name, **msgspec.to_builtins(values)}, PipelineManifest)


@dataclass
class Known:
    """What the world did with a job."""

    id: int
    flow: str
    created_at: Micros
    text: str
    priority: int
    status: Status = Status.PENDING
    parent: int | None = None
    schedule: int | None = None
    started_at: Micros | None = None
    finished_at: Micros | None = None
    error: str = ""
    reason: str | None = None
    attempt: int = 0
    ended_by: int | None = None


@dataclass
class World:
    """The jobs by number, as they should be shown."""

    known: dict[int, Known] = field(default_factory=dict)
    schedule: int = 0

    def expected(self, wanted: JobFilter) -> list[Known]:
        """What the filter means, in the order of the numbers."""
        return [job for _, job in sorted(self.known.items()) if _fits(job, wanted)]


def _fits(job: Known, wanted: JobFilter) -> bool:
    pipeline, queue = FLOWS[job.flow]
    text = f"{job.text}\n{job.error}\nword"
    after, before = wanted.created_after, wanted.created_before
    running = job.status == Status.RUNNING
    lasted = None
    if job.started_at is not None:
        lasted = (job.finished_at if job.finished_at is not None else NOW) - job.started_at
    conditions: tuple[bool, ...] = (
        not wanted.status or job.status in wanted.status,
        _named(wanted.pipeline, pipeline),
        _named(wanted.flow, job.flow),
        _named(wanted.queue, queue),
        _within(job.started_at, wanted.started, open_=True),
        _within(job.finished_at, wanted.finished, open_=True),
        _within(lasted, wanted.duration),
        _within(job.priority, wanted.priority),
        _within(job.id, wanted.id),
        _within(job.attempt, wanted.attempt),
        all(name == "word" and text == job.text for name, text in wanted.params),
        not wanted.reason or job.reason in wanted.reason,
        not wanted.source,
        _ascii_lower(wanted.error) in _ascii_lower(job.error or ("" if not wanted.error else "-")),
        wanted.worker is None or (wanted.worker == 1 and (running or job.ended_by == 1)),
        wanted.pool is None or (wanted.pool == 1 and (running or job.ended_by == 1)),
        after is None or job.created_at >= after,
        before is None or job.created_at < before,
        _ascii_lower(wanted.q) in _ascii_lower(text),
        wanted.parent is None or job.parent == wanted.parent,
        wanted.schedule is None or job.schedule == wanted.schedule,
        not wanted.roots or job.parent is None,
    )
    return all(conditions)


def _named(text: str, name: str) -> bool:
    known = text.removeprefix("-").split(",")
    return not text or (name in known) is not text.startswith("-")


def _within(value: int | None, span: Range, *, open_: bool = False) -> bool:
    low, high = span
    if value is None:
        return span == ANY
    return (low is None or value >= low) and (
        high is None or (value < high if open_ else value <= high)
    )


def _ascii_lower(text: str) -> str:
    return "".join(c.lower() if c.isascii() else c for c in text)


def build(store: Store, seed: int = 1, jobs: int = 160) -> World:
    """Fill the store through its own transitions."""
    return _Builder(store, random.Random(seed)).build(jobs)


def add(store: Store, seed: int, jobs: int) -> World:
    """Add jobs to a store that `build` has filled; gives them alone."""
    builder = _Builder(store, random.Random(seed))
    with store.write() as conn:
        builder.look(conn)
    return builder.build(jobs, define=False)


class _Builder:
    def __init__(self, store: Store, dice: random.Random) -> None:
        self.store, self.dice = store, dice
        self.world = World()
        self.now = START
        self.flow_ids: dict[str, int] = {}
        self.queue_ids: dict[str, int] = {}

    def build(self, count: int, *, define: bool = True) -> World:
        if define:
            with self.store.write() as conn:
                self._define(conn)
                self.look(conn)
        while len(self.world.known) < count:
            with self.store.write() as conn:
                self._create(conn)
            with self.store.write() as conn:
                self._work(conn)
        return self.world

    def _define(self, conn: Connection) -> None:
        for name in ("mail", "etl", "report"):
            pipelines.register(conn, manifest(name, FLOWS[name][1]), START, publish=True)
        flows.create(conn, name="etl-nightly", pipeline="etl", queue="night", now=START)
        schedules.create(conn, flow="mail", interval_s=60.0, now=START)

    def look(self, conn: Connection) -> None:
        """Learn what is defined."""
        for name in FLOWS:
            self.flow_ids[name] = flows.get(conn, name).id
        self.queue_ids = queues.ids(conn)
        self.world.schedule = schedules.all(conn)[0].id

    def _create(self, conn: Connection) -> None:
        dice, world = self.dice, self.world
        self.now += dice.randrange(1, 200) * SECOND
        # Writers wait and clocks differ: numbers do not quite follow the times.
        at = self.now - dice.choice((0, 0, 0, 5, 20)) * SECOND
        new, known = [], []
        parent = dice.choice(list(world.known)) if world.known and dice.random() < 0.3 else None
        for _ in range(dice.randrange(1, 12)):
            flow = dice.choices(list(FLOWS), (5, 3, 1, 2))[0]
            later = dice.random() < 0.1
            job = Known(
                id=0,
                flow=flow,
                created_at=at,
                text=dice.choice(WORDS),
                priority=dice.choice((-5, 0, 0, 7)),
                status=Status.SCHEDULED if later else Status.PENDING,
                parent=parent,
                schedule=world.schedule if flow == "mail" and dice.random() < 0.3 else None,
            )
            known.append(job)
            new.append(
                NewJob(
                    flow_id=self.flow_ids[flow],
                    queue_id=self.queue_ids[FLOWS[flow][1]],
                    params=msgspec.json.encode({"word": job.text}).decode(),
                    priority=job.priority,
                    run_at=at + 10**15 if later else None,
                    schedule_id=job.schedule,
                    parent_id=None,
                )
            )
        ids = self._insert(conn, parent, new, at)
        for job_id, job in zip(ids, known, strict=True):
            job.id = job_id
            world.known[job_id] = job

    def _insert(
        self, conn: Connection, parent: int | None, new: list[NewJob], at: Micros
    ) -> list[int]:
        if parent is None:
            return enqueue(conn, new, at)
        children = [msgspec.structs.replace(job, parent_id=parent) for job in new]
        start = len(self.world.known)
        return parents.add_children(conn, parent, "step", start, children, at)

    def _work(self, conn: Connection) -> None:
        lanes = [(self.queue_ids[queue], self.flow_ids[flow]) for flow, (_, queue) in FLOWS.items()]
        taken = claim(conn, lanes, self.dice.randrange(12), 1, self.now)
        taken = [row for row in taken if row.job_id in self.world.known]
        endings = [self._end(conn, row) for row in taken]
        finish(conn, [ending for ending in endings if ending])
        waiting = [j.id for j in self.world.known.values() if j.status == Status.PENDING]
        if waiting and self.dice.random() < 0.3:
            self._stop(conn, self.dice.choice(waiting))
        failed = [j.id for j in self.world.known.values() if j.status == Status.FAILED]
        if failed and self.dice.random() < 0.3:
            self._retry(conn, self.dice.choice(failed))

    def _stop(self, conn: Connection, job_id: int) -> None:
        stopped = stops.stop_waiting(
            conn, [job_id], reason=Reason.STOPPED, message="beta", now=self.now
        )
        for number in stopped:
            job = self.world.known[number]
            job.status, job.finished_at, job.error = Status.STOPPED, self.now, "beta"
            job.reason, job.attempt = "stopped", job.attempt

    def _retry(self, conn: Connection, job_id: int) -> None:
        assert stops.reopen(conn, job_id, now=self.now)
        job = self.world.known[job_id]
        job.status, job.started_at, job.finished_at, job.error = Status.PENDING, None, None, ""
        job.reason = job.ended_by = None

    def _end(self, conn: Connection, row: Claimed) -> Ending | None:
        """Let a claimed job begin, or not, and end, or not."""
        job = self.world.known[row.job_id]
        fate = self.dice.choices(
            ("handed out", "running", "completed", "failed", "retrying"), (1, 1, 8, 2, 1)
        )[0]
        if fate == "handed out":
            return None
        started = self.now + self.dice.randrange(10**6)
        begin(conn, [Begun(row.job_id, row.claim, 1, started, row.queue_id, row.flow_id)])
        job.status = Status(fate)
        job.started_at = started
        job.attempt = row.attempt
        if fate == "running":
            return None
        finished = started + self.dice.randrange(10**6)
        failed = fate != "completed"
        word = self.dice.choice(WORDS)
        if fate == "retrying":
            job.started_at = None
        else:
            job.finished_at = finished
            job.error = word if failed else ""
            job.reason = "error" if failed else None
            job.ended_by = 1
        return Ending(
            **{name: getattr(row, name) for name in READY},
            code=Code[fate.upper()],
            shown=True,
            began=True,
            started_at=started,
            finished_at=finished,
            reason="error" if failed else None,
            error=msgspec.json.encode({"type": "E", "message": word}).decode() if failed else None,
            run_at=finished + 10**15 if fate == "retrying" else None,
            parent_id=row.parent_id,
            pool_id=1,
            worker_id=1,
        )
