"""From where the numbers of the jobs that a filter means are read: the smallest set of index
walks that holds them all, and what must still be checked of each row."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from msgspec import Struct
from sqlalchemy import Connection, func, select

from jobdeck.domain.filters import JobFilter
from jobdeck.domain.states import CODES, FINAL, Code, Status
from jobdeck.store import periods
from jobdeck.store.tables import counters, flows, pipelines, queues
from jobdeck.store.values import is_number

LANES_ROWS = 10_000
"""Lanes with at most so many pending jobs are read as a whole."""


class Source(NamedTuple):
    """Numbers of jobs in order: `column` of `table`, by an index (none: the primary key).

    `seek` are conditions that the index answers, `own` what must be checked of each row.
    `by_flow` makes it one walk for each of the flows, and a `whole` one is small enough to be
    read as it is.
    """

    table: str
    column: str = "job_id"
    by: str = ""
    seek: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    by_flow: bool = False
    whole: bool = False


class Plan(Struct, kw_only=True):
    """What to read. `rest` are conditions on `jobs` for the numbers that come from elsewhere;
    `binds` the values in all conditions; no `sources`: nothing can match."""

    low: int
    high: int
    sources: list[Source] = []
    rest: list[str] = []
    binds: dict[str, Any] = {}

    @property
    def walks(self) -> int:
        """How many places of indexes are read side by side."""
        flow_ids = len(self.binds.get("flow_ids", ()))
        return sum(flow_ids if source.by_flow else 1 for source in self.sources)

    @property
    def scattered(self) -> bool:
        """The rows of the jobs lie far from each other, so that each takes as long to read as
        several neighbours."""
        return bool(self.rest) or any(s.by and s.own for s in self.sources)

    @property
    def exact(self) -> bool:
        """Every row read is one that is meant."""
        return not self.rest and not any(source.own for source in self.sources)


_EVERY = "id"
_BY_FLOW = "ix_jobs_flow_id_id"


def plan(conn: Connection, wanted: JobFilter) -> Plan:
    """How to find what the filter means."""
    nothing = Plan(low=1, high=0)
    low, high = periods.numbers(conn, wanted.created_after, wanted.created_before)
    made = Plan(low=low, high=high, binds={})
    numbers = (wanted.parent, wanted.schedule, wanted.error_group)
    if not all(is_number(n) for n in numbers if n is not None):
        return nothing
    flow_ids = _flow_ids(conn, wanted)
    queue_id = _queue_id(conn, wanted.queue)
    if low > high or flow_ids == [] or queue_id == 0:
        return nothing
    _restrict(made, conn, wanted)
    statuses = set(wanted.status) if len(set(wanted.status)) < len(Status) else set()
    if wanted.error_group is not None:
        if statuses and Status.FAILED not in statuses:
            return nothing
        made.sources = [_by_error(made, wanted, flow_ids, queue_id)]
    elif wanted.parent is not None or wanted.schedule is not None:
        made.sources = [_by_origin(made, wanted, flow_ids, queue_id, statuses)]
    elif statuses and Status.COMPLETED not in statuses:
        made.sources = list(_by_status(conn, made, flow_ids, queue_id, statuses))
    else:
        if queue_id is not None:
            lanes = select(counters.c.flow_id).where(counters.c.queue_id == queue_id).distinct()
            inside = set(conn.execute(lanes).scalars())
            flow_ids = sorted(inside if flow_ids is None else inside & set(flow_ids))
        made.sources = [_all(made, flow_ids, queue_id, statuses)]
    if made.walks == 0:
        return nothing
    return made


def _restrict(made: Plan, conn: Connection, wanted: JobFilter) -> None:
    """Conditions that only the jobs' own rows can answer."""
    if wanted.created_after is not None:
        made.rest.append("jobs.created_at >= :created_after")
        made.binds["created_after"] = wanted.created_after
    if wanted.created_before is not None:
        made.rest.append("jobs.created_at < :created_before")
        made.binds["created_before"] = wanted.created_before
    if wanted.roots:
        made.rest.append("jobs.parent_id IS NULL")
    if wanted.q:
        like = "LIKE" if conn.dialect.name == "sqlite" else "ILIKE"
        columns = ("params", "message", "error")
        fits = [f"jobs.{column} {like} :q ESCAPE '!'" for column in columns]
        made.rest.append(f"({' OR '.join(fits)})")
        text = wanted.q.replace("\x00", "\ufffd")
        for character in "!%_":
            text = text.replace(character, f"!{character}")
        made.binds["q"] = f"%{text}%"


def _all(
    made: Plan, flow_ids: list[int] | None, queue_id: int | None, statuses: set[Status]
) -> Source:
    own = _on_jobs(made, queue_id, statuses)
    if flow_ids is None:
        return Source("jobs", _EVERY, own=own)
    made.binds["flow_ids"] = flow_ids
    return Source("jobs", _EVERY, _BY_FLOW, own=own, by_flow=True)


def _by_origin(
    made: Plan,
    wanted: JobFilter,
    flow_ids: list[int] | None,
    queue_id: int | None,
    statuses: set[Status],
) -> Source:
    if wanted.parent is not None:
        index, seek = "ix_jobs_parent_id_id", "jobs.parent_id = :parent"
        made.binds["parent"] = wanted.parent
        if wanted.schedule is not None:
            made.rest.append("jobs.schedule_id = :schedule")
    else:
        index, seek = "ix_jobs_schedule_id_id", "jobs.schedule_id = :schedule"
    if wanted.schedule is not None:
        made.binds["schedule"] = wanted.schedule
    if flow_ids is not None:
        made.rest.append("jobs.flow_id IN :flow_ids")
        made.binds["flow_ids"] = flow_ids
    return Source("jobs", _EVERY, index, (seek,), own=_on_jobs(made, queue_id, statuses))


def _by_error(
    made: Plan, wanted: JobFilter, flow_ids: list[int] | None, queue_id: int | None
) -> Source:
    """Only jobs that stand failed have a group."""
    made.binds["error_group"] = wanted.error_group
    for column, name, value in (
        ("parent_id", "parent", wanted.parent),
        ("schedule_id", "schedule", wanted.schedule),
        ("queue_id", "queue_id", queue_id),
    ):
        if value is not None:
            made.rest.append(f"jobs.{column} = :{name}")
            made.binds[name] = value
    own: tuple[str, ...] = ()
    if flow_ids is not None:
        # The sign keeps SQLite from an index that is in another order than the numbers.
        own = ("+unsuccessful.flow_id IN :flow_ids",)
        made.binds["flow_ids"] = flow_ids
    seek = ("unsuccessful.group_id = :error_group",)
    return Source("unsuccessful", "job_id", "ix_unsuccessful_group", seek, own)


def _on_jobs(made: Plan, queue_id: int | None, statuses: set[Status]) -> tuple[str, ...]:
    """All conditions, where the numbers are read from `jobs` itself."""
    if queue_id is not None:
        made.rest.append("jobs.queue_id = :queue_id")
        made.binds["queue_id"] = queue_id
    if statuses:
        made.rest.append(f"({' OR '.join(_has_status(statuses))})")
    own, made.rest = tuple(made.rest), []
    return own


def _has_status(statuses: Iterable[Status]) -> Iterable[str]:
    standing = "jobs.status = 0 AND EXISTS (SELECT 1 FROM {0} WHERE {0}.job_id = jobs.id{1})"
    for status in sorted(statuses):
        if status in FINAL:
            yield f"jobs.status = {int(CODES[status])}"
        elif status == Status.PENDING:
            yield standing.format("ready", "")
            yield standing.format("running", " AND running.begun_at IS NULL")
        elif status == Status.RUNNING:
            yield standing.format("running", " AND running.begun_at IS NOT NULL")
        else:
            yield standing.format("delayed", f" AND delayed.status = {int(CODES[status])}")


def _by_status(
    conn: Connection,
    made: Plan,
    flow_ids: list[int] | None,
    queue_id: int | None,
    statuses: set[Status],
) -> Iterable[Source]:
    """The small tables hold all but the completed."""
    if flow_ids is not None:
        made.binds["flow_ids"] = flow_ids
    if queue_id is not None:
        made.binds["queue_id"] = queue_id
        if statuses & FINAL:
            made.rest.append("jobs.queue_id = :queue_id")
    # The sign keeps SQLite from an index that is in another order than the numbers.
    lane = tuple(
        condition
        for condition, value in (
            ("+flow_id IN :flow_ids", flow_ids),
            ("+queue_id = :queue_id", queue_id),
        )
        if value is not None
    )
    for status in sorted(statuses & FINAL):
        seek = f"unsuccessful.status = {int(CODES[status])}"
        if flow_ids is None:
            yield Source("unsuccessful", "job_id", "ix_unsuccessful_status", (seek,))
        else:
            yield Source("unsuccessful", "job_id", "ix_unsuccessful_flow", (seek,), by_flow=True)
    if Status.PENDING in statuses:
        yield _pending(conn, made, lane, flow_ids, queue_id)
        yield Source("running", own=("begun_at IS NULL", *lane))
    if Status.RUNNING in statuses:
        yield Source("running", own=("begun_at IS NOT NULL", *lane))
    later = [int(CODES[s]) for s in (Status.SCHEDULED, Status.RETRYING) if s in statuses]
    if later:
        codes = ", ".join(map(str, later))
        every = () if len(later) > 1 else (f"delayed.status IN ({codes})",)
        yield Source("delayed", own=(*every, *lane))


def _pending(
    conn: Connection,
    made: Plan,
    lane: tuple[str, ...],
    flow_ids: list[int] | None,
    queue_id: int | None,
) -> Source:
    if not lane:
        return Source("ready")
    query = (
        select(counters.c.queue_id, counters.c.flow_id, func.sum(counters.c.n))
        .where(counters.c.status == int(Code.PENDING))
        .group_by(counters.c.queue_id, counters.c.flow_id)
        .having(func.sum(counters.c.n) > 0)
    )
    if queue_id is not None:
        query = query.where(counters.c.queue_id == queue_id)
    if flow_ids is not None:
        query = query.where(counters.c.flow_id.in_(flow_ids))
    lanes = conn.execute(query).fetchall()
    if sum(row[2] for row in lanes) > LANES_ROWS:
        return Source("ready", own=lane)
    made.binds["lane_queues"] = sorted({row[0] for row in lanes}) or [0]
    made.binds["lane_flows"] = sorted({row[1] for row in lanes}) or [0]
    seek = ("queue_id IN :lane_queues", "flow_id IN :lane_flows")
    return Source("ready", "job_id", "ix_ready_lane", seek, whole=True)


def _flow_ids(conn: Connection, wanted: JobFilter) -> list[int] | None:
    """The flows that the filter names; None: it names none."""
    if not wanted.flow and not wanted.pipeline:
        return None
    query = select(flows.c.id).order_by(flows.c.id)
    if wanted.flow:
        query = query.where(flows.c.name == wanted.flow)
    if wanted.pipeline:
        query = query.join(pipelines, pipelines.c.id == flows.c.pipeline_id)
        query = query.where(pipelines.c.name == wanted.pipeline)
    return list(conn.execute(query).scalars())


def _queue_id(conn: Connection, name: str) -> int | None:
    """The queue that the filter names, 0 if there is none of that name; None: it names none."""
    if not name:
        return None
    return conn.execute(select(queues.c.id).where(queues.c.name == name)).scalar() or 0
