"""The client: from Python what the commands do, on a store or on a server."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from msgspec import Struct

from jobdeck.actions.pools import Freed
from jobdeck.client import settings
from jobdeck.client.conditions import filter_of, moment, schedule_times
from jobdeck.client.in_store import InStore
from jobdeck.client.many import Many
from jobdeck.client.over_http import OverHttp
from jobdeck.domain import clock, uniqueness
from jobdeck.domain.bulk import Bulk
from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.filters import PAGE, JobFilter, LogFilter, Page
from jobdeck.domain.liveness import STALE_S, Recovery, Verdict
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.records import (
    ApiCall,
    Attempt,
    ErrorGroup,
    Event,
    Flow,
    FlowItem,
    FoundLine,
    HintRule,
    Job,
    JobError,
    JobFile,
    LogLine,
    Pipeline,
    Pool,
    Queue,
    Schedule,
    Step,
    Worker,
)
from jobdeck.domain.roles import Actor
from jobdeck.domain.states import Status
from jobdeck.domain.uniqueness import OnDuplicate, Wish, Within
from jobdeck.domain.why import Why
from jobdeck.sdk.transport import EnqueueItem

WAIT_S = 30.0
"""How long one call to a server waits; longer ones get lost in proxies."""


class Result(Struct, frozen=True):
    """How a job stands: `value` is what it gave if it completed, `error` why it failed."""

    status: Status
    value: Any
    error: JobError | None


class Client(Many, AbstractContextManager["Client"]):
    """Creates, finds and controls jobs, flows, queues, schedules and pipelines.

    Every method that changes something takes a `reason` for the audit. Times are microseconds
    since the epoch, see `jobdeck.domain.clock`. All methods raise `JobdeckError`: `NotFound`,
    `InvalidValue` (names the field), `WrongState`, `Forbidden`, `StoreUnreachable`.
    Safe to share between threads; close it, or use it in a `with`.
    """

    def __init__(
        self,
        store: str | None = None,
        *,
        url: str | None = None,
        token: str | None = None,
        actor: Actor | None = None,
    ) -> None:
        """Work on the store of that address, or on the server at `url` with a bearer token; by
        default as JOBDECK_URL or JOBDECK_STORE say.

        `actor` is who the audit of a store names; by default the user of this machine.

        Raises:
            InvalidValue: both are given, or one is no address.
            StoreUnreachable: there is no such store.
        """
        if store and url:
            raise InvalidValue("url", "give a store or a url, not both")
        found = settings.read({"store": store, "url": "" if store else url, "token": token})
        self._backend: InStore | OverHttp
        if found.url:
            from jobdeck.client.http_transport import Connection

            self._backend = OverHttp(Connection(found.url, found.token))
        else:
            from jobdeck.client.opening import local_actor, open_store

            self._backend = InStore(open_store(found, create=False), actor or local_actor())

    def close(self) -> None:
        """Let go of the connections."""
        self._backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # -- jobs --------------------------------------------------------------------------------

    def create(
        self,
        flow: str,
        params: Mapping[str, Any] | None = None,
        *,
        context: str | None = None,
        priority: int | None = None,
        run_at: datetime | Micros | str | None = None,
        unique_key: str | None = None,
        unique_in: str = Within.FLOW,
        unique_for: float | str | None = None,
        on_duplicate: str = OnDuplicate.REJECT,
        reason: str = "",
    ) -> Job:
        """Create a job of a flow; `params` are laid over the flow's.

        While a job with the same `unique_key` is open, and for `unique_for` after its creation,
        there is none beside it in the flow (or in its `queue`, or in `all`): it raises
        `Duplicate`, or gives that job with `kept` if `on_duplicate` is keep.
        """
        wish = Wish(
            key=unique_key,
            within=unique_in,
            for_s=clock.parse_duration(unique_for, "unique_for"),
            on_duplicate=on_duplicate,
        )
        uniqueness.check(wish)
        item = EnqueueItem(
            flow=flow,
            params=dict(params or {}),
            context=context,
            priority=priority,
            run_at=moment(run_at, "run_at"),
            unique=wish,
        )
        return self._backend.create(item, reason)

    def create_many(
        self, flow: str, items: Iterable[Mapping[str, Any]], *, reason: str = ""
    ) -> list[int]:
        """Create a job of the flow for each of these parameters; gives their numbers in order.
        All are checked before the first is created."""
        new = [EnqueueItem(flow=flow, params=dict(params)) for params in items]
        return self._backend.create_many(new, None, reason) if new else []

    def run(
        self,
        flow: str,
        params: Mapping[str, Any] | None = None,
        *,
        context: str | None = None,
        priority: int | None = None,
        timeout_s: float | None = None,
        reason: str = "",
    ) -> Job:
        """Create a job and wait for its end, at most `timeout_s` seconds (None: for ever); gives
        the job as it is then, whether it completed or not."""
        job = self.create(flow, params, context=context, priority=priority, reason=reason)
        return self.wait(job.id, timeout_s)

    def wait(self, job_id: int, timeout_s: float | None = None) -> Job:
        """Wait until the job has ended, at most `timeout_s` seconds; gives it as it is then."""
        deadline = math.inf if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left = max(deadline - time.monotonic(), 0)
            job = self._backend.wait(job_id, min(left, WAIT_S))
            if job.status.final or left <= WAIT_S:
                return job

    def jobs(
        self,
        wanted: JobFilter | str | None = None,
        *,
        sort: Sequence[str] | str = ("-id",),
        limit: int = PAGE,
        cursor: str | None = None,
        **conditions: Any,
    ) -> Page[Job]:
        """One page of jobs, the newest first. Give a filter, its text, or its conditions by name:
        `client.jobs(status="failed", flow="load")`. `next` of a page is the `cursor` of the
        following one."""
        keys = [sort] if isinstance(sort, str) else list(sort)
        return self._backend.find(filter_of(wanted, conditions), keys, limit, cursor)

    def all_jobs(
        self, wanted: JobFilter | str | None = None, *, sort: str = "-id", **conditions: Any
    ) -> Iterator[Job]:
        """Every job that matches, page by page."""
        found = filter_of(wanted, conditions)
        cursor = None
        while True:
            page = self._backend.find(found, [sort], 500, cursor)
            yield from page.items
            cursor = page.next
            if cursor is None:
                return

    def count(self, *, pipeline: str = "", flow: str = "", queue: str = "") -> dict[Status, int]:
        """The number of jobs in every status, from counters."""
        return self._backend.count(pipeline, flow, queue)

    def get(self, job_id: int) -> Job:
        """The job of that number."""
        return self._backend.job(job_id)

    def result(self, job_id: int) -> Result:
        """How the job stands, with its result or error."""
        job = self._backend.job(job_id)
        return Result(job.status, job.result, job.error)

    def why(self, job_id: int) -> Why:
        """Why the job is where it is, in a sentence, with an estimate where one can be made."""
        return self._backend.why(job_id)

    def steps(self, job_id: int) -> list[Step]:
        """The steps of the job, in order."""
        return self._backend.steps(job_id)

    def attempts(self, job_id: int) -> list[Attempt]:
        """The attempts at the job, the first one first."""
        return self._backend.attempts(job_id)

    def events(self, job_id: int) -> list[Event]:
        """What happened to the job, in order."""
        return self._backend.events(job_id)

    def calls(self, job_id: int, *, after: int = 0) -> list[ApiCall]:
        """HTTP calls that the job made, a page from above the number `after`."""
        return self._backend.calls(job_id, after)

    def logs(
        self,
        job_id: int,
        *,
        after: int = 0,
        level: str = "",
        q: str = "",
        attempt: int | None = None,
        limit: int = 500,
    ) -> list[LogLine]:
        """Lines of the job's log that follow the line `after`: those of at least `level`, with
        the text `q`, of one attempt."""
        return self._backend.logs(job_id, after, level, q, attempt, limit)

    def files(self, job_id: int) -> list[JobFile]:
        """The files that the job kept."""
        return self._backend.files(job_id)

    def file(self, job_id: int, name: str) -> bytes:
        """The bytes of one of them."""
        return self._backend.file(job_id, name)

    def stop(self, job_id: int, *, reason: str = "") -> Job:
        """Stop a job and its tree: at once while it waits, a running one is asked to."""
        return self._backend.stop(job_id, reason)

    def kill(self, job_id: int, *, reason: str = "") -> Job:
        """Stop a job and its tree without giving it time to end by itself."""
        return self._backend.kill(job_id, reason)

    def finish(self, job_id: int, *, as_: str = "failed", reason: str) -> Job:
        """End a running job by force, as `failed` or `stopped`; its worker is replaced."""
        return self._backend.finish(job_id, as_, reason)

    def stuck(self, *, stale_s: float = STALE_S, limit: int = PAGE) -> list[Verdict]:
        """Jobs that do not get on, each with its kind and why; running ones that were not heard
        of for `stale_s` seconds are among them."""
        return self._backend.stuck(stale_s, limit)

    def recover(
        self, *, dry_run: bool = False, stale_s: float = STALE_S, reason: str = ""
    ) -> Recovery:
        """Get stuck jobs on without touching any that lives; with `dry_run` only say how."""
        return self._backend.recover(dry_run, stale_s, reason)

    def retry(self, job_id: int, *, from_: str = "failed_step", reason: str = "") -> Job:
        """Try a failed or stopped job once more, from `failed_step` or from the `start`."""
        return self._backend.retry(job_id, from_, reason)

    def run_again(
        self, job_id: int, params: Mapping[str, Any] | None = None, *, reason: str = ""
    ) -> Job:
        """Create a job like that one, with some of its parameters changed."""
        return self._backend.run_again(job_id, params or {}, reason)

    def delete(self, job_id: int, *, reason: str = "") -> None:
        """Delete an ended job with all that was recorded of it."""
        self._backend.delete(job_id, reason)

    def search_logs(
        self, wanted: LogFilter | None = None, *, limit: int = PAGE, cursor: str | None = None
    ) -> Page[FoundLine]:
        """Some of the lines of all jobs that the filter means, the newest first. A call looks at
        a bounded number of lines: it may give few, or none, and `next`."""
        return self._backend.search_logs(wanted or LogFilter(), limit, cursor)

    # -- errors ------------------------------------------------------------------------------

    def errors(
        self,
        *,
        state: str = "",
        flow: str = "",
        q: str = "",
        limit: int = PAGE,
        cursor: str | None = None,
    ) -> Page[ErrorGroup]:
        """One page of error groups, what happened last first: `open` or `resolved` ones, those
        that happened in a flow, those with a text in type, place or message."""
        return self._backend.errors(state, flow, q, limit, cursor)

    def error(self, group_id: int) -> ErrorGroup:
        """The error group of that number; `jobs(error_group=...)` lists its jobs."""
        return self._backend.error(group_id)

    def resolve_error(self, group_id: int, *, reason: str = "") -> ErrorGroup:
        """Mark it resolved; the next failure of its kind opens it again."""
        return self._backend.resolve_error(group_id, reason)

    def reopen_error(self, group_id: int, *, reason: str = "") -> ErrorGroup:
        """Open a resolved one again."""
        return self._backend.reopen_error(group_id, reason)

    def retry_error(self, group_id: int, *, reason: str = "") -> Bulk:
        """Try every job that stands failed by it once more: a few at once, else `job` does it."""
        return self._backend.retry_error(group_id, reason)

    def hints(self) -> list[HintRule]:
        """The rules by which errors get hints, in the order in which they are tried."""
        return self._backend.hints()

    def add_hint(self, pattern: str, hint: str, *, link: str = "", reason: str = "") -> HintRule:
        """Give errors in whose type and message the pattern occurs that hint, from now on."""
        return self._backend.add_hint(pattern, hint, link, reason)

    def remove_hint(self, rule_id: int, *, reason: str = "") -> None:
        """Take a rule away; errors that have its hint keep it."""
        self._backend.remove_hint(rule_id, reason)

    # -- pipelines and flows -----------------------------------------------------------------

    def pipelines(self) -> list[Pipeline]:
        """Every pipeline by name."""
        return self._backend.pipelines()

    def pipeline(self, name: str) -> Pipeline:
        """The pipeline of that name."""
        return self._backend.pipeline(name)

    def register(
        self, manifests: Iterable[PipelineManifest], *, publish: bool = True, reason: str = ""
    ) -> list[Pipeline]:
        """Take in pipelines as their code defines them; changed ones get a new version."""
        return self._backend.register(list(manifests), publish, reason)

    def publish(self, name: str, *, version: int | None = None, reason: str = "") -> Pipeline:
        """Let jobs run that version of the pipeline (None: the current one)."""
        return self._backend.publish(name, version, reason)

    def unpublish(self, name: str, *, reason: str = "") -> Pipeline:
        """Let no more of the pipeline's jobs start."""
        return self._backend.unpublish(name, reason)

    def remove_pipeline(self, name: str, *, reason: str = "") -> None:
        """Take a pipeline away with its flows and schedules; its jobs remain to be seen."""
        self._backend.remove_pipeline(name, reason)

    def flows(self, pipeline: str = "") -> list[Flow]:
        """Every flow by name, or those of one pipeline."""
        return self._backend.flows(pipeline)

    def flow(self, name: str) -> Flow:
        """The flow of that name."""
        return self._backend.flow(name)

    def check_flow(self, name: str, params: Mapping[str, Any] | None = None) -> dict[str, str]:
        """Every parameter with which a job of the flow could not run now, with what is wrong with
        it; empty: it could. Nothing is begun."""
        return self._backend.check_flow(name, params or {})

    def add_flow(self, name: str, pipeline: str, *, reason: str = "", **settings: Any) -> Flow:
        """Configure a new flow; `settings` are queue, priority, params, context, retry (a
        `RetryPolicy`), timeout_s, max_running, rate (such as 10/m) and after (flows that it
        runs after, such as `["weather", "mail:failed"]`)."""
        return self._backend.add_flow(name, pipeline, settings, reason)

    def edit_flow(self, name: str, *, reason: str = "", **changes: Any) -> Flow:
        """Change some of a flow's settings."""
        return self._backend.edit_flow(name, changes, reason)

    def remove_flow(self, name: str, *, reason: str = "") -> None:
        """Take a flow away with its schedules; its jobs remain to be seen."""
        self._backend.remove_flow(name, reason)

    def items(
        self,
        flow: str,
        *,
        source: str | None = None,
        item: str = "",
        state: str = "",
        limit: int = PAGE,
        cursor: str | None = None,
    ) -> Page[FlowItem]:
        """One page of the items that the flow takes only once: of one source, in one state
        (claimed, deferred, processed, released), or one of them."""
        return self._backend.items(flow, source, item, state, limit, cursor)

    def count_items(self, flow: str) -> tuple[dict[str, int], bool]:
        """How many items the flow has in each state, and whether there are more than the 20,000
        that were counted."""
        return self._backend.count_items(flow)

    def forget_items(
        self, flow: str, *, source: str | None = None, item: str = "", reason: str = ""
    ) -> int:
        """Let the flow take all of its items again, those of one source, or one; gives how
        many."""
        return self._backend.forget_items(flow, source, item, reason)

    # -- queues, schedules, pools ------------------------------------------------------------

    def queues(self) -> list[Queue]:
        """Every queue by name, with what is in it."""
        return self._backend.queues()

    def pause_queue(self, name: str, *, reason: str = "") -> list[Queue]:
        """Hand out no more jobs of that queue (or of `all`); no status changes."""
        return self._backend.pause_queue(name, reason)

    def resume_queue(self, name: str, *, reason: str = "") -> list[Queue]:
        """Hand out jobs of that queue (or of `all`) again."""
        return self._backend.resume_queue(name, reason)

    def limit_queue(self, name: str, *, reason: str = "", **changes: Any) -> Queue:
        """Limit how many jobs of the queue run at once (`max_running`), and at which `rate` they
        start, such as 10/s; None takes a limit away."""
        return self._backend.limit_queue(name, changes, reason)

    def stop_queue(self, name: str, *, reason: str = "") -> dict[str, int]:
        """Stop what is pending in that queue (or in `all`); gives the number in each."""
        return self._backend.stop_queue(name, reason)

    def schedules(self, flow: str = "") -> list[Schedule]:
        """Every schedule, or those of one flow."""
        return self._backend.schedules(flow)

    def schedule(self, schedule_id: int) -> Schedule:
        """The schedule of that number."""
        return self._backend.schedule(schedule_id)

    def add_schedule(self, flow: str, *, reason: str = "", **settings: Any) -> Schedule:
        """Let a flow run by itself; `settings` are cron or interval_s, timezone, start_at, end_at,
        jitter_s, misfire, overlap, params, vendor_type and vendor_id."""
        return self._backend.add_schedule(flow, schedule_times(settings), reason)

    def edit_schedule(self, schedule_id: int, *, reason: str = "", **changes: Any) -> Schedule:
        """Change some of a schedule's settings."""
        return self._backend.edit_schedule(schedule_id, schedule_times(changes), reason)

    def remove_schedule(self, schedule_id: int, *, reason: str = "") -> None:
        """Take a schedule away; the jobs that it created remain."""
        self._backend.remove_schedule(schedule_id, reason)

    def pause_schedule(self, schedule_id: int | None, *, reason: str = "") -> list[Schedule]:
        """Let that schedule (None: every one) create no more jobs."""
        return self._backend.pause_schedule(schedule_id, reason)

    def resume_schedule(self, schedule_id: int | None, *, reason: str = "") -> list[Schedule]:
        """Let that schedule (None: every one) create jobs again."""
        return self._backend.resume_schedule(schedule_id, reason)

    def next_ticks(self, schedule_id: int, count: int = 5) -> list[Micros]:
        """The next times at which the schedule ticks; fewer, if it ends before."""
        return self._backend.next_ticks(schedule_id, count)

    def run_schedule(self, schedule_id: int, *, reason: str = "") -> Job:
        """Create the schedule's job now; its ticks stay as they are."""
        return self._backend.run_schedule(schedule_id, reason)

    def pools(self) -> list[Pool]:
        """Every pool."""
        return self._backend.pools()

    def workers(self, pool_id: int | None = None) -> list[Worker]:
        """The workers of a pool, or of all."""
        return self._backend.workers(pool_id)

    def free(self, worker_id: int | None, *, reason: str = "") -> list[Freed]:
        """Stop the job that the worker (None: every busy one) runs; each has its outcome."""
        return self._backend.free(worker_id, reason)

    def drain(self, pool_id: int, *, reason: str = "") -> Pool:
        """Let a pool take no more jobs and finish what it runs; its process stays."""
        return self._backend.drain(pool_id, reason)
