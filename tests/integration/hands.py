"""A store with a pipeline, and a pool's part in it, played by hand."""

from __future__ import annotations

from typing import Any

from jobdeck.domain import clock
from jobdeck.domain.clock import Micros
from jobdeck.domain.manifest import PipelineManifest, StepManifest
from jobdeck.domain.roles import Actor, Role
from jobdeck.domain.states import Code, Reason
from jobdeck.store import flows, pipelines, pools, queues
from jobdeck.store.claims import Begun, Claimed, begin, claim
from jobdeck.store.database import Store
from jobdeck.store.outcomes import Ending, finish

ANA = Actor("ana", Role.OPERATOR)
ROOT = Actor("root", Role.ADMIN)
EVE = Actor("eve", Role.VIEWER)

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
    "required": ["city"],
}


def manifest(name: str = "weather", **more: Any) -> PipelineManifest:
    """A pipeline of two steps that takes a city."""
    steps = [StepManifest(name="extract"), StepManifest(name="load")]
    values: dict[str, Any] = {"steps": steps, "queue": "etl", "params_schema": SCHEMA}
    return PipelineManifest(**{"name": name, **values, **more})


def define(store: Store, *names: str) -> None:
    """Register and publish pipelines of these names."""
    with store.write() as conn:
        for name in names or ("weather",):
            pipelines.register(conn, manifest(name), clock.now(), publish=True)


class Hands:
    """A pool of one worker that does what a test says."""

    def __init__(self, store: Store) -> None:
        self.store = store
        with store.write() as conn:
            self.pool = pools.open(conn, "host", 1, 1, [], clock.now())
            self.worker = pools.add_worker(conn, self.pool, clock.now())

    def take(self, limit: int = 100) -> list[Claimed]:
        """Be handed pending jobs of any flow."""
        with self.store.write() as conn:
            ids = queues.ids(conn)
            lanes = [(ids[flow.queue], flow.id) for flow in flows.all(conn)]
            return claim(conn, lanes, limit, self.pool, clock.now())

    def begin(self, job: Claimed) -> None:
        """Begin to run it."""
        row = Begun(job.job_id, job.claim, self.worker, clock.now(), job.queue_id, job.flow_id)
        with self.store.write() as conn:
            begin(conn, [row])

    def end(self, job: Claimed, code: Code, reason: Reason | None = None) -> None:
        """End what was begun."""
        now: Micros = clock.now()
        ending = Ending(
            job_id=job.job_id,
            queue_id=job.queue_id,
            flow_id=job.flow_id,
            rank=job.rank,
            attempt=job.attempt,
            losses=job.losses,
            claim=job.claim,
            code=code,
            shown=True,
            began=True,
            started_at=now - 1_000_000,
            finished_at=now,
            reason=reason,
            parent_id=job.parent_id,
        )
        with self.store.write() as conn:
            assert finish(conn, [ending])

    def run(self, code: Code = Code.COMPLETED, reason: Reason | None = None) -> list[int]:
        """Take, begin and end everything that is pending."""
        taken = self.take()
        for job in taken:
            self.begin(job)
            self.end(job, code, reason)
        return [job.job_id for job in taken]
