"""Schedules: what is due, firing each tick once, and those that a definition declares."""

from typing import Any

from sqlalchemy import Connection, Select, case, delete, func, insert, select, update

from jobdeck.domain import cron
from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import InvalidValue, NotFound
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.records import Schedule
from jobdeck.domain.states import Status
from jobdeck.store import flows as flow_store
from jobdeck.store import jobs
from jobdeck.store.tables import fires, flows, schedules
from jobdeck.store.values import AnyRow, decode, encode, insert_into, is_number

DEFINITION = "definition"
"""The vendor type of schedules that the code of a pipeline declares."""


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
    cron: str = "",
    interval_s: float | None = None,
    timezone: str = "UTC",
    params: dict[str, Any] | None = None,
    vendor_type: str = "",
    vendor_id: str = "",
) -> Schedule:
    """Let the flow run by itself: by `cron` in `timezone`, or every `interval_s` from now.

    Raises:
        InvalidValue: neither or both are given, or one cannot be read.
        NotFound: there is no such flow.
    """
    values = {
        "flow_id": flow_store.get(conn, flow).id,
        "cron": cron,
        "interval_s": interval_s,
        "timezone": timezone,
        "params": encode(params or {}),
        "vendor_type": vendor_type,
        "vendor_id": vendor_id,
        "next_at": next_tick(cron, interval_s, timezone, anchor=now, after=now),
        "created_at": now,
        "updated_at": now,
    }
    key = conn.execute(insert(schedules).values(values)).inserted_primary_key
    assert key is not None
    return get(conn, key[0])


def edit(conn: Connection, schedule_id: int, changes: dict[str, Any], now: Micros) -> Schedule:
    """Change what `changes` names of flow, cron, interval_s, timezone and params.

    Raises:
        InvalidValue: the result cannot be read, or `changes` names something else.
        NotFound: there is no such schedule or flow.
    """
    known = ("flow", "cron", "interval_s", "timezone", "params")
    for field in changes:
        if field not in known:
            raise InvalidValue(field, f"a schedule has no such setting; there are: {known}")
    old = get(conn, schedule_id)
    values = dict(changes)
    if values.get("cron"):
        values.setdefault("interval_s", None)
    elif values.get("interval_s") is not None:
        values.setdefault("cron", "")
    due = next_tick(
        values.get("cron", old.cron),
        values.get("interval_s", old.interval_s),
        values.get("timezone", old.timezone),
        anchor=old.created_at,
        after=now,
    )
    if "flow" in values:
        values["flow_id"] = flow_store.get(conn, values.pop("flow")).id
    if "params" in values:
        values["params"] = encode(values["params"])
    values["next_at"] = due if old.paused_at is None else None
    values["updated_at"] = now
    conn.execute(update(schedules).where(schedules.c.id == schedule_id).values(values))
    return get(conn, schedule_id)


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
        .values(paused_at=now, paused_by=by, paused_reason=reason, next_at=None, updated_at=now)
    )
    return bool(changed.rowcount)


def resume(conn: Connection, schedule_id: int, now: Micros) -> bool:
    """Let it fire again, from its next tick after `now`; False: it was not paused.

    Raises:
        NotFound: there is no such schedule.
    """
    old = get(conn, schedule_id)
    due = next_tick(old.cron, old.interval_s, old.timezone, anchor=old.created_at, after=now)
    changed = conn.execute(
        update(schedules)
        .where(schedules.c.id == schedule_id, schedules.c.paused_at.is_not(None))
        .values(paused_at=None, paused_by="", paused_reason="", next_at=due, updated_at=now)
    )
    return bool(changed.rowcount)


def due(conn: Connection, now: Micros, limit: int = 100) -> list[Schedule]:
    """Those whose time has come, the most overdue first."""
    query = _select().where(schedules.c.next_at <= now).order_by(schedules.c.next_at).limit(limit)
    return [_record(row, None) for row in conn.execute(query)]


def next_due(conn: Connection) -> Micros | None:
    """When the next one is due; None: none ever is."""
    found: Micros | None = conn.execute(select(func.min(schedules.c.next_at))).scalar()
    return found


def claim_fire(conn: Connection, schedule_id: int, fire_at: Micros) -> bool:
    """Take it upon this transaction to fire that tick; False: another one did."""
    row = insert_into(conn, fires).values(schedule_id=schedule_id, fire_at=fire_at)
    taken = row.on_conflict_do_nothing().returning(fires.c.fire_at)
    return conn.execute(taken).first() is not None


def fired(
    conn: Connection,
    schedule_id: int,
    next_at: Micros | None,
    *,
    at: Micros | None = None,
    job_id: int | None = None,
) -> None:
    """Say when the schedule is due next; `at` and `job_id` tell of the tick that has fired."""
    values: dict[str, Any] = {
        # Somebody may have paused it meanwhile.
        "next_at": case((schedules.c.paused_at.is_(None), next_at), else_=None)
    }
    if at is not None:
        values |= {"last_at": at, "last_job_id": job_id}
        conn.execute(
            update(fires)
            .where(fires.c.schedule_id == schedule_id, fires.c.fire_at == at)
            .values(job_id=job_id)
        )
    conn.execute(update(schedules).where(schedules.c.id == schedule_id).values(values))


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
        stands = {name: getattr(old, name) for name in ("cron", "interval_s", "timezone")}
        if {**stands, "params": decode(old.params)} != rule:
            edit(conn, old.id, rule, now)
            changed = True
    for old in rows[len(manifest.schedules) :]:
        remove(conn, old.id)
        changed = True
    return changed


def next_tick(
    expression: str, interval_s: float | None, timezone: str, *, anchor: Micros, after: Micros
) -> Micros:
    """The first time after `after` at which such a schedule fires.

    Raises:
        InvalidValue: neither or both are given, or one cannot be read.
    """
    if bool(expression) == (interval_s is not None):
        raise InvalidValue("cron", "give either a cron expression or an interval")
    if interval_s is None:
        return next(cron.ticks(expression, timezone, after))
    if interval_s <= 0:
        raise InvalidValue("interval_s", f"{interval_s:g} is not above zero")
    cron.zone(timezone)
    return cron.interval_tick(interval_s, anchor, after)


def _select() -> Select[*tuple[Any, ...]]:
    return select(schedules, flows.c.name.label("flow")).join(
        flows, flows.c.id == schedules.c.flow_id
    )


def _records(conn: Connection, rows: Any) -> list[Schedule]:
    last = jobs.statuses(conn, [row.last_job_id for row in rows if row.last_job_id])
    return [_record(row, last.get(row.last_job_id)) for row in rows]


def _record(row: AnyRow, last_status: Status | None) -> Schedule:
    return Schedule(
        id=row.id,
        flow=row.flow,
        cron=row.cron,
        interval_s=row.interval_s,
        timezone=row.timezone,
        params=decode(row.params),
        vendor_type=row.vendor_type,
        vendor_id=row.vendor_id,
        paused_at=row.paused_at,
        paused_by=row.paused_by,
        paused_reason=row.paused_reason,
        next_at=row.next_at,
        last_at=row.last_at,
        last_job=row.last_job_id,
        last_status=last_status,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
