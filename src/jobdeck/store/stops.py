"""Stopping jobs that wait, asking running ones to stop, and reopening ended ones."""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection, Row, Table, delete, select, update

from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import Duplicate
from jobdeck.domain.states import Code, Reason
from jobdeck.store import counters, error_groups, parents, unique_keys, volume
from jobdeck.store.claims import READY, requeue
from jobdeck.store.enqueue import duplicate
from jobdeck.store.outcomes import ATTEMPT, Ending, close, finish, wake_parents
from jobdeck.store.rows import among, insert_rows
from jobdeck.store.tables import (
    attempts,
    delayed,
    jobs,
    ready,
    running,
    steps,
)
from jobdeck.store.values import AnyRow, is_number


def stop_waiting(
    conn: Connection, job_ids: Sequence[int], *, reason: Reason, message: str, now: Micros
) -> list[int]:
    """Stop those of the jobs that no pool holds: pending, scheduled, retrying, or waiting for
    children. Gives the numbers of those that really changed."""
    if not job_ids:
        return []
    taken = [(row, Code.PENDING) for row in _take(conn, ready, job_ids)]
    taken += [(row, Code(row.status)) for row in _take(conn, delayed, job_ids, delayed.c.status)]
    parked = _take(conn, running, job_ids, running.c.begun_at, parked=True)
    taken += [(row, Code.RUNNING) for row in parked]
    if not taken:
        return []
    own = {
        row.id: row
        for row in conn.execute(
            select(jobs.c.id, jobs.c.parent_id, jobs.c.created_at).where(
                among(conn, jobs.c.id, [r.job_id for r, _ in taken])
            )
        )
    }
    endings, before = [], {}
    for row, code in taken:
        before[row.job_id] = code
        endings.append(_stopped(row, code, own[row.job_id].parent_id, reason, message, now))
    close(conn, endings)
    deltas: Counter[counters.Key] = Counter()
    for e in endings:
        deltas[before[e.job_id], e.queue_id, e.flow_id] -= 1
        deltas[Code.STOPPED, e.queue_id, e.flow_id] += 1
    counters.change(conn, deltas)
    stretches = {each: volume.stretch(row.created_at) for each, row in own.items()}
    volume.change(
        conn, Counter((stretches[e.job_id], e.code, e.queue_id, e.flow_id) for e in endings)
    )
    wake_parents(conn, [(e.parent_id, e.code) for e in endings if e.parent_id], now)
    return [e.job_id for e in endings]


def _take(
    conn: Connection,
    table: Table,
    job_ids: Sequence[int],
    *more: object,
    parked: bool = False,
) -> Sequence[Row[tuple[int, ...]]]:
    statement = delete(table).where(among(conn, table.c.job_id, job_ids))
    if parked:
        statement = statement.where(table.c.pool_id.is_(None))
    columns = [table.c[name] for name in READY]
    return conn.execute(statement.returning(*columns, *more)).fetchall()


def _stopped(
    row: Row[tuple[int, ...]],
    before: Code,
    parent_id: int | None,
    reason: Reason,
    message: str,
    now: Micros,
) -> Ending:
    return Ending(
        **{name: getattr(row, name) for name in READY},
        code=Code.STOPPED,
        shown=before == Code.RUNNING,
        began=before == Code.RUNNING,
        finished_at=now,
        started_at=row.begun_at if before == Code.RUNNING else None,
        reason=reason,
        message=message,
        parent_id=parent_id,
    )


def request_stop(
    conn: Connection, job_ids: Sequence[int], *, kind: str, by: str, why: str, now: Micros
) -> list[int]:
    """Ask the pools that hold these jobs to stop or kill them; gives the numbers asked for.

    A kill overrides a stop, a second stop changes nothing and is no error.
    """
    if not job_ids:
        return []
    statement = (
        update(running)
        .where(among(conn, running.c.job_id, job_ids), running.c.pool_id.is_not(None))
        .values(stop_kind=kind, stop_at=now, stop_by=by, stop_reason=why)
        .returning(running.c.job_id)
    )
    if kind == "stop":
        fresh = statement.where(running.c.stop_kind.is_(None))
        conn.execute(fresh)
        held = select(running.c.job_id).where(
            among(conn, running.c.job_id, job_ids), running.c.pool_id.is_not(None)
        )
        return list(conn.execute(held).scalars())
    return list(conn.execute(statement).scalars())


def force(
    conn: Connection, job_id: int, *, code: Code, reason: Reason, message: str, now: Micros
) -> bool:
    """End a running job without its pool: whatever that reports later is refused by the fence.
    False: the job does not run."""
    if not is_number(job_id):
        return False
    r = running.c
    row = conn.execute(
        select(*(r[name] for name in READY), r.begun_at, r.pool_id, r.worker_id, jobs.c.parent_id)
        .join(jobs, jobs.c.id == r.job_id)
        .where(r.job_id == job_id, r.begun_at.is_not(None))
    ).first()
    if row is None:
        return False
    ending = Ending(
        **{name: getattr(row, name) for name in READY},
        code=code,
        shown=True,
        began=True,
        started_at=row.begun_at,
        finished_at=now,
        reason=reason,
        message=message,
        parent_id=row.parent_id,
        pool_id=row.pool_id,
        worker_id=row.worker_id,
    )
    return bool(finish(conn, [ending]))


def reopen(conn: Connection, job_id: int, *, now: Micros, from_position: int | None = None) -> bool:
    """As `reopen_many`, of one job; False: it is neither failed nor stopped.

    Raises:
        Duplicate: another job has its unique key meanwhile.
    """
    opened, refused = reopen_many(conn, [job_id], now=now, from_position=from_position)
    if refused:
        raise refused[job_id]
    return bool(opened)


def reopen_many(
    conn: Connection, job_ids: Sequence[int], *, now: Micros, from_position: int | None = None
) -> tuple[list[int], dict[int, Duplicate]]:
    """Make failed and stopped jobs pending again, for one more attempt; gives the numbers of
    those of the jobs that were either, and of those that cannot be because another job has
    their unique key.

    Steps from `from_position` on are forgotten (None: kept steps and checkpoints serve again,
    so the job resumes at the step that failed).
    """
    j = jobs.c
    rows = conn.execute(
        select(
            *(j.id, j.flow_id, j.queue_id, j.priority, j.attempt, j.claim, j.parent_id),
            *(j.reason, j.message, j.error, j.started_at, j.finished_at, j.pool_id),
            *(j.worker_id, j.cpu_us, j.max_rss_kb, j.status, j.created_at),
            j.unique_key,
        )
        .where(among(conn, j.id, job_ids), j.status.in_((int(Code.FAILED), int(Code.STOPPED))))
        .order_by(j.id)
        .with_for_update()
    ).fetchall()
    rows, refused = _with_their_keys(conn, rows, now)
    if not rows:
        return [], refused
    ids = [row.id for row in rows]
    conn.execute(
        update(jobs)
        .where(among(conn, j.id, ids))
        .values(
            status=Code.OPEN,
            **dict.fromkeys(("reason", "message", "error", "result", "started_at"), None),
            **dict.fromkeys(("finished_at", "cpu_us", "max_rss_kb", "worker_id", "pool_id"), None),
        )
    )
    error_groups.leave(conn, ids)
    _keep_attempts(conn, rows)
    if from_position is not None:
        conn.execute(
            delete(steps).where(among(conn, steps.c.job_id, ids), steps.c.position >= from_position)
        )
    requeue(
        conn,
        [(r.id, r.queue_id, r.flow_id, -r.priority, r.attempt + 1, 0, r.claim) for r in rows],
    )
    _count_reopened(conn, rows)
    for row in rows:
        if row.parent_id is not None:
            parents.child_reopened(conn, row.parent_id, Code(row.status))
    return ids, refused


def _keep_attempts(conn: Connection, rows: Sequence[AnyRow]) -> None:
    """Keep the last attempts of jobs beside the earlier ones, where they were begun."""
    archived = [
        (row.id, *(getattr(row, name) for name in ATTEMPT[1:]))
        for row in rows
        if row.started_at is not None
    ]
    insert_rows(conn, attempts, ATTEMPT, archived)


def _count_reopened(conn: Connection, rows: Sequence[AnyRow]) -> None:
    """Count the jobs as pending instead of ended."""
    deltas: Counter[counters.Key] = Counter()
    for row in rows:
        deltas[row.status, row.queue_id, row.flow_id] -= 1
        deltas[int(Code.PENDING), row.queue_id, row.flow_id] += 1
    counters.change(conn, deltas)
    stretches = [(volume.stretch(r.created_at), r.status, r.queue_id, r.flow_id) for r in rows]
    volume.change(conn, Counter({key: -n for key, n in Counter(stretches).items()}))


def _with_their_keys(
    conn: Connection, rows: Sequence[AnyRow], now: Micros
) -> tuple[list[AnyRow], dict[int, Duplicate]]:
    """Those that got their unique keys again, or have none, and why the others did not."""
    got, refused = [], {}
    taken: dict[str, unique_keys.Holder] = {}
    for row in rows:
        holder = None
        if row.unique_key:
            holder = taken.get(row.unique_key)
            holder = holder or unique_keys.take_again(conn, row.unique_key, row.id, now)
            mine = unique_keys.Holder(row.unique_key, row.id, None, Code.OPEN)
            taken.setdefault(row.unique_key, holder or mine)
        if holder is None:
            got.append(row)
        else:
            refused[row.id] = duplicate(
                holder, f"Job {row.id} cannot be retried. ", " before you do"
            )
    return got, refused
