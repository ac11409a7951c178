"""Flows: pipelines as they are configured, and all that creating jobs of one takes."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Select, insert, select, update

from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import Duplicate, InvalidValue, NotFound, WrongState
from jobdeck.domain.following import parse
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.records import Flow
from jobdeck.domain.retry import RetryPolicy
from jobdeck.domain.schema import ParamsCheck
from jobdeck.domain.states import FINAL
from jobdeck.store import counters, followers, limits, queues
from jobdeck.store.names import known_flows, missing
from jobdeck.store.pipelines import decode_manifest
from jobdeck.store.tables import fires, flows, pipelines, schedules, versions
from jobdeck.store.tables import queues as queue_rows
from jobdeck.store.values import AnyRow, decode, driver, encode

_decode_retry = msgspec.json.Decoder(RetryPolicy).decode

Stamp = tuple[int, Micros, int | None, Micros]
"""Changes whenever a flow or its pipeline does: the flow's number and last update, the
published version and the pipeline's last update."""


class Target(Struct, frozen=True, kw_only=True):
    """A flow with what creating its jobs takes: the numbers of it, its queue and pipeline, and
    the published version."""

    flow: Flow
    flow_id: int
    queue_id: int
    pipeline_id: int
    version: int
    manifest: PipelineManifest
    stamp: Stamp


def get(conn: Connection, name: str) -> Flow:
    """The flow of that name.

    Raises:
        NotFound: there is none; says which name is near.
    """
    row = conn.execute(_select().where(flows.c.name == name)).first()
    if row is None:
        raise _missing(conn, name)
    return _record(row, followers.of(conn, [row.id]))


def all(conn: Connection, pipeline: str = "") -> list[Flow]:  # noqa: A001
    """Every flow by name, or those of one pipeline."""
    query = _select().order_by(flows.c.name)
    if pipeline:
        query = query.where(pipelines.c.name == pipeline)
    after = followers.of(conn)
    return [_record(row, after) for row in conn.execute(query)]


def known(conn: Connection) -> list[tuple[int, str, str]]:
    """The number and name of every flow with the name of its pipeline, in the order of their
    names."""
    living = (each for each in known_flows(conn) if not each.removed)
    return sorted(((each.id, each.name, each.pipeline) for each in living), key=lambda e: e[1])


def names(conn: Connection, pipeline: str = "") -> list[str]:
    """The name of every flow in their order, or of those of one pipeline."""
    return [flow for _, flow, own in known(conn) if pipeline in ("", own)]


def create(
    conn: Connection,
    *,
    name: str,
    pipeline: str,
    now: Micros,
    queue: str = "",
    priority: int | None = None,
    params: dict[str, Any] | None = None,
    context: str = "",
    retry: RetryPolicy | None = None,
    timeout_s: float | None = None,
    max_running: int | None = None,
    rate: str | None = None,
    after: Sequence[str] = (),
) -> Flow:
    """Configure a new flow; queue and priority are the pipeline's unless given. It runs after
    the flows of `after`, see `domain.following`.

    Raises:
        Duplicate: there is a flow of that name.
        NotFound: there is no such pipeline, or no such flow to run after.
        InvalidValue: a limit is none, or the flow would run after itself.
    """
    pipeline_id, manifest = _pipeline(conn, pipeline)
    values = {
        "pipeline_id": pipeline_id,
        "queue_id": queues.ensure(conn, queue or manifest.queue),
        "priority": manifest.priority if priority is None else priority,
        "params": encode(params or {}),
        "context": context,
        "retry": None if retry is None else encode(retry),
        "timeout_s": timeout_s,
        **limits.columns({"max_running": max_running, "rate": rate}),
        "created_at": now,
        "updated_at": now,
    }
    old = conn.execute(select(flows.c.id, flows.c.removed_at).where(flows.c.name == name)).first()
    if old is not None and old.removed_at is None:
        raise Duplicate(f"There is a flow {name!r} already. Take another name, or edit that one.")
    if old is not None:
        values["removed_at"] = None
        conn.execute(update(flows).where(flows.c.id == old.id).values(values))
    else:
        conn.execute(insert(flows).values(name=name, **values))
    if after:
        followers.put(conn, get(conn, name).id, name, parse(after, name))
    return get(conn, name)


def _pipeline(conn: Connection, name: str) -> tuple[int, PipelineManifest]:
    """The number of the pipeline, and its current version."""
    found = conn.execute(
        select(pipelines.c.id, versions.c.manifest)
        .join(
            versions,
            (versions.c.pipeline_id == pipelines.c.id)
            & (versions.c.version == pipelines.c.current_version),
        )
        .where(pipelines.c.name == name, pipelines.c.removed_at.is_(None))
    ).first()
    if found is None:
        known = select(pipelines.c.name).where(pipelines.c.removed_at.is_(None))
        raise missing("pipeline", name, conn.execute(known).scalars())
    return found.id, decode_manifest(found.manifest)


_EDITABLE = frozenset(
    {"queue", "priority", "params", "context", "retry", "timeout_s", "after", *limits.SETTINGS}
)


def edit(conn: Connection, name: str, changes: dict[str, Any], now: Micros) -> Flow:
    """Change what `changes` names of queue, priority, params, context, retry, timeout_s,
    max_running, rate and after. Jobs that wait keep their queue and priority; limits hold for
    them, too.

    Raises:
        NotFound: there is no such flow, or none of a name in after.
        InvalidValue: `changes` names something else, a limit is none, or the flow would run
            after itself.
    """
    flow = get(conn, name)
    for field in changes:
        if field not in _EDITABLE:
            known = ", ".join(sorted(_EDITABLE))
            raise InvalidValue(field, f"a flow has no such setting to change; there are: {known}")
    values = limits.columns(changes)
    if "after" in values:
        followers.put(conn, flow.id, name, parse(values.pop("after"), name))
    if "queue" in values:
        values["queue_id"] = queues.ensure(conn, values.pop("queue"))
    if "params" in values:
        values["params"] = encode(values["params"])
    if values.get("retry") is not None:
        values["retry"] = encode(values["retry"])
    # Later than before even if the clock stands still, so that every change is noticed.
    values["updated_at"] = max(now, flow.updated_at + 1)
    conn.execute(update(flows).where(flows.c.id == flow.id).values(values))
    return get(conn, name)


def delete(conn: Connection, name: str, now: Micros) -> None:
    """Take the flow away with its schedules; its jobs remain to be seen.

    Raises:
        NotFound: there is no such flow.
        WrongState: some of its jobs have not ended, or it is its pipeline's default flow.
    """
    flow = get(conn, name)
    if flow.name == flow.pipeline:
        raise WrongState(
            f"Flow {name!r} is the default flow of its pipeline and goes with it; remove the "
            "pipeline instead."
        )
    totals = counters.totals(conn, flow_id=flow.id)
    waiting = sum(n for status, n in totals.items() if status not in FINAL)
    if waiting:
        raise WrongState(f"Flow {name!r} has {waiting} jobs that have not ended; stop them first.")
    own = select(schedules.c.id).where(schedules.c.flow_id == flow.id)
    conn.execute(fires.delete().where(fires.c.schedule_id.in_(own)))
    conn.execute(schedules.delete().where(schedules.c.flow_id == flow.id))
    followers.forget(conn, [flow.id])
    conn.execute(update(flows).where(flows.c.id == flow.id).values(removed_at=now, updated_at=now))


def check(conn: Connection, name: str, params: Mapping[str, Any]) -> dict[str, str]:
    """Whether a job of the flow could run, with `params` over the flow's: every parameter that
    does not fit, with what is wrong with it.

    Raises:
        NotFound: there is no such flow.
        WrongState: its pipeline is not published.
    """
    found = target(conn, name)
    given = {**found.flow.params, **params}
    return ParamsCheck(found.manifest.params_schema).problems(given)


def target(conn: Connection, name: str) -> Target:
    """All that creating jobs of the flow takes.

    Raises:
        NotFound: there is no such flow; says which name is near.
        WrongState: its pipeline is not published.
    """
    query = (
        _select()
        .add_columns(
            pipelines.c.published_version,
            pipelines.c.updated_at.label("pipeline_updated_at"),
            versions.c.manifest,
        )
        .outerjoin(
            versions,
            (versions.c.pipeline_id == pipelines.c.id)
            & (versions.c.version == pipelines.c.published_version),
        )
        .where(flows.c.name == name)
    )
    row = conn.execute(query).first()
    if row is None:
        raise _missing(conn, name)
    if row.manifest is None:
        raise WrongState(
            f"Flow {name!r} cannot be run: its pipeline {row.pipeline!r} is not published. "
            f"Publish it with: jobdeck pipelines publish {row.pipeline}"
        )
    return Target(
        flow=_record(row, {}),
        flow_id=row.id,
        queue_id=row.queue_id,
        pipeline_id=row.pipeline_id,
        version=row.published_version,
        manifest=decode_manifest(row.manifest),
        stamp=(row.id, row.updated_at, row.published_version, row.pipeline_updated_at),
    )


_STAMP = (
    "SELECT f.id, f.updated_at, p.published_version, p.updated_at FROM flows f "
    "JOIN pipelines p ON p.id = f.pipeline_id WHERE f.removed_at IS NULL AND f.name = "
)


def stamp(conn: Connection, name: str) -> Stamp | None:
    """What tells whether a `Target` that was read before still holds; None: the flow is gone."""
    # Part of every enqueue: through SQLAlchemy it takes five times as long.
    mark = "?" if conn.dialect.name == "sqlite" else "%s"
    row = driver(conn).execute(_STAMP + mark, (name,)).fetchone()
    return None if row is None else (row[0], row[1], row[2], row[3])


def _select() -> Select[*tuple[Any, ...]]:
    return (
        select(
            *(flows.c.id, flows.c.name, flows.c.pipeline_id, flows.c.queue_id, flows.c.priority),
            *(flows.c.params, flows.c.context, flows.c.retry, flows.c.timeout_s),
            *(flows.c.max_running, flows.c.rate_count, flows.c.rate_period_s),
            *(flows.c.created_at, flows.c.updated_at),
            pipelines.c.name.label("pipeline"),
            queue_rows.c.name.label("queue"),
        )
        .select_from(flows)
        .join(pipelines, pipelines.c.id == flows.c.pipeline_id)
        .join(queue_rows, queue_rows.c.id == flows.c.queue_id)
        .where(flows.c.removed_at.is_(None))
    )


def _record(row: AnyRow, after: Mapping[int, list[str]]) -> Flow:
    return Flow(
        id=row.id,
        name=row.name,
        pipeline=row.pipeline,
        queue=row.queue,
        priority=row.priority,
        params=decode(row.params),
        context=row.context,
        retry=None if row.retry is None else _decode_retry(row.retry),
        timeout_s=row.timeout_s,
        max_running=row.max_running,
        rate=limits.rate_text(row),
        after=after.get(row.id, []),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _missing(conn: Connection, name: str) -> NotFound:
    known = select(flows.c.name).where(flows.c.removed_at.is_(None))
    return missing("flow", name, conn.execute(known).scalars())
