"""Who gets which of the claimed jobs, and how many to claim."""

from collections.abc import Mapping, Sequence

from jobdeck.engine.batching import Meter
from jobdeck.engine.catalogue import Catalogue, FlowConfig
from jobdeck.engine.handed import Handed
from jobdeck.engine.workers import WorkerProcess
from jobdeck.store.claims import Claimed
from jobdeck.store.steps import StepProgress
from jobdeck.worker.protocol import DoneStep, JobSpec

_SMALL = 10
"""Batches up to this many jobs are not handed out ahead: latency matters more."""


class Dispatch:
    """Keeps each worker supplied with about a batch of work, and quick ones with a second one
    while the pool writes."""

    def __init__(self, catalogue: Catalogue, meter: Meter) -> None:
        self._catalogue = catalogue
        self._meter = meter

    def _target(self) -> float:
        return 2.0 if self._meter.batch > _SMALL else 1.0

    def hungry(self, worker: WorkerProcess) -> bool:
        """Whether the worker should be handed more."""
        if not worker.ready or worker.leaving or worker.ended:
            return False
        return not worker.handed or worker.load <= self._target() / 2 - 0.01

    def wanted(self, workers: Sequence[WorkerProcess]) -> int:
        """How many jobs to claim for these hungry workers."""
        target, batch = self._target(), self._meter.batch
        return sum(max(1, int((target - worker.load) * batch)) for worker in workers)

    def share(
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
        )
    job.first_began_at = so_far.began_at if so_far.attempt == row.attempt else None
    return JobSpec(
        *(row.job_id, row.claim, row.attempt, job.flow.pipeline, job.flow.name),
        *(row.params.encode(), row.context or "", row.parent_id),
        [DoneStep(position, result) for position, result in so_far.done],
        *(so_far.checkpoint, so_far.counts),
    )
