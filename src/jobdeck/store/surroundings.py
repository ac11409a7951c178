"""What stands around a job: the runs of its flow before and after it, and what happened to
queues, pipelines and pools while it was open."""

from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Select, and_, not_, or_, select

from jobdeck.domain.clock import Micros
from jobdeck.domain.records import Job
from jobdeck.domain.states import Code, Status
from jobdeck.store import jobs, periods, pools
from jobdeck.store.tables import audit
from jobdeck.store.tables import jobs as rows
from jobdeck.store.tables import pools as pool_rows

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
    mine = rows.c.flow_id == flow_id
    before = select(rows.c.id).where(mine, rows.c.id < job.id).order_by(rows.c.id.desc())
    after = select(rows.c.id).where(mine, rows.c.id > job.id).order_by(rows.c.id).limit(1)
    found = {"before": _first(conn, before.limit(1)), "after": _first(conn, after)}
    seen = before.add_columns(rows.c.status).limit(SEEN).subquery()
    success = select(seen.c.id).where(seen.c.status == int(Code.COMPLETED))
    found["success"] = _first(conn, success.order_by(seen.c.id.desc()).limit(1))
    if found["success"] == found["before"]:
        found["success"] = None
    ids = [each for each in found.values() if each is not None]
    statuses = jobs.statuses(conn, ids) if ids else {}
    query = select(rows.c.id, rows.c.finished_at).where(rows.c.id.in_(ids))
    ends = {row.id: row.finished_at for row in conn.execute(query)}
    return [
        Neighbour(relation=relation, id=each, status=statuses[each], finished_at=ends.get(each))
        for relation, each in found.items()
        if each in statuses
    ]


def _first(conn: Connection, query: Select[*tuple[Any, ...]]) -> int | None:
    found: int | None = conn.execute(query.limit(1)).scalar_one_or_none()
    return found


def happenings(conn: Connection, start: Micros, end: Micros) -> list[Happening]:
    """What happened elsewhere between these times, in order; the last ones if there are more
    than HAPPENINGS. What was done to single jobs is not among it."""
    found = _audited(conn, start, end)
    p = pool_rows.c
    lost = and_(p.state == pools.LOST, p.heartbeat_at.between(start, end))
    seen = or_(p.started_at.between(start, end), lost)
    query = select(pool_rows).where(seen, p.builtin.is_(False))
    for row in conn.execute(query.order_by(p.id.desc()).limit(HAPPENINGS)):
        target = f"pool {row.id} on {row.host}"
        if start <= row.started_at <= end:
            found.append(Happening(at=row.started_at, action="pool.started", target=target))
        if row.state == pools.LOST and start <= row.heartbeat_at <= end:
            found.append(Happening(at=row.heartbeat_at, action="pool.lost", target=target))
    return sorted(found, key=lambda each: each.at)[-HAPPENINGS:]


def _audited(conn: Connection, start: Micros, end: Micros) -> list[Happening]:
    # Clocks differ, so rows near the end may stand in another order.
    beyond = periods.first_since(conn, "audit", "at", end + periods.SLACK)
    newest = select(audit).where(audit.c.id < beyond).order_by(audit.c.id.desc())
    seen = newest.limit(SEEN).subquery().c
    query = (
        select(seen.at, seen.action, seen.target, seen.actor, seen.reason)
        .where(seen.at.between(start, end))
        .where(not_(or_(seen.action.startswith("job."), seen.action.startswith("error."))))
        .order_by(seen.id.desc())
        .limit(HAPPENINGS)
    )
    return [Happening(**row._mapping) for row in conn.execute(query)]
