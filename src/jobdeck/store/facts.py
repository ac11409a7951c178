"""What is known of a job that tells why it is where it is: a few short reads, none of which grows
with the history."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, func, select, text, tuple_

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.facts import Facts, Family, Limit, Line, Pause, Stop
from jobdeck.domain.rates import Rate
from jobdeck.domain.records import Job, Pool
from jobdeck.domain.serving import Need, takers
from jobdeck.domain.states import Code, Reason, Status
from jobdeck.store import counters, jobs, pools, walks
from jobdeck.store.jobs import Lane
from jobdeck.store.sources import of_flow
from jobdeck.store.tables import (
    attempts,
    events,
    flows,
    parents,
    pipelines,
    queues,
    ready,
    running,
    versions,
)
from jobdeck.store.values import AnyRow, decode_error

AHEAD_MAX = 10_000
"""Jobs that go before one are counted up to this many."""

LANES_MAX = 200
"""Lanes that are looked at for what goes before a job."""

RECENT = 100
"""Jobs of a flow whose durations say how long the next ones will take."""

_RECENT_LANES = 10


def gather(conn: Connection, job_id: int, now: Micros) -> Facts:
    """All about the job that `domain.why` asks for.

    Raises:
        NotFound: there is no such job.
    """
    job = jobs.get(conn, job_id)
    if job.status.final:
        need = Need(queue=job.queue, pipeline=job.pipeline)
        return Facts(now=now, job=job, need=need, stop=_stopped_by(conn, job))
    lane = jobs.lane_of(conn, job_id)
    known = pools.all(conn, builtin=True)
    if job.status == Status.RETRYING:
        job = _with_failure(conn, job)
    if lane is None:
        # It has ended between two reads.
        return Facts(now=now, job=job, pools=known, need=Need(queue=job.queue, pipeline=""))
    need = need_of(conn, lane.queue_id, lane.flow_id)
    held = None
    if lane.place == "running":
        held = conn.execute(select(running).where(running.c.job_id == job_id)).first()
    if job.status != Status.PENDING:
        return Facts(
            now=now,
            job=job,
            pools=known,
            need=need,
            stop=_stop_of(held),
            parked=held is not None and held.pool_id is None,
            family=_family(conn, job_id),
            typical_s=typical_s(conn, lane.flow_id, job_id),
        )
    return Facts(
        now=now,
        job=job,
        pools=known,
        need=need,
        stop=_stop_of(held),
        handed_to=held.pool_id if held is not None else None,
        pause=_pause(conn, lane.queue_id),
        limits=_limits(conn, lane),
        line=_line(conn, job_id, lane, known, need, now),
        typical_s=_typical_of_lane(conn, lane.queue_id, lane.flow_id),
    )


def need_of(conn: Connection, queue_id: int, flow_id: int) -> Need:
    """What a pool must serve and have loaded to take jobs of that lane."""
    query = (
        select(
            pipelines.c.name,
            versions.c.version,
            versions.c.fingerprint,
            select(queues.c.name).where(queues.c.id == queue_id).scalar_subquery().label("queue"),
        )
        .select_from(flows)
        .join(pipelines, pipelines.c.id == flows.c.pipeline_id)
        .outerjoin(
            versions,
            (versions.c.pipeline_id == pipelines.c.id)
            & (versions.c.version == pipelines.c.published_version),
        )
        .where(flows.c.id == flow_id)
    )
    row = conn.execute(query).first()
    if row is None:
        return Need(queue="", pipeline="")
    return Need(
        queue=row.queue or "",
        pipeline=row.name,
        version=row.version,
        fingerprint=row.fingerprint or "",
    )


def typical_s(conn: Connection, flow_id: int, before: int) -> float | None:
    """How long those of the flow's jobs took that completed lately, on average; only the
    `RECENT` ones with numbers below `before` are looked at."""
    recent = walks.walk(
        conn,
        of_flow(":flow"),
        "status, started_at, finished_at",
        descending=True,
        limit=f"LIMIT {RECENT}",
        low="0",
        high=":high",
    )
    spans = [
        row.finished_at - row.started_at
        for row in conn.execute(text(recent), {"flow": flow_id, "high": before - 1})
        if row.status == Code.COMPLETED and row.started_at is not None
    ]
    return max(sum(spans) / len(spans), 0) / SECOND if spans else None


def _stopped_by(conn: Connection, job: Job) -> Stop | None:
    """Who stopped it while it ran; one that waited says so itself."""
    if job.status != Status.STOPPED or job.reason not in (Reason.STOPPED, Reason.KILLED):
        return None
    e = events.c
    row = conn.execute(
        select(e.kind, e.actor, e.message, e.at)
        .where(e.job_id == job.id, e.kind.in_(("stop_asked", "kill_asked", "retried")))
        .order_by(e.id.desc())
        .limit(1)
    ).first()
    if row is None or row.kind == "retried":
        return None
    return Stop(kind=row.kind.removesuffix("_asked"), by=row.actor, reason=row.message, at=row.at)


def _stop_of(row: AnyRow | None) -> Stop | None:
    if row is None or row.stop_kind is None:
        return None
    return Stop(
        kind=row.stop_kind, by=row.stop_by or "", reason=row.stop_reason or "", at=row.stop_at
    )


def _with_failure(conn: Connection, job: Job) -> Job:
    """The job with what its last attempt failed of, which its own row does not tell yet."""
    row = conn.execute(
        select(attempts.c.message, attempts.c.error).where(
            attempts.c.job_id == job.id, attempts.c.attempt == job.attempt
        )
    ).first()
    if row is None:
        return job
    return msgspec.structs.replace(job, message=row.message or "", error=decode_error(row.error))


def _family(conn: Connection, job_id: int) -> Family | None:
    p = parents.c
    row = conn.execute(
        select(p.total, p.completed, p.failed, p.stopped).where(p.job_id == job_id)
    ).first()
    return None if row is None else Family(**row._asdict())


def _pause(conn: Connection, queue_id: int) -> Pause | None:
    q = queues.c
    row = conn.execute(
        select(q.paused_at, q.paused_by, q.paused_reason).where(q.id == queue_id)
    ).first()
    if row is None or row.paused_at is None:
        return None
    return Pause(at=row.paused_at, by=row.paused_by, reason=row.paused_reason)


def _limits(conn: Connection, lane: Lane) -> list[Limit]:
    """The limits that hold for the lane, the flow's first, counted as the pools count."""
    r = running.c
    found = []
    for kind, table, number, mine in (
        ("flow", flows, lane.flow_id, r.flow_id == lane.flow_id),
        ("queue", queues, lane.queue_id, (r.queue_id == lane.queue_id) & r.pool_id.is_not(None)),
    ):
        c = table.c
        columns = (c.name, c.max_running, c.rate_count, c.rate_period_s, c.rate_empty_at)
        row = conn.execute(select(*columns).where(c.id == number)).first()
        if row is None or (row.max_running is None and row.rate_count is None):
            continue
        at_work = 0
        if row.max_running is not None:
            at_work = conn.execute(
                select(func.count()).select_from(running).where(mine)
            ).scalar_one()
        rate = None if row.rate_count is None else Rate(row.rate_count, row.rate_period_s)
        found.append(
            Limit(
                kind=kind,
                name=row.name,
                max_running=row.max_running,
                running=at_work,
                rate=rate,
                rate_empty_at=row.rate_empty_at,
            )
        )
    return found


def _line(
    conn: Connection, job_id: int, lane: Lane, known: Sequence[Pool], need: Need, now: Micros
) -> Line:
    """What goes before the job in all lanes that the pools able to run it take jobs from."""
    able = takers(known, need, now)
    if lane.place != "ready" or not able:
        return Line()
    ahead: dict[tuple[int, int], int] = {}
    total, more = 0, False
    lanes = _open_lanes(conn, able)
    for queue_id, flow_id in lanes[:LANES_MAX]:
        n = _before(conn, queue_id, flow_id, lane.rank, job_id, AHEAD_MAX - total)
        if n:
            ahead[queue_id, flow_id] = n
            total += n
        if total >= AHEAD_MAX:
            more = True
            break
    more = more or len(lanes) > LANES_MAX
    work_s = None if more else _work_s(conn, ahead)
    return Line(ahead=total, more=more, work_s=work_s)


def _open_lanes(conn: Connection, able: Sequence[Pool]) -> list[tuple[int, int]]:
    """The lanes with pending jobs that one of these pools takes jobs from."""
    pending = list(counters.lanes(conn))
    rows = conn.execute(select(queues.c.id, queues.c.name, queues.c.paused_at))
    served = {
        row.id
        for row in rows
        if row.paused_at is None
        and any(not pool.queues or row.name in pool.queues for pool in able)
    }
    loaded = {(name, mark) for pool in able for name, mark in pool.loaded.items()}
    query = (
        select(flows.c.id, pipelines.c.name, versions.c.fingerprint)
        .join(pipelines, pipelines.c.id == flows.c.pipeline_id)
        .join(
            versions,
            (versions.c.pipeline_id == pipelines.c.id)
            & (versions.c.version == pipelines.c.published_version),
        )
        .where(flows.c.id.in_([flow for _, flow in pending]))
    )
    run = {row.id for row in conn.execute(query) if (row.name, row.fingerprint) in loaded}
    return [(queue, flow) for queue, flow in pending if queue in served and flow in run]


def _before(
    conn: Connection, queue_id: int, flow_id: int, rank: int, job_id: int, limit: int
) -> int:
    r = ready.c
    first = (
        select(r.job_id)
        .where(
            r.queue_id == queue_id,
            r.flow_id == flow_id,
            tuple_(r.rank, r.job_id) < tuple_(rank, job_id),
        )
        .limit(limit)
        .subquery()
    )
    return conn.execute(select(func.count()).select_from(first)).scalar_one()


def _work_s(conn: Connection, ahead: dict[tuple[int, int], int]) -> float | None:
    """Seconds of work that these numbers of jobs of lanes are; None: some are not known."""
    if len(ahead) > _RECENT_LANES:
        return None
    total = 0.0
    for (queue_id, flow_id), number in ahead.items():
        one = _typical_of_lane(conn, queue_id, flow_id)
        if one is None:
            return None
        total += one * number
    return total


def _typical_of_lane(conn: Connection, queue_id: int, flow_id: int) -> float | None:
    """As `typical_s`, of the jobs before those that wait in the lane: these may be many."""
    r = ready.c
    head = (
        select(r.job_id)
        .where(r.queue_id == queue_id, r.flow_id == flow_id)
        .order_by(r.rank, r.job_id)
        .limit(1)
    )
    first: int | None = conn.execute(head).scalar()
    return None if first is None else typical_s(conn, flow_id, first)
