"""A schedule's times and rules in words."""

from functools import lru_cache
from typing import NamedTuple

from jobdeck.domain import clock, cron
from jobdeck.domain.records import Schedule
from jobdeck.domain.ticks import Misfire, Overlap
from jobdeck.web import formats

MISFIRES = (
    (Misfire.ONCE, "make up for them once, by the latest"),
    (Misfire.SKIP, "skip them; the next tick fires"),
    (Misfire.ALL, "make up for each, at most the latest 100"),
)
OVERLAPS = (
    (Overlap.ALLOW, "create the next one too; both may run"),
    (Overlap.SKIP, "skip the tick"),
    (Overlap.QUEUE, "wait until it has ended, then create one"),
)


class When(NamedTuple):
    """When a schedule fires: in words, as it is written, and its other rules, each in words."""

    words: str
    written: str
    rules: str


def when(schedule: Schedule) -> When:
    """When it fires, for people."""
    if schedule.cron:
        words, written = _described(schedule.cron), schedule.cron
    else:
        words, written = f"Every {_length(schedule.interval_s or 0)}", ""
    zone = schedule.timezone
    rules = [
        f"in {zone}" if schedule.cron else "",
        f"from {_date(schedule.start_at)}" if schedule.start_at is not None else "",
        f"until {_date(schedule.end_at)}" if schedule.end_at is not None else "",
        f"up to {clock.format_duration(schedule.jitter_s)} later" if schedule.jitter_s else "",
        {Misfire.SKIP: "missed ticks are skipped", Misfire.ALL: "missed ticks all fire"}.get(
            Misfire(schedule.misfire), ""
        ),
        {Overlap.SKIP: "not while one is open", Overlap.QUEUE: "one after the other"}.get(
            Overlap(schedule.overlap), ""
        ),
    ]
    return When(words, written, ", ".join(rule for rule in rules if rule))


@lru_cache(maxsize=2000)
def _described(expression: str) -> str:
    return cron.describe(expression)


def _length(seconds: float) -> str:
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return unit if count == 1 else f"{formats.number(count)} {unit}s"
    return clock.format_duration(seconds)


def _date(at: int) -> str:
    return clock.to_datetime(at).strftime("%Y-%m-%d %H:%M UTC")
