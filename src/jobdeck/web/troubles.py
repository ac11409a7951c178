"""What is wrong now, each with the place to look at it."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from jobdeck.domain.builtin import SCHEDULER
from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.records import Pool, Queue, Schedule
from jobdeck.domain.serving import lives, serves
from jobdeck.web import formats

LONG_WAIT_S = 86_400.0
"""A job that waits longer has waited too long."""


OVERDUE_S = 60.0
"""A tick that nothing has fired for longer has been missed."""


class Trouble(Struct, frozen=True, kw_only=True):
    """Something that is wrong now, and where to look."""

    title: str
    text: str
    address: str
    query: dict[str, Any] = {}
    icon: str = "warning"
    tone: str = "warning"


def long_waits(queues: Sequence[Queue]) -> list[Queue]:
    """The queues whose next job has waited too long, the longest first."""
    found = [queue for queue in queues if queue.pending and queue.latency_s > LONG_WAIT_S]
    return sorted(found, key=lambda queue: -queue.latency_s)


def of_queues(queues: Sequence[Queue], pools: Sequence[Pool], now: Micros) -> list[Trouble]:
    """Queues in which jobs wait for nothing: paused, or served by no pool."""
    found = []
    for queue in queues:
        if queue.builtin and queue.name != SCHEDULER and not queue.pending:
            continue
        if queue.paused_at is not None:
            found.append(_paused(queue))
        elif queue.pending and not queue.builtin and not serves(pools, queue.name, now):
            found.append(_unserved(queue, any_pool=any(lives(pool, now) for pool in pools)))
    return found


def _paused(queue: Queue) -> Trouble:
    by = f" by {queue.paused_by}" if queue.paused_by else ""
    why = f": {queue.paused_reason}" if queue.paused_reason else ""
    held = f", holds {formats.plural(queue.pending, 'job')}" if queue.pending else ""
    return Trouble(
        title=f"Queue {queue.name} is paused",
        text=f"{by}{why}{held}".strip(" ,"),
        address="/jobs",
        query={"queue": queue.name, "status": "pending"},
        icon="pause",
        tone="stopped",
    )


def _unserved(queue: Queue, *, any_pool: bool) -> Trouble:
    wait = "waits" if queue.pending == 1 else "wait"
    who = "no pool takes this queue" if any_pool else "no worker pool is running"
    return Trouble(
        title=f"Queue {queue.name} is not served",
        text=f"{formats.plural(queue.pending, 'job')} {wait}, and {who}",
        address="/jobs",
        query={"queue": queue.name, "status": "pending"},
    )


def overdue(schedule: Schedule, now: Micros) -> bool:
    """Whether its time has passed without anything firing it."""
    return schedule.next_at is not None and now - schedule.next_at > OVERDUE_S * SECOND
