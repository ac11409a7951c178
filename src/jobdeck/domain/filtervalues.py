"""The values of a filter's conditions: numbers, durations, times, and ranges of them."""

from collections.abc import Callable
from datetime import UTC, datetime

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.filters import Range

DAY = 86_400 * SECOND
NUMBER_MAX = 2**53


def numbers(text: str, name: str) -> Range:
    """`5`, `>5`, `>=5`, `<5`, `<=5`, `5..9`, `5..` or `..9`."""
    return _range(text, name, _whole, 1)


def durations(text: str, name: str) -> Range:
    """A range as of `numbers`, in microseconds. Durations are hardly ever equal, so `>` means
    `>=`, and one alone is the shortest."""
    return _range(text, name, _micros, 0)


def _whole(text: str, name: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal()) or abs(int(text)) > NUMBER_MAX:
        raise InvalidValue(name, f"{text!r} is not a number; write 5, >5, or 5..9")
    return int(text)


def _micros(text: str, name: str) -> int:
    if text in ("0", "0s"):
        return 0
    seconds = clock.parse_duration(text, name)
    assert seconds is not None
    return round(seconds * SECOND)


def _range(text: str, name: str, read: Callable[[str, str], int], step: int) -> Range:
    low, dots, high = text.partition("..")
    if dots:
        _check_ends(low, high, text, name)
        return (read(low, name) if low else None, read(high, name) if high else None)
    plain = text.lstrip("<>=").strip()
    sign = text[: len(text) - len(text.lstrip("<>="))]
    value = read(plain, name)
    match sign:
        case ">=":
            return value, None
        case ">":
            return value + step, None
        case "<=":
            return None, value
        case "<":
            return None, value - step
        case "":
            return value, value if step else None
    raise InvalidValue(name, f"{sign!r} is none of >, >=, < and <=")


def _check_ends(low: str, high: str, text: str, name: str) -> None:
    if not low and not high:
        raise InvalidValue(name, f"{text!r} has no ends; write one before or behind the dots")


def narrower(one: Range, other: Range) -> Range:
    """What is in both."""
    lows = [n for n in (one[0], other[0]) if n is not None]
    highs = [n for n in (one[1], other[1]) if n is not None]
    return (max(lows) if lows else None, min(highs) if highs else None)


def times(text: str, name: str, now: Micros) -> Range:
    """A range of times: a date is its whole day, another time alone or a duration means since
    then."""
    low, dots, high = text.partition("..")
    if dots:
        _check_ends(low, high, text, name)
        return (
            moment(low, now, name) if low else None,
            _end(high, now, name) if high else None,
        )
    if text.startswith("<="):
        return (None, _end(text[2:], now, name))
    if text.startswith("<"):
        return (None, moment(text[1:], now, name))
    plain = text.removeprefix(">").removeprefix("=")
    begin = moment(plain, now, name)
    return (begin, _end(text, now, name) if plain == text and _is_day(text) else None)


def _is_day(text: str) -> bool:
    return len(text) == 10 and text.count("-") == 2


def _end(text: str, now: Micros, name: str) -> Micros:
    return moment(text, now, name) + (DAY if _is_day(text) else 0)


def moment(text: str, now: Micros, field: str) -> Micros:
    """A time: ISO 8601, or a duration before `now` such as `2h`.

    Raises:
        InvalidValue: it is neither; the error names `field`.
    """
    text = text.strip()
    try:
        seconds = clock.parse_duration(text, field)
    except InvalidValue:
        pass
    else:
        assert seconds is not None
        return now - round(seconds * SECOND)
    try:
        return clock.from_iso(text, field)
    except InvalidValue:
        raise InvalidValue(
            field, f"{text!r} is not a time; write 2026-11-20T13:30, or a duration such as 2h"
        ) from None


def numbers_text(span: Range) -> str:
    """What `numbers` reads as this range."""
    return str(span[0]) if span[0] == span[1] is not None else _text(span, str)


def durations_text(span: Range) -> str:
    """What `durations` reads as this range."""
    return _text(span, _duration)


def times_text(span: Range) -> str:
    """What `times` reads as this range."""
    low, high = span
    return f"<{_time(high)}" if low is None and high is not None else _text(span, _time)


def _text(span: Range, write: Callable[[int], str]) -> str:
    low, high = span
    if low is not None and high is not None:
        return f"{write(low)}..{write(high)}"
    return f">={write(low)}" if low is not None else f"<={write(high)}" if high is not None else ""


def _duration(micros: int) -> str:
    whole, part = divmod(micros, SECOND)
    return f"{whole}{f'.{part:06}'.rstrip('0').rstrip('.')}s"


def _time(at: Micros) -> str:
    exact = datetime.fromtimestamp(at // SECOND, UTC).replace(microsecond=at % SECOND)
    return exact.isoformat().replace("+00:00", "Z")
