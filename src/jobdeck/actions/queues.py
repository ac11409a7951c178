"""What may be asked for of queues: pausing, resuming, limiting, stopping what waits in them."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from jobdeck.actions.perform import Tx, action, bulk_action
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.records import Queue
from jobdeck.domain.roles import Role
from jobdeck.domain.states import Reason
from jobdeck.store import queues, selections, stops
from jobdeck.store.limits import SETTINGS

ALL = "all"
"""In the place of a queue's name: every queue but those of Jobdeck's own work."""

CHUNK = 1000
"""Jobs stopped in one transaction: about 20 ms, so that enqueuing goes on beside it."""


class Stopped(Struct, frozen=True, kw_only=True):
    """How many pending jobs were stopped in each queue."""

    queues: dict[str, int]

    @property
    def total(self) -> int:
        """In all of them."""
        return sum(self.queues.values())


@action("queue.pause", Role.OPERATOR, "pause queues", wakes=True)
def pause(tx: Tx, name: str) -> list[Queue]:
    """Hand out no more of their jobs. No job changes its status; what runs goes on, and jobs
    can still be created. One that is paused already stays as it was.

    Raises:
        NotFound: no such queue.
    """
    return _each(tx, name, paused=True)


@action("queue.resume", Role.OPERATOR, "resume queues", wakes=True)
def resume(tx: Tx, name: str) -> list[Queue]:
    """Hand out their jobs again.

    Raises:
        NotFound: no such queue.
    """
    return _each(tx, name, paused=False)


@action("queue.limit", Role.OPERATOR, "limit queues", wakes=True)
def limit(tx: Tx, name: str, changes: Mapping[str, Any]) -> Queue:
    """Change what is named of `max_running`, how many of its jobs may run at once, and `rate`,
    at which they may start, such as 10/s; None takes a limit away. What runs goes on.

    Raises:
        NotFound: no such queue.
        InvalidValue: names the one that is no limit; or there is nothing to change.
    """
    tx.target = f"queue {name}"
    for field in changes:
        if field not in SETTINGS:
            raise InvalidValue(field, f"is no limit of a queue; there are: {', '.join(SETTINGS)}")
    if not changes:
        raise InvalidValue("max_running", "is required, or rate: there is nothing to change")
    before = queues.get(tx.conn, name, tx.now)
    queues.limit(tx.conn, name, changes)
    after = queues.get(tx.conn, name, tx.now)
    tx.detail = {
        field: {"before": getattr(before, field), "after": getattr(after, field)}
        for field in changes
    }
    tx.changed("queue", name, "limited")
    return after


def _each(tx: Tx, name: str, *, paused: bool) -> list[Queue]:
    names = _names(tx, name)
    tx.target = f"queue {name}"
    changed = []
    for each in names:
        if paused:
            done = queues.pause(tx.conn, each, by=tx.actor.name, reason=tx.reason, now=tx.now)
        else:
            done = queues.resume(tx.conn, each)
        if done:
            changed.append(each)
            tx.changed("queue", each, "paused" if paused else "resumed")
    tx.detail = {"changed": changed}
    return [queue for queue in queues.all(tx.conn, tx.now) if queue.name in set(names)]


@bulk_action("queue.stop", Role.OPERATOR, "stop queues", wakes=True)
def stop(tx: Tx, name: str) -> Stopped | None:
    """Stop the jobs that are pending in them when this begins: each becomes stopped, none is
    lost. Running, scheduled and retrying ones are untouched, a pause stays as it is, and jobs
    created meanwhile stay pending.

    Raises:
        NotFound: no such queue.
    """
    tx.target = f"queue {name}"
    done: dict[str, int] = tx.memory.setdefault("done", {})
    if "upto" not in tx.memory:
        tx.memory["names"] = _names(tx, name)
        tx.memory["upto"] = selections.newest(tx.conn)
        done.update(dict.fromkeys(tx.memory["names"], 0))
    tx.detail = {"stopped": done}
    names: list[str] = tx.memory["names"]
    if names and _stop_some(tx, names[0], tx.memory["upto"], done):
        names.pop(0)
    return None if names else Stopped(queues=dict(done))


def _stop_some(tx: Tx, name: str, upto: int, done: dict[str, int]) -> bool:
    """Stop a chunk of what is pending in the queue; True: there is no more."""
    queue_id = queues.ids(tx.conn)[name]
    ids = selections.pending(tx.conn, queue_id, upto=upto, limit=CHUNK)
    by = f"Queue {name} was stopped by {tx.actor.name}"
    message = f"{by}: {tx.reason}" if tx.reason else f"{by}."
    stopped = stops.stop_waiting(tx.conn, ids, reason=Reason.STOPPED, message=message, now=tx.now)
    ended = len(ids) < CHUNK
    if ended:
        # Pending for everybody, though in a pool's hands: the pool recalls and stops them.
        held = selections.handed_out(tx.conn, queue_id, upto=upto)
        stopped += stops.request_stop(
            tx.conn, held, kind="stop", by=tx.actor.name, why=message, now=tx.now
        )
    if stopped:
        done[name] += len(stopped)
        tx.changed("queue", name, "stopped")
        tx.changed("jobs", "", "stopped")
    return ended


def _names(tx: Tx, name: str) -> list[str]:
    found = queues.all(tx.conn, tx.now)
    if name.lower() == ALL:
        return [queue.name for queue in found if not queue.builtin]
    return [queues.get(tx.conn, name, tx.now).name]
