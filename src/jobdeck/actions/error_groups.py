"""What may be asked for of error groups: resolving, opening again, retrying their jobs."""

from contextlib import suppress

from jobdeck.actions.perform import Tx, action, bulk_action
from jobdeck.domain.errors import Duplicate, WrongState
from jobdeck.domain.records import ErrorGroup
from jobdeck.domain.roles import Role
from jobdeck.store import error_groups, events, stops

CHUNK = 50
"""Jobs that one transaction retries."""


@action("error.resolve", Role.OPERATOR, "mark errors resolved")
def resolve(tx: Tx, group_id: int) -> ErrorGroup:
    """Mark it resolved. The next failure of its kind opens it again.

    Raises:
        NotFound: no such error.
        WrongState: it is resolved already.
    """
    tx.target = f"error {group_id}"
    found = error_groups.get(tx.conn, group_id, tx.now)
    tx.detail = {"type": found.type, "place": found.place}
    by = tx.actor.name
    if not error_groups.resolve(tx.conn, group_id, by=by, why=tx.reason, now=tx.now):
        raise WrongState(f"Error {group_id} is resolved already, by {found.resolved_by}.")
    tx.changed("error", group_id, "resolved")
    return error_groups.get(tx.conn, group_id, tx.now)


@action("error.reopen", Role.OPERATOR, "open errors again")
def reopen(tx: Tx, group_id: int) -> ErrorGroup:
    """Open a resolved one again.

    Raises:
        NotFound: no such error.
        WrongState: it is not resolved.
    """
    tx.target = f"error {group_id}"
    error_groups.get(tx.conn, group_id, tx.now)
    if not error_groups.reopen(tx.conn, group_id, tx.now):
        raise WrongState(f"Error {group_id} is not resolved; it is open.")
    tx.changed("error", group_id, "reopened")
    return error_groups.get(tx.conn, group_id, tx.now)


@bulk_action("error.retry", Role.OPERATOR, "retry jobs", wakes=True)
def retry(tx: Tx, group_id: int) -> int | None:
    """Try every job that stands failed by this error once more, from the step that failed;
    gives how many. Jobs that fail meanwhile are left out, and so are those whose unique key
    another one has.

    Raises:
        NotFound: no such error.
        WrongState: no job stands failed by it.
    """
    tx.target = f"error {group_id}"
    memory = tx.memory
    if "end" not in memory:
        found = error_groups.get(tx.conn, group_id, tx.now)
        newest = error_groups.newest_job(tx.conn, group_id)
        if newest is None:
            raise WrongState(
                f"No job stands failed by error {group_id}: its {found.failures} failures were "
                "retried or deleted."
            )
        memory.update(end=newest, after=0, done=0)
    ids = error_groups.standing(tx.conn, group_id, after=memory["after"], limit=CHUNK)
    ids = [job_id for job_id in ids if job_id <= memory["end"]]
    for job_id in ids:
        # Another job has its unique key meanwhile: it stays as it is.
        with suppress(Duplicate):
            if stops.reopen(tx.conn, job_id, now=tx.now):
                events.add(tx.conn, job_id, tx.now, "retried", tx.reason, tx.actor.name)
                memory["done"] += 1
    for job_id in ids[:20]:
        tx.changed("job", job_id, "retried")
    tx.changed("jobs", "", "retried")
    tx.changed("error", group_id, "retried")
    tx.detail = {"jobs": memory["done"]}
    memory["after"] = ids[-1] if ids else memory["end"]
    return None if len(ids) == CHUNK else memory["done"]
