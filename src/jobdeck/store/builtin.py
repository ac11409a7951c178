"""The rows that stand for Jobdeck's own work: a queue, a pipeline and a flow for each kind."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select, update

from jobdeck.domain.builtin import WORKS, Work
from jobdeck.domain.clock import Micros
from jobdeck.store import queues
from jobdeck.store.enqueue import NewJob, enqueue
from jobdeck.store.tables import flows, pipelines, ready, versions
from jobdeck.store.values import encode, insert_into


def create_job(
    conn: Connection, work: Work, params: Any, now: Micros, *, source: str = "", by: str = ""
) -> int:
    """Create a job of that work, and give its number."""
    flow_id, queue_id = ensure(conn, work, now)
    new = NewJob(
        flow_id=flow_id, queue_id=queue_id, params=encode(params), source=source, created_by=by
    )
    return enqueue(conn, [new], now)[0]


def ensure_all(conn: Connection, now: Micros) -> list[int]:
    """See that all of them are there; gives the numbers of their queues."""
    return [ensure(conn, work, now)[1] for work in WORKS]


def is_waiting(conn: Connection, queue_ids: Sequence[int]) -> bool:
    """Whether any job waits in these queues: all that is asked for while there is nothing to
    do."""
    query = select(ready.c.job_id).where(ready.c.queue_id.in_(queue_ids)).limit(1)
    return conn.execute(query).first() is not None


def ensure(conn: Connection, work: Work, now: Micros) -> tuple[int, int]:
    """The numbers of its flow and queue, which are created if they are missing.

    Pipeline and flow stand as removed, so that nobody can configure them or run them by hand;
    only their jobs are seen.
    """
    queue_id = queues.ensure(conn, work.queue, builtin=True)
    fingerprint = work.manifest.fingerprint
    known = conn.execute(
        select(flows.c.id, versions.c.fingerprint)
        .join(pipelines, pipelines.c.id == flows.c.pipeline_id)
        .join(
            versions,
            (versions.c.pipeline_id == pipelines.c.id)
            & (versions.c.version == pipelines.c.published_version),
        )
        .where(flows.c.name == work.name)
    ).first()
    if known is not None and known.fingerprint == fingerprint:
        return known.id, queue_id
    return _register(conn, work, queue_id, now), queue_id


def _register(conn: Connection, work: Work, queue_id: int, now: Micros) -> int:
    fresh = {"name": work.name, "created_at": now, "updated_at": now, "removed_at": now}
    row = insert_into(conn, pipelines).values(current_version=0, **fresh)
    conn.execute(row.on_conflict_do_nothing(index_elements=["name"]))
    pipeline = conn.execute(
        select(pipelines.c.id, pipelines.c.current_version)
        .where(pipelines.c.name == work.name)
        .with_for_update()
    ).one()
    version = pipeline.current_version + 1
    conn.execute(
        insert(versions).values(
            pipeline_id=pipeline.id,
            version=version,
            fingerprint=work.manifest.fingerprint,
            manifest=msgspec.json.encode(work.manifest).decode(),
            created_at=now,
        )
    )
    conn.execute(
        update(pipelines)
        .where(pipelines.c.id == pipeline.id)
        .values(current_version=version, published_version=version, updated_at=now)
    )
    flow = insert_into(conn, flows).values(pipeline_id=pipeline.id, queue_id=queue_id, **fresh)
    conn.execute(flow.on_conflict_do_nothing(index_elements=["name"]))
    found: int = conn.execute(select(flows.c.id).where(flows.c.name == work.name)).scalar_one()
    return found
