"""Liveness, readiness and metrics: for load balancers, orchestrators and Prometheus."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from litestar import Request, Response, Router, get, head
from litestar.params import QueryParameter
from msgspec import Struct
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from jobdeck.domain import clock
from jobdeck.domain.errors import StoreVersion, Unauthenticated
from jobdeck.domain.records import Pool, Queue
from jobdeck.domain.states import Status
from jobdeck.http import auth
from jobdeck.http.auth import PUBLIC
from jobdeck.http.state import AtDeck, Deck
from jobdeck.store import counters, pools, queues, schema
from jobdeck.store.pools import LOST


class Health(Struct, frozen=True):
    """`ok`, or an answer of another kind."""

    status: str = "ok"


@get("/healthz", opt=PUBLIC, tags=["health"], sync_to_thread=False)
def healthz() -> Health:
    """The process lives; says nothing of the store."""
    return Health()


@head("/healthz", opt=PUBLIC, tags=["health"], sync_to_thread=False)
def healthz_head() -> None:
    """The same without a body."""


_Reading = Annotated[
    bool, QueryParameter(description="It need only be read, as for looking at pages")
]


@get("/readyz", opt=PUBLIC, tags=["health"], sync_to_thread=True)
def readyz(deck: AtDeck, reading: _Reading = False) -> Health:
    """The store can be read and written, and its schema is the one that this program uses; else
    503."""
    _check_store(deck, reading)
    return Health()


def _check_store(deck: Deck, reading: bool) -> None:
    found = schema.status(deck.store)
    if not found.ready:
        raise StoreVersion(
            f"The store has version {found.current or 'none'}, and this program needs "
            f"{found.newest}. Migrate it with: jobdeck db migrate"
        )
    if not reading:
        deck.writable.check()


def health_router(decks: Sequence[Deck]) -> Router:
    """Liveness and readiness at the root, where every deck has a base path."""

    @get("/readyz", opt=PUBLIC, sync_to_thread=True)
    def all_ready(reading: _Reading = False) -> Health:
        """Every store can be used."""
        for deck in decks:
            _check_store(deck, reading)
        return Health()

    return Router("/", route_handlers=[healthz, healthz_head, all_ready], include_in_schema=False)


@get("/metrics", opt=PUBLIC, tags=["health"])
async def metrics(request: Request[Any, Any, Any], deck: AtDeck) -> Response[bytes]:
    """Numbers of jobs, queues, pools and workers for Prometheus."""
    if not deck.settings.open_metrics and await auth.identify(deck, request) is None:
        raise Unauthenticated("The metrics are not open here; send a token.")
    text = await deck.run(lambda: _exposition(deck))
    return Response(text, media_type="text/plain; version=0.0.4")


def _exposition(deck: Deck) -> bytes:
    with deck.store.read() as conn:
        found = _Snapshot(counters.totals(conn), queues.all(conn, clock.now()), pools.all(conn))
    registry = CollectorRegistry()
    registry.register(found)
    return generate_latest(registry)


class _Snapshot(Collector):
    def __init__(self, totals: dict[Status, int], queues: list[Queue], pools: list[Pool]) -> None:
        self._totals = totals
        self._queues = queues
        self._pools = pools

    def collect(self) -> Iterable[Metric]:
        """The metrics, from counters: cheap at any number of jobs."""
        jobs = GaugeMetricFamily("jobdeck_jobs", "Jobs in the store", labels=["status"])
        for status, number in self._totals.items():
            jobs.add_metric([status], number)
        yield jobs
        waiting = GaugeMetricFamily(
            "jobdeck_queue_jobs", "Open jobs of a queue", labels=["queue", "status"]
        )
        latency = GaugeMetricFamily(
            "jobdeck_queue_latency_seconds",
            "How long the next job of a queue has waited",
            labels=["queue"],
        )
        paused = GaugeMetricFamily(
            "jobdeck_queue_paused", "1 while a queue is paused", labels=["queue"]
        )
        for queue in self._queues:
            for name in ("pending", "running", "scheduled", "retrying"):
                waiting.add_metric([queue.name, name], getattr(queue, name))
            latency.add_metric([queue.name], queue.latency_s)
            paused.add_metric([queue.name], queue.paused_at is not None)
        yield from (waiting, latency, paused)
        states = Counter(pool.state for pool in self._pools)
        alive = GaugeMetricFamily("jobdeck_pools", "Pools by state", labels=["state"])
        for state in ("running", "draining", "lost"):
            alive.add_metric([state], states[state])
        yield alive
        live = [pool for pool in self._pools if pool.state != LOST]
        busy = sum(pool.busy for pool in live)
        workers = GaugeMetricFamily(
            "jobdeck_workers", "Worker processes of live pools", labels=["state"]
        )
        workers.add_metric(["busy"], busy)
        workers.add_metric(["idle"], max(sum(pool.concurrency for pool in live) - busy, 0))
        yield workers


ROOT = (healthz, healthz_head, readyz, metrics)
"""The routes that stand at the root of a deck."""
