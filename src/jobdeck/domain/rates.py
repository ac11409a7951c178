"""How many jobs may start in a time, spread evenly: the generic cell rate algorithm."""

import re

from msgspec import Struct

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.errors import InvalidValue

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_TEXT = re.compile(r"(\d{1,9})\s*/\s*(\d{0,9})\s*(s|m|min|h|d)")


class Rate(Struct, frozen=True):
    """At most `count` starts in any `period_s`; after a quiet period all of them may come at
    once, and then one every `period_s / count`.

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
        used = max((empty_at or 0) - now, 0)
        return max(self.count - -(-used // self.interval), 0)

    def after(self, empty_at: Micros | None, now: Micros, starts: int) -> Micros:
        """The state after that many starts."""
        return max(empty_at or 0, now) + starts * self.interval

    def next_free(self, empty_at: Micros | None, now: Micros) -> Micros:
        """When the next one may start."""
        return max(now, (empty_at or 0) - (self.count - 1) * self.interval)

    def __str__(self) -> str:
        for unit, seconds in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
            if self.period_s % seconds == 0:
                times = int(self.period_s // seconds)
                return f"{self.count}/{times if times > 1 else ''}{unit}"
        return f"{self.count}/{self.period_s}s"


def parse_rate(text: str, field: str = "rate") -> Rate:
    """Read a rate such as "10/s", "100/m" or "5/30s".

    Raises:
        InvalidValue: it is none; the error names `field`.
    """
    found = _TEXT.fullmatch(text.strip())
    if found is None or int(found[1]) < 1 or (found[2] and int(found[2]) < 1):
        raise InvalidValue(
            field, f"{text!r} is not a rate; write jobs and a time, such as 10/s or 100/5m"
        )
    return Rate(int(found[1]), float(int(found[2] or 1) * _UNITS[found[3]]))
