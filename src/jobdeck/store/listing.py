"""Reading a page of a list of jobs: bounded slices of the sources, merged in order."""

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.filters import PAGE_MAX, ROWS_MAX, JobFilter, check_sort
from jobdeck.store import counters, cursors, periods, sorting, sources, walks
from jobdeck.store.sources import Plan

SCATTERED = 4
"""A row that must be sought for itself counts as so many that lie side by side."""
POSTGRES_PART = 0.75
"""PostgreSQL takes longer for a row, and an answer is to come in the same time."""
COUNT_PART = 2
"""Counting begins with this part of what a call may read."""
CALM = ROWS_MAX // 5
"""So many rows a call reads whatever the time."""
READING_S = 0.03
"""Then it stops if what comes next might bring it beyond so many seconds, as beside a busy pool."""
_FIRST_SLICE = 200
_GROWTH = 4


def is_late(began: float) -> bool:
    """Whether the next slice, which is several times as large as all before it, might take too
    long after what was `began` at that reading of `time.perf_counter`."""
    return (time.perf_counter() - began) * _GROWTH > READING_S


class Found(NamedTuple):
    """The numbers of one page; see `Page`."""

    ids: list[int]
    next: str | None
    searched_to: Micros | None
    prev: str | None = None
    read: int = 0


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
    if order[0].lstrip("-") not in ("id", "created"):
        return Found(*sorting.page(conn, wanted, order, limit, cursor, now))
    descending = order[0].startswith("-")
    name = "-id" if descending else "id"
    place, before = cursors.read_either(cursor, name, 1) if cursor is not None else (None, False)
    plan = sources.plan(conn, wanted, now or 0)
    down = descending is not before
    if place is not None:
        if down:
            plan.high = min(plan.high, int(place[0]) - 1)
        else:
            plan.low = max(plan.low, int(place[0]) + 1)
    walk = Walk(conn, plan, down)
    ids, last = walk.take(limit)
    if before:
        ids.reverse()
    following = cursors.write(name, [last]) if last is not None else None
    earlier = None
    if before and place is not None:
        # What came before is where this page was asked from.
        came = ids[-1] if ids else int(place[0]) + (1 if descending else -1)
        earlier = cursors.write(name, [last], before=True) if last is not None else None
        following = cursors.write(name, [came])
    elif place is not None:
        came = ids[0] if ids else int(place[0]) - (1 if descending else -1)
        earlier = cursors.write(name, [came], before=True)
    searched = periods.created_at(conn, None if plan.exact else last)
    return Found(ids, following, searched, earlier, walk.read)


def numbers(
    conn: Connection, wanted: JobFilter, *, after: int, upto: int, limit: int, now: Micros
) -> tuple[list[int], int | None]:
    """At most `limit` numbers of jobs that the filter means, in their order, above `after` and
    up to `upto`; and the last number that was looked at (None: there are no more)."""
    plan = sources.plan(conn, wanted, now)
    plan.low, plan.high = max(plan.low, after + 1), min(plan.high, upto)
    return Walk(conn, plan, False).take(limit)


class Counted(NamedTuple):
    """How many jobs a filter means: exactly, or at least so many, found by looking back to a
    time."""

    n: int
    exact: bool = True
    searched_to: Micros | None = None


def count(conn: Connection, wanted: JobFilter, now: Micros) -> Counted:
    """How many jobs the filter means: from the counters where they can tell, else by reading a
    bounded number of rows, the newest first."""
    if counters.can_tell(wanted):
        return Counted(counters.matching(conn, wanted))
    plan = sources.plan(conn, wanted, now)
    walk = Walk(conn, plan, descending=True)
    found = 0
    query = walks.count(conn, plan) if plan.sources else ""
    for low, high in walk.slices(ROWS_MAX // COUNT_PART, patient=True):
        found += walks.run(conn, query, plan, low=low, high=high).scalar_one()
    last = walk.looked_to
    return Counted(found, last is None, periods.created_at(conn, last))


def _order(sort: Sequence[str]) -> list[str]:
    return check_sort(sort) or ["-id"]


class Walk:
    """Goes through the sources of a plan side by side, a slice of the numbers at a time.

    `looked_to` is the number up to which all was looked at when `slices` ends; None: all was.
    `read` are the rows that were read, also by another walk before this one.
    """

    def __init__(self, conn: Connection, plan: Plan, descending: bool, *, read: int = 0) -> None:
        self._conn, self._plan, self._descending = conn, plan, descending
        self._low, self._high = plan.low, plan.high
        self.read = read
        self.looked_to: int | None = None

    def take(self, limit: int) -> tuple[list[int], int | None]:
        """The next `limit` numbers, and the last that was looked at (None: that was all)."""
        plan, wanted = self._plan, limit + 1
        found: list[int] = []
        if plan.exact and plan.walks == 1:
            found = self._matches(self._low, self._high, wanted)  # the limit ends it
            self.read += len(found)
            return found[:limit], found[limit - 1] if len(found) == wanted else None
        for low, high in self.slices(wanted if plan.exact else max(_FIRST_SLICE, wanted * _GROWTH)):
            found += self._matches(low, high, wanted - len(found))
            if len(found) == wanted:
                return found[:limit], found[limit - 1]
        return found, self.looked_to

    def slices(self, rows: int, *, patient: bool = False) -> Iterator[tuple[int, int]]:
        """Ranges of numbers, the first with at most about so many rows to read, until all or as
        much as one call may read was looked at; unless it is `patient`, it ends early where
        reading takes long."""
        plan = self._plan
        began = time.perf_counter()
        costs = SCATTERED if plan.scattered else 1
        budget = ROWS_MAX // costs
        if self._conn.dialect.name != "sqlite":
            budget = int(budget * POSTGRES_PART)
        calm = CALM // costs
        while plan.sources and self._low <= self._high:
            rows = min(rows, max((budget - self.read) // plan.walks, not self.read))
            if rows < 1 or (self.read >= calm and not patient and is_late(began)):
                self.looked_to = self._high + 1 if self._descending else self._low - 1
                return
            end = walks.end_of_slice(
                self._conn, plan, self._low, self._high, rows, descending=self._descending
            )
            self.read += rows * plan.walks
            if end is None:
                yield self._low, self._high
                return
            yield (end, self._high) if self._descending else (self._low, end)
            rows *= _GROWTH
            if self._descending:
                self._high = end - 1
            else:
                self._low = end + 1

    def _matches(self, low: int, high: int, limit: int) -> list[int]:
        sql = walks.first(self._conn, self._plan, descending=self._descending)
        found = walks.run(self._conn, sql, self._plan, low=low, high=high, count=limit)
        return list(found.scalars())
