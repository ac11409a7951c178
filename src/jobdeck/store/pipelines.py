"""Pipelines and their versions: registering what code defines, publishing, removing."""

from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import Duplicate, NotFound, WrongState
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.records import Pipeline, Version
from jobdeck.domain.states import FINAL
from jobdeck.store import counters, followers, queues
from jobdeck.store.names import missing
from jobdeck.store.tables import flows, pipelines, schedules, versions
from jobdeck.store.values import AnyRow, insert_into

decode_manifest = msgspec.json.Decoder(PipelineManifest).decode
_COLUMNS = (
    *(pipelines.c.id, pipelines.c.name, pipelines.c.current_version),
    *(pipelines.c.published_version, pipelines.c.created_at, pipelines.c.updated_at),
)

_NAMES = select(pipelines.c.name).where(pipelines.c.removed_at.is_(None)).order_by(pipelines.c.name)


def register(
    conn: Connection, manifest: PipelineManifest, now: Micros, *, publish: bool
) -> tuple[Pipeline, bool]:
    """Take in a pipeline as its code defines it; gives it and whether anything changed.

    A new fingerprint makes a new version, one that was there before makes that version the
    current one again. `publish` also publishes it. The pipeline's default flow and queue are
    created if they are missing; of a flow that is there, only what still stands as the last
    version defined it follows the definition.

    Raises:
        Duplicate: its default flow's name is taken by a flow of another pipeline.
    """
    row = _find(conn, manifest.name)
    if row is not None and _is_current(conn, row, manifest, publish):
        return _record(conn, row), False
    row = _locked(conn, manifest.name, now)
    before = _version(conn, row.id, row.current_version)
    version = _add_version(conn, row.id, manifest, now)
    values: dict[str, Any] = {"current_version": version, "updated_at": now, "removed_at": None}
    if publish:
        values["published_version"] = version
    conn.execute(update(pipelines).where(pipelines.c.id == row.id).values(values))
    _set_default_flow(conn, row.id, before, manifest, now)
    return get(conn, manifest.name), True


def get(conn: Connection, name: str) -> Pipeline:
    """The pipeline of that name.

    Raises:
        NotFound: there is none; says which name is near.
    """
    row = _find(conn, name)
    if row is None:
        raise _missing(conn, name)
    return _record(conn, row)


def all(conn: Connection) -> list[Pipeline]:  # noqa: A001
    """Every pipeline by name."""
    query = select(*_COLUMNS, versions.c.manifest).join(
        versions,
        (versions.c.pipeline_id == pipelines.c.id)
        & (versions.c.version == pipelines.c.current_version),
    )
    rows = conn.execute(query.where(pipelines.c.removed_at.is_(None)).order_by(pipelines.c.name))
    return [_build(row, row.manifest) for row in rows]


def names(conn: Connection) -> list[str]:
    """The name of every pipeline, in their order."""
    return list(conn.execute(_NAMES).scalars())


def manifest(conn: Connection, pipeline_id: int, version: int) -> PipelineManifest:
    """One version as its code defined it.

    Raises:
        NotFound: there is no such version.
    """
    found = _version(conn, pipeline_id, version)
    if found is None:
        raise NotFound("version", version)
    return found


def all_versions(conn: Connection, pipeline_id: int, *, limit: int = 500) -> list[Version]:
    """The versions of a pipeline, the newest first."""
    query = (
        select(versions.c.version, versions.c.fingerprint, versions.c.created_at)
        .where(versions.c.pipeline_id == pipeline_id)
        .order_by(versions.c.version.desc())
        .limit(limit)
    )
    return [
        Version(version=row.version, fingerprint=row.fingerprint, created_at=row.created_at)
        for row in conn.execute(query)
    ]


def published(conn: Connection) -> dict[int, tuple[str, str, int]]:
    """Of each published pipeline by its number: its name, fingerprint and published version."""
    query = select(
        pipelines.c.id, pipelines.c.name, versions.c.fingerprint, versions.c.version
    ).join(
        versions,
        (versions.c.pipeline_id == pipelines.c.id)
        & (versions.c.version == pipelines.c.published_version),
    )
    return {number: (name, mark, version) for number, name, mark, version in conn.execute(query)}


def publish(conn: Connection, name: str, now: Micros, version: int | None = None) -> bool:
    """Let jobs run `version` (None: the current one); False: they do already.

    Raises:
        NotFound: there is no such pipeline or version.
    """
    pipeline = get(conn, name)
    wanted = pipeline.current_version if version is None else version
    manifest(conn, pipeline.id, wanted)
    return _publish(conn, pipeline, wanted, now)


def unpublish(conn: Connection, name: str, now: Micros) -> bool:
    """Let no more of its jobs start; False: it was not published.

    Raises:
        NotFound: there is no such pipeline.
    """
    return _publish(conn, get(conn, name), None, now)


def remove(conn: Connection, name: str, now: Micros) -> None:
    """Take the pipeline away with its flows and schedules; its jobs remain to be seen.

    Raises:
        NotFound: there is no such pipeline.
        WrongState: some of its jobs have not ended.
    """
    pipeline = get(conn, name)
    totals = counters.totals(conn, pipeline_id=pipeline.id)
    waiting = sum(n for status, n in totals.items() if status not in FINAL)
    if waiting:
        raise WrongState(
            f"Pipeline {name!r} has {waiting} jobs that have not ended; stop them first."
        )
    own = select(flows.c.id).where(flows.c.pipeline_id == pipeline.id)
    conn.execute(schedules.delete().where(schedules.c.flow_id.in_(own)))
    followers.forget(conn, conn.execute(own).scalars().all())
    conn.execute(update(flows).where(flows.c.pipeline_id == pipeline.id).values(removed_at=now))
    conn.execute(
        update(pipelines)
        .where(pipelines.c.id == pipeline.id)
        .values(removed_at=now, published_version=None)
    )


def _publish(conn: Connection, pipeline: Pipeline, version: int | None, now: Micros) -> bool:
    changed = conn.execute(
        update(pipelines)
        .where(
            pipelines.c.id == pipeline.id,
            pipelines.c.published_version.is_distinct_from(version),
        )
        .values(published_version=version, updated_at=now)
    )
    return bool(changed.rowcount)


def _find(conn: Connection, name: str) -> AnyRow | None:
    query = select(*_COLUMNS).where(pipelines.c.name == name, pipelines.c.removed_at.is_(None))
    return conn.execute(query).first()


def _is_current(conn: Connection, row: AnyRow, manifest: PipelineManifest, publish: bool) -> bool:
    if publish and row.published_version != row.current_version:
        return False
    query = select(versions.c.fingerprint).where(
        versions.c.pipeline_id == row.id, versions.c.version == row.current_version
    )
    return conn.execute(query).scalar() == manifest.fingerprint


def _locked(conn: Connection, name: str, now: Micros) -> AnyRow:
    """The pipeline's row, created if need be, that nobody else registers beside."""
    new = insert_into(conn, pipelines).values(
        name=name, current_version=0, created_at=now, updated_at=now
    )
    conn.execute(new.on_conflict_do_nothing(index_elements=["name"]))
    query = select(*_COLUMNS).where(pipelines.c.name == name)
    return conn.execute(query.with_for_update()).one()


def _add_version(
    conn: Connection, pipeline_id: int, manifest: PipelineManifest, now: Micros
) -> int:
    own = versions.c.pipeline_id == pipeline_id
    known: int | None = conn.execute(
        select(versions.c.version).where(own, versions.c.fingerprint == manifest.fingerprint)
    ).scalar()
    if known is not None:
        return known
    newest: int | None = conn.execute(select(func.max(versions.c.version)).where(own)).scalar()
    version = (newest or 0) + 1
    conn.execute(
        insert(versions).values(
            pipeline_id=pipeline_id,
            version=version,
            fingerprint=manifest.fingerprint,
            manifest=msgspec.json.encode(manifest).decode(),
            created_at=now,
        )
    )
    return version


def _set_default_flow(
    conn: Connection,
    pipeline_id: int,
    before: PipelineManifest | None,
    manifest: PipelineManifest,
    now: Micros,
) -> None:
    queue_id = queues.ensure(conn, manifest.queue)
    row = conn.execute(select(flows).where(flows.c.name == manifest.name)).first()
    if row is None:
        conn.execute(
            insert(flows).values(
                name=manifest.name,
                pipeline_id=pipeline_id,
                queue_id=queue_id,
                priority=manifest.priority,
                created_at=now,
                updated_at=now,
            )
        )
        return
    if row.pipeline_id != pipeline_id and row.removed_at is None:
        raise Duplicate(
            f"Pipeline {manifest.name!r} cannot be registered: another pipeline has a flow of "
            "that name. Rename one of them."
        )
    changed: dict[str, Any] = {}
    if row.removed_at is not None:
        changed = {"removed_at": None, "pipeline_id": pipeline_id, "queue_id": queue_id}
        changed |= {"priority": manifest.priority, "params": "{}", "context": ""}
        changed |= {"retry": None, "timeout_s": None}
    elif before is not None:
        if before.queue != manifest.queue and row.queue_id == queues.ids(conn).get(before.queue):
            changed["queue_id"] = queue_id
        if before.priority != manifest.priority and row.priority == before.priority:
            changed["priority"] = manifest.priority
    if changed:
        conn.execute(update(flows).where(flows.c.id == row.id).values(updated_at=now, **changed))


def _version(conn: Connection, pipeline_id: int, version: int) -> PipelineManifest | None:
    query = select(versions.c.manifest).where(
        versions.c.pipeline_id == pipeline_id, versions.c.version == version
    )
    text: str | None = conn.execute(query).scalar()
    return None if text is None else decode_manifest(text)


def _record(conn: Connection, row: AnyRow) -> Pipeline:
    query = select(versions.c.manifest).where(
        versions.c.pipeline_id == row.id, versions.c.version == row.current_version
    )
    return _build(row, conn.execute(query).scalar_one())


def _build(row: AnyRow, text: str) -> Pipeline:
    return Pipeline(
        id=row.id,
        name=row.name,
        current_version=row.current_version,
        published_version=row.published_version,
        manifest=decode_manifest(text),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _missing(conn: Connection, name: str) -> NotFound:
    known = select(pipelines.c.name).where(pipelines.c.removed_at.is_(None))
    return missing("pipeline", name, conn.execute(known).scalars())
