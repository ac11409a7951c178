"""The pool: hands pending jobs to its workers and writes down what becomes of them.

It is one thread that does nothing else: a second busy thread beside it would take the
interpreter lock from the database's statements, row by row. Each turn of its loop hears what
the workers say, writes it in one transaction, claims more in the same one, and hands it out.
"""

import contextlib
import gc
import selectors
import time
from itertools import chain

import structlog
from sqlalchemy import Connection

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.errors import StoreError, StoreUnreachable
from jobdeck.domain.limits import (
    BATCH_JOBS,
    BATCH_JOBS_SHARED,
    HEARTBEAT_S,
)
from jobdeck.engine import endings
from jobdeck.engine.batching import Meter
from jobdeck.engine.calls import answer
from jobdeck.engine.catalogue import Catalogue
from jobdeck.engine.crew import Crew
from jobdeck.engine.dispatch import Dispatch, Shares
from jobdeck.engine.doubt import Doubt
from jobdeck.engine.ear import Ear
from jobdeck.engine.handed import Handed
from jobdeck.engine.hints import HintGiver
from jobdeck.engine.inbox import Inbox
from jobdeck.engine.lease import Lease, LeaseLost
from jobdeck.engine.notices import Notices
from jobdeck.engine.options import PoolOptions, WorkerOptions
from jobdeck.engine.orders import Orders
from jobdeck.engine.sifting import sift
from jobdeck.engine.steady import SteadyClock
from jobdeck.engine.told import Told
from jobdeck.engine.workers import WorkerProcess
from jobdeck.store import delays, pools
from jobdeck.store.claims import Begun, begin
from jobdeck.store.database import Store
from jobdeck.store.outcomes import finish
from jobdeck.store.watch import CommitWatch
from jobdeck.worker.protocol import Reply

log = structlog.get_logger()

SHOW_AFTER = SECOND // 100
"""A job that ends sooner is never written as running."""

LOOK_AGAIN = SECOND // 4
"""How long the pool trusts that it would have been woken."""

RETRY_STORE_S = 0.5

TIDY_S = 60.0
"""How often what refers to itself is collected. SQLAlchemy leaves some of it with each statement:
measured at 200 jobs a second, two megabytes a minute."""

FLOOD = 20
"""A pool on PostgreSQL that is handed more jobs than this in one turn needs no NOTIFY."""


class Pool:
    """A supervisor of worker processes; `run` returns when it was told to end."""

    def __init__(self, store: Store, options: PoolOptions) -> None:
        self.store = store
        self.options = options
        self._lease = Lease(store, options.workers, options.queues)
        self._told = Told()
        self._selector = selectors.DefaultSelector()
        self._ear = Ear(store, self._selector)
        self._catalogue = Catalogue(options.queues)
        self._meter = Meter()
        self._inbox = Inbox()
        self._notices = Notices()
        self._hints = HintGiver()
        self._orders = Orders(options.grace_s)
        self._dispatch = Dispatch(
            self._catalogue, self._meter, options.coroutines, self._orders.alone
        )
        self._crew = self._new_crew()
        self._look_at: Micros = 0
        self._due_at: Micros | None = None
        self._watch = CommitWatch(store)
        self._steady = SteadyClock()
        self._tidy_at = time.monotonic() + TIDY_S
        self._in_doubt = False
        self._doubt = Doubt()
        self._look = True
        self._more = True
        self._more_at: Micros | None = None
        self._asleep = False
        self._draining = False
        self._end_by: Micros | None = None

    def _new_crew(self) -> Crew:
        return Crew(
            *(self.store, self._selector, self._inbox, self._orders, self._meter),
            options=WorkerOptions(
                *(self.options.target, self.store.files),
                *(self.options.worker_memory, self.options.worker_jobs),
                self.options.coroutines,
            ),
            size=self.options.workers,
        )

    def run(self) -> None:
        """Work until SIGTERM or SIGINT, drain, give back what still runs, and return. SIGHUP
        replaces the workers by new ones that load the code again."""
        try:
            with self._told.by_signals(self._selector):
                # What a turn makes lives until the next one, which would keep the collector
                # busy: it was measured to take a third of the time of a busy pool.
                gc.freeze()
                gc.set_threshold(200_000, 20, 100)
                self._enter()
                if self._lease.pool_id:
                    while not self._finished():
                        self._turn()
                    self._close()
        finally:
            self._ear.close()
            self._watch.close()
            self._selector.close()

    def _enter(self) -> None:
        """Take a number. A store out of reach is waited for: whoever starts this process again
        and again would give up."""
        while not self._told.end:
            try:
                self._lease.take()
            except StoreUnreachable as error:
                _wait_for_store(error)
            else:
                self._asleep = False
                return

    def _finished(self) -> bool:
        if not self._told.end:
            return False
        now = clock.now()
        if self._end_by is None:
            self._end_by = now + round(self.options.drain_s * SECOND)
            # Only to be seen: running jobs may end by themselves also while the store is away.
            with contextlib.suppress(StoreError), self.store.write() as conn:
                pools.set_state(conn, self._lease.pool_id, "draining")
            self._crew.recall_all()
        busy = any(worker.handed for worker in self._crew.workers)
        return now >= self._end_by or not (busy or self._inbox)

    def _close(self) -> None:
        now = clock.now()
        for worker in list(self._crew.workers):
            self._crew.bury(worker, now, pool_ends=True)
        with self.store.write(wake=True) as conn:
            self._record(conn, now, self._inbox)
            pools.close(conn, self._lease.pool_id, now)
        log.info("pool ended", pool=self._lease.pool_id)

    def _turn(self) -> None:
        try:
            self._prepare(clock.now())
            patience = self._patience(clock.now())
            if patience > 0 and not self._asleep and not self.store.sqlite and self._hungry():
                self._go_to_sleep()
                patience = 0.0
            for key, _ in self._selector.select(patience):
                key.data()
            self._look |= self._ear.heard()
            self._follow_clock()
            now = clock.now()
            self._notice(now)
            if self._must_write(now):
                self._ear.let_pass()
                self._write(now)
        except StoreError as error:
            # What the workers said stays in the inbox until it can be written.
            self._in_doubt = True
            if type(error) is StoreError and self._inbox:
                self._sift(error)
            else:
                _wait_for_store(error)
        except LeaseLost:
            self._start_over()
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            if not self._inbox:
                raise
            self._sift(error)
        # Only now: who hands out a job to an idle worker should not look at all others first. Also
        # while the store is away: timeouts and limits of memory hold all the same.
        self._crew.watch(clock.now())
        for worker in self._crew.workers:
            if worker.outgoing:
                worker.flush()
        if time.monotonic() >= self._tidy_at:
            gc.collect()
            self._tidy_at = time.monotonic() + TIDY_S

    def _sift(self, error: Exception) -> None:
        """Something that a worker said cannot be written: all but that is."""
        log.error("the store refuses a report", error=str(error))

        def write(part: Inbox) -> None:
            with self.store.write() as conn:
                replies = self._record(conn, clock.now(), part)
            for worker, reply in replies:
                worker.send(reply)

        try:
            sift(self._inbox, write)
        except StoreError as away:
            _wait_for_store(away)

    def _prepare(self, now: Micros) -> None:
        self._look |= self._ear.listen()
        if self._told.recycle:
            self._told.recycle = False
            self._crew.recycle()
        if not self._told.end:
            self._crew.staff(self._lease.pool_id, now)

    def _follow_clock(self) -> None:
        """If the system's clock was set, what is to be done at a time moves with it."""
        moved = self._steady.moved()
        if not moved:
            return
        log.warning("the system's clock was set", seconds=moved / SECOND)
        self._lease.beat_at += moved
        self._look_at += moved
        if self._end_by is not None:
            self._end_by += moved
        self._notices.move(moved)
        self._crew.move(moved)

    def _notice(self, now: Micros) -> None:
        """See whether there may be something to do that nobody has told of."""
        self._look |= self._time_to_look(now) or self._crew.take_news()
        if self._more_at is not None and now >= self._more_at:
            self._more, self._more_at = True, None

    def _time_to_look(self, now: Micros) -> bool:
        if now < self._look_at:
            return False
        self._look_at = now + LOOK_AGAIN
        return self._watch.committed()

    def _start_over(self) -> None:
        """Others gave this pool's jobs back: kill what runs, forget it, take a new number."""
        log.warning("pool lost its lease", pool=self._lease.pool_id)
        for worker in list(self._crew.workers):
            self._crew.bury(worker, clock.now(), pool_ends=True)
        self._inbox.clear()
        self._lease.pool_id = 0
        self._enter()

    # -- when to do what -------------------------------------------------------------------

    def _hungry(self) -> list[WorkerProcess]:
        if self._told.end or self._draining:
            return []
        return [worker for worker in self._crew.workers if self._dispatch.hungry(worker)]

    def _to_show(self, now: Micros) -> list[tuple[WorkerProcess, Handed]]:
        return [
            (worker, job)
            for worker in self._crew.workers
            for job in worker.running()
            if not job.shown and job.began_at and now - job.began_at >= SHOW_AFTER
        ]

    def _must_write(self, now: Micros) -> bool:
        if self._inbox or self._look or now >= self._lease.beat_at:
            return True
        notice_at = self._notices.due_at()
        return bool(
            (self._more and self._hungry())
            or (notice_at is not None and now >= notice_at)
            or (self._due_at is not None and now >= self._due_at)
            or self._to_show(now)
        )

    def _patience(self, now: Micros) -> float:
        """Seconds to wait for messages before something is to be done by the clock."""
        if self._inbox or self._look or (self._more and self._hungry()):
            return 0.0
        times = [self._lease.beat_at, self._look_at]
        due = (self._due_at, self._more_at, self._notices.due_at())
        times += [at for at in due if at is not None]
        for worker in self._crew.workers:
            if not worker.handed:
                continue
            jobs = worker.running()
            if not jobs or not all(job.shown for job in jobs):
                times.append(now + SHOW_AFTER)
            times += [at for job in jobs if (at := job.next_deadline()) is not None and job.shown]
        if self._end_by is not None:
            times.append(self._end_by)
        return max(min(times) - now, 0) / SECOND

    # -- the transaction -------------------------------------------------------------------

    def _write(self, now: Micros) -> None:
        look = self._look
        to_show = self._to_show(now)
        with self.store.write() as conn:
            if self._in_doubt:
                parts = (self._lease.pool_id, self._crew.workers, self._inbox)
                self._doubt.settle(conn, *parts, now)
            self._show(conn, to_show, now)
            replies = self._record(conn, now, self._inbox)
            self._lease.beat(conn, now)
            number = self._look_around(conn, now, orders=look)
            # A job that ended may have made room under a limit.
            hungry = self._hungry() if look or self._more or self._inbox.outcomes else []
            shares, specs, self._more, self._more_at = self._claim(conn, hungry, now)
            self._notices.write(conn, now)
            flood = self._asleep and sum(map(len, shares.values())) > FLOOD
            if flood:
                pools.set_asleep(conn, self._lease.pool_id, False)
            self._doubt.note(number, len(self._inbox.calls), replies)
        self._ear.freed()
        self._in_doubt = False
        self._doubt.note(None, 0, [])
        for _, job in to_show:
            job.shown = True
        self._inbox.clear()
        self._look = False
        if now >= self._lease.beat_at:
            self._lease.beat_at = now + round(HEARTBEAT_S * SECOND)
        if flood:
            self._asleep = False
        for worker, reply in replies:
            worker.send(reply)
        for worker, jobs in shares.items():
            worker.hand([specs[job.claimed.job_id] for job in jobs], jobs, now)

    def _look_around(self, conn: Connection, now: Micros, *, orders: bool) -> int | None:
        """See whose time has come, and what others ask for; gives the transaction's number."""
        seen = self._catalogue.read_signals(conn, self._lease.pool_id)
        if seen.state == "draining" and not self._draining:
            log.info("pool draining", pool=self._lease.pool_id)
            self._draining = True
            self._crew.recall_all()
        if orders and any(worker.handed for worker in self._crew.workers):
            closed = self._catalogue.closed_queues(conn)
            self._orders.read(
                conn, self._lease.pool_id, self._crew.workers, closed, stops=seen.stops
            )
        self._due_at = seen.due_at
        if seen.due_at is not None and now >= seen.due_at:
            delays.promote(conn, now)
            self._due_at = delays.next_due(conn)
        return seen.transaction

    def _show(
        self, conn: Connection, to_show: list[tuple[WorkerProcess, Handed]], now: Micros
    ) -> None:
        rows = [
            Begun(
                *(*job.key, worker.id, job.began_at or now),
                *(job.claimed.queue_id, job.claimed.flow_id),
            )
            for worker, job in to_show
        ]
        begin(conn, rows)
        self._notices.add({row.job_id for row in rows})

    def _record(
        self, conn: Connection, now: Micros, inbox: Inbox
    ) -> list[tuple[WorkerProcess, Reply]]:
        inbox.write(conn, self._hints, now)
        ended = list(inbox.endings)
        hinted = self._hints.of_outcome
        ended += [
            endings.of_outcome(conn, job, hinted(conn, said, now), now)
            for job, said in inbox.outcomes
        ]
        ended += [endings.killed(conn, job, now) for job in inbox.killed]
        done = finish(conn, ended)
        self._notices.add(chain((ending.job_id for ending in done), inbox.touched))
        replies = []
        for worker, call in inbox.calls:
            job = worker.find(call.job, call.claim)
            if job is not None:
                replies.append((worker, answer(conn, job, call, now)))
                self._look = self._more = True
        return replies

    def _claim(self, conn: Connection, hungry: list[WorkerProcess], now: Micros) -> Shares:
        if not hungry:
            return Shares({}, {}, self._more, self._more_at)
        self._catalogue.refresh(conn, self._crew.loaded)
        self._meter.most = BATCH_JOBS_SHARED if self._ear.waited_for() else BATCH_JOBS
        return self._dispatch.claim(conn, hungry, self._lease.pool_id, now)

    def _go_to_sleep(self) -> None:
        """A worker has nothing to do: ask for a NOTIFY from now on. Whoever enqueued just before
        it is seen by one more look."""
        with self.store.write() as conn:
            pools.set_asleep(conn, self._lease.pool_id, True)
        self._asleep = self._look = True


def _wait_for_store(error: StoreError) -> None:
    log.error("store not available", error=str(error))
    time.sleep(RETRY_STORE_S)
