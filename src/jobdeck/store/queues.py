"""Queues: what waits in them and for how long, pausing and resuming."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select, update

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.errors import NotFound
from jobdeck.domain.records import Queue
from jobdeck.domain.states import Code, Status
from jobdeck.store import counters, limits
from jobdeck.store.names import missing
from jobdeck.store.tables import attempts, jobs, queues, ready, running
from jobdeck.store.tables import counters as counted
from jobdeck.store.values import AnyRow, driver, insert_into


def all(conn: Connection, now: Micros) -> list[Queue]:  # noqa: A001
    """Every queue by name, with its counts and latency; `now` is what waiting is measured to."""
    rows = conn.execute(select(queues).order_by(queues.c.name)).fetchall()
    return _records(conn, rows, now)


def get(conn: Connection, name: str, now: Micros) -> Queue:
    """The queue of that name.

    Raises:
        NotFound: there is none.
    """
    row = conn.execute(select(queues).where(queues.c.name == name)).first()
    if row is None:
        raise _missing(conn, name)
    return _records(conn, [row], now)[0]


def ensure(conn: Connection, name: str, *, builtin: bool = False) -> int:
    """The number of the queue of that name, which is created if there is none."""
    query = select(queues.c.id).where(queues.c.name == name)
    found: int | None = conn.execute(query).scalar()
    if found is None:
        statement = insert_into(conn, queues).values(name=name, builtin=builtin)
        conn.execute(statement.on_conflict_do_nothing(index_elements=["name"]))
        found = conn.execute(query).scalar_one()
    return found


def ids(conn: Connection) -> dict[str, int]:
    """The number of every queue by its name."""
    return {row.name: row.id for row in conn.execute(select(queues.c.name, queues.c.id))}


def paused(conn: Connection) -> set[int]:
    """The numbers of the queues that are paused."""
    return set(conn.execute(select(queues.c.id).where(queues.c.paused_at.is_not(None))).scalars())


def gates(conn: Connection) -> list[tuple[int, str, bool, bool]]:
    """Of every queue its number and name, whether it is paused, and whether it has limits."""
    rows: list[tuple[int, str, bool, bool]] = driver(conn).execute(_GATES).fetchall()
    return rows


_GATES = """
SELECT id, name, paused_at IS NOT NULL, max_running IS NOT NULL OR rate_count IS NOT NULL
FROM queues
"""


def pause(conn: Connection, name: str, *, by: str, reason: str, now: Micros) -> bool:
    """Hand out no more of its jobs; False: it was paused already, and stays as it was.

    Raises:
        NotFound: there is no such queue.
    """
    values = {"paused_at": now, "paused_by": by, "paused_reason": reason}
    return _set(conn, name, values, queues.c.paused_at.is_(None))


def resume(conn: Connection, name: str) -> bool:
    """Hand out its jobs again; False: it was not paused.

    Raises:
        NotFound: there is no such queue.
    """
    values = {"paused_at": None, "paused_by": "", "paused_reason": ""}
    return _set(conn, name, values, queues.c.paused_at.is_not(None))


def limit(conn: Connection, name: str, changes: Mapping[str, Any]) -> None:
    """Change what `changes` names of max_running and rate; None takes a limit away.

    Raises:
        NotFound: there is no such queue.
        InvalidValue: one of them is no limit.
    """
    values = limits.columns(changes)
    if not conn.execute(update(queues).where(queues.c.name == name).values(values)).rowcount:
        raise _missing(conn, name)


def _set(conn: Connection, name: str, values: dict[str, Any], guard: ColumnElement[bool]) -> bool:
    changed = conn.execute(update(queues).where(queues.c.name == name, guard).values(values))
    if changed.rowcount:
        return True
    if conn.execute(select(queues.c.id).where(queues.c.name == name)).first() is None:
        raise _missing(conn, name)
    return False


def _missing(conn: Connection, name: str) -> NotFound:
    return missing("queue", name, conn.execute(select(queues.c.name)).scalars())


def _records(conn: Connection, rows: Sequence[AnyRow], now: Micros) -> list[Queue]:
    counts = counters.by_queue(conn)
    since = _waiting_since(conn)
    handed_out = [q for q, n in counts.items() if n[Status.PENDING] and q not in since]
    if handed_out:
        since |= _handed_out_since(conn, handed_out)
    found = []
    for row in rows:
        n = counts.get(row.id) or dict.fromkeys(Status, 0)
        waited = now - since[row.id] if row.id in since else 0
        found.append(
            Queue(
                id=row.id,
                name=row.name,
                builtin=bool(row.builtin),
                paused_at=row.paused_at,
                paused_by=row.paused_by,
                paused_reason=row.paused_reason,
                max_running=row.max_running,
                rate=limits.rate_text(row),
                pending=n[Status.PENDING],
                running=n[Status.RUNNING],
                scheduled=n[Status.SCHEDULED],
                retrying=n[Status.RETRYING],
                latency_s=max(waited, 0) / SECOND,
            )
        )
    return found


def _waiting_since(conn: Connection) -> dict[int, Micros]:
    """For each queue with pending jobs, since when the next of them has been waiting."""
    lanes = (
        select(counted.c.queue_id, counted.c.flow_id)
        .where(counted.c.status == int(Code.PENDING))
        .group_by(counted.c.queue_id, counted.c.flow_id)
        .having(func.sum(counted.c.n) > 0)
        .subquery()
    )
    head = (
        select(ready.c.job_id)
        .where(ready.c.queue_id == lanes.c.queue_id, ready.c.flow_id == lanes.c.flow_id)
        .order_by(ready.c.rank, ready.c.job_id)
        .limit(1)
        .correlate(lanes)
        .scalar_subquery()
    )
    heads = select(head.label("job_id")).select_from(lanes).subquery()
    query = (
        select(ready.c.queue_id, jobs.c.created_at, jobs.c.run_at, _ENDED)
        .select_from(heads.join(ready, ready.c.job_id == heads.c.job_id))
        .join(jobs, jobs.c.id == ready.c.job_id)
        .order_by(ready.c.queue_id, ready.c.rank.desc(), ready.c.job_id.desc())
    )
    # The last of each queue is the next to go.
    return {row[0]: _waits_since(*row[1:]) for row in conn.execute(query)}


def _handed_out_since(conn: Connection, queue_ids: Sequence[int]) -> dict[int, Micros]:
    """The same for queues whose pending jobs all wait in a pool for a worker."""
    first = (
        select(func.min(running.c.job_id).label("job_id"))
        .where(running.c.begun_at.is_(None), running.c.queue_id.in_(queue_ids))
        .group_by(running.c.queue_id)
        .subquery()
    )
    query = (
        select(running.c.queue_id, jobs.c.created_at, jobs.c.run_at, _ENDED)
        .select_from(first.join(running, running.c.job_id == first.c.job_id))
        .join(jobs, jobs.c.id == running.c.job_id)
    )
    return {row[0]: _waits_since(*row[1:]) for row in conn.execute(query)}


# A job that is tried again waits since its last attempt ended, not since it was created.
_ENDED = (
    select(func.max(attempts.c.finished_at)).where(attempts.c.job_id == jobs.c.id).scalar_subquery()
)


def _waits_since(created: Micros, run_at: Micros | None, ended: Micros | None) -> Micros:
    return max(created, run_at or 0, ended or 0)
