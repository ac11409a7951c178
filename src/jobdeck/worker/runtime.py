"""The way out of a job in a worker: what its context does, over the socket."""

from __future__ import annotations

import copy
import itertools
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from jobdeck.domain import clock, limits
from jobdeck.domain.errors import WrongState
from jobdeck.sdk.control import StopRequested
from jobdeck.sdk.failure import clean
from jobdeck.sdk.runtime import HttpRecord, JobView, StepState
from jobdeck.worker.coroutines import Coroutines
from jobdeck.worker.inbox import Inbox, Key
from jobdeck.worker.outbox import Alarm, Outbox
from jobdeck.worker.protocol import (
    CheckIn,
    FileKept,
    HttpCall,
    JobSpec,
    LogEntry,
    Logs,
    StepReport,
    lines_from,
)

SPEAKING: ContextVar[JobSpec | None] = ContextVar("jobdeck_job", default=None)
"""The job that a task belongs to, where several run side by side."""

LINES = 200
GATHER_S = 0.1
_LARGEST = 2**63 - 1
_NOTE_CHARS = 1_000
_CUT = (
    f"Further lines of this attempt are not kept: the limit is {limits.LOG_LINES:,} of them, or "
    f"{limits.LOG_CHARS // 1_000_000} MB."
)


class SocketRuntime:
    """One for the whole process; `current` is the job that runs. Jobs that run side by side
    have each a `twin` of it.

    What a job says is kept here for a moment. `said` is set when there is something that must
    go out before the outcome of the job.
    """

    http_transport: Any = None

    def __init__(self, files_dir: Path, outbox: Outbox, coroutines: Coroutines) -> None:
        self._files_dir = files_dir
        self.step = ""
        self.current: JobSpec | None = None
        self.twins: dict[Key, SocketRuntime] = {}
        self.forked = False
        self.alarm = Alarm(self.send_due)
        self.inbox: Inbox
        self._outbox = outbox
        self._coroutines = coroutines
        self._nothing_said()
        os.register_at_fork(after_in_child=self._after_fork)

    def _nothing_said(self) -> None:
        self.said = False
        self._lock = threading.Lock()
        self._lines: list[LogEntry] = []
        self._base = 0
        self._numbers: Iterator[int] = itertools.count()
        self._chars, self._full = 0, False
        self._calls: Iterator[int] = itertools.count(1)
        self._check_in: tuple[int, int | None, str] | None = None
        self._snapshot: Callable[[], StepState] | None = None

    def twin(self, job: JobSpec) -> SocketRuntime:
        """One of its own for a job that runs beside others."""
        twin = self.twins[job.job, job.claim] = copy.copy(self)
        twin._nothing_said()
        twin.begin(job)
        return twin

    def of(self, job: JobView) -> SocketRuntime:
        """The one that speaks for the job."""
        return self if job is self.current else self.twins.get((job.job, job.claim), self)

    def speaker(self) -> JobSpec | None:
        """The job whose code calls this, as far as that is known."""
        if self.current is not None or not self.twins:
            return self.current
        return SPEAKING.get()

    @property
    def files_dir(self) -> Path:
        """As `Runtime.files_dir`."""
        return self._files_dir

    def _after_fork(self) -> None:
        for runtime in (self, *self.twins.values()):
            runtime.forked = True

    def is_current(self, job: JobView) -> bool:
        """Whether that job runs, in this very process."""
        return job is self.current and not self.forked

    def begin(self, job: JobSpec) -> None:
        """From now on that job runs."""
        if self.said:
            # A thread of the job before spoke after its end.
            self.settle(None)
        self.current = job
        if job.claim != job.attempt or self._base:
            self._number_from(lines_from(job.claim, job.attempt))

    def _number_from(self, base: int) -> None:
        self._base = base
        self._numbers, self._calls = itertools.count(), itertools.count(base + 1)

    def settle(self, job: JobSpec | None) -> None:
        """The job has ended, and is no longer current: what it said must go before its
        outcome."""
        self.said = False
        self._gather(job)
        self._numbers = itertools.count()
        self._chars, self._full = 0, False

    def send_due(self) -> None:
        """Send what has gathered; called by the alarm."""
        for runtime in (self, *list(self.twins.values())):
            job = runtime.current
            if job is not None:
                runtime._gather(job)
        self._outbox.flush()

    def _gather(self, job: JobSpec | None) -> None:
        with self._lock:
            lines = self._lines[:]
            del self._lines[: len(lines)]
            check_in, self._check_in = self._check_in, None
            snapshot, self._snapshot = self._snapshot, None
            if job is None:
                return
            if lines:
                self._outbox.put(Logs(job.job, job.claim, job.attempt, lines))
            if check_in is not None:
                done, total, note = check_in
                sound = _whole(done), None if total is None else _whole(total), _short(note)
                self._outbox.put(CheckIn(job.job, job.claim, clock.now(), *sound))
            if snapshot is not None:
                self._outbox.put(_report(job, snapshot()))

    def say(
        self, job: JobView, level: str, stream: str, message: str, fields: bytes | None = None
    ) -> None:
        """Keep one line of the running job, within the limits."""
        number = next(self._numbers)
        if len(message) > limits.LOG_LINE_CHARS:
            message = message[: limits.LOG_LINE_CHARS] + " … (cut)"
        self._chars += len(message)
        if number >= limits.LOG_LINES or self._chars > limits.LOG_CHARS:
            if self._full:
                return
            self._full = True
            level, stream, message, fields = "warning", "log", _CUT, None
        seq = self._base + number
        entry = LogEntry(seq, clock.now(), level, stream, self.step, clean(message), fields)
        with self._lock:
            # A thread may come here when its job has just ended.
            if job is not self.current:
                return
            self._lines.append(entry)
            self.said = True
        if len(self._lines) >= LINES:
            self.send_due()
        elif not self.alarm.at:
            self.alarm.set(GATHER_S)

    def log(self, job: JobView, level: str, message: str, fields: bytes | None) -> None:
        """As `Runtime.log`."""
        if self.is_current(job):
            self.say(job, level, "log", message, fields)

    def check_in(self, job: JobView, done: int, total: int | None, note: str) -> None:
        """As `Runtime.check_in`."""
        if job is not self.current or self.forked:
            return
        self._check_in = (done, total, note)
        self.said = True
        if not self.alarm.at:
            self.alarm.set(GATHER_S)

    def report_step(self, job: JobView, state: StepState) -> None:
        """As `Runtime.report_step`."""
        if self.is_current(job):
            with self._lock:
                self._snapshot = None
                self._outbox.put(_report(job, state))
            self._outbox.flush()

    def watch(self, job: JobView, snapshot: Callable[[], StepState]) -> None:
        """As `Runtime.watch`."""
        if self.is_current(job):
            self._snapshot = snapshot
            self.said = True
            self.alarm.set(GATHER_S)

    def http_call(self, job: JobView, record: HttpRecord) -> None:
        """As `Runtime.http_call`."""
        if not self.is_current(job):
            return
        self._outbox.put(
            HttpCall(
                *(job.job, job.claim, job.attempt, next(self._calls), record.at, self.step),
                *(record.method, clean(record.url), record.status, record.duration_s),
                *(clean(record.request), clean(record.response), clean(record.error)),
            )
        )
        self.alarm.set(GATHER_S)

    def keep_file(self, job: JobView, name: str, path: str, size: int) -> None:
        """As `Runtime.keep_file`."""
        if self.is_current(job):
            kept = FileKept(job.job, job.claim, name, path, size, clock.now(), self.step)
            self._outbox.put(kept)
            self.alarm.set(GATHER_S)

    def call(self, job: JobView, kind: str, body: dict[str, Any]) -> Any:
        """As `Runtime.call`."""
        if not self.is_current(job):
            raise WrongState(f"Job {job.job} does not run here; only a running job may ask.")
        why = self.stop_reason(job)
        if why:
            raise StopRequested(why)
        return self.inbox.call((job.job, job.claim), kind, body)

    def stop_reason(self, job: JobView) -> str:
        """As `Runtime.stop_reason`."""
        stops = self.inbox.stops
        return stops.get((job.job, job.claim), "") if stops else ""

    def wait(self, job: JobView, seconds: float) -> None:
        """As `Runtime.wait`."""
        self.inbox.wait_for_stop((job.job, job.claim), seconds)

    def run_coroutine(self, job: JobView, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """As `Runtime.run_coroutine`."""
        return self._coroutines.run(coroutine, lambda: bool(self.stop_reason(job)))

    def stop_asked(self, key: Key) -> None:
        """A stop has arrived: wake the job if it is a coroutine."""
        job = self.current
        if job is not None and (job.job, job.claim) == key:
            self._coroutines.wake()


def _whole(number: float) -> int:
    """What code told of its progress as a number that a store can keep."""
    try:
        return max(min(int(number), _LARGEST), 0)
    except (ArithmeticError, TypeError, ValueError):
        return 0


def _short(note: object) -> str:
    return clean(str(note))[:_NOTE_CHARS]


def _report(job: JobView, state: StepState) -> StepReport:
    return StepReport(
        job=job.job,
        claim=job.claim,
        attempt=job.attempt,
        position=state.position,
        name=state.name,
        status=state.status,
        started_at=state.started_at,
        finished_at=state.finished_at,
        counts=state.counts,
        result=state.result,
        checkpoint=state.checkpoint,
        error=state.error,
    )
