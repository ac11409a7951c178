"""Times and durations, as users write and read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.domain import clock
from jobdeck.domain.errors import InvalidValue


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("30s", 30),
        ("1h 30m", 5400),
        ("500ms", 0.5),
        ("2 d", 172800),
        (5, 5),
        ("1.5h", 5400),
    ],
)
def test_durations_are_read(text: str | int, seconds: float) -> None:
    assert clock.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5", "0", "5 parsecs", "1h x", True, "inf", "nan"])
def test_what_is_no_duration_is_refused_by_name(text: str | bool) -> None:
    with pytest.raises(InvalidValue, match=r"^timeout: .*duration"):
        clock.parse_duration(text, "timeout")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.0421, "42 ms"),
        (3.44, "3.4 s"),
        (59, "59 s"),
        (125, "2 min 05 s"),
        (3723, "1 h 02 min 03 s"),
        (97200, "1 d 03 h"),
        (9.99, "10 s"),
        (0.9999, "1.0 s"),
        (59.7, "1 min 00 s"),
    ],
)
def test_durations_are_written_for_people(seconds: float, text: str) -> None:
    assert clock.format_duration(seconds) == text


@given(st.integers(min_value=0, max_value=4_000_000_000_000_000))
def test_a_time_survives_its_text(at: int) -> None:
    milliseconds = at // 1000 * 1000
    assert clock.from_iso(clock.to_iso(milliseconds)) == milliseconds


def test_a_time_without_a_zone_is_utc_and_one_with_it_is_kept() -> None:
    assert clock.from_iso("2026-11-20") == clock.from_iso("2026-11-20T00:00:00Z")
    assert clock.from_iso("2026-11-20T01:00:00+01:00") == clock.from_iso("2026-11-20")


def test_what_is_no_time_is_refused_by_name() -> None:
    with pytest.raises(InvalidValue, match=r"^created_after: 'yesterday' is not a time"):
        clock.from_iso("yesterday", "created_after")
