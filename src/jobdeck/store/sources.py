"""From where the numbers of the jobs that a filter means are read: the smallest set of index
walks that holds them all, and what must still be checked of each row."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from msgspec import Struct
from sqlalchemy import Connection, func, select

from jobdeck.domain.clock import Micros
from jobdeck.domain.filters import JobFilter, names
from jobdeck.domain.states import CODES, FINAL, Code, Status
from jobdeck.store import conditions, params, periods
from jobdeck.store.names import known_flows
from jobdeck.store.tables import counters, queues
from jobdeck.store.values import NUMBER_MAX, is_number

LANES_ROWS = 10_000
"""Lanes with at most so many pending jobs are read as a whole."""


SPREAD = "spread.id"
"""The value of the key of an index by which there is a walk for each flow."""


class Source(NamedTuple):
    """Numbers of jobs in order: `column` of `table`, by an index (none: the primary key).

    `keys` are the columns before it in the index, with their values in SQL; with `SPREAD` it is
    one walk for each of the flows whose numbers the plan's bind `flows` holds. `above` and
    `upto` are binds between which its numbers lie. `own` must be checked of each row. `whole`
    are the conditions of one that is small enough to be read as it is.
    """

    table: str
    column: str = "job_id"
    by: str = ""
    keys: tuple[tuple[str, str], ...] = ()
    own: tuple[str, ...] = ()
    above: str = ""
    upto: str = ""
    flows: str = "flow_ids"
    whole: tuple[str, ...] = ()

    @property
    def by_flow(self) -> bool:
        """Whether it is one walk for each of the flows."""
        return any(value == SPREAD for _, value in self.keys)


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
        return sum(len(self.binds[s.flows]) if s.by_flow else 1 for s in self.sources)

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


def of_flow(flow_id: str) -> Source:
    """The jobs of one flow, whose number is that SQL."""
    return Source("jobs", _EVERY, _BY_FLOW, (("flow_id", flow_id),))


_SPREAD = ("flow_id", SPREAD)


def plan(conn: Connection, wanted: JobFilter, now: Micros = 0) -> Plan:
    """How to find what the filter means; `now` is until when jobs that run have lasted."""
    nothing = Plan(low=1, high=0)
    # What began or ended before a time was created before it.
    ends = (wanted.created_before, wanted.started[1], wanted.finished[1])
    before = min((at for at in ends if at is not None), default=None)
    low, high = periods.numbers(conn, wanted.created_after, before)
    low, high = max(low, wanted.id[0] or 1), min(high, wanted.id[1] or NUMBER_MAX)
    made = Plan(low=low, high=high, binds={})
    numbers = (wanted.parent, wanted.schedule, wanted.error_group, *wanted.id)
    if not all(is_number(n) for n in numbers if n is not None) or wanted.id[1] == 0:
        return nothing
    flow_ids = _flow_ids(conn, wanted, made)
    queue_ids = _queue_ids(conn, wanted.queue, made)
    statuses = conditions.statuses(wanted)
    if low > high or flow_ids == [] or queue_ids == [] or statuses is None:
        return nothing
    made.rest += conditions.own(conn, wanted, now, made.binds)
    if wanted.error_group is not None:
        if statuses and Status.FAILED not in statuses:
            return nothing
        made.sources = [_by_error(made, wanted, flow_ids, queue_ids)]
    elif wanted.parent is not None or wanted.schedule is not None:
        made.sources = [_by_origin(made, wanted, flow_ids, queue_ids, statuses)]
    elif statuses and Status.COMPLETED not in statuses:
        made.sources = list(_by_status(conn, made, flow_ids, queue_ids, statuses))
    else:
        if queue_ids is not None:
            lanes = select(counters.c.flow_id).where(counters.c.queue_id.in_(queue_ids)).distinct()
            inside = set(conn.execute(lanes).scalars())
            flow_ids = sorted(inside if flow_ids is None else inside & set(flow_ids))
        made.sources = _all(conn, made, wanted, flow_ids, queue_ids, statuses)
    if made.walks == 0:
        return nothing
    return made


def _all(
    conn: Connection,
    made: Plan,
    wanted: JobFilter,
    flow_ids: list[int] | None,
    queue_ids: list[int] | None,
    statuses: set[Status],
) -> list[Source]:
    own = _on_jobs(made, queue_ids, statuses)
    known = params.coverage(conn, wanted.params, flow_ids)
    if known is None:
        return [_walk_jobs(made, own, flow_ids)]
    made.binds |= {"param_name": known.name, "param_value": known.value}
    made.binds |= {"param_low": known.low, "param_high": known.high}
    made.binds |= {"param_below": known.low - 1, "param_above": known.high + 1}
    made.binds["param_flows"] = known.flow_ids
    keys = (("name", ":param_name"), ("value", ":param_value"), _SPREAD)
    # A value, not EXISTS, of which PostgreSQL would make a join of all jobs.
    fits = f"(SELECT {' AND '.join(own)} FROM jobs WHERE jobs.id = job_params.job_id)"  # noqa: S608
    index = Source(
        "job_params", keys=keys, own=(fits,) if own else (), above="param_low", upto="param_high"
    )
    walk = Source("jobs", _EVERY, _BY_FLOW, (_SPREAD,), own)
    made_sources = [index, walk._replace(above="param_above")]
    if known.low > 1:
        made_sources.append(walk._replace(upto="param_below"))
    made_sources = [each._replace(flows="param_flows") for each in made_sources]
    others = None if flow_ids is None else sorted(set(flow_ids) - set(known.flow_ids))
    if others is None:
        own = ("jobs.flow_id NOT IN :param_flows", *own)
    if others is None or others:
        made_sources.append(_walk_jobs(made, own, others))
    return made_sources


def _walk_jobs(made: Plan, own: tuple[str, ...], flow_ids: list[int] | None) -> Source:
    if flow_ids is None:
        return Source("jobs", _EVERY, own=own)
    made.binds["flow_ids"] = flow_ids
    return Source("jobs", _EVERY, _BY_FLOW, (_SPREAD,), own)


def _by_origin(
    made: Plan,
    wanted: JobFilter,
    flow_ids: list[int] | None,
    queue_ids: list[int] | None,
    statuses: set[Status],
) -> Source:
    if wanted.parent is not None:
        index, key = "ix_jobs_parent_id_id", ("parent_id", ":parent")
        made.binds["parent"] = wanted.parent
        if wanted.schedule is not None:
            made.rest.append("jobs.schedule_id = :schedule")
    else:
        index, key = "ix_jobs_schedule_id_id", ("schedule_id", ":schedule")
    if wanted.schedule is not None:
        made.binds["schedule"] = wanted.schedule
    if flow_ids is not None:
        made.rest.append("jobs.flow_id IN :flow_ids")
        made.binds["flow_ids"] = flow_ids
    return Source("jobs", _EVERY, index, (key,), own=_on_jobs(made, queue_ids, statuses))


def _by_error(
    made: Plan, wanted: JobFilter, flow_ids: list[int] | None, queue_ids: list[int] | None
) -> Source:
    """Only jobs that stand failed have a group."""
    made.binds["error_group"] = wanted.error_group
    for column, name, value in (
        ("parent_id", "parent", wanted.parent),
        ("schedule_id", "schedule", wanted.schedule),
    ):
        if value is not None:
            made.rest.append(f"jobs.{column} = :{name}")
            made.binds[name] = value
    if queue_ids is not None:
        made.rest.append("jobs.queue_id IN :queue_ids")
        made.binds["queue_ids"] = queue_ids
    own: tuple[str, ...] = ()
    if flow_ids is not None:
        # The sign keeps SQLite from an index that is in another order than the numbers.
        own = ("+unsuccessful.flow_id IN :flow_ids",)
        made.binds["flow_ids"] = flow_ids
    keys = (("group_id", ":error_group"),)
    return Source("unsuccessful", "job_id", "ix_unsuccessful_group", keys, own)


def _on_jobs(made: Plan, queue_ids: list[int] | None, statuses: set[Status]) -> tuple[str, ...]:
    """All conditions, where the numbers are read from `jobs` itself."""
    if queue_ids is not None:
        made.rest.append("jobs.queue_id IN :queue_ids")
        made.binds["queue_ids"] = queue_ids
    if statuses:
        made.rest.append(conditions.has_status(statuses))
    own, made.rest = tuple(made.rest), []
    return own


def _by_status(
    conn: Connection,
    made: Plan,
    flow_ids: list[int] | None,
    queue_ids: list[int] | None,
    statuses: set[Status],
) -> Iterable[Source]:
    """The small tables hold all but the completed."""
    if flow_ids is not None:
        made.binds["flow_ids"] = flow_ids
    if queue_ids is not None:
        made.binds["queue_ids"] = queue_ids
        if statuses & FINAL:
            made.rest.append("jobs.queue_id IN :queue_ids")
    # The sign keeps SQLite from an index that is in another order than the numbers.
    lane = tuple(
        condition
        for condition, value in (
            ("+flow_id IN :flow_ids", flow_ids),
            ("+queue_id IN :queue_ids", queue_ids),
        )
        if value is not None
    )
    for status in sorted(statuses & FINAL):
        key = ("status", str(int(CODES[status])))
        if flow_ids is None:
            yield Source("unsuccessful", "job_id", "ix_unsuccessful_status", (key,))
        else:
            yield Source("unsuccessful", "job_id", "ix_unsuccessful_flow", (_SPREAD, key))
    if Status.PENDING in statuses:
        yield _pending(conn, made, lane, flow_ids, queue_ids)
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
    queue_ids: list[int] | None,
) -> Source:
    if not lane:
        return Source("ready")
    query = (
        select(counters.c.queue_id, counters.c.flow_id, func.sum(counters.c.n))
        .where(counters.c.status == int(Code.PENDING))
        .group_by(counters.c.queue_id, counters.c.flow_id)
        .having(func.sum(counters.c.n) > 0)
    )
    if queue_ids is not None:
        query = query.where(counters.c.queue_id.in_(queue_ids))
    if flow_ids is not None:
        query = query.where(counters.c.flow_id.in_(flow_ids))
    lanes = conn.execute(query).fetchall()
    if sum(row[2] for row in lanes) > LANES_ROWS:
        return Source("ready", own=lane)
    made.binds["lane_queues"] = sorted({row[0] for row in lanes}) or [0]
    made.binds["lane_flows"] = sorted({row[1] for row in lanes}) or [0]
    lanes_only = ("queue_id IN :lane_queues", "flow_id IN :lane_flows")
    return Source("ready", by="ix_ready_lane", whole=lanes_only)


def _flow_ids(conn: Connection, wanted: JobFilter, made: Plan) -> list[int] | None:
    """The flows that the filter names; None: it names none, or only some that are not meant."""
    if not wanted.flow and not wanted.pipeline:
        return None
    rows = known_flows(conn)
    found: set[int] | None = None
    excluded: set[int] = set()
    for text, place in ((wanted.flow, 1), (wanted.pipeline, 2)):
        named, others = names(text)
        fits = {row[0] for row in rows if row[place] in named}
        if others:
            excluded |= fits
        elif named:
            found = fits if found is None else found & fits
    if found is not None:
        return sorted(found - excluded)
    if excluded:
        made.rest.append("jobs.flow_id NOT IN :other_flows")
        made.binds["other_flows"] = sorted(excluded)
    return None


def _queue_ids(conn: Connection, text: str, made: Plan) -> list[int] | None:
    """The queues that the filter names; None: it names none, or only some that are not meant."""
    named, others = names(text)
    if not named:
        return None
    query = select(queues.c.id).where(queues.c.name.in_(named)).order_by(queues.c.id)
    found = list(conn.execute(query).scalars())
    if not others:
        return found
    if found:
        made.rest.append("jobs.queue_id NOT IN :other_queues")
        made.binds["other_queues"] = found
    return None
