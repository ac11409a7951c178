"""Schedules: what is due, firing each tick once, and those that a definition declares."""

from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from jobdeck.domain.builtin import SCHEDULER
from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import InvalidValue, NotFound
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.records import Schedule
from jobdeck.domain.states import Code, Status
from jobdeck.domain.ticks import Misfire, Overlap, Times, check_rules
from jobdeck.store import flows as flow_store
from jobdeck.store import jobs, queues
from jobdeck.store.tables import fires, flows, running, schedules
from jobdeck.store.tables import jobs as job_rows
from jobdeck.store.values import AnyRow, decode, encode, insert_into, is_number

DEFINITION = "definition"
"""The vendor type of schedules that the code of a pipeline declares."""

TIMES = ("cron", "interval_s", "timezone", "start_at", "end_at")
RULES = ("jitter_s", "misfire", "overlap")
SETTINGS = ("flow", *TIMES, *RULES, "params", "vendor_type", "vendor_id")
"""What can be changed of a schedule."""

LOOK_BACK = 1000
"""Jobs of a schedule among which its open ones are looked for."""


def all(conn: Connection, flow: str = "") -> list[Schedule]:  # noqa: A001
    """Every schedule by number, or those of one flow."""
    query = _select().order_by(schedules.c.id)
    if flow:
        query = query.where(flows.c.name == flow)
    return _records(conn, conn.execute(query).fetchall())


def get(conn: Connection, schedule_id: int) -> Schedule:
    """The schedule of that number.

    Raises:
        NotFound: there is none.
    """
    if is_number(schedule_id):
        rows = conn.execute(_select().where(schedules.c.id == schedule_id)).fetchall()
        if rows:
            return _records(conn, rows)[0]
    raise NotFound("schedule", schedule_id)


def create(
    conn: Connection,
    *,
    flow: str,
    now: Micros,
    params: dict[str, Any] | None = None,
    vendor_type: str = "",
    vendor_id: str = "",
    **rule: Any,
) -> Schedule:
    """Let the flow run by itself; `rule` is what `TIMES` and `RULES` name, as in `Schedule`.

    Raises:
        InvalidValue: it cannot be read, or leaves no tick.
        NotFound: there is no such flow.
    """
    times = Times(made_at=now, **{name: rule[name] for name in TIMES if name in rule})
    check_rules(rule)
    values = {
        **rule,
        "flow_id": flow_store.get(conn, flow).id,
        "params": encode(params or {}),
        "vendor_type": vendor_type,
        "vendor_id": vendor_id,
        "next_at": times.check(now),
        "created_at": now,
        "updated_at": now,
    }
    key = conn.execute(insert(schedules).values(values)).inserted_primary_key
    assert key is not None
    return get(conn, key[0])


def edit(conn: Connection, schedule_id: int, changes: dict[str, Any], now: Micros) -> Schedule:
    """Change what `changes` names of `SETTINGS`. New times hold from now on: ticks that were
    missed before are forgotten.

    Raises:
        InvalidValue: the result cannot be read, or `changes` names something else.
        NotFound: there is no such schedule or flow.
    """
    for field in changes:
        if field not in SETTINGS:
            known = ", ".join(SETTINGS)
            raise InvalidValue(field, f"a schedule has no such setting; there are: {known}")
    old = get(conn, schedule_id)
    values = dict(changes)
    if values.get("cron"):
        values.setdefault("interval_s", None)
    elif values.get("interval_s") is not None:
        values.setdefault("cron", "")
    if any(name in values for name in TIMES):
        given = {name: values.get(name, getattr(old, name)) for name in TIMES}
        values["next_at"] = Times(made_at=old.created_at, **given).check(now)
    check_rules(values)
    if values.get("overlap", Overlap.QUEUE) != Overlap.QUEUE:
        values["waiting_at"] = None
    if "flow" in values:
        values["flow_id"] = flow_store.get(conn, values.pop("flow")).id
    if "params" in values:
        values["params"] = encode(values["params"])
    values["updated_at"] = now
    conn.execute(update(schedules).where(schedules.c.id == schedule_id).values(values))
    return get(conn, schedule_id)


def times(schedule: Schedule) -> Times:
    """When it ticks."""
    return Times(made_at=schedule.created_at, **{name: getattr(schedule, name) for name in TIMES})


def remove(conn: Connection, schedule_id: int) -> None:
    """Take the schedule away; the jobs that it created remain.

    Raises:
        NotFound: there is no such schedule.
    """
    get(conn, schedule_id)
    conn.execute(delete(fires).where(fires.c.schedule_id == schedule_id))
    conn.execute(delete(schedules).where(schedules.c.id == schedule_id))


def pause(conn: Connection, schedule_id: int, *, by: str, reason: str, now: Micros) -> bool:
    """Let it fire no more; False: it was paused already, and stays as it was.

    Raises:
        NotFound: there is no such schedule.
    """
    get(conn, schedule_id)
    changed = conn.execute(
        update(schedules)
        .where(schedules.c.id == schedule_id, schedules.c.paused_at.is_(None))
        .values(paused_at=now, paused_by=by, paused_reason=reason, updated_at=now)
    )
    return bool(changed.rowcount)


def resume(conn: Connection, schedule_id: int, now: Micros) -> bool:
    """Let it fire again; False: it was not paused. What was missed meanwhile stays due for its
    misfire rule to decide, unless that is skip.

    Raises:
        NotFound: there is no such schedule.
    """
    conn.execute(select(schedules.c.id).where(schedules.c.id == schedule_id).with_for_update())
    old = get(conn, schedule_id)
    values: dict[str, Any] = {"paused_at": None, "paused_by": "", "paused_reason": ""}
    if old.misfire == Misfire.SKIP:
        values["next_at"] = times(old).after(now)
    changed = conn.execute(
        update(schedules)
        .where(schedules.c.id == schedule_id, schedules.c.paused_at.is_not(None))
        .values(**values, updated_at=now)
    )
    return bool(changed.rowcount)


_ACTIVE = schedules.c.paused_at.is_(None)


def due(conn: Connection, now: Micros, limit: int = 100) -> list[int]:
    """The numbers of those whose time has come, the most overdue first, and of those with a tick
    that waits for a job to end."""
    ripe = (
        select(schedules.c.id)
        .where(schedules.c.next_at <= now, _ACTIVE)
        .order_by(schedules.c.next_at)
        .limit(limit)
    )
    waiting = select(schedules.c.id).where(schedules.c.waiting_at.is_not(None), _ACTIVE)
    found = [*conn.execute(ripe).scalars(), *conn.execute(waiting).scalars()]
    return list(dict.fromkeys(found))


def next_due(conn: Connection) -> Micros | None:
    """When the next one is due; None: none ever is."""
    found: Micros | None = conn.execute(
        select(func.min(schedules.c.next_at)).where(_ACTIVE)
    ).scalar()
    return found


def take(conn: Connection, schedule_id: int) -> Schedule | None:
    """The schedule as it stands, which nobody else changes until the transaction ends; None: it
    is paused or gone."""
    query = _select().where(schedules.c.id == schedule_id, _ACTIVE)
    row = conn.execute(query.with_for_update(of=schedules)).first()
    return None if row is None else _record(row, None)


def drop_missed(conn: Connection, now: Micros) -> None:
    """Everything is paused: ticks up to now that would not be made up for are over."""
    query = _select().where(
        schedules.c.next_at <= now, schedules.c.misfire == Misfire.SKIP, _ACTIVE
    )
    # Locked, or the times would be those from before an edit.
    for row in conn.execute(query.with_for_update(of=schedules)).fetchall():
        schedule = _record(row, None)
        advance(conn, schedule.id, times(schedule).after(now))


def follow_clock(conn: Connection, now: Micros) -> int:
    """Let those fire at their next tick from now on that have gone farther, since the clock was
    set back meanwhile; gives how many. Ticks that have fired do not fire again."""
    active = [_record(row, None) for row in conn.execute(_select().where(_ACTIVE))]
    found = [take(conn, each.id) for each in active if _is_ahead(each, now)]
    taken = [schedule for schedule in found if schedule is not None]
    ahead = [schedule for schedule in taken if _is_ahead(schedule, now)]
    for schedule in ahead:
        advance(conn, schedule.id, times(schedule).after(now))
    return len(ahead)


def _is_ahead(schedule: Schedule, now: Micros) -> bool:
    first = None if schedule.next_at is None else times(schedule).after(now)
    return first is not None and schedule.next_at is not None and first < schedule.next_at


def claim_fire(conn: Connection, schedule_id: int, fire_at: Micros) -> bool:
    """Take it upon this transaction to fire that tick; False: another one did."""
    row = insert_into(conn, fires).values(schedule_id=schedule_id, fire_at=fire_at)
    taken = row.on_conflict_do_nothing().returning(fires.c.fire_at)
    return conn.execute(taken).first() is not None


def advance(conn: Connection, schedule_id: int, next_at: Micros | None) -> None:
    """Say when it is due next."""
    conn.execute(update(schedules).where(schedules.c.id == schedule_id).values(next_at=next_at))


def wait(conn: Connection, schedule_id: int, tick: Micros) -> None:
    """Let the tick wait until the schedule's open job has ended, in the place of an earlier one."""
    conn.execute(update(schedules).where(schedules.c.id == schedule_id).values(waiting_at=tick))


def fired(conn: Connection, schedule_id: int, tick: Micros, job_id: int) -> None:
    """The tick has created that job."""
    conn.execute(
        update(fires)
        .where(fires.c.schedule_id == schedule_id, fires.c.fire_at == tick)
        .values(job_id=job_id)
    )
    conn.execute(
        update(schedules)
        .where(schedules.c.id == schedule_id)
        .values(last_at=tick, last_job_id=job_id, waiting_at=None)
    )


def has_open_job(conn: Connection, schedule_id: int) -> bool:
    """Whether a job of the schedule has not ended.

    Looked for among its latest jobs and all that run: of older ones only a job that somebody
    retried, and that has not begun yet, can be open.
    """
    latest = (
        select(job_rows.c.status)
        .where(job_rows.c.schedule_id == schedule_id)
        .order_by(job_rows.c.id.desc())
        .limit(LOOK_BACK)
        .subquery()
    )
    found = conn.execute(select(latest.c.status).where(latest.c.status == int(Code.OPEN)).limit(1))
    if found.first() is not None:
        return True
    held = (
        select(running.c.job_id)
        .join(job_rows, job_rows.c.id == running.c.job_id)
        .where(job_rows.c.schedule_id == schedule_id)
    )
    return conn.execute(held.limit(1)).first() is not None


def trim_fires(conn: Connection, before: Micros) -> int:
    """Forget ticks that fired before then; gives how many."""
    return conn.execute(delete(fires).where(fires.c.fire_at < before)).rowcount


def sync_defined(conn: Connection, manifest: PipelineManifest, now: Micros) -> bool:
    """Make the schedules that the pipeline's code declares those of its default flow; gives
    whether anything changed. One that is paused stays paused."""
    flow = flow_store.get(conn, manifest.name)
    mine = (schedules.c.flow_id == flow.id) & (schedules.c.vendor_type == DEFINITION)
    rows = conn.execute(select(schedules).where(mine).order_by(schedules.c.id)).fetchall()
    changed = False
    for position, wanted in enumerate(manifest.schedules):
        rule = {
            "cron": wanted.get("cron", ""),
            "interval_s": wanted.get("interval_s"),
            "timezone": wanted.get("timezone", "UTC"),
            "jitter_s": wanted.get("jitter_s", 0.0),
            "misfire": wanted.get("misfire", Misfire.ONCE),
            "overlap": wanted.get("overlap", Overlap.ALLOW),
            "params": wanted.get("params", {}),
        }
        if position >= len(rows):
            vendor_id = f"{manifest.name}/{position + 1}"
            create(
                conn, flow=flow.name, now=now, vendor_type=DEFINITION, vendor_id=vendor_id, **rule
            )
            changed = True
            continue
        old = rows[position]
        stands = {name: getattr(old, name) for name in rule if name != "params"}
        stands["params"] = decode(old.params)
        if stands != rule:
            edit(conn, old.id, {k: v for k, v in rule.items() if v != stands[k]}, now)
            changed = True
    for old in rows[len(manifest.schedules) :]:
        remove(conn, old.id)
        changed = True
    return changed


def _select() -> Select[*tuple[Any, ...]]:
    return select(schedules, flows.c.name.label("flow")).join(
        flows, flows.c.id == schedules.c.flow_id
    )


def _records(conn: Connection, rows: Any) -> list[Schedule]:
    last = jobs.statuses(conn, [row.last_job_id for row in rows if row.last_job_id])
    held = queues.ids(conn).get(SCHEDULER) in queues.paused(conn)
    return [_record(row, last.get(row.last_job_id), held=held) for row in rows]


def _record(row: AnyRow, last_status: Status | None, *, held: bool = False) -> Schedule:
    return Schedule(
        id=row.id,
        flow=row.flow,
        cron=row.cron,
        interval_s=row.interval_s,
        timezone=row.timezone,
        start_at=row.start_at,
        end_at=row.end_at,
        jitter_s=row.jitter_s,
        misfire=row.misfire,
        overlap=row.overlap,
        params=decode(row.params),
        vendor_type=row.vendor_type,
        vendor_id=row.vendor_id,
        paused_at=row.paused_at,
        paused_by=row.paused_by,
        paused_reason=row.paused_reason,
        held=held,
        next_at=None if held or row.paused_at is not None else row.next_at,
        waiting_at=row.waiting_at,
        last_at=row.last_at,
        last_job=row.last_job_id,
        last_status=last_status,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
