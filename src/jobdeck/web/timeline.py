"""A job's attempts and steps as bars on one line of time."""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.records import Attempt, Counts, Job, JobError, Step
from jobdeck.domain.states import Status

WIDTH = 1000
"""Units of a bar from left to right."""

_IDLE_PART = 0.2
_SHORT = 5 * SECOND
_LEAST = 3.0


class Bar(NamedTuple):
    """A stretch of a line. `kind` is `queued`, or the status of what ran."""

    kind: str
    x: float
    width: float


class Line(Struct, kw_only=True):
    """An attempt or a step with its stretches of waiting and running."""

    name: str
    status: Status
    step: bool
    bars: list[Bar]
    queued_s: float | None = None
    began: Micros | None = None
    ended: Micros | None = None
    counts: Counts | None = None
    error: JobError | None = None
    text: str = ""


class Gap(NamedTuple):
    """A long time without work, drawn shorter than it was."""

    x: float
    width: float
    seconds: float


class Timeline(Struct, kw_only=True):
    """Everything between the creation of a job and its end, or now."""

    lines: list[Line]
    gaps: list[Gap]
    span_s: float


class _Scale:
    """From times to places; idle times longer than a fifth of all work are cut to that, unless they
    are short."""

    def __init__(self, start: Micros, end: Micros, work: Sequence[tuple[Micros, Micros]]) -> None:
        merged = _merge(work)
        busy = sum(end - begin for begin, end in merged)
        longest = busy * _IDLE_PART if busy else float("inf")
        self._knots: list[tuple[Micros, float]] = [(start, 0.0)]
        self._cut: list[tuple[Micros, Micros]] = []
        at, place = start, 0.0
        for begin, finish in [*merged, (end, end)]:
            idle = max(begin - at, 0)
            if idle > max(longest, _SHORT):
                self._cut.append((at, begin))
                place += longest
            else:
                place += idle
            self._knots.append((begin, place))
            place += finish - begin
            self._knots.append((finish, place))
            at = finish
        self._unit = WIDTH / place if place else 0.0

    def __call__(self, at: Micros) -> float:
        before = self._knots[0]
        for knot in self._knots[1:]:
            if at <= knot[0]:
                length = knot[0] - before[0]
                part = (at - before[0]) / length if length > 0 else 0.0
                return (before[1] + max(part, 0.0) * (knot[1] - before[1])) * self._unit
            before = knot
        return before[1] * self._unit

    def gaps(self) -> list[Gap]:
        return [
            Gap(self(begin), self(end) - self(begin), (end - begin) / SECOND)
            for begin, end in self._cut
        ]


def _merge(spans: Sequence[tuple[Micros, Micros]]) -> list[tuple[Micros, Micros]]:
    merged: list[tuple[Micros, Micros]] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def build(job: Job, attempts: Sequence[Attempt], steps: Sequence[Step], now: Micros) -> Timeline:
    """The timeline of a job; `attempts` in their order, the latest one last."""
    start = job.created_at
    end = max(job.finished_at or now, start)
    spans = [
        (a.started_at, max(a.finished_at or now, a.started_at))
        for a in attempts
        if a.started_at is not None
    ]
    scale = _Scale(start, end, spans)
    lines: list[Line] = []
    ready: Micros | None = max(start, job.run_at) if job.run_at and not spans else start
    if attempts and attempts[0].attempt > 1:
        ready = None  # that depends on those before it, which are not shown
    for attempt in attempts:
        lines.append(_attempt(attempt, ready, scale, now))
        ready = attempt.finished_at
    if job.status in (Status.PENDING, Status.RETRYING) and ready is not None:
        bars = [_bar("queued", ready, now, scale)]
        lines.append(
            Line(
                name=f"Attempt {attempts[-1].attempt + 1 if attempts else 1}",
                status=job.status,
                step=False,
                bars=bars,
                queued_s=(now - ready) / SECOND,
            )
        )
    lines += [_step(step, scale, now) for step in steps]
    return Timeline(lines=lines, gaps=scale.gaps(), span_s=(end - start) / SECOND)


def _attempt(attempt: Attempt, ready: Micros | None, scale: _Scale, now: Micros) -> Line:
    bars = []
    queued = None
    began, ended = attempt.started_at, attempt.finished_at
    if ready is not None:
        until = began if began is not None else (ended or now)
        queued = max(until - ready, 0) / SECOND
        bars.append(_bar("queued", ready, until, scale))
    if began is not None:
        bars.append(_bar(_kind(attempt.status), began, ended or now, scale))
    return Line(
        name=f"Attempt {attempt.attempt}",
        status=Status(_kind(attempt.status)) if ended is not None else attempt.status,
        step=False,
        bars=bars,
        queued_s=queued,
        began=began,
        ended=ended,
        error=attempt.error,
        text=attempt.message,
    )


def _kind(status: Status) -> str:
    # A try that failed or was lost, and that another one followed.
    return "failed" if status in (Status.RETRYING, Status.PENDING) else status.value


def _step(step: Step, scale: _Scale, now: Micros) -> Line:
    bars = []
    if step.started_at is not None:
        bars.append(_bar(_kind(step.status), step.started_at, step.finished_at or now, scale))
    return Line(
        name=step.name,
        status=step.status,
        step=True,
        bars=bars,
        began=step.started_at,
        ended=step.finished_at,
        counts=step.counts,
        error=step.error,
    )


def _bar(kind: str, begin: Micros, end: Micros, scale: _Scale) -> Bar:
    left, right = scale(begin), scale(max(begin, end))
    width = right - left
    if kind != "queued":
        width = max(width, _LEAST)
        left = min(left, WIDTH - width)
    return Bar(kind, round(left, 1), round(width, 1))
