"""How many of the jobs that a filter means were created when, and what became of them.

`read` shows all that its range holds, never a sample: from the volume if that can tell, or by
reading the jobs if they are few. What can only be found by searching is searched the newest
first, as far as one call may read, and `searched_to` says how far that was.
"""

import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from msgspec import Struct, structs
from sqlalchemy import Connection, Select, func, select

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.filters import ROWS_MAX, JobFilter, Page, names
from jobdeck.domain.records import Job
from jobdeck.domain.states import CODES, FINAL, Code, Status
from jobdeck.store import counters, cursors, listing, periods, sources, walks
from jobdeck.store.names import known_flows
from jobdeck.store.tables import delayed, queues, ready, running, volume
from jobdeck.store.volume import FINE_S, SPANS

BARS = 72
"""At most about so many bars."""

ROWS = ROWS_MAX // 4
"""A chart of at most so many jobs is made by reading them."""
SLICE = ROWS // 4
"""So many rows are read first, then more of them at once."""

WIDTHS = (
    *(1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600),
    *(86_400, 2 * 86_400, 7 * 86_400, 28 * 86_400, 91 * 86_400, 364 * 86_400),
)
"""Seconds of a bar."""


class Bar(Struct, frozen=True, kw_only=True):
    """The jobs created within one stretch of time; `open` have not ended."""

    at: Micros
    completed: int = 0
    failed: int = 0
    stopped: int = 0
    open: int = 0


class Chart(Struct, frozen=True, kw_only=True):
    """Bars of `bar_s` seconds each, from `start` on until `end`.

    `searched_to` is None where the bars hold every job, else back to when they do; `left_out`
    are jobs that have not ended, too many to be placed. `read` is how many jobs it was made of
    by reading them; None: it comes from the volume.
    """

    bars: list[Bar]
    bar_s: int
    start: Micros
    end: Micros
    searched_to: Micros | None = None
    left_out: int = 0
    read: int | None = None

    @property
    def total(self) -> int:
        """The jobs in all bars."""
        return sum(bar.completed + bar.failed + bar.stopped + bar.open for bar in self.bars)


def read(
    conn: Connection,
    wanted: JobFilter,
    now: Micros,
    *,
    bars: int = BARS,
    page: Page[Job] | None = None,
) -> Chart | None:
    """The chart of the jobs that the filter means, over its range of times of creation, else
    from the oldest job until now; None: there is no job in it. At both ends of the range its
    first and last bar are shown as a whole where they come from the volume. `page` is the first
    page of these jobs by `-id`, if that was read already: the chart goes on from there."""
    ends = _ends(conn)
    if ends is None:
        return None
    start = max(wanted.created_after or ends.oldest, ends.oldest)
    end = min(wanted.created_before or now, max(now, ends.newest + 1))
    if end <= start:
        return None
    bar_s = _width(start, end, bars)
    if _told_by_volume(wanted) and not _few(conn, wanted, ends):
        return _from_volume(conn, wanted, start, end, max(bar_s, SPANS[0]), now)
    return _by_searching(conn, wanted, start, end, bars, now, page or Page([]))


class _Ends(NamedTuple):
    """When the oldest and the newest job were created, and the one ROWS before the newest; the
    newest's number."""

    oldest: Micros
    newest: Micros
    recent: Micros
    last: int


_EDGE = "(SELECT created_at FROM jobs {} WHERE id >= {} ORDER BY id LIMIT 1)"
_LAST = "(SELECT max(id) FROM jobs)"


def _ends(conn: Connection) -> _Ends | None:
    """None: there is no job."""
    how = "NOT INDEXED" if conn.dialect.name == "sqlite" else ""
    edges = (_EDGE.format(how, first) for first in (0, _LAST, f"{_LAST} - {ROWS}"))
    row = conn.exec_driver_sql(f"SELECT {', '.join([*edges, _LAST])}").one()
    return None if row[3] is None else _Ends._make(row)


def _width(start: Micros, end: Micros, bars: int) -> int:
    return next((w for w in WIDTHS if end - start <= bars * w * SECOND), WIDTHS[-1])


def _few(conn: Connection, wanted: JobFilter, ends: _Ends) -> bool:
    """Whether there are so few jobs in the range of times, or somewhat fewer."""
    after, before = wanted.created_after, wanted.created_before
    if before is None or before > ends.newest + periods.SLACK:
        return ends.last <= ROWS or (after is not None and ends.recent < after - periods.SLACK)
    low, high = periods.numbers(conn, after, before)
    return high - low < ROWS


def _told_by_volume(wanted: JobFilter) -> bool:
    return counters.can_tell(structs.replace(wanted, created_after=None, created_before=None))


def _from_volume(
    conn: Connection, wanted: JobFilter, start: Micros, end: Micros, bar_s: int, now: Micros
) -> Chart:
    if start < now - FINE_S * SECOND:
        bar_s = max(bar_s, SPANS[1])
    span = max(s for s in SPANS if bar_s % s == 0)
    start, end = _whole(start, end, bar_s)
    v = volume.c
    place = (v.at - start) // (bar_s * SECOND)
    query: Select[Any, Any, Any] = (
        select(place, v.status, func.sum(v.n))
        .where(v.span == span, v.flow_id.in_(_flow_ids(conn, wanted)))
        .where(v.at >= start, v.at < end)
        .group_by(place, v.status)
    )
    if wanted.status:
        query = query.where(v.status.in_([int(CODES[s]) for s in wanted.status]))
    query = _in_queues(conn, query, wanted)
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for bar, code, n in conn.execute(query):
        found[int(bar)][Code(code).name.lower()] = int(n)
    left_out = _add_open(conn, wanted, found, start, end, bar_s, now)
    return _chart(found, start, end, bar_s, left_out=left_out)


def _whole(start: Micros, end: Micros, bar_s: int) -> tuple[Micros, Micros]:
    width = bar_s * SECOND
    return start - start % width, end + -end % width


def _flow_ids(conn: Connection, wanted: JobFilter) -> list[int]:
    """All that may have such jobs: the volume is kept by flow."""
    rows = known_flows(conn)
    for text, place in ((wanted.flow, 1), (wanted.pipeline, 2)):
        named, others = names(text)
        if named:
            rows = [row for row in rows if (row[place] in named) is not others]
    return [row[0] for row in rows]


def _in_queues(
    conn: Connection, query: Select[Any, Any, Any], wanted: JobFilter
) -> Select[Any, Any, Any]:
    named, others = names(wanted.queue)
    if not named:
        return query
    ids = list(conn.execute(select(queues.c.id).where(queues.c.name.in_(named))).scalars())
    column = volume.c.queue_id
    return query.where(column.not_in(ids) if others else column.in_(ids))


def _add_open(
    conn: Connection,
    wanted: JobFilter,
    found: dict[int, dict[str, int]],
    start: Micros,
    end: Micros,
    bar_s: int,
    now: Micros,
) -> int:
    """Place the jobs that have not ended, unless they are many; gives how many were not."""
    meant = tuple(s for s in wanted.status or Status if s not in FINAL)
    if not meant:
        return 0
    stands = sum(n for status, n in counters.totals(conn).items() if status not in FINAL)
    if not stands:
        return 0
    waiting = sum(counters.by_status(conn, structs.replace(wanted, status=meant)).values())
    if not waiting:
        return 0
    if stands > ROWS:
        return waiting
    open_ids = [
        job_id
        for table in (ready, running, delayed)
        for job_id in conn.execute(select(table.c.job_id)).scalars()
    ]
    if not open_ids:
        return waiting
    ranged = structs.replace(wanted, status=meant, id=(min(open_ids), None))
    for bar, _, n in _grouped(conn, ranged, start, bar_s, now):
        if 0 <= bar < (end - start) // (bar_s * SECOND):
            found[bar]["open"] = found[bar].get("open", 0) + n
    return 0


def _by_searching(
    conn: Connection,
    wanted: JobFilter,
    start: Micros,
    end: Micros,
    bars: int,
    now: Micros,
    page: Page[Job],
) -> Chart:
    plan = sources.plan(conn, wanted, now)
    if page.next is not None:
        plan.high = min(plan.high, int(cursors.read(page.next, "-id", 1)[0]) - 1)
    elif page.read:
        plan.high = 0
    walk = listing.Walk(conn, plan, descending=True, read=page.read)
    slices = list(walk.slices(SLICE, patient=True))
    searched = periods.created_at(conn, walk.looked_to)
    # Of a search the bars show what was looked at, not a long emptiness before it.
    start = start if searched is None else max(start, searched)
    bar_s = _width(start, end, bars)
    start, end = _whole(start, end, bar_s)
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for job in page.items:
        bar, name = (job.created_at - start) // (bar_s * SECOND), _kind(job.status)
        found[bar][name] = found[bar].get(name, 0) + 1
    total = len(page.items)
    began = time.perf_counter()
    for place, (low, high) in enumerate(slices):
        if place and listing.is_late(began):
            searched = periods.created_at(conn, high + 1)
            first = 0 if searched is None else max((searched - start) // (bar_s * SECOND), 0)
            found = {bar - first: counts for bar, counts in found.items()}
            start += first * bar_s * SECOND
            break
        for bar, code, n in _read(conn, plan, low, high, start, bar_s):
            name = Code(code).name.lower()
            found[bar][name] = found[bar].get(name, 0) + n
            total += n
    return _chart(found, start, end, bar_s, searched_to=searched, read=total)


def _kind(status: Status) -> str:
    return status.value if status in FINAL else "open"


def _grouped(
    conn: Connection, wanted: JobFilter, start: Micros, bar_s: int, now: Micros
) -> Iterable[tuple[int, int, int]]:
    plan = sources.plan(conn, wanted, now)
    for low, high in listing.Walk(conn, plan, descending=True).slices(ROWS, patient=True):
        yield from _read(conn, plan, low, high, start, bar_s)


def _read(
    conn: Connection, plan: sources.Plan, low: int, high: int, start: Micros, bar_s: int
) -> Iterable[tuple[int, int, int]]:
    found = walks.rows(conn, plan, "jobs.created_at AS at, jobs.status AS status")
    sql = (
        "SELECT (at - :start) / :width AS bar, status, count(*) "  # noqa: S608
        f"FROM ({found}) AS meant GROUP BY 1, 2"
    )
    binds = {"low": low, "high": high, "start": start, "width": bar_s * SECOND}
    for bar, code, n in walks.run(conn, sql, plan, **binds):
        yield int(bar), code, n


def _chart(
    found: dict[int, dict[str, int]],
    start: Micros,
    end: Micros,
    bar_s: int,
    *,
    searched_to: Micros | None = None,
    left_out: int = 0,
    read: int | None = None,
) -> Chart:
    width = bar_s * SECOND
    made = [Bar(at=start + n * width, **found.get(n, {})) for n in range((end - start) // width)]
    return Chart(
        bars=made,
        bar_s=bar_s,
        start=start,
        end=end,
        searched_to=searched_to,
        left_out=left_out,
        read=read,
    )
