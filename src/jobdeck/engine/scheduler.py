"""Creating the jobs of schedules when their time comes."""

import msgspec
import structlog
from sqlalchemy import Connection

from jobdeck.domain import cron
from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import InvalidValue, JobdeckError
from jobdeck.domain.records import Schedule
from jobdeck.domain.schema import check_params
from jobdeck.store import changes, flows, queues, schedules
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob, enqueue

log = structlog.get_logger()

QUEUE = "SCHEDULER"
"""Pausing this queue stops every schedule; ticks that pass meanwhile create nothing."""


class Scheduler:
    """Fires what is due. Each tick fires once, whoever else tries, and of several that were
    missed while nobody was there only the latest does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._has_queue = False

    def fire_due(self, now: Micros) -> int:
        """Create the jobs that are due; gives how many."""
        if not self._has_queue:
            with self._store.write() as conn:
                queues.ensure(conn, QUEUE, builtin=True)
            self._has_queue = True
        with self._store.read() as conn:
            due = schedules.due(conn, now)
        if not due:
            return 0
        fired = 0
        for schedule in due:
            with self._store.write(wake=True) as conn:
                fired += self._fire(conn, schedule, now)
        return fired

    def _fire(self, conn: Connection, schedule: Schedule, now: Micros) -> int:
        assert schedule.next_at is not None
        tick, following = latest_tick(schedule, now)
        paused = queues.ensure(conn, QUEUE, builtin=True) in queues.paused(conn)
        if paused or not schedules.claim_fire(conn, schedule.id, tick):
            schedules.fired(conn, schedule.id, following)
            return 0
        job_id = None
        try:
            job_id = self._create(conn, schedule, now)
        except JobdeckError as error:
            # A flow that is gone or no longer fits must not hold up the others.
            log.error("schedule cannot create its job", schedule=schedule.id, error=str(error))
        schedules.fired(conn, schedule.id, following, at=tick, job_id=job_id)
        changes.add(conn, now, [("schedule", str(schedule.id), "fired")])
        return int(job_id is not None)

    def _create(self, conn: Connection, schedule: Schedule, now: Micros) -> int:
        target = flows.target(conn, schedule.flow)
        params = {**target.flow.params, **schedule.params}
        check_params(params, target.manifest.params_schema)
        new = NewJob(
            flow_id=target.flow_id,
            queue_id=target.queue_id,
            params=msgspec.json.encode(params).decode(),
            priority=target.flow.priority,
            context=target.flow.context,
            schedule_id=schedule.id,
            source="schedule",
            created_by=f"schedule {schedule.id}",
        )
        return enqueue(conn, [new], now)[0]


def next_tick(schedule: Schedule, after: Micros) -> Micros | None:
    """When the schedule fires next after that time; None: never again."""
    if schedule.interval_s is not None:
        return cron.interval_tick(schedule.interval_s, schedule.created_at, after)
    try:
        return next(cron.ticks(schedule.cron, schedule.timezone, after))
    except InvalidValue:
        return None


def latest_tick(schedule: Schedule, now: Micros) -> tuple[Micros, Micros | None]:
    """The last tick up to `now` of a schedule that is due, and the one that follows it."""
    assert schedule.next_at is not None
    tick = schedule.next_at
    following = next_tick(schedule, tick)
    for _ in range(10_000):
        if following is None or following > now:
            return tick, following
        tick, following = following, next_tick(schedule, following)
    return tick, next_tick(schedule, now)
