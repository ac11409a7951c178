"""From times to numbers of jobs: numbers grow with time almost, so no index on times is needed."""

from sqlalchemy import Connection

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.store.database import once
from jobdeck.store.values import NUMBER_MAX

SLACK = 60 * SECOND
"""Jobs may be numbered this much out of order: clocks differ, and writers wait."""

SLACK_JOBS = 5_000
"""But no more than so many jobs, or a flood would have to be read through."""

PROBES = 15
"""So many rows are looked at by one query."""


def numbers(conn: Connection, after: Micros | None, before: Micros | None) -> tuple[int, int]:
    """The smallest and largest number between which all jobs created from `after` on and before
    `before` lie, with some others. An empty range has the smallest above the largest. Who reads
    asks for each range once."""
    return once(conn, (after, before), lambda: _numbers(conn, after, before))


def _numbers(conn: Connection, after: Micros | None, before: Micros | None) -> tuple[int, int]:
    low, high = 1, NUMBER_MAX
    if after is not None:
        low = first_since(conn, "jobs", "created_at", after - SLACK)
        if _created_by(conn, low + SLACK_JOBS, after):
            first = first_since(conn, "jobs", "created_at", after, low + SLACK_JOBS)
            low = first - SLACK_JOBS
    if before is not None:
        end = first_since(conn, "jobs", "created_at", before + SLACK, low)
        if not _created_by(conn, end - SLACK_JOBS, before):
            first = first_since(conn, "jobs", "created_at", before, low, end)
            end = min(end, first + SLACK_JOBS)
        high = end - 1
    return low, high


def _created_by(conn: Connection, number: int, at: Micros) -> bool:
    """Whether the first job from that number on was created before that time."""
    found = created_at(conn, number)
    return found is not None and found < at


def newest(conn: Connection) -> int:
    """The number of the newest job; 0 if there is none."""
    found: int | None = conn.exec_driver_sql("SELECT max(id) FROM jobs").scalar()
    return found or 0


def first_since(
    conn: Connection, table: str, column: str, at: Micros, low: int = 1, high: int | None = None
) -> int:
    """The first number of the table's rows in the range whose time is that or later; the end of
    the range, or the number after the newest, if there is none."""
    if high is None:
        ends = conn.exec_driver_sql(
            f"SELECT (SELECT min(id) FROM {table}), (SELECT max(id) FROM {table})"  # noqa: S608
        ).one()
        high = max((ends[1] or 0) + 1, low)
        low = max(low, min(ends[0] or 1, high))
    while low < high:
        # Some numbers at once: each query costs more than what it reads.
        step = max((high - low) // (PROBES + 1), 1)
        probes = list(range(low + step - 1, high, step))[:PROBES]
        for number, found in zip(probes, _times(conn, table, column, probes), strict=True):
            if found is None or found >= at:
                high = number
                break
            low = number + 1
    return low


def _times(conn: Connection, table: str, column: str, numbers: list[int]) -> list[Micros | None]:
    """The time of the first row from each of the numbers on."""
    # SQLite looks at the values, too, and might go through an index on other columns first: all
    # of it where the numbers are near the newest.
    mark, how = ("?", "NOT INDEXED") if conn.dialect.name == "sqlite" else ("%s", "")
    one = f"(SELECT {column} FROM {table} {how} WHERE id >= {mark} ORDER BY id LIMIT 1)"  # noqa: S608
    query = f"SELECT {', '.join([one] * len(numbers))}"
    return list(conn.exec_driver_sql(query, tuple(numbers)).one())


def created_at(conn: Connection, number: int | None) -> Micros | None:
    """When the first job from that number on was created; None, if there is none or no number."""
    return None if number is None else _times(conn, "jobs", "created_at", [number])[0]
