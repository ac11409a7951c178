"""The lines that jobs logged and printed."""

from sqlalchemy import Connection, select

from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.records import LogLine
from jobdeck.store.rows import Rows, insert_new_rows
from jobdeck.store.tables import logs
from jobdeck.store.values import AnyRow, clean, decode

COLUMNS = ("job_id", "attempt", "seq", "at", "level", "stream", "step", "message", "fields")
LEVELS = ("debug", "info", "warning", "error", "critical")
PAGE = 500
PAGE_MAX = 10_000
_MESSAGE = COLUMNS.index("message")


def append(conn: Connection, rows: Rows) -> None:
    """Keep the lines, in the order of `COLUMNS`; one that is there already adds nothing."""
    cleaned = [
        (*row[:_MESSAGE], clean(row[_MESSAGE]), *row[_MESSAGE + 1 :])
        if "\x00" in row[_MESSAGE]
        else row
        for row in rows
    ]
    insert_new_rows(conn, logs, COLUMNS, cleaned)


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
) -> list[LogLine]:
    """Lines of the job in the order they arrived, those that follow the line `after`.

    `level` is the least one to show, `q` a text that must occur. With `newest_first` the newest
    lead, and `after` goes on towards the oldest.

    Raises:
        InvalidValue: there is no such level.
    """
    query = select(logs).where(logs.c.job_id == job_id)
    if attempt is not None:
        query = query.where(logs.c.attempt == attempt)
    if after:
        query = query.where(logs.c.id < after if newest_first else logs.c.id > after)
    if level:
        if level not in LEVELS:
            raise InvalidValue("level", f"{level!r} is none of {', '.join(LEVELS)}")
        query = query.where(logs.c.level.in_(LEVELS[LEVELS.index(level) :]))
    if q:
        query = query.where(logs.c.message.icontains(clean(q), autoescape=True))
    query = query.order_by(logs.c.id.desc() if newest_first else logs.c.id)
    return [_record(row) for row in conn.execute(query.limit(min(limit, PAGE_MAX)))]


def _record(row: AnyRow) -> LogLine:
    return LogLine(
        id=row.id,
        at=row.at,
        attempt=row.attempt,
        level=row.level,
        stream=row.stream,
        step=row.step,
        message=row.message,
        fields=decode(row.fields),
    )
