"""Statements over many rows at once, in the form that each database is quick at."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table

Rows = Sequence[tuple[Any, ...]]


def insert_rows(conn: Connection, table: Table, columns: Sequence[str], rows: Rows) -> None:
    """Insert the rows as they are: about twice as quick as through the expression language."""
    if not rows:
        return
    mark = "?" if conn.dialect.name == "sqlite" else "%s"
    names = ", ".join(columns)
    marks = ", ".join([mark] * len(columns))
    statement = f"INSERT INTO {table.name} ({names}) VALUES ({marks})"  # noqa: S608
    conn.exec_driver_sql(statement, list(rows))


def claims_array(keys: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Pairs of job and claim as the two arrays that PostgreSQL's unnest takes."""
    return [job for job, _ in keys], [claim for _, claim in keys]
