"""Times are whole microseconds since the Unix epoch, in UTC; durations are seconds."""

import re
import time
from datetime import UTC, datetime, timedelta

from jobdeck.domain.errors import InvalidValue

Micros = int

SECOND = 1_000_000
DURATION_MAX_S = 100_000 * 366 * 86400.0
"""A longer one, taken from the present or added to it, would fit into no column of a store."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|min|s|m|h|d|w)")


def now() -> Micros:
    """The present, for those at the edge; everything below is given it."""
    return time.time_ns() // 1000


def to_datetime(at: Micros) -> datetime:
    """The same instant as an aware datetime in UTC.

    Raises:
        InvalidValue: it lies beyond what a datetime can be.
    """
    try:
        return _EPOCH + timedelta(microseconds=at)
    except OverflowError:
        raise InvalidValue("time", f"{at} µs is beyond all calendars") from None


def from_datetime(at: datetime) -> Micros:
    """The same instant in microseconds.

    Raises:
        InvalidValue: `at` has no time zone.
    """
    if at.tzinfo is None:
        raise InvalidValue("time", f"{at.isoformat()} has no time zone; add one, such as +00:00")
    return (at - _EPOCH) // _MICROSECOND


def to_iso(at: Micros) -> str:
    """The instant in ISO 8601 with milliseconds, such as 2026-11-20T13:30:00.125Z."""
    return to_datetime(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_iso(text: str, field: str = "time") -> Micros:
    """Read an ISO 8601 date or time; without a zone it is UTC.

    Raises:
        InvalidValue: `text` is neither; the error names `field`.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidValue(
            field, f"{text!r} is not a time; write it like 2026-11-20 or 2026-11-20T13:30:00Z"
        ) from None
    return from_datetime(at if at.tzinfo else at.replace(tzinfo=UTC))


LATEST = from_iso("2200-01-01")
"""Times in calendars farther away are mistakes, and databases could not hold all of them."""


def check(at: Micros | None, field: str) -> None:
    """Refuse a time that somebody set for something to happen, if it lies too far away.

    Raises:
        InvalidValue: it does; the error names `field`.
    """
    if at is not None and not 0 <= at <= LATEST:
        raise InvalidValue(field, "is not between the years 1970 and 2200")


def parse_duration(value: str | float | int | None, field: str = "duration") -> float | None:
    """Read a duration such as 90, "90s", "1h 30m" or "500ms" in seconds; None stays None.

    Raises:
        InvalidValue: it is none of these, not above zero, or too long; the error names `field`.
    """
    if value is None:
        return None
    if isinstance(value, str):
        seconds = _duration_text(value)
    else:
        seconds = None if isinstance(value, bool) else float(value)
    if seconds is None or not 0 < seconds < float("inf"):
        raise InvalidValue(
            field, f"{value!r} is not a duration; write seconds, or a text like '30s' or '1h 30m'"
        )
    if seconds > DURATION_MAX_S:
        raise InvalidValue(field, f"{value!r} is too long; write at most 100,000 years")
    return seconds


def _duration_text(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        pass
    parts = _PART.findall(text)
    if not parts or _PART.sub("", text).strip():
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def format_duration(seconds: float) -> str:
    """A duration for people: `120 ms`, `3.4 s`, `2 min 05 s`, `1 h 02 min 03 s`, `3 d 04 h`."""
    if seconds < 0.9995:
        return f"{round(max(seconds, 0) * 1000)} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days} d {hour:02} h"
    if hours:
        return f"{hours} h {minute:02} min {second:02} s"
    if minutes:
        return f"{minutes} min {second:02} s"
    return f"{second} s"
