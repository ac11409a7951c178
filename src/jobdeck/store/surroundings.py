"""What stands around a job: the runs of its flow before and after it, and what happened to
queues, pipelines and pools while it was open."""

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    BindParameter,
    Connection,
    and_,
    bindparam,
    not_,
    or_,
    select,
    text,
)

from jobdeck.domain.clock import Micros
from jobdeck.domain.records import Job
from jobdeck.domain.states import Code, Status
from jobdeck.store import jobs, periods, pools, walks
from jobdeck.store.sources import of_flow
from jobdeck.store.tables import audit
from jobdeck.store.tables import jobs as rows
from jobdeck.store.tables import pools as pool_rows
from jobdeck.store.values import NUMBER_MAX

SEEN = 2_000
"""So many earlier runs are looked at for one that completed, and so many rows of the audit."""

HAPPENINGS = 20


class Neighbour(Struct, frozen=True, kw_only=True):
    """A run of the same flow. `relation` is before, after or success: the last one that
    completed before it."""

    relation: str
    id: int
    status: Status
    finished_at: Micros | None


class Happening(Struct, frozen=True, kw_only=True):
    """Something that somebody changed, or that became of a pool (`actor` is empty then). `action`
    is as the audit has it, or pool.started and pool.lost."""

    at: Micros
    action: str
    target: str
    actor: str = ""
    reason: str = ""


def neighbours(conn: Connection, job: Job) -> list[Neighbour]:
    """The runs of its flow next to it, and the last that completed before it."""
    flow_id = conn.execute(select(rows.c.flow_id).where(rows.c.id == job.id)).scalar()
    if flow_id is None:
        return []
    binds = {"flow": flow_id, "before": job.id - 1, "after": job.id + 1, "all": NUMBER_MAX}
    near = conn.execute(text(_near(conn)), binds).one()._mapping
    found = {name: number for name, number in near.items() if number is not None}
    if found.get("success") == found.get("before"):
        found.pop("success", None)
    known = {each.id: each for each in jobs.load(conn, list(found.values()))}
    return [
        Neighbour(relation=name, id=each.id, status=each.status, finished_at=each.finished_at)
        for name, number in found.items()
        if (each := known.get(number)) is not None
    ]


def _near(conn: Connection) -> str:
    def walk(columns: str, limit: int, **edges: str) -> str:
        down = "high" in edges
        edges = {"low": "0", "high": ":all", **edges}
        source, some = of_flow(":flow"), f"LIMIT {limit}"
        return walks.walk(conn, source, columns, descending=down, limit=some, **edges)

    seen = walk("id, status", SEEN, high=":before")
    return (
        f"SELECT ({walk('id', 1, high=':before')}) AS before, "  # noqa: S608
        f"({walk('id', 1, low=':after')}) AS after, "
        f"(SELECT id FROM ({seen}) AS seen WHERE status = {int(Code.COMPLETED)} "
        "ORDER BY id DESC LIMIT 1) AS success"
    )


_start: BindParameter[int] = bindparam("start", type_=BigInteger)
_end: BindParameter[int] = bindparam("end", type_=BigInteger)
_beyond: BindParameter[int] = bindparam("beyond", type_=BigInteger)
_seen = (
    select(audit).where(audit.c.id < _beyond).order_by(audit.c.id.desc()).limit(SEEN).subquery().c
)
_AUDITED = (
    select(_seen.at, _seen.action, _seen.target, _seen.actor, _seen.reason)
    .where(_seen.at.between(_start, _end))
    .where(not_(or_(_seen.action.startswith("job."), _seen.action.startswith("error."))))
    .order_by(_seen.id.desc())
    .limit(HAPPENINGS)
)
_pool = pool_rows.c
_lost = and_(_pool.state == pools.LOST, _pool.heartbeat_at.between(_start, _end))
_POOLS = (
    select(pool_rows)
    .where(or_(_pool.started_at.between(_start, _end), _lost), _pool.builtin.is_(False))
    .order_by(_pool.id.desc())
    .limit(HAPPENINGS)
)


def happenings(conn: Connection, start: Micros, end: Micros) -> list[Happening]:
    """What happened elsewhere between these times, in order; the last ones if there are more
    than HAPPENINGS. What was done to single jobs is not among it."""
    # Clocks differ, so rows near the end may stand in another order.
    beyond = periods.first_since(conn, "audit", "at", end + periods.SLACK)
    binds = {"start": start, "end": end}
    rows = conn.execute(_AUDITED, {**binds, "beyond": beyond})
    found = [Happening(**row._mapping) for row in rows]
    for row in conn.execute(_POOLS, binds):
        target = f"pool {row.id} on {row.host}"
        if start <= row.started_at <= end:
            found.append(Happening(at=row.started_at, action="pool.started", target=target))
        if row.state == pools.LOST and start <= row.heartbeat_at <= end:
            found.append(Happening(at=row.heartbeat_at, action="pool.lost", target=target))
    return sorted(found, key=lambda each: each.at)[-HAPPENINGS:]
