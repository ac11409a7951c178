"""Limits: reading them, and what a rate lets through."""

from __future__ import annotations

import pytest

from jobdeck.domain.clock import SECOND
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.rates import Rate, check_running, parse_rate


@pytest.mark.parametrize(
    ("text", "rate", "told"),
    [
        ("10/s", Rate(10, 1), "10/s"),
        (" 100/5m ", Rate(100, 300), "100/5m"),
        ("5 / 30 s", Rate(5, 30), "5/30s"),
        ("60/60min", Rate(60, 3600), "60/h"),
        ("1/366d", Rate(1, 366 * 86400), "1/366d"),
    ],
)
def test_a_rate_is_read_and_told(text: str, rate: Rate, told: str) -> None:
    assert parse_rate(text) == rate
    assert str(rate) == told
    assert parse_rate(told) == rate


@pytest.mark.parametrize(
    "text", ["", "10", "/s", "0/s", "10/0m", "10/w", "1.5/s", "-1/s", "1/367d"]
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="rate"):
        parse_rate(text)


@pytest.mark.parametrize("number", [0, -1, 1_000_001])
def test_what_is_no_number_of_jobs_is_refused(number: int) -> None:
    with pytest.raises(InvalidValue, match="max_running"):
        check_running(number)


def test_a_rate_spreads_what_follows_a_burst() -> None:
    rate, now = Rate(4, 2), 100 * SECOND
    assert rate.free(None, now) == 4
    empty_at = rate.after(None, now, 4)
    assert rate.free(empty_at, now) == 0
    assert rate.next_free(empty_at, now) == now + SECOND // 2
    assert rate.free(empty_at, now + SECOND // 2) == 1
    assert rate.free(empty_at, now + 2 * SECOND) == 4
