"""What a running job may ask its pool: children, their results, new jobs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import msgspec
from sqlalchemy import Connection, select
from sqlalchemy.exc import OperationalError

from jobdeck.actions.creation import Origin, Recipes, prepare_known
from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.errors import Duplicate, InvalidValue, JobdeckError, Malformed, WrongState
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.states import Code
from jobdeck.domain.uniqueness import Kept
from jobdeck.engine.handed import Handed
from jobdeck.sdk.transport import EnqueueItem
from jobdeck.store import items, parents
from jobdeck.store.enqueue import NewJob, enqueue
from jobdeck.store.tables import children, jobs, running
from jobdeck.worker.protocol import Call, Reply

CHILDREN_PAGE = 1000
ITEMS_MAX = 1000
_LOCK_WAIT_MS = 100
_LOCK_NOT_AVAILABLE = "55P03"


def answer(conn: Connection, job: Handed, call: Call, now: Micros) -> Reply:
    """Do what the job asks, in the pool's transaction; what it may not have becomes an error
    in the job, and nothing of it is done."""
    try:
        kinds = {"map": _map, "children": _children, "enqueue": _enqueue, "items": _items}
        if call.kind not in kinds or not isinstance(call.body, dict):
            raise Malformed(f"a job cannot ask for {call.kind!r}")
        return Reply(call.seq, kinds[call.kind](conn, job, call.body, now))
    except Duplicate as error:
        return Reply(call.seq, error=str(error), duplicate=error.job or 0)
    except JobdeckError as error:
        return Reply(call.seq, error=str(error))
    except (KeyError, TypeError, ValueError) as error:
        return Reply(call.seq, error=f"{call.kind} was asked for in a wrong form: {error!r}")


def _prepare(
    conn: Connection,
    job: Handed,
    body: Mapping[str, Any],
    wanted: Sequence[EnqueueItem],
    source: str,
    now: Micros,
) -> list[NewJob]:
    manifest = msgspec.convert(body.get("manifest"), PipelineManifest | None)
    origin = Origin(source=source, created_by=f"job {job.claimed.job_id}")
    return prepare_known(
        conn, wanted, origin, Recipes(), manifest=manifest, now=now, start=body.get("start", 0)
    )


def _map(conn: Connection, job: Handed, body: Mapping[str, Any], now: Micros) -> int:
    parent = job.claimed.job_id
    # Under the row's lock: a stop of the whole tree either finds these children or is seen here.
    asked = conn.execute(
        select(running.c.stop_kind).where(running.c.job_id == parent).with_for_update()
    ).scalar()
    if asked:
        raise WrongState("The job is being stopped, so it makes no more children.")
    rule = body.get("fails_when", "all")
    if rule not in parents.RULES:
        raise InvalidValue("fails_when", f"{rule!r} is none of {', '.join(parents.RULES)}")
    params = msgspec.convert(body["items"], list[dict[str, Any]])
    wanted = [EnqueueItem(flow=body["flow"], params=each, parent=parent) for each in params]
    new = [
        msgspec.structs.replace(each, unique=None)  # a map makes one for each item
        for each in _prepare(conn, job, body, wanted, "parent", now)
    ]
    if job.flow.limited and any(each.flow_id == job.claimed.flow_id for each in new):
        raise InvalidValue("flow", "a flow with a limit cannot have its own runs as children")
    parents.add_children(conn, parent, body["step"], body["start"], new, now, rule)
    return len(new)


def _enqueue(
    conn: Connection, job: Handed, body: Mapping[str, Any], now: Micros
) -> dict[str, list[int]]:
    wanted = msgspec.convert(body["items"], list[EnqueueItem])
    new = _prepare(conn, job, body, wanted, "job", now)
    with _without_waiting(conn) if any(made.unique for made in new) else nullcontext():
        ids = enqueue(conn, new, now)
    return {
        "ids": list(map(int, ids)),
        "kept": [at for at, each in enumerate(ids) if isinstance(each, Kept)],
    }


@contextmanager
def _without_waiting(conn: Connection) -> Iterator[None]:
    """Somebody's transaction that has just taken the same key may last: the pool must not wait
    for it, nor hold the locks meanwhile that it may need."""
    if conn.dialect.name == "sqlite":
        yield
        return
    try:
        with conn.begin_nested():
            conn.exec_driver_sql(f"SET LOCAL lock_timeout = {_LOCK_WAIT_MS}")
            yield
            conn.exec_driver_sql("SET LOCAL lock_timeout = DEFAULT")
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
            raise
        raise WrongState(
            "Another transaction that has not ended creates a job with the same unique key; try "
            "again."
        ) from None


def _items(conn: Connection, job: Handed, body: Mapping[str, Any], now: Micros) -> list[str]:
    number, held_by = job.key
    held = select(running.c.job_id).where(running.c.job_id == number, running.c.claim == held_by)
    if conn.execute(held.with_for_update()).first() is None:
        raise WrongState("The job is no longer in the hands of this worker, so it takes no items.")
    place = items.Place(job.claimed.flow_id, str(body["source"]), number)
    keys = [str(key) for key in body["keys"]]
    if len(keys) > ITEMS_MAX:
        raise InvalidValue("keys", f"are {len(keys)}; give at most {ITEMS_MAX} at once")
    match body["do"]:
        case "claim":
            until = now + round(float(body["for_s"]) * SECOND)
            taken = items.claim(conn, place, keys, now, until)
        case "seen":
            taken = items.seen(conn, place, keys)
        case "processed":
            items.process(conn, place, keys, now)
            taken = set()
        case "defer":
            items.defer(conn, place, keys, now)
            taken = set()
        case "release":
            items.release(conn, place, keys, now)
            taken = set()
        case other:
            raise Malformed(f"a job cannot {other!r} items")
    return [key for key in keys if key in taken]


def _children(
    conn: Connection, job: Handed, body: Mapping[str, Any], now: Micros
) -> list[dict[str, Any]]:
    del now
    limit = min(int(body.get("limit", CHILDREN_PAGE)), CHILDREN_PAGE)
    query = (
        select(
            *(children.c.job_id, children.c.index, children.c.step, jobs.c.status),
            *(jobs.c.result, jobs.c.error, jobs.c.params),
        )
        .join(jobs, jobs.c.id == children.c.job_id)
        .where(
            children.c.parent_id == job.claimed.job_id,
            children.c.job_id > int(body.get("after", 0)),
        )
        .order_by(children.c.job_id)
        .limit(limit)
    )
    decode = msgspec.json.decode
    return [
        {
            "id": row.job_id,
            "index": row.index,
            "step": row.step,
            "status": "open" if row.status == Code.OPEN else Code(row.status).status.value,
            "result": decode(row.result) if row.result else None,
            "error": decode(row.error) if row.error else None,
            "params": decode(row.params),
        }
        for row in conn.execute(query)
    ]
