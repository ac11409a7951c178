"""Doing the same to many jobs: a few at once, more of them as a job of the queue BULK.

What it is about is fixed when it is asked for: these numbers, or what the filter means among the
jobs that there are then. Each job is judged when its turn comes, as if somebody had asked for it
alone, and skipped with the reason if it does not allow what was asked.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from jobdeck.actions import files
from jobdeck.actions.jobs import FROM, Tree, end_level, end_some
from jobdeck.actions.manifests import check_priority
from jobdeck.actions.perform import Tx, action, bulk_action
from jobdeck.domain import builtin, clock, filtertext
from jobdeck.domain.bulk import AT_ONCE, DONE, IDS_MAX, SKIPPED, VERBS, Bulk, Item, Order
from jobdeck.domain.errors import InvalidValue, NotFound
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.records import Job
from jobdeck.domain.roles import Actor, Role
from jobdeck.domain.states import Reason, Status
from jobdeck.store import builtin as own
from jobdeck.store import bulk, cleanup, events, jobs, queues, selections, stops
from jobdeck.store.database import Store
from jobdeck.store.values import is_number

ACTION = "job.bulk"


def check(conn: Connection, order: Order) -> None:
    """Refuse an order that could be carried out for no job.

    Raises:
        InvalidValue: names the field that does not fit.
        NotFound: there is no queue of that name to move jobs to.
    """
    if order.action not in VERBS:
        raise InvalidValue("action", f"{order.action!r} is none of {', '.join(VERBS)}")
    if order.from_ not in FROM:
        raise InvalidValue("from", f"{order.from_!r} is neither {' nor '.join(FROM)}")
    check_priority(order.priority)
    if order.action == "move":
        if not order.queue:
            raise InvalidValue("queue", "is required: the queue to move the jobs to")
        if queues.get(conn, order.queue, clock.now()).builtin:
            raise InvalidValue("queue", f"{order.queue} is for Jobdeck's own work only")


def check_ids(ids: Sequence[int]) -> list[int]:
    """The numbers, each once and in order.

    Raises:
        InvalidValue: there is none, there are too many, or one is none.
    """
    found = sorted(dict.fromkeys(ids))
    if not found:
        raise InvalidValue("ids", "is empty; give at least one")
    if len(found) > IDS_MAX:
        raise InvalidValue(
            "ids", f"there are {len(found):,}, more than {IDS_MAX:,}; give a filter instead"
        )
    if found[0] < 1 or not is_number(found[-1]):
        raise InvalidValue("ids", "the numbers of jobs are whole and above zero")
    return found


def ask(
    store: Store,
    actor: Actor,
    reason: str,
    order: Order,
    *,
    ids: Sequence[int] | None = None,
    text: str | None = None,
    dry_run: bool = False,
    source: str = "manual",
) -> Bulk:
    """Do it to these jobs, or to those that the filter `text` means: a few numbers at once, else
    by a job. With `dry_run` only say how many they are.

    Raises:
        Forbidden: the actor may not.
        InvalidValue: neither numbers nor a filter are given, or both; or as `check`.
        NotFound: as `check`.
    """
    start.authorise(actor)
    if (ids is None) == (text is None):
        raise InvalidValue("ids", "give the numbers of jobs, or a filter")
    wanted = None if text is None else filtertext.parse(text, clock.now())
    if dry_run:
        with store.read() as conn:
            check(conn, order)
            return survey(conn, order, ids or (), wanted)
    if wanted is None and len(set(ids or ())) <= AT_ONCE:
        items = few(store, actor, reason, order, list(ids or ()))
        return Bulk(action=order.action, number=len(items), items=items)
    job = start(
        *(store, actor, reason, order),
        ids=list(ids or ()),
        wanted=wanted,
        text=text or "",
        source=source,
    )
    return Bulk(action=order.action, number=len(set(ids or ())), job=job)


def survey(
    conn: Connection,
    order: Order,
    ids: Sequence[int],
    wanted: JobFilter | None,
    *,
    upto: int = 0,
    examples: int = 5,
) -> Bulk:
    """How many jobs are meant, and some of them; of a filter, those up to number `upto` (0: all).

    Raises:
        InvalidValue: a number is none.
    """
    if wanted is None:
        found = check_ids(ids)
        return Bulk(action=order.action, number=len(found), examples=found[:examples])
    newest = selections.newest(conn)
    upto = min(upto, newest) if upto else newest
    told = selections.survey(conn, wanted, upto=upto, now=clock.now(), examples=examples)
    return Bulk(action=order.action, number=told.number, more=told.more, examples=told.examples)


@action(ACTION, Role.OPERATOR, "change many jobs", wakes=True)
def start(
    tx: Tx,
    order: Order,
    *,
    ids: Sequence[int] = (),
    wanted: JobFilter | None = None,
    text: str = "",
    upto: int = 0,
    source: str = "manual",
) -> Job:
    """Create the job that does it to each of these jobs, or of those that the filter means now
    among the jobs up to number `upto` (0: all); `text` is the filter as it was written.

    Raises:
        InvalidValue, NotFound: as `check` and `check_ids`.
    """
    check(tx.conn, order)
    params: dict[str, Any] = {**msgspec.to_builtins(order), "reason": tx.reason}
    params["by"] = tx.actor.name
    if wanted is None:
        found = check_ids(ids)
        params["jobs"] = len(found)
    else:
        found = []
        params["filter"] = text
        params["matching"] = msgspec.to_builtins(wanted)
        newest = selections.newest(tx.conn)
        params["upto"] = min(upto, newest) if upto else newest
    job_id = own.create_job(tx.conn, builtin.BULK, params, tx.now, source=source, by=tx.actor.name)
    bulk.add(tx.conn, job_id, found)
    tx.target = f"job {job_id}"
    tx.detail = {key: params[key] for key in params if key not in ("reason", "by")}
    tx.changed("job", job_id, "created")
    tx.changed("jobs", "", "created")
    return jobs.get(tx.conn, job_id)


@bulk_action("job.bulk_few", Role.OPERATOR, "change jobs", wakes=True)
def few(tx: Tx, order: Order, ids: Sequence[int]) -> list[Item] | None:
    """Do it at once to a few jobs, at most `AT_ONCE`; gives what became of each.

    Raises:
        InvalidValue, NotFound: as `check` and `check_ids`.
    """
    found: list[Item] | None = tx.memory.get("found")
    if found is None:
        check(tx.conn, order)
        numbers = check_ids(ids)
        if len(numbers) > AT_ONCE:
            raise InvalidValue("ids", f"more than {AT_ONCE} are too many to be changed at once")
        tx.target = ", ".join(f"job {number}" for number in numbers[:3])
        tx.target += f" and {len(numbers) - 3} more" if len(numbers) > 3 else ""
        found = tx.memory["found"] = carry_out(tx, order, numbers)
    else:
        descend(tx, order)
    done = [item.job for item in found if item.outcome == DONE]
    skipped = [item.job for item in found if item.outcome == SKIPPED]
    tx.detail = {**msgspec.to_builtins(order), "done": done, "skipped": skipped}
    return None if "tree" in tx.memory else found


def carry_out(tx: Tx, order: Order, ids: Sequence[int]) -> list[Item]:
    """Do it to these jobs, in this transaction; gives what became of each. While there is a
    "tree" in `memory` afterwards, call `descend` in further transactions."""
    found = jobs.statuses(tx.conn, ids)
    missing = [_skip(each, "there is no such job") for each in ids if each not in found]
    made = _VERBS[order.action](tx, order, found)
    return sorted([*missing, *made], key=lambda item: item.job)


def descend(tx: Tx, order: Order) -> None:
    """Do the same to some of the children of what was stopped."""
    tree: Tree = tx.memory["tree"]
    if end_level(tx, tree, "kill" if order.action == "kill" else "stop"):
        del tx.memory["tree"]


def _skip(job_id: int, why: str) -> Item:
    return Item(job=job_id, outcome=SKIPPED, message=why)


def _done(job_id: int, message: str = "") -> Item:
    return Item(job=job_id, outcome=DONE, message=message)


def _end(tx: Tx, order: Order, found: Mapping[int, Status]) -> list[Item]:
    kind, reason = ("kill", Reason.KILLED) if order.action == "kill" else ("stop", Reason.STOPPED)
    live = [each for each, status in found.items() if not status.final]
    ended, asked = end_some(tx, live, kind, reason)  # type: ignore[arg-type]
    tree = Tree(parents=[*ended, *asked])
    if tree.goes_on(tx.conn):
        tx.memory["tree"] = tree
    told = dict.fromkeys(ended, "") | dict.fromkeys(asked, f"asked to {kind}, it runs")
    return [
        _done(each, told[each])
        if each in told
        else _skip(each, f"it is {status} already" if status.final else "it has just ended")
        for each, status in found.items()
    ]


def _retry(tx: Tx, order: Order, found: Mapping[int, Status]) -> list[Item]:
    wanted = [each for each, s in found.items() if s in (Status.FAILED, Status.STOPPED)]
    position = 0 if order.from_ == "start" else None
    ids, refused = stops.reopen_many(tx.conn, wanted, now=tx.now, from_position=position)
    opened = set(ids)
    events.add_all(tx.conn, sorted(opened), tx.now, "retried", tx.reason, tx.actor.name)
    _tell(tx, opened, "retried")
    return [
        _done(each)
        if each in opened
        else _skip(each, str(refused.get(each, f"it {'has' if status.final else 'is'} {status}")))
        for each, status in found.items()
    ]


def _delete(tx: Tx, order: Order, found: Mapping[int, Status]) -> list[Item]:
    del order
    ended = [each for each, status in found.items() if status.final]
    gone = cleanup.delete_jobs(tx.conn, ended)
    if gone.paths:
        tx.afterwards.append(lambda: files.remove(tx.store, gone.paths))
    deleted = set(gone.job_ids)
    _tell(tx, deleted, "deleted")
    return [
        _done(each)
        if each in deleted
        else _skip(
            each,
            "its parent has not ended and may still need it"
            if status.final
            else f"it is {status}; stop it first",
        )
        for each, status in found.items()
    ]


def _prioritise(tx: Tx, order: Order, found: Mapping[int, Status]) -> list[Item]:
    changed = set(bulk.set_priority(tx.conn, list(found), order.priority))
    return _changed(tx, found, changed, "priority_changed", f"to {order.priority}")


def _move(tx: Tx, order: Order, found: Mapping[int, Status]) -> list[Item]:
    queue_id = queues.ids(tx.conn).get(order.queue)
    if queue_id is None:
        raise NotFound("queue", order.queue)
    moved = set(bulk.move(tx.conn, list(found), queue_id))
    return _changed(tx, found, moved, "moved", f"to queue {order.queue}")


def _changed(
    tx: Tx, found: Mapping[int, Status], changed: set[int], kind: str, what: str
) -> list[Item]:
    why = f"{what}: {tx.reason}" if tx.reason else what
    events.add_all(tx.conn, sorted(changed), tx.now, kind, why, tx.actor.name)
    _tell(tx, changed, kind)
    if changed:
        tx.changed("queue", "", "changed")
    return [
        _done(each)
        if each in changed
        else _skip(
            each,
            "a pool has just taken it"
            if status == Status.PENDING
            else f"it is {status}; only waiting jobs can be changed",
        )
        for each, status in found.items()
    ]


def _tell(tx: Tx, changed: set[int], kind: str) -> None:
    for each in sorted(changed)[:20]:
        tx.changed("job", each, kind)
    if changed:
        tx.changed("jobs", "", kind)


_VERBS: dict[str, Callable[[Tx, Order, Mapping[int, Status]], list[Item]]] = {
    "stop": _end,
    "kill": _end,
    "retry": _retry,
    "delete": _delete,
    "priority": _prioritise,
    "move": _move,
}
