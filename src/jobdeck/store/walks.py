"""The SQL by which the sources of a plan are read."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult, bindparam, text

from jobdeck.store.sources import SPREAD, Plan, Source


def run(conn: Connection, sql: str, plan: Plan, **binds: Any) -> CursorResult[*tuple[Any, ...]]:
    """Execute the SQL with those of the plan's values that it uses."""
    lists = [name for name, value in plan.binds.items() if isinstance(value, list)]
    query = text(sql).bindparams(
        *(bindparam(name, expanding=True) for name in lists if f":{name}" in sql)
    )
    return conn.execute(query, {**plan.binds, **binds})


def end_of_slice(
    conn: Connection, plan: Plan, low: int, high: int, rows: int, *, descending: bool
) -> int | None:
    """Up to which number all sources can be read without reading more than `rows` of any of
    their walks; None: to the end."""
    parts = [_nth(conn, s, descending) for s in plan.sources if not s.whole]
    if not parts:
        return None
    sql = f"SELECT {', '.join(parts)}"
    row = run(conn, sql, plan, low=low, high=high, skip=rows - 1).one()
    ends = [int(end) for end in row if end is not None]
    if not ends:
        return None
    return max(ends) if descending else min(ends)


def _nth(conn: Connection, source: Source, descending: bool) -> str:
    # The number at which a walk has read one row more than `:skip`; of several the first.
    number = f"{source.table}.{source.column}"
    inner = f"({walk(conn, source, number, descending=descending, limit='LIMIT 1 OFFSET :skip')})"
    if not source.by_flow:
        return inner
    best = "max" if descending else "min"
    return f"(SELECT {best}({inner}) FROM flows AS spread WHERE spread.id IN :{source.flows})"  # noqa: S608


def first(conn: Connection, plan: Plan, *, descending: bool) -> str:
    """SQL for the first `:count` of the numbers from `:low` to `:high` that are meant."""
    if plan.rest:
        meant = rows(conn, plan, "found.id AS id")
    else:
        found = _found(conn, plan, descending, limit="LIMIT +:count")
        meant = f"SELECT id FROM ({found}) AS found"  # noqa: S608
    return f"{meant} ORDER BY id {_way(descending)} LIMIT +:count"


def count(conn: Connection, plan: Plan) -> str:
    """SQL for how many numbers from `:low` to `:high` are meant."""
    meant = rows(conn, plan, "found.id") if plan.rest else _found(conn, plan)
    return f"SELECT count(*) FROM ({meant}) AS meant"  # noqa: S608


def rows(conn: Connection, plan: Plan, columns: str) -> str:
    """SQL for those columns of the `jobs` from `:low` to `:high` that are meant."""
    if not plan.rest and all(source.table == "jobs" for source in plan.sources):
        return " UNION ALL ".join(_all(conn, source, columns) for source in plan.sources)
    where = f" WHERE {' AND '.join(plan.rest)}" if plan.rest else ""
    # From the numbers to their rows, one by one: what PostgreSQL expects to find makes it read
    # all of the jobs instead.
    if conn.dialect.name == "sqlite":
        joined = "CROSS JOIN jobs ON jobs.id = found.id"
    else:
        joined = "CROSS JOIN LATERAL (SELECT * FROM jobs WHERE id = found.id OFFSET 0) AS jobs"
    return (
        f"WITH found AS MATERIALIZED ({_found(conn, plan)}) "  # noqa: S608
        f"SELECT {columns} FROM found {joined}{where}"
    )


def _found(conn: Connection, plan: Plan, descending: bool = False, limit: str = "") -> str:
    return " UNION ALL ".join(
        _whole(conn, source)
        if source.whole
        else _all(conn, source, f"{source.table}.{source.column} AS id", descending, limit)
        for source in plan.sources
    )


def _whole(conn: Connection, source: Source) -> str:
    # The range stands outside, where it cannot call for another index.
    every = "LIMIT -1 OFFSET 0" if conn.dialect.name == "sqlite" else "OFFSET 0"
    inside = (
        f"SELECT {source.column} AS id FROM {_from(conn, source)} "  # noqa: S608
        f"WHERE {' AND '.join(source.whole)} {every}"
    )
    return f"SELECT id FROM ({inside}) AS lanes WHERE id BETWEEN :low AND :high"  # noqa: S608


def _all(
    conn: Connection, source: Source, columns: str, descending: bool = False, limit: str = ""
) -> str:
    """All that is meant of a source; on PostgreSQL at most so many of each walk."""
    table = source.table
    if conn.dialect.name == "sqlite":
        where = " AND ".join((*within(conn, source, f"IN :{source.flows}"), *source.own))
        return f"SELECT {columns} FROM {_from(conn, source)} WHERE {where}"  # noqa: S608
    rows = walk(conn, source, "*", descending=descending, limit=limit, own=source.own)
    if not source.by_flow:
        return f"SELECT {columns} FROM ({rows}) AS {table}"  # noqa: S608
    return (
        f"SELECT {columns} FROM flows AS spread CROSS JOIN LATERAL ({rows}) AS {table} "  # noqa: S608
        f"WHERE spread.id IN :{source.flows}"
    )


def walk(
    conn: Connection,
    source: Source,
    columns: str,
    *,
    descending: bool,
    limit: str = "",
    own: Sequence[str] = (),
    low: str = ":low",
    high: str = ":high",
) -> str:
    """SQL for one walk from `low` to `high` in the order of its index, of the flow `spread` where
    there is one for each flow."""
    where = " AND ".join((*within(conn, source, low=low, high=high), *own))
    return (
        f"SELECT {columns} FROM {_from(conn, source)} WHERE {where} "  # noqa: S608
        f"ORDER BY {order(conn, source, descending=descending)} {limit}"
    )


def order(conn: Connection, source: Source, *, descending: bool) -> str:
    """SQL for the order of the source's index."""
    columns = [source.column]
    if conn.dialect.name != "sqlite":
        # All of its columns, or PostgreSQL might go by another index; see `within`.
        columns = [*(column for column, _ in source.keys), source.column]
    return ", ".join(f"{source.table}.{column} {_way(descending)}" for column in columns)


def within(
    conn: Connection,
    source: Source,
    of_flow: str = f"= {SPREAD}",
    *,
    low: str = ":low",
    high: str = ":high",
) -> list[str]:
    """The conditions that the source's index answers, and on PostgreSQL no other: whatever that
    expects to find, it can read neither this range nor `order` by another one, and through all
    that others did since. SQLite is told which index to take instead."""
    sqlite = conn.dialect.name == "sqlite"
    if source.above:
        low = f"{'max' if sqlite else 'greatest'}({low}, :{source.above})"
    if source.upto:
        high = f"{'min' if sqlite else 'least'}({high}, :{source.upto})"
    column = f"{source.table}.{source.column}"
    between = f"{column} BETWEEN {low} AND {high}"
    if sqlite:
        equal = [
            f"{source.table}.{name} {of_flow if value == SPREAD else f'= {value}'}"
            for name, value in source.keys
        ]
        return [*equal, between]
    if not source.keys:
        return [between]
    names = ", ".join(f"{source.table}.{name}" for name, _ in source.keys)
    values = ", ".join(value for _, value in source.keys)
    return [
        f"{source.table}.{source.keys[0][0]} IS NOT NULL",
        f"({names}, {column}) >= ({values}, {low})",
        f"({names}, {column}) <= ({values}, {high})",
    ]


def _way(descending: bool) -> str:
    return "DESC" if descending else "ASC"


def _from(conn: Connection, source: Source) -> str:
    # Which walk is short is known here, not from SQLite's statistics.
    if conn.dialect.name != "sqlite":
        return source.table
    return f"{source.table} {f'INDEXED BY {source.by}' if source.by else 'NOT INDEXED'}"
