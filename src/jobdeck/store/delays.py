"""Scheduled and retrying jobs whose time has come."""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, select

from jobdeck.domain.clock import Micros
from jobdeck.domain.states import Code
from jobdeck.store import counters
from jobdeck.store.claims import READY, requeue
from jobdeck.store.tables import delayed

AT_ONCE = 1000


def next_due(conn: Connection) -> Micros | None:
    """When the next one is due."""
    due: Micros | None = conn.execute(select(func.min(delayed.c.run_at))).scalar()
    return due


def promote(conn: Connection, now: Micros) -> int:
    """Make those that are due pending, at most `AT_ONCE` of them; gives how many."""
    due = (
        select(delayed.c.job_id)
        .where(delayed.c.run_at <= now)
        .order_by(delayed.c.run_at, delayed.c.job_id)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    ids = list(conn.execute(due).scalars())
    if not ids:
        return 0
    return len(promote_these(conn, ids))


def promote_these(conn: Connection, job_ids: Sequence[int]) -> list[int]:
    """Make these jobs pending, whenever they are due; gives the numbers of those that were
    delayed."""
    columns = [delayed.c[name] for name in READY]
    rows = conn.execute(
        delete(delayed).where(delayed.c.job_id.in_(job_ids)).returning(*columns, delayed.c.status)
    ).fetchall()
    requeue(conn, [tuple(row[:-1]) for row in rows])
    deltas: Counter[counters.Key] = Counter()
    for row in rows:
        deltas[row.status, row.queue_id, row.flow_id] -= 1
        deltas[int(Code.PENDING), row.queue_id, row.flow_id] += 1
    counters.change(conn, deltas)
    return [row.job_id for row in rows]
