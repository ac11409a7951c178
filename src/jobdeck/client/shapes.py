"""The JSON that a server speaks: each record of the domain, and back again.

Times are ISO 8601 in UTC, durations seconds. What is not known is null, never left out.
"""

from datetime import datetime
from typing import Any, ClassVar

from msgspec import Struct, field

from jobdeck.client.shaping import Shape
from jobdeck.domain import clock, records
from jobdeck.domain.clock import Micros
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.records import Counts
from jobdeck.domain.retry import RetryPolicy
from jobdeck.domain.states import Reason, Status


class Error(Shape):
    """Why an attempt failed; `hint` is what to try, `link` where to read more. Where parameters
    do not fit, `problems` names all of them, each with what is wrong with it."""

    RECORD = records.JobError

    type: str
    message: str
    step: str
    traceback: str
    hint: str
    link: str
    problems: dict[str, str] = field(default_factory=dict)


class Progress(Shape):
    """How far a running job is; `total` is null where the end is not known."""

    RECORD = records.Progress

    done: int
    total: int | None
    note: str


class Job(Shape):
    """One execution of a flow. `stopping` is stop or kill while that was asked for and the job
    still runs; `waits_for` counts children not yet ended; `duration_s` grows while it runs."""

    RECORD = records.Job

    id: int
    pipeline: str
    flow: str
    queue: str
    status: Status
    reason: Reason | None
    message: str
    priority: int
    attempt: int
    losses: int
    created_at: datetime
    run_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    duration_s: float | None
    params: Any
    context: str
    result: Any
    error: Error | None
    progress: Progress | None
    checked_in_at: datetime | None
    stopping: str
    waits_for: int
    parent: int | None
    retry_of: int | None
    schedule: int | None
    source: str
    created_by: str
    unique_key: str
    kept: bool
    version: int | None
    pool: int | None
    worker: int | None
    cpu_s: float | None
    max_rss_kb: int | None

    @classmethod
    def at(cls, job: records.Job, now: Micros) -> "Job":
        """The shape of that job, with its duration until `now` while it runs."""
        return cls.of(job, duration_s=job.duration_s(now))


class Jobs(Struct, frozen=True):
    """One page of jobs; `next` is the cursor of the following page, null at the end, `prev` that
    of the page before, null at the beginning, and `searched_to` how far back a search or a sort
    has looked so far."""

    items: list[Job]
    next: str | None
    searched_to: datetime | None
    prev: str | None = None


class Result(Struct, frozen=True):
    """How a job ended: its result if it completed, its error if it failed."""

    status: Status
    result: Any
    error: Error | None


class Attempt(Shape):
    """One try at a job; `status` retrying or pending tells that another one followed."""

    RECORD = records.Attempt

    attempt: int
    status: Status
    reason: Reason | None
    message: str
    error: Error | None
    started_at: datetime | None
    finished_at: datetime | None
    pool: int | None
    worker: int | None
    cpu_s: float | None
    max_rss_kb: int | None


class Step(Shape):
    """One stage of a job in its latest attempt."""

    RECORD = records.Step

    position: int
    name: str
    status: Status
    attempt: int
    started_at: datetime | None
    finished_at: datetime | None
    counts: Counts
    result: Any
    error: Error | None


class LogLine(Shape):
    """One line that a job logged or printed; `id` rises, to read on from."""

    RECORD: ClassVar[Any] = records.LogLine

    id: int
    at: datetime
    attempt: int
    level: str
    stream: str
    step: str
    message: str
    fields: Any


class Call(Shape):
    """One HTTP call that a job made; `status` is null if it got no answer."""

    RECORD = records.ApiCall

    id: int
    at: datetime
    attempt: int
    step: str
    method: str
    url: str
    status: int | None
    duration_s: float
    request: str
    response: str
    error: str


class File(Shape):
    """A file that a job kept."""

    RECORD = records.JobFile

    name: str
    size: int
    created_at: datetime
    step: str

    def record(self) -> records.JobFile:
        """The record of this shape; where the file lies is the server's own business."""
        return records.JobFile(
            name=self.name,
            size=self.size,
            created_at=clock.from_datetime(self.created_at),
            path="",
            step=self.step,
        )


class Event(Shape):
    """Something that happened to a job."""

    RECORD = records.Event

    id: int
    at: datetime
    kind: str
    message: str
    actor: str
    attempt: int | None


class Pipeline(Shape):
    """A pipeline; `published_version` is null if it is not published. The manifest is that of
    the current version."""

    RECORD = records.Pipeline

    id: int
    name: str
    current_version: int
    published_version: int | None
    manifest: PipelineManifest
    created_at: datetime
    updated_at: datetime


class Flow(Shape):
    """A configured instance of a pipeline; `retry` and `timeout_s` null: as the pipeline says.
    `max_running` jobs may run at once, and start at the `rate`, such as 10/m; null: any number.
    `after` are the flows that it runs after: `name`, `name:failed` or `name:ended`."""

    RECORD = records.Flow

    id: int
    name: str
    pipeline: str
    queue: str
    priority: int
    params: dict[str, Any]
    context: str
    retry: RetryPolicy | None
    timeout_s: float | None
    max_running: int | None
    rate: str | None
    after: list[str]
    created_at: datetime
    updated_at: datetime


class Queue(Shape):
    """Where jobs wait, with how many; `latency_s` is how long the next one has waited.
    `max_running` jobs may run at once, and start at the `rate`, such as 10/m; null: any number."""

    RECORD = records.Queue

    id: int
    name: str
    builtin: bool
    paused_at: datetime | None
    paused_by: str
    paused_reason: str
    max_running: int | None
    rate: str | None
    pending: int
    running: int
    scheduled: int
    retrying: int
    latency_s: float


class Schedule(Shape):
    """What creates jobs of a flow: by `cron` in `timezone`, or every `interval_s`, from
    `start_at` to `end_at`, each job up to `jitter_s` later. `waiting_at` is the tick that waits
    for an open job of it to end. While it is `held`, the queue SCHEDULER is paused."""

    RECORD = records.Schedule

    id: int
    flow: str
    cron: str
    interval_s: float | None
    timezone: str
    start_at: datetime | None
    end_at: datetime | None
    jitter_s: float
    misfire: str
    overlap: str
    params: dict[str, Any]
    vendor_type: str
    vendor_id: str
    paused_at: datetime | None
    paused_by: str
    paused_reason: str
    held: bool
    next_at: datetime | None
    waiting_at: datetime | None
    last_at: datetime | None
    last_job: int | None
    last_status: Status | None
    created_at: datetime
    updated_at: datetime


class Ticks(Struct, frozen=True):
    """When a schedule ticks next, when its jobs are to start (later by its jitter), and the cron
    expression in words."""

    ticks: list[datetime]
    starts: list[datetime]
    words: str


class Pool(Shape):
    """A supervisor process with its workers; `state` is running, draining or lost, `loaded` the
    fingerprint of every pipeline that its workers have loaded. A `builtin` one is maintenance."""

    RECORD = records.Pool

    id: int
    host: str
    pid: int
    started_at: datetime
    heartbeat_at: datetime
    concurrency: int
    state: str
    queues: list[str]
    loaded: dict[str, str]
    busy: int
    rss_kb: int | None
    builtin: bool


class Worker(Shape):
    """A process that runs jobs; what is about a job is null or empty while it is idle."""

    RECORD = records.Worker

    id: int
    pool: int
    pid: int
    started_at: datetime
    job: int | None
    job_name: str
    job_started_at: datetime | None
    checked_in_at: datetime | None
    progress: Progress | None
    stopping: str


class Change(Shape):
    """A hint that something changed: what the event stream tells."""

    RECORD = records.Change

    id: int
    at: datetime
    topic: str
    ref: str
    kind: str
