"""Where open jobs stand, for finding those that do not get on: bounded, whatever waits."""

from sqlalchemy import Connection, func, select

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.liveness import OVERDUE_S, STALE_S, Standing, Verdict, check_stale, judge
from jobdeck.domain.records import Pool
from jobdeck.domain.serving import lack
from jobdeck.domain.states import Code, Status
from jobdeck.store import counters
from jobdeck.store import pools as known_pools
from jobdeck.store.facts import need_of
from jobdeck.store.tables import delayed, flows, jobs, parents, queues, ready, running, workers

LIMIT = 5000
LANE_JOBS = 100
"""Jobs of a lane that no pool serves that are looked at: the next to go."""


LANES_MAX = 500


def verdicts(conn: Connection, now: Micros, stale_s: float = STALE_S) -> list[Verdict]:
    """What is to be said of the jobs that pools hold or that are parked, of those whose time has
    passed, and of the first ones of lanes that no pool takes jobs from; at most about `LIMIT` of
    each. First those that can be helped, then those that are stuck, then the others.

    Raises:
        InvalidValue: `stale_s` is less than a minute.
    """
    check_stale(stale_s)
    pools = known_pools.all(conn, builtin=True)
    standings = [*_held(conn), *_overdue(conn, now), *_untaken(conn, pools, now)]
    found = [judge(each, pools, now, stale_s) for each in standings]
    return sorted(found, key=lambda each: (not each.remedy, not each.stuck, each.job))


def stuck(conn: Connection, now: Micros, stale_s: float, limit: int) -> list[Verdict]:
    """Those of them that do not get on, at most `limit`.

    Raises:
        InvalidValue: `stale_s` is less than a minute.
    """
    return [each for each in verdicts(conn, now, stale_s) if each.stuck][:limit]


def _held(conn: Connection) -> list[Standing]:
    r, p = running.c, parents.c
    query = (
        select(
            *(r.job_id, r.pool_id, r.begun_at, r.claimed_at, r.checked_in_at),
            flows.c.name.label("flow"),
            queues.c.name.label("queue"),
            workers.c.id.label("worker"),
            func.coalesce(p.total - p.completed - p.failed - p.stopped, 0).label("left"),
        )
        .select_from(running)
        .join(flows, flows.c.id == r.flow_id)
        .join(queues, queues.c.id == r.queue_id)
        .outerjoin(workers, (workers.c.id == r.worker_id) & (workers.c.pool_id == r.pool_id))
        .outerjoin(parents, p.job_id == r.job_id)
        .order_by(r.job_id)
        .limit(LIMIT)
    )
    return [
        Standing(
            job=row.job_id,
            flow=row.flow,
            queue=row.queue,
            status=Status.PENDING if row.begun_at is None else Status.RUNNING,
            since=row.begun_at if row.begun_at is not None else row.claimed_at,
            pool=row.pool_id,
            worker=row.worker,
            begun=row.begun_at is not None,
            parked=row.pool_id is None,
            open_children=row.left,
            checked_in_at=row.checked_in_at,
        )
        for row in conn.execute(query)
    ]


def _overdue(conn: Connection, now: Micros) -> list[Standing]:
    d = delayed.c
    query = (
        select(d.job_id, d.status, d.run_at, flows.c.name.label("flow"), queues.c.name)
        .join(flows, flows.c.id == d.flow_id)
        .join(queues, queues.c.id == d.queue_id)
        .where(d.run_at < now - round(OVERDUE_S * SECOND))
        .order_by(d.run_at, d.job_id)
        .limit(LIMIT)
    )
    return [
        Standing(
            job=row.job_id,
            flow=row.flow,
            queue=row.name,
            status=Code(row.status).status,
            since=row.run_at,
            run_at=row.run_at,
        )
        for row in conn.execute(query)
    ]


def _untaken(conn: Connection, pools: list[Pool], now: Micros) -> list[Standing]:
    found: list[Standing] = []
    paused = set(conn.execute(select(queues.c.id).where(queues.c.paused_at.is_not(None))).scalars())
    for queue_id, flow_id in list(counters.lanes(conn))[:LANES_MAX]:
        if queue_id in paused or len(found) >= LIMIT:
            continue
        need = need_of(conn, queue_id, flow_id)
        missing = lack(pools, need, now)
        if missing is None:
            continue
        first = (
            select(ready.c.job_id)
            .where(ready.c.queue_id == queue_id, ready.c.flow_id == flow_id)
            .order_by(ready.c.rank, ready.c.job_id)
            .limit(LANE_JOBS)
            .subquery()
        )
        query = (
            select(jobs.c.id, jobs.c.created_at, jobs.c.run_at, flows.c.name)
            .join(first, first.c.job_id == jobs.c.id)
            .join(flows, flows.c.id == jobs.c.flow_id)
            .order_by(jobs.c.id)
        )
        found += [
            Standing(
                job=row.id,
                flow=row.name,
                queue=need.queue,
                status=Status.PENDING,
                since=max(row.created_at, row.run_at or 0),
                lack=missing,
            )
            for row in conn.execute(query)
        ]
    return found
