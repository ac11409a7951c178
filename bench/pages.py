"""How long pages take on a store with much history: `python -m bench.pages --store URL`.

Each page is asked for again and again by one who is signed in, with nothing else going on, and
while a pool drains no-op jobs as fast as it can. Seed the store by `bench.seed` before.
"""

import argparse
import time
from collections.abc import Sequence
from typing import NamedTuple

import httpx
from sqlalchemy import func, select

from bench import machine
from bench.__main__ import write
from bench.rig import PIPELINES, new_job, pool
from bench.server import Served, serve
from jobdeck.domain import clock
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.states import Status
from jobdeck.store import error_groups, flows, jobs, pipelines, queues, schema, selections
from jobdeck.store.database import Store
from jobdeck.store.enqueue import enqueue
from jobdeck.store.tables import attempts
from jobdeck.worker.loader import load_manifests

WAITING = 400_000
"""No-op jobs that the pool drains meanwhile; refilled when few are left."""

CHUNK = 1_000


def addresses(store: Store) -> list[str]:
    """The pages that are measured: every one, the lists under many filters, and dialogs."""
    with store.read() as conn:
        newest = selections.newest(conn)
        long = conn.execute(select(func.max(attempts.c.job_id))).scalar() or newest
        groups = error_groups.find(conn, now=clock.now(), limit=1).items
        failed = jobs.find(conn, JobFilter(status=(Status.FAILED,)), limit=1).items
        flow = next(each for each in flows.all(conn) if each.name != "noop")
        queue = next(iter(queues.ids(conn)))
    return [
        "/",
        "/jobs",
        "/jobs?status=failed",
        "/jobs?status=completed",
        "/jobs?status=running",
        "/jobs?status=pending",
        "/jobs?status=failed&status=stopped",
        f"/jobs?flow={flow.name}",
        f"/jobs?pipeline={flow.pipeline}",
        f"/jobs?pipeline={flow.pipeline}&status=failed",
        f"/jobs?queue={queue}",
        "/jobs?q=Delft",
        "/jobs?q=nothing+like+this",
        f"/jobs?flow={flow.name}&q=Delft",
        "/jobs?q=pipeline:weather+params.city:Delft",
        "/jobs?q=params.city:Delft+status:failed",
        "/jobs?q=params.customer:1731",
        "/jobs?q=error:HTTPError",
        "/jobs?q=duration:>1h+attempt:>1",
        "/jobs?range=1h",
        "/jobs?range=7d&status=failed",
        "/jobs?sort=-duration",
        f"/jobs/{newest}",
        f"/jobs/{newest // 2}",
        *(f"/jobs/{job.id}" for job in failed),
        f"/jobs/{long}",
        f"/jobs/{long}?find=row+5",
        f"/jobs/{long}/log?before=50000",
        f"/jobs/{newest // 2}/again",
        "/jobs/bulk/retry?all=1&status=failed",
        f"/jobs/bulk/stop?all=1&queue={queue}",
        "/jobs/bulk/export?all=1&q=Delft",
        "/jobs/complete?q=params.city:D",
        "/jobs/complete?q=flow:",
        "/job-manager",
        "/queues",
        f"/queues/stop?queue={queue}",
        "/schedules",
        "/workers",
        "/pipelines",
        f"/pipelines/{flow.pipeline}",
        f"/flows/{flow.name}",
        f"/flows/{flow.name}?before={newest // 2}",
        f"/flows/{flow.name}/run",
        "/errors",
        "/errors?state=resolved",
        f"/errors?flow={flow.name}&q=refused",
        *(f"/errors/{group.id}" for group in groups),
        "/logs",
        "/logs?q=error",
        f"/logs?flow={flow.name}&level=error",
        "/palette?q=wea",
        f"/palette?q={newest}",
        "/api/v1/jobs",
        "/api/v1/jobs?status=failed&limit=500",
        "/api/v1/jobs/count",
    ]


class Took(NamedTuple):
    """Of one page: the seconds of each answer, and of the server's CPU for one in the mean."""

    answers: list[float]
    cpu_s: float


def times(served: Served, paths: Sequence[str], rounds: int) -> dict[str, Took]:
    """How long pages take, asked for one after the other; of those that there are."""
    found: dict[str, Took] = {}
    with httpx.Client(base_url=served.address, headers=served.headers, timeout=120) as client:
        for path in paths:
            first = client.get(path)
            if first.status_code == httpx.codes.NOT_FOUND:
                continue
            first.raise_for_status()
            before = served.cpu_s()
            answers = [_ask(client, path) for _ in range(rounds)]
            found[path] = Took(answers, (served.cpu_s() - before) / rounds)
    return found


def _ask(client: httpx.Client, path: str) -> float:
    began = time.perf_counter()
    client.get(path).raise_for_status()
    return time.perf_counter() - began


def draining(store: Store, served: Served, paths: Sequence[str], rounds: int) -> dict[str, Took]:
    """The same while a pool drains no-op jobs, of which enough wait at all times."""
    found: dict[str, Took] = {}
    with pool(store, 1):
        time.sleep(3)
        for path in paths:
            _fill(store)
            found.update(times(served, [path], rounds))
    return found


def _fill(store: Store) -> None:
    with store.read() as conn:
        numbers = jobs.find(conn, JobFilter(flow="noop", status=(Status.PENDING,)), limit=500)
    if numbers.next:
        return
    new = [new_job(store, "noop", '{"to": "ana@example.org"}')] * CHUNK
    for _ in range(WAITING // CHUNK):
        with store.write() as conn:
            enqueue(conn, new, clock.now())


def _millis(values: Sequence[float]) -> str:
    if not values:
        return "–"
    ordered = sorted(values)
    picks = [ordered[min(int(len(ordered) * q), len(ordered) - 1)] for q in (0.5, 0.95)]
    return " / ".join(f"{pick * 1000:.1f}" for pick in picks)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.pages")
    parser.add_argument("--store", required=True, help="address of a store with much history")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--no-drain", action="store_true")
    parser.add_argument("--write", action="store_true", help="into bench/RESULTS.md, too")
    options = parser.parse_args()
    store = Store(options.store)
    schema.ensure(store)
    report = load_manifests(str(PIPELINES))
    with store.write() as conn:
        for manifest in report.pipelines:
            pipelines.register(conn, manifest, clock.now(), publish=True)
    paths = addresses(store)
    with serve(options.store) as served:
        calm = times(served, paths, options.rounds)
        busy = {} if options.no_drain else draining(store, served, paths, options.rounds)
    with store.read() as conn:
        newest = selections.newest(conn)
    lines = [*(f"- {line}" for line in machine.describe()), f"- {newest:,} jobs"]
    lines += [f"- asked {options.rounds} times each; p50 / p95 in ms at a client on loopback", ""]
    lines += ["| Page | idle | CPU for one | while a pool drains |", "|---|---|---|---|"]
    for path, took in calm.items():
        drained = _millis(busy[path].answers) if path in busy else "–"
        cells = (f"`{path}`", _millis(took.answers), f"{took.cpu_s * 1000:.1f}", drained)
        lines.append(f"| {' | '.join(cells)} |")
    print("\n".join(lines))
    if options.write:
        kind = "SQLite" if store.sqlite else "PostgreSQL"
        title = f"Pages on {kind}"
        head = [f"## {title}", "", f"{time.strftime('%Y-%m-%d')}:", ""]
        write(title, "\n".join([*head, *lines]))


if __name__ == "__main__":
    main()
