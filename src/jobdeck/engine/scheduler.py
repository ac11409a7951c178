"""Creating the jobs of schedules when their time comes."""

from functools import partial

import msgspec
import structlog
from sqlalchemy import Connection

from jobdeck.domain import clock, ticks
from jobdeck.domain.builtin import SCHEDULER
from jobdeck.domain.clock import Micros
from jobdeck.domain.records import Schedule
from jobdeck.domain.states import Code
from jobdeck.domain.ticks import Overlap
from jobdeck.engine.steady import SteadyClock
from jobdeck.store import changes, events, queues, schedules, triggered
from jobdeck.store.database import Store

log = structlog.get_logger()


class Scheduler:
    """Fires what is due. Each tick fires once, whoever else tries. What becomes of ticks that
    nobody could fire, and of ticks that come while a job of the schedule is open, is for the
    schedule's `misfire` and `overlap` rules to say."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._has_queue = False
        self._steady: SteadyClock | None = None

    def fire_due(self, now: Micros) -> int:
        """Create the jobs that are due; gives how many."""
        if not self._has_queue:
            with self._store.write() as conn:
                queues.ensure(conn, SCHEDULER, builtin=True)
            self._has_queue = True
        self._follow_clock(now)
        with self._store.read() as conn:
            due = schedules.due(conn, now)
        if not due:
            return 0
        fired = 0
        for schedule_id in due:
            with self._store.write(wake=True) as conn:
                if self._paused(conn):
                    schedules.drop_missed(conn, now)
                    return fired
                schedule = schedules.take(conn, schedule_id)
                if schedule is not None:
                    fired += self._fire(conn, schedule, now)
        return fired

    def _follow_clock(self, now: Micros) -> None:
        if self._steady is not None and self._steady.moved() >= 0:
            return
        self._steady = self._steady or SteadyClock()
        with self._store.write() as conn:
            changed = schedules.follow_clock(conn, now)
        if changed:
            log.warning("schedules follow a clock that was set back", schedules=changed)

    def _paused(self, conn: Connection) -> bool:
        return queues.ensure(conn, SCHEDULER, builtin=True) in queues.paused(conn)

    def next_due(self) -> Micros | None:
        """When there is something to do again; None: nothing is known of."""
        with self._store.read() as conn:
            if queues.ids(conn).get(SCHEDULER) in queues.paused(conn):
                return None
            return schedules.next_due(conn)

    def _fire(self, conn: Connection, schedule: Schedule, now: Micros) -> int:
        create = partial(self._create, conn, schedule, now=now)
        busy = schedule.overlap != Overlap.ALLOW and schedules.has_open_job(conn, schedule.id)
        created = 0
        if schedule.waiting_at is not None and not busy:
            created += create(schedule.waiting_at)
            busy = True
        if schedule.next_at is None or schedule.next_at > now:
            return created
        due = ticks.due(schedules.times(schedule), schedule.next_at, schedule.misfire, now)
        schedules.advance(conn, schedule.id, due.next)
        missed = due.missed
        if missed is not None and not due.fire:
            log.info("missed ticks skipped", schedule=schedule.id, since=clock.to_iso(missed))
        for tick in due.fire:
            if not schedules.claim_fire(conn, schedule.id, tick):
                continue
            if schedule.overlap == Overlap.ALLOW or not busy:
                created += create(tick, missed=missed)
                busy, missed = True, None
            elif schedule.overlap == Overlap.QUEUE:
                schedules.wait(conn, schedule.id, tick)
            else:
                log.info("tick skipped: a job is open", schedule=schedule.id)
        changes.add(conn, now, [("schedule", str(schedule.id), "fired")])
        return created

    def _create(
        self,
        conn: Connection,
        schedule: Schedule,
        tick: Micros,
        *,
        missed: Micros | None = None,
        now: Micros,
    ) -> int:
        delay = ticks.jitter(schedule.id, tick, schedule.jitter_s)
        job_id = _create_job(conn, schedule, tick + delay, now)
        schedules.fired(conn, schedule.id, tick, job_id)
        if missed is not None:
            text = f"ticks since {clock.to_iso(missed)} were missed and are not made up for"
            events.add(conn, job_id, now, "ticks_missed", text)
            log.warning("missed ticks left out", schedule=schedule.id, since=clock.to_iso(missed))
        return 1


def _create_job(conn: Connection, schedule: Schedule, run_at: Micros, now: Micros) -> int:
    draft = triggered.draft(conn, schedule.flow, schedule.params, "schedule")
    if draft.reason is not None:
        log.error("schedule cannot create its job", schedule=schedule.id, error=draft.message)
    new = msgspec.structs.replace(
        draft.job,
        run_at=run_at if run_at > now else None,
        schedule_id=schedule.id,
        created_by=f"schedule {schedule.id}",
    )
    (job_id,) = triggered.create(conn, draft, [new], now)
    if draft.reason is not None:
        triggered.follow(conn, [triggered.Ended(job_id, new.flow_id, Code.FAILED)], now)
    return job_id
