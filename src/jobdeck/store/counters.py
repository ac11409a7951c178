"""How many jobs are in each status, without counting them."""

import os
from collections import Counter, defaultdict
from typing import Any

from sqlalchemy import Column, Connection, Select, func, select

from jobdeck.domain.filters import JobFilter, names
from jobdeck.domain.states import CODES, Code, Status
from jobdeck.store.tables import counters, flows, pipelines, queues
from jobdeck.store.values import driver

Key = tuple[Code | int, int, int]
"""Status, queue, flow."""

SHARDS = 16
OWN_SHARD = "jobdeck_shard"
"""What a connection knows of whose transaction may last: below zero, a part of the numbers that
nobody else changes until `fold` adds it to the others."""
FOLD = 1000


UPSERT_SQLITE = (
    "INSERT INTO counters (status, queue_id, flow_id, shard, n) VALUES (?, ?, ?, 0, ?) "
    "ON CONFLICT (status, queue_id, flow_id, shard) DO UPDATE SET n = n + excluded.n"
)
UPSERT_POSTGRES = (
    "INSERT INTO counters (status, queue_id, flow_id, shard, n) "
    "SELECT * FROM unnest(%s::smallint[], %s::int[], %s::int[], %s::int[], %s::bigint[]) "
    "ON CONFLICT (status, queue_id, flow_id, shard) DO UPDATE SET n = counters.n + excluded.n"
)


def shard() -> int:
    """The part of the numbers that this process changes on PostgreSQL."""
    return os.getpid() % SHARDS


def change(conn: Connection, deltas: "Counter[Key]") -> None:
    """Add to the numbers what really changed, in the transaction that changed it.

    Always in the same order, so that two writers never wait for each other in a circle.
    """
    rows = [(*map(int, key), n) for key, n in sorted(deltas.items()) if n]
    if not rows:
        return
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql(UPSERT_SQLITE, rows if len(rows) > 1 else rows[0])
        return
    statuses, queues, flow_ids, numbers = map(list, zip(*rows, strict=True))
    shards = [shard()] * len(rows)
    conn.exec_driver_sql(UPSERT_POSTGRES, (statuses, queues, flow_ids, shards, numbers))


def fold(conn: Connection) -> int:
    """Add the parts of transactions that have ended to the others, at most `FOLD` rows; gives
    how many. None is waited for."""
    if conn.dialect.name == "sqlite":
        return 0
    rows = conn.exec_driver_sql(
        "WITH own AS MATERIALIZED (SELECT status, queue_id, flow_id, shard FROM counters "
        "WHERE shard < 0 LIMIT %s FOR UPDATE SKIP LOCKED) "
        "DELETE FROM counters USING own WHERE counters.status = own.status "
        "AND counters.queue_id = own.queue_id AND counters.flow_id = own.flow_id "
        "AND counters.shard = own.shard "
        "RETURNING counters.status, counters.queue_id, counters.flow_id, counters.n",
        (FOLD,),
    ).fetchall()
    deltas: Counter[Key] = Counter()
    for status, queue_id, flow_id, n in rows:
        deltas[status, queue_id, flow_id] += n
    change(conn, deltas)
    return len(rows)


_TOTALS = select(counters.c.status, func.sum(counters.c.n)).group_by(counters.c.status)
_BY_QUEUE = select(counters.c.queue_id, counters.c.status, func.sum(counters.c.n)).group_by(
    counters.c.queue_id, counters.c.status
)


def totals(
    conn: Connection,
    *,
    pipeline_id: int | None = None,
    flow_id: int | None = None,
    queue_id: int | None = None,
) -> dict[Status, int]:
    """The number of jobs in every status, of all jobs or of one pipeline, flow or queue."""
    query = _TOTALS
    if flow_id is not None:
        query = query.where(counters.c.flow_id == flow_id)
    if pipeline_id is not None:
        query = query.join(flows, flows.c.id == counters.c.flow_id)
        query = query.where(flows.c.pipeline_id == pipeline_id)
    if queue_id is not None:
        query = query.where(counters.c.queue_id == queue_id)
    found = {Code(status).status: int(n) for status, n in conn.execute(query)}
    return {status: found.get(status, 0) for status in Status}


def by_queue(conn: Connection) -> dict[int, dict[Status, int]]:
    """The number of jobs in every status, for each queue by its number."""
    found: dict[int, dict[Status, int]] = defaultdict(lambda: dict.fromkeys(Status, 0))
    for queue, status, n in conn.execute(_BY_QUEUE):
        found[queue][Code(status).status] = int(n)
    return found


_LANES = (
    f"SELECT queue_id, flow_id FROM counters WHERE status = {int(Code.PENDING)} "  # noqa: S608
    "GROUP BY queue_id, flow_id HAVING sum(n) > 0"
)


def lanes(conn: Connection) -> list[tuple[int, int]]:
    """Queue and flow of every lane in which jobs may be pending."""
    found: list[tuple[int, int]] = driver(conn).execute(_LANES).fetchall()
    return found


def can_tell(wanted: JobFilter) -> bool:
    """Whether the counters know how many jobs the filter means; children count as well."""
    plain = JobFilter(
        status=wanted.status,
        pipeline=wanted.pipeline,
        flow=wanted.flow,
        queue=wanted.queue,
        roots=wanted.roots,
    )
    return wanted == plain


def matching(conn: Connection, wanted: JobFilter) -> int:
    """How many jobs the filter means, if `can_tell`."""
    return sum(by_status(conn, wanted).values())


def by_status(conn: Connection, wanted: JobFilter) -> dict[Status, int]:
    """How many jobs in every status that the filter asks for, if `can_tell`."""
    query: Select[Any, Any] = select(counters.c.status, func.sum(counters.c.n))
    query = query.group_by(counters.c.status)
    if wanted.status:
        query = query.where(counters.c.status.in_([int(CODES[s]) for s in wanted.status]))
    if wanted.flow or wanted.pipeline:
        query = query.join(flows, flows.c.id == counters.c.flow_id)
        query = _named(query, flows.c.name, wanted.flow)
    if wanted.pipeline:
        query = query.join(pipelines, pipelines.c.id == flows.c.pipeline_id)
        query = _named(query, pipelines.c.name, wanted.pipeline)
    if wanted.queue:
        query = query.join(queues, queues.c.id == counters.c.queue_id)
        query = _named(query, queues.c.name, wanted.queue)
    found = {Code(status).status: int(n) for status, n in conn.execute(query)}
    return {status: found.get(status, 0) for status in Status}


def _named(query: Select[Any, Any], column: Column[str], text: str) -> Select[Any, Any]:
    named, others = names(text)
    if not named:
        return query
    return query.where(column.not_in(named) if others else column.in_(named))
