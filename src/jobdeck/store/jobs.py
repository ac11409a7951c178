"""Jobs as everybody sees them: their own row together with where they stand now."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import BindParameter, Connection, bindparam, case, func, select

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.errors import NotFound
from jobdeck.domain.filters import PAGE, JobFilter, Page
from jobdeck.domain.records import Job, Progress
from jobdeck.domain.states import Code, Reason, Status
from jobdeck.domain.uniqueness import given
from jobdeck.store import listing
from jobdeck.store.tables import (
    delayed,
    flows,
    jobs,
    parents,
    pipelines,
    queues,
    ready,
    running,
)
from jobdeck.store.values import AnyRow, decode, decode_error, is_number

_CHUNK = 500

STATUS = case(
    (jobs.c.status != int(Code.OPEN), jobs.c.status),
    (running.c.begun_at.is_not(None), int(Code.RUNNING)),
    (delayed.c.job_id.is_not(None), delayed.c.status),
    else_=int(Code.PENDING),
)
_OPEN = jobs.c.status == int(Code.OPEN)
_STANDING = jobs.outerjoin(running, (running.c.job_id == jobs.c.id) & _OPEN).outerjoin(
    delayed, (delayed.c.job_id == jobs.c.id) & _OPEN
)
_IDS: BindParameter[list[int]] = bindparam("ids", expanding=True)

_LOAD = (
    select(
        jobs,
        STATUS.label("now"),
        flows.c.name.label("flow"),
        pipelines.c.name.label("pipeline"),
        queues.c.name.label("queue"),
        func.coalesce(running.c.attempt, delayed.c.attempt, ready.c.attempt).label("open_attempt"),
        func.coalesce(running.c.losses, delayed.c.losses, ready.c.losses).label("open_losses"),
        delayed.c.run_at.label("due_at"),
        *(running.c.begun_at, running.c.stop_kind, running.c.checked_in_at),
        *(running.c.done, running.c.total, running.c.note),
        running.c.pool_id.label("open_pool_id"),
        running.c.worker_id.label("open_worker_id"),
        (parents.c.total - parents.c.completed - parents.c.failed - parents.c.stopped).label(
            "waits_for"
        ),
        parents.c.total.label("children"),
        *(parents.c[name].label(f"children_{name}") for name in ("completed", "failed", "stopped")),
    )
    .select_from(
        _STANDING.outerjoin(ready, (ready.c.job_id == jobs.c.id) & _OPEN)
        .outerjoin(parents, (parents.c.job_id == jobs.c.id) & _OPEN)
        .outerjoin(flows, flows.c.id == jobs.c.flow_id)
        .outerjoin(pipelines, pipelines.c.id == flows.c.pipeline_id)
        .outerjoin(queues, queues.c.id == jobs.c.queue_id)
    )
    .where(jobs.c.id.in_(_IDS))
)

_STATUSES = select(jobs.c.id, STATUS).select_from(_STANDING).where(jobs.c.id.in_(_IDS))
_CHILDREN = (
    select(jobs.c.parent_id, STATUS.label("now"), func.count())
    .select_from(_STANDING)
    .where(jobs.c.parent_id.in_(_IDS))
    .group_by(jobs.c.parent_id, STATUS)
)


def get(conn: Connection, job_id: int) -> Job:
    """The job of that number.

    Raises:
        NotFound: there is none.
    """
    found = load(conn, [job_id]) if is_number(job_id) else []
    if not found:
        raise NotFound("job", job_id)
    return found[0]


def load(conn: Connection, job_ids: Sequence[int]) -> list[Job]:
    """The jobs of those numbers, in that order; those that there are not are left out."""
    found: dict[int, Job] = {}
    for start in range(0, len(job_ids), _CHUNK):
        rows = conn.execute(_LOAD, {"ids": list(job_ids[start : start + _CHUNK])})
        found.update((row.id, _record(row)) for row in rows)
    return [found[job_id] for job_id in job_ids if job_id in found]


def find(
    conn: Connection,
    filter: JobFilter,  # noqa: A002
    *,
    sort: Sequence[str] = ("-id",),
    limit: int = PAGE,
    cursor: str | None = None,
    now: Micros | None = None,
) -> Page[Job]:
    """One page of the jobs that the filter lets pass.

    `sort` names fields of `SORTS`, `-` before one for descending order. A call reads a bounded
    number of rows: where more would have to be searched, the page has fewer jobs (perhaps none)
    and `next` goes on from `searched_to`. In another order than that of creation the newest
    10,000 are sorted, back to `searched_to` if there are more; those before them follow, sorted
    again. `now` is until when running jobs have lasted (default: the latest time among the
    jobs).

    Raises:
        InvalidValue: a sort, limit or cursor that there is not; names it.
    """
    found = listing.page(conn, filter, sort=sort, limit=limit, cursor=cursor, now=now)
    items = load(conn, found.ids)
    if filter.status:
        # On PostgreSQL some may have changed since they were found.
        items = [job for job in items if job.status in filter.status]
    return Page(items, found.next, found.searched_to, found.prev, found.read)


def statuses(conn: Connection, job_ids: Iterable[int]) -> dict[int, Status]:
    """The status of each of the jobs; those that there are not are left out."""
    wanted = list(job_ids)
    found: dict[int, Status] = {}
    for start in range(0, len(wanted), _CHUNK):
        rows = conn.execute(_STATUSES, {"ids": wanted[start : start + _CHUNK]})
        found.update((job_id, Code(code).status) for job_id, code in rows)
    return found


def children_counts(conn: Connection, parent_ids: Sequence[int]) -> dict[int, dict[Status, int]]:
    """How many children each of the jobs has in every status; those without any are left out."""
    found: dict[int, dict[Status, int]] = {}
    for parent, code, n in conn.execute(_CHILDREN, {"ids": list(parent_ids)}):
        counts = found.setdefault(parent, dict.fromkeys(Status, 0))
        counts[Code(code).status] += n
    return found


class Lane(NamedTuple):
    """Where an open job stands. `place` is ready, running or delayed; `claim` the number of its
    last hand-out."""

    place: str
    queue_id: int
    flow_id: int
    rank: int
    attempt: int
    losses: int
    claim: int


def lane_of(conn: Connection, job_id: int) -> Lane | None:
    """Where the job stands; None: it has ended, or there is no such job."""
    for table in (ready, running, delayed):
        columns = [table.c[name] for name in Lane._fields[1:]]
        row = conn.execute(select(*columns).where(table.c.job_id == job_id)).first()
        if row is not None:
            return Lane(table.name, *row)
    return None


def _record(row: AnyRow) -> Job:
    status = Code(row.now).status
    attempt, losses = row.attempt, row.losses
    if row.open_attempt is not None:
        # Those that wait carry the number of the attempt that is to begin.
        attempt = row.open_attempt - (status != Status.RUNNING)
        losses = row.open_losses
    runs = status == Status.RUNNING
    return Job(
        id=row.id,
        pipeline=row.pipeline or "",
        flow=row.flow or "",
        queue=row.queue or "",
        status=status,
        reason=Reason(row.reason) if row.reason else None,
        message=row.message or "",
        priority=row.priority,
        attempt=attempt,
        losses=losses,
        created_at=row.created_at,
        run_at=row.due_at if row.due_at is not None else row.run_at,
        started_at=row.begun_at if runs else row.started_at,
        finished_at=row.finished_at,
        params=decode(row.params),
        context=row.context or "",
        result=decode(row.result),
        error=decode_error(row.error),
        progress=_progress(row),
        checked_in_at=row.checked_in_at,
        stopping=row.stop_kind or "",
        waits_for=row.waits_for or 0,
        parent=row.parent_id,
        retry_of=row.retry_of,
        schedule=row.schedule_id,
        source=row.source or "",
        created_by=row.created_by or "",
        unique_key=given(row.unique_key),
        version=row.version,
        pool=row.open_pool_id if runs else row.pool_id,
        worker=row.open_worker_id if runs else row.worker_id,
        cpu_s=None if row.cpu_us is None else row.cpu_us / SECOND,
        max_rss_kb=row.max_rss_kb,
    )


def _progress(row: AnyRow) -> Progress | None:
    if row.waits_for and row.begun_at and row.open_pool_id is None:
        return _of_children(row)
    if row.done is None:
        return None
    return Progress(done=row.done, total=row.total, note=row.note or "")


def _of_children(row: AnyRow) -> Progress:
    """A parent that waits is as far as its children are: "12/15 completed, 2 failed"."""
    note = f"{row.children_completed}/{row.children} completed"
    for what, count in (("failed", row.children_failed), ("stopped", row.children_stopped)):
        note += f", {count} {what}" if count else ""
    return Progress(done=row.children - row.waits_for, total=row.children, note=note)
