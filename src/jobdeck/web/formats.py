"""Numbers, sizes, times and JSON as people read them; the templates' filters."""

import json
from typing import Any

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND, Micros

THIN = "\u202f"
"""A thin space that never breaks: between the groups of a number, and before its unit."""

DAY = 86_400 * SECOND
MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
_SIZES = ("kB", "MB", "GB", "TB", "PB")
JSON_CHARS = 20_000
"""So much of a value is shown on a page; the rest is behind a link."""


def number(value: int | float) -> str:
    """A number with its digits in groups of three."""
    return f"{value:,}".replace(",", THIN)


def size(count: int) -> str:
    """A number of bytes, such as 12.3 MB."""
    if count < 1000:
        return f"{count}{THIN}B"
    scaled = float(count)
    for unit in _SIZES:
        scaled /= 1000
        if scaled < 999.5 or unit == _SIZES[-1]:
            digits = 1 if scaled < 99.95 else 0
            return f"{scaled:.{digits}f}{THIN}{unit}"
    raise AssertionError


def duration(seconds: float | None) -> str:
    """A duration in words, or a dash where there is none."""
    return "–" if seconds is None else clock.format_duration(seconds)


def percent(fraction: float) -> str:
    """A share as a whole number of per cent, and never 100 before all is done."""
    return f"{int(fraction * 100)}{THIN}%"


def exact(at: Micros) -> str:
    """The instant as it stands on a page before a script puts it into the reader's zone."""
    text = clock.to_iso(at)
    return f"{text[:10]} {text[11:19]} UTC"


def short(at: Micros, now: Micros) -> str:
    """The instant in UTC, as short as it stays clear: the time today, else the date with it."""
    if abs(now - at) < DAY // 2 or now // DAY == at // DAY:
        return clock.to_iso(at)[11:19]
    then, present = clock.to_datetime(at), clock.to_datetime(now)
    day = f"{then.day} {MONTHS[then.month - 1]}"
    if then.year == present.year:
        return f"{day} {then.hour:02}:{then.minute:02}"
    return f"{day} {then.year}"


def pretty(value: Any) -> str:
    """A value as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def inline(value: Any, width: int = 80) -> str:
    """A value as JSON on one line, cut to `width` characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= width else f"{text[: width - 1]}…"


def plural(count: int, one: str, many: str = "") -> str:
    """The number with the word it takes: 1 job, 2 jobs."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"
