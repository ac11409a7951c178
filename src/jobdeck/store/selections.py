"""Which jobs an action over many of them is about, a bounded number at a time."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from jobdeck.domain.states import Code
from jobdeck.store.tables import jobs, ready, running


def newest(conn: Connection) -> int:
    """The number of the newest job; 0 if there is none."""
    found: int | None = conn.execute(select(func.max(jobs.c.id))).scalar()
    return found or 0


def pending(conn: Connection, queue_id: int, *, upto: int, limit: int) -> list[int]:
    """Some jobs up to number `upto` that are pending in the queue and in no pool's hands."""
    query = (
        select(ready.c.job_id)
        .where(ready.c.queue_id == queue_id, ready.c.job_id <= upto)
        .limit(limit)
    )
    return list(conn.execute(query).scalars())


def handed_out(conn: Connection, queue_id: int, *, upto: int) -> list[int]:
    """The jobs of the queue that a pool holds and has not begun: they are pending, too."""
    query = select(running.c.job_id).where(
        running.c.queue_id == queue_id,
        running.c.job_id <= upto,
        running.c.begun_at.is_(None),
        running.c.pool_id.is_not(None),
        running.c.stop_kind.is_(None),
    )
    return list(conn.execute(query).scalars())


def open_children(conn: Connection, parent_ids: Sequence[int]) -> list[int]:
    """The children of these jobs that have not ended."""
    query = select(jobs.c.id).where(
        jobs.c.parent_id.in_(parent_ids), jobs.c.status == int(Code.OPEN)
    )
    return sorted(conn.execute(query).scalars())
