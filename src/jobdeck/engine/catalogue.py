"""What a pool knows of flows, pipelines and queues, read again when somebody changes them."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, select

from jobdeck.domain.clock import Micros
from jobdeck.domain.manifest import PipelineManifest, StepManifest
from jobdeck.domain.retry import RetryPolicy
from jobdeck.store import counters, queues, signals
from jobdeck.store.limits import NONE, Allowance, Lane, allowance
from jobdeck.store.signals import Signals
from jobdeck.store.tables import flows, pipelines, versions
from jobdeck.store.values import AnyRow

RISE = 1000
"""Changes of any kind among which a pool on PostgreSQL counts those of flows and pipelines."""


class FlowConfig(Struct, frozen=True):
    """A flow with the published version of its pipeline."""

    id: int
    name: str
    version: int
    manifest: PipelineManifest
    retry: RetryPolicy
    timeout_s: float | None
    fingerprint: str
    limited: bool = False

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
        self._only = only_queues
        self._floor = 0
        self._rising: tuple[int, int] | None = None
        self._changed = (-1, 0)
        self._stale = True
        self._loaded: Mapping[str, str] = {}

    def read_signals(self, conn: Connection, pool_id: int) -> Signals:
        """What the pool is to look at; notices that flows or pipelines have changed."""
        seen = signals.read(conn, pool_id, self._floor)
        if seen.changed != self._changed:
            self._changed = seen.changed
            self._stale = True
        if self._rise(seen):
            self._changed = (0, 0)
        return seen

    def _rise(self, seen: Signals) -> bool:
        """Count from the newest change on, once all transactions have ended that may have taken
        a smaller number; until then theirs are still to be noticed."""
        if seen.transaction is None or seen.ended is None:
            self._floor, before = seen.newest, self._floor
            return self._floor > before
        if self._rising is None:
            if seen.newest - self._floor > RISE:
                self._rising = seen.newest, seen.transaction
            return False
        newest, transaction = self._rising
        if seen.ended <= transaction:
            return False
        # A little lower, for one that had its number but not yet that of its transaction.
        self._floor, self._rising, self._stale = newest - RISE // 5, None, True
        return True

    def refresh(self, conn: Connection, loaded: Mapping[str, str]) -> None:
        """Read the flows again if a flow or pipeline has changed since the last time; `loaded`
        gives the fingerprint of every pipeline that the workers have loaded."""
        if not self._stale and loaded == self._loaded:
            return
        self._stale, self._loaded = False, dict(loaded)
        query = (
            select(
                *(flows.c.id, flows.c.name, flows.c.retry, flows.c.timeout_s),
                *(flows.c.max_running, flows.c.rate_count),
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

    @staticmethod
    def _config(row: AnyRow) -> FlowConfig:
        manifest = msgspec.json.decode(row.manifest, type=PipelineManifest)
        retry = msgspec.json.decode(row.retry, type=RetryPolicy) if row.retry else manifest.retry
        timeout = row.timeout_s if row.timeout_s is not None else manifest.timeout_s
        limited = row.max_running is not None or row.rate_count is not None
        return FlowConfig(
            row.id, row.name, row.version, manifest, retry, timeout, row.fingerprint, limited
        )

    def runnable(self, flow_id: int) -> bool:
        """Whether the workers can run jobs of that flow."""
        flow = self.flows.get(flow_id)
        return flow is not None and self._loaded.get(flow.pipeline) == flow.fingerprint

    def lanes(self, conn: Connection, now: Micros) -> tuple[list[Lane], Allowance]:
        """The lanes with pending jobs that the pool may take from now, and how many of each."""
        pending = counters.lanes(conn)
        if not pending:
            return [], NONE
        gates = self._gates(conn)
        lanes = [
            (queue, flow)
            for queue, flow in pending
            if not gates[queue].closed and self.runnable(flow)
        ]
        limited_queues = {queue for queue, _ in lanes if gates[queue].limited}
        limited_flows = {flow for _, flow in lanes if self.flows[flow].limited}
        return lanes, allowance(conn, limited_queues, limited_flows, now)

    def closed_queues(self, conn: Connection) -> set[int]:
        """The queues that are paused or not this pool's."""
        return {queue for queue, gate in self._gates(conn).items() if gate.closed}

    def _gates(self, conn: Connection) -> dict[int, "_Gate"]:
        return {
            queue: _Gate(paused or bool(self._only and name not in self._only), limited)
            for queue, name, paused, limited in queues.gates(conn)
        }


class _Gate(NamedTuple):
    closed: bool
    limited: bool
