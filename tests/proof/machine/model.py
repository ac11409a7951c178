"""What a store should hold after any sequence of operations: the rules, without a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from jobdeck.domain.clock import Micros
from jobdeck.domain.retry import MAX_LOSSES
from jobdeck.domain.states import Code

Key = tuple[int, int]
"""Job and claim."""


@dataclass
class Job:
    """A job as it should stand. `place` is ready, running, delayed or ended; `attempt` the number
    that its next attempt will have, or that the present one has; `begun` the highest that began."""

    id: int
    flow: int
    queue: int
    priority: int
    place: str
    code: Code
    parent: int | None = None
    run_at: Micros | None = None
    attempt: int = 1
    begun: int = 0
    claim: int = 0
    losses: int = 0
    archived: int = 0
    pool: int | None = None
    shown: bool = False
    stop: str = ""
    told: int = 0
    """The attempt that last told of a step."""
    step_done: bool = False
    """Whether that step has completed."""
    ended_begun: bool = False
    """Whether the attempt in which it ended had begun."""
    children: dict[int, int] = field(default_factory=dict)
    """Index: number of the child."""
    total: int = 0
    ended: Counter[Code] = field(default_factory=Counter)
    fails_when: str = "all"
    key: str = ""
    schedule: int | None = None
    began_at: Micros = 0

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.place != "ended"

    @property
    def parked(self) -> bool:
        """Whether it waits for its children and holds no worker."""
        return self.place == "running" and self.pool is None

    @property
    def open_children(self) -> int:
        """How many of its children have not ended."""
        return self.total - sum(self.ended.values())

    @property
    def seen_as(self) -> Code:
        """The status that everybody sees."""
        if self.place == "running":
            return Code.RUNNING if self.shown else Code.PENDING
        return self.code


class Model:
    """All jobs, and what each operation does to them."""

    def __init__(self) -> None:
        self.jobs: dict[int, Job] = {}
        self.given: set[int] = set()
        """The numbers that were ever given to jobs."""
        self.beats: dict[int, Micros] = {}
        """When each pool told for the last time that it lives."""
        self.paused: set[int] = set()
        self.queue_limits: dict[int, int] = {}
        self.flow_limits: dict[int, int] = {}
        self.keys: dict[str, tuple[int, Micros]] = {}
        """Who took each unique key last, and until when it has it whatever becomes of it."""
        self.outcomes: Counter[int] = Counter()
        """How often each job's end was recorded, and how often it was reopened, subtracted."""

    # -- what should be there --------------------------------------------------------------

    def at(self, place: str) -> list[Job]:
        """The jobs at that place, by number."""
        return [job for _, job in sorted(self.jobs.items()) if job.place == place]

    def counters(self) -> dict[tuple[int, int, int], int]:
        """Jobs by status, queue and flow."""
        return dict(Counter((int(j.seen_as), j.queue, j.flow) for j in self.jobs.values()))

    def order(self, limit: int, queues: Collection[int]) -> list[int]:
        """The numbers of the jobs that a claim from these queues takes now, in order."""
        running = self.at("running")
        at_work = Counter(job.queue for job in running if not job.parked)
        runs = Counter(job.flow for job in running)
        taken: list[int] = []
        for job in sorted(self.at("ready"), key=lambda job: (-job.priority, job.id)):
            if job.queue not in queues or len(taken) == limit:
                continue
            most, flow_most = self.queue_limits.get(job.queue), self.flow_limits.get(job.flow)
            if most is not None and at_work[job.queue] >= most:
                continue
            if flow_most is not None and runs[job.flow] >= flow_most:
                continue
            at_work[job.queue] += 1
            runs[job.flow] += 1
            taken.append(job.id)
        return taken

    def awaits(self, job: Job) -> bool:
        """Whether it is to wait though it was handed out: its children are not done yet."""
        return job.step_done and any(self.jobs[child].open for child in job.children.values())

    def holder(self, key: str, now: Micros) -> int | None:
        """The job that has the unique key."""
        job_id, until = self.keys.get(key, (0, 0))
        job = self.jobs.get(job_id)
        return job_id if job is not None and (job.open or until > now) else None

    # -- what happens ----------------------------------------------------------------------

    def add(self, job: Job) -> None:
        """A new job."""
        assert job.id not in self.given, "a number was given twice"
        self.given.add(job.id)
        self.jobs[job.id] = job
        if job.parent is not None:
            self.jobs[job.parent].total += 1

    def claimed(self, job_id: int, claim: int, pool: int) -> None:
        """It was handed to a pool."""
        job = self.jobs[job_id]
        assert claim > job.claim, "a claim was used again"
        job.place, job.claim, job.pool, job.shown, job.stop = "running", claim, pool, False, ""

    def begun(self, job: Job, now: Micros) -> None:
        """Its worker began it, and everybody sees it."""
        job.shown = True
        job.began_at = now
        job.begun = job.attempt

    def holds(self, key: Key) -> bool:
        """Whether that claim holds."""
        job = self.jobs.get(key[0])
        return job is not None and job.place == "running" and job.claim == key[1]

    def left(self, job: Job, code: Code, *, began: bool, lost: bool = False) -> None:
        """A claim ended, but for good or for parking: `close` and `park` do that."""
        if began:
            job.begun = job.attempt
            job.attempt += 1
            job.archived += 1
        job.losses += lost
        job.place = "delayed" if code == Code.RETRYING else "ready"
        job.code, job.pool, job.stop = code, None, ""

    def close(self, job: Job, code: Code, *, began: bool) -> None:
        """It ended for good."""
        if began:
            job.begun = job.attempt
        # A parent that was woken is in an attempt that has begun, also while it is ready.
        job.ended_begun = job.begun == job.attempt
        self.outcomes[job.id] += 1
        assert self.outcomes[job.id] == 1, f"job {job.id} ended twice"
        job.place, job.code, job.pool, job.stop = "ended", code, None, ""

    def count_children(self, ended: Iterable[Job]) -> None:
        """These have ended: parents of which no child is open now go on."""
        families = []
        for job in ended:
            parent = self.jobs.get(job.parent) if job.parent is not None else None
            if parent is not None:
                parent.ended[job.code] += 1
                families.append(parent)
        for parent in families:
            self.wake(parent)

    def wake(self, parent: Job) -> None:
        """Let it go on if it is parked and none of its children is open."""
        if not parent.parked or parent.open_children > 0:
            return
        failed, stopped = parent.ended[Code.FAILED], parent.ended[Code.STOPPED]
        lacking = {"any": 1, "all": parent.total}.get(parent.fails_when, 0)
        if 0 < lacking <= failed + stopped:
            self.close(parent, Code.FAILED if failed else Code.STOPPED, began=True)
            self.count_children([parent])
        else:
            parent.place, parent.code, parent.shown = "ready", Code.PENDING, False

    def park(self, job: Job) -> None:
        """It waits for its children."""
        job.begun = job.attempt
        job.pool, job.shown = None, True
        if job.stop:
            self.close(job, Code.STOPPED, began=True)
            self.count_children([job])
        else:
            self.wake(job)

    def stop(self, root: int, kind: str, *, forced: Code | None = None) -> None:
        """Stop or kill a tree, or end its root by force and kill the rest."""
        level = [self.jobs[root]]
        if forced is not None:
            self.close(level[0], forced, began=True)
            self.count_children(level)
            level = self.open_children(level)
        while level:
            self.stop_some(level, kind)
            level = self.open_children(level)

    def stop_some(self, jobs: Sequence[Job], kind: str) -> None:
        """Stop or kill these, but not their children."""
        ended = [job for job in jobs if job.place != "running" or job.parked]
        for job in ended:
            self.close(job, Code.STOPPED, began=job.parked)
        self.count_children(ended)
        for job in jobs:
            if job.place == "running" and (kind == "kill" or not job.stop):
                job.stop = kind

    def open_children(self, level: Sequence[Job]) -> list[Job]:
        """Those of these jobs that have not ended."""
        above = {job.id for job in level}
        return [job for job in self.jobs.values() if job.open and job.parent in above]

    def pool_lost(self, pool: int) -> None:
        """Its jobs are given back."""
        self.given_back([job for job in self.at("running") if job.pool == pool])

    def given_back(self, jobs: Iterable[Job]) -> None:
        """Those that a pool holds come back."""
        held = [job for job in jobs if not job.parked]
        final = []
        for job in held:
            began = job.shown
            if job.stop:
                self.close(job, Code.STOPPED, began=began)
                final.append(job)
            elif began and job.losses + 1 > MAX_LOSSES:
                self.close(job, Code.FAILED, began=True)
                final.append(job)
            else:
                self.left(job, Code.PENDING, began=began, lost=began)
        self.count_children(final)

    def retriable(self, job: Job, now: Micros) -> bool:
        """Whether somebody may retry it."""
        has_key = not job.key or self.holder(job.key, now) in (None, job.id)
        return not job.open and job.code in (Code.FAILED, Code.STOPPED) and has_key

    def reopen(self, job: Job, *, from_start: bool) -> None:
        """Somebody retries it."""
        job.step_done &= not from_start
        if job.key:
            known, until = self.keys[job.key]
            self.keys[job.key] = job.id, until if known == job.id else 0
        parent = self.jobs.get(job.parent) if job.parent is not None else None
        if parent is not None:
            parent.ended[job.code] -= 1
        job.archived += job.ended_begun
        job.attempt, job.losses = job.begun + 1, 0
        job.place, job.code, job.shown = "ready", Code.PENDING, False
        self.outcomes[job.id] -= 1

    def deletable(self, job: Job) -> bool:
        """Whether it may be deleted."""
        parent = self.jobs.get(job.parent) if job.parent is not None else None
        return not job.open and (parent is None or not parent.open)

    def delete(self, job: Job) -> None:
        """It is gone, and may be a child anew."""
        del self.jobs[job.id]
        parent = self.jobs.get(job.parent) if job.parent is not None else None
        if parent is not None:
            parent.children = {i: child for i, child in parent.children.items() if child != job.id}
