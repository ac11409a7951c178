"""Handing pending jobs to a pool, taking them back, and noting which began.

A claim is fenced: its number rises with every hand-out of the job, and whatever the pool later
reports is accepted only while `running` holds that very number.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection

from jobdeck.domain.clock import Micros
from jobdeck.domain.states import Code
from jobdeck.store import counters
from jobdeck.store.limits import NONE, Allowance, Lane
from jobdeck.store.rows import Rows, insert_rows, numbers_array
from jobdeck.store.tables import ready
from jobdeck.store.values import AnyRow, driver

Candidate = TypeVar("Candidate", bound=Any)

READY = ("job_id", "queue_id", "flow_id", "rank", "attempt", "losses", "claim")
_RUNNING = (*READY, "pool_id", "claimed_at")
LANES_MAX = 400
"""SQLite joins at most 500 SELECTs in one statement."""


class Claimed(NamedTuple):
    """A job handed to a pool; `claim` is the number of this hand-out, `attempt` that of the
    attempt that begins with it."""

    job_id: int
    queue_id: int
    flow_id: int
    rank: int
    attempt: int
    losses: int
    claim: int
    params: str
    context: str | None
    parent_id: int | None
    created_at: Micros


def claim(
    conn: Connection,
    lanes: Sequence[Lane],
    limit: int,
    pool_id: int,
    now: Micros,
    allowed: Allowance = NONE,
) -> list[Claimed]:
    """Hand at most `limit` pending jobs of the lanes to the pool: larger priority first, then
    the oldest number, across all lanes, and no more of each than is `allowed`."""
    lanes = lanes[:LANES_MAX]
    if allowed:
        lanes = [lane for lane in lanes if allowed.of(lane) != 0]
    if not lanes or limit < 1:
        return []
    if conn.dialect.name == "sqlite":
        heads = _candidates_sqlite(conn, lanes, limit, allowed)
        heads = _admit(heads, limit, allowed) if allowed else heads
        taken = _take_sqlite(conn, heads, pool_id, now) if heads else []
    elif allowed:
        rows = _admit(_candidates_postgres(conn, lanes, limit, allowed), limit, allowed)
        taken = _take_postgres(conn, _CHOSEN, {"ids": [row.job_id for row in rows]}, pool_id, now)
    else:
        taken = _take_postgres(conn, _HEADS, _lane_arguments(lanes, limit), pool_id, now)
    if allowed and taken:
        allowed.spend(conn, [(row.queue_id, row.flow_id) for row in taken], now)
    return taken


def heads(
    conn: Connection, lanes: Sequence[Lane], limit: int, allowed: Allowance = NONE
) -> Sequence[Any]:
    """The first `limit` jobs that could be claimed from the lanes, in order; they stay there."""
    lanes = [lane for lane in lanes[:LANES_MAX] if allowed.of(lane) != 0]
    if not lanes or limit < 1:
        return []
    if conn.dialect.name == "sqlite":
        return _candidates_sqlite(conn, lanes, limit, allowed)[:limit]
    return _candidates_postgres(conn, lanes, limit, allowed)[:limit]


def _admit(rows: Sequence[Candidate], limit: int, allowed: Allowance) -> list[Candidate]:
    """Those of the candidates, in order, that the limits leave room for."""
    return [row for row in rows if allowed.take((row.queue_id, row.flow_id))][:limit]


def _candidates_sqlite(
    conn: Connection, lanes: Sequence[Lane], limit: int, allowed: Allowance
) -> list[Claimed]:
    # Every arm is ordered by its index, so SQLite merges them lazily and stops at the limit.
    arm = (
        "SELECT job_id, queue_id, flow_id, rank, attempt, losses, claim + 1 AS claim FROM ready "
        "WHERE queue_id = ? AND flow_id = ?"
    )
    arms: list[str] = []
    arguments: list[int] = []
    for lane in lanes:
        most = allowed.of(lane)
        arguments += lane
        if most is None:
            arms.append(arm)
        else:
            arms.append(f"SELECT * FROM ({arm} ORDER BY rank, job_id LIMIT +?)")  # noqa: S608
            arguments.append(min(most, limit))
    heads = f"{' UNION ALL '.join(arms)} ORDER BY rank, job_id LIMIT +?"
    rows = driver(conn).execute(
        f"SELECT h.*, j.params, j.context, j.parent_id, j.created_at FROM ({heads}) h "  # noqa: S608
        "CROSS JOIN jobs j ON j.id = h.job_id",
        (*arguments, _window(limit, allowed)),
    )
    return list(map(Claimed._make, rows.fetchall()))


def _window(limit: int, allowed: Allowance) -> int:
    """How many candidates to look at: with limits some of them will be passed over."""
    return limit * 4 if allowed else limit


_FRONT = "queue_id = ? AND flow_id = ? AND rank = ? AND job_id <= ?"


def _take_sqlite(
    conn: Connection, rows: Sequence[Claimed], pool_id: int, now: Micros
) -> list[Claimed]:
    """What is taken of a lane and priority is always its front, and nobody else writes meanwhile:
    moving it inside the database takes half the time of sending each row again."""
    last = {row[1:4]: row.job_id for row in rows}
    fronts = [(*front, job_id) for front, job_id in last.items()]
    execute = driver(conn).executemany
    execute(
        f"INSERT INTO running ({', '.join(_RUNNING)}) "  # noqa: S608
        "SELECT job_id, queue_id, flow_id, rank, attempt, losses, claim + 1, ?, ? "
        f"FROM ready WHERE {_FRONT}",
        [(pool_id, now, *front) for front in fronts],
    )
    execute(f"DELETE FROM ready WHERE {_FRONT}", fronts)  # noqa: S608
    return list(rows)


# The values stand in SELECTs of their own, where the planner does not look at them: else
# PostgreSQL plans each claim anew, which takes longer than a small claim does.
_LANE_HEADS = """
SELECT head.job_id, head.rank, lane.queue_id, lane.flow_id
FROM unnest((SELECT %(queues)s::int[]), (SELECT %(flows)s::int[]), (SELECT %(most)s::int[]))
    AS lane(queue_id, flow_id, most)
CROSS JOIN LATERAL (
    SELECT job_id, rank FROM ready
    WHERE ready.queue_id = lane.queue_id AND ready.flow_id = lane.flow_id
    ORDER BY rank, job_id LIMIT lane.most
) AS head
ORDER BY head.rank, head.job_id LIMIT (SELECT %(limit)s::bigint)
"""
_HEADS = f"SELECT job_id FROM ({_LANE_HEADS}) AS heads"  # noqa: S608
_CHOSEN = "SELECT unnest(%(ids)s::bigint[])"

# The candidates are chosen without locks and then locked by their key: LIMIT together with
# SKIP LOCKED over a merge of lanes would lock more rows than it takes.
_TAKE = """
WITH candidates AS MATERIALIZED ({candidates}), locked AS MATERIALIZED (
    SELECT job_id FROM ready WHERE job_id IN (SELECT * FROM candidates)
    FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM ready USING locked WHERE ready.job_id = locked.job_id RETURNING ready.*
), taken AS (
    INSERT INTO running
        (job_id, queue_id, flow_id, rank, attempt, losses, claim, pool_id, claimed_at)
    SELECT job_id, queue_id, flow_id, rank, attempt, losses, claim + 1, %(pool)s, %(now)s
    FROM gone
    RETURNING job_id, queue_id, flow_id, rank, attempt, losses, claim
)
SELECT taken.*, jobs.params, jobs.context, jobs.parent_id, jobs.created_at
FROM taken JOIN jobs ON jobs.id = taken.job_id
"""


def _lane_arguments(lanes: Sequence[Lane], limit: int, allowed: Allowance = NONE) -> dict[str, Any]:
    mosts = [allowed.of(lane) for lane in lanes]
    return {
        "queues": [queue for queue, _ in lanes],
        "flows": [flow for _, flow in lanes],
        "most": [limit if most is None else min(most, limit) for most in mosts],
        "limit": _window(limit, allowed),
    }


def _candidates_postgres(
    conn: Connection, lanes: Sequence[Lane], limit: int, allowed: Allowance
) -> Sequence[AnyRow]:
    return conn.exec_driver_sql(_LANE_HEADS, _lane_arguments(lanes, limit, allowed)).fetchall()


def _take_postgres(
    conn: Connection, candidates: str, arguments: dict[str, Any], pool_id: int, now: Micros
) -> list[Claimed]:
    statement = _TAKE.format(candidates=candidates)
    rows = driver(conn).execute(statement, {**arguments, "pool": pool_id, "now": now})
    taken = list(map(Claimed._make, rows.fetchall()))
    taken.sort(key=lambda row: (row.rank, row.job_id))
    return taken


class Begun(NamedTuple):
    """A job that its worker has begun; Jobdeck's own work has none."""

    job_id: int
    claim: int
    worker_id: int | None
    begun_at: Micros
    queue_id: int
    flow_id: int


def begin(conn: Connection, begun: Sequence[Begun]) -> None:
    """Show these as running. Only those whose claim still holds and that were not begun yet
    change; for the others nothing happens."""
    if not begun:
        return
    mark = "?" if conn.dialect.name == "sqlite" else "%s"
    deltas: Counter[counters.Key] = Counter()
    for row in begun:
        changed = conn.exec_driver_sql(
            f"UPDATE running SET begun_at = {mark}, worker_id = {mark} "  # noqa: S608
            f"WHERE job_id = {mark} AND claim = {mark} AND begun_at IS NULL",
            (row.begun_at, row.worker_id, row.job_id, row.claim),
        ).rowcount
        if changed:
            deltas[Code.PENDING, row.queue_id, row.flow_id] -= 1
            deltas[Code.RUNNING, row.queue_id, row.flow_id] += 1
    counters.change(conn, deltas)


def release(conn: Connection, keys: Sequence[tuple[int, int]]) -> set[int] | None:
    """End these claims (job, claim), the first half of every report.

    Returns the numbers of those that held; None means all of them did.
    """
    if conn.dialect.name == "sqlite":
        return _release_sqlite(conn, keys)
    arrays = tuple(map(numbers_array, zip(*keys, strict=True)))
    rows = conn.exec_driver_sql(
        "DELETE FROM running USING unnest(%s::bigint[], %s::int[]) AS ended(job_id, claim) "
        "WHERE running.job_id = ended.job_id AND running.claim = ended.claim "
        "RETURNING running.job_id",
        arrays,
    ).scalars()
    held = set(rows)
    return None if len(held) == len(keys) else held


def _release_sqlite(conn: Connection, keys: Sequence[tuple[int, int]]) -> set[int] | None:
    delete = "DELETE FROM running WHERE job_id = ? AND claim = ?"
    point = conn.begin_nested() if len(keys) > 1 else None
    if conn.exec_driver_sql(delete, list(keys)).rowcount == len(keys):
        if point:
            point.commit()
        return None
    if not point:
        return set()
    # A batch that hit fewer rows than sent does not say which: again, one by one.
    point.rollback()
    return {key[0] for key in keys if conn.exec_driver_sql(delete, key).rowcount}


def requeue(conn: Connection, rows: Rows) -> None:
    """Put rows of the form of `READY` among the ready."""
    insert_rows(conn, ready, READY, rows)
