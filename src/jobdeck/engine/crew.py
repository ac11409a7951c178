"""The workers of a pool: starting them, hearing them, and seeing to what they leave behind."""

import os
import selectors
from collections.abc import Callable

import structlog

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.limits import LOG_LINES
from jobdeck.domain.states import Code
from jobdeck.engine import endings
from jobdeck.engine.batching import Meter
from jobdeck.engine.inbox import Inbox
from jobdeck.engine.memory import Killer, Scale
from jobdeck.engine.options import WorkerOptions
from jobdeck.engine.orders import Orders
from jobdeck.engine.workers import WorkerProcess
from jobdeck.store import pools
from jobdeck.store.database import Store
from jobdeck.worker.protocol import (
    Call,
    CheckIn,
    Exit,
    FileKept,
    HttpCall,
    Leaving,
    Logs,
    NotLoaded,
    Outcomes,
    Ready,
    Recalled,
    StepReport,
    ToPool,
)

log = structlog.get_logger()

RESTART_S = (0.0, 0.5, 2.0, 5.0, 15.0)
"""Waits before a worker that ended before it was ready is started again."""

STUCK_BATCH = SECOND // 20
"""When a job of a batch takes longer than this, those behind it go to other workers."""


class Crew:
    """Keeps `size` workers alive, and puts what they report into the inbox."""

    def __init__(
        self,
        store: Store,
        selector: selectors.BaseSelector,
        inbox: Inbox,
        orders: Orders,
        meter: Meter,
        *,
        options: WorkerOptions,
        size: int,
    ) -> None:
        self.workers: list[WorkerProcess] = []
        self.loaded: dict[str, str] = {}
        self.news = False
        self._store, self._selector = store, selector
        self._inbox, self._orders, self._meter = inbox, orders, meter
        self._options, self._size = options, size
        self._scale, self._killer = Scale(options.memory), Killer()
        self._failures = 0
        self._start_at: Micros = 0

    def staff(self, pool_id: int, now: Micros) -> None:
        """Start the workers that are missing."""
        missing = self._size - sum(not worker.leaving for worker in self.workers)
        if missing <= 0 or now < self._start_at:
            return
        with self._store.write() as conn:
            ids = [pools.add_worker(conn, pool_id, now) for _ in range(missing)]
        for worker_id in ids:
            try:
                worker = WorkerProcess(worker_id, pool_id, self._options, now)
            except OSError as error:
                log.error("cannot start a worker", error=str(error))
                self._inbox.gone.append(worker_id)
                self._start_at = now + round(RESTART_S[-1] * SECOND)
                continue
            self.workers.append(worker)
            self._register(worker)

    def _register(self, worker: WorkerProcess) -> None:
        register = self._selector.register
        register(worker.socket, selectors.EVENT_READ, lambda: self.hear(worker))
        for stream, (read_end, _) in worker.outputs.items():
            register(read_end, selectors.EVENT_READ, self._reader(worker, stream, read_end))

    def move(self, by: Micros) -> None:
        """The clock was set by so much."""
        self._start_at += by
        self._scale.move(by)
        for worker in self.workers:
            for job in worker.handed:
                job.move(by)

    def take_news(self) -> bool:
        """Whether a worker has become ready since the last call."""
        news, self.news = self.news, False
        return news

    def recycle(self) -> None:
        """Let every worker end after the job that it runs: the code has changed."""
        for worker in self.workers:
            if not worker.leaving:
                worker.leaving = True
                worker.recall(worker.handed)
                worker.send(Exit())

    def recall_all(self) -> None:
        """Ask back whatever has not begun."""
        for worker in self.workers:
            worker.recall(worker.handed)

    def _reader(self, worker: WorkerProcess, stream: str, end: int) -> Callable[[], None]:
        def read() -> None:
            try:
                data = os.read(end, 1 << 16)
            except BlockingIOError:
                return
            if not data:
                self._selector.unregister(end)
                return
            lines = data.decode(errors="replace").splitlines()
            jobs = worker.running()
            # Of several nobody knows which it was.
            job = jobs[0] if len(jobs) == 1 else None
            if job is None:
                log.info("worker says", worker=worker.id, stream=stream, text=lines[-1][:500])
            elif job.output_lines < LOG_LINES:
                self._inbox.output(job, stream, lines, clock.now())

        return read

    def hear(self, worker: WorkerProcess) -> None:
        """Take in all that the worker has said."""
        for message in worker.receive():
            self._take(worker, message)

    def _take(self, worker: WorkerProcess, message: ToPool) -> None:
        match message:
            case Outcomes():
                self._take_outcomes(worker, message)
            case StepReport() | Logs() | CheckIn() | HttpCall() | FileKept():
                job = worker.find(message.job, message.claim)
                if job is None:
                    return
                self._inbox.put(message)
                if isinstance(message, StepReport):
                    self._orders.step(job, message)
            case Call():
                self._inbox.calls.append((worker, message))
            case Recalled():
                now = clock.now()
                for job_id, claim in message.claims:
                    back = worker.take(job_id, claim)
                    if back is not None:
                        self._inbox.endings.append(back.not_begun(now))
            case Ready():
                worker.ready = True
                worker.versions = self.loaded = message.versions
                self._failures = 0
                self.news = True
                self._inbox.came.append(worker)
            case NotLoaded():
                log.error("code not loaded", target=self._options.target, error=message.message)
            case Leaving():
                log.info("replacing a worker", worker=worker.id, why=message.why)
                worker.leaving = True

    def _take_outcomes(self, worker: WorkerProcess, message: Outcomes) -> None:
        spent: dict[int, list[int]] = {}
        for outcome in message.items:
            job = worker.take(outcome.job, outcome.claim)
            if job is None:
                continue
            self._inbox.outcomes.append((job, outcome))
            if self._orders.alone:
                self._orders.alone.discard(job.claimed.job_id)
            sums = spent.setdefault(job.claimed.flow_id, [0, 0])
            sums[0] += outcome.finished_at - outcome.started_at
            sums[1] += 1
        for flow_id, (total, jobs) in spent.items():
            self._meter.measured(flow_id, total / SECOND, jobs)

    def watch(self, now: Micros) -> None:
        """See who has ended, and that running jobs obey their orders and deadlines."""
        for found in self._scale.over(self.workers, now):
            self._orders.relieve(*found)
        for worker in list(self.workers):
            if worker.ended or worker.process.poll() is not None:
                self.bury(worker, now)
                continue
            jobs = worker.running()
            for job in jobs:
                self._orders.enforce(worker, job, now, beside=len(jobs) > 1)
            if jobs and len(worker.handed) > len(jobs):
                since = worker.handed_at if worker.shared else jobs[0].began_at or now
                if now - since > STUCK_BATCH:
                    worker.recall(worker.handed)

    def bury(self, worker: WorkerProcess, now: Micros, *, pool_ends: bool = False) -> None:
        """A worker has ended, or must now: its last words first, then what it leaves open."""
        killed_by_us = worker.killed
        worker.kill()
        self.hear(worker)
        self._selector.unregister(worker.socket)
        for end, _ in worker.outputs.values():
            registered = self._selector.get_map()
            if end in registered:
                registered[end].data()
            if end in registered:
                self._selector.unregister(end)
        begun, _, _ = worker.board.read()
        running = worker.running()
        worker.close()
        self.workers.remove(worker)
        why = worker.death()
        if not killed_by_us and worker.struck_down() and self._killer.struck():
            self._orders.starved(running)
        killed_by_us |= self._orders.suspect(running)
        for job in worker.handed:
            if job.number > begun:
                self._inbox.endings.append(job.not_begun(now))
            elif job in running and job.stopping:
                self._inbox.killed.append(job)
            elif job in running and killed_by_us and not pool_ends:
                # Another job was the reason: this one begins its attempt anew.
                self._inbox.endings.append(job.ending(Code.PENDING, now, began=False))
            elif pool_ends:
                self._inbox.endings.append(endings.given_back(job, now))
            else:
                self._inbox.endings.append(endings.lost(job, now, why))
        if not worker.ready:
            self._failures += 1
            wait = RESTART_S[min(self._failures, len(RESTART_S) - 1)]
            self._start_at = now + round(wait * SECOND)
        if not worker.leaving and not pool_ends:
            log.warning("worker ended", worker=worker.id, why=why)
        self._inbox.gone.append(worker.id)
