"""Lists of jobs in an order that no index has: only of so few that all can be read."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.filters import ROWS_MAX, JobFilter
from jobdeck.domain.states import Code, Status
from jobdeck.store import cursors, sources, walks
from jobdeck.store.sources import Plan
from jobdeck.store.values import AnyRow

_RANK = {status: rank for rank, status in enumerate(Status)}


def page(
    conn: Connection,
    wanted: JobFilter,
    order: Sequence[str],
    limit: int,
    cursor: str | None,
    now: Micros | None,
) -> tuple[list[int], str | None]:
    """The numbers of the jobs on one page of all that the filter means, in that order, and the
    cursor of the next page.

    Raises:
        InvalidValue: they are too many to be sorted; or the cursor is none of this list.
    """
    # The number decides among equals, and none follows it.
    cut = next((i for i, key in enumerate(order) if key.lstrip("-") in ("id", "created")), None)
    order = [*order, "-id"] if cut is None else [*order[:cut], order[cut].replace("created", "id")]
    name = ",".join(order)
    place = None if cursor is None else cursors.read(cursor, name, 2 * len(order))
    plan = sources.plan(conn, wanted)
    if not plan.sources:
        return [], None
    _refuse_many(conn, plan, order)
    rows = _rows(conn, plan)
    latest = now if now is not None else _latest(rows)
    keyed = sorted(([*_key(row, order, latest)], row.id) for row in rows)
    if place is not None:
        keyed = [pair for pair in keyed if pair[0] > place]
    ids = [job_id for _, job_id in keyed[:limit]]
    following = cursors.write(name, keyed[limit - 1][0]) if len(keyed) > limit else None
    return ids, following


def _refuse_many(conn: Connection, plan: Plan, order: Sequence[str]) -> None:
    rows = max(ROWS_MAX // 2 // plan.walks, 1) + 1
    if walks.end_of_slice(conn, plan, plan.low, plan.high, rows, descending=True) is not None:
        raise InvalidValue(
            "sort",
            f"too many jobs to sort by {order[0].lstrip('-')}; sort by id or created, or filter "
            "by a status, flow or shorter time",
        )


_COLUMNS = (
    "jobs.id, jobs.priority, jobs.created_at, jobs.finished_at, jobs.status, "
    "CASE WHEN jobs.status <> 0 THEN jobs.started_at ELSE "
    "(SELECT begun_at FROM running WHERE job_id = jobs.id) END AS started_at, "
    "(SELECT status FROM delayed WHERE job_id = jobs.id) AS later"
)


def _rows(conn: Connection, plan: Plan) -> Sequence[AnyRow]:
    sql = walks.rows(conn, plan, _COLUMNS)
    return walks.run(conn, sql, plan, low=plan.low, high=plan.high).fetchall()


def _latest(rows: Sequence[AnyRow]) -> Micros:
    times = (row.finished_at or row.started_at or row.created_at for row in rows)
    return max(times, default=0)


def _key(row: AnyRow, order: Sequence[str], now: Micros) -> list[Any]:
    """Numbers that are in the order wanted; what has no value comes last."""
    key: list[Any] = []
    for name in order:
        value = _value(row, name.lstrip("-"), now)
        sign = -1 if name.startswith("-") else 1
        key += [True, 0] if value is None else [False, sign * value]
    return key


def _value(row: AnyRow, name: str, now: Micros) -> int | None:
    if name == "id":
        return int(row.id)
    if name == "priority":
        return int(row.priority)
    if name == "status":
        return _RANK[_status(row)]
    started: int | None = row.started_at
    if name == "started":
        return started
    finished: int | None = row.finished_at
    if name == "finished":
        return finished
    if started is None:
        return None
    return max((now if finished is None else finished) - started, 0)


def _status(row: AnyRow) -> Status:
    if row.status != Code.OPEN:
        return Code(row.status).status
    if row.started_at is not None:
        return Status.RUNNING
    return Status.PENDING if row.later is None else Code(row.later).status
