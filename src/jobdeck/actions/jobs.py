"""What may be asked for of jobs: creating, stopping, killing, finishing, retrying, deleting them.

| asked for | scheduled, pending, retrying | running | completed | failed, stopped |
|---|---|---|---|---|
| stop | stopped at once | asked to stop, killed after the grace time | refused | refused |
| kill | stopped at once | killed | refused | refused |
| finish | refused | failed or stopped at once | refused | refused |
| retry | refused | refused | refused | pending, one more attempt |
| run again | new job | new job | new job | new job |
| delete | refused | refused | gone | gone |

Stopping or killing a parent does the same to its whole tree, of whatever depth. A running job
keeps that status until it has ended, and shows that it is stopping.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection

from jobdeck.actions import files
from jobdeck.actions.creation import Origin, Recipes, chunk_of, prepare, prepare_known
from jobdeck.actions.once import Once, created_before, keep
from jobdeck.actions.perform import Tx, action, bulk_action
from jobdeck.domain.errors import InvalidValue, WrongState
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.records import Job
from jobdeck.domain.roles import Role
from jobdeck.domain.states import Code, Reason
from jobdeck.domain.uniqueness import Kept
from jobdeck.sdk.transport import EnqueueItem
from jobdeck.store import cleanup, events, jobs, selections, stops
from jobdeck.store.enqueue import NewJob, enqueue

CHUNK = 1000
"""Jobs of a tree stopped in one transaction."""

FROM = ("failed_step", "start")


@action("job.create", Role.OPERATOR, "create jobs", wakes=True)
def create(tx: Tx, item: EnqueueItem, *, source: str = "manual", once: Once | None = None) -> Job:
    """Create a job of a flow. Its parameters are the flow's with those given laid over them,
    checked against the schema of the pipeline's published version. Where a job with the same
    unique key is to be kept, it is that one, with `kept`. A request that came before, by `once`,
    gives its job.

    Raises:
        NotFound: no such flow, or no such parent.
        WrongState: its pipeline is not published.
        InvalidValue: names the parameter, priority or time that does not fit.
        Duplicate: another job has the unique key; names it.
    """
    known = _known(tx, once)
    if known is not None:
        return known
    return _create(tx, item, Origin(source=source, created_by=tx.actor.name), once)


@action("job.run_again", Role.OPERATOR, "run jobs again", wakes=True)
def run_again(tx: Tx, job_id: int, params: dict[str, Any], *, once: Once | None = None) -> Job:
    """Create a job like that one, with some of its parameters changed; it is linked to it.
    `once` as by `create`.

    Raises:
        NotFound: no such job, or its flow is gone.
        InvalidValue: names the parameter that does not fit.
        Duplicate: its pipeline allows no other job with the same parameters now.
    """
    known = _known(tx, once)
    if known is not None:
        return known
    old = jobs.get(tx.conn, job_id)
    given = old.params if isinstance(old.params, dict) else {}
    item = EnqueueItem(
        flow=old.flow,
        params={**given, **params},
        context=old.context,
        priority=old.priority,
    )
    origin = Origin(source="manual", created_by=tx.actor.name, retry_of=old.id)
    made = _create(tx, item, origin, once)
    if not made.kept:
        events.run_again(tx.conn, old.id, made.id, tx.now, tx.reason, tx.actor.name)
        tx.changed("job", old.id, "run_again")
    return made


def _known(tx: Tx, once: Once | None) -> Job | None:
    """The job by which the same request was answered before."""
    for job_id in created_before(tx, once):
        tx.target, tx.detail = f"job {job_id}", {"repeated": True}
        job = jobs.get(tx.conn, int(job_id))
        return msgspec.structs.replace(job, kept=isinstance(job_id, Kept))
    return None


def _create(tx: Tx, item: EnqueueItem, origin: Origin, once: Once | None) -> Job:
    (new,) = prepare(tx.conn, [item], origin, Recipes(), now=tx.now)
    (job_id,) = enqueue(tx.conn, [new], tx.now)
    keep(tx, once, [job_id])
    kept = isinstance(job_id, Kept)
    tx.target = f"job {job_id}"
    tx.detail = {"flow": item.flow, "params": item.params, "retry_of": origin.retry_of}
    if kept:
        tx.detail["kept"] = True
    else:
        tx.changed("job", job_id, "created")
        tx.changed("jobs", "", "created")
    return msgspec.structs.replace(jobs.get(tx.conn, int(job_id)), kept=kept)


@bulk_action("job.create_many", Role.OPERATOR, "create jobs", wakes=True)
def create_many(
    tx: Tx,
    items: Sequence[EnqueueItem],
    *,
    recipes: Recipes,
    manifest: PipelineManifest | None = None,
    once: Once | None = None,
) -> list[int] | None:
    """Create many jobs and give their numbers, in order; all are checked before the first. A
    pipeline that is not known yet is registered and published if its manifest comes along.
    Jobs with unique keys are created in one transaction, all or none; the number of one that
    was there already is a `Kept` one. A request that came before, by `once`, gives its jobs; one
    that was broken off goes on where it ended.

    Raises:
        NotFound: no such flow, and no manifest to make it from; or no such parent.
        WrongState: a pipeline is not published.
        InvalidValue: names the value that does not fit, such as `items[2].params.city`.
        Duplicate: another job has the unique key of one; names both.
    """
    ids: list[int] = created_before(tx, once) if once else tx.memory.setdefault("ids", [])
    new: list[NewJob] | None = tx.memory.get("new")
    if len(ids) == len(items):
        new = []
    elif new is None:
        origin = Origin(source="api", created_by=tx.actor.name)
        new = tx.memory["new"] = prepare_known(
            tx.conn, items, origin, recipes, manifest=manifest, now=tx.now
        )
    ids += enqueue(tx.conn, new[len(ids) : len(ids) + chunk_of(new)], tx.now)
    keep(tx, once, ids)
    flows = sorted({item.flow for item in items})
    tx.target = f"flow {flows[0]}" if len(flows) == 1 else f"{len(flows)} flows"
    tx.detail = {"jobs": len(ids), "first": int(ids[0]) if ids else None, "flows": flows[:20]}
    return ids if len(ids) == len(items) else None


@bulk_action("job.stop", Role.OPERATOR, "stop jobs", wakes=True)
def stop(tx: Tx, job_id: int) -> Job | None:
    """Stop the job and its tree; see the table above.

    Raises:
        NotFound: no such job.
        WrongState: it has ended already; says how.
    """
    return _end(tx, job_id, "stop")


@bulk_action("job.kill", Role.OPERATOR, "kill jobs", wakes=True)
def kill(tx: Tx, job_id: int) -> Job | None:
    """Stop the job and its tree without giving it time to end by itself.

    Raises:
        NotFound: no such job.
        WrongState: it has ended already; says how.
    """
    return _end(tx, job_id, "kill")


AS = ("failed", "stopped")


@bulk_action("job.finish", Role.OPERATOR, "finish jobs by force", wakes=True)
def finish(tx: Tx, job_id: int, *, as_: str = "failed") -> Job | None:
    """End a running job at once, whatever its worker says afterwards: that is killed and
    replaced. Its children are killed with it. It takes a reason.

    Raises:
        NotFound: no such job.
        WrongState: it does not run; says how it stands.
        InvalidValue: `as_` is neither failed nor stopped, or there is no reason.
    """
    tx.target = f"job {job_id}"
    tree: Tree | None = tx.memory.get("tree")
    if tree is None:
        if as_ not in AS:
            raise InvalidValue("as", f"{as_!r} is neither {' nor '.join(AS)}")
        if not tx.reason:
            raise InvalidValue("reason", "is required: say why the job is ended by force")
        code, reason = _FORCED[as_]
        message = f"finished as {as_} by {tx.actor.name}: {tx.reason}"
        if not stops.force(tx.conn, job_id, code=code, reason=reason, message=message, now=tx.now):
            raise _not_running(jobs.get(tx.conn, job_id))
        events.add(tx.conn, job_id, tx.now, "finished", tx.reason, tx.actor.name)
        tx.changed("job", job_id, "finished")
        tx.changed("jobs", "", "finished")
        tree = tx.memory["tree"] = Tree(job_id)
        tree.next(tx.conn, 1)
    done = end_level(tx, tree, "kill", job_id)
    tx.detail = {"as": as_, "jobs": tree.ended}
    return jobs.get(tx.conn, job_id) if done else None


_FORCED = {"failed": (Code.FAILED, Reason.FORCED), "stopped": (Code.STOPPED, Reason.STOPPED)}


def _not_running(job: Job) -> WrongState:
    hint = "" if job.status.final else " Stop it instead."
    return WrongState(
        f"Job {job.id} is {job.status}; only a running one can be finished by force.{hint}"
    )


class Tree:
    """What is left to end of a tree of jobs: `todo` to be ended, `parents` whose children are
    still to be looked for. A level at a time from the top down, so that no parent is woken by
    the end of its children."""

    def __init__(self, *todo: int, parents: Sequence[int] = ()) -> None:
        self.todo = list(todo)
        self.parents = list(parents)
        self.ended = 0

    def goes_on(self, conn: Connection) -> bool:
        """Whether anything is left to end."""
        while not self.todo and self.parents:
            self.todo = selections.open_children(conn, self.parents[:CHUNK])
            del self.parents[:CHUNK]
        return bool(self.todo)

    def next(self, conn: Connection, limit: int) -> list[int]:
        """At most `limit` jobs to end; none: that was all."""
        self.goes_on(conn)
        found, self.todo = self.todo[:limit], self.todo[limit:]
        self.parents += found
        self.ended += len(found)
        return found


def _end(tx: Tx, job_id: int, kind: Literal["stop", "kill"]) -> Job | None:
    """One transaction of it."""
    tx.target = f"job {job_id}"
    tree: Tree | None = tx.memory.get("tree")
    if tree is None:
        tree = tx.memory["tree"] = Tree(job_id)
        job = jobs.get(tx.conn, job_id)
        if job.status.final:
            raise WrongState(f"Job {job_id} is {job.status} already; it cannot be {_PAST[kind]}.")
    done = end_level(tx, tree, kind, job_id)
    tx.detail = {"jobs": tree.ended}
    return jobs.get(tx.conn, job_id) if done else None


def end_level(tx: Tx, tree: Tree, kind: Literal["stop", "kill"], root: int = 0) -> bool:
    """End as many of the tree as one transaction should; True: that was all."""
    left = CHUNK
    while left and (ids := tree.next(tx.conn, left)):
        own = Reason.STOPPED if kind == "stop" else Reason.KILLED
        end_some(tx, ids, kind, own if ids == [root] else Reason.PARENT_STOPPED)
        left -= len(ids)
    return bool(left)


_PAST = {"stop": "stopped", "kill": "killed"}


def end_some(
    tx: Tx, ids: list[int], kind: Literal["stop", "kill"], reason: Reason
) -> tuple[list[int], list[int]]:
    """Stop those of the jobs that wait and ask for the end of those that run; gives the numbers
    of both. Their children are not looked at."""
    by = f"{_PAST[kind]} by {tx.actor.name}"
    message = f"{by}: {tx.reason}" if tx.reason else by
    ended: list[int] = []
    asked: list[int] = []
    left = list(ids)
    # On PostgreSQL a job may move between the looks into its places; then it is looked for again.
    while left:
        ended += stops.stop_waiting(tx.conn, left, reason=reason, message=message, now=tx.now)
        left = _without(left, ended)
        asked += stops.request_stop(
            tx.conn, left, kind=kind, by=tx.actor.name, why=tx.reason, now=tx.now
        )
        left = selections.still_open(tx.conn, _without(left, asked))
    events.add_all(tx.conn, asked, tx.now, f"{kind}_asked", tx.reason, tx.actor.name)
    for each in ids[:20]:
        tx.changed("job", each, "stopped")
    if ended or asked:
        tx.changed("jobs", "", "stopped")
    return ended, asked


def _without(ids: list[int], done: list[int]) -> list[int]:
    gone = set(done)
    return [each for each in ids if each not in gone]


@action("job.retry", Role.OPERATOR, "retry jobs", wakes=True)
def retry(tx: Tx, job_id: int, *, from_: str = "failed_step") -> Job:
    """Try a failed or stopped job once more with the same parameters, from the step that failed
    (steps done before are not repeated) or from the start.

    Raises:
        NotFound: no such job.
        WrongState: it is neither failed nor stopped.
        Duplicate: another job has its unique key meanwhile.
        InvalidValue: `from_` is neither failed_step nor start.
    """
    if from_ not in FROM:
        raise InvalidValue("from", f"{from_!r} is neither {' nor '.join(FROM)}")
    tx.target = f"job {job_id}"
    tx.detail = {"from": from_}
    job = jobs.get(tx.conn, job_id)
    position = 0 if from_ == "start" else None
    if not stops.reopen(tx.conn, job_id, now=tx.now, from_position=position):
        hint = (
            "Run it again as a new job instead." if job.status.final else "Wait until it has ended."
        )
        raise WrongState(
            f"Job {job_id} is {job.status}; only a failed or stopped one can be retried. {hint}"
        )
    events.add(tx.conn, job_id, tx.now, "retried", tx.reason, tx.actor.name)
    tx.changed("job", job_id, "retried")
    tx.changed("jobs", "", "retried")
    return jobs.get(tx.conn, job_id)


@action("job.delete", Role.OPERATOR, "delete jobs")
def delete(tx: Tx, job_id: int) -> None:
    """Delete an ended job with everything that was recorded of it, its files included.

    Raises:
        NotFound: no such job.
        WrongState: it has not ended, or its parent has not.
    """
    tx.target = f"job {job_id}"
    job = jobs.get(tx.conn, job_id)
    if not job.status.final:
        raise WrongState(f"Job {job_id} is {job.status}; stop it before you delete it.")
    tx.detail = {"flow": job.flow, "status": job.status}
    gone = cleanup.delete_jobs(tx.conn, [job_id])
    if not gone.job_ids:
        raise WrongState(
            f"Job {job_id} belongs to job {job.parent}, which has not ended and may still need "
            "it; delete it afterwards."
        )
    tx.afterwards.append(lambda: files.remove(tx.store, gone.paths))
    tx.changed("job", job_id, "deleted")
    tx.changed("jobs", "", "deleted")
