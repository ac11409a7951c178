"""What a store tells: one frozen record for each noun. Times are microseconds, see `clock`."""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from jobdeck.domain.clock import SECOND, Micros
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.retry import RetryPolicy
from jobdeck.domain.states import Reason, Status


class JobError(Struct, frozen=True, kw_only=True):
    """Why an attempt failed, as told by the worker. `problems` are the parameters that do not
    fit, each with what is wrong with it, for the reason `invalid_config`."""

    type: str
    message: str
    step: str = ""
    traceback: str = ""
    hint: str = ""
    link: str = ""
    problems: dict[str, str] = {}


class Progress(Struct, frozen=True, kw_only=True):
    """How far a running job is; `total` is None where the end is not known."""

    done: int = 0
    total: int | None = None
    note: str = ""

    @property
    def fraction(self) -> float | None:
        """Between 0 and 1, or None."""
        if not self.total:
            return None
        return min(self.done / self.total, 1.0)


class Job(Struct, frozen=True, kw_only=True):
    """One execution of a flow, with its latest attempt.

    `params` and `result` are what the JSON in the store says; `stopping` is set while a stop or
    kill was asked for and the job still runs; `waits_for` counts children not yet ended. `kept`
    answers whoever wanted to create one: this one with the same unique key was there already.
    """

    id: int
    pipeline: str
    flow: str
    queue: str
    status: Status
    reason: Reason | None = None
    message: str = ""
    priority: int = 0
    attempt: int = 0
    losses: int = 0
    created_at: Micros
    run_at: Micros | None = None
    started_at: Micros | None = None
    finished_at: Micros | None = None
    params: Any = None
    context: str = ""
    result: Any = None
    error: JobError | None = None
    progress: Progress | None = None
    checked_in_at: Micros | None = None
    stopping: str = ""
    waits_for: int = 0
    parent: int | None = None
    retry_of: int | None = None
    schedule: int | None = None
    source: str = ""
    created_by: str = ""
    unique_key: str = ""
    kept: bool = False
    version: int | None = None
    pool: int | None = None
    worker: int | None = None
    cpu_s: float | None = None
    max_rss_kb: int | None = None

    def duration_s(self, now: Micros) -> float | None:
        """Seconds from start to end, or to `now` while it runs; None before it began."""
        if self.started_at is None:
            return None
        end = self.finished_at if self.finished_at is not None else now
        return max(end - self.started_at, 0) / SECOND


class Attempt(Struct, frozen=True, kw_only=True):
    """One try at a job. `status` is None while it runs; retrying and pending tell that it
    failed or was lost and another one follows."""

    attempt: int
    status: Status
    reason: Reason | None = None
    message: str = ""
    error: JobError | None = None
    started_at: Micros | None = None
    finished_at: Micros | None = None
    pool: int | None = None
    worker: int | None = None
    cpu_s: float | None = None
    max_rss_kb: int | None = None


class Counts(Struct, frozen=True, kw_only=True):
    """What a step did with its items."""

    read: int = 0
    written: int = 0
    filtered: int = 0
    skipped: int = 0
    commits: int = 0
    rollbacks: int = 0

    @classmethod
    def of_all(cls, some: Iterable["Counts"]) -> "Counts":
        """What they make together."""
        each = list(some)
        names = cls.__struct_fields__
        return cls(**{name: sum(getattr(counts, name) for counts in each) for name in names})


class Step(Struct, frozen=True, kw_only=True):
    """One stage of a job in its latest attempt; a step not reached yet is pending."""

    position: int
    name: str
    status: Status
    attempt: int = 0
    started_at: Micros | None = None
    finished_at: Micros | None = None
    counts: Counts = Counts()
    result: Any = None
    error: JobError | None = None


class LogLine(Struct, frozen=True, kw_only=True):
    """One line that a job logged or printed. `level` is a name of Python's logging, in lower
    case; `stream` is log, stdout or stderr; `id` rises within the store."""

    id: int
    at: Micros
    attempt: int
    level: str
    stream: str
    step: str
    message: str
    fields: Any = None


class FoundLine(LogLine, frozen=True, kw_only=True):
    """A line that a search over all jobs has found."""

    job: int
    pipeline: str
    flow: str


class ApiCall(Struct, frozen=True, kw_only=True):
    """One HTTP call that a job made through `ctx.http`; `status` is None if it got no answer."""

    id: int
    at: Micros
    attempt: int
    step: str
    method: str
    url: str
    status: int | None
    duration_s: float
    request: str = ""
    response: str = ""
    error: str = ""


class JobFile(Struct, frozen=True, kw_only=True):
    """A file that a job kept; `path` is relative to the store's folder of files."""

    name: str
    size: int
    created_at: Micros
    path: str
    step: str = ""


class Event(Struct, frozen=True, kw_only=True):
    """Something that happened to a job and that its states alone do not tell."""

    id: int
    at: Micros
    kind: str
    message: str = ""
    actor: str = ""
    attempt: int | None = None


class Pipeline(Struct, frozen=True, kw_only=True):
    """A pipeline with its current and published version (None: not published)."""

    id: int
    name: str
    current_version: int
    published_version: int | None
    manifest: PipelineManifest
    created_at: Micros
    updated_at: Micros


class Version(Struct, frozen=True, kw_only=True):
    """One version of a pipeline: `fingerprint` tells it from the others."""

    version: int
    fingerprint: str
    created_at: Micros


class Flow(Struct, frozen=True, kw_only=True):
    """A configured instance of a pipeline. `retry` and `timeout_s` None: as the pipeline says.
    `max_running` jobs may run at once, and start at the `rate`, such as 10/m; None: any number.
    `after` are the flows that it runs after, see `domain.following`."""

    id: int
    name: str
    pipeline: str
    queue: str
    priority: int = 0
    params: dict[str, Any] = {}
    context: str = ""
    retry: RetryPolicy | None = None
    timeout_s: float | None = None
    max_running: int | None = None
    rate: str | None = None
    after: list[str] = []
    created_at: Micros
    updated_at: Micros


class Queue(Struct, frozen=True, kw_only=True):
    """Where jobs wait, with what is in it. `latency_s` is how long the next one has waited.
    `max_running` jobs may run at once, and start at the `rate`, such as 10/m; None: any number."""

    id: int
    name: str
    builtin: bool = False
    paused_at: Micros | None = None
    paused_by: str = ""
    paused_reason: str = ""
    max_running: int | None = None
    rate: str | None = None
    pending: int = 0
    running: int = 0
    scheduled: int = 0
    retrying: int = 0
    latency_s: float = 0.0


class Schedule(Struct, frozen=True, kw_only=True):
    """What creates jobs of a flow at times: `cron` in `timezone`, or every `interval_s`, from
    `start_at` to `end_at`, each job up to `jitter_s` later than its tick. `misfire` and `overlap`
    are rules of `domain.ticks`; `waiting_at` is the tick that waits for an open job to
    end. One that is `held` fires nothing because the queue SCHEDULER is paused."""

    id: int
    flow: str
    cron: str = ""
    interval_s: float | None = None
    timezone: str = "UTC"
    start_at: Micros | None = None
    end_at: Micros | None = None
    jitter_s: float = 0.0
    misfire: str = "once"
    overlap: str = "allow"
    params: dict[str, Any] = {}
    vendor_type: str = ""
    vendor_id: str = ""
    paused_at: Micros | None = None
    paused_by: str = ""
    paused_reason: str = ""
    held: bool = False
    next_at: Micros | None = None
    waiting_at: Micros | None = None
    last_at: Micros | None = None
    last_job: int | None = None
    last_status: Status | None = None
    created_at: Micros
    updated_at: Micros


class Pool(Struct, frozen=True, kw_only=True):
    """A supervisor process with its workers. `state` is running, draining or lost; `loaded` gives
    the fingerprint of every pipeline that its workers have loaded. A `builtin` one is a
    maintenance process, which runs Jobdeck's own work in threads."""

    id: int
    host: str
    pid: int
    started_at: Micros
    heartbeat_at: Micros
    concurrency: int
    state: str
    queues: list[str] = []
    loaded: dict[str, str] = {}
    busy: int = 0
    rss_kb: int | None = None
    builtin: bool = False


class Worker(Struct, frozen=True, kw_only=True):
    """A process that runs jobs; the fields about a job are None while it is idle. `stopping` is
    stop or kill once its job was asked to end."""

    id: int
    pool: int
    pid: int
    started_at: Micros
    job: int | None = None
    job_name: str = ""
    job_started_at: Micros | None = None
    checked_in_at: Micros | None = None
    progress: Progress | None = None
    stopping: str = ""


class HintRule(Struct, frozen=True, kw_only=True):
    """What to do about errors in whose type and message the pattern occurs, and where to read
    more."""

    id: int
    pattern: str
    hint: str
    link: str = ""
    created_at: Micros


class View(Struct, frozen=True, kw_only=True):
    """A list of jobs that somebody has given a name: the filter's text, and the order."""

    id: int
    actor: str
    name: str
    filter: str
    sort: str
    created_at: Micros


class ErrorGroup(Struct, frozen=True, kw_only=True):
    """Failures that are the same error, see `domain.fingerprint`. `message` has marks in the place
    of what differs, `example` is the message of `last_job`. `failures` is how often it happened,
    `jobs` how many jobs stand failed by it now; `hours` the failures in each of the last hours,
    the present one last. A resolved one is opened again by the next failure, at `reopened_at`; a
    muted one goes on counting, but calls for no attention."""

    id: int
    type: str
    place: str
    message: str
    example: str
    failures: int
    jobs: int
    first_at: Micros
    last_at: Micros
    last_job: int
    flows: list[str] = []
    hours: list[int] = []
    resolved_at: Micros | None = None
    resolved_by: str = ""
    resolved_reason: str = ""
    reopened_at: Micros | None = None
    muted_at: Micros | None = None
    muted_by: str = ""
    muted_reason: str = ""

    @property
    def state(self) -> str:
        """`muted`, `resolved`, `reopened` if it came back after that, else `open`."""
        if self.muted_at is not None:
            return "muted"
        if self.resolved_at is not None:
            return "resolved"
        return "open" if self.reopened_at is None else "reopened"


class FlowItem(Struct, frozen=True, kw_only=True):
    """Something that a flow takes only once. `state` is claimed (by `job`, until `expires_at`),
    deferred (so often), processed (known until `expires_at`, unless the flow sees it again), or
    released (free again)."""

    source: str
    item: str
    state: str
    job: int | None = None
    at: Micros
    expires_at: Micros | None = None
    deferrals: int = 0


class AuditRow(Struct, frozen=True, kw_only=True):
    """One change that somebody asked for."""

    id: int
    at: Micros
    actor: str
    actor_kind: str
    role: str
    action: str
    target: str
    reason: str
    detail: Any = None


class Change(Struct, frozen=True, kw_only=True):
    """A hint that something changed, for live pages and scripts. `topic` is job, jobs, queue,
    schedule, pool, pipeline, flow or error; `ref` its number or name; `kind` what happened."""

    id: int
    at: Micros
    topic: str
    ref: str = ""
    kind: str = ""
