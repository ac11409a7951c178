"""What may be asked for of error groups: resolving, opening again, muting, retrying their jobs."""

from jobdeck.actions import bulk
from jobdeck.actions.perform import Tx, action
from jobdeck.domain import clock
from jobdeck.domain.bulk import AT_ONCE, Bulk, Order
from jobdeck.domain.errors import WrongState
from jobdeck.domain.records import ErrorGroup
from jobdeck.domain.roles import Actor, Role
from jobdeck.store import error_groups
from jobdeck.store.database import Store


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


@action("error.mute", Role.OPERATOR, "mute errors")
def mute(tx: Tx, group_id: int) -> ErrorGroup:
    """Let it call for no attention, however often it happens; it goes on counting.

    Raises:
        NotFound: no such error.
        WrongState: it is muted already, or resolved.
    """
    tx.target = f"error {group_id}"
    found = error_groups.get(tx.conn, group_id, tx.now)
    tx.detail = {"type": found.type, "place": found.place}
    if not error_groups.mute(tx.conn, group_id, by=tx.actor.name, why=tx.reason, now=tx.now):
        state = "resolved" if found.resolved_at is not None else "muted already"
        raise WrongState(f"Error {group_id} is {state}; it calls for no attention.")
    tx.changed("error", group_id, "muted")
    return error_groups.get(tx.conn, group_id, tx.now)


@action("error.unmute", Role.OPERATOR, "unmute errors")
def unmute(tx: Tx, group_id: int) -> ErrorGroup:
    """Let a muted one call for attention again.

    Raises:
        NotFound: no such error.
        WrongState: it is not muted.
    """
    tx.target = f"error {group_id}"
    error_groups.get(tx.conn, group_id, tx.now)
    if not error_groups.unmute(tx.conn, group_id):
        raise WrongState(f"Error {group_id} is not muted.")
    tx.changed("error", group_id, "unmuted")
    return error_groups.get(tx.conn, group_id, tx.now)


def retry(
    store: Store, actor: Actor, reason: str, group_id: int, *, source: str = "manual"
) -> Bulk:
    """Try every job that stands failed by this error once more, from the step that failed: a few
    at once, more of them by a job of the queue BULK.

    Raises:
        Forbidden: the actor may not.
        NotFound: no such error.
        WrongState: no job stands failed by it.
    """
    actor.require(Role.OPERATOR, "retry jobs")
    with store.read() as conn:
        found = error_groups.get(conn, group_id, clock.now())
        ids = error_groups.standing(conn, group_id, limit=AT_ONCE + 1)
    if not ids:
        raise WrongState(
            f"No job stands failed by error {group_id}: its {found.failures} failures were "
            "retried or deleted."
        )
    order = Order(action="retry")
    if len(ids) <= AT_ONCE:
        return bulk.ask(store, actor, reason, order, ids=ids, source=source)
    return bulk.ask(store, actor, reason, order, text=f"error:{group_id}", source=source)
