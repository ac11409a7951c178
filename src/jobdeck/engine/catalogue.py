"""What a pool knows of flows, pipelines and queues, read again when somebody changes them."""

from collections.abc import Mapping

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, func, select

from jobdeck.domain.manifest import PipelineManifest, StepManifest
from jobdeck.domain.retry import RetryPolicy
from jobdeck.store import counters
from jobdeck.store.claims import Lane
from jobdeck.store.tables import changes, flows, pipelines, queues, versions
from jobdeck.store.values import AnyRow


class FlowConfig(Struct, frozen=True):
    """A flow with the published version of its pipeline."""

    id: int
    name: str
    version: int
    manifest: PipelineManifest
    retry: RetryPolicy
    timeout_s: float | None
    fingerprint: str

    @property
    def pipeline(self) -> str:
        """The name of its pipeline."""
        return self.manifest.name

    def step(self, position: int) -> StepManifest:
        """The step at that position, from 0."""
        return self.manifest.steps[position]

    def retry_of(self, step: str) -> RetryPolicy:
        """The policy that holds when that step has failed."""
        for known in self.manifest.steps:
            if known.name == step and known.retry is not None:
                return known.retry
        return self.retry


class Catalogue:
    """The flows that the pool's workers can run: their code has loaded the very version of the
    pipeline that is published."""

    def __init__(self, only_queues: frozenset[str] = frozenset()) -> None:
        """`only_queues` are the names of the queues to serve; none: all of them."""
        self.flows: dict[int, FlowConfig] = {}
        self.by_name: dict[str, FlowConfig] = {}
        self._only = only_queues
        self._seen = -1
        self._loaded: Mapping[str, str] = {}

    def refresh(self, conn: Connection, loaded: Mapping[str, str]) -> None:
        """Read the flows again if a flow or pipeline has changed since the last time; `loaded`
        gives the fingerprint of every pipeline that the workers have loaded."""
        latest = conn.execute(
            select(func.max(changes.c.id)).where(changes.c.topic.in_(("flow", "pipeline")))
        ).scalar()
        latest = latest or 0
        if latest == self._seen and loaded == self._loaded:
            return
        self._seen, self._loaded = latest, dict(loaded)
        query = (
            select(
                *(flows.c.id, flows.c.name, flows.c.retry, flows.c.timeout_s),
                *(versions.c.version, versions.c.manifest, versions.c.fingerprint),
            )
            .join(pipelines, pipelines.c.id == flows.c.pipeline_id)
            .join(
                versions,
                (versions.c.pipeline_id == pipelines.c.id)
                & (versions.c.version == pipelines.c.published_version),
            )
        )
        self.flows = {row.id: self._config(row) for row in conn.execute(query)}
        self.by_name = {flow.name: flow for flow in self.flows.values()}

    @staticmethod
    def _config(row: AnyRow) -> FlowConfig:
        manifest = msgspec.json.decode(row.manifest, type=PipelineManifest)
        retry = msgspec.json.decode(row.retry, type=RetryPolicy) if row.retry else manifest.retry
        timeout = row.timeout_s if row.timeout_s is not None else manifest.timeout_s
        return FlowConfig(row.id, row.name, row.version, manifest, retry, timeout, row.fingerprint)

    def runnable(self, flow_id: int) -> bool:
        """Whether the workers can run jobs of that flow."""
        flow = self.flows.get(flow_id)
        return flow is not None and self._loaded.get(flow.pipeline) == flow.fingerprint

    def lanes(self, conn: Connection) -> list[Lane]:
        """The lanes with pending jobs that the pool may take from now."""
        pending = counters.lanes(conn)
        if not pending:
            return []
        closed = self.closed_queues(conn)
        return [
            (queue, flow) for queue, flow in pending if queue not in closed and self.runnable(flow)
        ]

    def closed_queues(self, conn: Connection) -> set[int]:
        """The queues that are paused or not this pool's."""
        rows = conn.execute(select(queues.c.id, queues.c.name, queues.c.paused_at))
        return {
            row.id
            for row in rows
            if row.paused_at is not None or (self._only and row.name not in self._only)
        }
