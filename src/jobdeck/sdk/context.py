"""What a step is given of its job: log, progress, counts, chunks, files, children, HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar, overload

from jobdeck.domain.clock import Micros
from jobdeck.sdk.chunks import Chunks, OnError
from jobdeck.sdk.control import StopRequested
from jobdeck.sdk.counts import Counter
from jobdeck.sdk.log import JobLog
from jobdeck.sdk.runtime import JobView, Runtime
from jobdeck.sdk.step_run import StepRun

if TYPE_CHECKING:
    import httpx

    from jobdeck.sdk.children import ChildResult, FailsWhen
    from jobdeck.sdk.files import Files
    from jobdeck.sdk.items import Items, Key
    from jobdeck.sdk.pipeline import Pipeline
    from jobdeck.sdk.plan import Plan, StepPlan

T = TypeVar("T")
U = TypeVar("U")


class Context:
    """The running step and its job. A step takes it as its first argument.

    `progress`, `check_in`, `chunks`, `sleep` and `map` are where a step can be stopped: they
    raise `StopRequested` when somebody asked for it.
    """

    __slots__ = (
        "_async_http",
        "_done",
        "_http",
        "_job",
        "_log",
        "_plan",
        "_run",
        "_runtime",
        "_started_at",
        "_step",
        "_total",
        "_values",
    )

    def __init__(
        self,
        job: JobView,
        runtime: Runtime,
        plan: Plan,
        step: StepPlan,
        values: Any,
        started_at: Micros,
        run: StepRun | None = None,
    ) -> None:
        self._job = job
        self._runtime = runtime
        self._plan = plan
        self._step = step
        self._values = values
        self._started_at = started_at
        self._run = run
        self._done = 0
        self._total: int | None = None
        self._log: JobLog | None = None
        self._http: httpx.Client | None = None
        self._async_http: httpx.AsyncClient | None = None

    @property
    def job_id(self) -> int:
        """The job's number."""
        return self._job.job

    @property
    def attempt(self) -> int:
        """1 the first time the job runs."""
        return self._job.attempt

    @property
    def flow(self) -> str:
        """The flow that the job belongs to."""
        return self._job.flow

    @property
    def pipeline(self) -> str:
        """The pipeline of that flow."""
        return self._job.pipeline

    @property
    def context(self) -> str:
        """The context that gave parameters, such as `prod`; empty: none."""
        return self._job.context

    @property
    def parent(self) -> int | None:
        """The number of the job that made this one by `ctx.map`."""
        return self._job.parent

    @property
    def step(self) -> str:
        """The name of this step."""
        return self._step.name

    @property
    def params(self) -> Any:
        """All parameters: the pipeline's model, or a dict where it has none."""
        return self._plan.params.whole(self._values)

    @property
    def log(self) -> JobLog:
        """Lines on the job's page: `ctx.log.info("loaded", rows=12)`."""
        if self._log is None:
            self._log = JobLog(self._job, self._runtime)
        return self._log

    @property
    def stop_requested(self) -> bool:
        """Whether somebody asked the job to stop."""
        return bool(self._runtime.stop_reason(self._job))

    def raise_if_stopped(self) -> None:
        """End here if somebody asked the job to stop.

        Raises:
            StopRequested: somebody did.
        """
        why = self._runtime.stop_reason(self._job)
        if why:
            raise StopRequested(why)

    def progress(self, done: int, total: int | None = None, note: str = "") -> None:
        """Tell how far the job is; cheap enough for every row.

        Raises:
            StopRequested: somebody asked the job to stop.
        """
        self._done, self._total = done, total
        self._runtime.check_in(self._job, done, total, note)
        if self._runtime.stop_reason(self._job):
            self.raise_if_stopped()

    def check_in(self, note: str) -> None:
        """Tell that the job is alive and what it does; how far it is stays as it was told.

        Raises:
            StopRequested: somebody asked the job to stop.
        """
        self.progress(self._done, self._total, note)

    def sleep(self, seconds: float) -> None:
        """Wait, but not longer than until a stop. Coroutines rather `await asyncio.sleep`.

        Raises:
            StopRequested: somebody asked the job to stop.
        """
        self.raise_if_stopped()
        self._runtime.wait(self._job, seconds)
        self.raise_if_stopped()

    @property
    def counts(self) -> Counter:
        """What the step counts of its items: `ctx.counts.add(read=1, written=1)`."""
        return self.step_run.counts

    @overload
    def chunks(
        self,
        source: Iterable[T] | Callable[[], Iterable[T]],
        size: int = 1000,
        *,
        on_error: OnError = "raise",
        limit: int | None = None,
    ) -> Iterator[list[T]]: ...
    @overload
    def chunks(
        self,
        source: Iterable[T] | Callable[[], Iterable[T]],
        size: int = 1000,
        *,
        each: Callable[[T], U | None],
        on_error: OnError = "raise",
        limit: int | None = None,
    ) -> Iterator[list[U]]: ...
    def chunks(
        self,
        source: Any,
        size: int = 1000,
        *,
        each: Callable[[Any], Any] | None = None,
        on_error: OnError = "raise",
        limit: int | None = None,
    ) -> Iterator[list[Any]]:
        """Go through `source` in lists of at most `size` items.

        A chunk is committed when the body of the loop is done with it: counted, and never
        handed out again, also after a crash. `source` must give the same items each time.
        `each` makes of an item what is handed out, or None to filter it; an item at which it
        raises is skipped where `on_error` is "skip", at most `limit` of them.

        Raises:
            StopRequested: somebody asked the job to stop; between two chunks.
            InvalidValue: an argument will not do.
        """
        return Chunks(self, self.step_run, source, size, each, on_error, limit)

    @property
    def checkpoint(self) -> Checkpoint:
        """State of the step's own that outlives a crash."""
        return Checkpoint(self.step_run)

    @property
    def files(self) -> Files:
        """Files that the job keeps: `ctx.files.save("rows.csv", text)`."""
        return self.step_run.files

    @property
    def http(self) -> httpx.Client:
        """An httpx client whose calls are kept with the job, secrets redacted. It is closed
        with the step."""
        if self._http is None:
            from jobdeck.sdk.http import RecordingClient

            self._http = RecordingClient(self._job, self._runtime)
            self.step_run.closers.append(self._http)
        return self._http

    @property
    def async_http(self) -> httpx.AsyncClient:
        """The same for coroutines."""
        if self._async_http is None:
            from jobdeck.sdk.http import AsyncRecordingClient

            self._async_http = AsyncRecordingClient(self._job, self._runtime)
            self.step_run.closers.append(self._async_http)
        return self._async_http

    def map(
        self, target: Pipeline | str, items: Iterable[object], *, fails_when: FailsWhen = "all"
    ) -> int:
        """Make a child job for each item (a dict or model of parameters) and give their number.

        The children run once this step is done; the next step begins when all have ended and
        finds them in `ctx.children()`. A step that is tried again makes none twice, provided
        that `items` are the same.

        `fails_when` says when this job fails with its children, without another step: when
        "all" of them have failed, when "any" has, or "never".

        Raises:
            StopRequested: somebody asked the job to stop.
            InvalidValue: an item does not fit; names it.
            NotFound: there is no such flow.
        """
        from jobdeck.sdk.children import map_items

        self.raise_if_stopped()
        return map_items(self.step_run, self._step.name, target, items, fails_when)

    def children(self) -> Iterator[ChildResult]:
        """What became of the job's children, in the order in which they were made."""
        from jobdeck.sdk.children import iterate

        return iterate(self.step_run)

    def unseen(
        self,
        items: Iterable[T],
        key: Key = None,
        *,
        source: str = "",
        claim_for: float | str = "1h",
    ) -> Iterator[T]:
        """Those of the items that no job of this flow has processed, and no other has claimed.

        Each is claimed as it is handed out: when this job completes it is processed, when it
        ends otherwise it is free again. `key` names an item: a key or attribute of it, or a
        function of it; without one the item is a text or number itself. Items of different
        kinds have different `source`s. Unless the job ends before, a claim holds for
        `claim_for`.

        Raises:
            StopRequested: somebody asked the job to stop.
            InvalidValue: an item has no name; says which.
        """
        return self._items(source).claim(items, key, claim_for)

    def seen(self, item: str | int, *, source: str = "") -> bool:
        """Whether a job of this flow has processed the item of that name."""
        from jobdeck.sdk.items import name_of

        return bool(self._items(source).ask("seen", [name_of(item)]))

    def processed(self, *items: str | int, source: str = "") -> None:
        """The items of these names are done, whatever becomes of the job; safe when this
        returns."""
        from jobdeck.sdk.items import name_of

        self._items(source).ask("processed", [name_of(item) for item in items])

    def defer(self, *items: str | int, source: str = "") -> None:
        """Leave these items, which this job has claimed, to a later job of the flow: three
        times at most, then they are processed."""
        from jobdeck.sdk.items import name_of

        self._items(source).ask("defer", [name_of(item) for item in items])

    def _items(self, source: str) -> Items:
        from jobdeck.sdk.items import Items

        return Items(self._job, self._runtime, source)

    def enqueue(self, target: Pipeline | str, params: object = None, /, **fields: Any) -> int:
        """Create a job that is no child of this one, and give its number.

        Raises:
            InvalidValue: the parameters do not fit; names the field.
            NotFound: there is no such flow.
        """
        from jobdeck.sdk.enqueue import enqueue_to

        return enqueue_to(target, params, fields)

    @property
    def step_run(self) -> StepRun:
        """The books of this step, begun when they are first needed."""
        if self._run is None:
            self._run = StepRun(
                self._job, self._runtime, self._step.name, self._step.position,
                self._started_at, resumed=True,
            )  # fmt: skip
        return self._run

    @property
    def books(self) -> StepRun | None:
        """The same, if they were needed."""
        return self._run


class Checkpoint:
    """State of a step's own: of plain JSON types, at most 1 MB."""

    __slots__ = ("_run",)

    def __init__(self, run: StepRun) -> None:
        self._run = run

    def get(self, default: Any = None) -> Any:
        """What an earlier attempt at this step, or this one, saved last."""
        state = self._run.saved_state
        return default if state is None else state

    def save(self, state: Any) -> None:
        """Keep it; it is safe when this returns.

        Raises:
            NotJson: it is not JSON, or too large.
        """
        self._run.save_state(state)
