"""From times to numbers of jobs: numbers grow with time almost, so no index on times is needed."""

from sqlalchemy import Connection

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.store.values import NUMBER_MAX

SLACK = 60 * SECOND
"""Jobs may be numbered this much out of order: clocks differ, and writers wait."""

SLACK_JOBS = 5_000
"""But no more than so many jobs, or a flood would have to be read through."""


def numbers(conn: Connection, after: Micros | None, before: Micros | None) -> tuple[int, int]:
    """The smallest and largest number between which all jobs created from `after` on and before
    `before` lie, with some others. An empty range has the smallest above the largest."""
    low, high = 1, NUMBER_MAX
    if after is not None:
        first = _first_since(conn, after, 1, None)
        low = _first_since(conn, after - SLACK, max(first - SLACK_JOBS, 1), first)
    if before is not None:
        first = _first_since(conn, before, low, None)
        high = _first_since(conn, before + SLACK, first, first + SLACK_JOBS) - 1
    return low, high


def newest(conn: Connection) -> int:
    """The number of the newest job; 0 if there is none."""
    found: int | None = conn.exec_driver_sql("SELECT max(id) FROM jobs").scalar()
    return found or 0


def _first_since(conn: Connection, at: Micros, low: int, high: int | None) -> int:
    """By halving, the first number in the range whose job was created at that time or later;
    the end of the range if there is none."""
    return first_since(conn, "jobs", "created_at", at, low, high)


def first_since(
    conn: Connection, table: str, column: str, at: Micros, low: int = 1, high: int | None = None
) -> int:
    """By halving, the first number of the table's rows in the range whose time is that or later;
    the end of the range, or the number after the newest, if there is none."""
    if high is None:
        last = conn.exec_driver_sql(f"SELECT max(id) FROM {table}").scalar()  # noqa: S608
        high = max((last or 0) + 1, low)
        oldest = conn.exec_driver_sql(f"SELECT min(id) FROM {table}").scalar()  # noqa: S608
        low = max(low, min(oldest or 1, high))
    mark = "?" if conn.dialect.name == "sqlite" else "%s"
    query = f"SELECT id, {column} FROM {table} WHERE id >= {mark} ORDER BY id LIMIT 1"  # noqa: S608
    while low < high:
        middle = (low + high) // 2
        row = conn.exec_driver_sql(query, (middle,)).first()
        if row is None or row[1] >= at:
            high = middle
        else:
            low = row[0] + 1
    return min(low, high)
