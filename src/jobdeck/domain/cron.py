"""When a schedule fires: cron expressions with zones and daylight saving, and intervals."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cron_descriptor import Options, get_description
from cronsim import CronSim, CronSimError

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.errors import InvalidValue

_CHANGE = 3 * 3600 * SECOND
"""Longer than clocks are ever set forward or back."""


def zone(name: str) -> ZoneInfo:
    """The time zone of that IANA name.

    Raises:
        InvalidValue: there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidValue(
            "timezone", f"{name!r} is not a time zone; use an IANA name such as Europe/Amsterdam"
        ) from None


def check(expression: str, timezone: str = "UTC", now: Micros | None = None) -> None:
    """Refuse a cron expression that cannot be read or never fires (after `now`).

    Raises:
        InvalidValue: names what is wrong with it.
    """
    next(ticks(expression, timezone, clock.now() if now is None else now))


def ticks(expression: str, timezone: str, after: Micros) -> Iterator[Micros]:
    """The times after `after` at which `expression` fires in `timezone`, without end.

    A time that a change to summer time skips fires right after the gap; one that occurs
    twice fires once (Debian cron's rule, as cronsim keeps it). Six fields start with seconds.

    Raises:
        InvalidValue: the expression cannot be read, or never fires.
    """
    for tick in _simulated(expression, timezone, after):
        if tick > after:
            yield tick
    raise InvalidValue("cron", f"{expression!r} never fires; no such date comes")


def ticks_back(expression: str, timezone: str, upto: Micros) -> Iterator[Micros]:
    """The times up to `upto` at which `expression` fired in `timezone`, the latest first.

    Raises:
        InvalidValue: the expression cannot be read.
    """
    place = zone(timezone)
    lately = clock.to_datetime(upto - _CHANGE).astimezone(place).utcoffset()
    # Where clocks have just gone back, the simulation would count back from the earlier hour.
    changed = lately != clock.to_datetime(upto).astimezone(place).utcoffset()
    start = upto + (_CHANGE if changed else SECOND)
    for tick in _simulated(expression, timezone, start, reverse=True):
        if tick <= upto:
            yield tick


def _simulated(
    expression: str, timezone: str, start: Micros, *, reverse: bool = False
) -> Iterator[Micros]:
    at = clock.to_datetime(start).astimezone(zone(timezone))
    try:
        simulation = CronSim(expression, at, reverse=reverse)
    except CronSimError as error:
        if str(error) == "Bad day-of-month" and _is_day(expression.split()[-3]):
            raise InvalidValue("cron", f"{expression!r} never fires; no such date comes") from None
        raise InvalidValue(
            "cron",
            f"{expression!r} is not a cron expression ({error}); write five fields, "
            "minute hour day month weekday, such as '*/5 * * * *'",
        ) from None
    try:
        for tick in simulation:
            yield clock.from_datetime(tick)
    except (CronSimError, OverflowError):
        # No such date, within many years or within the calendar.
        return


def _is_day(field: str) -> bool:
    """Whether some months have such a day; those that are named then have not."""
    return field.isascii() and field.isdigit() and 1 <= int(field) <= 31


def interval_step(interval_s: float) -> Micros:
    """The interval in microseconds."""
    return max(round(interval_s * SECOND), 1)


def interval_tick(interval_s: float, anchor: Micros, after: Micros) -> Micros:
    """The first time after `after` that is a whole number of intervals from `anchor`."""
    step = interval_step(interval_s)
    return anchor + ((after - anchor) // step + 1) * step


def describe(expression: str) -> str:
    """The expression in words, such as "At 05:00, every day"; as it stands if none are found."""
    options = Options()
    options.use_24hour_time_format = True
    options.verbose = True
    try:
        words = str(get_description(expression, options))
    except Exception:
        return expression
    # "Every minute, every hour, every day": what is said first says it all.
    first, *more = words.split(", ")
    kept = [each for each in more if each not in ("every minute", "every hour", "every day")]
    return ", ".join([first, *kept]) if first.startswith("Every ") else words
