"""The lines that jobs logged and printed."""

from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, bindparam, select, text

from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.filters import ROWS_MAX
from jobdeck.domain.records import LogLine
from jobdeck.store import walks
from jobdeck.store.conditions import PLAIN, pattern
from jobdeck.store.rows import Rows, insert_new_rows
from jobdeck.store.sources import Source
from jobdeck.store.tables import logs
from jobdeck.store.values import NUMBER_MAX, AnyRow, clean, decode, is_number

COLUMNS = ("job_id", "attempt", "seq", "at", "level", "stream", "step", "message", "fields")
LEVELS = ("debug", "info", "warning", "error", "critical")
PAGE = 500
PAGE_MAX = 10_000
_FIRST = 10
"""This part of all that a call may read comes first: what many lines hold is found there."""
_MESSAGE = COLUMNS.index("message")
_OF_JOB = Source("logs", "id", "ix_logs_job_id_id", (("job_id", ":job_id"),))


def append(conn: Connection, rows: Rows) -> None:
    """Keep the lines, in the order of `COLUMNS`; one that is there already adds nothing."""
    cleaned = [
        (*row[:_MESSAGE], clean(row[_MESSAGE]), *row[_MESSAGE + 1 :])
        if "\x00" in row[_MESSAGE]
        else row
        for row in rows
    ]
    insert_new_rows(conn, logs, COLUMNS, cleaned)


class Found(NamedTuple):
    """Some lines in the order asked for. `looked_to` is the number of the last line looked at,
    from which the next call goes on; None: that was all."""

    lines: list[LogLine]
    looked_to: int | None


def of_job(
    conn: Connection,
    job_id: int,
    *,
    after: int = 0,
    attempt: int | None = None,
    level: str = "",
    q: str = "",
    limit: int = PAGE,
    newest_first: bool = False,
) -> Found:
    """Lines of the job in the order they arrived, those that follow the line `after`.

    `level` is the least one to show, `q` a text that must occur. With `newest_first` the newest
    lead, and `after` goes on towards the oldest. A call looks at a bounded number of lines: it
    may give few of them, or none, though there are more.

    Raises:
        InvalidValue: there is no such level.
    """
    if not is_number(job_id):
        return Found([], None)
    limit = min(limit, PAGE_MAX)
    if not (attempt is not None or level or q):
        rows = conn.execute(_beyond(conn, job_id, after, newest_first).limit(limit)).fetchall()
        full = len(rows) == limit
        return Found([_record(row) for row in rows], rows[-1].id if full else None)
    found: list[LogLine] = []
    end: int | None = after
    # PostgreSQL takes 2.5 ms for a thousand lines, and others wait for the page.
    most = ROWS_MAX if conn.dialect.name == "sqlite" else ROWS_MAX // 2
    for rows_max in (most // _FIRST, most - most // _FIRST):
        own = _beyond(conn, job_id, end or 0, newest_first)
        looked = own.limit(rows_max).subquery()
        query = select(looked).where(*conditions(conn, looked.c, level=level, q=q))
        if attempt is not None:
            query = query.where(looked.c.attempt == attempt)
        sorting = looked.c.id.desc() if newest_first else looked.c.id
        some = conn.execute(query.order_by(sorting).limit(limit - len(found)))
        found += [_record(row) for row in some]
        if len(found) == limit:
            return Found(found, found[-1].id)
        numbers = own.with_only_columns(logs.c.id)
        end = conn.execute(numbers.offset(rows_max - 1).limit(1)).scalar()
        if end is None:
            break
    return Found(found, end)


def _beyond(
    conn: Connection, job_id: int, after: int, newest_first: bool
) -> Select[*tuple[Any, ...]]:
    high = after - 1 if after and newest_first else NUMBER_MAX
    return walk(conn, job_id, 0 if newest_first else after + 1, high, newest_first=newest_first)


def conditions(
    conn: Connection, columns: Any, *, level: str = "", q: str = ""
) -> list[ColumnElement[bool]]:
    """What must hold for lines of a least level that hold a text.

    Raises:
        InvalidValue: there is no such level.
    """
    found: list[ColumnElement[bool]] = []
    if level:
        if level not in LEVELS:
            raise InvalidValue("level", f"{level!r} is none of {', '.join(LEVELS)}")
        found.append(columns.level.in_(LEVELS[LEVELS.index(level) :]))
    if q:
        text, sqlite = columns.message, conn.dialect.name == "sqlite"
        if q.isascii() and not sqlite:
            text = text.collate(PLAIN)
        like = text.like if sqlite else text.ilike  # SQLite takes large letters as small anyway
        found.append(like(pattern(clean(q)), escape="!"))
    return found


def newest_of(conn: Connection, job_id: int) -> int:
    """The number of the job's newest line; 0: there is none."""
    newest = (
        walk(conn, job_id, 0, NUMBER_MAX, newest_first=True).with_only_columns(logs.c.id).limit(1)
    )
    return conn.execute(newest).scalar() or 0


def walk(
    conn: Connection, job_id: int, low: int, high: int, *, newest_first: bool
) -> Select[*tuple[Any, ...]]:
    """The job's lines with the numbers from `low` to `high`."""
    where = text(" AND ".join(walks.within(conn, _OF_JOB)))
    binds = {"job_id": job_id, "low": low, "high": high}
    return (
        select(logs)
        .where(where.bindparams(*(bindparam(n, v, BigInteger) for n, v in binds.items())))
        .order_by(text(walks.order(conn, _OF_JOB, descending=newest_first)))
    )


def _record(row: AnyRow) -> LogLine:
    return LogLine(**values(row))


def values(row: AnyRow) -> dict[str, Any]:
    """What a record says of that row."""
    return {
        "id": row.id,
        "at": row.at,
        "attempt": row.attempt,
        "level": row.level,
        "stream": row.stream,
        "step": row.step,
        "message": row.message,
        "fields": decode(row.fields),
    }
