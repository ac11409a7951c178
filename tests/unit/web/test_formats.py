"""Numbers, sizes and times as people read them."""

from __future__ import annotations

import pytest

from jobdeck.domain import clock
from jobdeck.web import formats

THIN = formats.THIN


def test_numbers_are_grouped() -> None:
    assert formats.number(1234567) == f"1{THIN}234{THIN}567"
    assert formats.number(999) == "999"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_240_000, "1.2 MB"),
        (99_950, "100 kB"),
        (999_499, "999 kB"),
        (999_600, "1.0 MB"),
        (5 * 10**17, "500 PB"),
        (5 * 10**19, "50000 PB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert formats.size(count) == text.replace(" ", THIN)


def test_all_is_never_done_too_early() -> None:
    assert formats.percent(0.999) == f"99{THIN}%"
    assert formats.percent(1.0) == f"100{THIN}%"


@pytest.mark.parametrize(
    ("at", "text"),
    [
        ("2026-11-20T13:00:05Z", "13:00:05"),
        ("2026-11-19T23:30:00Z", "19 Nov 23:30"),
        ("2026-03-01T08:05:00Z", "1 Mar 08:05"),
        ("2025-12-31T23:59:00Z", "31 Dec 2025"),
    ],
)
def test_times_are_as_short_as_they_stay_clear(at: str, text: str) -> None:
    now = clock.from_iso("2026-11-20T14:00:00Z")
    assert formats.short(clock.from_iso(at), now) == text


def test_words_follow_numbers() -> None:
    assert formats.plural(1, "job") == "1 job"
    assert formats.plural(2000, "child", "children") == f"2{THIN}000 children"
