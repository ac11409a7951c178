"""HTTP calls that jobs made through `ctx.http`."""

from sqlalchemy import Connection, select

from jobdeck.domain.records import ApiCall
from jobdeck.store.rows import Rows, insert_new_rows
from jobdeck.store.tables import api_calls
from jobdeck.store.values import clean

COLUMNS = (
    *("job_id", "attempt", "seq", "at", "step", "method", "url", "status", "duration_s"),
    *("request", "response", "error"),
)


def append(conn: Connection, rows: Rows) -> None:
    """Keep the calls, in the order of `COLUMNS`; one that is there already adds nothing."""
    cleaned = [tuple(clean(v) if isinstance(v, str) else v for v in row) for row in rows]
    insert_new_rows(conn, api_calls, COLUMNS, cleaned)


def of_job(conn: Connection, job_id: int, *, after: int = 0, limit: int = 100) -> list[ApiCall]:
    """The job's calls in order, from above the number `after`."""
    query = (
        select(api_calls)
        .where(api_calls.c.job_id == job_id, api_calls.c.id > after)
        .order_by(api_calls.c.id)
        .limit(limit)
    )
    return [
        ApiCall(
            id=row.id,
            at=row.at,
            attempt=row.attempt,
            step=row.step,
            method=row.method,
            url=row.url,
            status=row.status,
            duration_s=row.duration_s,
            request=row.request,
            response=row.response,
            error=row.error,
        )
        for row in conn.execute(query)
    ]
