"""What may be asked for of old things: cleaning up."""

from typing import Any

import msgspec

from jobdeck.actions.perform import Tx, action
from jobdeck.domain import builtin
from jobdeck.domain.records import Job
from jobdeck.domain.retention import Keep
from jobdeck.domain.roles import Role
from jobdeck.store import builtin as own
from jobdeck.store import jobs

ACTION = "cleanup.run"


@action(ACTION, Role.ADMIN, "clean up", wakes=True)
def start(tx: Tx, keep: Keep, *, dry_run: bool = False, source: str = "manual") -> Job:
    """Create the job that deletes what is older than it is to be kept; with `dry_run` it only
    counts it."""
    params: dict[str, Any] = {"keep": msgspec.to_builtins(keep), "dry_run": dry_run}
    job_id = own.create_job(
        tx.conn, builtin.CLEANUP, params, tx.now, source=source, by=tx.actor.name
    )
    tx.target = f"job {job_id}"
    tx.detail = params
    tx.changed("job", job_id, "created")
    tx.changed("jobs", "", "created")
    return jobs.get(tx.conn, job_id)
