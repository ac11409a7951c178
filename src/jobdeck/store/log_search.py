"""Searching the lines of all jobs, the newest first: by their number, in bounded slices."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.filters import PAGE, PAGE_MAX, ROWS_MAX, LogFilter, Page
from jobdeck.domain.records import FoundLine
from jobdeck.store import cursors, logs, periods
from jobdeck.store.logs import conditions, walk
from jobdeck.store.tables import flows, pipelines
from jobdeck.store.tables import jobs as job_rows
from jobdeck.store.tables import logs as rows
from jobdeck.store.values import NUMBER_MAX, AnyRow, is_number

SCATTERED = 2
"""Where a line's job must be looked at, too, a call looks at so many times fewer lines."""

_ORDER = "-line"


def newest(conn: Connection) -> int:
    """The number of the newest line; 0: there is none."""
    return conn.execute(select(func.max(rows.c.id))).scalar() or 0


def find(
    conn: Connection,
    wanted: LogFilter,
    *,
    limit: int = PAGE,
    cursor: str | None = None,
    beyond: int = 0,
) -> Page[FoundLine]:
    """One page of the lines that the filter means, of those `beyond` a number. A call
    looks at a bounded number of lines: it may give few, or none, and `next`, and tells with
    `searched_to` how far back it looked.

    Raises:
        InvalidValue: names the condition that cannot be read.
    """
    if not 1 <= limit <= PAGE_MAX:
        raise InvalidValue("limit", f"{limit} is not between 1 and {PAGE_MAX}")
    low, high = _numbers(conn, wanted.after, wanted.before)
    if cursor is not None:
        high = min(high, int(cursors.read(cursor, _ORDER, 1)[0]) - 1)
    low = max(low, beyond + 1)
    flow_ids = _flow_ids(conn, wanted)
    if low > high or flow_ids == [] or not is_number(wanted.job or 0):
        return Page([])
    if wanted.job is None:
        own = select(rows).where(rows.c.id.between(low, high)).order_by(rows.c.id.desc())
    else:
        own = walk(conn, wanted.job, low, high, newest_first=True)
    budget = ROWS_MAX if flow_ids is None else ROWS_MAX // SCATTERED
    looked = own.limit(budget).subquery()
    query = select(looked).where(*_conditions(conn, looked.c, wanted, flow_ids))
    found = conn.execute(query.order_by(looked.c.id.desc()).limit(limit + 1)).fetchall()
    if len(found) > limit:
        place = cursors.write(_ORDER, [found[limit - 1].id])
        return Page(_records(conn, found[:limit]), place)
    end = conn.execute(
        own.with_only_columns(rows.c.id, rows.c.at).offset(budget - 1).limit(1)
    ).first()
    if end is None:
        return Page(_records(conn, found))
    return Page(_records(conn, found), cursors.write(_ORDER, [end.id]), end.at)


def _numbers(conn: Connection, after: Micros | None, before: Micros | None) -> tuple[int, int]:
    """Between which numbers all lines of that time lie, with some others: workers gather lines,
    and hosts' clocks differ."""
    low, high = 1, NUMBER_MAX
    if after is not None:
        low = periods.first_since(conn, "logs", "at", after - periods.SLACK)
    if before is not None:
        high = periods.first_since(conn, "logs", "at", before + periods.SLACK) - 1
    return low, high


def _conditions(
    conn: Connection, columns: Any, wanted: LogFilter, flow_ids: list[int] | None
) -> list[ColumnElement[bool]]:
    found = conditions(conn, columns, level=wanted.level, q=wanted.q)
    if wanted.after is not None:
        found.append(columns.at >= wanted.after)
    if wanted.before is not None:
        found.append(columns.at < wanted.before)
    if flow_ids is not None:
        mine = select(job_rows.c.id).where(
            job_rows.c.id == columns.job_id, job_rows.c.flow_id.in_(flow_ids)
        )
        found.append(mine.exists())
    return found


def _flow_ids(conn: Connection, wanted: LogFilter) -> list[int] | None:
    if not wanted.flow and not wanted.pipeline:
        return None
    query = select(flows.c.id).order_by(flows.c.id)
    if wanted.flow:
        query = query.where(flows.c.name == wanted.flow)
    if wanted.pipeline:
        query = query.join(pipelines, pipelines.c.id == flows.c.pipeline_id)
        query = query.where(pipelines.c.name == wanted.pipeline)
    return list(conn.execute(query).scalars())


def _records(conn: Connection, found: list[AnyRow] | Any) -> list[FoundLine]:
    query = (
        select(job_rows.c.id, flows.c.name.label("flow"), pipelines.c.name.label("pipeline"))
        .join(flows, flows.c.id == job_rows.c.flow_id)
        .join(pipelines, pipelines.c.id == flows.c.pipeline_id)
        .where(job_rows.c.id.in_({row.job_id for row in found}))
    )
    names = {row.id: row for row in conn.execute(query)}
    return [
        FoundLine(
            job=row.job_id,
            pipeline=names[row.job_id].pipeline,
            flow=names[row.job_id].flow,
            **logs.values(row),
        )
        for row in found
        if row.job_id in names
    ]
