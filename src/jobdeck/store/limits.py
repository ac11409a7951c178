"""How many jobs of a queue or flow may run at once, and how many may start in a time.

Both hold across pools. Whoever claims from a limited lane holds the lock of the queue's or
flow's row until its transaction ends (on SQLite the write lock), so two pools cannot both count
before either has claimed.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, func, select, update

from jobdeck.domain.clock import Micros
from jobdeck.domain.rates import Rate, check_running, parse_rate
from jobdeck.store.tables import flows, queues, running
from jobdeck.store.values import AnyRow

Lane = tuple[int, int]
"""Queue and flow."""


SETTINGS = ("max_running", "rate")


def columns(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with `max_running` and `rate` (a text such as 10/m, or None) as the columns
    that keep them. A new rate begins as if nothing had started yet.

    Raises:
        InvalidValue: names the one that is no limit.
    """
    values = dict(settings)
    if "max_running" in values:
        values["max_running"] = check_running(values["max_running"])
    if "rate" in values:
        text = values.pop("rate")
        rate = None if text is None else parse_rate(text)
        values["rate_count"] = rate.count if rate else None
        values["rate_period_s"] = rate.period_s if rate else None
        values["rate_empty_at"] = None
    return values


def rate_text(row: Any) -> str | None:
    """The rate of a row of `queues` or `flows`, such as 10/m."""
    return None if row.rate_count is None else str(Rate(row.rate_count, row.rate_period_s))


class _Limit(NamedTuple):
    free: int
    rate: Rate | None
    empty_at: Micros | None


class Allowance:
    """How many jobs may be claimed from the limited queues and flows now; empty if no lane is
    limited."""

    def __init__(self, by_queue: dict[int, _Limit], by_flow: dict[int, _Limit]) -> None:
        self._queues = by_queue
        self._flows = by_flow
        self._free_queue = {queue: limit.free for queue, limit in by_queue.items()}
        self._free_flow = {flow: limit.free for flow, limit in by_flow.items()}

    def __bool__(self) -> bool:
        return bool(self._queues or self._flows)

    def of(self, lane: Lane) -> int | None:
        """How many may still be taken from the lane; None: as many as there are."""
        queue, flow = lane
        frees = [
            free
            for free in (self._free_queue.get(queue), self._free_flow.get(flow))
            if free is not None
        ]
        return max(min(frees), 0) if frees else None

    def take(self, lane: Lane) -> bool:
        """Take one from the lane, if that is allowed."""
        free = self.of(lane)
        if free is None:
            return True
        if free < 1:
            return False
        queue, flow = lane
        if queue in self._free_queue:
            self._free_queue[queue] -= 1
        if flow in self._free_flow:
            self._free_flow[flow] -= 1
        return True

    def spend(self, conn: Connection, lanes: Iterable[Lane], now: Micros) -> None:
        """Note that these jobs, given by their lanes, start now."""
        counted = Counter(lanes)
        for table, limits, side in ((queues, self._queues, 0), (flows, self._flows, 1)):
            starts: Counter[int] = Counter()
            for lane, n in counted.items():
                starts[lane[side]] += n
            for number, limit in list(limits.items()):
                if limit.rate is not None and starts[number]:
                    after = limit.rate.after(limit.empty_at, now, starts[number])
                    limits[number] = limit._replace(empty_at=after)
                    conn.execute(
                        update(table).where(table.c.id == number).values(rate_empty_at=after)
                    )

    def opens_at(self, now: Micros) -> Micros | None:
        """When the first of the rates that let nothing start now lets something start again."""
        limits = (*self._queues.values(), *self._flows.values())
        times = [limit.rate.next_free(limit.empty_at, now) for limit in limits if limit.rate]
        return min((at for at in times if at > now), default=None)


NONE = Allowance({}, {})


def allowance(
    conn: Connection,
    limited_queues: Collection[int],
    limited_flows: Collection[int],
    now: Micros,
) -> Allowance:
    """What may be claimed from these queues and flows, locking them until the transaction ends.

    A job that waits for its children counts for its flow, whose run it still is, but not for
    its queue, since it holds no worker there: else parents could fill a queue that their own
    children wait in.
    """
    if not limited_queues and not limited_flows:
        return NONE
    by_queue = _read(conn, queues, limited_queues)
    by_flow = _read(conn, flows, limited_flows)
    r = running.c
    at_work = dict.fromkeys(limited_queues, 0)
    query = select(r.queue_id, func.count()).where(
        r.queue_id.in_(limited_queues), r.pool_id.is_not(None)
    )
    for queue, n in conn.execute(query.group_by(r.queue_id)):
        at_work[queue] = n
    runs = dict.fromkeys(limited_flows, 0)
    query = select(r.flow_id, func.count()).where(r.flow_id.in_(limited_flows))
    for flow, n in conn.execute(query.group_by(r.flow_id)):
        runs[flow] = n
    return Allowance(
        {row.id: _limit(row, at_work[row.id], now) for row in by_queue},
        {row.id: _limit(row, runs[row.id], now) for row in by_flow},
    )


def _read(conn: Connection, table: Table, numbers: Collection[int]) -> Sequence[AnyRow]:
    if not numbers:
        return []
    c = table.c
    query = (
        select(c.id, c.max_running, c.rate_count, c.rate_period_s, c.rate_empty_at)
        .where(c.id.in_(numbers))
        .order_by(c.id)
        .with_for_update(key_share=True)
    )
    return conn.execute(query).fetchall()


_NO_LIMIT = 1_000_000_000


def _limit(row: AnyRow, at_work: int, now: Micros) -> _Limit:
    free = _NO_LIMIT if row.max_running is None else max(row.max_running - at_work, 0)
    if row.rate_count is None:
        return _Limit(free, None, None)
    rate = Rate(row.rate_count, row.rate_period_s)
    return _Limit(min(free, rate.free(row.rate_empty_at, now)), rate, row.rate_empty_at)
