"""What is older than it is to be kept: found oldest first, a bounded number of rows at a time.

Numbers grow with time, so the walks need no index of times: they end at the first number that is
too young. Nothing of an open job is ever touched.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, func, or_, select, update
from sqlalchemy import tuple_ as pair

from jobdeck.domain.clock import Micros
from jobdeck.domain.retention import Keep, before
from jobdeck.domain.states import Code
from jobdeck.store import cleanup, periods
from jobdeck.store.tables import api_calls, audit, files, job_params, jobs, logs

Place = Any
"""Where a walk goes on: a number, or a job and a name; JSON keeps it."""


class Found(NamedTuple):
    """Some of what is too old: `rows` and their `bytes` (0: not measured), the `paths` of files to
    be removed once the transaction is committed, and where to go on (None: that was all)."""

    rows: int
    next: Place | None
    bytes: int = 0
    paths: Sequence[str] = ()


def due(conn: Connection, keep: Keep, now: Micros) -> bool:
    """Whether anything may be too old."""
    ages = [s for s in (keep.completed, keep.failed, keep.payload, keep.files) if s is not None]
    if ages and _older(conn, jobs, jobs.c.created_at, before(min(ages), now)):
        return True
    if keep.logs is not None:
        for table in (logs, api_calls):
            if _older(conn, table, table.c.at, before(keep.logs, now)):
                return True
    return keep.audit is not None and _older(conn, audit, audit.c.at, before(keep.audit, now))


def _older(conn: Connection, table: Table, at: ColumnElement[int], limit: Micros) -> bool:
    oldest = conn.execute(select(at).order_by(table.c.id).limit(1)).scalar()
    return oldest is not None and oldest < limit


def end(conn: Connection, kind: str, keep: Keep, now: Micros) -> int:
    """The first number that a walk of that kind need not look at; 0: there is nothing to do."""
    if kind == "jobs":
        ages = [s for s in (keep.completed, keep.failed) if s is not None]
        return periods.numbers(conn, None, before(min(ages), now))[1] + 1 if ages else 0
    age: float | None = getattr(keep, "logs" if kind == "calls" else kind)
    if age is None:
        return 0
    if kind in ("payload", "files"):
        return periods.numbers(conn, None, before(age, now))[1] + 1
    return periods.first_since(conn, _TIMED[kind].name, "at", before(age, now))


_TIMED: dict[str, Table] = {"logs": logs, "calls": api_calls, "audit": audit}
KINDS = ("logs", "calls", "files", "payload", "jobs", "audit")
"""In the order in which they are cleaned up."""


def step(
    conn: Connection,
    kind: str,
    keep: Keep,
    now: Micros,
    *,
    after: Place,
    end: int,
    limit: int,
    dry_run: bool,
) -> Found:
    """Look at the next rows of that kind after a place, at most about `limit`, and delete what is
    too old (`dry_run`: count it)."""
    if kind in _TIMED:
        return _lines(conn, _TIMED[kind], after or 0, end, limit, dry_run)
    if kind == "files":
        assert keep.files is not None
        return _files(conn, before(keep.files, now), after, end, limit, dry_run)
    if kind == "payload":
        assert keep.payload is not None
        return _payload(conn, before(keep.payload, now), after or 0, end, limit, dry_run)
    return _jobs(conn, keep, now, after or 0, end, limit, dry_run)


def _jobs(
    conn: Connection, keep: Keep, now: Micros, after: int, end: int, limit: int, dry_run: bool
) -> Found:
    """A tree goes from the top down: a child only after its parent, and no parent that has an
    open child."""
    window = select(jobs.c.id).where(jobs.c.id > after, jobs.c.id < end)
    numbers = list(conn.execute(window.order_by(jobs.c.id).limit(limit)).scalars())
    if not numbers:
        return Found(0, None)
    old = _too_old(keep, now)
    rows = conn.execute(
        select(jobs.c.id, jobs.c.parent_id).where(jobs.c.id > after, jobs.c.id <= numbers[-1], old)
    ).fetchall()
    parent_ids = {row.parent_id for row in rows if row.parent_id is not None}
    staying = select(jobs.c.id).where(jobs.c.id.in_(parent_ids))
    if dry_run:
        staying = staying.where(~old)
    stay = set(conn.execute(staying).scalars()) if parent_ids else set()
    ids = [row.id for row in rows if row.parent_id not in stay]
    busy = select(jobs.c.parent_id).where(
        jobs.c.parent_id.in_(ids), jobs.c.status == int(Code.OPEN)
    )
    held = set(conn.execute(busy).scalars())
    ids = [each for each in ids if each not in held]
    if dry_run:
        return Found(len(ids), numbers[-1])
    gone = cleanup.delete_jobs(conn, ids)
    return Found(len(gone.job_ids), numbers[-1], paths=gone.paths)


def _too_old(keep: Keep, now: Micros) -> ColumnElement[bool]:
    conditions = []
    for codes, age in (
        ((Code.COMPLETED,), keep.completed),
        ((Code.FAILED, Code.STOPPED), keep.failed),
    ):
        if age is not None:
            conditions.append(
                and_(
                    jobs.c.status.in_([int(code) for code in codes]),
                    jobs.c.finished_at < before(age, now),
                )
            )
    return or_(*conditions)


def _lines(
    conn: Connection, table: Table, after: int, end: int, limit: int, dry_run: bool
) -> Found:
    """Rows with a time, of jobs that have ended if they belong to jobs."""
    c = table.c
    columns: list[Any] = [c.id, c.job_id] if "job_id" in c else [c.id]
    if table is logs:
        columns.append(func.length(c.message).label("size"))
    query = select(*columns).where(c.id > after, c.id < end).order_by(c.id).limit(limit)
    rows = conn.execute(query).fetchall()
    if not rows:
        return Found(0, None)
    busy: set[int] = set()
    if "job_id" in c:
        own = {row.job_id for row in rows}
        running = select(jobs.c.id).where(jobs.c.id.in_(own), jobs.c.status == int(Code.OPEN))
        busy = set(conn.execute(running).scalars())
        rows_gone = [row for row in rows if row.job_id not in busy]
    else:
        rows_gone = list(rows)
    if not dry_run:
        statement = delete(table).where(c.id > after, c.id <= rows[-1].id)
        if busy:
            statement = statement.where(c.job_id.not_in(busy))
        conn.execute(statement)
    size = sum(row.size for row in rows_gone) if table is logs else 0
    return Found(len(rows_gone), rows[-1].id, size)


def _files(
    conn: Connection, limit_at: Micros, after: Place, end: int, limit: int, dry_run: bool
) -> Found:
    c = files.c
    query = (
        select(c.job_id, c.name, c.path, c.size, c.created_at, jobs.c.status)
        .join(jobs, jobs.c.id == c.job_id)
        .where(c.job_id < end)
        .order_by(c.job_id, c.name)
        .limit(min(limit, cleanup.CHUNK))
    )
    if after:
        query = query.where(pair(c.job_id, c.name) > pair(*after))
    rows = conn.execute(query).fetchall()
    if not rows:
        return Found(0, None)
    gone = [row for row in rows if row.status != Code.OPEN and row.created_at < limit_at]
    if gone and not dry_run:
        keys = [(row.job_id, row.name) for row in gone]
        conn.execute(delete(files).where(pair(c.job_id, c.name).in_(keys)))
    place = [rows[-1].job_id, rows[-1].name]
    return Found(len(gone), place, sum(row.size for row in gone), [row.path for row in gone])


def _payload(
    conn: Connection, limit_at: Micros, after: int, end: int, limit: int, dry_run: bool
) -> Found:
    """Of completed jobs only: the others may be retried, with their parameters."""
    c = jobs.c
    window = select(c.id).where(c.id > after, c.id < end).order_by(c.id).limit(limit)
    numbers = list(conn.execute(window).scalars())
    if not numbers:
        return Found(0, None)
    query = select(c.id, func.length(c.params) + func.coalesce(func.length(c.result), 0)).where(
        *(c.id > after, c.id <= numbers[-1], c.status == int(Code.COMPLETED)),
        c.finished_at < limit_at,
        or_(c.params != "{}", c.result.is_not(None)),
    )
    rows = conn.execute(query).fetchall()
    ids = [row[0] for row in rows]
    if ids and not dry_run:
        conn.execute(update(jobs).where(c.id.in_(ids)).values(params="{}", result=None))
        conn.execute(delete(job_params).where(job_params.c.job_id.in_(ids)))
    return Found(len(ids), numbers[-1], sum(row[1] for row in rows))
