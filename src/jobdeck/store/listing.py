"""Reading a page of a list of jobs: bounded slices of the sources, merged in order."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, text

from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.filters import PAGE_MAX, ROWS_MAX, SORTS, JobFilter
from jobdeck.store import cursors, sorting, sources, walks
from jobdeck.store.sources import Plan

SCATTERED = 4
"""A row that must be sought for itself counts as so many that lie side by side."""
_FIRST_SLICE = 200
_GROWTH = 4


class Found(NamedTuple):
    """The numbers of one page; see `Page`."""

    ids: list[int]
    next: str | None
    searched_to: Micros | None


def page(
    conn: Connection,
    wanted: JobFilter,
    *,
    sort: Sequence[str],
    limit: int,
    cursor: str | None,
    now: Micros | None,
) -> Found:
    """The numbers of the jobs on one page; see `jobs.find`."""
    order = _order(sort)
    if not 1 <= limit <= PAGE_MAX:
        raise InvalidValue("limit", f"{limit} is not between 1 and {PAGE_MAX}")
    first = order[0].lstrip("-")
    if first not in ("id", "created"):
        return Found(*sorting.page(conn, wanted, order, limit, cursor, now), None)
    descending = order[0].startswith("-")
    name = "-id" if descending else "id"
    place = cursors.read(cursor, name, 1)[0] if cursor is not None else None
    plan = sources.plan(conn, wanted)
    if place is not None:
        if descending:
            plan.high = min(plan.high, int(place) - 1)
        else:
            plan.low = max(plan.low, int(place) + 1)
    ids, last = _Walk(conn, plan, descending).take(limit)
    if last is None:
        return Found(ids, None, None)
    query = text("SELECT created_at FROM jobs WHERE id = :id")
    searched = None if plan.exact else conn.execute(query, {"id": last}).scalar()
    return Found(ids, cursors.write(name, [last]), searched)


def numbers(
    conn: Connection, wanted: JobFilter, *, after: int, upto: int, limit: int
) -> tuple[list[int], int | None]:
    """At most `limit` numbers of jobs that the filter means, in their order, above `after` and
    up to `upto`; and the last number that was looked at (None: there are no more)."""
    plan = sources.plan(conn, wanted)
    plan.low, plan.high = max(plan.low, after + 1), min(plan.high, upto)
    return _Walk(conn, plan, False).take(limit)


def _order(sort: Sequence[str]) -> list[str]:
    order = [key for key in sort if key] or ["-id"]
    for key in order:
        if key.removeprefix("-") not in SORTS:
            raise InvalidValue("sort", f"{key!r} is none of {', '.join(SORTS)}")
    return order


class _Walk:
    """Goes through the sources of a plan side by side, a slice of the numbers at a time."""

    def __init__(self, conn: Connection, plan: Plan, descending: bool) -> None:
        self._conn, self._plan, self._descending = conn, plan, descending
        self._low, self._high = plan.low, plan.high

    def take(self, limit: int) -> tuple[list[int], int | None]:
        """The next `limit` numbers, and the last that was looked at (None: that was all)."""
        plan, wanted = self._plan, limit + 1
        found: list[int] = []
        looked = False
        budget = ROWS_MAX // SCATTERED if plan.scattered else ROWS_MAX
        rows = wanted if plan.exact else max(_FIRST_SLICE, wanted * _GROWTH)
        while plan.sources and self._low <= self._high:
            rows = min(rows, max(budget // plan.walks, not looked))
            if rows < 1:
                return found, self._before()
            looked = True
            end = self._slice_end(rows)
            found += self._matches(end, wanted - len(found))
            if len(found) == wanted:
                return found[:limit], found[limit - 1]
            if end is None:
                break
            budget -= rows * plan.walks
            rows *= _GROWTH
            if self._descending:
                self._high = end - 1
            else:
                self._low = end + 1
        return found, None

    def _before(self) -> int:
        return self._high + 1 if self._descending else self._low - 1

    def _slice_end(self, rows: int) -> int | None:
        plan = self._plan
        if plan.exact and plan.walks == 1:
            return None  # the limit ends it
        return walks.end_of_slice(
            self._conn, plan, self._low, self._high, rows, descending=self._descending
        )

    def _matches(self, end: int | None, limit: int) -> list[int]:
        low, high = self._low, self._high
        if end is not None:
            low, high = (end, high) if self._descending else (low, end)
        order = "DESC" if self._descending else "ASC"
        sql = f"{walks.numbers(self._conn, self._plan)} ORDER BY id {order} LIMIT :count"
        found = walks.run(self._conn, sql, self._plan, low=low, high=high, count=limit)
        return list(found.scalars())
