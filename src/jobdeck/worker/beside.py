"""Coroutine jobs side by side in one worker, on its loop in its main thread."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
import traceback
from collections.abc import Callable, Coroutine, Generator
from queue import Empty
from typing import Any

from jobdeck.domain.clock import Micros
from jobdeck.sdk.execution import Ending, run_beside, stopped
from jobdeck.sdk.plan import Plan
from jobdeck.worker.board import Board
from jobdeck.worker.coroutines import Coroutines
from jobdeck.worker.inbox import Inbox, Key
from jobdeck.worker.outbox import Outbox
from jobdeck.worker.output import Output
from jobdeck.worker.protocol import JobSpec
from jobdeck.worker.runtime import SPEAKING, SocketRuntime

Report = Callable[[JobSpec, Ending, Micros, int], None]
"""Told of a job that ended: how, when it began, and its processor time in microseconds."""


class _Open:
    """A job that runs: its slot on the board, its task, and whether that has taken its first
    step (one that has not cannot catch that it is cancelled)."""

    __slots__ = ("begun", "slot", "task")

    def __init__(self, slot: int) -> None:
        self.slot = slot
        self.begun = False
        self.task: asyncio.Task[None] | None = None


class Beside:
    """The loop runs only within `pump`: between two of them the worker's main thread hands it
    further jobs, or runs one that needs the thread for itself once no other is open."""

    def __init__(
        self,
        most: int,
        runtime: SocketRuntime,
        outbox: Outbox,
        board: Board,
        output: Output,
        coroutines: Coroutines,
        report: Report,
    ) -> None:
        """At most `most` jobs run at once; 1: none of them beside another."""
        self.most = most
        self.open: dict[Key, _Open] = {}
        self._runtime = runtime
        self._inbox: Inbox = runtime.inbox
        self._outbox, self._board, self._output = outbox, board, output
        self._coroutines = coroutines
        self._report = report
        self._free = list(range(most))[::-1]
        self._wake: asyncio.Event | None = None

    def shares(self, plan: Plan | None, spec: JobSpec) -> bool:
        """Whether that job may run beside others."""
        return plan is not None and plan.coroutine and self.most > 1 and not spec.alone

    def begin(self, spec: JobSpec, plan: Plan, number: int) -> None:
        """Begin the worker's `number`-th job; there is room for it."""
        key = (spec.job, spec.claim)
        entry = self.open[key] = _Open(self._free.pop())
        started_at = time.time_ns() // 1000
        self._board.open(entry.slot, number, started_at)
        job = self._run(entry, spec, plan, started_at)
        entry.task = self._loop().create_task(job)
        entry.task.add_done_callback(_die_of_own_errors)

    async def _run(self, entry: _Open, spec: JobSpec, plan: Plan, started_at: Micros) -> None:
        entry.begun = True
        SPEAKING.set(spec)
        key = (spec.job, spec.claim)
        runtime = self._runtime.twin(spec)
        meter = Metered(run_beside(plan, spec, runtime, started_at))
        ending = stopped(spec, runtime) if runtime.stop_reason(spec) else await meter
        if runtime.forked:
            # A child that the job forked and that came back from it: not a second worker.
            os._exit(0)
        self._output.end_lines()
        runtime.current = None
        if runtime.said:
            runtime.settle(spec)
        del self._runtime.twins[key]
        self._report(spec, ending, started_at, meter.cpu_us)
        self._board.shut(entry.slot)
        self._free.append(entry.slot)
        self._inbox.stops.pop(key, None)
        del self.open[key]
        self._stir()

    def make_room(self, spec: JobSpec, shares: bool) -> None:
        """Let others go on until that job may begin, was recalled, or the worker is to end."""
        inbox, key = self._inbox, (spec.job, spec.claim)
        while self.open and not inbox.leaving and key in inbox.waiting:
            if shares and len(self.open) < self.most:
                return
            self.pump()

    def next_batch(self) -> list[JobSpec] | None:
        """The next batch, while jobs run; None: the worker is to end. An empty one: no job runs
        any more."""
        while self.open:
            with contextlib.suppress(Empty):
                return self._inbox.batches.get_nowait()
            self.pump()
        return []

    def finish(self) -> None:
        """Let all that run come to their end."""
        while self.open:
            self.pump()

    def pump(self) -> None:
        """Run the loop until a job ends or the pool says something."""
        self._outbox.flush()
        loop, wake = self._loop(), self._wake
        assert wake is not None
        # User code may stop the loop, which is then run again.
        with contextlib.suppress(RuntimeError):
            loop.run_until_complete(wake.wait())
        wake.clear()

    def _loop(self) -> asyncio.AbstractEventLoop:
        loop = self._coroutines.loop()
        if self._wake is None or not self.open:
            self._wake = asyncio.Event()
        return loop

    def stir(self) -> None:
        """The pool has said something; from any thread, and from a signal's handler."""
        if self.open:
            self._coroutines.soon(self._stir)

    def _stir(self) -> None:
        if self._wake is not None:
            self._wake.set()

    def stop(self, key: Key) -> None:
        """A job was asked to stop: cancel it, if it runs here; from any thread."""
        if key in self.open:
            self._coroutines.soon(self._cancel, key)

    def _cancel(self, key: Key) -> None:
        entry = self.open.get(key)
        if entry is not None and entry.begun and entry.task is not None:
            entry.task.cancel()


class Metered:
    """Awaits a coroutine and measures the processor time of its own steps, in microseconds.
    What it leaves to further tasks is not its own."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.cpu_us = 0
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, Any]:
        coroutine, value = self._coroutine, None
        error: BaseException | None = None
        spent = 0
        while True:
            began = time.thread_time_ns()
            try:
                waits_for = coroutine.send(value) if error is None else coroutine.throw(error)
            except StopIteration as done:
                return done.value
            finally:
                spent += time.thread_time_ns() - began
                self.cpu_us = spent // 1000
            value = error = None
            try:
                value = yield waits_for
            except BaseException as thrown:  # it is the coroutine's to deal with
                error = thrown


def _die_of_own_errors(task: asyncio.Task[None]) -> None:
    """A job's errors are its outcome; one of the worker's own must not leave a job hanging."""
    if task.cancelled() or task.exception() is not None:
        traceback.print_exception(task.exception() if not task.cancelled() else None)
        with contextlib.suppress(Exception):
            sys.__stderr__.flush()  # type: ignore[union-attr]
        os._exit(70)
