"""What a client does with jobs, and with the errors by which they fail."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from jobdeck.client.backend import Backend
from jobdeck.client.conditions import filter_of, moment
from jobdeck.domain import clock, uniqueness
from jobdeck.domain.bulk import Bulk
from jobdeck.domain.clock import Micros
from jobdeck.domain.filters import PAGE, JobFilter, LogFilter, Page
from jobdeck.domain.liveness import STALE_S, Recovery, Verdict
from jobdeck.domain.records import (
    ApiCall,
    Attempt,
    ErrorGroup,
    Event,
    FoundLine,
    HintRule,
    Job,
    JobError,
    JobFile,
    LogLine,
    Step,
    View,
)
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


class Jobs:
    """The part of `Client` that is about jobs, and the errors by which they fail."""

    _backend: Backend

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
        at = moment(run_at, "run_at")
        clock.check(at, "run_at")
        item = EnqueueItem(
            flow=flow,
            params=dict(params or {}),
            context=context,
            priority=priority,
            run_at=at,
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
        """One page of error groups, what happened last first: `open`, `resolved` or `muted`
        ones, those that happened in a flow, those with a text in type, place or message."""
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

    def mute_error(self, group_id: int, *, reason: str = "") -> ErrorGroup:
        """Let it call for no attention, however often it happens; it goes on counting."""
        return self._backend.mute_error(group_id, reason)

    def unmute_error(self, group_id: int, *, reason: str = "") -> ErrorGroup:
        """Let a muted one call for attention again."""
        return self._backend.unmute_error(group_id, reason)

    def retry_error(self, group_id: int, *, reason: str = "") -> Bulk:
        """Try every job that stands failed by it once more: a few at once, else `job` does it."""
        return self._backend.retry_error(group_id, reason)

    def views(self) -> list[View]:
        """Your own lists of jobs that have names; `jobs(view.filter, sort=view.sort)` gives one."""
        return self._backend.views()

    def save_view(self, name: str, text: str = "", *, sort: str = "", reason: str = "") -> View:
        """Keep the list that a filter's text means under a name; one of your own with that name
        becomes this one."""
        return self._backend.save_view(name, text, sort, reason)

    def rename_view(self, view_id: int, name: str, *, reason: str = "") -> View:
        """Give one of your own another name."""
        return self._backend.rename_view(view_id, name, reason)

    def delete_view(self, view_id: int, *, reason: str = "") -> None:
        """Forget one of your own; the jobs that it shows stay as they are."""
        self._backend.delete_view(view_id, reason)

    def hints(self) -> list[HintRule]:
        """The rules by which errors get hints, in the order in which they are tried."""
        return self._backend.hints()

    def add_hint(self, pattern: str, hint: str, *, link: str = "", reason: str = "") -> HintRule:
        """Give errors in whose type and message the pattern occurs that hint, from now on."""
        return self._backend.add_hint(pattern, hint, link, reason)

    def remove_hint(self, rule_id: int, *, reason: str = "") -> None:
        """Take a rule away; errors that have its hint keep it."""
        self._backend.remove_hint(rule_id, reason)
