"""Jobs that nobody asks for at the moment: those of schedules, and of flows after flows.

What cannot be run then becomes a failed job, so that it is seen where jobs are looked at.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, insert, select

from jobdeck.domain import uniqueness
from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import InvalidValue, NotFound, WrongState
from jobdeck.domain.records import JobError
from jobdeck.domain.schema import ParamsCheck
from jobdeck.domain.states import Code, Reason
from jobdeck.domain.uniqueness import NO_WISH, OnDuplicate
from jobdeck.store import changes, counters, error_groups, flows, followers, volume
from jobdeck.store.enqueue import NewJob, enqueue
from jobdeck.store.rows import insert_rows
from jobdeck.store.tables import events, jobs, unsuccessful
from jobdeck.store.tables import flows as flow_rows
from jobdeck.store.values import clean, encode


class Draft(NamedTuple):
    """A job to create, or why it cannot be run as things stand."""

    job: NewJob
    reason: Reason | None = None
    message: str = ""
    problems: Mapping[str, str] = {}


def draft(conn: Connection, flow: str, params: dict[str, Any], source: str) -> Draft:
    """What a job of that flow, which may have been removed, would be now, with `params` over
    the flow's."""
    f = flow_rows.c
    row = conn.execute(select(f.id, f.queue_id, f.priority, f.params).where(f.name == flow)).one()
    given = {**msgspec.json.decode(row.params), **params}
    bare = NewJob(
        flow_id=row.id,
        queue_id=row.queue_id,
        priority=row.priority,
        params=encode(given),
        source=source,
    )
    try:
        target = flows.target(conn, flow)
    except (NotFound, WrongState) as error:
        return Draft(bare, Reason.NOT_PUBLISHED, str(error))
    check = ParamsCheck(target.manifest.params_schema)
    try:
        check.check(given)
    except InvalidValue as error:
        message = f"The parameters do not fit flow {flow!r} any more: {error}"
        return Draft(bare, Reason.INVALID_CONFIG, message, check.problems(given))
    unique = uniqueness.resolve(
        NO_WISH,
        # Nobody is there to be refused: the job that is open stands for the one to create.
        target.manifest.unique and OnDuplicate.KEEP,
        flow_id=row.id,
        queue_id=row.queue_id,
        params=given,
        context=target.flow.context,
        now=0,
    )
    return Draft(msgspec.structs.replace(bare, context=target.flow.context, unique=unique))


def create(
    conn: Connection, drafted: Draft, jobs_of_it: Sequence[NewJob], now: Micros
) -> list[int]:
    """Create these jobs of the draft's flow and give their numbers, in order; each has failed
    already if the draft says why. One that its pipeline does not allow beside an open one with
    the same parameters is not created: the number is that of the open one."""
    if drafted.reason is None:
        return list(map(int, enqueue(conn, jobs_of_it, now)))
    return [_refuse(conn, job, drafted, now) for job in jobs_of_it]


def _refuse(conn: Connection, job: NewJob, drafted: Draft, now: Micros) -> int:
    reason, message = drafted.reason or Reason.INVALID_CONFIG, drafted.message
    error = None
    if drafted.problems:
        told = {name: clean(text) for name, text in drafted.problems.items()}
        error = encode(JobError(type="InvalidValue", message=clean(message), problems=told))
    values = {
        "flow_id": job.flow_id,
        "queue_id": job.queue_id,
        "priority": job.priority,
        "params": job.params,
        "schedule_id": job.schedule_id,
        "source": job.source,
        "created_by": job.created_by,
    }
    ended = {"status": int(Code.FAILED), "created_at": now, "finished_at": now}
    end = {"reason": reason.value, "message": clean(message), "error": error}
    made = conn.execute(insert(jobs).values(**values, **ended, **end)).inserted_primary_key
    assert made is not None
    job_id: int = made[0]
    failure = error_groups.Failure(job_id, job.flow_id, now, reason.value, message, error)
    conn.execute(
        insert(unsuccessful).values(
            job_id=job_id,
            flow_id=job.flow_id,
            status=int(Code.FAILED),
            finished_at=now,
            group_id=error_groups.record(conn, [failure])[job_id],
        )
    )
    key = int(Code.FAILED), job.queue_id, job.flow_id
    counters.change(conn, Counter({key: 1}))
    volume.change(conn, Counter({(volume.stretch(now), *key): 1}))
    return job_id


class Ended(NamedTuple):
    """A job that has ended for good."""

    job_id: int
    flow_id: int
    code: Code


def follow(conn: Connection, ended: Sequence[Ended], now: Micros) -> None:
    """Create a job of every flow that runs after one of these jobs, in the transaction that
    records their end: so exactly once. What cannot be run has failed, which may be what yet
    another flow runs after."""
    while ended:
        following = followers.edges(conn, {job.flow_id for job in ended})
        if not following:
            return
        causes: dict[int, list[Ended]] = defaultdict(list)
        for job in ended:
            for flow_id, outcome in following.get(job.flow_id, ()):
                if outcome.fits(job.code):
                    causes[flow_id].append(job)
        names = _names(conn, {*causes, *following})
        failed: list[Ended] = []
        for flow_id, those in sorted(causes.items()):
            failed += _follow(conn, flow_id, those, names, now)
        if causes:
            changes.add(conn, now, [("jobs", "", "created")])
        ended = failed


def _names(conn: Connection, flow_ids: Collection[int]) -> dict[int, str]:
    query = select(flow_rows.c.id, flow_rows.c.name).where(flow_rows.c.id.in_(flow_ids))
    return {row.id: row.name for row in conn.execute(query)}


def _follow(
    conn: Connection, flow_id: int, causes: Sequence[Ended], names: Mapping[int, str], now: Micros
) -> list[Ended]:
    """Create the flow's job for each of them; gives those that have failed at once."""
    drafted = draft(conn, names[flow_id], {}, "flow")
    new = [
        msgspec.structs.replace(drafted.job, created_by=f"job {cause.job_id}") for cause in causes
    ]
    ids = create(conn, drafted, new, now)
    rows = []
    for cause, job_id in zip(causes, ids, strict=True):
        leader = names[cause.flow_id]
        how = cause.code.status.value
        rows.append((cause.job_id, now, "followed", f"by job {job_id} of flow {names[flow_id]}"))
        rows.append((job_id, now, "follows", f"job {cause.job_id} of flow {leader}, which {how}"))
    insert_rows(conn, events, ("job_id", "at", "kind", "message"), rows)
    if drafted.reason is None:
        return []
    return [Ended(job_id, flow_id, Code.FAILED) for job_id in ids]
