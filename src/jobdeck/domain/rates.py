"""Limits: how many jobs may run at once, and how many may start in a time, spread evenly (the
generic cell rate algorithm)."""

import re

from msgspec import Struct

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.errors import InvalidValue

RUNNING_MAX = 1_000_000
PERIOD_MAX_S = 366 * 86400

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_TEXT = re.compile(r"(\d{1,9})\s*/\s*(\d{0,9})\s*(s|m|min|h|d)")


class Rate(Struct, frozen=True):
    """After a quiet period `count` starts may come at once, and then one more every
    `period_s / count`.

    The state of a rate is one time: when it would be empty if nothing more started.
    """

    count: int
    period_s: float

    @property
    def interval(self) -> Micros:
        """Time between two starts when they are spread evenly."""
        return max(round(self.period_s * SECOND / self.count), 1)

    def free(self, empty_at: Micros | None, now: Micros) -> int:
        """How many may start now."""
        used = max(self._state(empty_at, now) - now, 0)
        return max(self.count - -(-used // self.interval), 0)

    def after(self, empty_at: Micros | None, now: Micros, starts: int) -> Micros:
        """The state after that many starts."""
        return max(self._state(empty_at, now), now) + starts * self.interval

    def next_free(self, empty_at: Micros | None, now: Micros) -> Micros:
        """When the next one may start."""
        return max(now, self._state(empty_at, now) - (self.count - 1) * self.interval)

    def _state(self, empty_at: Micros | None, now: Micros) -> Micros:
        # Much farther ahead than all starts together is a clock that was set back.
        if empty_at is None or empty_at > now + 2 * self.count * self.interval:
            return 0
        return empty_at

    def __str__(self) -> str:
        for unit, seconds in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
            if self.period_s % seconds == 0:
                times = int(self.period_s // seconds)
                return f"{self.count}/{times if times > 1 else ''}{unit}"
        return f"{self.count}/{self.period_s}s"


def parse_rate(text: object) -> Rate:
    """Read a rate such as "10/s", "100/m" or "5/30s".

    Raises:
        InvalidValue: it is none.
    """
    found = _TEXT.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None or int(found[1]) < 1 or (found[2] and int(found[2]) < 1):
        raise InvalidValue(
            "rate", f"{text!r} is not a rate; write jobs and a time, such as 10/s or 100/5m"
        )
    period_s = int(found[2] or 1) * _UNITS[found[3]]
    if period_s > PERIOD_MAX_S:
        raise InvalidValue("rate", f"{text!r} is over more than a year; take a shorter time")
    return Rate(int(found[1]), float(period_s))


def check_running(number: object) -> int | None:
    """A limit of jobs that run at once, if it is one; None is none.

    Raises:
        InvalidValue: it is not from 1 to a million.
    """
    if number is None:
        return None
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= RUNNING_MAX:
        raise InvalidValue(
            "max_running",
            f"{number!r} is not a number of jobs from 1 to {RUNNING_MAX:,}; to let none run, pause "
            "the queue, to let any number run, take the limit away",
        )
    return number
