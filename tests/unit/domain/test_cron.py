"""When schedules fire."""

from itertools import islice

import pytest

from jobdeck.domain import clock, cron
from jobdeck.domain.errors import InvalidValue


def ticks(expression: str, timezone: str, after: str, many: int) -> list[str]:
    found = islice(cron.ticks(expression, timezone, clock.from_iso(after)), many)
    return [clock.to_datetime(tick).strftime("%d %H:%M") for tick in found]


def test_five_fields_in_a_zone() -> None:
    assert ticks("0 5 * * *", "Europe/Amsterdam", "2026-11-20", 2) == ["20 04:00", "21 04:00"]


def test_a_time_that_summer_time_skips_fires_once_after_the_gap() -> None:
    # 02:30 does not exist on 29 March 2026 in Amsterdam.
    found = ticks("30 2 * * *", "Europe/Amsterdam", "2026-03-28T12:00:00Z", 2)
    assert found == ["29 01:00", "30 00:30"]


def test_a_time_that_occurs_twice_fires_once() -> None:
    # 02:30 occurs twice on 25 October 2026 in Amsterdam.
    found = ticks("30 2 * * *", "Europe/Amsterdam", "2026-10-24T12:00:00Z", 2)
    assert found == ["25 00:30", "26 01:30"]


@pytest.mark.parametrize("expression", ["", "* * *", "61 * * * *", "every minute", "0 0 30 2 *"])
def test_what_cannot_be_read_or_never_fires_is_refused(expression: str) -> None:
    with pytest.raises(InvalidValue, match=r"^cron: "):
        cron.check(expression)


def test_a_zone_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InvalidValue, match=r"^timezone: 'Mars/Olympus'"):
        cron.check("* * * * *", "Mars/Olympus")


def test_intervals_keep_their_beat() -> None:
    second = clock.SECOND
    assert cron.interval_tick(60, anchor=10 * second, after=10 * second) == 70 * second
    assert cron.interval_tick(60, anchor=10 * second, after=69 * second) == 70 * second
    assert cron.interval_tick(60, anchor=10 * second, after=400 * second) == 430 * second


def test_expressions_are_told_in_words() -> None:
    assert cron.describe("0 5 * * *") == "At 05:00, every day"
    assert cron.describe("nonsense") == "nonsense"
