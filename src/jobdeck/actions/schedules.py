"""What may be asked for of schedules: adding, editing, pausing, running them now."""

from typing import Any

import msgspec

from jobdeck.actions.creation import Origin, Recipes, prepare
from jobdeck.actions.flows import check_some
from jobdeck.actions.perform import Tx, action
from jobdeck.domain.builtin import SCHEDULER
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.names import check_text
from jobdeck.domain.records import Job, Schedule
from jobdeck.domain.roles import Role
from jobdeck.domain.uniqueness import Kept
from jobdeck.sdk.transport import EnqueueItem
from jobdeck.store import flows, jobs, pipelines, queues, schedules
from jobdeck.store.enqueue import enqueue

ALL = "all"
"""In the place of a schedule's number: every one."""


@action("schedule.add", Role.OPERATOR, "add schedules", wakes=True)
def add(
    tx: Tx,
    /,
    flow: str,
    *,
    params: dict[str, Any] | None = None,
    vendor_type: str = "",
    vendor_id: str = "",
    **rule: Any,
) -> Schedule:
    """Let a flow run by itself. `rule` says when: a `cron` expression in a `timezone`, or every
    `interval_s` seconds (at least one), from `start_at` to `end_at`, up to `jitter_s` seconds
    later, with the rules `misfire` and `overlap`. `params` are laid over the flow's.

    Raises:
        NotFound: no such flow.
        InvalidValue: names the value that does not fit.
    """
    texts = {"vendor_type": vendor_type, "vendor_id": vendor_id}
    _check(tx, flow, params or {}, {**rule, **texts})
    made = schedules.create(tx.conn, flow=flow, now=tx.now, params=params, **texts, **rule)
    tx.target = f"schedule {made.id}"
    tx.detail = {"flow": flow, **rule}
    tx.changed("schedule", made.id, "added")
    return made


@action("schedule.edit", Role.OPERATOR, "edit schedules", wakes=True)
def edit(tx: Tx, schedule_id: int, changes: dict[str, Any]) -> Schedule:
    """Change what is named of a schedule's settings. New times hold from now on.

    Raises:
        NotFound: no such schedule or flow.
        InvalidValue: names the value that does not fit.
    """
    tx.target = f"schedule {schedule_id}"
    before = schedules.get(tx.conn, schedule_id)
    params = before.params if "flow" in changes else {}
    _check(tx, changes.get("flow", before.flow), changes.get("params", params), changes)
    made = schedules.edit(tx.conn, schedule_id, changes, tx.now)
    tx.detail = {
        field: {"before": getattr(before, field), "after": getattr(made, field)}
        for field in changes
    }
    tx.changed("schedule", schedule_id, "edited")
    return made


@action("schedule.remove", Role.OPERATOR, "remove schedules")
def remove(tx: Tx, schedule_id: int) -> None:
    """Take it away; the jobs that it created remain.

    Raises:
        NotFound: no such schedule.
    """
    old = schedules.get(tx.conn, schedule_id)
    tx.target = f"schedule {schedule_id}"
    tx.detail = {"flow": old.flow, "cron": old.cron, "interval_s": old.interval_s}
    schedules.remove(tx.conn, schedule_id)
    tx.changed("schedule", schedule_id, "removed")


@action("schedule.pause", Role.OPERATOR, "pause schedules", wakes=True)
def pause(tx: Tx, schedule_id: int | None) -> list[Schedule]:
    """Let it create no more jobs; None: every one, also those added meanwhile, by pausing the
    queue SCHEDULER. What is paused already stays as it was.

    Raises:
        NotFound: no such schedule.
    """
    return _pause(tx, schedule_id, paused=True)


@action("schedule.resume", Role.OPERATOR, "resume schedules", wakes=True)
def resume(tx: Tx, schedule_id: int | None) -> list[Schedule]:
    """Let it create jobs again; its misfire rule says what becomes of the ticks that passed
    meanwhile. None: every one that is not paused by itself, by resuming the queue SCHEDULER.

    Raises:
        NotFound: no such schedule.
    """
    return _pause(tx, schedule_id, paused=False)


def _pause(tx: Tx, schedule_id: int | None, *, paused: bool) -> list[Schedule]:
    said = "paused" if paused else "resumed"
    told: dict[str, Any] = {"by": tx.actor.name, "reason": tx.reason, "now": tx.now}
    if schedule_id is None:
        tx.target = f"schedule {ALL}"
        queues.ensure(tx.conn, SCHEDULER, builtin=True)
        done = (
            queues.pause(tx.conn, SCHEDULER, **told)
            if paused
            else queues.resume(tx.conn, SCHEDULER)
        )
        tx.changed("queue", SCHEDULER, said)
        tx.changed("schedule", "", said)
        found = schedules.all(tx.conn)
    else:
        tx.target = f"schedule {schedule_id}"
        done = (
            schedules.pause(tx.conn, schedule_id, **told)
            if paused
            else schedules.resume(tx.conn, schedule_id, tx.now)
        )
        tx.changed("schedule", schedule_id, said)
        found = [schedules.get(tx.conn, schedule_id)]
    tx.detail = {"changed": done}
    return found


@action("schedule.run", Role.OPERATOR, "run schedules", wakes=True)
def run(tx: Tx, schedule_id: int) -> Job:
    """Create the job that its next tick would create, now; its ticks stay as they are.

    Raises:
        NotFound: no such schedule.
        WrongState: the pipeline is not published.
        Duplicate: the pipeline allows no other job with the same parameters now.
        InvalidValue: its parameters no longer fit.
    """
    tx.target = f"schedule {schedule_id}"
    schedule = schedules.get(tx.conn, schedule_id)
    item = EnqueueItem(flow=schedule.flow, params=schedule.params)
    origin = Origin(source="schedule", created_by=tx.actor.name, schedule_id=schedule.id)
    new = prepare(tx.conn, [item], origin, Recipes(), now=tx.now)
    (job_id,) = enqueue(tx.conn, new, tx.now)
    kept = isinstance(job_id, Kept)
    tx.detail = {"job": int(job_id), "kept": kept}
    if not kept:
        tx.changed("job", job_id, "created")
    tx.changed("schedule", schedule_id, "run")
    return msgspec.structs.replace(jobs.get(tx.conn, int(job_id)), kept=kept)


def _check(tx: Tx, flow: str, params: dict[str, Any], settings: dict[str, Any]) -> None:
    for field, value in settings.items():
        if field not in schedules.SETTINGS:
            known = ", ".join(schedules.SETTINGS)
            raise InvalidValue(field, f"a schedule has no such setting; there are: {known}")
        if isinstance(value, str):
            check_text(value, field)
    pipeline = pipelines.get(tx.conn, flows.get(tx.conn, flow).pipeline)
    check_some(params, pipeline.manifest)
