"""Statements over many rows at once, in the form that each database is quick at."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Table,
    Text,
    any_,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

Rows = Sequence[tuple[Any, ...]]


def insert_rows(conn: Connection, table: Table, columns: Sequence[str], rows: Rows) -> None:
    """Insert the rows as they are: about twice as quick as through the expression language."""
    _insert(conn, table, columns, rows, "")


def insert_new_rows(conn: Connection, table: Table, columns: Sequence[str], rows: Rows) -> None:
    """Insert those of the rows whose key is not there yet."""
    _insert(conn, table, columns, rows, " ON CONFLICT DO NOTHING")


def _insert(
    conn: Connection, table: Table, columns: Sequence[str], rows: Rows, clause: str
) -> None:
    if not rows:
        return
    if conn.dialect.name == "sqlite" and None in rows[0]:
        columns, rows = _without_empty(columns, rows)
    mark = "?" if conn.dialect.name == "sqlite" else "%s"
    names = ", ".join(columns)
    marks = ", ".join([mark] * len(columns))
    statement = f"INSERT INTO {table.name} ({names}) VALUES ({marks}){clause}"  # noqa: S608
    conn.exec_driver_sql(statement, list(rows))


def _without_empty(columns: Sequence[str], rows: Rows) -> tuple[Sequence[str], Rows]:
    """Leave out the columns that are None in every row: to sqlite3, binding a None costs as much
    as ten numbers."""
    empty = [i for i, value in enumerate(rows[0]) if value is None]
    empty = [i for i in empty if all(row[i] is None for row in rows)]
    if not empty:
        return columns, rows
    kept = [i for i in range(len(columns)) if i not in empty]
    return [columns[i] for i in kept], [tuple([row[i] for i in kept]) for row in rows]


def numbers_array(values: Iterable[int]) -> str:
    """Numbers as the array that PostgreSQL reads: psycopg looks at a list number by number, which
    takes longer than what is done with them."""
    return f"{{{','.join(map(str, values))}}}"


def among(
    conn: Connection, column: ColumnElement[Any], numbers: Iterable[int]
) -> ColumnElement[bool]:
    """Whether the column is one of these numbers, however many: they travel as one text, where
    `in_` takes longer to name each of some hundred than the database to find its row."""
    if conn.dialect.name == "sqlite":
        each = func.json_each(f"[{','.join(map(str, numbers))}]").table_valued("value")
        return column.in_(select(each.c.value))
    return column == any_(cast(literal(numbers_array(numbers), Text), ARRAY(BigInteger)))


def lines_array(values: Sequence[str]) -> str | list[str]:
    """Texts without line breaks, such as compact JSON, in the same way; others stay a list."""
    joined = "\n".join(values)
    if joined.count("\n") != len(values) - 1:
        return list(values)
    quoted = joined.replace("\\", "\\\\").replace('"', '\\"').replace("\n", '","')
    return f'{{"{quoted}"}}'
