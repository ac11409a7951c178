"""The main loop of a worker: jobs in the order in which they came, one after the other; coroutine
jobs side by side, if they are allowed to."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

from jobdeck.domain.clock import Micros
from jobdeck.domain.records import JobError
from jobdeck.domain.states import Reason
from jobdeck.sdk.execution import Ending, run_job, stopped
from jobdeck.sdk.plan import Plan
from jobdeck.worker.board import Board
from jobdeck.worker.coroutines import Coroutines
from jobdeck.worker.folder import WorkingFolder
from jobdeck.worker.inbox import Inbox, Key
from jobdeck.worker.outbox import OUTCOMES_S, Outbox
from jobdeck.worker.output import Output
from jobdeck.worker.protocol import JobSpec, Leaving, Outcome, Recalled
from jobdeck.worker.runtime import SocketRuntime
from jobdeck.worker.usage import Meter
from jobdeck.worker.wear import Wear

if TYPE_CHECKING:
    from jobdeck.worker.beside import Beside

MEASURED_US = 1000
"""Jobs shorter than this are not worth measuring."""


class Runner:
    """Runs batches in the main thread, keeps the board, and reports how each job ended."""

    def __init__(
        self,
        plans: dict[str, Plan],
        runtime: SocketRuntime,
        outbox: Outbox,
        board: Board,
        output: Output,
        coroutines: Coroutines,
    ) -> None:
        self._plans = plans
        self._runtime = runtime
        self._inbox: Inbox = runtime.inbox
        self._outbox = outbox
        self._board = board
        self._output = output
        self._coroutines = coroutines
        self._beside: Beside | None = None
        self._meter = Meter()
        self._folder = WorkingFolder()
        self._number = 0
        self.wear = Wear()
        self._handlers: dict[int, Any] = {
            signal.SIGINT: signal.SIG_IGN,
            signal.SIGTERM: lambda _number, _frame: self._inbox.leave(),
        }
        self._restore_signals()
        os.register_at_fork(after_in_child=_default_signals)

    def share(self, most: int) -> None:
        """Let at most so many coroutine jobs run side by side."""
        if most < 2:
            return
        from jobdeck.worker.beside import Beside

        parts = (self._outbox, self._board, self._output, self._coroutines, self._report)
        self._beside = beside = Beside(most, self._runtime, *parts)
        self._inbox.stirred = beside.stir
        alone = self._inbox.stop_asked

        def stop_asked(key: Key) -> None:
            alone(key)
            beside.stop(key)

        self._inbox.stop_asked = stop_asked

    def run(self) -> None:
        """Run what comes until the pool, or SIGTERM, asks to end."""
        beside = self._beside
        while not self._inbox.leaving:
            shared = beside is not None and bool(beside.open)
            batch = beside.next_batch() if beside and shared else self._inbox.batches.get()
            if batch is None:
                break
            if not shared:
                self._meter.start()
            self._run_batch(batch)
            worn = "" if beside and beside.open else self.wear.out(self._number)
            if worn or self._number >= self.wear.jobs:
                self._outbox.put(Leaving(worn or self.wear.out(self._number)))
                self._inbox.leave()
            self._outbox.flush()
        if beside is not None:
            beside.finish()
        self._give_back()
        self._outbox.flush()

    def _run_batch(self, batch: list[JobSpec]) -> None:
        take, plans, beside = self._inbox.waiting.pop, self._plans, self._beside
        outbox, alarm = self._outbox, self._runtime.alarm
        for spec in batch:
            plan = plans.get(spec.pipeline)
            shares = bool(plan and plan.coroutine and beside and beside.shares(plan, spec))
            if beside is not None and beside.open:
                beside.make_room(spec, shares)
                if not shares:
                    self._meter.start()
            if self._inbox.leaving or self._number >= self.wear.jobs:
                return
            self._number += 1
            if take((spec.job, spec.claim), None) is None:
                # Recalled: it counts, since the pool has counted it too.
                self._board.begin(self._number, time.time_ns() // 1000)
                self._board.end(self._number)
                continue
            if outbox.outcomes and not alarm.at:
                alarm.set(OUTCOMES_S)
            if shares and beside and plan:
                beside.begin(spec, plan, self._number)
            else:
                self._run_job(spec, plan)

    def _run_job(self, spec: JobSpec, plan: Plan | None) -> None:
        runtime, number = self._runtime, self._number
        started_at = time.time_ns() // 1000
        self._board.begin(number, started_at)
        runtime.begin(spec)
        if self._inbox.stops and runtime.stop_reason(spec):
            ending = stopped(spec, runtime)
        elif plan is None:
            ending = _not_loaded(spec)
        else:
            ending = run_job(plan, spec, runtime, started_at)
        if runtime.forked:
            # A child that the job forked and that came back from it: not a second worker.
            os._exit(0)
        if self._output.partial:
            self._output.end_lines()
        runtime.current = None
        if runtime.said:
            runtime.settle(spec)
        # Not before it began, even if the clock was set back meanwhile.
        finished_at = max(time.time_ns() // 1000, started_at)
        took = finished_at - started_at
        cpu_us = rss_kb = 0
        if took > MEASURED_US:
            cpu_us, rss_kb = self._meter.measure()
            self._restore_signals()
        else:
            self._meter.unmeasured_us += took
        self._outbox.end(_outcome(spec, ending, started_at, finished_at, cpu_us, rss_kb))
        self._board.end(number)
        if self._inbox.stops:
            self._inbox.stops.pop((spec.job, spec.claim), None)
        self._tidy_up()

    def _report(self, spec: JobSpec, ending: Ending, started_at: Micros, cpu_us: int) -> None:
        """A job has ended that ran beside others."""
        finished_at = time.time_ns() // 1000
        measured = finished_at - started_at > MEASURED_US
        used = (cpu_us, self._meter.peak_kb()) if measured else (0, 0)
        self._outbox.end(_outcome(spec, ending, started_at, finished_at, *used))
        self._restore_signals()
        self._tidy_up()

    def _tidy_up(self) -> None:
        if not self._output.intact:
            self._output.restore()
        if self._folder.left:
            self._folder.come_back()

    def _give_back(self) -> None:
        waiting = self._inbox.waiting
        free = [key for key in list(waiting) if waiting.pop(key, None) is not None]
        if free:
            self._outbox.put(Recalled(free))

    def _restore_signals(self) -> None:
        for number, handler in self._handlers.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)


def _default_signals() -> None:
    # What a job forks must end when it is told to.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _outcome(
    spec: JobSpec, ending: Ending, started_at: int, finished_at: int, cpu_us: int, rss_kb: int
) -> Outcome:
    return Outcome(
        spec.job,
        spec.claim,
        ending.status,
        started_at,
        finished_at,
        ending.result,
        ending.reason,
        ending.message,
        ending.error,
        ending.retryable,
        ending.retry_after_s,
        cpu_us,
        rss_kb,
    )


def _not_loaded(spec: JobSpec) -> Ending:
    message = (
        f"Pipeline {spec.pipeline!r} is not defined in what this worker has loaded; start a pool "
        "with the file that defines it."
    )
    error = JobError(type="NotLoaded", message=message)
    return Ending("failed", None, Reason.NOT_LOADED, message, error, False)
