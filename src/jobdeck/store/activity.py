"""How many jobs were created lately, and what became of them: for a chart of the last hours."""

from collections import defaultdict

from msgspec import Struct
from sqlalchemy import Connection, func, select

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.filters import ROWS_MAX
from jobdeck.domain.states import Code
from jobdeck.store import periods, selections
from jobdeck.store.tables import jobs

RANGES = ((86_400, 1_800), (21_600, 600), (3_600, 120), (600, 20), (60, 2))
"""Seconds that a chart may hold, and those of one of its bars; the longest first."""


class Bar(Struct, frozen=True, kw_only=True):
    """The jobs created within one stretch of time; `open` have not ended."""

    at: Micros
    completed: int = 0
    failed: int = 0
    stopped: int = 0
    open: int = 0


class Activity(Struct, frozen=True, kw_only=True):
    """All jobs created in the last `range_s` seconds, in bars of `bar_s` seconds each."""

    range_s: int
    bar_s: int
    bars: list[Bar]


def recent(conn: Connection, now: Micros) -> Activity | None:
    """The longest of RANGES whose jobs are few enough to be read, every one of them, or a
    shorter one that holds the same jobs; None: the shortest holds too many."""
    newest = selections.newest(conn)
    for place, (range_s, bar_s) in enumerate(RANGES):
        start = _start(now, range_s, bar_s)
        low, _ = periods.numbers(conn, start, None)
        if newest - low < ROWS_MAX:
            chosen = _shortest(_oldest(conn, low, start), place, now)
            return _activity(conn, low, *RANGES[chosen], now)
    return None


def _start(now: Micros, range_s: int, bar_s: int) -> Micros:
    """The first whole bar within the range."""
    width = bar_s * SECOND
    return (now - range_s * SECOND) // width * width + width


def _oldest(conn: Connection, low: int, start: Micros) -> Micros | None:
    times = jobs.c.created_at
    query = select(func.min(times)).where(jobs.c.id >= low, times >= start)
    return conn.execute(query).scalar()


def _shortest(oldest: Micros | None, place: int, now: Micros) -> int:
    """The last of RANGES, from that place on, that still holds a job of that time."""
    if oldest is None:
        return place
    following = range(place + 1, len(RANGES))
    return max((n for n in following if _start(now, *RANGES[n]) <= oldest), default=place)


def _activity(conn: Connection, low: int, range_s: int, bar_s: int, now: Micros) -> Activity:
    start = _start(now, range_s, bar_s)
    bars = _bars(conn, low, start, bar_s * SECOND, now)
    return Activity(range_s=range_s, bar_s=bar_s, bars=bars)


def _bars(conn: Connection, low: int, start: Micros, width: Micros, now: Micros) -> list[Bar]:
    place = (jobs.c.created_at - start) // width
    query = (
        select(place, jobs.c.status, func.count())
        .where(jobs.c.id >= low, jobs.c.created_at >= start, jobs.c.created_at <= now)
        .group_by(place, jobs.c.status)
    )
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for bar, code, n in conn.execute(query):
        found[int(bar)][Code(code).name.lower()] = n
    return [Bar(at=start + bar * width, **found[bar]) for bar in range((now - start) // width + 1)]
