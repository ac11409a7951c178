"""What is wrong now, each with the place to look at it."""

from collections.abc import Collection, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection

from jobdeck.domain.builtin import SCHEDULER
from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.health import RUNS, STREAK, judge
from jobdeck.domain.liveness import Verdict
from jobdeck.domain.records import Pool, Queue, Schedule
from jobdeck.domain.serving import lives, serves
from jobdeck.store import flows, recent
from jobdeck.web import formats

LONG_WAIT_S = 86_400.0
"""A job that waits longer has waited too long."""


OVERDUE_S = 60.0
"""A tick that nothing has fired for longer has been missed."""


STUCK = 500
"""So many stuck jobs are looked for,"""

STUCK_SHOWN = 4
"""and so many shown one by one."""


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
    paused, unserved = [], []
    for queue in queues:
        if queue.builtin and queue.name != SCHEDULER and not queue.pending:
            continue
        if queue.paused_at is not None:
            paused.append(_paused(queue))
        elif queue.pending and not queue.builtin and not serves(pools, queue.name, now):
            unserved.append(queue)
    if unserved and not any(lives(pool, now) and not pool.builtin for pool in pools):
        return [_no_pool(unserved), *paused]
    return [*(_unserved(queue) for queue in unserved), *paused]


def _paused(queue: Queue) -> Trouble:
    by = f" by {queue.paused_by}" if queue.paused_by else ""
    why = f": {queue.paused_reason}" if queue.paused_reason else ""
    if queue.name == SCHEDULER:
        return Trouble(
            title="No schedule fires",
            text=f"the queue {SCHEDULER} is paused{by}{why}",
            address="/schedules",
            icon="pause",
            tone="stopped",
        )
    held = f", holds {formats.plural(queue.pending, 'job')}" if queue.pending else ""
    return Trouble(
        title=f"Queue {queue.name} is paused",
        text=f"{by}{why}{held}".strip(" ,"),
        address="/queues",
        query={"q": queue.name},
        icon="pause",
        tone="stopped",
    )


def _no_pool(waited: Sequence[Queue]) -> Trouble:
    jobs = sum(queue.pending for queue in waited)
    where = waited[0].name if len(waited) == 1 else formats.plural(len(waited), "queue")
    return Trouble(
        title="No worker pool is running",
        text=f"{formats.plural(jobs, 'job')} {'waits' if jobs == 1 else 'wait'} in {where}",
        address="/workers",
        tone="failed",
    )


def _unserved(queue: Queue) -> Trouble:
    wait = "waits" if queue.pending == 1 else "wait"
    return Trouble(
        title=f"Queue {queue.name} is not served",
        text=f"{formats.plural(queue.pending, 'job')} {wait}, and no pool takes this queue",
        address="/jobs",
        query={"queue": queue.name, "status": "pending"},
    )


def overdue(schedule: Schedule, now: Micros) -> bool:
    """Whether its time has passed without anything firing it."""
    return schedule.next_at is not None and now - schedule.next_at > OVERDUE_S * SECOND


def of_pools(pools: Sequence[Pool], now: Micros) -> list[Trouble]:
    """Pools that were not heard of lately."""
    found = []
    for pool in pools:
        if not lives(pool, now):
            silent = formats.duration((now - pool.heartbeat_at) / SECOND)
            runs = f"; it ran {formats.plural(pool.busy, 'job')}" if pool.busy else ""
            found.append(
                Trouble(
                    title=f"Pool {pool.id} on {pool.host} is lost",
                    text=f"it was last heard of {silent} ago{runs}",
                    address="/workers",
                    query={"pool": pool.id},
                    tone="failed",
                )
            )
    return found


def of_schedules(schedules: Sequence[Schedule], now: Micros) -> list[Trouble]:
    """Schedules whose time has passed without anything firing them."""
    late = [schedule for schedule in schedules if overdue(schedule, now)]
    if not late:
        return []
    first = min(late, key=lambda schedule: schedule.next_at or 0)
    since = formats.duration((now - (first.next_at or now)) / SECOND)
    one = len(late) == 1
    return [
        Trouble(
            title=f"Schedule {first.id} of {first.flow} has not fired"
            if one
            else f"{formats.number(len(late))} schedules have not fired",
            text=f"{'it was' if one else 'the first was'} due {since} ago: does a server with "
            "maintenance run?",
            address="/schedules",
            query={"sort": "next"},
        )
    ]


def of_flows(conn: Connection, names: Collection[str]) -> list[Trouble]:
    """Those of the flows whose latest runs all failed, at least `STREAK` of them."""
    if not names:
        return []
    ids = {number: name for number, name, _ in flows.known(conn) if name in names}
    found = []
    for flow_id, runs in recent.runs(conn, ids).items():
        failures = judge(runs).failures
        if failures >= STREAK:
            many = "at least " if failures >= RUNS else ""
            found.append(
                Trouble(
                    title=f"Flow {ids[flow_id]} keeps failing",
                    text=f"its last {many}{formats.plural(failures, 'run')} failed",
                    address=f"/flows/{ids[flow_id]}",
                    tone="failed",
                )
            )
    return found


def of_jobs(stuck: Sequence[Verdict]) -> list[Trouble]:
    """Jobs that do not get on. Those that only lack a pool are told by their queue."""
    found = [verdict for verdict in stuck if verdict.kind != "no_pool"]
    told = [
        Trouble(
            title=f"Job {verdict.job} of {verdict.flow} is stuck",
            text=verdict.why,
            address=f"/jobs/{verdict.job}",
        )
        for verdict in found[:STUCK_SHOWN]
    ]
    if len(found) > STUCK_SHOWN:
        more = len(found) - STUCK_SHOWN
        told.append(
            Trouble(
                title=f"{formats.plural(more, 'more job')} {'is' if more == 1 else 'are'} stuck",
                text="jobdeck jobs stuck lists them",
                address="/jobs",
                query={"status": "running"},
            )
        )
    return told
