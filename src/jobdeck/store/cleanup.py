"""Deleting ended jobs with all that belongs to them."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, select

from jobdeck.domain.states import Code
from jobdeck.store import counters, error_groups, items, volume
from jobdeck.store.rows import among
from jobdeck.store.tables import (
    api_calls,
    attempts,
    bulk_items,
    children,
    events,
    files,
    job_params,
    jobs,
    logs,
    parents,
    steps,
)

CHUNK = 500
"""Jobs to delete in one transaction, so that writers need not wait long."""

_BELONGING = (steps, logs, api_calls, events, attempts, parents, job_params, bulk_items)


class Deleted(NamedTuple):
    """The numbers of the jobs that are gone, and the paths of their files, relative to the
    store's folder of files: remove those once the transaction is committed."""

    job_ids: list[int]
    paths: list[str]


def delete_jobs(conn: Connection, job_ids: Sequence[int]) -> Deleted:
    """Delete those of the jobs that have ended, but none whose parent has not: it may still
    ask for their results. At most `CHUNK` at once, please."""
    rows = conn.execute(
        select(
            *(jobs.c.id, jobs.c.status, jobs.c.queue_id, jobs.c.flow_id, jobs.c.parent_id),
            jobs.c.created_at,
        )
        .where(among(conn, jobs.c.id, job_ids), jobs.c.status != int(Code.OPEN))
        .order_by(jobs.c.id)
        .with_for_update()
    ).fetchall()
    parent_ids = {row.parent_id for row in rows if row.parent_id is not None}
    needed = _open(conn, parent_ids)
    gone = [row for row in rows if row.parent_id not in needed]
    ids = [row.id for row in gone]
    if not ids:
        return Deleted([], [])
    statement = delete(files).where(among(conn, files.c.job_id, ids)).returning(files.c.path)
    paths = list(conn.execute(statement).scalars())
    completed = [row.id for row in gone if row.status == Code.COMPLETED]
    items.settle_completed(conn, completed)
    for table in _BELONGING:
        conn.execute(delete(table).where(among(conn, table.c.job_id, ids)))
    error_groups.leave(conn, ids, deleted=True)
    conn.execute(delete(children).where(among(conn, children.c.parent_id, ids)))
    if parent_ids:
        conn.execute(
            delete(children).where(
                among(conn, children.c.parent_id, parent_ids), among(conn, children.c.job_id, ids)
            )
        )
    conn.execute(delete(jobs).where(among(conn, jobs.c.id, ids)))
    deltas: Counter[counters.Key] = Counter()
    ended: Counter[volume.Key] = Counter()
    for row in gone:
        deltas[row.status, row.queue_id, row.flow_id] -= 1
        ended[volume.stretch(row.created_at), row.status, row.queue_id, row.flow_id] -= 1
    counters.change(conn, deltas)
    volume.change(conn, ended)
    return Deleted(ids, paths)


def _open(conn: Connection, job_ids: set[int]) -> set[int]:
    if not job_ids:
        return set()
    query = select(jobs.c.id).where(
        among(conn, jobs.c.id, job_ids), jobs.c.status == int(Code.OPEN)
    )
    return set(conn.execute(query).scalars())
