"""Jobs whose pool or worker is gone: giving them back."""

from collections.abc import Sequence

from sqlalchemy import Connection, Select, select

from jobdeck.domain.clock import Micros
from jobdeck.domain.retry import MAX_LOSSES
from jobdeck.domain.states import Code, Reason
from jobdeck.store.claims import READY
from jobdeck.store.outcomes import Ending, finish
from jobdeck.store.tables import jobs, pools, running
from jobdeck.store.values import AnyRow

AT_ONCE = 500


def take_back(conn: Connection, pool_id: int, now: Micros) -> list[Ending]:
    """End the claims of a pool that is lost, at most `AT_ONCE` of them; gives how each ended."""
    query = _select().where(running.c.pool_id == pool_id)
    rows = conn.execute(query.order_by(running.c.job_id).limit(AT_ONCE)).fetchall()
    return finish(conn, [_ending(row, f"pool {pool_id} was lost", now) for row in rows])


def unowned(conn: Connection) -> bool:
    """Whether there are claims of pools that are not there any more."""
    r = running.c
    owner = select(pools.c.id).where(pools.c.id == r.pool_id)
    query = select(r.job_id).where(r.pool_id.is_not(None), ~owner.exists())
    return conn.execute(query.limit(1)).first() is not None


def take_back_unowned(conn: Connection, now: Micros) -> list[Ending]:
    """The same of claims of pools that are not there any more: on PostgreSQL one that was taken
    for dead may commit a last transaction after its jobs were given back."""
    r = running.c
    owner = select(pools.c.id).where(pools.c.id == r.pool_id)
    query = _select().where(r.pool_id.is_not(None), ~owner.exists())
    rows = conn.execute(query.order_by(r.job_id).limit(AT_ONCE)).fetchall()
    return finish(conn, [_ending(row, f"pool {row.pool_id} was lost", now) for row in rows])


def held_by(conn: Connection, pool_id: int) -> dict[tuple[int, int], bool]:
    """The claims (job, claim) of the pool as the store knows them; whether each has begun."""
    r = running.c
    rows = conn.execute(select(r.job_id, r.claim, r.begun_at).where(r.pool_id == pool_id))
    return {(row.job_id, row.claim): row.begun_at is not None for row in rows}


def give_back(conn: Connection, job_ids: Sequence[int], message: str, now: Micros) -> list[Ending]:
    """End the claims on these jobs, whoever holds them; gives how each ended. Jobs that wait for
    their children are left out."""
    query = _select().where(running.c.job_id.in_(job_ids), running.c.pool_id.is_not(None))
    rows = conn.execute(query.order_by(running.c.job_id)).fetchall()
    return finish(conn, [_ending(row, message, now) for row in rows])


def _select() -> Select[*tuple[object, ...]]:
    r = running.c
    return select(
        *(r[name] for name in READY),
        *(r.pool_id, r.begun_at, r.worker_id, r.stop_kind, r.stop_by, r.stop_reason),
        jobs.c.parent_id,
    ).join(jobs, jobs.c.id == r.job_id)


def _ending(row: AnyRow, message: str, now: Micros) -> Ending:
    """Pending again, counted as a loss if it had begun; or as somebody had asked meanwhile."""
    began = row.begun_at is not None
    code, reason = Code.PENDING, Reason.WORKER_LOST
    if row.stop_kind:
        code = Code.STOPPED
        reason = Reason.KILLED if row.stop_kind == "kill" else Reason.STOPPED
        message = row.stop_reason or f"{reason.value} by {row.stop_by}"
    elif began and row.losses + 1 > MAX_LOSSES:
        code = Code.FAILED
        message = f"{message}, and its worker before, {row.losses + 1} times in all"
    return Ending(
        **{name: getattr(row, name) for name in READY},
        code=code,
        shown=began,
        began=began,
        lost=began and not row.stop_kind,
        finished_at=now,
        started_at=row.begun_at,
        reason=reason.value,
        message=message,
        parent_id=row.parent_id,
        pool_id=row.pool_id,
        worker_id=row.worker_id,
    )
