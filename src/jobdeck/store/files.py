"""The files that jobs kept; their bytes lie in the store's folder of files."""

from sqlalchemy import Connection, select

from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import NotFound
from jobdeck.domain.records import JobFile
from jobdeck.store.tables import files
from jobdeck.store.values import AnyRow, clean, insert_into, is_number


def save(
    conn: Connection, job_id: int, name: str, path: str, size: int, at: Micros, step: str
) -> None:
    """Note a file of the job; one of the same name is replaced. `path` is relative to the
    store's folder of files, `size` in bytes."""
    values = {"path": clean(path), "size": size, "created_at": at, "step": step}
    row = insert_into(conn, files).values(job_id=job_id, name=clean(name), **values)
    conn.execute(row.on_conflict_do_update(index_elements=["job_id", "name"], set_=values))


def of_job(conn: Connection, job_id: int) -> list[JobFile]:
    """The files of the job by name."""
    query = select(files).where(files.c.job_id == job_id).order_by(files.c.name)
    return [_record(row) for row in conn.execute(query)]


def get(conn: Connection, job_id: int, name: str) -> JobFile:
    """The job's file of that name.

    Raises:
        NotFound: it has none.
    """
    query = select(files).where(files.c.job_id == job_id, files.c.name == clean(name))
    row = conn.execute(query).first() if is_number(job_id) else None
    if row is None:
        raise NotFound("file", name, f"See the files of job {job_id}.")
    return _record(row)


def _record(row: AnyRow) -> JobFile:
    return JobFile(
        name=row.name, size=row.size, created_at=row.created_at, path=row.path, step=row.step
    )
