"""Pools and their workers, and the heartbeats by which others know that they live."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import structs
from sqlalchemy import Connection, delete, insert, select, update

from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import NotFound
from jobdeck.domain.records import Pool, Progress, Worker
from jobdeck.store import changes
from jobdeck.store.tables import flows, pools, running, workers
from jobdeck.store.values import AnyRow, decode, encode, is_number

LOST = "lost"


class Beat(NamedTuple):
    """A pool's heartbeat: a number to be timed by whoever watches it."""

    id: int
    host: str
    pid: int
    started_at: Micros
    beat: int
    state: str


def open(  # noqa: A001
    conn: Connection,
    host: str,
    pid: int,
    concurrency: int,
    queues: Sequence[str],
    now: Micros,
    *,
    builtin: bool = False,
) -> int:
    """Enter a pool that has started, and give its number. No `queues`: it serves all; `builtin`:
    it runs Jobdeck's own work."""
    statement = insert(pools).values(
        host=host,
        pid=pid,
        started_at=now,
        heartbeat_at=now,
        concurrency=concurrency,
        state="running",
        queues=encode(list(queues)),
        builtin=builtin,
    )
    key = conn.execute(statement).inserted_primary_key
    assert key is not None
    changes.add(conn, now, [("pool", str(key[0]), "started")])
    return int(key[0])


def beat(conn: Connection, pool_id: int, now: Micros, rss_kb: int | None = None) -> bool:
    """Say that the pool lives; False: it was declared lost or ended, and must hold nothing."""
    statement = (
        update(pools)
        .where(pools.c.id == pool_id, pools.c.state != LOST)
        .values(beat=pools.c.beat + 1, heartbeat_at=now, rss_kb=rss_kb)
    )
    return bool(conn.execute(statement).rowcount)


def beats(conn: Connection) -> list[Beat]:
    """The heartbeat of every pool that has not ended; also of those declared lost whose jobs
    are still to be given back."""
    query = select(*(pools.c[name] for name in Beat._fields)).order_by(pools.c.id)
    return [Beat._make(row) for row in conn.execute(query)]


def set_state(conn: Connection, pool_id: int, state: str) -> bool:
    """Set running, draining or lost; a lost pool stays lost (False)."""
    statement = (
        update(pools).where(pools.c.id == pool_id, pools.c.state != LOST).values(state=state)
    )
    return bool(conn.execute(statement).rowcount)


def set_asleep(conn: Connection, pool_id: int, asleep: bool) -> None:
    """Ask whoever enqueues to wake this pool, or no longer."""
    conn.execute(update(pools).where(pools.c.id == pool_id).values(asleep=asleep))


def close(conn: Connection, pool_id: int, now: Micros) -> None:
    """The pool has ended and holds nothing: take it and its workers off the list."""
    conn.execute(delete(workers).where(workers.c.pool_id == pool_id))
    conn.execute(delete(pools).where(pools.c.id == pool_id))
    changes.add(conn, now, [("pool", str(pool_id), "ended")])


class Begun(NamedTuple):
    """A job that runs in a worker."""

    pool_id: int
    worker_id: int
    job_id: int
    begun_at: Micros
    checked_in_at: Micros | None
    stop_kind: str | None
    done: int | None
    total: int | None
    note: str | None
    flow: str | None


_BEGUN = (
    select(*(running.c[name] for name in Begun._fields[:-1]), flows.c.name.label("flow"))
    .outerjoin(flows, flows.c.id == running.c.flow_id)
    .where(running.c.pool_id.is_not(None), running.c.begun_at.is_not(None))
    .order_by(running.c.begun_at.desc(), running.c.job_id)
)


def begun(conn: Connection) -> list[Begun]:
    """What all workers run, the latest first. Beside a pool that drains this is looked for among
    many rows that are gone already: whoever shows more than one thing of it asks once."""
    return [Begun._make(row) for row in conn.execute(_BEGUN)]


def all(  # noqa: A001
    conn: Connection, *, builtin: bool = False, runs: Sequence[Begun] | None = None
) -> list[Pool]:
    """Every pool by number, with how many jobs it runs (of `runs`, if that was asked already);
    with `builtin` also the processes that run Jobdeck's own work."""
    busy = Counter(each.pool_id for each in (begun(conn) if runs is None else runs))
    rows = conn.execute(select(pools).order_by(pools.c.id))
    return [_pool(row, busy[row.id]) for row in rows if builtin or not row.builtin]


def get(conn: Connection, pool_id: int) -> Pool:
    """The pool of that number.

    Raises:
        NotFound: there is none, or it has ended.
    """
    for pool in all(conn):
        if pool.id == pool_id:
            return pool
    raise NotFound("pool", pool_id, "It may have ended.")


def add_worker(conn: Connection, pool_id: int, now: Micros) -> int:
    """Enter a worker that is being started, and give its number."""
    statement = insert(workers).values(
        pool_id=pool_id, pid=0, process_started_at=0.0, started_at=now
    )
    key = conn.execute(statement).inserted_primary_key
    assert key is not None
    return int(key[0])


def worker_ready(conn: Connection, worker_id: int, pid: int, process_started_at: float) -> None:
    """The worker's process is there. `process_started_at` is when in seconds, as the system
    tells it: together with `pid` it names the process for certain."""
    conn.execute(
        update(workers)
        .where(workers.c.id == worker_id)
        .values(pid=pid, process_started_at=process_started_at)
    )


def set_loaded(conn: Connection, pool_id: int, loaded: Mapping[str, str]) -> None:
    """Tell the fingerprint of every pipeline that the pool's workers have loaded."""
    conn.execute(update(pools).where(pools.c.id == pool_id).values(loaded=encode(dict(loaded))))


def remove_worker(conn: Connection, worker_id: int) -> None:
    """The worker has ended."""
    conn.execute(delete(workers).where(workers.c.id == worker_id))


def list_workers(
    conn: Connection, pool_id: int | None = None, *, runs: Sequence[Begun] | None = None
) -> list[Worker]:
    """The workers of a pool, or of all, with what each runs (of `runs`, if that was asked
    already)."""
    query = select(workers.c.id, workers.c.pool_id, workers.c.pid, workers.c.started_at)
    if pool_id is not None:
        if not is_number(pool_id):
            return []
        query = query.where(workers.c.pool_id == pool_id)
    # A worker whose coroutine jobs share it shows the one that began first.
    found = {each.worker_id: each for each in (begun(conn) if runs is None else runs)}
    rows = conn.execute(query.order_by(workers.c.id))
    return [_worker(row, found.get(row.id)) for row in rows]


def worker(conn: Connection, worker_id: int) -> Worker:
    """The worker of that number.

    Raises:
        NotFound: there is none, or it has ended.
    """
    for found in list_workers(conn):
        if found.id == worker_id:
            return found
    raise NotFound("worker", worker_id, "It may have ended.")


def _pool(row: AnyRow, busy: int) -> Pool:
    return Pool(
        id=row.id,
        host=row.host,
        pid=row.pid,
        started_at=row.started_at,
        heartbeat_at=row.heartbeat_at,
        concurrency=row.concurrency,
        state=row.state,
        queues=decode(row.queues),
        loaded=decode(row.loaded),
        busy=busy,
        rss_kb=row.rss_kb,
        builtin=bool(row.builtin),
    )


def _worker(row: AnyRow, runs: Begun | None) -> Worker:
    idle = Worker(id=row.id, pool=row.pool_id, pid=row.pid, started_at=row.started_at)
    if runs is None:
        return idle
    return structs.replace(
        idle,
        job=runs.job_id,
        job_name=runs.flow or "",
        job_started_at=runs.begun_at,
        checked_in_at=runs.checked_in_at,
        progress=progress(runs),
        stopping=runs.stop_kind or "",
    )


def progress(row: Any) -> Progress | None:
    """How far the job of a row of `running` is; None: it has not said."""
    if row.done is None:
        return None
    return Progress(done=row.done, total=row.total, note=row.note or "")
