"""The books of a running step: counts, loops, checkpoint, what to close, and reporting it."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
from msgspec import Struct

from jobdeck.domain import clock
from jobdeck.domain.clock import Micros
from jobdeck.domain.records import Counts, JobError
from jobdeck.sdk import jsonable
from jobdeck.sdk.chunks import Loop
from jobdeck.sdk.counts import Counter
from jobdeck.sdk.files import Files
from jobdeck.sdk.runtime import JobView, Runtime, StepState


class Saved(Struct, omit_defaults=True):
    """The checkpoint of a step: items committed by each of its loops, and its own state."""

    chunks: list[int] = []
    state: Any = None


class StepRun:
    """Kept for a step as soon as it has something to keep.

    A step that `reports` tells where it stands when it ends; the others are told by the
    outcome of their job. One that is `resumed` goes on from the checkpoint of an earlier
    attempt.
    """

    def __init__(
        self,
        job: JobView,
        runtime: Runtime,
        name: str,
        position: int,
        started_at: Micros,
        resumed: bool,
    ) -> None:
        self.job = job
        self.runtime = runtime
        self.reports = False
        self.mapped = 0
        self.closers: list[Any] = []
        self.name = name
        self._position = position
        self._started_at = started_at
        self._saved = Saved()
        before: Counts | None = None
        if resumed:
            before = job.counts
            if job.checkpoint is not None:
                self._saved = msgspec.json.decode(job.checkpoint, type=Saved)
                self.reports = True
        self.counts = Counter(before, self._changed)
        self._resume = list(self._saved.chunks)
        self._loops: list[Loop] = []
        self._files: Files | None = None
        self._watched = False

    @property
    def files(self) -> Files:
        """The job's files."""
        if self._files is None:
            self._files = Files(self.job, self.runtime)
        return self._files

    def begin(self) -> None:
        """Tell that the step runs."""
        self.reports = True
        self.runtime.report_step(self.job, self.state("running"))

    def state(
        self,
        status: str,
        *,
        finished_at: Micros | None = None,
        result: bytes | None = None,
        error: JobError | None = None,
    ) -> StepState:
        """Where the step stands now."""
        self._watched = False
        saved = self._saved
        empty = not saved.chunks and saved.state is None
        return StepState(
            position=self._position,
            name=self.name,
            status=status,
            started_at=self._started_at,
            finished_at=finished_at,
            counts=self.counts.snapshot(),
            result=result,
            checkpoint=None if empty else msgspec.json.encode(saved),
            error=error,
        )

    def new_loop(self) -> Loop:
        """A loop over chunks. One inside the body of another has no checkpoint of its own: a
        crash repeats the chunk of the outer one."""
        self.reports = True
        if any(loop.open is not None and loop.alive for loop in self._loops):
            return Loop(0)
        index = len(self._loops)
        if index == len(self._saved.chunks):
            self._saved.chunks.append(0)
        loop = Loop(self._resume[index] if index < len(self._resume) else 0)
        self._loops.append(loop)
        return loop

    def commit(self, loop: Loop) -> None:
        """The body of the loop's open chunk has returned: count it and tell at once, so that
        a crash repeats no more than the chunk after it."""
        self._count(loop)
        self.runtime.report_step(self.job, self.state("running"))

    def _count(self, loop: Loop) -> None:
        chunk = loop.open
        assert chunk is not None
        loop.open = None
        loop.consumed += chunk.read
        loop.skipped += chunk.skipped
        counts = self.counts
        counts.read += chunk.read
        counts.written += chunk.written
        counts.filtered += chunk.filtered
        counts.skipped += chunk.skipped
        counts.commits += 1
        for index, known in enumerate(self._loops):
            if known is loop:
                self._saved.chunks[index] = loop.consumed

    @property
    def saved_state(self) -> Any:
        """What the step kept for itself, of plain JSON types."""
        return self._saved.state

    def save_state(self, value: Any) -> None:
        """Keep it, and tell at once.

        Raises:
            NotJson: it is not JSON, or too large.
        """
        self._saved.state = msgspec.json.decode(jsonable.encode(value, "checkpoint"))
        self.reports = True
        self.runtime.report_step(self.job, self.state("running"))

    def end(self, status: str, result: bytes | None, error: JobError | None) -> None:
        """Settle what is open, let go of what was opened, and tell how the step ended."""
        for loop in self._loops:
            if loop.open is not None:
                self._settle(loop, status == "completed")
        for closer in self.closers:
            # A courtesy to the other side; a coroutine that is stopped may not be able to.
            with contextlib.suppress(BaseException):
                closer.close()
        if self._files is not None:
            self._files.enter_all()
        if self.reports:
            state = self.state(status, finished_at=clock.now(), result=result, error=error)
            self.runtime.report_step(self.job, state)

    def _settle(self, loop: Loop, completed: bool) -> None:
        if completed:
            self._count(loop)
        else:
            loop.open = None
            self.counts.rollbacks += 1

    def _changed(self) -> None:
        self.reports = True
        if not self._watched:
            self._watched = True
            self.runtime.watch(self.job, lambda: self.state("running"))
