"""Which ticks a schedule has, and what becomes of those that were missed."""

from __future__ import annotations

from itertools import islice, pairwise
from typing import Any

import pytest

from jobdeck.domain import clock, ticks
from jobdeck.domain.clock import SECOND, from_iso
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.ticks import Times

NOW = from_iso("2026-11-20T12:00:00Z")
MINUTE = 60 * SECOND
CLOCK_CHANGES = ("2026-03-28T22:00:00Z", "2026-10-24T22:00:00Z")


def every(seconds: float, **more: Any) -> Times:
    return Times(made_at=NOW, interval_s=seconds, **more)


def test_an_interval_counts_from_its_start() -> None:
    assert every(60).after(NOW) == NOW + MINUTE
    later = every(60, start_at=NOW + 5 * SECOND)
    assert list(islice(later.ticks(NOW), 2)) == [NOW + 5 * SECOND, NOW + 65 * SECOND]
    assert every(60, start_at=NOW - 5 * SECOND).after(NOW) == NOW + 55 * SECOND


def test_there_is_no_tick_before_the_start_or_after_the_end() -> None:
    start, end = from_iso("2026-11-22T05:00:00Z"), from_iso("2026-11-24T05:00:00Z")
    times = Times(made_at=NOW, cron="0 5 * * *", start_at=start, end_at=end)
    found = list(times.ticks(NOW))
    assert [clock.to_datetime(tick).day for tick in found] == [22, 23, 24]
    assert times.after(end) is None
    assert list(times.back(from_iso("2026-12-24"))) == found[::-1]
    assert times.check(NOW) == start


@pytest.mark.parametrize("begin", CLOCK_CHANGES)
@pytest.mark.parametrize(
    "expression",
    ["30 2 * * *", "0 3 * * *", "*/15 * * * *", "15 1-3 * * *", "0 */2 * * *", "30 30 2 * * *"],
)
def test_the_ticks_are_the_same_from_wherever_they_are_counted(expression: str, begin: str) -> None:
    # A leader that starts within the hour that is skipped, or occurs twice, sees the same ticks.
    first, last = from_iso(begin), from_iso(begin) + 6 * 60 * MINUTE
    times = Times(made_at=first, cron=expression, timezone="Europe/Amsterdam")
    found = [tick for tick in islice(times.ticks(first - 1), 100) if tick <= last]
    assert all(earlier < later for earlier, later in pairwise(found))
    for at in range(first, last, 5 * MINUTE):
        expected = [tick for tick in found if tick > at]
        assert list(islice(times.ticks(at), len(expected))) == expected
        assert list(times.back(at)) == [tick for tick in found if tick <= at][::-1]


@pytest.mark.parametrize(
    ("misfire", "late_s", "fires", "missed"),
    [
        ("skip", 5, [10], True),
        ("skip", 40, [], True),
        ("once", 40, [10], True),
        ("all", 40, list(range(1, 11)), False),
    ],
)
def test_missed_ticks(misfire: str, late_s: int, fires: list[int], missed: bool) -> None:
    first, now = NOW + MINUTE, NOW + 10 * MINUTE + late_s * SECOND
    due = ticks.due(every(60), first, misfire, now)
    assert due.fire == [NOW + n * MINUTE for n in fires]
    assert due.missed == (first if missed else None)
    assert due.next == NOW + 11 * MINUTE


@pytest.mark.parametrize("misfire", list(ticks.Misfire))
def test_a_tick_in_time_fires_whatever_the_rule(misfire: str) -> None:
    due = ticks.due(every(3600), NOW + 60 * MINUTE, misfire, NOW + 60 * MINUTE + SECOND)
    assert due == ([NOW + 60 * MINUTE], None, NOW + 120 * MINUTE)


def test_of_very_many_missed_ticks_the_latest_are_made_up_for() -> None:
    year = 365 * 24 * 60 * MINUTE
    for times in (every(1), Times(made_at=NOW, cron="* * * * * *")):
        due = ticks.due(times, NOW + SECOND, "all", NOW + year)
        assert len(due.fire) == ticks.MISSED_MAX
        assert (due.fire[-1], due.next) == (NOW + year, NOW + year + SECOND)
        assert due.missed == NOW + SECOND


def test_what_ended_is_made_up_for_and_comes_no_more() -> None:
    due = ticks.due(every(60, end_at=NOW + 2 * MINUTE), NOW + MINUTE, "once", NOW + 60 * MINUTE)
    assert due == ([NOW + 2 * MINUTE], NOW + MINUTE, None)


def test_jitter_is_bounded_spread_and_the_same_for_everybody() -> None:
    found = [ticks.jitter(7, NOW + n * MINUTE, 10.0) for n in range(200)]
    assert found == [ticks.jitter(7, NOW + n * MINUTE, 10.0) for n in range(200)]
    assert all(0 <= each < 10 * SECOND for each in found)
    assert min(found) < 2 * SECOND
    assert max(found) > 8 * SECOND
    assert ticks.jitter(7, NOW, 10.0) != ticks.jitter(8, NOW, 10.0)
    assert ticks.jitter(7, NOW, 0.0) == 0


def test_times_beyond_the_calendar_are_refused() -> None:
    with pytest.raises(InvalidValue, match="start_at"):
        every(60, start_at=from_iso("9999-12-31")).check(NOW)
