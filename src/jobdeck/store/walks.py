"""The SQL by which the sources of a plan are read."""

from typing import Any

from sqlalchemy import Connection, CursorResult, bindparam, text

from jobdeck.store.sources import Plan, Source


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
    table, column = source.table, f"{source.table}.{source.column}"
    where = [*source.seek, f"{column} BETWEEN :low AND :high"]
    if source.by_flow:
        where.insert(0, f"{table}.flow_id = spread.id")
    order = "DESC" if descending else "ASC"
    inner = (
        f"(SELECT {column} FROM {_from(conn, source)} WHERE {' AND '.join(where)} "  # noqa: S608
        f"ORDER BY {column} {order} LIMIT 1 OFFSET :skip)"
    )
    if not source.by_flow:
        return inner
    best = "max" if descending else "min"
    return f"(SELECT {best}({inner}) FROM flows AS spread WHERE spread.id IN :{source.flows})"  # noqa: S608


def numbers(conn: Connection, plan: Plan) -> str:
    """SQL for the numbers from `:low` to `:high` that are meant, as the column `id`."""
    if plan.rest:
        return rows(conn, plan, "found.id AS id")
    return f"SELECT id FROM ({_found(conn, plan)}) AS found"  # noqa: S608


def rows(conn: Connection, plan: Plan, columns: str) -> str:
    """SQL for those columns of the `jobs` from `:low` to `:high` that are meant."""
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


def _found(conn: Connection, plan: Plan) -> str:
    parts = []
    for source in plan.sources:
        column = f"{source.table}.{source.column}"
        where = [*source.seek, *source.own, f"{column} BETWEEN :low AND :high"]
        if source.by_flow:
            where.insert(0, f"{source.table}.flow_id IN :{source.flows}")
        parts.append(
            f"SELECT {column} AS id FROM {_from(conn, source)} "  # noqa: S608
            f"WHERE {' AND '.join(where)}"
        )
    return " UNION ALL ".join(parts)


def _from(conn: Connection, source: Source) -> str:
    # Which walk is short is known here, not from SQLite's statistics.
    if conn.dialect.name != "sqlite":
        return source.table
    return f"{source.table} {f'INDEXED BY {source.by}' if source.by else 'NOT INDEXED'}"
