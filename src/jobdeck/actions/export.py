"""What may be asked for of files of jobs: writing one."""

from collections.abc import Sequence
from typing import Any

import msgspec

from jobdeck.actions.bulk import check_ids
from jobdeck.actions.perform import Tx, action
from jobdeck.domain import builtin, export
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.records import Job
from jobdeck.domain.roles import Role
from jobdeck.store import builtin as own
from jobdeck.store import jobs, selections


@action("job.export", Role.OPERATOR, "export jobs", wakes=True)
def start(
    tx: Tx,
    *,
    format_: str = "csv",
    ids: Sequence[int] = (),
    wanted: JobFilter | None = None,
    text: str = "",
    upto: int = 0,
    source: str = "manual",
) -> Job:
    """Create the job that writes these jobs into a file, or those that the filter means now among
    the jobs up to number `upto` (0: all); `text` is the filter as it was written.

    Raises:
        InvalidValue: names the field that does not fit.
    """
    params: dict[str, Any] = {"format": export.check_format(format_)}
    if wanted is None:
        params["ids"] = check_ids(ids)
    else:
        newest = selections.newest(tx.conn)
        params["filter"] = text
        params["matching"] = msgspec.to_builtins(wanted)
        params["upto"] = min(upto, newest) if upto else newest
    job_id = own.create_job(
        tx.conn, builtin.EXPORT, params, tx.now, source=source, by=tx.actor.name
    )
    tx.target = f"job {job_id}"
    tx.detail = {"format": format_, "filter": text, "ids": len(params.get("ids", ()))}
    tx.changed("job", job_id, "created")
    tx.changed("jobs", "", "created")
    return jobs.get(tx.conn, job_id)
