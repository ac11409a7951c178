"""Who gets which of the claimed jobs, and how many to claim."""

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import NamedTuple

from sqlalchemy import Connection

from jobdeck.domain.clock import Micros
from jobdeck.domain.states import Code
from jobdeck.engine.batching import Meter
from jobdeck.engine.catalogue import Catalogue, FlowConfig
from jobdeck.engine.handed import Handed
from jobdeck.engine.workers import WorkerProcess
from jobdeck.store import parents, steps
from jobdeck.store.claims import Claimed, claim, heads
from jobdeck.store.limits import Allowance, Lane
from jobdeck.store.outcomes import finish
from jobdeck.store.steps import StepProgress
from jobdeck.worker.protocol import DoneStep, JobSpec

_SMALL = 10
"""Batches up to this many jobs are not handed out ahead: latency matters more."""


class Shares(NamedTuple):
    """What each worker is to be handed, the jobs by their numbers as it is told of them, whether
    there may be more, and when a rate lets more of them start."""

    of: dict[WorkerProcess, list[Handed]]
    specs: dict[int, JobSpec]
    more: bool
    more_at: Micros | None = None


class Dispatch:
    """Keeps each worker supplied with about a batch of work, and quick ones with a second one
    while the pool writes."""

    def __init__(
        self, catalogue: Catalogue, meter: Meter, coroutines: int = 1, alone: set[int] | None = None
    ) -> None:
        """A worker runs at most `coroutines` coroutine jobs side by side; those of the numbers
        in `alone` get a worker for themselves."""
        self._catalogue = catalogue
        self._meter = meter
        self._coroutines = coroutines
        self._alone = set() if alone is None else alone

    def _target(self) -> float:
        return 2.0 if self._meter.batch > _SMALL else 1.0

    def hungry(self, worker: WorkerProcess) -> bool:
        """Whether the worker should be handed more."""
        if not worker.ready or worker.leaving or worker.ended:
            return False
        if not worker.handed or worker.load <= self._target() / 2 - 0.01:
            return True
        return worker.shared and len(worker.handed) < self._coroutines

    def wanted(self, workers: Sequence[WorkerProcess]) -> int:
        """How many jobs to claim for these hungry workers."""
        target, batch = self._target(), self._meter.batch
        return sum(max(1, int((target - worker.load) * batch)) for worker in workers)

    def claim(
        self, conn: Connection, hungry: list[WorkerProcess], pool_id: int, now: Micros
    ) -> Shares:
        """Claim jobs for the hungry workers, as many as they are to be handed."""
        lanes, allowed = self._catalogue.lanes(conn, now)
        hungry, lanes, wanted = self._turn(conn, hungry, lanes, allowed)
        if not wanted:
            return Shares({}, {}, False, allowed.opens_at(now))
        claimed = claim(conn, lanes, wanted, pool_id, now, allowed)
        # PostgreSQL passes over rows that another pool has locked, so few do not mean the last.
        sqlite = conn.dialect.name == "sqlite"
        more = len(claimed) >= wanted if sqlite else bool(claimed)
        again = [row.job_id for row in claimed if row.claim > 1]
        progress = steps.progress_of(conn, again) if again else {}
        claimed = self._park(conn, claimed, progress, now)
        shares, left = self._share(claimed, hungry)
        finish(conn, [job.not_begun(now) for job in left])
        jobs = [job for handed in shares.values() for job in handed]
        specs = {job.claimed.job_id: spec_of(job, progress) for job in jobs}
        return Shares(shares, specs, more, allowed.opens_at(now))

    def _turn(
        self,
        conn: Connection,
        hungry: list[WorkerProcess],
        lanes: list[Lane],
        allowed: Allowance,
    ) -> tuple[list[WorkerProcess], list[Lane], int]:
        """Whose turn it is to be handed jobs, from which lanes, and how many.

        Workers that are busy with coroutine jobs come last. They get further ones as long as
        no job that needs a worker for itself stands before those: it would never find a free
        one otherwise.
        """
        free = [worker for worker in hungry if not worker.shared]
        if free:
            return free, lanes, self.wanted(free)
        wanted = max(self.wanted(hungry), self._room(hungry))
        flows = self._catalogue.flows
        ours = [lane for lane in lanes if flows[lane[1]].manifest.coroutine]
        if ours and len(ours) < len(lanes):
            ahead = heads(conn, lanes, wanted, allowed)
            wanted = len(list(takewhile(lambda row: flows[row.flow_id].manifest.coroutine, ahead)))
        return hungry, ours, wanted

    def _room(self, workers: Sequence[WorkerProcess]) -> int:
        return sum(self._coroutines - len(worker.handed) for worker in workers)

    def _park(
        self,
        conn: Connection,
        claimed: list[Claimed],
        progress: Mapping[int, StepProgress],
        now: Micros,
    ) -> list[Claimed]:
        """Let those wait whose last step made children that have not all ended: their worker
        died before it could say so, or somebody has retried a child. Gives the others."""
        done = [job_id for job_id, so_far in progress.items() if so_far.done]
        waiting = parents.awaited(conn, done) if done else set()
        if not waiting:
            return claimed
        flows = self._catalogue.flows
        parked = [Handed(row, flows[row.flow_id]) for row in claimed if row.job_id in waiting]
        finish(conn, [job.ending(Code.RUNNING, now, started_at=now) for job in parked])
        return [row for row in claimed if row.job_id not in waiting]

    def _share(
        self, claimed: Sequence[Claimed], workers: Sequence[WorkerProcess]
    ) -> tuple[dict[WorkerProcess, list[Handed]], list[Handed]]:
        """Give every job to the least loaded worker; what fits nowhere is the second part."""
        shares: dict[WorkerProcess, list[Handed]] = {worker: [] for worker in workers}
        loads = {worker: worker.load for worker in workers}
        load_of = loads.__getitem__
        costs: dict[int, tuple[float, FlowConfig]] = {}
        left: list[Handed] = []
        target = self._target() + 0.001
        for row in claimed:
            known = costs.get(row.flow_id)
            if known is None:
                flow = self._catalogue.flows[row.flow_id]
                known = costs[row.flow_id] = (self._meter.cost(row.flow_id), flow)
            cost, flow = known
            job = Handed(row, flow, cost)
            if flow.manifest.coroutine:
                self._let_share(job)
                cost = job.cost
            worker = min(loads, key=load_of)
            load = loads[worker] + cost
            if load > target and shares[worker]:
                left.append(job)
                continue
            shares[worker].append(job)
            loads[worker] = load
        if left:
            self._meter.batch = max(1, (len(claimed) - len(left)) // len(workers))
        return {worker: jobs for worker, jobs in shares.items() if jobs}, left

    def _let_share(self, job: Handed) -> None:
        if self._coroutines > 1 and job.claimed.job_id not in self._alone:
            job.shares = True
            job.cost = min(job.cost, 1 / self._coroutines)


def spec_of(job: Handed, progress: Mapping[int, StepProgress]) -> JobSpec:
    """The job as its worker is told of it."""
    row, flow = job.claimed, job.flow
    so_far = progress.get(row.job_id) if progress else None
    if so_far is None:
        return JobSpec(
            row.job_id,
            row.claim,
            row.attempt,
            flow.manifest.name,
            flow.name,
            row.params.encode(),
            row.context or "",
            row.parent_id,
            alone=not job.shares,
        )
    job.first_began_at = so_far.began_at if so_far.attempt == row.attempt else None
    return JobSpec(
        *(row.job_id, row.claim, row.attempt, job.flow.pipeline, job.flow.name),
        *(row.params.encode(), row.context or "", row.parent_id),
        [DoneStep(position, result) for position, result in so_far.done],
        *(so_far.checkpoint, so_far.counts),
        alone=not job.shares,
    )
