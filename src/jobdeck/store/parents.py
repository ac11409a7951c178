"""Jobs that fanned out: creating their children once, and waking them when the last has ended."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from jobdeck.domain.clock import Micros
from jobdeck.domain.states import Code
from jobdeck.store import counters
from jobdeck.store.claims import READY, requeue
from jobdeck.store.enqueue import NewJob, enqueue
from jobdeck.store.tables import children, parents, running

if TYPE_CHECKING:
    from jobdeck.store.outcomes import Ending

_COLUMN = {Code.COMPLETED: "completed", Code.FAILED: "failed", Code.STOPPED: "stopped"}


def add_children(
    conn: Connection,
    parent_id: int,
    step: str,
    start: int,
    new: Sequence[NewJob],
    now: Micros,
) -> list[int]:
    """Create the children with the indexes from `start` on that the step does not have yet;
    gives the numbers of the new ones. Repeating it after a crash creates nothing twice."""
    known = set(
        conn.execute(
            select(children.c.index).where(
                children.c.parent_id == parent_id,
                children.c.step == step,
                children.c.index.between(start, start + len(new) - 1),
            )
        ).scalars()
    )
    missing = [(start + i, job) for i, job in enumerate(new) if start + i not in known]
    if not missing:
        return []
    ids = enqueue(conn, [job for _, job in missing], now)
    conn.execute(
        insert(children),
        [
            {"parent_id": parent_id, "step": step, "index": index, "job_id": job_id}
            for (index, _), job_id in zip(missing, ids, strict=True)
        ],
    )
    dialect = sqlite if conn.dialect.name == "sqlite" else postgresql
    added = dialect.insert(parents).values(job_id=parent_id, total=len(ids))
    conn.execute(
        added.on_conflict_do_update(
            index_elements=["job_id"], set_={"total": parents.c.total + added.excluded.total}
        )
    )
    return ids


def open_children(conn: Connection, parent_id: int) -> int:
    """How many children have not ended; locks the parent's row until the transaction ends."""
    row = conn.execute(
        update(parents)
        .where(parents.c.job_id == parent_id)
        .values(total=parents.c.total)
        .returning(parents.c.total, parents.c.completed, parents.c.failed, parents.c.stopped)
    ).first()
    return row[0] - row[1] - row[2] - row[3] if row else 0


def park(conn: Connection, ending: Ending) -> bool:
    """Let the job wait for its children without a worker; False: the claim no longer holds.

    If all have ended meanwhile, it goes to the ready at once.
    """
    still_open = open_children(conn, ending.job_id)
    parked = conn.execute(
        update(running)
        .where(running.c.job_id == ending.job_id, running.c.claim == ending.claim)
        .values(pool_id=None, worker_id=None, begun_at=ending.started_at)
    ).rowcount
    if not parked:
        return False
    if not ending.shown:
        _recount(conn, [(ending.queue_id, ending.flow_id)], Code.PENDING, Code.RUNNING)
    if not still_open:
        unpark(conn, ending.job_id)
    return True


def unpark(conn: Connection, job_id: int) -> bool:
    """Make a parked job ready for its next step; it is no new attempt."""
    columns = [running.c[name] for name in READY]
    row = conn.execute(
        delete(running)
        .where(running.c.job_id == job_id, running.c.pool_id.is_(None))
        .returning(*columns)
    ).first()
    if row is None:
        return False
    requeue(conn, [tuple(row)])
    _recount(conn, [(row.queue_id, row.flow_id)], Code.RUNNING, Code.PENDING)
    return True


def children_ended(conn: Connection, ended: Sequence[tuple[int, Code]]) -> None:
    """Count children that ended for good, and wake the parents for which it was the last."""
    by_parent: dict[int, Counter[str]] = defaultdict(Counter)
    for parent_id, code in ended:
        by_parent[parent_id][_COLUMN[code]] += 1
    for parent_id, numbers in sorted(by_parent.items()):
        row = conn.execute(
            update(parents)
            .where(parents.c.job_id == parent_id)
            .values({name: parents.c[name] + n for name, n in numbers.items()})
            .returning(parents.c.total, parents.c.completed, parents.c.failed, parents.c.stopped)
        ).first()
        if row is not None and row[0] <= row[1] + row[2] + row[3]:
            unpark(conn, parent_id)


def child_reopened(conn: Connection, parent_id: int, code: Code) -> None:
    """An ended child was retried: its parent counts it as open again."""
    column = _COLUMN[code]
    conn.execute(
        update(parents).where(parents.c.job_id == parent_id).values({column: parents.c[column] - 1})
    )


def _recount(conn: Connection, lanes: Sequence[tuple[int, int]], before: Code, after: Code) -> None:
    deltas: Counter[counters.Key] = Counter()
    for queue_id, flow_id in lanes:
        deltas[before, queue_id, flow_id] -= 1
        deltas[after, queue_id, flow_id] += 1
    counters.change(conn, deltas)
