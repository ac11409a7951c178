"""The ticks of a schedule: which come next, which were missed, and what becomes of those."""

import hashlib
from collections.abc import Iterator
from enum import StrEnum
from itertools import islice, takewhile
from typing import Any, NamedTuple

from msgspec import Struct

from jobdeck.domain import clock, cron
from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.errors import InvalidValue

INTERVAL_MIN_S = 1.0
INTERVAL_MAX_S = 10 * 365 * 86400.0
JITTER_MAX_S = 86400.0

LATE_S = 30.0
"""A tick that is handled so late is still in time: another server may have had to take over."""

MISSED_MAX = 100
"""Missed ticks that are made up for at the most, the latest ones."""


class Misfire(StrEnum):
    """What becomes of ticks that passed while nobody could fire them."""

    SKIP = "skip"
    ONCE = "once"
    ALL = "all"


class Overlap(StrEnum):
    """What becomes of a tick while a job of the schedule has not ended."""

    ALLOW = "allow"
    SKIP = "skip"
    QUEUE = "queue"


class Times(Struct, frozen=True, kw_only=True):
    """When a schedule ticks: by `cron` in `timezone`, or every `interval_s` counted from
    `start_at` (or else from `made_at`); never before `start_at` or after `end_at`."""

    made_at: Micros
    cron: str = ""
    interval_s: float | None = None
    timezone: str = "UTC"
    start_at: Micros | None = None
    end_at: Micros | None = None

    def after(self, at: Micros) -> Micros | None:
        """The first tick after that time; None: there is none any more."""
        return next(self.ticks(at), None)

    def ticks(self, after: Micros) -> Iterator[Micros]:
        """The ticks after that time, in order."""
        if self.start_at is not None:
            after = max(after, self.start_at - 1)
        for tick in self._forward(after):
            if tick > clock.LATEST or (self.end_at is not None and tick > self.end_at):
                return
            yield tick

    def back(self, upto: Micros) -> Iterator[Micros]:
        """The ticks up to that time, the latest first."""
        if self.end_at is not None:
            upto = min(upto, self.end_at)
        for tick in self._backward(upto):
            if tick < (self.made_at if self.start_at is None else self.start_at):
                return
            yield tick

    def _forward(self, after: Micros) -> Iterator[Micros]:
        if self.interval_s is None:
            try:
                yield from cron.ticks(self.cron, self.timezone, after)
            except InvalidValue:
                return
        else:
            tick = cron.interval_tick(self.interval_s, self._anchor, after)
            while True:
                yield tick
                tick = cron.interval_tick(self.interval_s, self._anchor, tick)

    def _backward(self, upto: Micros) -> Iterator[Micros]:
        if self.interval_s is None:
            yield from cron.ticks_back(self.cron, self.timezone, upto)
        else:
            step = cron.interval_step(self.interval_s)
            tick = cron.interval_tick(self.interval_s, self._anchor, upto) - step
            while True:
                yield tick
                tick -= step

    @property
    def _anchor(self) -> Micros:
        return self.made_at if self.start_at is None else self.start_at

    def check(self, now: Micros) -> Micros:
        """Refuse what cannot be read or never ticks after `now`; gives the first tick.

        Raises:
            InvalidValue: names the field.
        """
        cron.zone(self.timezone)
        if self.cron and self.interval_s is not None:
            raise InvalidValue("interval_s", "give a cron expression or an interval, not both")
        if self.cron:
            cron.check(self.cron, self.timezone, now)
        elif self.interval_s is None:
            raise InvalidValue("cron", "is required, or interval_s instead of it")
        elif not INTERVAL_MIN_S <= self.interval_s <= INTERVAL_MAX_S:
            raise InvalidValue(
                "interval_s", f"{self.interval_s:g} is not from 1 second to ten years"
            )
        clock.check(self.start_at, "start_at")
        clock.check(self.end_at, "end_at")
        return self._check_end(now)

    def _check_end(self, now: Micros) -> Micros:
        if self.end_at is not None:
            end = clock.to_iso(self.end_at)
            if self.start_at is not None and self.end_at < self.start_at:
                raise InvalidValue("end_at", f"{end} is before start_at")
            if self.end_at <= now:
                raise InvalidValue("end_at", f"{end} is over; give a time to come, or none")
        first = self.after(now)
        if first is None:
            field = "end_at" if self.end_at is not None else "start_at"
            raise InvalidValue(field, "leaves no time at which the schedule fires; give another")
        return first


class Due(NamedTuple):
    """What is to be done about the ticks that have come: those to `fire`, the oldest first,
    since when ticks were `missed` that are not made up for, and the one that comes `next`."""

    fire: list[Micros]
    missed: Micros | None
    next: Micros | None


def due(times: Times, first: Micros, misfire: str, now: Micros) -> Due:
    """What becomes of the ticks from `first`, which nobody has handled, to `now`.

    The latest one is in time if it is at most `LATE_S` late; those before it were missed.
    """
    most = MISSED_MAX + 1 if misfire == Misfire.ALL else 1
    found = list(islice(takewhile(lambda tick: tick >= first, times.back(now)), most)) or [first]
    latest = found[0]
    if misfire == Misfire.ALL:
        fire = found[:MISSED_MAX][::-1]
        missed = first if len(found) > MISSED_MAX else None
    elif misfire == Misfire.ONCE or now - latest <= LATE_S * SECOND:
        fire, missed = [latest], first if latest > first else None
    else:
        fire, missed = [], first
    return Due(fire, missed, times.after(now))


def jitter(schedule_id: int, tick: Micros, jitter_s: float) -> Micros:
    """How much later than its tick the job starts: less than `jitter_s`, and the same whoever
    asks."""
    if jitter_s <= 0:
        return 0
    digest = hashlib.blake2b(f"{schedule_id}/{tick}".encode(), digest_size=8).digest()
    return int(int.from_bytes(digest) * jitter_s * SECOND) >> 64


def check_rules(rules: dict[str, Any]) -> None:
    """Refuse a misfire, overlap or jitter_s that is none.

    Raises:
        InvalidValue: names the field.
    """
    kinds: tuple[tuple[str, type[StrEnum]], ...] = (("misfire", Misfire), ("overlap", Overlap))
    for field, kind in kinds:
        if field in rules and rules[field] not in list(kind):
            known = ", ".join(kind)
            raise InvalidValue(field, f"{rules[field]!r} is no such rule; there are: {known}")
    if not 0 <= rules.get("jitter_s", 0) <= JITTER_MAX_S:
        raise InvalidValue("jitter_s", f"{rules['jitter_s']:g} is not from 0 to 86400 seconds")
